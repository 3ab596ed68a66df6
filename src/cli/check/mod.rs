//! `tcpshake check`.
//!
//! ```text
//! targets ─► Dispatch, a thread ─► driver::fleet ─► news ─► Collector ─► findings ─► Reports
//!             names, routes, neighbours                      this thread: progress, signals
//! ```

mod collect;
mod dispatch;
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
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::args::{CheckArgs, ReportArgs, ReportKind, ReportTo};
use super::error::Failure;
use super::exit::Exit;
use super::queue::Bell;
use super::signals::Signals;
use super::targets::{Asked, Gathered, Host, List, Trouble, gather};
use crate::driver::DriveError;
use crate::driver::fleet::{self, Done, Plan, Task};
use crate::guard::{GuardedPorts, LeaseError, LeasedPorts, SelfTest};
use crate::net::names::Family;
use crate::net::router::Router;
use crate::net::{interfaces, privileges, route};
use crate::record::Signal;
use crate::record::check::{self, Verdict};
use crate::record::expectation::{Expectation, Expectations, PeerOption};
use crate::tcp::{Offer, Parameters};
use crate::time::{Clock, unix_seconds};
use crate::wire::bulk::{BulkWire, Watch};
use crate::wire::filter::{ALL_INTERFACES, Selection};

use collect::Collector;
use dispatch::{Dispatch, Shared, Shortcut};
use names::Names;
use news::News;
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
    let color = super::output::wants_color_on_stdout(args.reports.color);
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

/// What one thread makes exchanges with.
struct Engine {
    guard: GuardedPorts,
    wire: BulkWire,
    plan: Plan,
    router: Router,
    bell: Bell,
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

/// Signals, for the threads that make exchanges.
#[derive(Default)]
struct Ending {
    /// How many came.
    count: AtomicU8,
    /// The last, by its place in [`Self::SIGNALS`].
    last: AtomicU8,
}

impl Ending {
    const SIGNALS: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::HangUp];

    fn note(&self, signal: Signal) {
        let place = Self::SIGNALS.iter().position(|known| *known == signal).unwrap_or(0);
        self.last.store(place as u8, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// The last signal, if there are more than were `seen`.
    fn newer(&self, seen: &mut u8) -> Option<Signal> {
        let count = self.count.load(Ordering::Acquire);
        if count == *seen {
            return None;
        }
        *seen = count;
        Self::SIGNALS.get(usize::from(self.last.load(Ordering::Relaxed))).copied()
    }
}

impl Engine {
    fn start(
        self,
        shared: &Arc<Shared>,
        news: &SyncSender<Vec<News>>,
        share: (u32, u32),
        ending: &Arc<Ending>,
    ) -> Result<JoinHandle<Result<Done, DriveError>>, Failure> {
        let Self { guard, mut wire, plan, router, bell } = self;
        let mut dispatch = Dispatch::new(Arc::clone(shared), news.clone(), share, router);
        let ending = Arc::clone(ending);
        let work = move || {
            let mut seen = 0;
            let mut signal = || {
                bell.still();
                ending.newer(&mut seen)
            };
            fleet::run(&guard, &mut wire, &plan, &mut dispatch, &mut signal)
        };
        privileges::thread("exchanges", work).map_err(|error| Failure::cannot("start a thread", &error))
    }
}

/// The thread that hears of exchanges.
struct Listener<'c> {
    collector: Collector,
    /// Targets whose finding was told.
    known: Vec<bool>,
    progress: Progress,
    packets: Option<Packets>,
    fail_fast: bool,
    shared: &'c Shared,
    bells: &'c [Bell],
    ending: &'c Ending,
    /// What went wrong first on this machine.
    trouble: Option<Failure>,
}

impl Listener<'_> {
    /// Hears all there is, until all threads have ended.
    fn listen(&mut self, received: &Receiver<Vec<News>>, signals: &Signals, reports: &mut Reports) {
        const MOMENT: Duration = Duration::from_millis(100);
        let clock = Clock::new();
        let mut next_look = clock.now();
        loop {
            let news = received.recv_timeout(MOMENT);
            let now = clock.now();
            if now >= next_look {
                next_look = now + MOMENT;
                self.look_around(signals, reports);
            }
            match news {
                Ok(news) => news.into_iter().for_each(|news| self.take(news, reports)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look_around(&mut self, signals: &Signals, reports: &mut Reports) {
        if let Some(signal) = signals.pending() {
            self.ending.note(signal);
            self.bells.iter().for_each(Bell::ring);
        }
        self.progress.tell(&self.collector.tally);
        reports.flush();
    }

    fn take(&mut self, news: News, reports: &mut Reports) {
        let target = news.target();
        if let (Some(packets), News::Exchange(exchanged)) = (&mut self.packets, &news)
            && let Some(failed) = &exchanged.failed
        {
            let label = self.shared.list.label(target).unwrap_or_default();
            let kept = packets.keep(&label, &failed.0, &failed.1);
            self.note(kept);
        }
        let Some(finding) = self.collector.take(news) else { return };
        if let Some(known) = self.known.get_mut(target as usize) {
            *known = true;
        }
        if self.fail_fast && finding.verdict == Verdict::Unmet {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        let told = reports.finding(finding);
        self.note(told);
    }

    /// Something that went wrong on this machine does not end the check, but is told at its end.
    fn note(&mut self, result: Result<(), Failure>) {
        if let Err(failure) = result
            && self.trouble.is_none()
        {
            self.trouble = Some(failure);
        }
    }

    /// The rest of the findings, the ends of the reports, the exit code.
    fn conclude(
        mut self,
        threads: Vec<JoinHandle<Result<Done, DriveError>>>,
        mut reports: Reports,
    ) -> Result<Exit, Failure> {
        self.progress.end();
        let mut done = Done::default();
        let mut trouble = self.trouble.take();
        for thread in threads {
            match thread.join() {
                Ok(Ok(one)) => done = together(&done, &one),
                Ok(Err(error)) => trouble = trouble.or(Some(error.into())),
                Err(_) => trouble = trouble.or(Some(Failure::not_possible("a thread panicked"))),
            }
        }
        self.collector.rest(&self.known, |finding| {
            if let Err(failure) = reports.finding(finding) {
                trouble.get_or_insert(failure);
            }
        });
        let summary = self.collector.tally.summary(&done);
        let written = reports.end(&summary);
        let kept = self.packets.map_or(Ok(()), Packets::finish);
        match trouble.map_or(Ok(()), Err).and(written).and(kept) {
            Err(failure) => Err(failure),
            Ok(()) => Ok(exit(&summary, done.signal)),
        }
    }
}

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

/// What two threads did at the same time.
fn together(one: &Done, other: &Done) -> Done {
    Done {
        duration: one.duration.max(other.duration),
        packets_lost: one.packets_lost + other.packets_lost,
        backed_off: one.backed_off + other.backed_off,
        kernel_resets: one.kernel_resets + other.kernel_resets,
        signal: one.signal.or(other.signal),
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

/// The unspecified address of each family that is needed, and that this machine has.
fn families(list: &List) -> Vec<IpAddr> {
    let own = interfaces::own_addresses();
    let needed = |v4: bool| {
        list.iter().any(|entry| match entry.host {
            Host::Address(ip) => ip.is_ipv4() == v4,
            Host::Name(_) => true,
        })
    };
    let both = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    let has = |family: &IpAddr| own.iter().any(|address| address.is_ipv4() == family.is_ipv4());
    both.into_iter().filter(has).filter(|family| needed(family.is_ipv4())).collect()
}

/// Files this process may have open: as many as the system allows.
fn setrlimit_to_most() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// Sockets, ports and a guard for each thread.
fn engines(args: &CheckArgs, list: &List, bells: &[Bell], clock: Clock) -> Result<Vec<Engine>, Failure> {
    let families = families(list);
    let threads = bells.len() as u32;
    let each = args.fleet.max_in_flight.div_ceil(threads);
    let ports = ports_needed(each, list.len().div_ceil(threads), args.fleet.count);
    let tasks = list.expectations().iter().map(|set| task(set, args.fleet.timeout)).collect::<Vec<_>>();
    let share = |limit: Option<fleet::Rate>| {
        limit.and_then(|rate| fleet::Rate::per_second(rate.get() / f64::from(threads)))
    };
    let mut first = FIRST_PORT + (rand::rng().next_u32() % u32::from(PORTS_TO_CHOOSE)) as u16;
    let mut engines = Vec::new();
    for bell in bells {
        let leased = LeasedPorts::take(&families, first, ports)?;
        let span = leased.span();
        first = span.last.saturating_add(1);
        let guard = leased.guard(args.fleet.guard.into(), &mut SelfTest::new(clock))?;
        let selections: Vec<Selection> = families.iter().map(|family| selection(*family, span)).collect();
        let watch = Watch { resets: guard.may_leak(), departures: departures_are_watched(args.fleet.rate) };
        let mut wire = BulkWire::open(&selections, watch, clock)?;
        wire.wake_on(bell.descriptor()?);
        let router = Router::open().map_err(|error| Failure::cannot("ask for routes", &error))?;
        let plan = Plan {
            parameters: Parameters { retries: args.fleet.retries, ..Parameters::default() },
            timeout: args.fleet.timeout,
            rate: share(args.fleet.rate),
            per_host_rate: share(args.fleet.per_host_rate),
            max_in_flight: each,
            tasks: tasks.clone(),
            ..Plan::new(rand::random())
        };
        engines.push(Engine { guard, wire, plan, router, bell: bell.clone() });
    }
    Ok(engines)
}

/// Whether the kernel is to tell when each SYN leaves: where nobody is in a hurry.
fn departures_are_watched(rate: Option<fleet::Rate>) -> bool {
    const HURRY: f64 = 10_000.0; // exchanges a second
    rate.is_some_and(|rate| rate.get() <= HURRY)
}

/// Our ports are looked for from somewhere among these on: where the system takes its own from, above what services
/// use.
const FIRST_PORT: u16 = 33_000;
const PORTS_TO_CHOOSE: u16 = 10_000;

/// One port serves all targets once; the same target many times at a time needs as many. A quarter more lets each
/// rest before it is used again.
fn ports_needed(in_flight: u32, targets: u32, count: u32) -> usize {
    const MOST: u32 = 20_000;
    let with_one_target = in_flight.div_ceil(targets.max(1)).min(count);
    let spare = if with_one_target > 1 { with_one_target / 4 } else { 0 };
    with_one_target.saturating_add(spare).clamp(1, MOST) as usize
}

fn task(expectations: &Expectations, timeout: Duration) -> Task {
    let offers = |wanted: PeerOption| {
        expectations.iter().any(|one| matches!(one, Expectation::Option(option) if *option == wanted))
    };
    Task {
        banner: expectations.banner().cloned(),
        banner_within: timeout,
        stays_open: expectations.stays_open().unwrap_or_default(),
        offer: Offer::USUAL
            | Offer::TIMESTAMPS.only_if(offers(PeerOption::Timestamps))
            | Offer::ECN.only_if(offers(PeerOption::Ecn)),
    }
}

fn selection(local: IpAddr, local_ports: crate::wire::filter::PortSpan) -> Selection {
    Selection {
        local,
        local_ports,
        remote: local, // any, too
        remote_port: None,
        interface: ALL_INTERFACES,
        kernels_interface: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ports_serve_many_targets_and_one_target_needs_many() {
        for (in_flight, targets, count, ports) in [
            (1000, 1_000_000, 1, 1),
            (1000, 1000, 50, 1),
            (1000, 1, 50_000, 1250),
            (1000, 1, 3, 3),
            (1000, 8, 6250, 156),
            (1_000_000, 1, 1_000_000, 20_000),
            (1, 1, 1, 1),
        ] {
            assert_eq!(ports_needed(in_flight, targets, count), ports, "{in_flight} {targets} {count}");
        }
    }
}
