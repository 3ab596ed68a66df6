//! What is rare: packets of earlier connections, sends that fail, time without end, errands that make no sense.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::driver::fleet::Task;
use tcpshake::record::Outcome;
use tcpshake::tcp::{Offer, Retries, Segment};

use crate::harness::{Voyage, host};
use crate::limits::moment;
use crate::losses::{assert_all_true, assert_nobody_is_left};
use crate::packets::{icmp, write};
use crate::peers::Kind;
use crate::replays::assert_told_again;
use crate::verdicts::CLOSED;

/// One port, one peer: packets of earlier connections between the same ends arrive in later ones.
fn with_old_duplicates(seed: u64) -> Voyage {
    let mut voyage = Voyage::new(seed);
    let remote = SocketAddr::new(host(seed.is_multiple_of(2), 1), 80);
    voyage.ports.truncate(1);
    voyage.plan.max_in_flight = 1;
    voyage.retries(12);
    voyage.plan.timeout = Duration::from_secs(2000);
    let mut world = voyage.world.borrow_mut();
    world.settle(remote, Kind::Accepts);
    for link in [0, 1] {
        let link = if link == 0 { &mut world.out } else { &mut world.back };
        (link.late, link.twice, link.lost, link.spread) = (40, 30, 10, Duration::from_secs(4));
    }
    drop(world);
    for _ in 0..40 {
        voyage.visit(remote, 0);
    }
    voyage
}

#[test]
fn old_duplicates_between_the_same_ends_make_no_verdict_wrong() {
    for seed in 70..80 {
        let mut voyage = with_old_duplicates(seed);
        voyage.run();
        let opened = |told: &&crate::harness::Told| told.outcome == CLOSED;
        let closed: Vec<_> = voyage.books.told.iter().filter(opened).cloned().collect();
        assert!(closed.len() >= 30, "{} of 40, seed {seed}", closed.len());
        voyage.books.told = closed;
        assert_all_true(&voyage);
        assert_nobody_is_left(&voyage);
    }
}

/// Two hundred exchanges of which this machine does not let out three segments in ten.
fn where_not_all_leaves() -> Voyage {
    let mut voyage = Voyage::new(71);
    voyage.retries(12);
    voyage.plan.timeout = Duration::from_secs(2000);
    voyage.world.borrow_mut().refused = 30;
    for n in 0..200 {
        voyage.meet(n % 2 == 0, Kind::Accepts, 0);
    }
    voyage.run();
    voyage
}

/// What this machine does not let out counts as lost.
#[test]
fn a_segment_that_does_not_leave_counts_as_lost() {
    let voyage = where_not_all_leaves();
    assert!(voyage.books.told.iter().all(|told| told.outcome == CLOSED));
    assert_nobody_is_left(&voyage);
}

/// What did not leave is not among the packets; what left is told all the same.
#[test]
fn what_is_sent_behind_a_segment_that_did_not_leave_is_told_again() {
    let voyage = where_not_all_leaves();
    for told in &voyage.books.told {
        assert_told_again(told);
    }
}

#[test]
fn where_nothing_leaves_all_are_silent() {
    let mut voyage = Voyage::new(71);
    voyage.world.borrow_mut().refused = 100;
    for _ in 0..20 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.run();
    let silent = Outcome::Silent { heard: false };
    assert!(voyage.books.told.iter().all(|told| told.outcome == silent && told.rtt.is_none()));
}

/// Time that is too long for any count is as long as the count.
#[test]
fn endless_patience_and_endless_waits_do_not_overflow() {
    let mut voyage = Voyage::new(72);
    voyage.plan.timeout = Duration::MAX;
    let endless = Task {
        banner: Some("never".parse().unwrap()),
        banner_within: Duration::MAX,
        stays_open: Duration::MAX,
        ..Task::NOTHING
    };
    voyage.plan.tasks = vec![Task::NOTHING, endless];
    voyage.meet(false, Kind::Silent, 0);
    voyage.meet(false, Kind::Accepts, 0);
    voyage.meet(false, Kind::ClosesFirst(Duration::from_secs(7200)), 1);
    let done = voyage.run();
    assert_eq!(voyage.outcome(0), &Outcome::Silent { heard: false });
    assert_eq!((voyage.outcome(1), voyage.outcome(2)), (&CLOSED, &CLOSED));
    assert_eq!(voyage.told(2).stayed_open, Some(false));
    assert!(done.duration > Duration::from_secs(7200));
}

/// Hours and days pass: no timer is lost in a wheel that has turned many times.
#[test]
fn waits_of_hours_and_days_end_in_time() {
    for hours in [1, 5, 19, 50] {
        let mut voyage = Voyage::new(73);
        let stays_open = Duration::from_secs(hours * 3600);
        voyage.plan.tasks = vec![Task { stays_open, ..Task::NOTHING }];
        for _ in 0..3 {
            voyage.meet(false, Kind::Accepts, 0);
        }
        let done = voyage.run();
        let late = done.duration.checked_sub(stays_open).unwrap();
        assert!(late < Duration::from_millis(200), "{late:?} after {hours} hours");
        assert!(
            voyage.books.told.iter().all(|told| told.outcome == CLOSED && told.stayed_open == Some(true))
        );
    }
}

/// No end to the retries but the user's patience.
#[test]
fn unlimited_retries_end_with_patience() {
    let mut voyage = Voyage::new(73);
    voyage.plan.parameters.retries = Retries::Unlimited;
    voyage.plan.timeout = Duration::from_secs(3 * 3600);
    voyage.meet(false, Kind::Silent, 0);
    let done = voyage.run();
    assert_eq!(voyage.outcome(0), &Outcome::Silent { heard: false });
    assert_eq!(done.duration.as_secs(), 3 * 3600);
    assert!(voyage.told(0).syns > 100, "{}", voyage.told(0).syns);
}

/// The time of a packet is when it came, not when it was read.
#[test]
fn the_round_trip_does_not_count_the_time_until_a_packet_is_read() {
    let mut voyage = Voyage::new(74);
    voyage.world.borrow_mut().reads_after = Duration::from_micros(700);
    for _ in 0..5 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.run();
    let rtts: Vec<_> = voyage.books.told.iter().map(|told| told.rtt.unwrap().as_micros()).collect();
    assert_eq!(rtts, [20_000; 5]);
}

#[test]
fn timestamps_and_congestion_notification_do_not_disturb() {
    let mut voyage = Voyage::new(75);
    let offer = Offer::USUAL | Offer::TIMESTAMPS | Offer::ECN;
    voyage.plan.tasks = vec![Task { offer, ..Task::NOTHING }];
    voyage.retries(12);
    voyage.plan.timeout = Duration::from_secs(2000);
    (voyage.world.borrow_mut().out.lost, voyage.world.borrow_mut().back.lost) = (20, 20);
    for n in 0..100 {
        voyage.meet(n % 2 == 0, Kind::Twice, 0);
    }
    voyage.run();
    assert!(voyage.books.told.iter().all(|told| told.outcome == CLOSED));
    for told in &voyage.books.told {
        assert_told_again(told);
    }
    assert_nobody_is_left(&voyage);
}

/// RFC 5927: once it is open, no ICMP error ends it, whatever it quotes.
#[test]
fn no_icmp_error_ends_what_is_open() {
    for v6 in [false, true] {
        let mut voyage = Voyage::new(76);
        voyage.plan.tasks = vec![Task { stays_open: Duration::from_secs(3), ..Task::NOTHING }];
        let remote = voyage.meet(v6, Kind::Accepts, 0);
        let mut probe = Voyage::new(76); // the same keys and time: the same number
        probe.meet(v6, Kind::Accepts, 0);
        probe.run();
        let syn = probe.sent()[0].1.clone();
        let kind = if v6 { (1, 4) } else { (3, 3) };
        for ahead in 0..3 {
            let quoted = Segment { seq: syn.segment.seq + ahead, ..Segment::default() };
            let error = icmp(remote.ip(), syn.from.ip(), kind, &write(syn.from, remote, &quoted, b""));
            voyage.world.borrow_mut().inject(moment(2000 + u64::from(ahead)), error);
        }
        voyage.run();
        assert_eq!((voyage.outcome(0), voyage.told(0).stayed_open), (&CLOSED, Some(true)));
    }
}

/// A task that is not there is nothing to do, and a path of another family ends only its own exchange.
#[test]
fn errands_that_make_no_sense_harm_nobody_else() {
    let mut voyage = Voyage::new(77);
    voyage.meet(false, Kind::Accepts, 77);
    voyage.meet(false, Kind::Accepts, 0);
    voyage.run();
    assert_eq!((voyage.outcome(0), voyage.outcome(1)), (&CLOSED, &CLOSED));
}

/// Two addresses of ours, and the same ports at both: a segment to one of them is none of the other's connections.
#[test]
fn two_addresses_of_ours_are_kept_apart() {
    let stays = || {
        let mut voyage = Voyage::new(78);
        voyage.plan.tasks = vec![Task { stays_open: Duration::from_secs(3), ..Task::NOTHING }];
        voyage.meet(false, Kind::Accepts, 0);
        voyage.meet(false, Kind::Silent, 0);
        voyage.books.errands[1].path.local = "10.99.0.7".parse().unwrap();
        voyage
    };
    let mut probe = stays();
    probe.run(); // the same seed: the same numbers
    let syn_ack = probe.received()[0].1.clone();
    let seq = syn_ack.segment.seq + 1;
    let reset = Segment { seq, flags: tcpshake::tcp::Flags::RST, ..Segment::default() };
    let other = SocketAddr::new("10.99.0.7".parse().unwrap(), syn_ack.to.port());
    let mut voyage = stays();
    voyage.world.borrow_mut().inject(moment(2000), write(syn_ack.from, other, &reset, b""));
    voyage.run();
    assert_eq!((voyage.outcome(0), voyage.told(0).stayed_open), (&CLOSED, Some(true)));
}
