//! `connect` against `listen`: both ends are ours, over the cable and over loopback.

use std::net::SocketAddr;

use serde_json::Value;

use crate::Named;
use crate::listen::{PORT, Service, served};
use crate::near::Way;
use crate::run::{Run, Running};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("ourselves_close_one_after_the_other", close_one_after_the_other),
    ("ourselves_reset", reset),
    ("ourselves_close_at_once", close_at_once),
    ("ourselves_half_close", half_close),
    ("ourselves_split", split),
    ("ourselves_cross_opens_with_listen", cross_opens),
];

/// Runs both to their end: what connect tells, and what listen does.
#[track_caller]
fn both(world: &World, way: Way, listen: &[&str], connect: &[&str]) -> [Run; 2] {
    let service = Service::start(&[&["--count", "1", "--timeout", "5"], listen].concat());
    let target = SocketAddr::new(way.near, PORT).to_string();
    let arguments: Vec<String> = connect.iter().map(ToString::to_string).collect();
    let client = way.at_far(world, move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ok(Running::connect(&[&[&*target], &arguments[..]].concat()).finish())
    });
    [client, service.finish()]
}

/// Both ended as asked; neither kernel had a say, and each octet and segment that one sent the other got.
#[track_caller]
fn assert_agree([client, service]: &[Run; 2], way: Way) {
    for run in [client, service] {
        assert_eq!((run.code, &run.end()["outcome"]), (Some(0), &"completed".into()), "{way:?} {run:#?}");
        assert_eq!((&run.end()["kernel_resets"], &*run.stderr), (&0.into(), ""));
    }
    assert_eq!(served(service)["completed"], 1);
    for (one, other) in [(client, service), (service, client)] {
        assert_eq!(one.end()["text_sent"], other.end()["text_received"], "{way:?}");
        assert_eq!(segments(one, "sent"), segments(other, "received"), "{way:?}");
    }
}

/// Flags and numbers.
fn segments(run: &Run, direction: &str) -> Vec<[Value; 4]> {
    let these = run.steps().filter(|step| step["direction"] == direction);
    these.map(|step| ["flags", "seq", "ack", "len"].map(|field| step[field].clone())).collect()
}

fn close_one_after_the_other() {
    let world = World::new();
    for way in Way::ALL {
        for (listen, connect) in [("passive", "active"), ("active", "passive")] {
            let runs = both(&world, way, &["--close", listen], &["--close", connect]);
            assert_agree(&runs, way);
            let [client, service] = &runs;
            let (first, second) = if connect == "active" { (client, service) } else { (service, client) };
            assert!(first.states().contains(&"TIME-WAIT"), "{way:?} {first:#?}");
            assert!(second.states().contains(&"LAST-ACK"), "{way:?} {second:#?}");
        }
        let arguments = ["--send", "hello", "--expect", "^hello$"];
        assert_agree(&both(&world, way, &["--echo"], &arguments), way);
        assert_agree(&both(&world, way, &["--respond", "hello"], &arguments), way);
    }
}

/// Whoever is reset says so.
fn reset() {
    let world = World::new();
    for way in Way::ALL {
        for by_client in [true, false] {
            let (listen, connect) = if by_client { ("passive", "reset") } else { ("reset", "passive") };
            let [client, service] = both(&world, way, &["--close", listen], &["--close", connect]);
            let (by, of) = if by_client { (client, service) } else { (service, client) };
            by.assert_ended(0, "completed");
            of.assert_ended(6, "reset");
        }
    }
}

/// Neither waits for the other: whether the FINs cross is chance, and both ways must end well.
fn close_at_once() {
    let world = World::new();
    for way in Way::ALL {
        for _ in 0..3 {
            let runs = both(&world, way, &["--close", "active"], &["--close", "active"]);
            assert_agree(&runs, way);
            let closed_first = |run: &Run| run.states().contains(&"FIN-WAIT-1");
            assert!(runs.iter().any(closed_first), "{runs:#?}");
        }
    }
}

fn half_close() {
    let world = World::new();
    for way in Way::ALL {
        let arguments = ["--send", "hello", "--half-close", "--expect", "^hello$"];
        for listen in [&["--echo"][..], &["--respond", "hello", "--close", "passive"]] {
            let runs = both(&world, way, listen, &arguments);
            assert_agree(&runs, way);
            assert!(runs[0].states().contains(&"FIN-WAIT-2"), "{way:?} {:?}", runs[0].states());
        }
        // Ours is over first; what the client says then still comes.
        let runs = both(&world, way, &["--close", "active"], &["--close", "passive", "--send", "hello"]);
        assert_agree(&runs, way);
        assert_eq!(runs[1].end()["text_received"], 5);
    }
}

/// To the client it is a simultaneous open.
fn split() {
    let world = World::new();
    for way in Way::ALL {
        let runs = both(&world, way, &["--split", "--echo"], &["--send", "hello", "--expect", "^hello$"]);
        assert_agree(&runs, way);
        assert_eq!(runs[0].states()[..3], ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"], "{way:?}");
    }
}

/// A client that would cross SYNs finds somebody who waits: an open as usual.
fn cross_opens() {
    let world = World::new();
    for way in Way::ALL {
        let arguments = ["--simultaneous", "--source-port", "40000"];
        assert_agree(&both(&world, way, &[], &arguments), way);
    }
}
