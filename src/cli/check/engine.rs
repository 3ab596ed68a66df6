//! What a thread makes exchanges with: ports and their guard, a wire, routes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::Rng;

use super::dispatch::{Dispatch, Shared};
use super::ending::Ending;
use super::news::News;
use crate::cli::args::CheckArgs;
use crate::cli::error::Failure;
use crate::cli::queue::Bell;
use crate::cli::targets::{Host, List};
use crate::driver::DriveError;
use crate::driver::fleet::{self, Done, Plan, Task};
use crate::guard::{GuardedPorts, LeasedPorts, SelfTest};
use crate::net::interfaces::own_families;
use crate::net::privileges;
use crate::net::router::Router;
use crate::record::expectation::{Expectation, Expectations, PeerOption};
use crate::tcp::{Offer, Parameters};
use crate::time::Clock;
use crate::wire::bulk::{BulkWire, Watch};
use crate::wire::filter::Selection;

/// What one thread makes exchanges with.
pub(super) struct Engine {
    pub(super) guard: GuardedPorts,
    wire: BulkWire,
    plan: Plan,
    router: Router,
    bell: Bell,
}

impl Engine {
    pub(super) fn start(
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

/// The unspecified address of each family that is needed, and that this machine has.
fn families(list: &List) -> Vec<IpAddr> {
    let needed = |v4: bool| {
        list.iter().any(|entry| match entry.host {
            Host::Address(ip) => ip.is_ipv4() == v4,
            Host::Name(_) => true,
        })
    };
    own_families().into_iter().filter(|family| needed(family.is_ipv4())).collect()
}

/// Files this process may have open: as many as the system allows.
pub(super) fn setrlimit_to_most() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// Sockets, ports and a guard for each thread.
pub(super) fn engines(
    args: &CheckArgs,
    list: &List,
    bells: &[Bell],
    clock: Clock,
) -> Result<Vec<Engine>, Failure> {
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
        let selections: Vec<Selection> =
            families.iter().map(|family| Selection::everywhere(*family, span)).collect();
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

/// One port serves all targets once; the same target many times at a time needs as many. Half as many more let each
/// rest before it is used again.
fn ports_needed(in_flight: u32, targets: u32, count: u32) -> usize {
    const MOST: u32 = 20_000;
    let with_one_target = in_flight.div_ceil(targets.max(1)).min(count);
    let spare = if with_one_target > 1 { with_one_target / 2 } else { 0 };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ports_serve_many_targets_and_one_target_needs_many() {
        for (in_flight, targets, count, ports) in [
            (1000, 1_000_000, 1, 1),
            (1000, 1000, 50, 1),
            (1000, 1, 50_000, 1500),
            (1000, 1, 3, 4),
            (1000, 8, 6250, 187),
            (1_000_000, 1, 1_000_000, 20_000),
            (1, 1, 1, 1),
        ] {
            assert_eq!(ports_needed(in_flight, targets, count), ports, "{in_flight} {targets} {count}");
        }
    }
}
