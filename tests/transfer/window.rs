//! Our window, when the user does not read; and the peer's, when it closes, shrinks and opens.

use tcpshake::tcp::{Clause, Nagle, Opt, State, Timer, WindowSize};

use crate::rig::*;

/// A user that does not read: the window closes, and what comes then is refused.
fn full() -> Rig {
    let mut rig = Setup::new().open();
    rig.reads = false;
    let mut at = 1;
    while rig.stream.tcb().rcv().wnd > WindowSize::default() {
        rig.on(ack(at, 1).text(SMSS));
        at += SMSS;
        assert!(at < 4 * W, "the window never closes");
    }
    rig
}

/// SHLD-14: the right edge never moves back, however text comes: in order, behind gaps, read in between.
#[test]
fn shld_14_right_edge_never_moves_back() {
    for reads in [0, 1, 700, 3000] {
        let mut rig = Setup::new().open();
        rig.reads = false;
        let mut edge = rig.right_edge();
        for round in 0..40 {
            for seq in [1501, 1, 501, 1001] {
                rig.on(ack(seq + 2000 * round, 1).text(500));
                assert!(rig.right_edge() >= edge, "{} < {edge}", rig.right_edge());
                edge = rig.right_edge();
            }
            let unread = rig.stream.unread().len();
            if !rig.read(reads.min(unread)).is_empty() {
                assert!(rig.right_edge() >= edge);
                edge = rig.right_edge();
            }
        }
    }
}

/// With a scaled window the edge is told in steps: what is announced may fall short of it by less than one step
/// (RFC 7323 section 2.4), and never more.
#[test]
fn shld_14_right_edge_of_a_scaled_window() {
    let mut setup = Setup::new();
    setup.parameters.window = WindowSize::new(1 << 20);
    setup.peer = vec![Opt::SackPermitted, Opt::WindowScale(0)];
    let mut rig = setup.open();
    rig.reads = false;
    let mut edge = rig.right_edge();
    let step = 1 << 5;
    for n in 0..3000 {
        rig.on(ack(1 + 333 * n, 1).text(333));
        assert!(rig.right_edge() + step > edge, "{} after {edge}", rig.right_edge());
        edge = rig.right_edge().max(edge);
    }
}

/// What nobody reads is bounded by the window we offered; and a segment that came when all had been read.
#[test]
fn unread_text_is_bounded() {
    let rig = full();
    let unread = rig.stream.unread().len() as u32;
    assert!((W..=W + SMSS).contains(&unread), "{unread} unread, {W} offered");
    assert_eq!(rig.out[0].window.0, 0);
}

/// The same if the text comes behind a gap that is filled at last.
#[test]
fn unread_text_released_from_behind_a_gap_is_bounded() {
    let mut rig = Setup::new().open();
    rig.reads = false;
    for _ in 0..4 {
        let start = rig.stream.tcb().rcv().nxt - rig.setup.irs;
        for n in (0..W / SMSS).rev() {
            rig.on(ack(start as u32 + n * SMSS, 1).text(SMSS));
        }
    }
    let unread = rig.stream.unread().len() as u32;
    assert!((W..=2 * W).contains(&unread), "{unread} unread, {W} offered");
}

/// MUST-39, SWS: the window opens by a segment or half of all there is, not by a few octets.
#[test]
fn must_39_window_opens_by_a_worthwhile_step() {
    let mut rig = full();
    let over = rig.stream.unread().len() - W as usize;
    rig.read(over); // down to what was offered: not one octet is free yet
    for _ in 0..9 {
        assert_eq!(rig.read(100), "");
    }
    rig.read(100);
    assert_eq!(rig.out.len(), 1, "a segment's worth is free");
    assert!(u32::from(rig.out[0].window.0) >= SMSS);
    let nxt = rig.out[0].ack.0;
    assert_eq!(rig.on(ack(nxt, 1).text(SMSS)), format!(". 1 ack {}", nxt + SMSS));
}

/// MUST-39: of a small buffer half is worth telling of.
#[test]
fn must_39_window_smaller_than_a_segment() {
    let mut setup = Setup::new();
    setup.parameters.window = WindowSize::new(600);
    let mut rig = setup.open();
    rig.reads = false;
    rig.on(ack(1, 1).text(600));
    rig.on(ack(601, 1).text(600));
    assert_eq!(rig.out[0].window.0, 0);
    rig.read(600);
    assert_eq!(rig.read(299), "");
    assert_ne!(rig.read(1), "");
}

/// The peer probes our closed window, with an octet or none: each probe is answered, none is taken, and the
/// window is still closed (MUST-36's other side; J-12).
#[test]
fn must_66_probes_of_our_closed_window() {
    let mut rig = full();
    let nxt = rig.out[0].ack.0;
    for n in 0..100 {
        rig.pass(1000);
        assert_eq!(rig.on(ack(nxt, 1).text(1)), format!(". 1 ack {nxt}"), "probe {n}");
        assert_eq!(rig.out[0].window.0, 0);
        assert_eq!(rig.on(ack(nxt - 1, 1).text(1)), format!(". 1 ack {nxt}"));
    }
    assert_eq!(rig.stream.tcb().state(), State::Established);
}

/// MUST-66: ACKs are taken with the window closed: our own text is not held up.
#[test]
fn must_66_acknowledgments_at_our_closed_window() {
    let mut rig = full();
    let nxt = rig.out[0].ack.0;
    rig.sends(30);
    rig.on(ack(nxt, 1 + 10 * SMSS));
    assert_eq!(rig.numbers().first(), Some(&10));
}

/// J-12: keep-alive probes are answered, with and without an octet of garbage, and taken for nothing.
#[test]
fn j12_keep_alive_probes_are_answered() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).text(10));
    for _ in 0..50 {
        rig.pass(7_200_000);
        assert_eq!(rig.on(ack(10, 1)), ". 1 ack 11");
        assert_eq!(rig.on(ack(10, 1).text(1)), ". 1 ack 11");
    }
    assert_eq!(rig.taken, 10);
}

/// SHLD-17, MUST-35: what lies beyond a window that shrank is never acknowledged, for an hour: first it takes what
/// it has room for, then it is closed, and the connection stays.
#[test]
fn shld_17_must_35_what_lies_beyond_a_window_that_shrank_ends_nothing() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    rig.on(ack(1, 1).win(1500));
    rig.on(ack(1, 1501).win(0));
    let start = rig.now;
    while rig.now - start < std::time::Duration::from_secs(3600) {
        rig.timeout();
        assert_eq!(rig.out[0].seq.0, 1501, "the oldest, and nothing new: {}", rig.shown());
        rig.on(ack(1, 1501).win(0));
    }
    assert_eq!(rig.stream.tcb().state(), State::Established);
    rig.on(ack(1, 1501));
    assert_eq!(rig.out[0].seq.0, 1501, "open again: what it had no room for comes first");
}

/// J-13, MUST-34: a FIN that a window which shrank had no room for leaves once it has, and once only: what is sent again
/// in front of it does not carry it.
#[test]
fn j13_must_34_fin_behind_a_window_that_shrank_is_sent_once() {
    let mut rig = Setup::new().open();
    rig.sends(4);
    rig.on(ack(1, 1).win(2000));
    assert_eq!(rig.close(), "", "no room");
    assert_eq!(rig.expires(), [0]);
    assert_eq!(rig.on(ack(1, 1001).win(2000)), ". 1001:2001 ack 1, . 2001:3001 ack 1");
    assert_eq!(rig.on(ack(1, 2001).win(2000)), "P. 3001:4001 ack 1, F. 4001 ack 1");
    assert_eq!(rig.on(ack(1, 4002).win(2000)), "");
    assert_eq!(rig.stream.tcb().state(), State::FinWait2);
}

/// MAY-8: our window stays closed for as long as nobody reads, and every probe is answered.
#[test]
fn may_8_our_window_stays_closed_while_nobody_reads() {
    let mut rig = full();
    let nxt = rig.out[0].ack.0;
    for _ in 0..1000 {
        rig.pass(60_000);
        assert_eq!(rig.on(ack(nxt, 1).text(1)), format!(". 1 ack {nxt}"));
        assert_eq!(rig.out[0].window.0, 0);
    }
}

/// J-08, MUST-36, MUST-37, SHLD-29, SHLD-30: an octet after an RTO, then at intervals that begin with an RTO and
/// double, as long as the peer answers.
#[test]
fn j08_must_36_must_37_peer_window_closed_for_an_hour() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).win(0));
    assert_eq!(rig.send(5000), "");
    let mut waits = Vec::new();
    while waits.iter().sum::<u64>() < 3_600_000 {
        assert_eq!(rig.stream.tcb().deadline().unwrap().timer, Timer::Persist);
        waits.push(rig.timeout());
        assert_eq!((rig.shown().as_str(), rig.clause), (". 1:2 ack 1", Clause::ZeroWindowProbe));
        rig.on(ack(1, 1).win(0));
    }
    assert_eq!(waits[..5], [1000, 1000, 2000, 4000, 8000]);
    assert!(waits.iter().all(|wait| *wait <= 60_000));
}

/// J-09: the window opens, the announcement is lost: the next probe finds it open, and all of the text arrives.
#[test]
fn j09_probe_finds_the_window_open() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).win(0));
    rig.send(5000);
    rig.timeout();
    let full = ". 2:1002 ack 1, . 1002:2002 ack 1, . 2002:3002 ack 1, . 3002:4002 ack 1";
    assert_eq!(rig.on(ack(1, 2)), full);
    assert_eq!(rig.on(ack(1, 4002)), "P. 4002:5001 ack 1", "the short one by Nagle");
    rig.on(ack(1, 5001));
    assert_eq!(rig.stream.acknowledged(), 5000);
}

/// J-09: a peer that did not take the octet of the probe opens its window: the octet is sent again at once, not
/// when the timer of the probe, a minute by now, fires.
#[test]
fn j09_octet_of_a_refused_probe_does_not_wait_for_its_timer() {
    for refused in [0, 8] {
        let mut rig = Setup::new().open();
        rig.on(ack(1, 1).win(0));
        rig.send(1500);
        for _ in 0..refused {
            rig.timeout();
            rig.on(ack(1, 1).win(0));
        }
        rig.timeout();
        rig.on(ack(1, 1));
        assert!(rig.out.iter().any(|segment| segment.seq.0 == 1), "{refused} refused: {}", rig.shown());
    }
}

/// C-11, O-04: a SYN,ACK with a closed window: the text waits, and a probe goes out in time even if the peer's
/// announcement never comes.
#[test]
fn c11_o04_window_closed_from_the_beginning() {
    let mut setup = Setup::new();
    setup.window = 0;
    for before in [true, false] {
        let mut rig = setup.clone().syn_sent(0);
        if before {
            rig.send(500);
        }
        rig.opens(1);
        if !before {
            rig.send(500);
        }
        let deadline = rig.stream.tcb().deadline();
        assert_eq!(deadline.map(|deadline| deadline.timer), Some(Timer::Persist), "queued first: {before}");
        rig.timeout();
        assert_eq!(rig.shown(), ". 1:2 ack 1");
    }
}

/// The same with text on the SYN that the peer did not take, and for a passive open.
#[test]
fn c11_window_closed_from_the_beginning_for_text_on_the_syn_and_passive() {
    let mut setup = Setup::new();
    setup.window = 0;
    let mut rig = setup.syn_sent(500);
    rig.opens(1);
    assert!(rig.stream.tcb().deadline().is_some(), "active, text on the SYN");
    let mut rig = Setup::new().begin(tcpshake::tcp::Origin::Passive, 0);
    rig.on(from_peer(tcpshake::tcp::Flags::SYN, 0, 0).opt(Opt::Mss(1000)));
    rig.send(500);
    rig.on(ack(1, 1).win(0));
    assert!(rig.stream.tcb().deadline().is_some(), "passive");
}

/// J-10, MUST-34, SHLD-15: the window shrinks below what is under way: nothing new leaves, and when it opens the
/// rest does.
#[test]
fn j10_must_34_window_shrinks() {
    let mut rig = Setup::new().open();
    rig.sends(20); // ten are under way
    rig.on(ack(1, 1001).win(2000));
    assert_eq!(rig.numbers(), NONE);
    rig.timeout();
    assert_eq!(
        rig.out[0].seq.0, 1001,
        "what is under way is sent again, whatever the window (SHLD-16, MAY-7)"
    );
    rig.on(ack(1, 3001).win(2000));
    rig.on(ack(1, 10_001).win(60_000));
    assert!(rig.numbers().contains(&10));
}

/// J-10: a peer that closes and opens its window without end is sent the oldest segment once for each timeout, not for
/// each time it opens.
#[test]
fn j10_flapping_window_draws_a_segment_a_timeout() {
    let mut rig = Setup::new().open();
    rig.sends(5);
    for _ in 0..4 {
        let mut sent = 0;
        for _ in 0..1000 {
            rig.on(ack(1, 1).win(0));
            sent += rig.out.len();
            rig.on(ack(1, 1).win(60_000));
            sent += rig.out.len();
        }
        assert!(sent <= 1, "{sent} segments for a thousand openings");
        assert!(rig.timeout() <= 60_000);
        assert_eq!(rig.numbers(), [0]);
    }
}

/// RFC 9293 section 3.8.6.2.1, SWS: a window less than a segment is used at last, by what fits.
#[test]
fn must_38_small_window_is_used_after_a_while() {
    let mut rig = Setup { nagle: Nagle::Off, ..Setup::new() }.open();
    rig.on(ack(1, 1).win(300));
    assert_eq!(rig.send(5000), "");
    rig.timeout();
    assert_eq!((rig.shown().as_str(), rig.clause), (". 1:301 ack 1", Clause::SillyWindowTimeout));
}
