//! What the machine leaves out, and what it does instead: the decisions of `tcp`, seen from outside.

use std::time::Duration;

use tcpshake::tcp::{Clause as C, Flags, Offer, Opt, Origin, Parameters, Retries, State as S};

use crate::support::*;

/// MAY-5, MAY-6, MUST-24, MUST-25, MUST-26, MUST-27, MUST-28, MUST-29, SHLD-12: there are no keep-alives. Ten idle
/// hours pass without a timer and without a segment, and the connection is as it was.
#[test]
fn must_25_nothing_is_sent_while_idle() {
    let quiet: [(S, Build); 3] =
        [(S::Established, established), (S::CloseWait, close_wait), (S::FinWait2, fin_wait_2)];
    for (state, build) in quiet {
        for place in everywhere() {
            let mut rig = build(place);
            let before = rig.tcb;
            for _ in 0..10 {
                rig.now += Duration::from_secs(3600);
                assert_eq!((rig.tcb.deadline(), rig.tcb.on_timeout(rig.now)), (None, None), "{state}");
                assert_eq!(rig.tcb.transmit(rig.now), None, "{state}");
            }
            assert_eq!((rig.tcb.state(), rig.tcb.snd(), rig.tcb.rcv()), (state, before.snd(), before.rcv()));
        }
    }
}

/// MAY-1, SHLD-3: CLOSE ends our side alone: what comes after it is taken and acknowledged, not reset.
#[test]
fn may_1_shld_3_text_after_our_close_is_taken() {
    let open: Build = established;
    script(
        open,
        &[
            (close(), S::FinWait1, "F. 1 ack 1", C::Close),
            (ack(1, 1).text(10), S::FinWait1, ". 2 ack 11", C::TextAccepted),
            (ack(11, 2).text(10), S::FinWait2, ". 2 ack 21", C::TextAccepted),
        ],
    );
}

/// MAY-2, SHLD-4, I-05: not even a SYN with a newer timestamp and a higher number reopens from TIME-WAIT.
#[test]
fn may_2_shld_4_i05_a_syn_with_a_newer_timestamp_is_challenged() {
    let clock = |value| [Opt::Timestamps { value, echo: 0 }];
    let stamped = Parameters { offer: Offer::TIMESTAMPS, ..parameters() };
    for place in everywhere() {
        let opened = Rig::new(place, &stamped).open(Origin::Active).with(&[syn_ack(0, 1).opt(&clock(100))]);
        let closed = opened.with(&[close(), fin(1, 2).opt(&clock(101))]);
        for event in [syn(2), syn(1000), syn(50_000), syn(0)] {
            let mut rig = closed;
            let (reaction, out) = rig.on(event.opt(&clock(5000)));
            let challenged = [C::SynChallenged, C::SeqUnacceptable].contains(&reaction.clause);
            assert_eq!(
                (rig.tcb.state(), out.as_str(), challenged),
                (S::TimeWait, ". 2 ack 2", true),
                "{event:?}"
            );
        }
    }
}

/// SHLD-18, SHLD-19, MUST-40: no acknowledgment is delayed: each segment with text has one, without a timer.
#[test]
fn shld_18_shld_19_must_40_text_is_acknowledged_at_once() {
    for place in everywhere() {
        let mut rig = established(place);
        for n in 0..10 {
            assert_eq!(rig.on(ack(1 + 100 * n, 1).text(100)).1, format!(". 1 ack {}", 101 + 100 * n));
            assert_eq!(rig.tcb.deadline(), None);
        }
    }
}

/// MAY-17: a PSH that comes changes nothing.
#[test]
fn may_17_psh_is_no_news() {
    for place in everywhere() {
        let with = established(place).on(ack(1, 1).text(10).flag(Flags::PSH));
        assert_eq!(with, established(place).on(ack(1, 1).text(10)));
    }
}

/// MAY-14, MAY-15: there is nothing to push or to flush: what a call queues leaves with it, and has PSH.
#[test]
fn may_14_may_15_every_send_is_pushed() {
    for place in everywhere() {
        let mut rig = established(place);
        assert_eq!(rig.on(send(10)).1, "P. 1:11 ack 1");
        assert_eq!(rig.on(send(10)).1, "P. 11:21 ack 1");
    }
}

/// SHLD-9, SHLD-10, SHLD-11: every retransmission is an event of its own, the third among them; six of them make
/// the hundred seconds of R2, three, the default, a quarter of a minute.
#[test]
fn shld_9_shld_10_shld_11_retransmissions_are_told_one_by_one() {
    let given_up_after = |retries| {
        let mut rig = Rig::new(WRAP, &Parameters { retries, ..parameters() }).open(Origin::Active);
        let start = rig.now;
        let mut told = 0;
        loop {
            let (reaction, _) = rig.on(timeout(rig.wait()));
            if reaction.clause == C::RetransmissionLimit {
                return (told, (rig.now - start).as_secs());
            }
            told += 1;
            assert_eq!((reaction.clause, rig.tcb.retransmissions()), (C::RetransmissionTimeout, told));
        }
    };
    assert_eq!(given_up_after(Parameters::default().retries), (3, 15));
    assert_eq!(given_up_after(Retries::AtMost(6)), (6, 123));
}

/// SHLD-13: nothing of ours is urgent, whatever the peer's is.
#[test]
fn shld_13_no_segment_of_ours_has_urg() {
    let mut rig = established(WRAP);
    let reaction = rig.on(ack(1, 1).text(10).urg(5)).0;
    let sent = rig.tcb.send(10, rig.now).unwrap();
    for segment in [reaction.segment.unwrap(), sent.segment.unwrap()] {
        assert_eq!((segment.has(Flags::URG), segment.urgent), (false, 0));
    }
}
