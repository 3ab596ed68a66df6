//! More than the program can follow: it loses packets and steps, and says so, but neither its verdict nor its patience nor
//! its memory.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::sys::signal::Signal;
use tcpshake::lab::{LINK, NEAR_V4};
use tcpshake::tcp::{Flags, Segment, SeqNum};

use crate::Named;
use crate::capture::Capture;
use crate::enemies::{Hostile, Part};
use crate::listen::{Hand, SERVICE, Service, client, served, talk};
use crate::run::{Run, Running};
use crate::scripted::{Scripted, segment};
use crate::vitals::{LATE, MOST_KIB, Vitals};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("j07_a_hostile_peer_at_full_speed_while_nobody_reads", at_full_speed),
    ("listen_d09_e08_syns_that_nobody_stands_behind", syns_at_a_service),
];

/// J-07: as fast as the machine can, and nobody reads what is told: the verdict comes in time all the same, is told when
/// somebody reads at last, and what was not told is said.
fn at_full_speed() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let world = World::new();
    let peer = Scripted::start(&world, (NEAR_V4, 40_000).into());
    let target = peer.address.to_string();
    let (until_over, line) = std::io::pipe().unwrap();
    let mut hostile = Hostile::new(Part::AckWar, peer.address).paced(Duration::from_millis(2), 64);
    hostile.line = Some(line);
    let resets = world.lab.far.run(|| Ok(Capture::of_resets(LINK))).expect("a capture");
    let playing = std::thread::spawn(move || {
        peer.play(&mut hostile, until_over.into());
        hostile
    });
    let running =
        Running::connect(&[&target, "--source-port", "40000", "--close", "passive", "--timeout", "1"]);
    let vitals = Vitals::until(running.pid(), || !resets.segments().is_empty());
    let hostile = playing.join().unwrap();
    let run = running.finish();
    // A machine that is slow itself may have told all.
    let lost = run.stderr.ends_with("steps were not shown: nobody read the output fast enough\n");
    let told = (run.code, run.stderr.lines().count());
    assert!(told == (Some(7), 0) || (lost && told == (Some(8), 1)), "{told:?} {}", run.stderr);
    let verdict = run.end()["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("opened, but not closed: the peer neither"), "{verdict}");
    let (called, hung_up) = (hostile.called.unwrap(), hostile.hung_up.unwrap());
    let late = (hung_up - called).checked_sub(TIMEOUT).expect("not too early");
    let kept_waiting = Vitals::kept_waiting(&vitals);
    assert!(late < LATE + kept_waiting, "{late:?} late, {kept_waiting:?} of it not its own");
    let peak = Vitals::peak(&vitals);
    assert!(peak < MOST_KIB, "{peak} KiB");
    eprintln!(
        "full speed: {} steps told, {peak} KiB beside its file, verdict {late:?} late",
        run.steps().count()
    );
}

/// D-09, E-08: SYNs that nobody stands behind, as fast as they can be made, at a service: who comes meanwhile is served,
/// and each of those that it remembers is given up in time.
fn syns_at_a_service() {
    const SYNS: u32 = 20_000;
    const REMEMBERED: u32 = 1024;
    const TIMEOUT: Duration = Duration::from_secs(2);
    let world = World::new();
    let hand = Hand::at(&world);
    let mut service = Service::start(&["--echo", "--timeout", "2", "--retries", "unlimited"]);
    let pid = service.pid().as_raw() as u32;
    let storm = std::thread::spawn(move || {
        for n in 0..SYNS {
            let host = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 98, 1, 0)) + n / 50_000);
            let from = SocketAddr::from((host, (1024 + n % 50_000) as u16));
            hand.say_as(from, SERVICE, &Segment { seq: SeqNum(n), flags: Flags::SYN, ..segment() });
        }
    });
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    // Its output is read meanwhile: nothing waits for us.
    let reader = std::thread::spawn(move || {
        for _ in 0..REMEMBERED {
            service.until(|line| line["type"] == "end" && line["outcome"] == "not-opened");
        }
        service
    });
    let vitals = Vitals::until(pid, || reader.is_finished());
    let run = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).end_by(Signal::SIGINT);
    storm.join().unwrap();
    let kept_waiting = vitals.last().unwrap().kept_waiting;
    let peak = Vitals::peak(&vitals);
    assert!(peak < MOST_KIB, "{peak} KiB");
    assert!(served(&run)["unopened"].as_u64() >= Some(REMEMBERED.into()), "{:#}", served(&run));
    // A machine that left our reader behind has lost steps, and said so: it cannot tell the time.
    let late = run.stderr.is_empty().then(|| latest(&run, TIMEOUT));
    assert!(late < Some(LATE + kept_waiting), "{late:?} late, {kept_waiting:?} of it not its own");
    eprintln!("service: {peak} KiB beside its file, verdicts at most {late:?} late");
}

/// How much later than their time the last of those who never opened were given up.
fn latest(run: &Run, timeout: Duration) -> Duration {
    let mut lasted: HashMap<u64, (u64, u64)> = HashMap::new();
    for step in run.steps() {
        let at = step["at_us"].as_u64().unwrap();
        lasted.entry(step["exchange"].as_u64().unwrap()).or_insert((at, at)).1 = at;
    }
    let ends = run.lines.iter().filter(|line| line["type"] == "end" && line["outcome"] == "not-opened");
    let late = ends.map(|end| {
        let (first, last) = lasted[&end["exchange"].as_u64().unwrap()];
        Duration::from_micros(last - first).checked_sub(timeout).expect("not too early")
    });
    late.max().unwrap()
}
