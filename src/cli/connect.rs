//! `tcpshake connect`.

use std::net::{IpAddr, SocketAddr};

use super::args::{ConnectArgs, GuardKind};
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::signals::Signals;
use super::target::{self, Target};
use crate::driver::{self, Linger, Plan};
use crate::guard::{Guard, PortLease};
use crate::net::interfaces::Interface;
use crate::net::names::{self, Family};
use crate::net::route::{self, Destination, Route};
use crate::record::{Outcome, Statistics, Summary};
use crate::tcp::{IssGenerator, Mss, Offer, Parameters, SeqNum, WindowSize};
use crate::time::Clock;
use crate::wire::raw::{self, RawSpec, RawWire};

pub(super) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let connection = Connection::prepare(args)?;
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let mut output = Output::start(&args.output, None)?;
    let result = connection.repeat(&signals, &mut output);
    if let Err(failure) = &result {
        output.failed(failure);
    }
    output.finish();
    result
}

/// Everything that is the same for each exchange of a run.
struct Connection<'a> {
    args: &'a ConnectArgs,
    remote: SocketAddr,
    host: Option<String>,
    source: IpAddr,
    interface: Interface,
    parameters: Parameters,
    iss: IssGenerator,
    clock: Clock,
}

impl<'a> Connection<'a> {
    fn prepare(args: &'a ConnectArgs) -> Result<Self, Failure> {
        let target = Target::parse(&args.host, args.port.as_deref())?;
        let family = match (args.ipv4, args.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            (false, false) => source_family(args.source),
        };
        let bound = args.interface.as_deref().map(usable_interface).transpose()?;
        let addresses = names::resolve(&target.host, target.port, family)?;
        let (remote, route) =
            first_reachable(&addresses, args.source, bound.as_ref().map(|found| found.index))?;
        let interface = Interface::by_index(route.interface).map_err(|error| {
            Failure::not_possible(format_args!("cannot look up the interface to {remote}: {error}"))
        })?;
        let source = args.source.or(route.source).ok_or_else(|| {
            Failure::not_possible(format_args!("{} has no address to send from", interface.name))
        })?;
        Ok(Self {
            parameters: parameters(args, remote, &route, &interface),
            host: target.name(),
            iss: IssGenerator::new(rand::random()),
            clock: Clock::new(),
            args,
            remote,
            source,
            interface,
        })
    }

    /// The exchanges, one after the other; the exit code is that of the first that did not end as asked.
    fn repeat(&self, signals: &Signals, output: &mut Output) -> Result<Exit, Failure> {
        let mut statistics = Statistics::default();
        let mut exit = Exit::Success;
        for number in 1..=self.args.pace.count {
            let begun = self.clock.now();
            let summary = self.exchange(number, signals, output)?;
            statistics.add(&summary);
            let mut outcome = Exit::from(&summary.outcome);
            let interrupted = matches!(summary.outcome, Outcome::Interrupted(_));
            if !interrupted && number < self.args.pace.count {
                let pause = self.args.pace.interval.saturating_sub(self.clock.now() - begun);
                if let Some(signal) = signals.wait(pause) {
                    outcome = Exit::from(&Outcome::Interrupted(signal));
                }
            }
            if exit == Exit::Success || matches!(outcome, Exit::Interrupted | Exit::Terminated | Exit::HungUp)
            {
                exit = outcome;
            }
            if matches!(outcome, Exit::Interrupted | Exit::Terminated | Exit::HungUp) {
                break;
            }
        }
        if self.args.pace.count > 1 {
            output.statistics(&statistics);
        }
        Ok(exit)
    }

    fn exchange(&self, number: u32, signals: &Signals, output: &mut Output) -> Result<Summary, Failure> {
        let lease = self.lease()?;
        let local = lease.local();
        if local == self.remote {
            return Err(Failure::usage(format_args!(
                "cannot connect {local} to itself: both ends would be the same socket (choose another --source-port)"
            )));
        }
        // The wire before the guard: its time stamps take a moment to be switched on, and nothing is sent.
        let mut wire = self.wire(local)?;
        let guard = match self.args.guard {
            GuardKind::Auto | GuardKind::Listener => Guard::listener(lease, self.clock)?,
            GuardKind::None => Guard::none(lease),
        };
        wire.wake_on(signals.descriptor()?);
        let plan = self.plan(number, local);
        let summary = driver::run(&guard, &mut wire, &plan, output, &mut || signals.pending())?;
        Ok(summary)
    }

    fn lease(&self) -> Result<PortLease, Failure> {
        let port = self.args.source_port.unwrap_or(0);
        let mut local = SocketAddr::new(self.source, port);
        if let (SocketAddr::V6(local), SocketAddr::V6(remote)) = (&mut local, &self.remote) {
            let link_local = local.ip().is_unicast_link_local();
            local.set_scope_id(if link_local { remote.scope_id().max(self.interface.index) } else { 0 });
        }
        Ok(PortLease::take(local)?)
    }

    fn wire(&self, local: SocketAddr) -> Result<RawWire, Failure> {
        let spec = RawSpec {
            selection: raw::selection(local, self.remote, self.interface.index),
            remote: self.remote,
            bind_to_interface: self.args.interface.clone(),
        };
        Ok(RawWire::open(&spec, self.clock)?)
    }

    fn plan(&self, number: u32, local: SocketAddr) -> Plan {
        let segments = &self.args.segments;
        let chosen = segments.isn.map(SeqNum);
        Plan {
            number,
            remote: self.remote,
            host: self.host.clone(),
            iss: chosen.unwrap_or_else(|| self.iss.iss(local, self.remote, self.clock.now())),
            parameters: self.parameters,
            ttl: segments.ttl,
            text: Vec::new(),
            await_text: 0,
            close: segments.close.into(),
            timeout: self.args.pace.timeout,
            linger: self
                .args
                .pace
                .linger
                .map_or(Linger::Enough, |millis| Linger::For(std::time::Duration::from_millis(millis))),
            simulated: false,
        }
    }
}

/// A source address decides the family if the user did not.
const fn source_family(source: Option<IpAddr>) -> Family {
    match source {
        Some(IpAddr::V4(_)) => Family::V4,
        Some(IpAddr::V6(_)) => Family::V6,
        None => Family::Any,
    }
}

fn usable_interface(name: &str) -> Result<Interface, Failure> {
    let interface = Interface::by_name(name).map_err(|error| {
        Failure::not_possible(format_args!("cannot use interface '{name}': {error} (see: ip link)"))
    })?;
    if !interface.up {
        return Err(Failure::not_possible(format_args!(
            "interface {name} is down (bring it up: ip link set {name} up)"
        )));
    }
    Ok(interface)
}

/// The first address with a route, in the resolver's order; without any, the first one's error.
fn first_reachable(
    addresses: &[SocketAddr],
    source: Option<IpAddr>,
    interface: Option<u32>,
) -> Result<(SocketAddr, Route), Failure> {
    let mut first_failure = None;
    for address in addresses {
        match reachable(*address, source, interface) {
            Ok(found) => return Ok(found),
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    Err(first_failure.unwrap_or_else(|| Failure::usage("the host has no address")))
}

fn reachable(
    address: SocketAddr,
    source: Option<IpAddr>,
    interface: Option<u32>,
) -> Result<(SocketAddr, Route), Failure> {
    let address = target::unicast(address)?;
    if let Some(source) = source {
        // Asks for the address alone: whether it is ours. The port is leased later.
        PortLease::take(SocketAddr::new(source, 0))?;
    }
    let scope = match address {
        SocketAddr::V6(v6) => Some(v6.scope_id()).filter(|scope| *scope != 0),
        SocketAddr::V4(_) => None,
    };
    let route = route::lookup(address.ip(), source, interface.or(scope))?;
    if route.destination == Destination::Many {
        return Err(target::not_one_host(address.ip(), "the broadcast address of a network"));
    }
    Ok((address, route))
}

/// What we announce follows from the interface (MUST-67) and the options.
fn parameters(args: &ConnectArgs, remote: SocketAddr, route: &Route, interface: &Interface) -> Parameters {
    let (headers, default_peer_mss) =
        if remote.is_ipv4() { (40, Mss::DEFAULT_IPV4) } else { (60, Mss::DEFAULT_IPV6) };
    const LONGEST_PACKET: u32 = 65_535; // loopback takes one octet more than a header can say
    let mtu = route.mtu.unwrap_or(interface.mtu).min(interface.mtu).min(LONGEST_PACKET);
    let from_mtu = mtu.saturating_sub(headers) as u16;
    Parameters {
        mss: args.segments.mss.and_then(Mss::new).or(Mss::new(from_mtu)).unwrap_or(default_peer_mss),
        default_peer_mss,
        window: WindowSize::new(args.segments.window),
        offer: if args.segments.no_options { Offer::Nothing } else { Offer::Usual },
        retries: args.pace.retries,
        ..Parameters::default()
    }
}
