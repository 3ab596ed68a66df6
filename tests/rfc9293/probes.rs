//! Section 3.8.6.1 and groups C and J: the peer's window shuts, shrinks and opens again.

use std::time::Duration;

use tcpshake::tcp::{Clause as C, State as S, Timer};

use crate::support::*;

/// J-08, MUST-35, MUST-36, MUST-37, SHLD-29, SHLD-30: probes after RTO, doubling, and never the end while answered.
#[test]
fn j08_must_36_must_37_zero_window_probes_for_an_hour() {
    for place in everywhere() {
        let mut rig = established(place).with(&[ack(1, 1).win(0)]);
        assert_eq!(rig.on(send(10)).1, "");
        assert_eq!(rig.tcb.deadline().map(|deadline| deadline.timer), Some(Timer::Persist));
        let start = rig.now;
        let (mut probes, mut wait) = (0, 1000);
        while rig.now - start < Duration::from_secs(3600) {
            let due = rig.wait();
            assert!(due >= wait || due >= 60_000, "probe {probes} after {due} ms, the one before {wait} ms");
            wait = due;
            let (_, out) = rig.on(timeout(due));
            assert!([". 1:2 ack 1", "P. 1:2 ack 1"].contains(&out.as_str()), "{out}");
            rig.feed(ack(1, 1).win(0));
            assert_eq!(rig.tcb.state(), S::Established);
            probes += 1;
        }
        assert!((10..=70).contains(&probes), "{probes}");
    }
}

/// J-08: each of them is a probe, for the peer does answer; none is a retransmission.
#[test]
fn j08_every_zero_window_probe_is_called_one() {
    let mut rig = established(WRAP).with(&[ack(1, 1).win(0), send(10)]);
    for probe in 0..5 {
        assert_eq!(rig.on(timeout(rig.wait())).0.clause, C::ZeroWindowProbe, "probe {probe}");
        rig.feed(ack(1, 1).win(0));
        assert_eq!(rig.tcb.deadline().map(|deadline| deadline.timer), Some(Timer::Persist), "probe {probe}");
    }
}

/// J-08: a silent peer is given up.
#[test]
fn j08_zero_window_probes_without_an_answer_end() {
    let mut rig = established(WRAP).with(&[ack(1, 1).win(0), send(10)]);
    let mut fired = 0;
    while rig.tcb.state() != S::Closed {
        rig.feed(timeout(rig.wait()));
        fired += 1;
        assert!(fired < 10, "never given up");
    }
    assert!(fired >= 4, "the first probe and three repetitions");
}

/// J-09: the window opens: by an ACK out of the blue, or by the answer to a probe.
#[test]
fn j09_window_opens() {
    for place in everywhere() {
        let shut = established(place).with(&[ack(1, 1).win(0), send(10)]);
        assert_eq!({ shut }.on(ack(1, 1).win(100)).1, "P. 1:11 ack 1");
        let probed = shut.with(&[timeout(1000)]);
        assert_eq!({ probed }.on(ack(1, 2).win(100)).1, "P. 2:11 ack 1", "the peer took the octet");
        let mut refused = probed;
        let (_, out) = refused.on(ack(1, 1).win(100));
        let sent = refused.tcb.snd().nxt - place.iss;
        assert_eq!(sent, 11, "the rest leaves at once: {out}");
    }
}

/// J-10: the window shrinks below what is under way: no new text, the old comes again.
#[test]
fn j10_window_shrinks() {
    for place in everywhere() {
        let mut rig = established(place).with(&[send(400), ack(1, 1).win(100)]);
        assert_eq!(rig.on(send(50)).1, "");
        let (_, out) = rig.on(timeout(1000));
        assert!(out.contains("1:"), "the old text again: {out}");
        assert_eq!(rig.on(ack(1, 401).win(1000)).1, "P. 401:451 ack 1");
    }
}

/// J-11: a probe answered by a RST.
#[test]
fn j11_zero_window_probe_answered_by_rst() {
    let rig = established(WRAP).with(&[ack(1, 1).win(0), send(10), timeout(1000)]);
    assert_eq!({ rig }.on(rst(1)).0.clause, C::RstResets);
}

/// C-11, J-13: a close with the window shut is not lost: the FIN goes now or when the window opens.
#[test]
fn c11_j13_close_with_window_zero() {
    for place in everywhere() {
        let mut rig = established(place).with(&[ack(1, 1).win(0)]);
        let (_, now) = rig.on(close());
        assert_eq!(rig.tcb.state(), S::FinWait1);
        assert!(rig.tcb.deadline().is_some(), "a timer must bring the FIN out");
        let (_, later) = rig.on(ack(1, 1).win(1000));
        assert!(now + &later == "F. 1 ack 1", "exactly one FIN: {later}");
        assert_eq!(rig.with(&[ack(1, 2)]).tcb.state(), S::FinWait2);
    }
}

/// J-08, J-13: a probe of a closed window is one octet. The FIN behind it waits for room, and is not lost.
#[test]
fn j13_no_fin_rides_on_a_probe() {
    for place in everywhere() {
        let mut rig = established(place).with(&[ack(1, 1).win(0), send(1), close()]);
        assert_eq!(rig.tcb.state(), S::FinWait1);
        assert_eq!(rig.on(timeout(rig.wait())).1, "P. 1:2 ack 1");
        assert_eq!(rig.on(timeout(rig.wait())).1, "P. 1:2 ack 1");
        assert_eq!(rig.on(ack(1, 2).win(0)).1, "F. 2 ack 1"); // alone, it asks as a probe does
        rig.feed(ack(1, 3).win(0));
        assert_eq!(rig.tcb.state(), S::FinWait2);

        let mut rig = established(place).with(&[ack(1, 1).win(0), send(1)]);
        rig.feed(timeout(rig.wait()));
        assert_eq!(rig.on(close()).1, "", "a FIN behind the probe under way");
        assert_eq!(rig.on(ack(1, 1).win(2)).1, "F. 2 ack 1");
    }
}
