//! What the program needs, and what it says when it has not got it.

use std::collections::HashSet;

use caps::{CapSet, Capability};
use nix::sys::signal::Signal;
use tcpshake::lab::{NEAR_V4, NEAR_V6};

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{Folder, Running, TCPSHAKE, connect, sh};
use crate::scripted::Scripted;
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("cap_net_raw_alone_is_enough", cap_net_raw_alone_is_enough),
    ("cap_net_raw_alone_is_enough_for_another_user", cap_net_raw_alone_is_enough_for_another_user),
    ("no_thread_keeps_a_capability", no_thread_keeps_a_capability),
    ("count_goes_on_without_capabilities", count_goes_on_without_capabilities),
    ("p06_without_its_guard_nothing_is_sent", p06_without_its_guard),
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

/// Every command that opens raw sockets, as `nobody` with a bounding set of this capability alone.
fn cap_net_raw_alone_is_enough_for_another_user() {
    let world = World::new();
    let server = world.server(close_after_client);
    let folder = Folder::new();
    let program = folder.file("tcpshake"); // where nobody may run it
    // Not copied by ourselves: what another thread starts meanwhile would have it open for writing.
    sh(&format!("cp {TCPSHAKE} {program}"));
    let commands = [
        format!("connect -q --guard listener {}", server.v4()),
        format!("connect -q {} --count 2 --interval 0", server.v6()),
        format!("guard run -q --port 40000 -- {program} guard test 40000"),
        "guard up --port 40001".to_owned(),
        "guard test 40001".to_owned(),
        "guard down --port 40001".to_owned(),
        "doctor".to_owned(),
        "demo -q".to_owned(),
    ];
    for command in commands {
        let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups \
            --bounding-set -all,+net_raw --inh-caps -all,+net_raw --ambient-caps -all,+net_raw";
        let (code, output) = Running::shell(&format!("exec {nobody} {program} {command} 2>&1")).raw();
        assert_eq!(code, Some(0), "{command}: {output}");
    }
    let captured = world.capture.segments();
    assert_eq!(captured.iter().filter(|seen| seen.flags == "SYN").count(), 3);
    for near in [NEAR_V4.into(), NEAR_V6.into()] {
        assert_eq!(resets_from(&captured, near), 0);
    }
}

/// Once its segments leave, nothing in the process has a capability or can get one.
fn no_thread_keeps_a_capability() {
    let world = World::new();
    for guard in ["listener", "nft", "none"] {
        let mut peer = Scripted::start(&world, (NEAR_V4, 40_000).into());
        let target = peer.address.to_string();
        let running = Running::connect(&[&target, "--source-port", "40000", "--guard", guard]);
        peer.hear();
        let threads = threads_of(running.pid());
        assert!(threads.len() > 1, "the output has its own: {threads:?}");
        for status in threads {
            for nothing in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert!(status.contains(&format!("{nothing}:\t0000000000000000\n")), "{guard}: {status}");
            }
            assert!(status.contains("NoNewPrivs:\t1\n"), "{guard}: {status}");
        }
        running.signal(Signal::SIGTERM);
        running.wait();
    }
}

/// The status of each thread.
pub(crate) fn threads_of(pid: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap()).collect()
}

/// Sockets are used again, so the exchanges after the first need nothing; a firewall guard for a port of its
/// own does, and a privileged port is kept.
fn count_goes_on_without_capabilities() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    for (arguments, guard, ports) in [
        (&["--guard", "listener"][..], "listener", 3),
        (&["--guard", "nft"], "nft", 3),
        (&["--guard", "nft", "--source-port", "79"], "nft", 1),
        (&["--source-port", "79"], "listener", 1),
    ] {
        let run = connect(&[&[&*target, "-c", "3", "-i", "0"], arguments].concat());
        run.assert_ended(0, "completed");
        let begins: Vec<_> = run.lines.iter().filter(|line| line["type"] == "begin").collect();
        assert!(begins.len() == 3 && begins.iter().all(|begin| begin["guard"] == guard), "{begins:#?}");
        let used: HashSet<_> = begins.iter().map(|begin| begin["local"].as_str().unwrap()).collect();
        assert_eq!(used.len(), ports, "{arguments:?}");
        for end in run.lines.iter().filter(|line| line["type"] == "end") {
            assert_eq!((&end["held_back"], &end["kernel_resets"]), (&3.into(), &0.into()), "{arguments:?}");
        }
        assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0);
    }
}

/// P-06: a guard that cannot be put up is an error before the first SYN.
fn p06_without_its_guard() {
    let world = World::new();
    bound_to(&[Capability::CAP_NET_RAW]);
    connect(&["10.99.0.2:80", "--guard", "nft"]).assert_error(8, "needs CAP_NET_ADMIN");
    assert_eq!(world.capture.segments(), []);
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
