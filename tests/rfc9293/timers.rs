//! RFC 6298, retries, probes, 3.10.8: groups B and J, in virtual time.
//!
//! `timeout(ms)` demands that the timer fires then, and not a nanosecond before (J-04).

use std::time::Duration;

use tcpshake::tcp::rto::Rto;
use tcpshake::tcp::{Clause as C, Origin, Parameters, Retries, State as S};

use crate::support::*;

const AGAIN: C = C::RetransmissionTimeout;

fn retrying(retries: Retries) -> Rig {
    Rig::new(WRAP, &Parameters { retries, ..parameters() })
}

/// B-01, B-02, J-02, RFC 6298 2.1 and 5.5: the same SYN after 1, 3, 7 s, then the end.
#[test]
fn b01_b02_j02_syn_sent_retransmission() {
    script(
        syn_sent,
        &[
            (timeout(1000), S::SynSent, "S 0", AGAIN),
            (timeout(2000), S::SynSent, "S 0", AGAIN),
            (timeout(4000), S::SynSent, "S 0", AGAIN),
            (timeout(8000), S::Closed, "", C::RetransmissionLimit),
        ],
    );
}

/// B-02: 1, 3, 7, 15, 31, 63 s; from there the cap of 60 s (RFC 6298 2.5). MUST-23: three minutes can be had.
#[test]
fn b02_must_23_syn_sent_doubling_reaches_a_cap_of_at_least_60_s() {
    let mut rig = retrying(Retries::AtMost(9)).open(Origin::Active);
    let start = rig.now;
    for seconds in [1, 2, 4, 8, 16, 32] {
        assert_eq!(rig.on(timeout(seconds * 1000)).1, "S 0");
    }
    assert_eq!(rig.now - start, Duration::from_secs(63));
    while rig.tcb.state() != S::Closed {
        let wait = rig.tcb.deadline().unwrap().at - rig.now;
        assert!(wait >= Duration::from_secs(60), "{wait:?}");
        rig.feed(timeout(wait.as_millis() as u64));
    }
    assert!(rig.now - start >= Duration::from_secs(180));
}

/// MUST-20, MUST-21, J-05: R2 is the user's, from none to infinite; the count tells R1.
#[test]
fn must_20_must_21_j05_retransmission_limits() {
    for limit in 0..6 {
        let mut rig = retrying(Retries::AtMost(limit)).open(Origin::Active);
        for count in 1..=limit {
            assert_eq!(rig.on(timeout(1000 << (count - 1))).0.clause, AGAIN);
            assert_eq!(rig.tcb.retransmissions(), count);
        }
        assert_eq!(rig.on(timeout(1000 << limit)).0.clause, C::RetransmissionLimit, "after {limit}");
        assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Closed, None));
    }
    let mut rig = retrying(Retries::Unlimited).open(Origin::Active);
    for _ in 0..1000 {
        rig.now = rig.tcb.deadline().unwrap().at;
        assert_eq!(rig.on(timeout(0)).1, "S 0");
    }
}

/// B-01, B-04, MUST-18, RFC 6298 5.7: nothing is measured on a repeated SYN, and RTO is 3 s on open.
#[test]
fn b01_b04_must_18_rto_is_3_s_after_a_lost_syn() {
    for place in everywhere() {
        let mut rig = syn_sent(place).with(&[timeout(1000)]);
        rig.feed(syn_ack(0, 1).after(100));
        assert_eq!(rig.tcb.smoothed_rtt(), None);
        assert_eq!(rig.tcb.retransmission_timeout(), Duration::from_secs(3));
        rig.feed(send(10));
        assert_eq!(rig.on(timeout(3000)).1, "P. 1:11 ack 1");

        let rig = syn_received_passive(place).with(&[timeout(1000), ack(1, 1).after(100)]);
        assert_eq!(rig.tcb.smoothed_rtt(), None);
        assert_eq!(rig.tcb.retransmission_timeout(), Duration::from_secs(3));
    }
}

/// MUST-18: nor is anything measured on a SYN,ACK that the peer's SYN brought out again.
#[test]
fn must_18_b03_no_sample_from_a_repeated_syn_ack() {
    let rig = syn_received_passive(WRAP).with(&[syn(0).after(500), ack(1, 1).after(10)]);
    assert_ne!(rig.tcb.smoothed_rtt(), Some(Duration::from_millis(10)));
    assert!([None, Some(Duration::from_millis(510))].contains(&rig.tcb.smoothed_rtt()));
}

/// RFC 6298 2.2, 2.4: the open is the first sample; RTO = SRTT + 4 RTTVAR, at least 1 s.
#[test]
fn j01_the_open_is_measured() {
    for place in everywhere() {
        for (rtt, rto) in [(1, 1000), (100, 1000), (333, 1000), (400, 1200), (900, 2700)] {
            let opened = syn_sent(place).with(&[syn_ack(0, 1).after(rtt)]);
            let served = syn_received_passive(place).with(&[ack(1, 1).after(rtt)]);
            for rig in [opened, served] {
                assert_eq!(rig.tcb.smoothed_rtt(), Some(Duration::from_millis(rtt)));
                assert_eq!(rig.tcb.retransmission_timeout(), Duration::from_millis(rto));
            }
        }
    }
}

/// J-01: a thousand random series against the formulae of RFC 6298 2.2 to 2.5.
#[test]
fn j01_rto_follows_the_formulae() {
    let mut random = 1_u64;
    for _ in 0..1000 {
        let (mut rto, mut srtt, mut rttvar) = (Rto::new(), 0.0, 0.0);
        for at in 0..40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let micros = (random >> 33) % 10_u64.pow(2 + (random >> 60) as u32 % 6) + 1;
            rto.sample(Duration::from_micros(micros));
            let rtt = micros as f64;
            if at == 0 {
                (srtt, rttvar) = (rtt, rtt / 2.0);
            } else {
                rttvar = 0.75 * rttvar + 0.25 * f64::abs(srtt - rtt);
                srtt = 0.875 * srtt + 0.125 * rtt;
            }
            let expected = (srtt + f64::max(1.0, 4.0 * rttvar)).clamp(1e6, 60e6);
            let got = rto.timeout().as_micros() as f64;
            assert!((got - expected).abs() < 200.0, "{got} µs, not {expected} µs");
        }
    }
}

/// MUST-18, J-03: text sent twice gives no sample; the next text does, and ends the back-off.
#[test]
fn must_18_j03_karn() {
    let mut rig = syn_sent(WRAP).with(&[syn_ack(0, 1).after(100), send(10), timeout(1000)]);
    rig.feed(ack(1, 11).after(5));
    assert_eq!(rig.tcb.smoothed_rtt(), Some(Duration::from_millis(100)));
    assert_eq!(rig.tcb.retransmissions(), 0);
    rig.feed(send(10));
    rig.feed(ack(1, 21).after(100));
    assert_eq!(rig.tcb.smoothed_rtt(), Some(Duration::from_millis(100)));
    assert_eq!(rig.tcb.retransmission_timeout(), Duration::from_secs(1));
}

/// MUST-18: a segment behind the one sent again may not be measured either if it left before the loss was
/// noticed, because its ACK waited for the repetition.
#[test]
fn must_18_j03_no_sample_across_a_retransmission() {
    let mut rig =
        syn_sent(WRAP).with(&[syn_ack(0, 1).after(100), send(10), send(10).after(10), timeout(990)]);
    rig.feed(ack(1, 21).after(100));
    assert_eq!(rig.tcb.smoothed_rtt(), Some(Duration::from_millis(100)));
}

/// J-02, RFC 6298 5.2, 5.3: restarted by every ACK of something new, stopped when nothing is outstanding.
#[test]
fn j02_timer_restarts_on_new_ack_and_stops() {
    for place in everywhere() {
        let mut rig = established(place).with(&[ack(1, 1).win(5000), send(20)]);
        let at = |rig: &Rig| rig.tcb.deadline().map(|deadline| deadline.at);
        let armed = at(&rig).unwrap();
        assert_eq!(armed, rig.now + Duration::from_secs(1));
        rig.feed(send(20).after(100));
        assert_eq!(at(&rig), Some(armed), "5.1: it runs already");
        rig.feed(ack(1, 1).after(100));
        assert_eq!(at(&rig), Some(armed), "nothing new was acknowledged");
        rig.feed(ack(1, 1).text(3).after(100));
        assert_eq!(at(&rig), Some(armed), "text of the peer's acknowledges nothing");
        rig.feed(ack(4, 21).after(100));
        assert_eq!(at(&rig), Some(rig.now + Duration::from_secs(1)));
        rig.feed(ack(4, 41).after(100));
        assert_eq!(at(&rig), None);
    }
}

/// RFC 6298 5.4: the oldest segment not acknowledged, again and again; an ACK clears the count.
#[test]
fn j02_established_text_retransmission() {
    script(
        established,
        &[
            (send(10), S::Established, "P. 1:11 ack 1", C::Send),
            (timeout(1000), S::Established, "P. 1:11 ack 1", AGAIN),
            (timeout(2000), S::Established, "P. 1:11 ack 1", AGAIN),
            (ack(1, 11), S::Established, "", C::AckAdvances),
            (send(10), S::Established, "P. 11:21 ack 1", C::Send),
        ],
    );
}

/// H-01, J-06: a lost FIN comes again in each state that waits for its ACK, and R2 ends each.
#[test]
fn h01_j06_fin_retransmission() {
    for (build, state, text) in [
        (fin_wait_1 as Build, S::FinWait1, "F. 1 ack 1"),
        (closing, S::Closing, "F. 1 ack 2"),
        (last_ack, S::LastAck, "F. 1 ack 2"),
    ] {
        script(
            build,
            &[
                (timeout(1000), state, text, AGAIN),
                (timeout(2000), state, text, AGAIN),
                (timeout(4000), state, text, AGAIN),
                (timeout(8000), S::Closed, "", C::RetransmissionLimit),
            ],
        );
    }
}

/// H-12: text and FIN outstanding: what is sent again covers both in the end.
#[test]
fn h12_text_and_fin_outstanding() {
    for place in everywhere() {
        let mut rig = established(place).with(&[send(10), close()]);
        let (_, out) = rig.on(timeout(1000));
        assert!(["P. 1:11 ack 1", "FP. 1:11 ack 1"].contains(&out.as_str()), "{out}");
        rig.feed(ack(1, 11));
        assert_eq!(rig.on(timeout(rig.wait())).1, "F. 11 ack 1");
        assert_eq!(rig.with(&[ack(1, 12)]).tcb.state(), S::FinWait2);
    }
}

/// J-06: text that is never acknowledged; a RST is not owed, the connection is given up.
#[test]
fn j06_established_text_limit() {
    script(
        established,
        &[
            (send(10), S::Established, "P. 1:11 ack 1", C::Send),
            (timeout(1000), S::Established, "P. 1:11 ack 1", AGAIN),
            (timeout(2000), S::Established, "P. 1:11 ack 1", AGAIN),
            (timeout(4000), S::Established, "P. 1:11 ack 1", AGAIN),
            (timeout(8000), S::Closed, "", C::RetransmissionLimit),
        ],
    );
}

/// 3.10.8, F-07: the user's patience ends in any state, without a segment.
#[test]
fn f07_user_timeout_in_every_state() {
    for place in everywhere() {
        for (state, build) in STATES {
            let mut rig = build(place);
            if state == S::Closed {
                assert_eq!(rig.tcb.on_user_timeout(), None);
                continue;
            }
            let (reaction, out) = rig.on(user_timeout());
            assert_eq!((reaction.clause, out.as_str()), (C::UserTimeout, ""), "in {state}");
            assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Closed, None), "in {state}");
        }
    }
}

/// J-04: no timer, no timeout; and none before its time.
#[test]
fn j04_nothing_fires_without_a_deadline() {
    for (state, build) in STATES {
        let mut rig = build(WRAP);
        if rig.tcb.deadline().is_none() {
            assert_eq!(rig.tcb.on_timeout(rig.now + Duration::from_secs(86400)), None, "in {state}");
            continue;
        }
        let before = rig.tcb;
        assert_eq!(rig.tcb.on_timeout(rig.now), None, "in {state}");
        assert_eq!(rig.tcb, before, "in {state}");
    }
}

/// B-12: two repetitions out, one SYN,ACK in; later ones are acknowledged.
#[test]
fn b12_syn_ack_after_two_retransmissions() {
    script(
        syn_sent,
        &[
            (timeout(1000), S::SynSent, "S 0", AGAIN),
            (timeout(2000), S::SynSent, "S 0", AGAIN),
            (syn_ack(0, 1).after(10), S::Established, ". 1 ack 1", C::SynSentOpened),
            (syn_ack(0, 1).after(1000), S::Established, ". 1 ack 1", C::SeqUnacceptable),
            (syn_ack(0, 1).after(2000), S::Established, ". 1 ack 1", C::SeqUnacceptable),
        ],
    );
}

/// MUST-20: acknowledgments that repeat are no answer: R2 counts on, though the peer is there and its window open.
#[test]
fn must_20_repeated_acknowledgments_do_not_put_off_the_limit() {
    let mut rig = established(WRAP).with(&[send(10)]);
    for wait in [1000, 2000, 4000] {
        assert_eq!(rig.on(timeout(wait)).0.clause, AGAIN);
        assert_eq!(rig.on(ack(1, 1)).0.clause, C::AckRepeats);
    }
    assert_eq!(rig.on(timeout(8000)).0.clause, C::RetransmissionLimit);
}

/// Two connections that differ in nothing but when things happened are one without their times.
#[test]
fn early_or_late_is_no_difference_without_times() {
    let after = |ms| {
        let events = [syn_ack(0, 1), rst(2), send(10)].map(|event| event.after(ms));
        syn_sent(WRAP).with(&events).tcb
    };
    assert_ne!(after(1), after(900));
    assert_eq!(after(1).timeless(), after(900).timeless());
    let other = syn_sent(WRAP).with(&[syn_ack(0, 1), send(11)]).tcb;
    assert_ne!(after(1).timeless(), other.timeless());
}
