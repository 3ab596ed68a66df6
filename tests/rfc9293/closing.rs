//! 3.10.7.4 in CLOSING.

use tcpshake::tcp::{Clause as C, State as S, Timer};

use crate::support::*;

const PLAIN: &str = ". 2 ack 2";

/// G-05, G-10, G-11, G-12.
#[test]
fn g05_g10_g11_g12_closing_common() {
    each(closing, &synchronized(S::Closing, 2, 2, PLAIN, C::RstEndsClosing));
}

/// H-06, H-08: only the ACK of our FIN leads on.
#[test]
fn h06_h08_closing_ack_and_fin() {
    each(
        closing,
        &[
            (ack(2, 2), S::TimeWait, "", C::AckOfFinClosing),
            (ack(2, 1), S::Closing, "", C::AckRepeats),
            (ack(2, 3), S::Closing, PLAIN, C::AckOutOfRange),
            (fin(1, 1), S::Closing, PLAIN, C::SeqUnacceptable),
            (fin(1, 2), S::Closing, PLAIN, C::SeqUnacceptable),
        ],
    );
}

/// 3.10.7.4 eighth: a FIN is acknowledged also in the segment whose ACK leads to TIME-WAIT (H-17).
#[test]
fn h17_closing_second_fin_on_the_ack_of_ours() {
    for place in everywhere() {
        for event in [fin(2, 2), fin(5, 2), fin(2, 2).text(5)] {
            let mut rig = closing(place);
            let (_, out) = rig.on(event);
            assert_eq!((rig.tcb.state(), out.as_str()), (S::TimeWait, PLAIN), "{event:?} {place:?}");
        }
    }
}

/// H-06: TIME-WAIT lasts 2 MSL from the ACK.
#[test]
fn h06_closing_ack_starts_2_msl() {
    for place in everywhere() {
        let mut rig = closing(place);
        let (reaction, _) = rig.on(ack(2, 2).after(300));
        let deadline = reaction.deadline.unwrap();
        assert_eq!((deadline.timer, deadline.at), (Timer::TimeWait, rig.now + rig.tcb.time_wait()));
    }
}

/// H-08: the ACK is lost; our FIN goes out again, as it was, with what we know now.
#[test]
fn h08_closing_fin_again_after_rto() {
    let mut rig = closing(WRAP);
    assert_eq!(rig.on(timeout(1000)).1, "F. 1 ack 2");
    assert_eq!(rig.on(timeout(2000)).1, "F. 1 ack 2");
    assert_eq!(rig.on(ack(2, 2)).0.clause, C::AckOfFinClosing);
}
