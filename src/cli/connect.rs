//! `tcpshake connect`.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::args::ConnectArgs;
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::signals::Signals;
use super::target::{self, Target};
use crate::cause::cause;
use crate::driver::{self, Ended, Linger, Plan};
use crate::guard::{Guard, LeaseError, PortLease, SelfTest};
use crate::net::interfaces::{Interface, LOOPBACK};
use crate::net::names::{self, Family};
use crate::net::privileges;
use crate::net::route::{self, Destination, Route};
use crate::record::{Outcome, Signal, Statistics};
use crate::tcp::{IssGenerator, Mss, Offer, Parameters, SeqNum, WindowSize};
use crate::time::Clock;
use crate::wire::filter::Selection;
use crate::wire::raw::{self, RawSpec, RawWire};

pub(super) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let prepared = Connection::prepare(args);
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let mut output = Output::start(&args.output, None)?;
    let result = prepared.and_then(|connection| connection.repeat(&signals, &mut output));
    if let Err(failure) = &result {
        output.failed(failure);
    }
    match result {
        Ok(exit @ (Exit::Interrupted | Exit::Terminated | Exit::HungUp)) => {
            output.finish_soon(&signals);
            Ok(exit)
        }
        result => {
            let finished = output.finish(Some(&signals));
            let exit = result?;
            Ok(finished?.map_or(exit, Exit::from))
        }
    }
}

/// Everything that is the same for each exchange of a run.
struct Connection<'a> {
    args: &'a ConnectArgs,
    remote: SocketAddr,
    host: Option<String>,
    /// Our address, and the port if one was chosen.
    local: SocketAddr,
    interface: Interface,
    parameters: Parameters,
    iss: IssGenerator,
    clock: Clock,
}

impl<'a> Connection<'a> {
    fn prepare(args: &'a ConnectArgs) -> Result<Self, Failure> {
        let target = Target::parse(&args.host, args.port.as_deref())?;
        let source = args.source.map(|source| source.to_canonical());
        if let Some(source) = source.filter(|source| !route::is_own(*source)) {
            return Err(LeaseError::not_ours(source).into());
        }
        let family = match (args.ipv4, args.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            (false, false) => source_family(source),
        };
        let bound = args.interface.as_deref().map(usable_interface).transpose()?;
        let addresses = names::resolve(&target.host, target.port, family)?;
        let (remote, route) = first_reachable(&addresses, source, bound.as_ref())?;
        let interface = Interface::by_index(route.interface)
            .map_err(|error| Failure::cannot(format_args!("look up the interface to {remote}"), &error))?;
        let address = source.or(route.source).ok_or_else(|| {
            Failure::not_possible(format_args!(
                "{name} has no address to send from (give it one: ip address add ADDRESS dev {name})",
                name = interface.name
            ))
        })?;
        Ok(Self {
            parameters: parameters(args, remote, &route, &interface),
            local: local_end(address, args.source_port.unwrap_or(0), remote, &interface),
            host: target.name(),
            iss: IssGenerator::new(rand::random()),
            clock: Clock::new(),
            args,
            remote,
            interface,
        })
    }

    /// The exchanges, one after the other; the exit code is that of the first that did not end as asked.
    fn repeat(&self, signals: &Signals, output: &mut Output) -> Result<Exit, Failure> {
        let mut statistics = Statistics::default();
        let mut exit = Exit::Success;
        let mut equipment = Equipment { wire: None, test: SelfTest::new(self.clock), guard: None };
        let result = (1..=self.args.pace.count).try_for_each(|number| {
            let begun = self.clock.now();
            statistics.exchanges += 1;
            let Ended { summary, cut_short } = self.exchange(number, &mut equipment, signals, output)?;
            statistics.add(&summary);
            if exit == Exit::Success {
                exit = Exit::from(&summary.outcome);
            }
            let is_last = number == self.args.pace.count;
            let signal = match (summary.outcome, cut_short) {
                (Outcome::Interrupted(signal), _) | (_, Some(signal)) => Some(signal),
                _ if is_last => None,
                _ => signals.wait(self.args.pace.interval.saturating_sub(self.clock.now() - begun)),
            };
            signal.map_or(Ok(()), |signal| Err(End::Signal(signal)))
        });
        if self.args.pace.count > 1 {
            output.statistics(&statistics);
        }
        match result {
            Ok(()) => Ok(exit),
            Err(End::Signal(signal)) => Ok(signal.into()),
            Err(End::Failure(failure)) => Err(failure),
        }
    }

    fn exchange(
        &self,
        number: u32,
        equipment: &mut Equipment,
        signals: &Signals,
        output: &mut Output,
    ) -> Result<Ended, Failure> {
        output.number(number);
        let (guard, wire) = self.equip(equipment, signals)?;
        if self.needs_no_more(&guard, number) {
            privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
        }
        let plan = self.plan(number, guard.local());
        let ended = driver::run(&guard, wire, &plan, output, &mut || signals.pending())?;
        equipment.guard = Some(guard).filter(|_| self.keeps_its_port());
        Ok(ended)
    }

    /// A port of ours that the kernel is kept from, and the wire turned to it. The wire before the guard: its
    /// time stamps take a moment to be switched on, and nothing is sent.
    fn equip<'e>(
        &self,
        Equipment { wire, test, guard }: &'e mut Equipment,
        signals: &Signals,
    ) -> Result<(Guard, &'e mut RawWire), Failure> {
        if let Some(mut guard) = guard.take() {
            let wire = self.aim(wire, guard.local(), signals)?;
            guard.begin();
            return Ok((guard, wire));
        }
        let lease = self.lease()?;
        let wire = self.aim(wire, lease.local(), signals)?;
        let guard = match self.args.guard.choice() {
            Some(choice) => Guard::stand(choice, lease, test)?,
            None => Guard::none(lease),
        };
        Ok((guard, wire))
    }

    fn lease(&self) -> Result<PortLease, Failure> {
        let lease = PortLease::take(self.local)?;
        let local = lease.local();
        if local == self.remote {
            return Err(Failure::usage(format_args!(
                "cannot connect {local} to itself: both ends would be the same socket (choose another --source-port)"
            )));
        }
        Ok(lease)
    }

    /// Makes the wire one between `local` and the target.
    fn aim<'w>(
        &self,
        wire: &'w mut Option<RawWire>,
        local: SocketAddr,
        signals: &Signals,
    ) -> Result<&'w mut RawWire, Failure> {
        let selection = Selection {
            kernels_interface: self.kernels_interface(local),
            ..raw::selection(local, self.remote, self.interface.index)
        };
        match wire {
            Some(wire) => {
                wire.turn_to(&selection)?;
                Ok(wire)
            }
            empty => {
                let bind_to_interface = self.args.interface.clone();
                let spec = RawSpec { selection, remote: self.remote, bind_to_interface };
                let wire = empty.insert(RawWire::open(&spec, self.clock)?);
                wire.wake_on(signals.descriptor()?);
                Ok(wire)
            }
        }
    }

    /// By which interface the kernel would answer, which knows nothing of `--interface`: another, perhaps.
    fn kernels_interface(&self, local: SocketAddr) -> Option<u32> {
        self.args.interface.as_ref()?;
        let route = route::lookup(self.remote.ip(), Some(local.ip()), None, None).ok()?;
        Some(route.interface).filter(|interface| *interface != self.interface.index)
    }

    /// A port that was asked for is guarded once for the whole run.
    const fn keeps_its_port(&self) -> bool {
        self.args.source_port.is_some()
    }

    /// Whether everything stands that needs privileges. Sockets are used again; a guard for another port may
    /// need them again.
    fn needs_no_more(&self, guard: &Guard, number: u32) -> bool {
        self.keeps_its_port() || number == self.args.pace.count || !guard.needs_privileges()
    }

    fn plan(&self, number: u32, local: SocketAddr) -> Plan {
        let ConnectArgs { segments, pace, .. } = self.args;
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
            timeout: pace.timeout,
            linger: pace.linger.map_or(Linger::Enough, |millis| Linger::For(Duration::from_millis(millis))),
            simulated: false,
        }
    }
}

/// What is opened once and used by each exchange of a run.
struct Equipment {
    wire: Option<RawWire>,
    test: SelfTest,
    /// The guard of the exchange before, if it covers the next one too.
    guard: Option<Guard>,
}

/// What ends a run of exchanges before its last.
enum End {
    Signal(Signal),
    Failure(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
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

/// Our end. A link-local address is one of its interface's: the remote's, where that names one, for the
/// route to an address of our own says loopback.
fn local_end(address: IpAddr, port: u16, remote: SocketAddr, interface: &Interface) -> SocketAddr {
    let named = match remote {
        SocketAddr::V6(remote) => Some(remote.scope_id()).filter(|scope| *scope != 0),
        SocketAddr::V4(_) => None,
    };
    match address {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, port, 0, named.unwrap_or(interface.index)).into()
        }
        IpAddr::V4(_) | IpAddr::V6(_) => SocketAddr::new(address, port),
    }
}

fn usable_interface(name: &str) -> Result<Interface, Failure> {
    let interface = Interface::by_name(name).map_err(|error| {
        let cause = cause(&error);
        Failure::not_possible(format_args!("cannot use interface '{name}': {cause} (see: ip link)"))
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
    interface: Option<&Interface>,
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
    interface: Option<&Interface>,
) -> Result<(SocketAddr, Route), Failure> {
    let address = scoped(target::unicast(address)?, interface)?;
    let ip = address.ip();
    if let Some(source) = source.filter(|source| source.is_ipv4() != ip.is_ipv4()) {
        return Err(Failure::usage(format_args!(
            "cannot reach {ip} from {source}: they are of two families"
        )));
    }
    let scope = match address {
        SocketAddr::V6(v6) => Some(v6.scope_id()).filter(|scope| *scope != 0),
        SocketAddr::V4(_) => None,
    };
    may_leave_by(ip, source, interface)?;
    let bound = interface.map(|interface| interface.index);
    let route = route::lookup(ip, source, bound.or(scope), Some(raw::MARK))?;
    if route.destination == Destination::Many {
        return Err(target::not_one_host(ip, "the broadcast address of a network"));
    }
    Ok((address, route))
}

/// Loopback reaches this machine and nothing else, and this machine is reached by nothing else.
fn may_leave_by(ip: IpAddr, source: Option<IpAddr>, interface: Option<&Interface>) -> Result<(), Failure> {
    if matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Ok(()); // whose it is depends on the interface, which `scoped` has settled
    }
    let by_loopback = interface.map(|interface| interface.index == LOOPBACK);
    match (route::is_own(ip), by_loopback) {
        (true, Some(false)) => Err(Failure::not_possible(format_args!(
            "{ip} is this machine, which is reached over lo (leave out --interface)"
        ))),
        (false, Some(true)) => Err(Failure::not_possible(format_args!(
            "{ip} is not this machine, and lo reaches nothing else (leave out --interface)"
        ))),
        (false, _) if source.is_some_and(|source| source.is_loopback()) => Err(Failure::not_possible(
            format_args!("{ip} is not this machine, and a loopback --source reaches nothing else"),
        )),
        _ => Ok(()),
    }
}

/// A link-local address with its interface: it means nothing without one, and cannot mean two.
fn scoped(address: SocketAddr, interface: Option<&Interface>) -> Result<SocketAddr, Failure> {
    let SocketAddr::V6(mut v6) = address else { return Ok(address) };
    if !v6.ip().is_unicast_link_local() {
        return Ok(address);
    }
    match (v6.scope_id(), interface) {
        (0, None) => Err(Failure::usage(format_args!(
            "{ip} is link-local: say by which interface (write [{ip}%IFACE]:PORT)",
            ip = v6.ip()
        ))),
        (0, Some(interface)) => {
            v6.set_scope_id(interface.index);
            Ok(v6.into())
        }
        (scope, Some(interface)) if scope != interface.index => Err(Failure::usage(format_args!(
            "{} is on another interface than {} (leave out --interface)",
            v6.ip(),
            interface.name
        ))),
        (..) => Ok(v6.into()),
    }
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
        offer: if args.segments.no_options { Offer::NOTHING } else { Offer::USUAL },
        retries: args.pace.retries,
        ..Parameters::default()
    }
}
