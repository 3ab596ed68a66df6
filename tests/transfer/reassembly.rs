//! Text behind gaps, in pieces, twice, and beyond the window; the FIN behind it; SACK blocks that tell of it.

use tcpshake::tcp::{Clause, Flags, SeqNum, State};

use crate::pattern::pattern;
use crate::rig::*;

/// A peer's segment, counted in whole ones from 0.
fn segment(n: u32) -> From {
    ack(1 + n * SMSS, 1).text(SMSS)
}

/// SHLD-31, MAY-13, MUST-58, MUST-59: held, and acknowledged together, once, when the gap is filled.
#[test]
fn shld_31_text_behind_a_gap_is_held() {
    use Clause::{TextAccepted, TextFillsGap, TextHeld};
    let mut rig = Setup::new().open();
    for (n, reply, clause) in [
        (1, ". 1 ack 1", TextHeld),
        (3, ". 1 ack 1", TextHeld),
        (0, ". 1 ack 2001", TextFillsGap),
        (2, ". 1 ack 4001", TextFillsGap),
        (4, ". 1 ack 5001", TextAccepted),
    ] {
        assert_eq!((&*rig.on(segment(n)), rig.clause), (reply, clause), "segment {n}");
    }
    assert_eq!(rig.taken, 5000);
}

/// MUST-58, MUST-59: whatever waits behind the gap, the peer's FIN and text of our own included, it is one segment that
/// acknowledges it.
#[test]
fn must_58_must_59_one_acknowledgment_for_all_that_waited() {
    let mut rig = Setup::new().open();
    rig.on(segment(9).fin());
    for n in (1..9).rev() {
        rig.on(segment(n));
    }
    assert_eq!(rig.on(segment(0)), ". 1 ack 10002");
    assert_eq!((rig.taken, rig.stream.tcb().state()), (10_000, State::CloseWait));

    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).win(0));
    assert_eq!(rig.send(100), "");
    assert_eq!(rig.on(segment(0)), "P. 1:101 ack 1001", "the acknowledgment goes with our text");
}

/// Every order of five pieces that overlap, each twice: the octets are right, and taken once.
#[test]
fn g16_overlaps_in_every_order() {
    const PIECES: [(u32, u32); 5] = [(1, 400), (300, 300), (500, 1), (450, 800), (1000, 500)];
    let mut order = [0, 1, 2, 3, 4];
    permute(&mut order, 0, &mut |order| {
        let mut rig = Setup::new().open();
        for at in order.iter().chain(order) {
            let (seq, len) = PIECES[*at];
            rig.on(ack(seq, 1).text(len));
        }
        assert_eq!(rig.taken, 1499, "{order:?}");
        assert_eq!(rig.stream.received(), 1499);
    });
}

fn permute(order: &mut [usize; 5], from: usize, each: &mut impl FnMut(&[usize; 5])) {
    if from == order.len() {
        return each(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        permute(order, from + 1, each);
        order.swap(from, other);
    }
}

/// G-16: of a segment that begins left of RCV.NXT only the new part is taken; what came first stands.
#[test]
fn g16_partial_overlap_takes_only_what_is_new() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).text(100));
    assert_eq!(rig.on(ack(51, 1).text(100)), ". 1 ack 151");
    assert_eq!(rig.on(ack(1, 1).text(150)), ". 1 ack 151", "all of it is old");
    assert_eq!(rig.taken, 150);
}

/// Text outside the window is trimmed, left and right, in order and behind a gap.
#[test]
fn text_is_trimmed_to_the_window() {
    let mut rig = Setup::new().open();
    rig.reads = false;
    rig.on(ack(W - 99, 1).text(500)); // the last hundred octets fit
    rig.on(ack(1, 1).text(W - 100));
    let received = rig.stream.received();
    assert_eq!(received, u64::from(W), "and not one beyond");
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).text(W + 500));
    assert_eq!(rig.taken, u64::from(W));
    let mut rig = Setup::new().open();
    assert_eq!(rig.on(ack(1 + W, 1).text(10)), ". 1 ack 1", "beyond the window: acknowledged, dropped");
    assert_eq!(rig.on(ack(1, 1).text(10)), ". 1 ack 11");
}

/// Every other octet arrives: what is remembered is bounded, and what was not can be sent again.
#[test]
fn shld_31_gaps_without_bound_are_not_remembered() {
    let mut rig = Setup::new().open();
    for n in 0..9999 {
        rig.on(ack(3 + 2 * n, 1).text(1));
    }
    rig.on(ack(1, 1).text(2));
    for n in 0..1000 {
        rig.on(ack(4 + 2 * n, 1).text(1)); // fills one gap
    }
    assert!((3..1000).contains(&rig.taken), "{} octets of 2000 arrived in order", rig.taken);
    let mut at = 1 + rig.taken as u32;
    while at < 19_000 {
        rig.on(ack(at, 1).text(SMSS));
        assert!(rig.taken as u32 >= at, "stuck at {at}");
        at = 1 + rig.taken as u32;
    }
}

/// H-13: a FIN behind a gap ends nothing before the gap is filled; it need not be sent again.
#[test]
fn h13_fin_held_behind_a_gap() {
    let mut rig = Setup::new().open();
    assert_eq!(rig.on(ack(101, 1).fin()), ". 1 ack 1");
    assert_eq!(rig.stream.tcb().state(), State::Established);
    assert_eq!(rig.on(ack(1, 1).text(100)), ". 1 ack 102");
    assert_eq!(rig.stream.tcb().state(), State::CloseWait);
    let mut rig = Setup::new().open();
    rig.on(ack(51, 1).text(50).fin());
    rig.on(ack(1, 1).text(50));
    assert_eq!((rig.stream.tcb().state(), rig.taken), (State::CloseWait, 100), "text and FIN in one");
}

/// H-13 in FIN-WAIT-1 and FIN-WAIT-2.
#[test]
fn h13_fin_held_behind_a_gap_after_our_close() {
    for (acked, end) in [(1, State::Closing), (2, State::TimeWait)] {
        let mut rig = Setup::new().open();
        rig.close();
        rig.on(ack(101, acked).fin());
        rig.on(ack(1, acked).text(100));
        assert_eq!(rig.stream.tcb().state(), end);
        assert_eq!(rig.taken, 100);
    }
}

/// What claims to lie beyond a FIN is none of the stream. (If text beyond it was there first, the peer has
/// contradicted itself, and no RFC says which of the two counts.)
#[test]
fn h16_text_beyond_a_held_fin_is_dropped() {
    let pieces = [ack(101, 1).fin(), ack(150, 1).text(50), ack(51, 1).text(100)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2]] {
        let mut rig = Setup::new().open();
        for n in order {
            rig.on(pieces[n]);
        }
        rig.on(ack(1, 1).text(100));
        rig.on(ack(101, 1).fin());
        assert_eq!(rig.stream.tcb().state(), State::CloseWait, "{order:?}");
    }
    let mut rig = Setup::new().open();
    rig.on(ack(101, 1).fin());
    rig.on(ack(1, 1).text(200));
    assert_eq!((rig.taken, rig.stream.tcb().state()), (100, State::CloseWait), "in order and beyond");
}

/// H-14: a FIN beyond the window is trimmed off, with the text there.
#[test]
fn h14_fin_beyond_the_window() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).text(W).fin());
    assert_eq!((rig.taken, rig.stream.tcb().state()), (u64::from(W), State::Established));
    assert_eq!(rig.on(ack(1 + W, 1).fin()), format!(". 1 ack {}", W + 2));
}

/// H-09: after our FIN the peer's text is still taken. H-11: a FIN with text.
#[test]
fn h09_h11_half_close_receives() {
    let mut rig = Setup::new().open();
    rig.close();
    rig.on(ack(1, 2));
    for n in (0..10).rev() {
        rig.on(ack(1 + n * SMSS, 2).text(SMSS));
    }
    assert_eq!(rig.on(ack(10_001, 2).text(100).fin()), ". 2 ack 10102");
    assert_eq!((rig.taken, rig.stream.tcb().state()), (10_100, State::TimeWait));
}

/// H-10: the peer has closed, and still receives.
#[test]
fn h10_text_in_close_wait() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).fin());
    rig.peer_seq = 2;
    assert_eq!(rig.sends(30).len(), 10);
    assert_eq!(rig.sacked(0, &[(1, 4)]), [0], "losses are mended here, too");
}

/// RFC 2018 section 4: the block of the segment that draws the acknowledgment stands first, joined with what it
/// meets; the others follow.
#[test]
fn sack_blocks_the_latest_first() {
    let mut rig = Setup::new().open();
    rig.on(segment(2));
    assert_eq!(blocks(&rig.out[0], &rig), [(2001, 3001)]);
    rig.on(segment(5));
    assert_eq!(blocks(&rig.out[0], &rig), [(5001, 6001), (2001, 3001)]);
    rig.on(segment(3));
    assert_eq!(blocks(&rig.out[0], &rig), [(2001, 4001), (5001, 6001)]);
    rig.on(segment(4));
    assert_eq!(blocks(&rig.out[0], &rig), [(2001, 6001)]);
    rig.on(segment(0));
    assert_eq!(rig.shown(), ". 1 ack 1001");
    assert_eq!(blocks(&rig.out[0], &rig), [(2001, 6001)], "one gap is left");
    rig.on(segment(1));
    assert_eq!(blocks(&rig.out[0], &rig), [], "none is left");
}

/// RFC 2018 section 4: the other blocks are those reported most recently, so that each is told several times.
#[test]
fn sack_blocks_the_others_by_how_recently_they_were_told() {
    let mut rig = Setup::new().open();
    for n in [2, 4, 6, 8, 10] {
        rig.on(segment(n));
    }
    let starts: Vec<u32> = blocks(&rig.out[0], &rig).iter().map(|(start, _)| start / SMSS).collect();
    assert_eq!(starts, [10, 8, 6, 4]);
}

/// RFC 2018 section 4: with something held every acknowledgment has blocks, also of what came before.
#[test]
fn sack_blocks_on_the_acknowledgment_of_a_duplicate() {
    let mut rig = Setup::new().open();
    rig.on(segment(0));
    rig.on(segment(2));
    rig.on(segment(0));
    assert_eq!(rig.shown(), ". 1 ack 1001");
    assert_eq!(blocks(&rig.out[0], &rig), [(2001, 3001)]);
}

/// K-14: no blocks for a peer that did not say it knows them.
#[test]
fn k14_no_sack_blocks_unless_agreed_on() {
    let mut rig = Setup::without_sack().open();
    rig.on(segment(2));
    assert!(rig.out[0].options.is_empty(), "{}", rig.out[0]);
}

/// RFC 2018 section 3, RFC 7323: with timestamps there is room for three blocks; they never exceed the header.
#[test]
fn sack_blocks_beside_timestamps() {
    let mut rig = Setup::with_timestamps(5).open();
    for n in [2, 4, 6, 8, 10] {
        rig.on(segment(n).ts(6 + n, 0));
    }
    assert_eq!(blocks(&rig.out[0], &rig).len(), 3);
    assert!(rig.out[0].options.timestamps().is_some());
}

/// MUST-30, MUST-31, MUST-32, MUST-33, MUST-62: the pointer is taken, whatever it points at; it only moves forward, and the text
/// is a stream as ever.
#[test]
fn must_30_must_31_must_32_must_33_must_62_urgent_pointer() {
    let mut rig = Setup::new().open();
    let up = |rig: &Rig| (rig.stream.tcb().rcv().up - rig.setup.irs) as u32;
    assert_eq!(rig.on(ack(1, 1).text(10).urg(5)), ". 1 ack 11");
    assert_eq!((up(&rig), rig.taken), (6, 10), "points behind the urgent text");
    rig.on(ack(11, 1).text(10).urg(60_000));
    assert_eq!(up(&rig), 60_011, "far beyond what has come");
    let rcv = rig.stream.tcb().rcv();
    assert_eq!(rcv.up - rcv.nxt, 59_990, "so much is urgent and still to come (MUST-33)");
    rig.on(ack(21, 1).text(10).urg(1));
    assert_eq!((up(&rig), rig.taken), (60_011, 30));
    rig.on(ack(31, 1).urg(0));
    rig.on(ack(131, 1).text(10).urg(7));
    rig.on(ack(31, 1).text(100));
    assert_eq!(rig.taken, 140, "held and released like any other");
}

/// The receiver drops text that comes without ACK, and text on a RST does not count as text.
#[test]
fn text_without_an_acknowledgment_is_dropped() {
    let mut rig = Setup::new().open();
    assert_eq!(rig.on(from_peer(Flags::PSH, 1, 0).text(10)), "");
    assert_eq!((rig.taken, rig.stream.unread().len()), (0, 0));
}

/// A caller that hands over less text than the segment's length says must not be read beyond.
#[test]
fn text_shorter_than_the_segment_says() {
    let mut rig = Setup::new().open();
    rig.reads = false;
    let segment = rig.absolute(ack(1, 1).text(100));
    rig.event(|stream, now| stream.on_segment(&segment, pattern(0, 50), now));
    assert!(rig.stream.unread().len() <= 100);
    assert_eq!(segment.seq, rig.setup.irs + SeqNum(1).0);
}
