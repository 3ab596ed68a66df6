//! Whole exchanges over a wire that loses, doubles and reorders: groups B, F and H.

use std::time::Duration;

use tcpshake::tcp::{Origin, Parameters, Retries, State as S};

use crate::exchanges::{ended, open_in};
use crate::support::*;
use crate::world::{End::A, End::B, LATENCY, World};

/// H-08: simultaneous close, one of the two ACKs lost: both end.
#[test]
fn h08_simultaneous_close_ack_lost() {
    for lossy in [A, B] {
        let n = if lossy == A { 3 } else { 2 };
        let mut world = open_in(World::new(WRAP, &parameters()).losing(lossy, n));
        world.close(A);
        world.close(B);
        world.run(Duration::from_secs(3));
        assert_eq!(world.state(), (S::TimeWait, S::TimeWait), "{lossy:?} {:?}", world.sent);
        ended(&mut world);
    }
}

/// F-02, F-03: the same with any one of the first six segments lost.
#[test]
fn f02_f03_simultaneous_open_with_a_loss() {
    for (end, n) in [A, B].into_iter().flat_map(|end| (0..3).map(move |n| (end, n))) {
        let mut world = World::new(WRAP, &parameters()).losing(end, n);
        world.open(A, Origin::Active);
        world.open(B, Origin::Active);
        world.run(Duration::from_secs(8));
        assert_eq!(world.state(), (S::Established, S::Established), "{end:?} {n}: {:?}", world.sent);
        assert!(!world.sent.iter().any(|line| line.contains(" R")), "{:?}", world.sent);
        world.send(A, 10);
        world.send(B, 20);
        world.settle();
        assert_eq!(world.taken, [20, 10], "{end:?} {n}");
    }
}

/// B-01, B-02, B-03, B-04, B-05, H-01, H-02, H-03, H-04: any one segment of a whole exchange lost: the same end.
#[test]
fn b01_b05_h01_h04_any_one_segment_lost() {
    for (end, n) in [A, B].into_iter().flat_map(|end| (0..8).map(move |n| (end, n))) {
        let mut world = open_in(World::new(WRAP, &parameters()).losing(end, n));
        world.run(Duration::from_secs(4));
        world.send(A, 700);
        world.send(B, 1500);
        world.run(Duration::from_secs(9));
        world.close(A);
        world.run(Duration::from_secs(4));
        world.close(B);
        world.run(Duration::from_secs(4));
        assert_eq!(world.taken, [1500, 700], "{end:?} {n}: {:?}", world.sent);
        assert_eq!(world.state(), (S::TimeWait, S::Closed), "{end:?} {n}: {:?}", world.sent);
    }
}

/// B-13: every segment arrives twice: the same states, the same text.
#[test]
fn b13_everything_twice() {
    for place in everywhere() {
        let twice = vec![LATENCY, LATENCY + Duration::from_millis(1)];
        let mut world = open_in(World::new(place, &parameters()).wire(move |_, _| twice.clone()));
        world.send(A, 700);
        world.send(B, 300);
        world.settle();
        world.close(A);
        world.settle();
        world.close(B);
        world.settle();
        assert_eq!(world.taken, [300, 700]);
        // The second copy of the last ACK meets no connection at B, whose RST then ends TIME-WAIT.
        let walked = &world.states[0][2..];
        assert!(walked.starts_with(&[S::Established, S::FinWait1, S::FinWait2, S::TimeWait]), "{walked:?}");
        assert_eq!(world.states[1][3..], [S::Established, S::CloseWait, S::LastAck, S::Closed]);
    }
}

/// B-14: 30 % lost, 10 % doubled, all reordered: with patience all text arrives and both ends end.
#[test]
fn b14_lossy_wire_many_seeds() {
    let patient = Parameters { retries: Retries::Unlimited, ..parameters() };
    for seed in 0..150_u64 {
        let mut random = seed;
        let mut roll = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let place = everywhere().nth(seed as usize % 36).unwrap();
        let mut world = World::new(place, &patient).wire(move |_, _| {
            let copies = if roll(10) == 0 { 2 } else { 1 };
            let mut delays = Vec::new();
            for _ in 0..copies {
                let (lost, late) = (roll(10) < 3, roll(200));
                delays.extend((!lost).then(|| LATENCY + Duration::from_millis(late)));
            }
            delays
        });
        world.open(B, Origin::Passive);
        world.open(A, Origin::Active);
        world.run(Duration::from_secs(900));
        assert_eq!(world.state(), (S::Established, S::Established), "seed {seed}");
        world.send(A, 3000);
        world.send(B, 5000);
        world.close(A);
        world.run(Duration::from_secs(10800));
        assert_eq!(world.taken, [5000, 3000], "seed {seed}");
        world.close(B);
        // LAST-ACK may outlive TIME-WAIT; the RST that then answers its FIN ends it too.
        world.run(Duration::from_secs(7200));
        assert_eq!(world.state(), (S::Closed, S::Closed), "seed {seed}");
    }
}
