//! 3.10.7.4 in SYN-RECEIVED, passive and active origin (MUST-11).

use tcpshake::tcp::{AcceptedText, Clause as C, Flags, Parameters, Retries, State as S};

use crate::support::*;

const BOTH: [Build; 2] = [syn_received_passive, syn_received_active];

/// E-01, E-04, E-05, E-07, G-08, G-09: what does not depend on the origin.
#[test]
fn e01_e04_e05_e07_syn_received_either_origin() {
    for build in BOTH {
        each(
            build,
            &[
                (ack(1, 1), S::Established, "", C::AckOpens),
                (ack(W, 1), S::Established, "", C::AckOpens), // the window's right edge
                (ack(1, 0), S::SynReceived, "R 0", C::AckOfUnsentOpening),
                (ack(1, -1), S::SynReceived, "R -1", C::AckOfUnsentOpening),
                (ack(1, 2), S::SynReceived, "R 2", C::AckOfUnsentOpening),
                (ack(1, 2).text(9), S::SynReceived, "R 2", C::AckOfUnsentOpening),
                (fin(1, 0), S::SynReceived, "R 0", C::AckOfUnsentOpening),
                (rst(2), S::SynReceived, ". 1 ack 1", C::RstChallenged),
                (rst(W), S::SynReceived, ". 1 ack 1", C::RstChallenged),
                (rst(0), S::SynReceived, "", C::SeqUnacceptableRst),
                (rst(1 + W), S::SynReceived, "", C::SeqUnacceptableRst),
                (syn(1 + W), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
                (syn(-5), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
                (ack(0, 1), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
                (ack(2 + W, 1), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
                (fin(1 + W, 1), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
                (bits(Flags::PSH, 1, 0).text(9), S::SynReceived, "", C::AckMissing),
                (bits(Flags::FIN, 1, 0), S::SynReceived, "", C::AckMissing),
                (bits(Flags::NONE, 1, 0), S::SynReceived, "", C::AckMissing),
            ],
        );
    }
}

/// MUST-11, E-02, E-06, B-03, G-08: a passive origin goes back to LISTEN.
#[test]
fn must_11_e02_e06_b03_syn_received_passive() {
    each(
        syn_received_passive,
        &[
            (rst(1), S::Listen, "", C::RstReturnsToListen),
            (rst_ack(1, 7), S::Listen, "", C::RstReturnsToListen),
            (syn(1), S::Listen, "", C::SynReturnsToListen),
            (syn(2), S::Listen, "", C::SynReturnsToListen),
            (syn(W), S::Listen, "", C::SynReturnsToListen),
            (syn(0), S::SynReceived, "S. 0 ack 1", C::SynRepeated),
            (syn_ack(0, 1), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
        ],
    );
}

/// MUST-11, E-03, F-01, G-09: an active origin is refused; the other half of a simultaneous open opens it.
#[test]
fn must_11_e03_f01_syn_received_active() {
    each(
        syn_received_active,
        &[
            (rst(1), S::Closed, "", C::RstRefuses),
            (rst_ack(1, 7), S::Closed, "", C::RstRefuses),
            (syn(1), S::SynReceived, ". 1 ack 1", C::SynChallenged),
            (syn(W), S::SynReceived, ". 1 ack 1", C::SynChallenged),
            (syn_ack(0, 1), S::Established, ". 1 ack 1", C::SynAckCrossed),
            (syn(0), S::SynReceived, ". 1 ack 1", C::SeqUnacceptable),
        ],
    );
}

/// H-11, H-14: text and FIN on the third ACK.
#[test]
fn a07_a08_a09_syn_received_ack_with_text_and_fin() {
    for (build, place) in BOTH.into_iter().flat_map(|build| everywhere().map(move |p| (build, p))) {
        for (event, state, reply, taken) in [
            (ack(1, 1).flag(Flags::PSH).text(10), S::Established, ". 1 ack 11", 10),
            (fin(1, 1), S::CloseWait, ". 1 ack 2", 0),
            (fin(1, 1).text(10), S::CloseWait, ". 1 ack 12", 10),
            (fin(1, 1).text(W), S::Established, ". 1 ack 2001", W as u32),
            (ack(11, 1).text(10), S::Established, ". 1 ack 1", 0),
            (fin(11, 1), S::Established, ". 1 ack 1", 0),
            (ack(0, 1).text(11), S::Established, ". 1 ack 11", 10), // G-16
        ] {
            let mut rig = build(place);
            let (reaction, out) = rig.on(event);
            assert_eq!((rig.tcb.state(), out.as_str()), (state, reply), "{event:?} {place:?}");
            assert_eq!(reaction.text.len, taken, "{event:?}");
        }
    }
}

/// The variables the third ACK sets.
#[test]
fn a02_syn_received_ack_sets_the_send_window() {
    for (build, place) in BOTH.into_iter().flat_map(|build| everywhere().map(move |p| (build, p))) {
        let rig = build(place).with(&[ack(1, 1).win(777)]);
        let snd = rig.tcb.snd();
        assert_eq!((snd.wnd.get(), snd.wl1, snd.wl2), (777, place.irs + 1, place.iss + 1));
        assert_eq!((snd.una, snd.nxt), (place.iss + 1, place.iss + 1));
        assert_eq!(rig.tcb.deadline(), None);
    }
}

/// E-01: a bad ACK is refused and the good one still opens.
#[test]
fn e01_syn_received_bad_ack_then_good_ack() {
    script(
        syn_received_passive,
        &[
            (ack(1, 0), S::SynReceived, "R 0", C::AckOfUnsentOpening),
            (ack(1, 2), S::SynReceived, "R 2", C::AckOfUnsentOpening),
            (ack(1, 1), S::Established, "", C::AckOpens),
        ],
    );
}

/// E-02: after a RST a new SYN is served, with another ISS.
#[test]
fn e02_syn_received_passive_rst_then_new_syn() {
    script(
        syn_received_passive,
        &[
            (rst(1), S::Listen, "", C::RstReturnsToListen),
            (syn(500), S::SynReceived, "S. 250000 ack 501", C::ListenTakesSyn),
            (ack(501, 1), S::SynReceived, "R 1", C::AckOfUnsentOpening), // left of the connection before
            (ack(501, 250_001), S::Established, "", C::AckOpens),
        ],
    );
}

/// B-03: the SYN,ACK is lost; both the timer and the peer's SYN bring it again, same ISS.
#[test]
fn b03_syn_received_passive_syn_ack_lost() {
    script(
        syn_received_passive,
        &[
            (syn(0).after(500), S::SynReceived, "S. 0 ack 1", C::SynRepeated),
            (syn(0).after(100), S::SynReceived, "S. 0 ack 1", C::SynRepeated),
            (ack(1, 1).after(100), S::Established, "", C::AckOpens),
        ],
    );
    script(
        syn_received_passive,
        &[
            (timeout(1000), S::SynReceived, "S. 0 ack 1", C::RetransmissionTimeout),
            (timeout(2000), S::SynReceived, "S. 0 ack 1", C::RetransmissionTimeout),
            (ack(1, 1), S::Established, "", C::AckOpens),
        ],
    );
}

/// B-03, O-06: the SYN repeated with the text or FIN it had; it is no new SYN in the window (E-06).
#[test]
fn b03_o06_syn_received_passive_repeated_syn_with_text_or_fin() {
    for place in everywhere() {
        for event in [syn(0).text(1), syn(0).text(100), syn(0).fin(), syn(0).text(5).fin()] {
            let mut rig = listen(place).with(&[event]);
            rig.feed(event.after(500));
            assert_eq!(rig.tcb.state(), S::SynReceived, "{event:?} {place:?}");
            rig.feed(ack(1, 1));
            assert_eq!(rig.tcb.state(), S::Established, "{event:?} {place:?}");
        }
    }
}

/// E-08: the limit is reached; a listener listens again, a caller gives up.
#[test]
fn e08_syn_received_retransmission_limit() {
    for (build, end) in [(syn_received_passive as Build, S::Listen), (syn_received_active, S::Closed)] {
        script(
            build,
            &[
                (timeout(1000), S::SynReceived, "S. 0 ack 1", C::RetransmissionTimeout),
                (timeout(2000), S::SynReceived, "S. 0 ack 1", C::RetransmissionTimeout),
                (timeout(4000), S::SynReceived, "S. 0 ack 1", C::RetransmissionTimeout),
                (timeout(8000), end, "", C::RetransmissionLimit),
            ],
        );
    }
}

/// E-08: the listener that gave up one open serves the next with a fresh timer.
#[test]
fn e08_syn_received_limit_then_new_syn_starts_afresh() {
    let once = Parameters { retries: Retries::AtMost(1), ..parameters() };
    let opened = Rig::new(WRAP, &once).open(tcpshake::tcp::Origin::Passive);
    let mut rig = opened.with(&[syn(0), timeout(1000), timeout(2000)]);
    assert_eq!((rig.tcb.state(), rig.tcb.deadline()), (S::Listen, None));
    assert_eq!(rig.on(syn(70).after(60_000)).1, "S. 250000 ack 71");
    assert_eq!(rig.on(timeout(1000)).1, "S. 250000 ack 71");
}

/// B-10: text overtakes the third ACK.
#[test]
fn b10_syn_received_text_before_the_bare_ack() {
    for place in everywhere() {
        let mut rig = syn_received_passive(place);
        let (reaction, out) = rig.on(ack(1, 1).text(100));
        assert_eq!((rig.tcb.state(), out.as_str()), (S::Established, ". 1 ack 101"));
        assert_eq!(reaction.text, AcceptedText { len: 100, ..AcceptedText::default() });
        let (reaction, _) = rig.on(ack(1, 1));
        assert_eq!((rig.tcb.state(), reaction.text.len), (S::Established, 0));
    }
}

/// A-06 from SYN-RECEIVED: ACK, FIN and our own FIN in one step walk three arrows.
#[test]
fn a06_syn_received_fin_with_close_pending() {
    for place in everywhere() {
        let mut rig = syn_received_passive(place).with(&[close_with_peer()]);
        let (reaction, out) = rig.on(fin(1, 1));
        assert_eq!((rig.tcb.state(), out.as_str()), (S::LastAck, "F. 1 ack 2"));
        assert_eq!(reaction.arrows.iter().count(), 3);
    }
}
