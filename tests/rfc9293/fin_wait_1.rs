//! 3.10.7.4 in FIN-WAIT-1.

use tcpshake::tcp::{Clause as C, State as S, Timer};

use crate::support::*;

const PLAIN: &str = ". 2 ack 1";

/// G-02, G-10, G-11, G-12.
#[test]
fn g02_g10_g11_g12_fin_wait_1_common() {
    each(fin_wait_1, &synchronized(S::FinWait1, 1, 2, PLAIN, C::RstResets));
}

/// H-02, H-06, H-07: every order in which an ACK and a FIN can come.
#[test]
fn a03_a05_h02_h06_h07_fin_wait_1_ack_and_fin() {
    each(
        fin_wait_1,
        &[
            (ack(1, 2), S::FinWait2, "", C::AckOfFin),
            (ack(W, 2), S::FinWait2, "", C::AckOfFin),
            (ack(1, 1), S::FinWait1, "", C::AckRepeats),
            (ack(1, 0), S::FinWait1, "", C::AckRepeats),
            (ack(1, 3), S::FinWait1, PLAIN, C::AckOutOfRange),
            (fin(1, 2), S::TimeWait, ". 2 ack 2", C::FinAccepted),
            (fin(1, 1), S::Closing, ". 2 ack 2", C::FinAccepted),
            (fin(1, 0), S::Closing, ". 2 ack 2", C::FinAccepted), // an older ACK
            (fin(1, 3), S::FinWait1, PLAIN, C::AckOutOfRange),
            (fin(11, 1), S::FinWait1, PLAIN, C::FinOutOfOrder),
            (fin(11, 2), S::FinWait2, PLAIN, C::FinOutOfOrder), // the ACK counts, the FIN waits
        ],
    );
}

/// H-09, H-11: text is still taken.
#[test]
fn h09_h11_fin_wait_1_text() {
    each(
        fin_wait_1,
        &[
            (ack(1, 1).text(10), S::FinWait1, ". 2 ack 11", C::TextAccepted),
            (ack(1, 2).text(10), S::FinWait2, ". 2 ack 11", C::TextAccepted),
            (ack(11, 1).text(10), S::FinWait1, PLAIN, C::TextOutOfOrder),
            (fin(1, 1).text(10), S::Closing, ". 2 ack 12", C::FinAccepted),
            (fin(1, 2).text(10), S::TimeWait, ". 2 ack 12", C::FinAccepted),
        ],
    );
}

/// Note 2 of figure 5: FIN-WAIT-1 to TIME-WAIT is walked by way of FIN-WAIT-2.
#[test]
fn a05_fin_wait_1_fin_ack_walks_two_arrows_and_starts_2_msl() {
    for place in everywhere() {
        let mut rig = fin_wait_1(place);
        let (reaction, _) = rig.on(fin(1, 2));
        let walked: Vec<S> = reaction.arrows.iter().map(|arrow| arrow.to).collect();
        assert_eq!(walked, [S::FinWait2, S::TimeWait]);
        let deadline = reaction.deadline.unwrap();
        assert_eq!((deadline.timer, deadline.at), (Timer::TimeWait, rig.now + rig.tcb.time_wait()));
    }
}

/// The FIN waits behind text; the ACK of the text alone is not the ACK of the FIN.
#[test]
fn h12_fin_wait_1_ack_of_text_is_not_the_ack_of_the_fin() {
    let sending: Build = |place| established(place).with(&[send(10), close()]);
    script(
        sending,
        &[(ack(1, 11), S::FinWait1, "", C::AckAdvances), (ack(1, 12), S::FinWait2, "", C::AckOfFin)],
    );
}

/// J-13: FIN-WAIT-1 is entered at once even if the window keeps text and FIN back (3.10.4, "in any case").
#[test]
fn j13_fin_wait_1_text_and_fin_wait_for_the_window() {
    let shut: Build = |place| established(place).with(&[ack(1, 1).win(0), send(10)]);
    for place in everywhere() {
        let mut rig = shut(place);
        rig.feed(close());
        assert_eq!(rig.tcb.state(), S::FinWait1);
        let (_, out) = rig.on(ack(1, 1).win(5000));
        assert!(["FP. 1:11 ack 1", "P. 1:11 ack 1, F. 11 ack 1"].contains(&out.as_str()), "{out}");
        // An ACK of text is no ACK of a FIN that stands behind it.
        assert_eq!(rig.with(&[ack(1, 11)]).tcb.state(), S::FinWait1);
        assert_eq!(rig.with(&[ack(1, 12)]).tcb.state(), S::FinWait2);
    }
}

/// J-13: a FIN of the peer's while ours has not left: CLOSING, and ours follows.
#[test]
fn j13_fin_wait_1_peers_fin_before_ours_could_leave() {
    let shut: Build = |place| established(place).with(&[ack(1, 1).win(0), send(10), close()]);
    for place in everywhere() {
        let mut rig = shut(place);
        let (_, out) = rig.on(fin(1, 1).win(0));
        assert_eq!((rig.tcb.state(), out.as_str()), (S::Closing, ". 1 ack 2"));
        let (_, out) = rig.on(ack(2, 1).win(5000));
        assert!(["FP. 1:11 ack 2", "P. 1:11 ack 2, F. 11 ack 2"].contains(&out.as_str()), "{out}");
        assert_eq!(rig.with(&[ack(2, 11)]).tcb.state(), S::Closing);
        assert_eq!(rig.with(&[ack(2, 12)]).tcb.state(), S::TimeWait);
    }
}
