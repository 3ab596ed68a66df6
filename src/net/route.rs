//! Which way a packet would go: asked of the kernel, which decides it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::interfaces::Interface;
use super::netlink::{Message, Netlink, as_u32, attributes};

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index of the interface the packet leaves by.
    pub interface: u32,
    /// The source address the kernel would choose.
    pub source: Option<IpAddr>,
    /// The route's own MTU, if it has one below its interface's.
    pub mtu: Option<u32>,
    /// What kind of destination it is.
    pub destination: Destination,
}

/// Kinds of destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One host elsewhere.
    Unicast,
    /// This machine.
    Local,
    /// All hosts of a network, or a group of hosts: TCP cannot speak to them (MUST-46).
    Many,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// Nothing in the routing table.
    #[error("no route to {0} (look at: ip route get {0})")]
    NoRoute(IpAddr),
    /// A route that says so.
    #[error("the route to {0} is a blackhole, unreachable or prohibit route (look at: ip route get {0})")]
    Refused(IpAddr),
    /// The kernel did not answer.
    #[error("cannot ask the kernel for the route to {destination}: {} (look at: ip route get {destination})", crate::cause::cause(.error))]
    Netlink {
        /// Where to.
        destination: IpAddr,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

/// Asks for the route to `destination`, from `source`, by `interface` and for packets that carry `mark`, as
/// far as these are given.
pub fn lookup(
    destination: IpAddr,
    source: Option<IpAddr>,
    interface: Option<u32>,
    mark: Option<u32>,
) -> Result<Route, RouteError> {
    let answers = Netlink::route()
        .and_then(|mut netlink| netlink.request(request(destination, source, interface, mark)))
        .map_err(|error| explain(destination, error))?;
    let malformed = || RouteError::Netlink { destination, error: io::ErrorKind::InvalidData.into() };
    answers.first().and_then(|answer| parse(answer)).ok_or_else(malformed)
}

impl Route {
    /// Octets of the longest packet that this route takes by `interface`.
    pub fn mtu_by(&self, interface: &Interface) -> u32 {
        const LONGEST_PACKET: u32 = 65_535; // loopback takes one octet more than a header can say
        self.mtu.unwrap_or(interface.mtu).min(interface.mtu).min(LONGEST_PACKET)
    }
}

/// Whether an address is one of this machine's: any of 127.0.0.0/8 is.
pub fn is_own(address: IpAddr) -> bool {
    let local =
        || lookup(address, None, None, None).is_ok_and(|route| route.destination == Destination::Local);
    !address.is_unspecified() && local()
}

fn explain(destination: IpAddr, error: io::Error) -> RouteError {
    match error.raw_os_error() {
        Some(libc::ENETUNREACH | libc::ESRCH) => RouteError::NoRoute(destination),
        // The kernel's answers for unreachable, prohibit and blackhole routes, in this order.
        Some(libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL) => RouteError::Refused(destination),
        _ => RouteError::Netlink { destination, error },
    }
}

fn request(
    destination: IpAddr,
    source: Option<IpAddr>,
    interface: Option<u32>,
    mark: Option<u32>,
) -> Message {
    let family = if destination.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let prefix = |address: Option<IpAddr>| match address {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => 0,
    };
    let header = [family as u8, prefix(Some(destination)), prefix(source), 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut message = Message::new(libc::RTM_GETROUTE, 0, &header);
    for (kind, address) in [(libc::RTA_DST, Some(destination)), (libc::RTA_SRC, source)] {
        message = match address {
            Some(IpAddr::V4(address)) => message.attribute(kind, &address.octets()),
            Some(IpAddr::V6(address)) => message.attribute(kind, &address.octets()),
            None => message,
        };
    }
    for (kind, number) in [(libc::RTA_OIF, interface), (libc::RTA_MARK, mark)] {
        message = match number {
            Some(number) => message.attribute(kind, &number.to_ne_bytes()),
            None => message,
        };
    }
    message
}

/// `RTAX_MTU` of linux/rtnetlink.h, which libc does not carry.
const METRIC_MTU: u16 = 2;

fn parse(answer: &[u8]) -> Option<Route> {
    let (header, rest) = answer.split_first_chunk::<12>()?;
    let mut route = Route {
        interface: 0,
        source: None,
        mtu: None,
        destination: match header[7] {
            libc::RTN_LOCAL => Destination::Local,
            libc::RTN_BROADCAST | libc::RTN_MULTICAST => Destination::Many,
            _ => Destination::Unicast,
        },
    };
    for (kind, value) in attributes(rest) {
        match kind {
            libc::RTA_OIF => route.interface = as_u32(value)?,
            libc::RTA_PREFSRC => route.source = address(value),
            libc::RTA_METRICS => {
                route.mtu = attributes(value)
                    .find(|(metric, _)| *metric == METRIC_MTU)
                    .and_then(|(_, mtu)| as_u32(mtu));
            }
            _ => {}
        }
    }
    Some(route)
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}
