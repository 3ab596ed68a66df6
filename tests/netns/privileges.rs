//! What the program needs, and what it says when it has not got it.

use std::collections::HashSet;

use caps::{CapSet, Capability};
use tcpshake::lab::NEAR_V4;

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::connect;
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("cap_net_raw_alone_is_enough", cap_net_raw_alone_is_enough),
    ("p07_without_cap_net_raw", p07_without_cap_net_raw),
    ("all_capabilities_use_the_socket_filter", all_capabilities_use_the_socket_filter),
];

/// Programs run by this thread have no more than `kept`: it ends with the thread.
pub(crate) fn bound_to(kept: &[Capability]) {
    let kept: HashSet<_> = kept.iter().copied().collect();
    for capability in caps::all() {
        if !kept.contains(&capability) && caps::has_cap(None, CapSet::Bounding, capability).unwrap() {
            caps::drop(None, CapSet::Bounding, capability).unwrap();
        }
    }
    caps::clear(None, CapSet::Inheritable).unwrap();
}

/// The listener by TCP-MD5: the way for those without CAP_NET_ADMIN.
fn cap_net_raw_alone_is_enough() {
    let world = World::new();
    let server = world.server(close_after_client);
    bound_to(&[Capability::CAP_NET_RAW]);
    for target in [server.v4(), server.v6()] {
        let run = connect(&[&target]);
        run.assert_ended(0, "completed");
        assert_eq!(run.lines[0]["guard_variant"], "tcp-md5");
        assert_eq!(run.lines[0]["guard_proven"], true);
        assert_eq!(run.end()["held_back"], 3, "SYN,ACK, ACK and FIN,ACK");
        let captured = world.capture.segments();
        let near = captured[0].source.ip();
        assert_eq!(resets_from(&captured, near), 0);
        assert_told_as_captured(&run, &captured);
    }
}

fn p07_without_cap_net_raw() {
    let world = World::new();
    bound_to(&[]);
    let run = connect(&["10.99.0.2:80"]);
    run.assert_error(8, "needs CAP_NET_RAW: run it with sudo, or once: sudo setcap cap_net_raw=ep ");
    assert_eq!(world.capture.segments(), []);
}

fn all_capabilities_use_the_socket_filter() {
    let world = World::new();
    let run = connect(&[&world.server(close_after_client).v4()]);
    run.assert_ended(0, "completed");
    assert_eq!(run.lines[0]["guard_variant"], "socket filter");
    assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0);
}
