//! The way to a target: its address, the route, our end of it, and what an exchange on it needs of this machine.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::args::PathArgs;
use super::error::Failure;
use super::signals::Signals;
use super::target::{self, Target};
use crate::cause::cause;
use crate::guard::{Guard, LeaseError, PortLease, SelfTest};
use crate::net::interfaces::{Interface, LOOPBACK};
use crate::net::names::{self, Family};
use crate::net::route::{self, Destination, Route};
use crate::record::Among;
use crate::time::Clock;
use crate::wire::filter::Selection;
use crate::wire::raw::{self, RawSpec, RawWire};

/// From one end to the other: the same for each exchange of a run.
pub(super) struct Path<'a> {
    args: &'a PathArgs,
    pub(super) remote: SocketAddr,
    pub(super) host: Option<String>,
    /// Which of that name's addresses it is, if there are several.
    pub(super) among: Option<Among>,
    /// Our address, and the port if one was chosen.
    local: SocketAddr,
    interface: Interface,
    /// Octets of the longest packet.
    pub(super) mtu: u32,
    pub(super) clock: Clock,
}

/// What is opened once and used by each exchange of a run.
pub(super) struct Equipment {
    wire: Option<RawWire>,
    test: SelfTest,
    /// The guard of the exchange before, if it covers the next one too.
    guard: Option<Guard>,
}

impl<'a> Path<'a> {
    /// The path to the first address of the target's that has a route.
    pub(super) fn find(args: &'a PathArgs) -> Result<Self, Failure> {
        Self::find_some(args, 1)?.pop().ok_or_else(|| Failure::usage("the host has no address"))
    }

    /// The paths to all addresses that have a route, in the resolver's order; without any, the first one's error.
    pub(super) fn find_all(args: &'a PathArgs) -> Result<Vec<Self>, Failure> {
        Self::find_some(args, usize::MAX)
    }

    fn find_some(args: &'a PathArgs, most: usize) -> Result<Vec<Self>, Failure> {
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
        let reached = addresses.iter().map(|address| reachable(*address, source, bound.as_ref()));
        let of = addresses.len() as u32;
        let (mut paths, mut first_failure) = (Vec::new(), None);
        for (number, reached) in (1..).zip(reached) {
            match reached {
                Ok((remote, route)) => paths.push(Self {
                    host: target.name(),
                    among: (of > 1).then_some(Among { number, of }),
                    ..Self::to(remote, &route, source, args)?
                }),
                Err(failure) => first_failure = first_failure.or(Some(failure)),
            }
            if paths.len() == most {
                break;
            }
        }
        first_failure.filter(|_| paths.is_empty()).map_or(Ok(paths), Err)
    }

    /// From the address the user names (MUST-43), or else the one the kernel would choose (MUST-44); it stays the
    /// connection's until its end (MUST-45).
    fn to(
        remote: SocketAddr,
        route: &Route,
        source: Option<IpAddr>,
        args: &'a PathArgs,
    ) -> Result<Self, Failure> {
        let interface = Interface::by_index(route.interface)
            .map_err(|error| Failure::cannot(format_args!("look up the interface to {remote}"), &error))?;
        let address = source.or(route.source).ok_or_else(|| {
            Failure::not_possible(format_args!(
                "{name} has no address to send from (give it one: ip address add ADDRESS dev {name})",
                name = interface.name
            ))
        })?;
        Ok(Self {
            mtu: route.mtu_by(&interface),
            local: local_end(address, args.source_port.unwrap_or(0), remote, &interface),
            host: None,
            among: None,
            clock: Clock::new(),
            args,
            remote,
            interface,
        })
    }

    /// Nothing is open yet.
    pub(super) fn equipment(&self) -> Equipment {
        Equipment { wire: None, test: SelfTest::new(self.clock), guard: None }
    }

    /// Opens all that takes privileges, for an exchange later.
    pub(super) fn equip_early(&self, equipment: &mut Equipment, signals: &Signals) -> Result<(), Failure> {
        let (guard, _) = self.equip(equipment, signals)?;
        equipment.guard = Some(guard);
        Ok(())
    }

    /// A port of ours that the kernel is kept from, and the wire turned to it. The wire before the guard: its
    /// time stamps take a moment to be switched on, and nothing is sent.
    pub(super) fn equip<'e>(
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

    /// Whether all stands that needs privileges, for this exchange and those after it: sockets are used again, and so
    /// is the guard of a port that was asked for; one for another port may need them again.
    pub(super) fn needs_no_more(&self, guard: &Guard) -> bool {
        self.keeps_its_port() || !guard.needs_privileges()
    }

    /// After an exchange: a port that was asked for is guarded once for the whole run.
    pub(super) fn hand_back(&self, equipment: &mut Equipment, guard: Guard) {
        equipment.guard = Some(guard).filter(|_| self.keeps_its_port());
    }

    /// Whether every exchange of the run is from the same port.
    pub(super) const fn keeps_its_port(&self) -> bool {
        self.args.source_port.is_some()
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
