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
    /// The source address the kernel would choose (MUST-44).
    pub source: Option<IpAddr>,
    /// The router that takes the packet on, unless the destination itself is on the link. That of an IPv4 route
    /// can have an IPv6 address.
    pub gateway: Option<IpAddr>,
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
    let question = request(destination, source, interface, mark);
    answered(destination, Netlink::route().and_then(|mut netlink| netlink.request(question)))
}

/// What the kernel's answers to one question say, of which there is one.
pub(super) fn answered(destination: IpAddr, answers: io::Result<Vec<Vec<u8>>>) -> Result<Route, RouteError> {
    match answers {
        Ok(answers) => read(destination, Ok(answers.first().map(Vec::as_slice).unwrap_or_default())),
        Err(error) => read(destination, Err(error)),
    }
}

impl Route {
    /// Whom to hand a packet for `destination` to: the gateway, or the destination itself.
    pub fn next_hop(&self, destination: IpAddr) -> IpAddr {
        self.gateway.unwrap_or(destination)
    }

    /// Octets of the longest packet that this route takes by `interface`: the smaller of their two MTUs (SHLD-6).
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

/// The question that the kernel answers with a route, or refuses.
pub(super) fn request(
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
            Some(address) => message.address(kind, address),
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
/// Octets of the family in `struct rtvia`; the address behind them tells it, too.
const VIA_FAMILY: usize = 2;

/// What the kernel's answer for `destination`, or its refusal, says.
pub(super) fn read(destination: IpAddr, answer: io::Result<&[u8]>) -> Result<Route, RouteError> {
    let answer = answer.map_err(|error| explain(destination, error))?;
    let malformed = || RouteError::Netlink { destination, error: io::ErrorKind::InvalidData.into() };
    parse(answer).ok_or_else(malformed)
}

fn parse(answer: &[u8]) -> Option<Route> {
    let (header, rest) = answer.split_first_chunk::<12>()?;
    let mut route = Route {
        interface: 0,
        source: None,
        gateway: None,
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
            libc::RTA_GATEWAY => route.gateway = address(value),
            libc::RTA_VIA => route.gateway = value.get(VIA_FAMILY..).and_then(address),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as the kernel writes it: `struct rtmsg`, then attributes, padded to four octets each.
    fn answer(attributes: &[&[u8]]) -> Vec<u8> {
        let header = [libc::AF_INET as u8, 32, 0, 0, 254, 0, 0, libc::RTN_UNICAST, 0, 0, 0, 0];
        [&header, &*attributes.concat()].concat()
    }

    const OUT_BY_7: [u8; 8] = [8, 0, 4, 0, 7, 0, 0, 0];

    #[test]
    fn a_gateway_is_the_next_hop_and_without_one_the_destination() {
        let destination = IpAddr::from([192, 0, 2, 9]);
        let by_gateway = parse(&answer(&[&OUT_BY_7, &[8, 0, 5, 0, 10, 0, 0, 1]])).unwrap();
        assert_eq!((by_gateway.interface, by_gateway.gateway), (7, Some([10, 0, 0, 1].into())));
        assert_eq!(by_gateway.next_hop(destination), IpAddr::from([10, 0, 0, 1]));
        let on_link = parse(&answer(&[&OUT_BY_7])).unwrap();
        assert_eq!((on_link.gateway, on_link.next_hop(destination)), (None, destination));
    }

    #[test]
    fn an_ipv4_route_can_have_an_ipv6_gateway() {
        let gateway: Ipv6Addr = "fe80::1:2".parse().unwrap();
        let via = [&[22, 0, 18, 0, libc::AF_INET6 as u8, 0][..], &gateway.octets(), &[0, 0]].concat();
        let route = parse(&answer(&[&via, &OUT_BY_7])).unwrap();
        assert_eq!((route.interface, route.gateway), (7, Some(gateway.into())));
    }

    /// SHLD-6: the smaller MTU, of the route or of its interface, is what our MSS follows from.
    #[test]
    fn shld_6_the_smaller_mtu_counts() {
        let of_route = |mtu| Route { mtu, ..parse(&answer(&[&OUT_BY_7])).unwrap() };
        let interface = Interface { index: 7, name: "eth0".to_owned(), mtu: 1500, up: true, link_type: 1 };
        for (mtu, octets) in [(None, 1500), (Some(1400), 1400), (Some(9000), 1500)] {
            assert_eq!(of_route(mtu).mtu_by(&interface), octets, "{mtu:?}");
        }
    }

    #[test]
    fn a_gateway_of_no_known_length_is_none() {
        for odd in [&[6, 0, 18, 0, 10, 0, 0, 0][..], &[5, 0, 18, 0, 10, 0, 0, 0], &[6, 0, 5, 0, 1, 2, 0, 0]] {
            assert_eq!(parse(&answer(&[odd, &OUT_BY_7])).unwrap().gateway, None);
        }
        assert!(read([10, 0, 0, 1].into(), Ok(&[0; 11])).is_err(), "a cut header");
    }
}
