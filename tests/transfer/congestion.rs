//! How much may be under way: RFC 5681, RFC 6928. Seen from outside, by what leaves.

use tcpshake::tcp::Origin;

use crate::rig::*;

fn range(from: u32, to: u32) -> Vec<u32> {
    (from..to).collect()
}

/// RFC 6928 section 2: ten segments, and not one more before the first acknowledgment.
#[test]
fn must_19_initial_window_of_ten_segments() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let mut rig = setup.open();
        assert_eq!(rig.sends(30), range(0, 10));
        assert!(rig.sends(10).is_empty());
    }
}

/// RFC 6928 section 2: min(10 MSS, max(2 MSS, 14600)), here with segments of 9000 octets.
#[test]
fn must_19_initial_window_of_large_segments() {
    let mut setup = Setup::new();
    setup.parameters.mss = tcpshake::tcp::Mss::new(9000).unwrap();
    setup.peer_mss = 9000;
    let mut rig = setup.open();
    rig.send(100_000);
    let octets: u32 = rig.out.iter().map(|segment| segment.text_len).sum();
    assert_eq!(octets, 18_000, "two segments, though that is more than 14,600 octets");
}

/// RFC 5681 section 3.1: one segment if the SYN was lost, told by the clock or by a timestamp.
#[test]
fn must_19_initial_window_of_one_segment_after_a_lost_syn() {
    let mut rig = Setup::new().syn_sent(0);
    rig.timeout();
    let mut rig = rig.after(100);
    rig.opens(1);
    assert_eq!(rig.sends(30), [0]);
    assert_eq!(rig.acked(1), [1, 2], "and slow start from there");
}

#[test]
fn must_19_initial_window_of_one_segment_after_a_lost_syn_with_timestamps() {
    let mut setup = Setup::with_timestamps(7);
    setup.peer_mss += 12; // whole segments of a thousand octets
    setup.parameters.mss = tcpshake::tcp::Mss::new(SMSS as u16 + 12).unwrap();
    let mut rig = setup.syn_sent(0);
    rig.timeout();
    let echo = rig.out[0].options.timestamps().unwrap().value;
    let mut rig = rig.after(100);
    rig.setup.peer[1] = tcpshake::tcp::Opt::Timestamps { value: 7, echo };
    rig.opens(1);
    assert_eq!(rig.sends(30), [0]);
}

/// The same for a SYN,ACK.
#[test]
fn must_19_initial_window_of_one_segment_after_a_lost_syn_ack() {
    let mut rig = Setup::new().begin(Origin::Passive, 0);
    rig.on(from_peer(tcpshake::tcp::Flags::SYN, 0, 0));
    rig.timeout();
    rig.on(ack(1, 1));
    rig.send(30_000);
    assert_eq!(rig.out.len(), 1);
}

/// RFC 5681 section 3.1: each acknowledgment of a segment lets two leave; the window doubles in a round trip.
#[test]
fn must_19_slow_start_doubles_each_round_trip() {
    let mut rig = Setup::new().open();
    let mut flight = rig.sends(60).len();
    let mut next = 0;
    for _ in 0..2 {
        let mut sent = 0;
        for _ in 0..flight {
            next += 1;
            let n = rig.acked(next).len();
            assert!(n <= 2, "{n} segments for one acknowledgment");
            sent += n;
        }
        assert_eq!(sent, 2 * flight);
        flight = sent;
        rig.send(60 * SMSS);
    }
}

/// RFC 5681 section 3.1: an acknowledgment of many segments widens by one only (equation 2), so that a peer
/// cannot gain by what it acknowledges at once; nor by acknowledging a segment in pieces.
#[test]
fn must_19_slow_start_widens_by_a_segment_an_acknowledgment() {
    let mut rig = Setup::new().open();
    rig.sends(100);
    assert_eq!(rig.acked(10), range(10, 21), "ten were acknowledged, eleven may be under way");
    let mut rig = Setup::new().open();
    rig.sends(100);
    let mut sent = 0;
    for piece in 1..=100 {
        rig.on(ack(1, 1 + 10 * piece));
        sent += rig.numbers().len();
    }
    assert!(sent <= 2, "{sent} segments for one acknowledged in a hundred pieces");
}

/// A connection in congestion avoidance with five segments allowed: ten were under way when the first was lost.
fn avoiding(setup: Setup) -> Rig {
    let with_sack = !setup.peer.is_empty();
    let mut rig = setup.open();
    rig.sends(10);
    for dup in 1..=9 {
        if with_sack {
            rig.sacked(0, &[(1, 1 + dup)])
        } else {
            rig.acked(0)
        };
    }
    rig.acked(10);
    rig
}

/// RFC 5681 section 3.2 step 6, equation 4: after the recovery half of what was under way.
#[test]
fn must_19_window_halves_after_fast_retransmit() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let mut rig = avoiding(setup);
        assert_eq!(rig.sends(30), range(10, 15));
    }
}

/// RFC 5681 section 3.1: congestion avoidance widens by a segment a round trip.
#[test]
fn must_19_congestion_avoidance_widens_by_a_segment_a_round_trip() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let mut rig = avoiding(setup);
        let mut flight = rig.sends(60).len() as u32;
        let mut next = 10;
        for _ in 0..4 {
            let mut sent = 0;
            for _ in 0..flight {
                next += 1;
                sent += rig.acked(next).len() as u32;
            }
            assert!((flight..=flight + 1).contains(&sent), "{flight} then {sent}");
            flight = sent;
        }
        assert!((8..=9).contains(&flight), "after four round trips: {flight}");
    }
}

/// RFC 5681 section 3.1: what is acknowledged beyond a window's worth counts towards the next segment.
#[test]
fn must_19_congestion_avoidance_forgets_no_octet() {
    let mut rig = avoiding(Setup::new());
    assert_eq!(rig.sends(60), range(10, 15));
    assert_eq!(rig.acked(14), range(15, 19), "four of five are acknowledged");
    assert_eq!(rig.acked(18), range(19, 24), "eight: three more than five");
    assert_eq!(rig.acked(20), range(24, 26), "five of six");
    assert_eq!(rig.acked(21), range(26, 28), "six");
}

/// RFC 5681 section 3.1: after a timeout one segment; slow start to half of what was under way, avoidance from
/// there.
#[test]
fn must_19_one_segment_after_a_timeout_and_slow_start_to_half() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let mut rig = setup.open();
        rig.sends(60);
        assert_eq!(rig.expires(), [0], "one segment, the oldest");
        assert_eq!(rig.acked(1), [1, 2], "two");
        let mut sent = [rig.acked(2), rig.acked(3)].concat();
        assert_eq!(sent, [3, 4, 5, 6], "four");
        sent = (4..=7).flat_map(|next| rig.acked(next)).collect();
        assert!((5..=6).contains(&sent.len()), "beyond half of ten it is no longer slow start: {sent:?}");
    }
}

/// RFC 5681 section 3.1: ssthresh stays when the same segment times out again.
#[test]
fn must_19_second_timeout_does_not_halve_again() {
    let mut rig = Setup::new().open();
    rig.sends(60);
    for _ in 0..3 {
        assert_eq!(rig.expires(), [0]);
    }
    rig.acked(1);
    rig.acked(2);
    assert_eq!(rig.acked(3).len(), 2, "still slow start at three segments: half of ten is five");
}

/// RFC 5681 section 4.3: a timeout of what was sent again after another, and not by the timer, is a sign of its own.
#[test]
fn must_19_timeout_after_progress_halves_again() {
    let mut rig = Setup::new().open();
    rig.sends(60);
    assert_eq!(rig.expires(), [0]);
    assert_eq!(rig.acked(6), [6, 7]);
    assert_eq!(rig.expires(), [6]);
    assert_eq!(rig.acked(7), [7, 8]);
    assert_eq!(rig.acked(8), [9], "no longer slow start at two segments: half of four");
}

/// RFC 5681 section 3.1, N-07: what goes out again because the path is narrow is not sent again by the timer; the first
/// timeout behind that halves like any other.
#[test]
fn n07_must_19_first_timeout_behind_a_narrow_path_halves() {
    const NARROW: u32 = SMSS / 2;
    let mut rig = Setup::new().open();
    rig.sends(60);
    let mss = tcpshake::tcp::Mss::new(NARROW as u16).unwrap();
    rig.event(|stream, now| {
        stream.note_narrow_path(mss);
        stream.transmit(now).unwrap()
    });
    rig.timeout();
    let mut sent = (1..20).map(|segments| {
        rig.on(ack(1, 1 + segments * NARROW));
        rig.out.len()
    });
    assert_eq!(sent.by_ref().take(9).collect::<Vec<_>>(), [2; 9], "slow start to half of twenty");
    let more: usize = sent.sum();
    assert!((10..=11).contains(&more), "{more} segments for ten acknowledgments");
}

/// RFC 5681 section 4.1: a connection that has sent no text for longer than an RTO starts with the initial window again,
/// whatever it has received meanwhile.
#[test]
fn must_19_idle_connection_restarts_with_the_initial_window() {
    for (idle, at_once) in [(1000, 50), (1001, 10), (60_000, 10)] {
        let mut rig = Setup::new().open();
        rig.pass(5000);
        rig.sends(40);
        for next in 1..=40 {
            rig.acked(next);
        }
        rig.pass(idle - 1);
        rig.on(ack(1, 1 + 40 * SMSS).text(100));
        rig.pass(1);
        rig.peer_seq = 101;
        assert_eq!(rig.sends(60).len(), at_once, "after {idle} ms");
    }
}
