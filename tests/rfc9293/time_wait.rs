//! 3.10.7.4 and 3.10.8 in TIME-WAIT (MUST-13).

use std::time::Duration;

use tcpshake::tcp::{Clause as C, Origin, Parameters, State as S};

use crate::support::*;

const PLAIN: &str = ". 2 ack 2";

/// G-07, G-10, G-11, G-12, I-03, I-04, I-06, I-07: MAY-2 is not taken, RFC 1337 is not applied.
#[test]
fn g07_i03_i04_i06_i07_time_wait_common() {
    each(time_wait, &synchronized(S::TimeWait, 2, 2, PLAIN, C::RstEndsClosing));
}

/// H-04, I-01, I-08.
#[test]
fn h04_i01_i08_time_wait_ack_and_fin() {
    each(
        time_wait,
        &[
            (fin(1, 2), S::TimeWait, PLAIN, C::FinRepeated),
            (fin(1, 1), S::TimeWait, PLAIN, C::FinRepeated),
            (ack(2, 2), S::TimeWait, "", C::AckRepeats),
            (ack(2, 1), S::TimeWait, "", C::AckRepeats),
            (ack(W, 2), S::TimeWait, "", C::AckRepeats),
            (ack(2, 2).text(5), S::TimeWait, PLAIN, C::TextAfterFin),
            (fin(9, 2), S::TimeWait, PLAIN, C::FinAgain),
        ],
    );
}

/// H-04, I-01: the FIN again, with the text it came with, restarts 2 MSL at any time within it.
#[test]
fn h04_i01_time_wait_repeated_fin_restarts_2_msl() {
    script(
        time_wait,
        &[
            (fin(1, 2).after(1), S::TimeWait, PLAIN, C::FinRepeated),
            (fin(1, 2).after(239_999), S::TimeWait, PLAIN, C::FinRepeated),
            (fin(1, 2).after(239_999), S::TimeWait, PLAIN, C::FinRepeated),
            (timeout(240_000), S::Closed, "", C::TimeWaitTimeout),
        ],
    );
    let with_text: Build = |place| fin_wait_2(place).with(&[fin(1, 2).text(10)]);
    script(
        with_text,
        &[
            (fin(1, 2).text(10).after(200_000), S::TimeWait, ". 2 ack 12", C::FinRepeated),
            (fin(11, 2).after(200_000), S::TimeWait, ". 2 ack 12", C::FinRepeated),
            (timeout(240_000), S::Closed, "", C::TimeWaitTimeout),
        ],
    );
}

/// I-03, I-07, I-08: strays, also FINs of other connections, do not prolong the wait.
#[test]
fn i03_i07_i08_time_wait_strays_do_not_restart_2_msl() {
    for place in everywhere() {
        let strays = [
            ack(2, 2),
            ack(1, 2),
            ack(2, 3),
            syn(500),
            syn(0),
            syn_ack(0, 1),
            rst(3),
            rst(1),
            ack(2 + W, 2).text(5),
            fin(900_000, 2),
        ];
        for stray in strays {
            let mut rig = time_wait(place);
            let before = rig.tcb.deadline();
            rig.feed(stray.after(1000));
            assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::TimeWait, before), "{stray:?} {place:?}");
        }
    }
}

/// 3.10.7.4 eighth, TIME-WAIT: "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout."
#[test]
fn i01_time_wait_fin_in_the_window_restarts_2_msl() {
    for place in everywhere() {
        let mut rig = time_wait(place);
        rig.feed(fin(2, 2).after(1000));
        assert_eq!(rig.tcb.deadline().unwrap().at, rig.now + rig.tcb.time_wait(), "{place:?}");
    }
}

/// MUST-13, I-02: it ends at 2 MSL exactly; MSL is the user's.
#[test]
fn must_13_i02_time_wait_lasts_2_msl() {
    script(time_wait, &[(timeout(240_000), S::Closed, "", C::TimeWaitTimeout)]);
    for msl in [0, 1, 30_000, 86_400_000] {
        let parameters = Parameters { msl: Duration::from_millis(msl), ..Parameters::default() };
        let opened = Rig::new(WRAP, &parameters).open(Origin::Active);
        let mut rig = opened.with(&[syn_ack(0, 1), close(), ack(1, 2), fin(1, 2)]);
        assert_eq!(rig.tcb.time_wait(), Duration::from_millis(2 * msl));
        assert_eq!(rig.on(timeout(2 * msl)).0.clause, C::TimeWaitTimeout);
        assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Closed, None));
    }
}

/// I-06: a RST in TIME-WAIT ends it at once.
#[test]
fn i06_time_wait_rst_leaves_no_timer() {
    let rig = time_wait(WRAP).with(&[rst(2)]);
    assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Closed, None));
}
