//! Every kind of peer leads to its verdict.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::record::{Ending, Missing, Outcome};
use tcpshake::tcp::{Flags, State};

use crate::harness::Voyage;
use crate::peers::Kind;
use crate::smoltcp_peer::{ADDRESS, PORT, Smoltcp};

pub(crate) const CLOSED: Outcome = Outcome::Completed(Ending::Closed);

fn crowd(v6: bool) -> Voyage {
    let unreachable = if v6 { Kind::Unreachable(1, 1) } else { Kind::Unreachable(3, 13) };
    let may_pass = if v6 { Kind::Unreachable(1, 0) } else { Kind::Unreachable(3, 1) };
    let mut voyage = Voyage::new(1);
    for _ in 0..20 {
        for kind in [
            Kind::Accepts,
            Kind::Refuses,
            Kind::Silent,
            unreachable.clone(),
            may_pass.clone(),
            Kind::ClosesFirst(Duration::ZERO),
            Kind::NeverCloses,
            Kind::Twice,
            Kind::ResetsOnFin,
        ] {
            voyage.meet(v6, kind, 0);
        }
    }
    voyage
}

fn assert_verdicts(v6: bool) {
    let mut voyage = crowd(v6);
    let done = voyage.run();
    assert_eq!((done.signal, done.packets_lost, done.backed_off, done.kernel_resets), (None, 0, 0, 0));
    assert_eq!(voyage.books.told.len(), 180);
    for told in &voyage.books.told {
        let outcome = &told.outcome;
        let right = match told.target % 9 {
            0 | 5 | 7 => *outcome == CLOSED,
            1 => *outcome == Outcome::Refused,
            2 => *outcome == Outcome::Silent { heard: false },
            3 => matches!(outcome, Outcome::Unreachable(error) if error.code == if v6 { 1 } else { 13 }),
            4 => matches!(outcome, Outcome::Unreachable(_) | Outcome::Silent { .. }),
            6 => is_incomplete(outcome, Missing::PeerFin),
            _ => matches!(outcome, Outcome::ResetAfterOpening { .. } | Outcome::CloseIncomplete { .. }),
        };
        assert!(right, "{told:?}");
        let opened = matches!(told.target % 9, 0 | 5 | 6 | 7 | 8);
        assert_eq!(told.announced.is_some(), opened, "{told:?}");
        assert_eq!(told.rtt.is_some(), opened, "{told:?}");
        if !matches!(told.target % 9, 2 | 4) {
            assert_eq!((told.syns, told.syns_lost), (1, 0), "{told:?}");
        }
        assert_eq!((told.text.as_slice(), told.banner_came, told.stayed_open), (&b""[..], None, None));
    }
    let last = voyage.books.told.iter().map(|told| told.at).max().unwrap();
    let first = voyage.sent()[0].0;
    assert_eq!(done.duration, last - first);
}

fn is_incomplete(outcome: &Outcome, what: Missing) -> bool {
    matches!(outcome, Outcome::CloseIncomplete { state: State::FinWait2, missing } if *missing == what)
}

#[test]
fn each_kind_of_peer_has_its_verdict() {
    assert_verdicts(false);
}

#[test]
fn each_kind_of_peer_has_its_verdict_over_ipv6() {
    assert_verdicts(true);
}

/// A silent peer is tried as often as allowed, at 0, 1, 3 and 7 seconds, and all of that is told.
#[test]
fn silence_takes_all_retries() {
    let mut voyage = Voyage::new(1);
    voyage.plan.timeout = Duration::from_secs(60);
    voyage.meet(false, Kind::Silent, 0);
    voyage.run();
    let told = voyage.told(0);
    assert_eq!((told.syns, told.syns_lost, told.retransmissions), (4, 4, 3));
    let begun = voyage.sent()[0].0;
    let at: Vec<u128> = voyage.sent().iter().map(|(at, _)| at.since(begun).as_millis() / 50).collect();
    assert_eq!(at, [0, 20, 60, 140]);
}

/// Patience ends an open before the retries do.
#[test]
fn patience_ends_an_open() {
    let mut voyage = Voyage::new(1);
    voyage.plan.timeout = Duration::from_millis(2500);
    voyage.meet(false, Kind::Silent, 0);
    let done = voyage.run();
    assert_eq!(voyage.outcome(0), &Outcome::Silent { heard: false });
    assert!((2500..2600).contains(&done.duration.as_millis()), "{done:?}");
    assert_eq!(voyage.told(0).syns, 2);
}

/// A peer that has opened is not left with its connection: who gives up says so by a RST.
#[test]
fn who_gives_up_on_an_open_connection_resets_it() {
    let mut voyage = Voyage::new(1);
    let remote = voyage.meet(false, Kind::NeverCloses, 0);
    voyage.run();
    let told = voyage.told(0).clone();
    assert!(voyage.sent().iter().any(|(_, seen)| seen.to == remote && seen.segment.has(Flags::RST)));
    voyage.world.borrow_mut().run_out();
    assert_eq!(voyage.world.borrow().state_of(told.tuple), State::Closed);
}

/// Nothing to do is done at once.
#[test]
fn no_errands_no_packets() {
    let mut voyage = Voyage::new(1);
    let done = voyage.run();
    assert_eq!((done.duration, voyage.sent().len(), voyage.books.calls), (Duration::ZERO, 0, 1));
}

/// Against a TCP that nobody here wrote, also where packets are lost, doubled and late; but it gets each SYN once, as
/// it would take the second for another connection, with another of its sockets.
#[test]
fn smoltcp_is_opened_and_closed() {
    for lost in [0, 20] {
        let mut voyage = Voyage::new(77);
        {
            let mut world = voyage.world.borrow_mut();
            world.smoltcp = Some(Smoltcp::new(60, world.now));
            (world.out.lost, world.back.twice, world.out.late) = (lost, lost, lost);
        }
        voyage.plan.timeout = Duration::from_secs(600);
        voyage.retries(12);
        for _ in 0..50 {
            voyage.visit(SocketAddr::from((ADDRESS, PORT)), 0);
        }
        voyage.run();
        for told in &voyage.books.told {
            assert_eq!(told.outcome, CLOSED, "{told:?}");
        }
        voyage.world.borrow_mut().run_out();
        assert_eq!(voyage.world.borrow().smoltcp.as_ref().unwrap().open(), 0);
    }
}
