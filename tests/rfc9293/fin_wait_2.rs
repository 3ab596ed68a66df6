//! 3.10.7.4 in FIN-WAIT-2.

use tcpshake::tcp::{Clause as C, State as S};

use crate::support::*;

const PLAIN: &str = ". 2 ack 1";

/// G-03, G-10, G-11, G-12.
#[test]
fn g03_g10_g11_g12_fin_wait_2_common() {
    each(fin_wait_2, &synchronized(S::FinWait2, 1, 2, PLAIN, C::RstResets));
}

/// A-03, H-03, H-09, H-11, H-13, H-14, H-18.
#[test]
fn h03_h09_h11_h13_h14_h18_fin_wait_2_text_and_fin() {
    each(
        fin_wait_2,
        &[
            (ack(1, 2), S::FinWait2, "", C::AckRepeats),
            (ack(1, 1), S::FinWait2, "", C::AckRepeats),
            (ack(1, 2).text(10), S::FinWait2, ". 2 ack 11", C::TextAccepted),
            (ack(11, 2).text(10), S::FinWait2, PLAIN, C::TextOutOfOrder),
            (fin(1, 2), S::TimeWait, ". 2 ack 2", C::FinAccepted),
            (fin(1, 1), S::TimeWait, ". 2 ack 2", C::FinAccepted), // H-18: an older ACK
            (fin(1, 2).text(10), S::TimeWait, ". 2 ack 12", C::FinAccepted),
            (fin(11, 2), S::FinWait2, PLAIN, C::FinOutOfOrder),
        ],
    );
}

/// H-09: ten kilobytes after our FIN, then the peer's.
#[test]
fn h09_fin_wait_2_text_after_our_fin() {
    for place in everywhere() {
        let mut rig = fin_wait_2(place);
        for at in 0..10 {
            let (reaction, out) = rig.on(ack(1 + at * 1000, 2).text(1000));
            assert_eq!((out, reaction.text.len), (format!(". 2 ack {}", 1001 + at * 1000), 1000));
        }
        assert_eq!(rig.on(fin(10_001, 2)).1, ". 2 ack 10002");
        assert_eq!(rig.tcb.state(), S::TimeWait);
    }
}

/// H-05: the RFC has no timer here; that the peer stays silent is the caller's to notice.
#[test]
fn h05_fin_wait_2_waits_without_a_timer() {
    for place in everywhere() {
        let mut rig = fin_wait_2(place);
        assert_eq!(rig.tcb.deadline(), None);
        rig.feed(ack(1, 2).text(10).after(10_000_000));
        assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::FinWait2, None));
    }
}
