//! Peers and networks that say no, or nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcpshake::lab::{FAR_V4, LINK, NEAR_V4};

use crate::Named;
use crate::capture::assert_told_as_captured;
use crate::run::{connect, sh, text};
use crate::world::{Route, World, close_with_client, keep_open, near_route_via};

pub(crate) const TESTS: &[Named] = &[
    ("c04_refused_ipv4", c04_refused_ipv4),
    ("refused_ipv6", refused_ipv6),
    ("b02_silent", b02_silent),
    ("b01_lost_syns_are_sent_again", b01_lost_syns_are_sent_again),
    ("n03_administratively_prohibited_ipv4", n03_administratively_prohibited_ipv4),
    ("n10_administratively_prohibited_ipv6", n10_administratively_prohibited_ipv6),
    ("n01_host_unreachable_is_named_at_the_end", n01_host_unreachable_is_named_at_the_end),
    ("a_dead_neighbour_is_unreachable", a_dead_neighbour_is_unreachable),
    ("h05_the_peer_keeps_its_side_open", h05_the_peer_keeps_its_side_open),
    ("passive_close_of_a_peer_that_never_closes", passive_close_of_a_peer_that_never_closes),
    ("o01_dropped_by_nft_on_the_far_side", o01_dropped_by_nft_on_the_far_side),
    ("n03_rejected_by_nft_on_the_far_side", n03_rejected_by_nft_on_the_far_side),
];

/// A network behind the far host, which routes to it, or says why not.
pub(crate) const BEHIND_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 1);
pub(crate) const BEHIND_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 1, 0, 0, 0, 1);
/// An address of the cable's network that nobody has.
const NOBODY: &str = "10.99.0.77:80";

/// MUST-12: refused and closed are told apart.
fn c04_refused_ipv4() {
    let world = World::new();
    let run = connect(&["10.99.0.2:9"]);
    run.assert_ended(3, "refused");
    assert_eq!(run.flags(), ["> SYN", "< RST,ACK"]);
    assert_eq!(run.states(), ["SYN-SENT", "CLOSED"]);
    assert_eq!(run.end()["held_back"], 0, "nobody answers a RST");
    assert_told_as_captured(&run, &world.capture.segments());
}

fn refused_ipv6() {
    let world = World::new();
    let run = connect(&["[fd99::2]:9"]);
    run.assert_ended(3, "refused");
    assert_told_as_captured(&run, &world.capture.segments());
}

/// The far host drops what comes from us without a word: the route back is a blackhole.
pub(crate) fn world_where_nothing_comes_back() -> World {
    let world = World::new();
    world.far_route(Route::Blackhole, IpAddr::V4(NEAR_V4), 32);
    world
}

/// B-02: silence is neither refusal nor success.
fn b02_silent() {
    let world = world_where_nothing_comes_back();
    let run = connect(&["10.99.0.2:9", "--timeout", "0.3"]);
    run.assert_ended(4, "silent");
    assert_eq!(run.flags(), ["> SYN"]);
    assert_eq!(run.states(), ["SYN-SENT", "CLOSED"]);
    assert_eq!(run.end()["state"], serde_json::Value::Null);
    assert_told_as_captured(&run, &world.capture.segments());
}

/// B-01, MUST-20, MUST-22: the same SYN again after a second, and given up after the last.
fn b01_lost_syns_are_sent_again() {
    let world = world_where_nothing_comes_back();
    let run = connect(&["10.99.0.2:9", "--retries", "1", "--timeout", "20"]);
    run.assert_ended(4, "silent");
    assert_eq!(run.flags(), ["> SYN", "> SYN"]);
    let steps: Vec<_> = run.steps().collect();
    assert_eq!((&steps[0]["seq"], &steps[0]["options"]), (&steps[1]["seq"], &steps[1]["options"]));
    let waited = steps[1]["at_us"].as_u64().unwrap() - steps[0]["at_us"].as_u64().unwrap();
    assert!((1_000_000..1_500_000).contains(&waited), "RFC 6298 2.1: one second, not {waited} us");
    assert_eq!((&steps[1]["retransmission"], &run.end()["retransmissions"]), (&1.into(), &1.into()));
    assert_told_as_captured(&run, &world.capture.segments());
}

/// The far host is a router whose route to the target is a prohibit route: it says so by ICMP.
pub(crate) fn routed_to(kind: Route, behind: IpAddr) -> World {
    let world = World::new();
    world.far_sysctl("ipv4/ip_forward", "1");
    world.far_sysctl("ipv6/conf/all/forwarding", "1");
    let (gateway, bits): (IpAddr, u8) = match behind {
        IpAddr::V4(_) => (FAR_V4.into(), 32),
        IpAddr::V6(_) => (tcpshake::lab::FAR_V6.into(), 128),
    };
    near_route_via(behind, bits, gateway);
    world.far_route(kind, behind, bits);
    world
}

fn n03_administratively_prohibited_ipv4() {
    let world = routed_to(Route::Prohibit, BEHIND_V4.into());
    let run = connect(&[&format!("{BEHIND_V4}:80")]);
    run.assert_ended(5, "unreachable");
    let icmp = &run.end()["icmp"];
    assert_eq!((&icmp["type"], &icmp["code"], &icmp["from"]), (&3.into(), &13.into(), &"10.99.0.2".into()));
    assert!(run.end()["verdict"].as_str().unwrap().contains("administratively prohibited, from 10.99.0.2"));
    assert_eq!(run.flags(), ["> SYN"]);
    let (captured, icmp) = world.capture.segments_and_icmp();
    assert_told_as_captured(&run, &captured);
    assert_eq!(icmp, [(3, 13)]);
}

fn n10_administratively_prohibited_ipv6() {
    let world = routed_to(Route::Prohibit, BEHIND_V6.into());
    let run = connect(&[&format!("[{BEHIND_V6}]:80")]);
    run.assert_ended(5, "unreachable");
    let icmp = &run.end()["icmp"];
    assert_eq!((&icmp["type"], &icmp["code"], &icmp["from"]), (&1.into(), &1.into(), &"fd99::2".into()));
    let (captured, icmp) = world.capture.segments_and_icmp();
    assert_told_as_captured(&run, &captured);
    assert!(icmp.contains(&(1, 1)), "{icmp:?}"); // beside neighbour discovery, which is no error
}

/// N-01, MUST-47, MUST-56, SHLD-25: a soft error is told, does not end the attempt, and explains the silence. Who wants
/// to hear of nothing but the end says so (SHLD-20).
fn n01_host_unreachable_is_named_at_the_end() {
    let _world = routed_to(Route::Unreachable, BEHIND_V4.into());
    let run = connect(&[&format!("{BEHIND_V4}:80"), "--timeout", "1.5"]);
    run.assert_ended(5, "unreachable");
    assert_eq!(run.flags(), ["> SYN", "> SYN"], "tried again all the same");
    let first = run.steps().find(|step| step["event"] == "icmp").unwrap();
    assert_eq!((&first["icmp"]["code"], &first["icmp"]["effect"]), (&1.into(), &"noted".into()));
    let quiet = connect(&[&format!("{BEHIND_V4}:80"), "--timeout", "1.5", "--quiet"]);
    quiet.assert_ended(5, "unreachable");
    assert_eq!(quiet.steps().count(), 0, "{quiet:#?}");
}

/// The kernel of this machine finds no neighbour and says so to itself, over loopback.
fn a_dead_neighbour_is_unreachable() {
    let _world = World::new();
    let run = connect(&[NOBODY, "--timeout", "8", "--retries", "5"]);
    run.assert_ended(5, "unreachable");
    assert_eq!(run.end()["icmp"]["from"], NEAR_V4.to_string());
}

/// H-05: not a hang, and not a success.
fn h05_the_peer_keeps_its_side_open() {
    let world = World::new();
    let run = connect(&[&world.server(keep_open).v4(), "--timeout", "0.3"]);
    run.assert_ended(7, "close-incomplete");
    assert_eq!(run.end()["state"], "FIN-WAIT-2");
    assert!(run.end()["verdict"].as_str().unwrap().contains("the peer kept its side open"));
    assert_eq!(run.flags().last().unwrap(), "> RST,ACK", "the peer is told that we are gone");
    assert_told_as_captured(&run, &world.capture.segments());
}

fn passive_close_of_a_peer_that_never_closes() {
    let world = World::new();
    let run = connect(&[&world.server(keep_open).v4(), "--close", "passive", "--timeout", "0.3"]);
    run.assert_ended(7, "close-incomplete");
    assert_eq!(run.end()["state"], "ESTABLISHED");
}

/// Runs `nft` on the far side. Where it is not installed the test is ignored, not passed: see `main`.
fn far_nft(world: &World, rule: &'static str) {
    let load = move || {
        sh("nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }'");
        sh(&format!("nft '{rule}'"));
        Ok(())
    };
    world.lab.far.run(load).expect("nft");
}

/// O-01: a firewall drops the SYN.
fn o01_dropped_by_nft_on_the_far_side() {
    let world = World::new();
    far_nft(&world, "add rule inet t i tcp dport 80 drop");
    let server = world.server(close_with_client);
    connect(&["10.99.0.2:80", "--timeout", "0.3"]).assert_ended(4, "silent");
    connect(&[&server.v4()]).assert_ended(0, "completed");
    let (code, shown, _) = text(&["connect", "10.99.0.2:80", "--timeout", "0.3", "-q", "--interface", LINK]);
    assert_eq!(code, Some(4));
    assert!(shown.starts_with("10.99.0.2:80: silent: no answer in time"), "{shown}");
}

fn n03_rejected_by_nft_on_the_far_side() {
    let world = World::new();
    far_nft(&world, "add rule inet t i tcp dport 80 reject with icmpx type admin-prohibited");
    for (target, icmp) in [("10.99.0.2:80", (3, 13)), ("[fd99::2]:80", (1, 1))] {
        let run = connect(&[target]);
        run.assert_ended(5, "unreachable");
        let told = &run.end()["icmp"];
        assert_eq!((told["type"].as_u64(), told["code"].as_u64()), (Some(icmp.0), Some(icmp.1)));
    }
}
