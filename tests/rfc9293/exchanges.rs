//! Whole exchanges, both ends ours: groups A, B, F, H, and G-15.

use std::time::Duration;

use tcpshake::tcp::{Flags, Origin, Segment, State as S, Tcb, UnscaledWindow};

use crate::support::*;
use crate::world::{End::A, End::B, LATENCY, World};

fn opened(place: Placement) -> World {
    open_in(World::new(place, &parameters()))
}

pub fn open_in(mut world: World) -> World {
    world.open(B, Origin::Passive);
    world.open(A, Origin::Active);
    world.settle();
    world
}

#[track_caller]
pub fn ended(world: &mut World) {
    world.run(Duration::from_secs(600));
    assert_eq!(world.state(), (S::Closed, S::Closed), "{:?}", world.sent);
}

/// three segments, and both know it within one and a half round trips.
#[test]
fn a01_a02_open() {
    for place in everywhere() {
        let mut world = opened(place);
        assert_eq!(world.transcript(), ["A S 0", "B S. 0 ack 1", "A . 1 ack 1"]);
        assert_eq!(world.state(), (S::Established, S::Established));
        assert_eq!(world.states[0], [S::Closed, S::SynSent, S::Established]);
        assert_eq!(world.states[1], [S::Closed, S::Listen, S::SynReceived, S::Established]);
        assert_eq!(world.tcb(A).smoothed_rtt(), Some(LATENCY * 2));
        assert_eq!(world.tcb(B).smoothed_rtt(), Some(LATENCY * 2));
    }
}

/// four segments; the active closer waits 2 MSL (MUST-13), the passive one does not.
#[test]
fn a03_a04_must_13_close() {
    for place in everywhere() {
        let mut world = opened(place);
        world.transcript();
        world.close(A);
        world.settle();
        assert_eq!(world.state(), (S::FinWait2, S::CloseWait));
        world.close(B);
        world.settle();
        assert_eq!(world.state(), (S::TimeWait, S::Closed));
        assert_eq!(world.transcript(), ["A F. 1 ack 1", "B . 1 ack 2", "B F. 1 ack 2", "A . 2 ack 2"]);
        world.run(Duration::from_secs(235));
        assert_eq!(world.state().0, S::TimeWait);
        ended(&mut world);
    }
}

/// three segments; the passive closer answers with its own FIN.
#[test]
fn a05_a06_close_in_three_segments() {
    for place in everywhere() {
        let mut world = opened(place);
        world.transcript();
        world.tcb(B).close_with_peer();
        world.close(A);
        world.settle();
        assert_eq!(world.transcript(), ["A F. 1 ack 1", "B F. 1 ack 2", "A . 2 ack 2"]);
        assert_eq!(world.state(), (S::TimeWait, S::Closed));
        assert_eq!(world.states[0][3..], [S::FinWait1, S::FinWait2, S::TimeWait]);
    }
}

/// H-06: both close at once, both wait.
#[test]
fn h06_simultaneous_close() {
    for place in everywhere() {
        let mut world = opened(place);
        world.transcript();
        world.close(A);
        world.close(B);
        world.settle();
        assert_eq!(world.transcript(), ["A F. 1 ack 1", "B F. 1 ack 1", "B . 2 ack 2", "A . 2 ack 2"]);
        assert_eq!(world.states[0][3..], [S::FinWait1, S::Closing, S::TimeWait]);
        assert_eq!(world.states[1][4..], [S::FinWait1, S::Closing, S::TimeWait]);
        ended(&mut world);
    }
}

/// MUST-10, F-01, A.2: simultaneous open within one and a half round trips, no RST, no ACK war.
#[test]
fn must_10_f01_simultaneous_open() {
    for place in everywhere() {
        let mut world = World::new(place, &parameters());
        world.open(A, Origin::Active);
        world.open(B, Origin::Active);
        world.run(LATENCY * 3);
        assert_eq!(world.state(), (S::Established, S::Established));
        let sent = world.transcript();
        assert_eq!(sent[..2], ["A S 0", "B S 0"]);
        assert!(sent[2..4].contains(&"A S. 0 ack 1".into()) && sent[2..4].contains(&"B S. 0 ack 1".into()));
        world.run(Duration::from_secs(30));
        let more: Vec<_> = sent[4..].iter().chain(&world.sent).collect();
        assert!(more.len() <= 2 && more.iter().all(|line| line.ends_with(". 1 ack 1")), "{more:?}");
        assert_eq!(world.states[0], [S::Closed, S::SynSent, S::SynReceived, S::Established]);
        assert_eq!(world.states[1], world.states[0]);
        world.send(A, 10);
        world.send(B, 20);
        world.settle();
        assert_eq!(world.taken, [20, 10]);
    }
}

/// F-05: RFC 9293 figure 9. A crashed and comes back; its SYN finds B still open.
#[test]
fn f05_half_open_discovered() {
    for place in everywhere() {
        let mut world = opened(place);
        world.send(A, 99);
        world.settle();
        world.transcript();
        *world.tcb(A) = Tcb::new(&parameters());
        world.states[0] = vec![S::Closed];
        world.at(A, |tcb, now| tcb.open(Origin::Active, place.iss + 400, now));
        world.run(LATENCY * 4);
        assert_eq!(world.transcript(), ["A S 400", "B . 1 ack 100", "A R 100"]);
        assert_eq!(world.state(), (S::SynSent, S::Closed));
        *world.tcb(B) = Tcb::new(&parameters());
        world.open(B, Origin::Passive);
        world.run(Duration::from_secs(2));
        assert_eq!(world.state(), (S::Established, S::Established));
        assert_eq!(world.transcript(), ["A S 400", "B S. 0 ack 401", "A . 401 ack 1"]);
    }
}

/// F-06: B crashed; A's text is answered by an exact RST.
#[test]
fn f06_half_open_text_is_reset() {
    let mut world = opened(WRAP);
    *world.tcb(B) = Tcb::new(&parameters());
    world.states[1] = vec![S::Closed];
    world.transcript();
    world.send(A, 10);
    world.settle();
    assert_eq!(world.transcript(), ["A P. 1:11 ack 1", "B R 1"]);
    assert_eq!(world.state().0, S::Closed);
}

/// H-09, H-10: half-close one way, text the other way, then the rest.
#[test]
fn h09_h10_half_close() {
    for place in everywhere() {
        let mut world = opened(place);
        world.close(A);
        world.settle();
        world.send(B, 10_000);
        world.run(Duration::from_secs(5));
        assert_eq!((world.state(), world.taken), ((S::FinWait2, S::CloseWait), [10_000, 0]));
        world.close(B);
        world.settle();
        assert_eq!(world.state(), (S::TimeWait, S::Closed));
    }
}

/// H-12: close with text still queued sends all of it before the FIN.
#[test]
fn h12_close_behind_queued_text() {
    for place in everywhere() {
        let mut world = opened(place);
        world.send(A, 30_000);
        world.close(A);
        assert_eq!(world.state().0, S::FinWait1);
        world.run(Duration::from_secs(20));
        assert_eq!((world.state(), world.taken), ((S::FinWait2, S::CloseWait), [0, 30_000]));
    }
}

/// M-05: the transcript of a whole exchange, in relative numbers, is the same wherever the numbers start.
#[test]
fn m05_transcripts_do_not_depend_on_the_initial_numbers() {
    let run = |place| {
        let mut world = opened(place);
        world.send(A, 1024);
        world.settle();
        world.send(B, 3000);
        world.settle();
        world.close(A);
        world.settle();
        world.close(B);
        ended(&mut world);
        world.transcript()
    };
    let expected = run(WRAP);
    assert!(expected.len() > 8);
    for place in everywhere() {
        assert_eq!(run(place), expected, "{place:?}");
    }
}

/// G-15: two ends that disagree about everything answer each other's ACKs; the throttle ends it.
#[test]
fn g15_ack_war_ends() {
    for place in everywhere() {
        let mut world = opened(place);
        // B was restored from an old image: both its sequence spaces are a megabyte off.
        let stale = Placement { iss: place.irs + 1_000_000, irs: place.iss + 1_000_000 };
        *world.tcb(B) = established(stale).tcb;
        world.transcript();
        let stray = Segment {
            seq: place.irs + 500_000,
            ack: place.iss + 1,
            flags: Flags::ACK,
            window: UnscaledWindow(100),
            ..Segment::default()
        };
        world.at(A, |tcb, now| Ok::<_, ()>(tcb.on_segment(&stray, now)));
        world.run(LATENCY * 60);
        assert!(world.sent.len() <= 21, "{} segments", world.sent.len());
        assert_eq!(world.state(), (S::Established, S::Established));
    }
}

/// H-20: the other end of an abort is told, whatever its state.
#[test]
fn h20_abort_reaches_the_peer() {
    for place in everywhere() {
        for closes in [&[][..], &[A], &[B]] {
            let mut world = opened(place);
            for end in closes {
                world.close(*end);
                world.settle();
            }
            world.at(A, |tcb, _| tcb.abort());
            world.settle();
            assert_eq!(world.state(), (S::Closed, S::Closed), "{closes:?}: {:?}", world.sent);
        }
    }
}

/// H-20: abort in SYN-RECEIVED sends the listener's caller, or the other caller, a RST it accepts.
#[test]
fn h20_abort_in_syn_received() {
    for place in everywhere() {
        let mut world = World::new(place, &parameters());
        world.open(B, Origin::Passive);
        world.open(A, Origin::Active);
        world.run(LATENCY);
        assert_eq!(world.state().1, S::SynReceived);
        world.at(B, |tcb, _| tcb.abort());
        world.settle();
        assert_eq!(world.state(), (S::Closed, S::Closed), "{:?}", world.sent);
    }
}
