//! How a `check` goes: its pace, its order, its end by a signal, whom it leaves out, and what it leaves alone.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use caps::Capability;
use nix::sys::signal::Signal;
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};
use tcpshake::lab::{LINK, NEAR_V4, NEAR_V6};
use tcpshake::time::Clock;

use crate::Named;
use crate::capture::{Capture, Seen, resets_from};
use crate::check::{CLOSED, Net};
use crate::privileges::threads_of;
use crate::run::{Folder, Run, Running, Said, TCPSHAKE, check, command};
use crate::world::{PATIENCE, Server, World, bound_to, close_with_client, keep_open};

pub(crate) const TESTS: &[Named] = &[
    ("check_interrupted_leaves_nothing_open", interrupted),
    ("check_interrupted_is_prompt_however_slow_the_rate", interrupted_at_a_slow_rate),
    ("check_interrupted_twice_ends_at_once", interrupted_twice),
    ("check_given_up_is_reset_even_if_it_is_the_last", given_up_last),
    ("check_keeps_to_its_rate", keeps_to_its_rate),
    ("check_keeps_to_its_rate_with_each_host", keeps_to_its_rate_with_each_host),
    ("check_is_slow_unless_told_otherwise", slow_unless_told_otherwise),
    ("check_has_no_more_in_flight_than_told", no_more_in_flight_than_told),
    ("check_sends_nothing_to_what_is_excluded", nothing_to_what_is_excluded),
    ("check_resolves_names_and_tells_what_it_cannot_resolve", names),
    ("check_fails_fast", fails_fast),
    ("check_in_an_order_from_a_seed", order_from_a_seed),
    ("check_counts_exchanges_of_each_target", counts_exchanges),
    ("check_counts_those_without_a_way", counts_all_ends),
    ("check_keeps_no_capability", keeps_no_capability),
    ("check_without_cap_net_raw", without_cap_net_raw),
    ("check_with_cap_net_raw_alone", with_cap_net_raw_alone),
    ("check_disturbs_no_connection_on_a_port_between_its_own", disturbs_no_other),
];

const UNLIMITED: [&str; 4] = ["--rate", "0", "--per-host-rate", "0"];

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field}: {value:#?}"))
}

/// Each target is told once, and the counts of the summary are theirs.
#[track_caller]
fn assert_accounted_for(run: &Run, targets: u64) {
    let labels: HashSet<&str> = run.findings().map(|finding| finding["target"].as_str().unwrap()).collect();
    assert_eq!((run.findings().count() as u64, labels.len() as u64), (targets, targets), "{run:#?}");
    for (field, verdict) in [("met", "met"), ("unmet", "unmet"), ("not_checked", "not-checked")] {
        let told = run.findings().filter(|finding| finding["verdict"] == verdict).count();
        assert_eq!(run.summary()[field], told, "{field}: {:#?}", run.summary());
    }
}

/// Some wait, some are being opened, some have ended, most have not begun.
fn interrupted() {
    let world = Net::V4.world();
    let port = world.crowd_server(close_with_client);
    let (folder, last) = (Folder::new(), Net::V4.at(1, 40, 80));
    let file = folder.file("targets");
    let lines = |range: std::ops::RangeInclusive<u8>, line: &dyn Fn(u8) -> String| {
        range.map(line).collect::<String>()
    };
    let text = lines(1..=10, &|n| format!("{}\n", Net::V4.at(0, n, CLOSED)))
        + &lines(11..=30, &|n| format!("{} stays-open:30s\n", Net::V4.at(0, n, port)))
        + &lines(31..=40, &|n| format!("{} silent\n", Net::V4.at(1, n, 80)))
        + &lines(41..=200, &|n| format!("{}\n", Net::V4.at(0, n, port)));
    std::fs::write(&file, text).unwrap();
    let (tap, report) = (folder.file("tap"), folder.file("html"));
    let running = Running::check(
        &[
            &["-f", &*file, "--timeout", "30", "--max-in-flight", "30", "--report", &format!("tap={tap}")],
            &["--html", &report][..],
            &UNLIMITED,
        ]
        .concat(),
    );
    world.capture.until(|seen| seen.flags == "SYN" && seen.destination.to_string() == last);
    running.signal(Signal::SIGINT);
    let run = running.finish();
    assert_eq!(run.code, Some(130));
    assert_accounted_for(&run, 200);
    let summary = run.summary();
    assert_eq!((&summary["signal"], number(summary, "unmet")), (&"SIGINT".into(), 10), "{summary:#?}");
    assert_eq!(number(summary, "not_checked"), 190, "{summary:#?}");
    assert!(std::fs::read_to_string(tap).unwrap().ends_with("\nBail out! SIGINT\n"));
    assert!(std::fs::read_to_string(report).unwrap().contains("</html>"));
    world.nothing_is_left_at_far(PATIENCE);
}

/// News that come every now and then do not keep it from hearing of signals.
fn interrupted_at_a_slow_rate() {
    let world = Net::V4.world();
    let targets = format!("10.98.0.0/24:{CLOSED}");
    let mut running = Running::check(&[&targets, "--rate", "25"]);
    running.until(|line| line["type"] == "target");
    world.capture.segments();
    running.signal(Signal::SIGINT);
    let run = running.finish();
    assert_eq!(run.code, Some(130));
    let syns = world.capture.segments().iter().filter(|seen| seen.flags == "SYN").count();
    assert!(syns < 25, "{syns} within a second or more");
    assert_accounted_for(&run, 254);
}

/// The peer never closes: the first signal waits for it a second, the second does not.
fn interrupted_twice() {
    let world = Net::V4.world();
    let target = Net::V4.at(0, 1, world.crowd_server(keep_open));
    let running = Running::check(&[&target, "-e", "stays-open:30s"]);
    let tape = world.lab.far.run(|| Ok(Capture::start(LINK))).unwrap().tape();
    world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.flags == "ACK");
    running.signal(Signal::SIGINT);
    world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.flags == "FIN,ACK");
    running.signal(Signal::SIGINT);
    let run = running.finish();
    assert_eq!(run.code, Some(130));
    assert_accounted_for(&run, 1);
    let segments = tape.segments();
    let when = |flag: &str| segments.iter().find(|(_, seen)| seen.flags.contains(flag)).expect(flag).0;
    let waited = when("RST").abs_diff(when("FIN"));
    assert!(waited < Duration::from_millis(800), "{waited:?}");
    world.nothing_is_left_at_far(PATIENCE);
}

/// Nothing else is under way that would make what waits leave.
fn given_up_last() {
    let world = Net::V4.world();
    let target = Net::V4.at(0, 1, world.crowd_server(keep_open));
    let run = check(&[&target, "--timeout", "0.3"]);
    assert_eq!(number(&run.finding(&target)["totals"]["ends"], "close_incomplete"), 1);
    world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.flags == "RST,ACK");
    world.nothing_is_left_at_far(PATIENCE);
}

/// SYNs a second in a capture, from the first to the last, and how many there were.
fn rate_of(syns: &[Duration]) -> (f64, usize) {
    let span = syns.iter().max().unwrap().abs_diff(*syns.iter().min().unwrap());
    ((syns.len() - 1) as f64 / span.as_secs_f64(), syns.len())
}

/// When SYNs came, and where to.
fn syns_of(arguments: &[&str]) -> Vec<(Duration, IpAddr)> {
    let tape = Capture::start(LINK).tape();
    check(arguments);
    let segments = tape.segments();
    let syns = segments.iter().filter(|(_, seen)| seen.flags == "SYN");
    syns.map(|(at, seen)| (*at, seen.destination.ip())).collect()
}

/// What is begun late within ten milliseconds may be made up for: at the beginning and at the end.
const TOLERANCE: f64 = 1.1;

fn keeps_to_its_rate() {
    let _world = Net::V4.world();
    let targets = format!("10.98.0.0/24:{CLOSED}");
    for threads in ["1", "2"] {
        let syns = syns_of(&[&targets, "--rate", "300", "--threads", threads]);
        let (rate, count) = rate_of(&syns.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        assert_eq!(count, 254);
        assert!(rate < 300.0 * TOLERANCE, "{rate} with {threads} threads");
    }
}

fn keeps_to_its_rate_with_each_host() {
    let _world = Net::V4.world();
    let arguments = ["10.98.0.1:9-38", "10.98.0.2:9-38", "--rate", "0", "--per-host-rate", "40"];
    let syns = syns_of(&arguments);
    for host in [[10, 98, 0, 1], [10, 98, 0, 2]].map(IpAddr::from) {
        let (rate, count) =
            rate_of(&syns.iter().filter(|(_, to)| *to == host).map(|(at, _)| *at).collect::<Vec<_>>());
        assert_eq!(count, 30);
        assert!(rate < 40.0 * TOLERANCE, "{host}: {rate}");
    }
}

fn slow_unless_told_otherwise() {
    let _world = Net::V4.world();
    let syns = syns_of(&["10.98.0.0/24:9", "10.98.0.0/24:10", "10.98.0.1:9-28"]);
    let (rate, count) = rate_of(&syns.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    assert_eq!(count, 2 * 254 + 18, "those of 10.98.0.1 that are there twice are one");
    assert!(rate < 1000.0 * TOLERANCE, "{rate}");
    let one: Vec<Duration> =
        syns.iter().filter(|(_, to)| *to == IpAddr::from([10, 98, 0, 1])).map(|(at, _)| *at).collect();
    assert_eq!(one.len(), 20);
    assert!(rate_of(&one).0 < 20.0 * TOLERANCE, "{:?}", rate_of(&one));
}

/// From a SYN to a RST, or to the FIN of a peer that closes after us: by a capture beside the program.
fn no_more_in_flight_than_told() {
    let world = Net::V4.world();
    let port = world.crowd_server(close_with_client);
    let tape = Capture::start(LINK).tape();
    let targets = [format!("10.98.0.0/26:{port}"), format!("10.98.0.0/26:{CLOSED}")];
    let run = check(&[&[&*targets[0], &targets[1], "--max-in-flight", "5"], &UNLIMITED[..]].concat());
    assert_eq!(number(run.summary(), "exchanges"), 124);
    let (mut under_way, mut most) = (HashSet::new(), 0);
    for (_, seen) in tape.segments() {
        if seen.flags == "SYN" {
            under_way.insert((seen.source, seen.destination));
        } else if seen.destination.ip() == NEAR_V4
            && (seen.flags.contains("RST") || seen.flags.contains("FIN"))
        {
            under_way.remove(&(seen.destination, seen.source));
        }
        most = most.max(under_way.len());
    }
    assert_eq!((most, under_way.len()), (5, 0));
}

fn nothing_to_what_is_excluded() {
    let world = Net::V4.world();
    let folder = Folder::new();
    let file = folder.file("exclude");
    std::fs::write(&file, "# nobody here\n10.98.0.9\n").unwrap();
    let arguments = ["10.98.0.0/28:9", "--exclude", "10.98.0.4/30", "--exclude-file", &file, "-e", "refused"];
    let run = check(&arguments);
    let spoken_to: HashSet<SocketAddr> = world
        .capture
        .segments()
        .iter()
        .filter(|seen| seen.flags == "SYN")
        .map(|seen| seen.destination)
        .collect();
    let expected = (1..=14_u8).filter(|n| !(4..=7).contains(n) && *n != 9);
    let expected: HashSet<SocketAddr> =
        expected.map(|n| SocketAddr::from(([10, 98, 0, n], CLOSED))).collect();
    assert_eq!(spoken_to, expected);
    assert_eq!(
        (run.code, &run.lines[0]["excluded"], &run.lines[0]["targets"]),
        (Some(0), &5.into(), &9.into())
    );
    // A name is known to be on the list only when it is resolved.
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = format!("localhost:{}", server.local_addr().unwrap().port());
    let loopback = Capture::start("lo");
    let run = check(&[&target, "--exclude", "127.0.0.0/8", "--exclude", "::1"]);
    assert_eq!(run.finding(&target)["verdict"], "not-checked");
    assert!(run.finding(&target)["reason"].as_str().unwrap().contains("exclude list"), "{run:#?}");
    let to_server = |seen: &Seen| seen.destination.port() == server.local_addr().unwrap().port();
    assert!(!loopback.segments().iter().any(to_server));
}

/// There is no name server here; a name longer than names may be is refused without one.
fn names() {
    let world = Net::V4.world();
    let far = Net::V4.at(0, 1, world.crowd_server(close_with_client));
    let server = Server::start(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), close_with_client);
    let here = format!("localhost:{}", server.port);
    let nobody = "nobody.invalid:80";
    let started = Clock::new();
    let begun = started.now();
    let run = check(&[nobody, &here, &far, "-4"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(
        (&run.finding(&here)["verdict"], &run.finding(&far)["verdict"]),
        (&"met".into(), &"met".into())
    );
    assert_eq!(run.finding(&here)["address"], format!("127.0.0.1:{}", server.port));
    let finding = run.finding(nobody);
    assert_eq!((&finding["verdict"], &finding["totals"]["exchanges"]), (&"unmet".into(), &0.into()));
    assert!(finding["reason"].as_str().unwrap().contains("nobody.invalid"), "{finding:#?}");
    assert!(started.now() - begun < PATIENCE);
    assert_accounted_for(&run, 3);
}

fn fails_fast() {
    let world = Net::V4.world();
    let run = check(&["10.98.0.0/26:9", "--rate", "20", "--fail-fast"]);
    assert_eq!(run.code, Some(1));
    assert_accounted_for(&run, 62);
    let syns = world.capture.segments().iter().filter(|seen| seen.flags == "SYN").count();
    assert!((1..10).contains(&syns), "{syns}");
    assert_eq!(
        (number(run.summary(), "unmet"), number(run.summary(), "exchanges")),
        (syns as u64, syns as u64)
    );
}

fn order_from_a_seed() {
    let world = Net::V4.world();
    let order = |arguments: &[&str]| -> (Run, Vec<IpAddr>) {
        let run = check(&[&["10.98.0.0/26:9"], arguments].concat());
        let syns = world.capture.segments();
        (run, syns.iter().filter(|seen| seen.flags == "SYN").map(|seen| seen.destination.ip()).collect())
    };
    let (listed, first) = order(&[]);
    assert_eq!((first.len(), &listed.lines[0]["seed"], first.is_sorted()), (62, &Value::Null, true));
    let (told, one) = order(&["--randomize=7"]);
    let (_, other) = order(&["--randomize=7"]);
    assert_eq!((&one, &told.lines[0]["seed"]), (&other, &7.into()));
    assert_ne!(one, first);
    assert!(told.stderr.contains("order from seed 7"), "{}", told.stderr);
    assert_eq!(one.iter().collect::<HashSet<_>>(), first.iter().collect());
    let (told, any) = order(&["--randomize"]);
    let seed = told.lines[0]["seed"].as_u64().unwrap();
    assert!(told.stderr.contains(&format!("order from seed {seed}")), "{}", told.stderr);
    assert_eq!(order(&[&format!("--randomize={seed}")]).1, any);
    assert_ne!(any, one);
}

/// Also one for which there was no way: what a summary counts is what its targets have, each end among the exchanges.
#[track_caller]
fn assert_sums(run: &Run) {
    let sum = |of: &dyn Fn(&Value) -> u64| run.findings().map(of).sum::<u64>();
    let summary = run.summary();
    assert_eq!(
        number(summary, "exchanges"),
        sum(&|finding| number(&finding["totals"], "exchanges")),
        "{summary:#?}"
    );
    let ends: u64 = summary["ends"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(number(summary, "exchanges"), ends, "{summary:#?}");
    assert_eq!(
        number(summary, "retransmissions"),
        sum(&|finding| number(&finding["totals"], "retransmissions")),
        "{summary:#?}"
    );
}

fn counts_all_ends() {
    let world = Net::V4.world();
    let port = world.crowd_server(close_with_client);
    let run = check(&[
        &Net::V4.at(0, 1, port),
        &Net::V4.at(0, 1, CLOSED),
        &Net::V4.at(1, 1, 80),
        &Net::V4.at(3, 1, 80),
        &Net::V4.at(4, 1, 80),
        "10.99.0.255:80",
        "--timeout",
        "1.2",
    ]);
    assert_sums(&run);
    let ends = serde_json::json!({ "completed": 1, "refused": 1, "silent": 1, "unreachable": 3 });
    assert_eq!(run.summary()["ends"], ends);
    assert_eq!(number(run.summary(), "retransmissions"), 1);
    assert!(run.finding("10.99.0.255:80")["reason"].as_str().unwrap().contains("broadcast"), "{run:#?}");
}

fn counts_exchanges() {
    const COUNT: u64 = 5;
    let world = Net::V4.world();
    let targets: Vec<String> =
        [world.crowd_server(close_with_client), CLOSED].map(|port| Net::V4.at(0, 1, port)).to_vec();
    let run = check(&[&[&*targets[0], &targets[1], "--count", "5"], &UNLIMITED[..]].concat());
    let captured = world.capture.segments();
    for (target, end) in targets.iter().zip(["completed", "refused"]) {
        let totals = &run.finding(target)["totals"];
        assert_eq!((number(totals, "exchanges"), number(totals, "syns")), (COUNT, COUNT), "{totals:#?}");
        assert_eq!(number(&totals["ends"], end), COUNT, "{totals:#?}");
        let syns =
            captured.iter().filter(|seen| seen.flags == "SYN" && seen.destination.to_string() == *target);
        assert_eq!(syns.count() as u64, COUNT);
    }
    assert_eq!(run.finding(&targets[0])["totals"]["rtt"]["count"], COUNT);
    let summary = run.summary();
    assert_eq!((number(summary, "exchanges"), number(&summary["ends"], "completed")), (2 * COUNT, COUNT));
    let round_trips: u64 =
        summary["round_trips"].as_array().unwrap().iter().map(|pair| pair[1].as_u64().unwrap()).sum();
    assert_eq!(round_trips, COUNT);
}

fn keeps_no_capability() {
    let world = World::new();
    let servers = [(); 2].map(|()| world.crowd_server(close_with_client));
    for guard in ["listener", "nft"] {
        let [first, second] = servers.map(|server| format!("10.99.0.2:{server}"));
        let running = Running::check(&[
            &first,
            &second,
            "localhost:9",
            "-e",
            "stays-open:30s",
            "--guard",
            guard,
            "--threads",
            "2",
        ]);
        // One target for each thread, and both stay open: none has ended, or is still to begin.
        let open = RefCell::new(HashSet::new());
        world.capture.until(|seen| {
            if seen.source.ip() == NEAR_V4 && seen.flags == "ACK" {
                open.borrow_mut().insert(seen.destination.port());
            }
            open.borrow().len() == servers.len()
        });
        let threads = threads_of(running.pid());
        assert!(threads.len() > 2, "{threads:?}");
        for status in threads {
            for nothing in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert!(status.contains(&format!("{nothing}:\t0000000000000000\n")), "{guard}: {status}");
            }
            assert!(status.contains("NoNewPrivs:\t1\n"), "{guard}: {status}");
        }
        running.signal(Signal::SIGTERM);
        assert_eq!(running.finish().code, Some(143));
        drop(world.capture.segments()); // of this run: the next is waited for anew
    }
}

fn without_cap_net_raw() {
    let world = World::new();
    let said = bound_to(&[], || Said::by(&mut command(TCPSHAKE, &["check", "10.99.0.2:80"])));
    said.assert_complaint(8, "needs CAP_NET_RAW: run it with sudo, or once: sudo setcap cap_net_raw=ep ");
    assert_eq!(world.capture.segments(), []);
}

fn with_cap_net_raw_alone() {
    let world = World::new();
    let port = world.crowd_server(close_with_client);
    let targets = [format!("10.99.0.2:{port}"), format!("[fd99::2]:{port}")];
    let arguments =
        [&[&*targets[0], &targets[1], "--count", "50", "-e", "closes-cleanly"], &UNLIMITED[..]].concat();
    let run = bound_to(&[Capability::CAP_NET_RAW], || check(&arguments));
    assert_eq!(
        (run.code, number(run.summary(), "met"), number(run.summary(), "kernel_resets")),
        (Some(0), 2, 0)
    );
    let captured = world.capture.segments();
    for near in [NEAR_V4.into(), NEAR_V6.into()] {
        assert_eq!(resets_from(&captured, near), 0);
    }
}

fn echo(mut client: TcpStream) {
    let mut word = [0; 5];
    while client.read_exact(&mut word).is_ok() && client.write_all(&word).is_ok() {}
}

/// Connections of the kernel's from many ports, some of which the check has its own on both sides of.
fn disturbs_no_other() {
    const EVERY: usize = 400;
    let world = Net::V4.world();
    let (checked, talking) = (world.crowd_server(close_with_client), world.crowd_server(echo));
    let client = |port: u16| {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.bind(&SocketAddr::from((NEAR_V4, port)).into()).unwrap();
        client.connect(&SocketAddr::from(([10, 98, 0, 1], talking)).into()).unwrap();
        SockRef::from(&client).set_read_timeout(Some(PATIENCE)).unwrap();
        (port, TcpStream::from(client))
    };
    let mut clients: HashMap<u16, TcpStream> = (33_000..60_000).step_by(EVERY).map(client).collect();
    let resets = Capture::of_resets(LINK);
    let tape = Capture::start(LINK).tape();
    let target = Net::V4.at(0, 2, checked);
    let mut running = Running::check(&[&[&*target, "--count", "2000"], &UNLIMITED[..]].concat());
    let mut talk = || {
        for client in clients.values_mut() {
            let mut word = [0; 5];
            client.write_all(b"hello").unwrap();
            client.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"hello");
        }
    };
    talk();
    while running.line().is_some() {
        talk();
    }
    let run = running.finish();
    assert_eq!((run.code, number(run.summary(), "exchanges")), (Some(0), 2000));
    talk();
    let ours: HashSet<u16> = tape
        .segments()
        .iter()
        .filter(|(_, seen)| seen.flags == "SYN" && seen.source.ip() == NEAR_V4)
        .map(|(_, seen)| seen.source.port())
        .collect();
    let (first, last) = (*ours.iter().min().unwrap(), *ours.iter().max().unwrap());
    let between = clients.keys().filter(|port| (first..last).contains(port)).count();
    assert!(
        between > 0 && !clients.keys().any(|port| ours.contains(port)),
        "{between} between {first} and {last}"
    );
    let talking = |seen: &Seen| {
        clients.contains_key(&seen.source.port()) || clients.contains_key(&seen.destination.port())
    };
    let resets: Vec<Seen> = resets.segments().into_iter().filter(talking).collect();
    assert_eq!(resets, [], "of connections that are none of ours");
}
