//! 3.10.7.4 in LAST-ACK.

use tcpshake::tcp::{Clause as C, State as S};

use crate::support::*;

const PLAIN: &str = ". 2 ack 2";

/// G-06, G-10, G-11, G-12.
#[test]
fn g06_g10_g11_g12_last_ack_common() {
    each(last_ack, &synchronized(S::LastAck, 2, 2, PLAIN, C::RstEndsClosing));
}

/// the ACK of our FIN ends it, without TIME-WAIT.
#[test]
fn a04_a06_last_ack_ack_and_fin() {
    each(
        last_ack,
        &[
            (ack(2, 2), S::Closed, "", C::AckOfFinLast),
            (ack(2, 2).text(9), S::Closed, "", C::AckOfFinLast),
            (ack(2, 1), S::LastAck, "", C::AckRepeats),
            (ack(2, 3), S::LastAck, PLAIN, C::AckOutOfRange),
            (fin(1, 1), S::LastAck, PLAIN, C::SeqUnacceptable),
            (fin(1, 2), S::LastAck, PLAIN, C::SeqUnacceptable),
        ],
    );
}

/// nothing is left behind.
#[test]
fn a04_last_ack_ack_leaves_no_timer_and_no_connection() {
    for place in everywhere() {
        let rig = last_ack(place).with(&[ack(2, 2)]);
        assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Closed, None));
        assert_eq!({ rig }.on(ack(2, 2)).1, "R 2"); // a stray meets 3.10.7.1
    }
}

/// H-10: the ACK of the text is not the ACK of the FIN behind it.
#[test]
fn h10_last_ack_ack_of_text_only() {
    let sending: Build = |place| close_wait(place).with(&[send(10), close()]);
    script(
        sending,
        &[(ack(2, 11), S::LastAck, "", C::AckAdvances), (ack(2, 12), S::Closed, "", C::AckOfFinLast)],
    );
}
