//! `listen` and very many: a thousand clients at once, and a flood of SYNs that nobody stands behind.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use tcpshake::lab::NEAR_V4;
use tcpshake::tcp::{Flags, Segment, SeqNum};

use crate::Named;
use crate::capture::resets_from;
use crate::listen::{Hand, SERVICE, Service, client, served, talk};
use crate::run::{Run, connect};
use crate::scripted::segment;
use crate::world::{World, close_with_client};

pub(crate) const TESTS: &[Named] = &[
    ("listen_serves_a_thousand_clients_at_once", a_thousand_at_once),
    ("listen_under_a_flood_of_a_hundred_thousand_syns", flood),
    ("p12_an_exchange_in_a_storm_of_strangers", storm_of_strangers),
];

/// MUST-41, MUST-42: all are open before the first says a word.
fn a_thousand_at_once() {
    const CLIENTS: u32 = 1000;
    let world = World::new();
    let mut service = Service::start(&["--echo", "--count", "1000"]);
    // Its output is read meanwhile: nothing waits for us.
    let program = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            service.until(|line| line["type"] == "opened" && line["exchange"] == CLIENTS);
            service.finish()
        });
        let clients: Vec<_> = (0..CLIENTS).map(|_| client(&world, SERVICE)).collect();
        for (n, mut client) in (0_u32..).zip(clients) {
            let word = n.to_string().into_bytes();
            client.write_all(b"client ").unwrap();
            assert_eq!(talk(client, &word), [b"client ", &*word].concat(), "client {n}");
        }
        reader.join()
    });
    let run = program.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let told = served(&run);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    for (field, value) in [
        ("connections", CLIENTS),
        ("completed", CLIENTS),
        ("unopened", 0),
        ("cookies_sent", 0),
        ("kernel_resets", 0),
        ("packets_lost", 0),
    ] {
        assert_eq!(told[field], value, "{field}: {told:#?}");
    }
    assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0);
}

/// KiB that a process has in memory.
fn resident(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// P-12: what others say to each other on the same interface, as fast as it goes, neither reaches an exchange nor
/// keeps it from its end.
fn storm_of_strangers() {
    const MOST: u32 = 20_000_000; // should an exchange fail, nobody says that it is over
    let world = World::new();
    let hand = Hand::at(&world);
    let server = world.server(close_with_client).v4();
    let over = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut said = 0_u32;
            while said < MOST && !over.load(Ordering::Relaxed) {
                let from = SocketAddr::from((hand.address.ip(), 1024 + (said % 60_000) as u16));
                hand.say_as(from, (NEAR_V4, 9).into(), &Segment { flags: Flags::RST, ..segment() });
                said += 1;
            }
            said
        });
        for _ in 0..20 {
            let run = connect(&[&server, "--send", "hello"]);
            run.assert_ended(0, "completed");
            assert_eq!(run.end()["packets_lost"], 0);
            assert!(run.steps().all(|step| step["flags"] != "RST"), "a stranger was heard: {run:#?}");
        }
        over.store(true, Ordering::Relaxed);
        storm.join().unwrap()
    });
    assert!(said > 10_000, "{said} segments are no storm");
}

/// D-09, P-11: each SYN has a source of its own. Between batches a client of the kernel's is served, which by then needs a
/// cookie: so the service has read all that came before.
fn flood() {
    const BATCHES: u32 = 50;
    const IN_BATCH: u32 = 2000;
    const MOST_KIB: u64 = 64 * 1024;
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&["--echo", "--timeout", "600"]);
    let pid = service.pid();
    let (run, sizes) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || -> Run {
            let mut service = service;
            for _ in 0..BATCHES {
                service.until(|line| line["type"] == "end" && line["outcome"] == "completed");
            }
            service.end_by(Signal::SIGINT)
        });
        let mut sizes = Vec::new();
        for batch in 0..BATCHES {
            for n in 0..IN_BATCH {
                let tuple = batch * IN_BATCH + n;
                let host = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 98, 1, 0)) + tuple / 50_000);
                let from = SocketAddr::from((host, (1024 + tuple % 50_000) as u16));
                hand.say_as(from, SERVICE, &Segment { seq: SeqNum(tuple), flags: Flags::SYN, ..segment() });
            }
            let word = batch.to_string().into_bytes();
            assert_eq!(talk(client(&world, SERVICE), &word), word, "after batch {batch}");
            sizes.push(resident(pid));
        }
        (reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), sizes)
    });
    assert_eq!((run.code, &*run.stderr), (Some(130), ""));
    let told = served(&run);
    let number = |field: &str| told[field].as_u64().unwrap();
    assert_eq!((number("connections"), number("completed")), (BATCHES.into(), BATCHES.into()), "{told:#?}");
    assert_eq!(number("cookies_returned"), u64::from(BATCHES), "{told:#?}");
    assert_eq!((number("unopened"), number("kernel_resets")), (1024, 0), "{told:#?}");
    // What was lost on the way to the program is told; all the rest is accounted for.
    let heard = number("cookies_sent") + number("unopened");
    let sent = u64::from(BATCHES * IN_BATCH + BATCHES);
    assert!(heard <= sent && heard + number("packets_lost") >= sent, "{told:#?}");
    let (half, end) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(end < MOST_KIB && end < half + 2048, "KiB after each batch: {sizes:?}");
}
