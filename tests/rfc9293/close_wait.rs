//! 3.10.7.4 in CLOSE-WAIT.

use tcpshake::tcp::{Clause as C, State as S};

use crate::support::*;

const PLAIN: &str = ". 1 ack 2";

/// G-04, G-10, G-11, G-12.
#[test]
fn g04_g10_g11_g12_close_wait_common() {
    each(close_wait, &synchronized(S::CloseWait, 2, 1, PLAIN, C::RstResets));
}

/// H-16, H-17: nothing new can come from the peer.
#[test]
fn h16_h17_close_wait_text_and_fin() {
    each(
        close_wait,
        &[
            (ack(2, 1), S::CloseWait, "", C::AckRepeats),
            (ack(2, 1).text(5), S::CloseWait, PLAIN, C::TextAfterFin),
            (ack(9, 1).text(5), S::CloseWait, PLAIN, C::TextAfterFin),
            (ack(1, 1).text(5), S::CloseWait, PLAIN, C::TextAfterFin), // straddles the FIN
            (fin(1, 1), S::CloseWait, PLAIN, C::SeqUnacceptable),      // its own FIN again
            (fin(2, 1), S::CloseWait, PLAIN, C::FinAgain),
            (fin(9, 1), S::CloseWait, PLAIN, C::FinAgain),
        ],
    );
}

/// H-16: RCV.NXT stays behind the FIN, the urgent pointer where it was.
#[test]
fn h16_close_wait_nothing_moves() {
    for place in everywhere() {
        for event in [ack(2, 1).text(5), fin(2, 1), fin(1, 1).text(9), ack(2, 1).urg(7)] {
            let before = close_wait(place);
            let mut after = before;
            let (reaction, _) = after.on(event);
            assert_eq!(after.tcb.rcv(), before.tcb.rcv(), "{event:?} {place:?}");
            assert_eq!(reaction.text.len, 0);
        }
    }
}

/// H-10: our text still flows, then our FIN.
#[test]
fn h10_close_wait_send_then_close() {
    script(
        close_wait,
        &[
            (send(10), S::CloseWait, "P. 1:11 ack 2", C::Send),
            (ack(2, 11), S::CloseWait, "", C::AckAdvances),
            (close(), S::LastAck, "F. 11 ack 2", C::Close),
            (ack(2, 12), S::Closed, "", C::AckOfFinLast),
        ],
    );
}
