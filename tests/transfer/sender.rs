//! What leaves when: silly windows, Nagle, PSH, and a close behind queued text.

use tcpshake::tcp::{CallError, Nagle, State, Stream};

use crate::rig::*;

/// SHLD-7, SHLD-27, MAY-16: a short segment waits while anything is under way, and goes with what came in between.
#[test]
fn shld_7_nagle() {
    let mut rig = Setup::new().open();
    assert_eq!(rig.send(10), "P. 1:11 ack 1", "nothing is under way");
    assert_eq!(rig.send(10), "");
    assert_eq!(rig.send(10), "");
    assert_eq!(rig.on(ack(1, 11)), "P. 11:31 ack 1");
    assert_eq!(rig.send(990), "");
    assert_eq!(rig.send(10), "P. 31:1031 ack 1", "a whole segment does not wait");
}

/// MUST-17: and without it, it leaves at once.
#[test]
fn must_17_nagle_off() {
    let mut rig = Setup { nagle: Nagle::Off, ..Setup::new() }.open();
    for n in 0..5 {
        assert_eq!(rig.send(10), format!("P. {}:{} ack 1", 1 + 10 * n, 11 + 10 * n));
    }
}

/// MUST-38: with a window that opens in little steps, no little segments.
#[test]
fn must_38_no_silly_segments() {
    let mut rig = Setup { nagle: Nagle::Off, ..Setup::new() }.open();
    rig.on(ack(1, 1).win(2000));
    assert_eq!(rig.sends(10), [0, 1]);
    for n in 1..10 {
        assert_eq!(rig.on(ack(1, 1 + 100 * n).win(2000)), "", "a window of {} octets", 100 * n);
    }
    assert_eq!(rig.on(ack(1, 1001).win(2000)), ". 2001:3001 ack 1");
}

/// MUST-38: half of the largest window the peer ever had is enough: it may never have room for a segment.
#[test]
fn must_38_half_of_the_largest_window_is_enough() {
    let mut rig = Setup { nagle: Nagle::Off, window: 600, ..Setup::new() }.open();
    assert_eq!(rig.send(5000), ". 1:601 ack 1");
    assert_eq!(rig.on(ack(1, 601).win(299)), "");
    assert_eq!(rig.on(ack(1, 601).win(300)), ". 601:901 ack 1");
}

/// MUST-60, MUST-61, SHLD-28: PSH on the last of what is queued, and on no other; segments as long as may be.
#[test]
fn must_60_must_61_psh_on_the_last_segment() {
    let mut rig = Setup::new().open();
    assert_eq!(rig.send(2500), ". 1:1001 ack 1, . 1001:2001 ack 1");
    assert_eq!(rig.on(ack(1, 2001)), "P. 2001:2501 ack 1");
}

/// SHLD-27: the text of many calls leaves in whole segments.
#[test]
fn shld_27_text_of_many_calls_is_joined() {
    let mut rig = Setup::new().open();
    let sent: Vec<String> = (0..250).map(|_| rig.send(10)).filter(|sent| !sent.is_empty()).collect();
    assert_eq!(sent, ["P. 1:11 ack 1", "P. 11:1011 ack 1", "P. 1011:2011 ack 1"]);
    assert_eq!(rig.on(ack(1, 2011)), "P. 2011:2501 ack 1");
}

/// MAY-1, SHLD-3, H-19: a close with text unread is no abort: it goes out as a FIN, and the text can still be read.
#[test]
fn h19_may_1_shld_3_close_with_unread_text_sends_a_fin() {
    let mut rig = Setup::new().open();
    rig.reads = false;
    rig.on(ack(1, 1).text(500));
    assert_eq!(rig.close(), "F. 1 ack 501");
    assert_eq!(rig.on(ack(501, 2).text(100)), ". 2 ack 601");
    assert_eq!((rig.stream.unread().len(), rig.stream.tcb().state()), (600, State::FinWait2));
    assert_eq!(rig.on(ack(1, 2).text(500)), ". 2 ack 601", "sent again: acknowledged again, not reset");
}

/// A close waits for nothing but goes behind all text; Nagle does not hold up the last of it.
#[test]
fn close_behind_queued_text() {
    let mut rig = Setup::new().open();
    rig.sends(14);
    rig.send(500);
    assert_eq!(rig.close(), "");
    assert_eq!(rig.stream.tcb().state(), State::FinWait1);
    let at = rig.now;
    assert_eq!(rig.stream.send(b"x", at), Err(CallError::Closing));
    let mut last = String::new();
    for next in 1..=10 {
        rig.acked_any(next);
        last = if rig.out.is_empty() { last } else { rig.shown() };
    }
    assert!(last.ends_with("FP. 14001:14501 ack 1"), "{last}");
    rig.on(ack(1, 14_502));
    assert_eq!(rig.stream.tcb().state(), State::FinWait2);
}

impl Rig {
    fn acked_any(&mut self, next: u32) {
        self.on(ack(1, 1 + next * SMSS));
    }
}

/// J-13: a close at a closed window: the FIN goes behind the text when there is room.
#[test]
fn j13_close_with_text_at_a_closed_window() {
    let mut rig = Setup::new().open();
    rig.on(ack(1, 1).win(0));
    rig.send(500);
    rig.close();
    rig.timeout();
    assert_eq!(rig.shown(), ". 1:2 ack 1");
    assert_eq!(rig.on(ack(1, 2)), "FP. 2:501 ack 1");
    rig.on(ack(1, 502));
    assert_eq!(rig.stream.tcb().state(), State::FinWait2);
}

/// MUST-61 and a bound: no more is taken than there is room for, and acknowledgments make room.
#[test]
fn queue_is_bounded() {
    let mut rig = Setup::new().open();
    let room = rig.stream.room();
    assert_eq!(room, Stream::QUEUE);
    rig.send(100_000);
    assert_eq!(rig.stream.queued(), 100_000);
    for n in 0..(room - 100_000) / 50_000 {
        rig.send(50_000);
        assert_eq!(rig.stream.room(), room - 150_000 - 50_000 * n);
    }
    let too_much = vec![0; rig.stream.room() + 1];
    let before = rig.stream.tcb().snd().end;
    assert_eq!(rig.stream.send(&too_much, rig.now), Err(CallError::InsufficientResources));
    assert_eq!(rig.stream.tcb().snd().end, before);
    let left = rig.stream.room();
    rig.acked(1);
    assert_eq!(rig.stream.room(), left + SMSS as usize);
    rig.send(rig.stream.room() as u32);
    assert_eq!(rig.stream.room(), 0);
}

/// Nothing of one peer reaches the next: text for one that never completed the open is gone with it.
#[test]
fn text_for_a_peer_that_never_opened_does_not_reach_the_next() {
    use tcpshake::tcp::{Flags, Opt, Origin, Retries};
    let syn = || from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000));
    let mut setup = Setup::new();
    setup.parameters.retries = Retries::AtMost(1);
    for by_reset in [true, false] {
        let mut rig = setup.clone().begin(Origin::Passive, 0);
        rig.on(syn());
        let now = rig.now;
        let _ = rig.stream.send(b"for the first", now).unwrap();
        if by_reset {
            rig.on(from_peer(Flags::RST, 1, 0));
        } else {
            rig.timeout();
            rig.timeout();
        }
        assert_eq!(rig.stream.tcb().state(), State::Listen);
        rig.setup.iss = rig.stream.tcb().snd().iss; // it has another for the next
        rig.on(syn());
        rig.on(ack(1, 1));
        assert_eq!(rig.send(20), "P. 1:21 ack 1", "and the octets are the new ones"); // the rig compares them
    }
}
