//! `tcpshake check`.
//!
//! ```text
//! targets ─► Dispatch, a thread ─► driver::fleet ─► news ─► Collector ─► findings ─► Reports
//!             names, routes, neighbours                      this thread: progress, signals
//! ```

mod collect;
mod dispatch;
mod ending;
mod engine;
mod listener;
mod names;
mod news;
mod packets;
mod progress;
mod reports;
mod resume;

pub(super) use collect::Tally;
pub(super) use reports::{Reports, Spool};
pub(super) use resume::{Earlier, hash};

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::args::{CheckArgs, ReportArgs, ReportKind, ReportTo};
use super::error::Failure;
use super::exit::Exit;
use super::queue::Bell;
use super::signals::Signals;
use super::targets::{Asked, Gathered, Host, List, Trouble, gather};
use crate::driver::fleet;
use crate::guard::LeaseError;
use crate::net::names::Family;
use crate::net::{privileges, route};
use crate::record::Signal;
use crate::record::check;
use crate::time::{Clock, unix_seconds};

use collect::Collector;
use dispatch::{Shared, Shortcut};
use ending::Ending;
use engine::{Engine, engines, setrlimit_to_most};
use listener::Listener;
use names::Names;
use packets::Packets;
use progress::Progress;

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let gathered = gather(&asked(args)).map_err(|trouble| told(&trouble))?;
    let earlier = args.chosen.resume.as_deref().map(Earlier::read).transpose()?;
    let mut list = gathered.list;
    let resumed = earlier.as_ref().map_or(0, |earlier| list.retain(|label| !earlier.has(label)));
    if list.is_empty() && resumed == 0 {
        return Err(Failure::usage("there is nothing to check (give a target, or a file that has some)"));
    }
    let signals = Signals::watch()?;
    let color = super::look::wants_color_on_stdout(args.reports.color);
    let mut reports = Reports::open(&wanted(&args.reports), color)?;
    let order = order(args, list.len());
    let plan = plan(args, &list, order.as_ref().map(|(seed, _)| *seed), u64::from(resumed));
    let check = Check::prepare(args, Gathered { list, ..gathered }, order.map(|(_, order)| order))?;
    check.introduce(&plan);
    reports.begin(&plan);
    check.run(&signals, earlier, reports)
}

fn asked(args: &CheckArgs) -> Asked {
    Asked {
        targets: args.targets.targets.clone(),
        files: args.targets.file.clone(),
        expect: args.targets.expect.clone(),
        exclude: args.targets.exclude.clone(),
        exclude_files: args.targets.exclude_file.clone(),
        shard: args.chosen.shard,
    }
}

/// All that is wrong, a line each; the last line is the failure.
fn told(trouble: &Trouble) -> Failure {
    for line in trouble.lines() {
        let _ = writeln!(io::stderr(), "{line}");
    }
    let lines = if trouble.count() == 1 { "1 line is" } else { &format!("{} lines are", trouble.count()) };
    Failure::usage(format_args!("{lines} wrong, and nothing was sent (mend what is told above)"))
}

/// The reports asked for; without any that goes to standard output, and unless quiet, the summary does.
fn wanted(args: &ReportArgs) -> Vec<ReportTo> {
    let mut wanted = args.report.clone();
    wanted.extend(args.html.clone().map(|file| ReportTo { kind: ReportKind::Html, file }));
    let to_stdout = wanted.iter().any(|report| reports::is_standard_output(&report.file));
    let has_summary = wanted.iter().any(|report| report.kind == ReportKind::Summary);
    if !args.quiet && !to_stdout && !has_summary {
        wanted.push(ReportTo { kind: ReportKind::Summary, file: "-".into() });
    }
    wanted
}

/// The order of targets, if it is not the list's, and the seed it is made from.
fn order(args: &CheckArgs, targets: u32) -> Option<(u64, Vec<u32>)> {
    let seed = args.chosen.randomize?.unwrap_or_else(|| rand::rng().next_u64());
    let mut order: Vec<u32> = (0..targets).collect();
    order.shuffle(&mut rand::rngs::ChaCha8Rng::seed_from_u64(seed)); // the same on every machine
    Some((seed, order))
}

fn plan(args: &CheckArgs, list: &List, seed: Option<u64>, resumed: u64) -> check::Plan {
    check::Plan {
        targets: u64::from(list.len()) + resumed,
        duplicates: list.duplicates(),
        excluded: list.excluded(),
        resumed,
        count: args.fleet.count,
        rate: args.fleet.rate.map(fleet::Rate::get),
        per_host_rate: args.fleet.per_host_rate.map(fleet::Rate::get),
        max_in_flight: args.fleet.max_in_flight,
        seed,
        shard: args.chosen.shard.map(|shard| (shard.number(), shard.of())),
        unix_seconds: unix_seconds(),
    }
}

/// Everything that stands before the first SYN.
struct Check<'a> {
    args: &'a CheckArgs,
    shared: Arc<Shared>,
    engines: Vec<Engine>,
    bells: Arc<[Bell]>,
    packets: Option<Packets>,
}

impl<'a> Check<'a> {
    fn prepare(args: &'a CheckArgs, gathered: Gathered, order: Option<Vec<u32>>) -> Result<Self, Failure> {
        let source = args.fleet.source.map(|source| source.to_canonical());
        if let Some(source) = source.filter(|source| !route::is_own(*source)) {
            return Err(LeaseError::not_ours(source).into());
        }
        let clock = Clock::new();
        let reading = clock.reading();
        let packets = args.reports.pcap_failures.as_deref();
        let packets = packets.map(|path| Packets::create(path, reading)).transpose()?;
        let _ = setrlimit_to_most(); // a port takes a socket or two; where there are too few, that is said below
        let bells: Arc<[Bell]> =
            (0..args.fleet.threads).map(|_| Bell::new()).collect::<Result<Vec<_>, _>>()?.into();
        let engines = engines(args, &gathered.list, &bells, clock)?;
        let names = Names::resolve(names_of(&gathered.list), family(args), &bells)?;
        let guard = engines.first().map(|engine| fleet::guard_in_words(&engine.guard)).unwrap_or_default();
        let shared = Shared {
            list: gathered.list,
            exclude: gathered.exclude,
            order,
            names: Arc::new(Mutex::new(names)),
            count: args.fleet.count,
            source,
            shortcut: if args.fleet.routed { Shortcut::Forbidden } else { Shortcut::Allowed },
            stop: AtomicBool::new(false),
            guard,
        };
        Ok(Self { args, shared: Arc::new(shared), engines, bells, packets })
    }

    /// What is about to be done, on standard error: what is merged, left out and limited is told.
    fn introduce(&self, plan: &check::Plan) {
        if self.args.reports.quiet {
            return;
        }
        let rate = |limit: Option<f64>| limit.map_or("no limit".to_owned(), |rate| format!("{rate}/s"));
        let counted = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut facts = vec![
            counted(plan.targets, "target"),
            format!("rate {}", rate(plan.rate)),
            format!("per host {}", rate(plan.per_host_rate)),
        ];
        let counts = [
            (plan.duplicates, format!("{} merged", counted(plan.duplicates, "duplicate"))),
            (plan.excluded, format!("{} excluded", plan.excluded)),
            (plan.resumed, format!("{} known from an earlier run", plan.resumed)),
        ];
        facts.extend(counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, fact)| fact));
        facts.extend(plan.seed.map(|seed| format!("order from seed {seed}")));
        let _ = writeln!(io::stderr(), "tcpshake: {}", facts.join(", "));
    }

    fn run(self, signals: &Signals, earlier: Option<Earlier>, mut reports: Reports) -> Result<Exit, Failure> {
        // Before the first thread that sends: none is to send while another still may do anything.
        privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
        let ending = Arc::new(Ending::default());
        let (news, received) = sync_channel(NEWS);
        let mut threads = Vec::new();
        let of = self.engines.len() as u32;
        for (nth, engine) in (0..).zip(self.engines) {
            threads.push(engine.start(&self.shared, &news, (nth, of), &ending)?);
        }
        drop(news);
        let targets = self.shared.list.len();
        let mut listener = Listener {
            collector: Collector::new(Arc::clone(&self.shared)),
            known: vec![false; targets as usize],
            progress: Progress::start(u64::from(targets), self.args.reports.quiet),
            packets: self.packets,
            fail_fast: self.args.chosen.fail_fast,
            shared: &self.shared,
            bells: &self.bells,
            ending: &ending,
            trouble: None,
        };
        if let Some(earlier) = earlier {
            earlier.each(|finding| {
                listener.collector.tally.add_known(&finding);
                listener.collector.tally.add_mean_round_trip(&finding);
                reports.finding(finding)
            })?;
        }
        listener.listen(&received, signals, &mut reports);
        listener.conclude(threads, reports)
    }
}

/// Batches of news that may wait: beyond it the exchanges do.
const NEWS: usize = 16;

/// The exit code of a check: only what was checked can be as expected.
pub(super) fn exit(summary: &check::Summary, signal: Option<Signal>) -> Exit {
    match signal {
        Some(signal) => signal.into(),
        None if summary.unmet > 0 || summary.not_checked > 0 || summary.signal.is_some() => {
            Exit::ExpectationFailed
        }
        None => Exit::Success,
    }
}

fn family(args: &CheckArgs) -> Family {
    match (args.targets.ipv4, args.targets.ipv6, args.fleet.source) {
        (true, ..) | (false, false, Some(IpAddr::V4(_))) => Family::V4,
        (_, true, _) | (false, false, Some(IpAddr::V6(_))) => Family::V6,
        (false, false, None) => Family::Any,
    }
}

/// Each name once, in the order of the list.
fn names_of(list: &List) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = list.iter().filter_map(|entry| match entry.host {
        Host::Name(name) => Some(name),
        Host::Address(_) => None,
    });
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}
