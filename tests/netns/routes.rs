//! What the kernel says of ways and neighbours: a thousand routes asked for at once, gateways, hardware
//! addresses, kinds of interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};

use tcpshake::lab::{self, FAR_V4, FAR_V6, Lab, NEAR_V4, NEAR_V6};
use tcpshake::net::interfaces::{Interface, LOOPBACK};
use tcpshake::net::neighbours::hardware_address;
use tcpshake::net::netlink::{Message, Netlink};
use tcpshake::net::route::{Destination, Route, RouteError, is_own, lookup};
use tcpshake::net::router::Router;

use crate::Named;
use crate::near::Way;
use crate::world::{
    self, World, alone, change_link, close_after_client, near_route, near_route_by, near_route_via,
};

pub(crate) const TESTS: &[Named] = &[
    ("routes_of_a_thousand_destinations_are_those_of_single_lookups", a_thousand_routes),
    ("routes_know_their_gateways", gateways),
    ("routes_asked_for_in_vain_are_errors_of_their_own_each", errors_among_routes),
    ("routes_by_mark_are_asked_for_by_mark", marked),
    ("routes_need_a_router_of_their_own_namespace", namespaces),
    ("routes_to_an_address_of_the_labs_stand_at_once", to_an_address_of_the_labs),
    ("neighbours_are_known_once_they_were_spoken_to", neighbours),
    ("neighbours_without_a_usable_address_are_unknown", unusable_neighbours),
    ("interfaces_tell_whether_they_are_ethernet", kinds_of_interfaces),
];

/// One host of each of these networks of the near host's.
fn destinations(host: u8) -> Vec<(Kind, IpAddr)> {
    let v6 = |net, interface_id: u16| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, interface_id).into();
    let low = u16::from(host);
    vec![
        (Kind::OnLink, [10, 99, 0, 3 + host % 200].into()),
        (Kind::OnLink, Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 1, low).into()),
        (Kind::OnLink, [198, 18, 0, host].into()),
        (Kind::Via(FAR_V4.into()), [192, 0, 2, host].into()),
        (Kind::Via(FAR_V6.into()), v6(1, low)),
        (Kind::Via(FAR_V6.into()), [198, 51, 100, host].into()),
        (Kind::Refused, [203, 0, 113, host].into()),
        (Kind::Refused, [198, 19, 1, host].into()),
        (Kind::Refused, [198, 19, 2, host].into()),
        (Kind::Refused, v6(2, low)),
        (Kind::Refused, v6(3, low)),
        (Kind::Refused, v6(4, low)),
        (Kind::NoRoute, [100, 64, 0, host].into()),
        (Kind::NoRoute, v6(9, low)),
        (Kind::Own, [127, 1, 0, host].into()),
        (Kind::Own, NEAR_V4.into()),
        (Kind::Own, NEAR_V6.into()),
        (Kind::Own, Ipv6Addr::LOCALHOST.into()),
        (Kind::Many, [10, 99, 0, 255].into()),
        (Kind::Many, [224, 0, 0, 1].into()),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OnLink,
    Via(IpAddr),
    Refused,
    NoRoute,
    Own,
    Many,
}

impl Kind {
    fn of(destination: IpAddr, route: &Result<Route, RouteError>) -> Self {
        let route = match route {
            Err(RouteError::Refused(of)) if *of == destination => return Self::Refused,
            Err(RouteError::NoRoute(of)) if *of == destination => return Self::NoRoute,
            Err(error) => panic!("{destination}: {error}"),
            Ok(route) => route,
        };
        let next_hop = route.next_hop(destination);
        match route.destination {
            Destination::Local => Self::Own,
            Destination::Many => Self::Many,
            Destination::Unicast if next_hop == destination => Self::OnLink,
            Destination::Unicast => Self::Via(next_hop),
        }
    }
}

fn world_of_many_routes() -> World {
    let world = World::new();
    let link = Interface::by_name(lab::LINK).unwrap().index;
    let v6 = |net| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, 0).into();
    near_route_by([198, 18, 0, 0].into(), 16, link);
    near_route_by([224, 0, 0, 0].into(), 4, link);
    near_route_via([192, 0, 2, 0].into(), 24, FAR_V4.into());
    near_route_via(v6(1), 48, FAR_V6.into());
    near_route_via([198, 51, 100, 0].into(), 24, FAR_V6.into());
    near_route(world::Route::Blackhole, [203, 0, 113, 0].into(), 24);
    near_route(world::Route::Unreachable, [198, 19, 1, 0].into(), 24);
    near_route(world::Route::Prohibit, [198, 19, 2, 0].into(), 24);
    near_route(world::Route::Blackhole, v6(2), 48);
    near_route(world::Route::Unreachable, v6(3), 48);
    near_route(world::Route::Prohibit, v6(4), 48);
    world
}

/// Errors of the system compare by what they say.
fn said(routes: &[Result<Route, RouteError>]) -> Vec<String> {
    routes.iter().map(|route| format!("{route:?}")).collect()
}

fn a_thousand_routes() {
    let _world = world_of_many_routes();
    let (kinds, all): (Vec<Kind>, Vec<IpAddr>) = (1..=50).flat_map(destinations).unzip();
    assert_eq!(all.len(), 1000);
    let link = Interface::by_name(lab::LINK).unwrap().index;
    let mut router = Router::open().unwrap();
    let ways = [
        (None, None),
        (Some(IpAddr::from(NEAR_V4)), None),
        (Some(NEAR_V6.into()), None),
        (None, Some(link)),
        (None, Some(LOOPBACK)),
    ];
    for (source, interface) in ways {
        let routes = router.lookup(&all, source, interface, None).unwrap();
        let single: Vec<_> = all.iter().map(|to| lookup(*to, source, interface, None)).collect();
        assert_eq!(said(&routes), said(&single), "from {source:?} by {interface:?}");
        if (source, interface) == (None, None) {
            let found: Vec<Kind> = all.iter().zip(&routes).map(|(to, route)| Kind::of(*to, route)).collect();
            assert_eq!(found, kinds);
        }
    }
    assert!(router.lookup(&[], None, None, None).unwrap().is_empty());
}

fn gateways() {
    let _world = world_of_many_routes();
    for (kind, to) in destinations(7) {
        let gateway = if let Kind::Via(gateway) = kind { Some(gateway) } else { None };
        assert_eq!(lookup(to, None, None, None).ok().and_then(|route| route.gateway), gateway, "{to}");
    }
}

/// The only one in its batch, the first and the last of theirs.
fn errors_among_routes() {
    let _world = world_of_many_routes();
    let (dark, lost) = (IpAddr::from([203, 0, 113, 1]), IpAddr::from([100, 64, 0, 1]));
    let near = IpAddr::from(FAR_V4);
    let mut router = Router::open().unwrap();
    for len in [1, 2, 31, 32, 33, 64, 65] {
        let mut all = vec![near; len];
        (all[0], all[len - 1]) = (dark, lost);
        let routes = router.lookup(&all, None, None, None).unwrap();
        assert_eq!(routes.len(), len);
        let wrong = routes.iter().filter(|route| route.is_err()).count();
        assert_eq!(wrong, len.min(2), "{len}");
        assert_eq!(Kind::of(lost, &routes[len - 1]), Kind::NoRoute, "{len}");
        assert!(len == 1 || Kind::of(dark, &routes[0]) == Kind::Refused, "{len}");
    }
}

fn marked() {
    const MARK: u32 = 7;
    const FRA_FWMARK: u16 = 10; // of linux/fib_rules.h, which libc does not carry
    const FR_ACT_PROHIBIT: u8 = 8;
    let _world = World::new();
    let rule = [libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, FR_ACT_PROHIBIT, 0, 0, 0, 0]; // struct fib_rule_hdr
    let rule = Message::new(libc::RTM_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &rule)
        .attribute(FRA_FWMARK, &MARK.to_ne_bytes());
    Netlink::route().unwrap().request(rule).unwrap();
    let mut router = Router::open().unwrap();
    let mut kind = |mark| {
        let to = IpAddr::from(FAR_V4);
        Kind::of(to, &router.lookup(&[to], None, None, mark).unwrap()[0])
    };
    assert_eq!([kind(None), kind(Some(MARK))], [Kind::OnLink, Kind::Refused]);
}

/// A router asks for the namespace that it was opened in, whoever holds it.
fn namespaces() {
    let world = World::new();
    let mut router = world.lab.far.run(Router::open).unwrap();
    let both = [IpAddr::from(NEAR_V4), FAR_V4.into()];
    let routes = router.lookup(&both, None, None, None).unwrap();
    let kinds: Vec<Kind> = both.iter().zip(&routes).map(|(to, route)| Kind::of(*to, route)).collect();
    assert_eq!(kinds, [Kind::OnLink, Kind::Own]);
}

/// Many times, for the kernel's worker that makes them is but seldom late.
fn to_an_address_of_the_labs() {
    for _ in 0..40 {
        let build = || {
            lab::unshare_network().unwrap();
            let lab = Lab::build().unwrap();
            assert!(is_own(NEAR_V4.into()) && is_own(NEAR_V6.into()));
            assert!(lab.far.run(|| Ok(is_own(FAR_V6.into()))).unwrap());
        };
        std::thread::spawn(build).join().unwrap();
    }
}

fn neighbours() {
    const FAR: [u8; 6] = [2, 0, 0, 0xfa, 0, 1];
    let world = World::new();
    let named = || {
        change_link(libc::IFLA_ADDRESS, &FAR);
        Ok(())
    };
    world.lab.far.run(named).unwrap();
    let link = Interface::by_name(lab::LINK).unwrap().index;
    let mut router = Router::open().unwrap();
    for way in [Way::CABLE_V4, Way::CABLE_V6] {
        let server = way.server(&world, close_after_client);
        assert_eq!(hardware_address(way.far, link), None, "before");
        assert_eq!(router.hardware_address(way.far, link), None, "before");
        drop(TcpStream::connect(server).unwrap());
        assert_eq!(hardware_address(way.far, link), Some(FAR), "after");
        assert_eq!(router.hardware_address(way.far, link), Some(FAR), "after");
        assert_eq!(hardware_address(way.far, LOOPBACK), None, "not by this interface");
        assert_eq!(hardware_address(way.near, link), None, "ourselves");
        // The same socket still knows which answers are to which question.
        let route = router.lookup(&[way.far], None, None, None).unwrap().remove(0);
        assert_eq!(Kind::of(way.far, &route), Kind::OnLink);
    }
}

/// The kernel is still asking, has given up, or was told that there is nothing to ask for.
fn unusable_neighbours() {
    const ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 9];
    let _world = World::new();
    let link = Interface::by_name(lab::LINK).unwrap().index;
    let nobody = Ipv4Addr::new(10, 99, 0, 77);
    UdpSocket::bind((NEAR_V4, 0)).unwrap().send_to(b"?", (nobody, 9)).unwrap();
    assert_eq!(hardware_address(nobody.into(), link), None, "nobody has answered");
    let states = [
        (libc::NUD_PERMANENT, Some(ADDRESS)),
        (libc::NUD_NOARP, None),
        (libc::NUD_STALE, Some(ADDRESS)),
        (libc::NUD_FAILED, None),
    ];
    for (state, known) in states {
        let [low, high] = state.to_ne_bytes();
        let mut header = [libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0, low, high, 0, 0]; // struct ndmsg
        header[4..8].copy_from_slice(&link.to_ne_bytes());
        let request = Message::new(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, &header)
            .address(libc::NDA_DST, nobody.into())
            .attribute(libc::NDA_LLADDR, &ADDRESS);
        Netlink::route().unwrap().request(request).unwrap();
        assert_eq!(hardware_address(nobody.into(), link), known, "{state:#x}");
    }
}

fn kinds_of_interfaces() {
    alone();
    assert!(!Interface::by_index(LOOPBACK).unwrap().is_ethernet());
    let _world = World::new();
    assert!(Interface::by_name(lab::LINK).unwrap().is_ethernet());
    let all = Interface::all().unwrap();
    let ethernet: Vec<&str> = all.iter().filter(|one| one.is_ethernet()).map(|one| &*one.name).collect();
    assert_eq!(ethernet, [lab::LINK]);
    assert!(all.iter().any(|one| one.index == LOOPBACK && !one.is_ethernet()));
}
