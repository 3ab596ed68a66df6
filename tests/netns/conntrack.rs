//! What connection tracking believes: a firewall that goes by it must not take the connection for ended.

use std::net::{IpAddr, SocketAddr};

use tcpshake::driver::Close;
use tcpshake::driver::observe::Observer;
use tcpshake::guard::{Choice, Kind};
use tcpshake::net::netlink::{Message, Netlink, attributes};
use tcpshake::record::{Ending, Opening, Outcome, Step, Summary};

use crate::Named;
use crate::near::{Near, Way};
use crate::run::sh;
use crate::thousand::{serve, talk};
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("conntrack_switched_on_by_nft_does_not_see_the_kernels_resets", || {
        let world = tracked_by_nft();
        never_closed(&world, Kind::Listener);
        never_closed(&world, Kind::Nft);
    }),
    ("conntrack_switched_on_by_iptables_does_not_see_the_kernels_resets", || {
        never_closed(&tracked_by_iptables(), Kind::Iptables);
    }),
    ("the_usual_rule_set_by_iptables_comes_after_conntrack", the_usual_rule_comes_after_conntrack),
];

/// TCP_CONNTRACK_CLOSE of linux/netfilter/nf_conntrack_tcp.h: ten seconds later the entry is gone.
const CLOSE: u8 = 8;

/// The kernel tracks connections as soon as a rule asks for it.
fn tracked_by_nft() -> World {
    let world = World::new();
    sh("nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }'");
    sh("nft add rule inet t o ct state new accept");
    world
}

fn tracked_by_iptables() -> World {
    let world = World::new();
    for program in ["iptables", "ip6tables"] {
        sh(&format!("{program} -A INPUT -m conntrack --ctstate NEW -j ACCEPT"));
    }
    world
}

fn never_closed(world: &World, kind: Kind) {
    for way in Way::ALL {
        let mut near = Near::new(way, way.server(world, close_after_client), Some(Choice::Only(kind)));
        let states = watch(&mut near);
        let lived = states.iter().all(|state| state.is_some_and(|state| state != CLOSE));
        assert!(lived && states.len() >= 7, "{kind} {way:?}: {states:?}");
        // The passive side: the client's kernel asks, and ours would answer.
        let mut near = Near::new(way, (way.far, 0).into(), Some(Choice::Only(kind)));
        let local = near.guard.local();
        let client = way.at_far(world, move || Ok(std::thread::spawn(move || talk(local))));
        let mut states = Vec::new();
        serve(&mut near, way, None, &mut |client| states.push(state(client, local)));
        client.join().unwrap();
        let lived = states.iter().all(|state| state.is_some_and(|state| state != CLOSE));
        assert!(lived && states.len() >= 4, "{kind} {way:?}, passive: {states:?}");
    }
}

/// The rule that others tell people to set drops the RST, but conntrack comes before the filter table.
fn the_usual_rule_comes_after_conntrack() {
    let world = tracked_by_iptables();
    for (way, program) in [(Way::CABLE_V4, "iptables"), (Way::CABLE_V6, "ip6tables")] {
        sh(&format!("{program} -A OUTPUT -p tcp --tcp-flags RST RST -j DROP"));
        let states = watch(&mut Near::new(way, way.server(&world, close_after_client), None));
        assert!(states.contains(&Some(CLOSE)), "{way:?}: {states:?}");
    }
}

/// What conntrack says of the flow at each step of a whole exchange, and after it.
#[track_caller]
fn watch(near: &mut Near) -> Vec<Option<u8>> {
    let mut watch = Watch { flow: None, states: Vec::new() };
    let summary = near.exchange(Close::Active, &mut watch);
    assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed));
    watch.states
}

struct Watch {
    flow: Option<(SocketAddr, SocketAddr)>,
    states: Vec<Option<u8>>,
}

impl Watch {
    fn look(&mut self) {
        let (local, remote) = self.flow.expect("it has begun");
        self.states.push(state(local, remote));
    }
}

impl Observer for Watch {
    fn begin(&mut self, opening: &Opening) {
        self.flow = Some((opening.local, opening.remote));
    }

    fn step(&mut self, _step: &Step) {
        self.look();
    }

    fn end(&mut self, _summary: &Summary) {
        self.look();
    }
}

/// The state that conntrack has for a flow; `None` if it knows of none.
fn state(local: SocketAddr, remote: SocketAddr) -> Option<u8> {
    const IPCTNL_MSG_CT_GET: u16 = 1;
    const GENERIC_HEADER: usize = 4; // struct nfgenmsg
    let kind = (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8 | IPCTNL_MSG_CT_GET;
    let request = Message::new(kind, libc::NLM_F_DUMP, &[0; GENERIC_HEADER]);
    let entries = Netlink::open(libc::NETLINK_NETFILTER).unwrap().request(request).unwrap();
    let state = |entry: &Vec<u8>| {
        let entry = &entry[GENERIC_HEADER..];
        let ours = source(entry)? == octets(local) && within(entry, REMOTE_PORT)? == port(remote);
        ours.then(|| within(entry, TCP_STATE)?.first().copied())?
    };
    entries.iter().find_map(state)
}

/// Ways through the nested attributes of linux/netfilter/nfnetlink_conntrack.h.
const LOCAL_V4: &[u16] = &[1, 1, 1]; // CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_IP_V4_SRC
const LOCAL_V6: &[u16] = &[1, 1, 3]; // CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_IP_V6_SRC
const LOCAL_PORT: &[u16] = &[1, 2, 2]; // CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT
const REMOTE_PORT: &[u16] = &[1, 2, 3]; // CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT
const TCP_STATE: &[u16] = &[4, 1, 1]; // CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE

fn within<'e>(entry: &'e [u8], way: &[u16]) -> Option<&'e [u8]> {
    way.iter().try_fold(entry, |inside, wanted| {
        attributes(inside).find(|(kind, _)| kind == wanted).map(|(_, value)| value)
    })
}

fn source(entry: &[u8]) -> Option<Vec<u8>> {
    let address = within(entry, LOCAL_V4).or_else(|| within(entry, LOCAL_V6))?;
    Some([address, within(entry, LOCAL_PORT)?].concat())
}

fn port(end: SocketAddr) -> [u8; 2] {
    end.port().to_be_bytes()
}

fn octets(end: SocketAddr) -> Vec<u8> {
    let address = match end.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    [&address[..], &port(end)].concat()
}
