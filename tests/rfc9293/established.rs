//! 3.10.7.4 in ESTABLISHED.

use tcpshake::tcp::{AcceptedText, Clause as C, Flags, Origin, Parameters, State as S, WindowSize};

use crate::support::*;

const PLAIN: &str = ". 1 ack 1";

/// G-01, G-10, G-11, G-12, B-05, B-08, J-12.
#[test]
fn g01_g10_g11_g12_established_common() {
    each(established, &synchronized(S::Established, 1, 1, PLAIN, C::RstResets));
}

/// G-11, G-12, MAY-12: the edges of the acceptable range.
#[test]
fn g11_g12_may_12_established_ack_edges() {
    each(
        established,
        &[
            (ack(1, 2), S::Established, PLAIN, C::AckOutOfRange),
            (ack(1, 1), S::Established, "", C::AckRepeats),
            (ack(1, 0), S::Established, "", C::AckRepeats),
            (ack(1, 1 - PEER_W), S::Established, "", C::AckRepeats),
            (ack(1, 1 - PEER_W - 1), S::Established, PLAIN, C::AckOutOfRange),
            (ack(1, 1 + 0x7fff_ffff), S::Established, PLAIN, C::AckOutOfRange),
        ],
    );
}

/// G-16, H-11, H-13, H-14: text and FIN at every edge of the window.
#[test]
fn g16_h11_h13_h14_established_text_and_fin() {
    each(
        established,
        &[
            (ack(1, 1).text(10), S::Established, ". 1 ack 11", C::TextAccepted),
            (ack(1, 1).text(W), S::Established, ". 1 ack 2001", C::TextAccepted),
            (ack(1, 1).text(W + 1), S::Established, ". 1 ack 2001", C::TextAccepted),
            (ack(-4, 1).text(10), S::Established, ". 1 ack 6", C::TextAccepted),
            (ack(0, 1).text(1), S::Established, PLAIN, C::SeqUnacceptable),
            (ack(-9, 1).text(10), S::Established, PLAIN, C::SeqUnacceptable),
            (ack(2, 1).text(10), S::Established, PLAIN, C::TextOutOfOrder),
            (ack(W, 1).text(1), S::Established, PLAIN, C::TextOutOfOrder),
            (ack(1 + W, 1).text(1), S::Established, PLAIN, C::SeqUnacceptable),
            (ack(W, 1), S::Established, "", C::AckRepeats),
            (fin(1, 1), S::CloseWait, ". 1 ack 2", C::FinAccepted),
            (fin(1, 1).text(100), S::CloseWait, ". 1 ack 102", C::FinAccepted),
            (fin(1, 1).text(W - 1), S::CloseWait, ". 1 ack 2001", C::FinAccepted),
            (fin(0, 1).text(1), S::CloseWait, ". 1 ack 2", C::FinAccepted), // old text, new FIN
            (fin(-4, 1).text(10), S::CloseWait, ". 1 ack 7", C::FinAccepted),
            (fin(101, 1), S::Established, PLAIN, C::FinOutOfOrder),
            (fin(1 + W, 1), S::Established, PLAIN, C::SeqUnacceptable),
            (fin(0, 1), S::Established, PLAIN, C::SeqUnacceptable),
            (bits(Flags::FIN, 1, 0), S::Established, "", C::AckMissing),
        ],
    );
}

/// H-14: a FIN beyond the window's edge is trimmed: it stands behind no gap, so the text decides.
#[test]
fn h14_established_fin_beyond_the_edge_is_trimmed() {
    for place in everywhere() {
        for (build, event, state, reply) in [
            (established as Build, fin(1, 1).text(W), S::Established, ". 1 ack 2001"),
            (fin_wait_1, fin(1, 2).text(W), S::FinWait2, ". 2 ack 2001"),
            (fin_wait_2, fin(1, 2).text(W + 9), S::FinWait2, ". 2 ack 2001"),
        ] {
            let mut rig = build(place);
            let (reaction, out) = rig.on(event);
            assert_eq!((rig.tcb.state(), out.as_str()), (state, reply), "{event:?} {place:?}");
            assert_eq!(reaction.text.len, W as u32);
        }
    }
}

/// H-14: the rule named is the one that decided.
#[test]
fn h14_established_fin_beyond_the_edge_clause() {
    let row = (fin(1, 1).text(W), S::Established, ". 1 ack 2001", C::TextAccepted);
    each(established, &[row]);
}

/// G-01, RFC 5961 3.2: a RST is judged by its own number, whatever text follows it into the window.
#[test]
fn g01_established_rst_before_the_window_with_text_reaching_into_it() {
    let before = |text| (rst(0).text(text), S::Established, "", C::SeqUnacceptableRst);
    each(established, &[before(2), before(3), before(W)]);
}

/// G-16: which octets of a segment are handed on.
#[test]
fn g16_established_only_the_new_part_is_delivered() {
    for place in everywhere() {
        for (event, skip, len) in [
            (ack(1, 1).text(10), 0, 10),
            (ack(-4, 1).text(10), 5, 5),
            (ack(0, 1).text(2), 1, 1),
            (ack(1, 1).text(W + 9), 0, W as u32),
            (ack(0, 1).text(W + 1), 1, W as u32),
            (fin(-4, 1).text(10), 5, 5),
        ] {
            let (reaction, _) = established(place).on(event);
            assert_eq!(
                reaction.text,
                AcceptedText { skip, len, ..AcceptedText::default() },
                "{event:?} {place:?}"
            );
        }
        for event in [ack(2, 1).text(10), ack(-9, 1).text(10), ack(1, 2).text(10), fin(101, 1)] {
            assert_eq!(established(place).on(event).0.text.len, 0, "{event:?} {place:?}");
        }
    }
}

/// H-13, SHLD-31, MAY-13: a FIN behind a gap; what was behind the gap comes again.
#[test]
fn h13_shld_31_established_fin_out_of_order() {
    script(
        established,
        &[
            (fin(101, 1), S::Established, PLAIN, C::FinOutOfOrder),
            (ack(1, 1).text(100), S::Established, ". 1 ack 101", C::TextAccepted),
            (fin(101, 1), S::CloseWait, ". 1 ack 102", C::FinAccepted),
        ],
    );
}

/// B-06: three SYN,ACKs; one open, plain ACKs back.
#[test]
fn b06_established_syn_ack_again() {
    script(
        established,
        &[
            (syn_ack(0, 1), S::Established, PLAIN, C::SeqUnacceptable),
            (syn_ack(0, 1), S::Established, PLAIN, C::SeqUnacceptable),
            (ack(1, 1).text(5), S::Established, ". 1 ack 6", C::TextAccepted),
        ],
    );
}

/// B-08: P restarted; it answers our ACK with an exact RST.
#[test]
fn b08_established_syn_ack_of_another_iss_then_rst() {
    script(
        established,
        &[
            (syn_ack(50_000, 1), S::Established, PLAIN, C::SeqUnacceptable),
            (rst(1), S::Closed, "", C::RstResets),
        ],
    );
}

/// F-06, A-06: text sent, acknowledged, and the FIN answered with ours.
#[test]
fn a06_established_fin_with_close_pending() {
    let pending: Build = |place| established(place).with(&[close_with_peer()]);
    script(
        pending,
        &[(fin(1, 1), S::LastAck, "F. 1 ack 2", C::FinAccepted), (ack(2, 2), S::Closed, "", C::AckOfFinLast)],
    );
}

/// text of ours that waits goes before the FIN; nothing is lost.
#[test]
fn a06_established_close_with_peer_leaves_text_flow_alone() {
    let pending: Build = |place| established(place).with(&[close_with_peer()]);
    script(
        pending,
        &[
            (send(10), S::Established, "P. 1:11 ack 1", C::Send),
            (ack(1, 11), S::Established, "", C::AckAdvances),
            (ack(1, 11).text(7), S::Established, ". 11 ack 8", C::TextAccepted),
            (fin(8, 11), S::LastAck, "F. 11 ack 9", C::FinAccepted),
        ],
    );
}

/// G-11, G-13: when a segment may set the send window, and when not.
#[test]
fn g11_g13_established_window_update() {
    // After text at 1..11 with window 500: WL1 = 1, WL2 = 1.
    let setup: Build = |place| established(place).with(&[ack(1, 1).text(10).win(500), send(20)]);
    for place in everywhere() {
        for (event, window) in [
            (ack(11, 1).win(600), 600),  // newer sequence number
            (ack(11, 0).win(600), 500),  // older acknowledgment
            (ack(11, 22).win(600), 500), // of what was never sent
            (ack(11, 21).win(600), 600),
            (ack(11, 11).win(600), 600),
            (ack(12, 1).win(0), 0),
            (ack(10, 21).win(600), 500), // not acceptable
        ] {
            let rig = setup(place).with(&[event]);
            assert_eq!(rig.tcb.snd().wnd.get(), window, "{event:?} {place:?}");
        }
        // Same sequence number, older acknowledgment than WL2: an old segment.
        let rig = setup(place).with(&[ack(11, 15).win(700), ack(11, 14).win(900)]);
        assert_eq!(rig.tcb.snd().wnd.get(), 700);
        // Older sequence number than WL1, though in the window.
        let rig = setup(place).with(&[ack(50, 15).win(700), ack(11, 15).win(900)]);
        assert_eq!(rig.tcb.snd().wnd.get(), 700);
        // Sent again together with what is new: it counts from RCV.NXT on, which is behind WL1 = 11.
        let rig = setup(place).with(&[ack(11, 1).text(10).win(700), ack(1, 1).text(40).win(900)]);
        assert_eq!((rig.tcb.snd().wnd.get(), rig.tcb.snd().wl1), (900, place.irs + 21));
    }
}

/// MAX.SND.WND is the largest ever, and moves the lower edge of the acceptable range (RFC 5961 5.2).
#[test]
fn g12_established_max_snd_wnd_grows_only() {
    for place in everywhere() {
        let rig = established(place).with(&[ack(1, 1).win(5000), ack(1, 1).win(10)]);
        assert_eq!((rig.tcb.snd().wnd.get(), rig.tcb.snd().max_wnd.get()), (10, 5000));
        let (reaction, _) = { rig }.on(ack(1, 1 - 5000));
        assert_eq!(reaction.clause, C::AckRepeats);
        let (reaction, _) = { rig }.on(ack(1, -5000));
        assert_eq!(reaction.clause, C::AckOutOfRange);
    }
}

/// SND.UNA moves with what is acknowledged and nothing else.
#[test]
fn established_ack_advances_una() {
    let setup: Build = |place| established(place).with(&[send(20)]);
    for place in everywhere() {
        for (acked, una) in [(1, 1), (2, 2), (11, 11), (21, 21), (22, 1), (0, 1)] {
            let rig = setup(place).with(&[ack(1, acked)]);
            assert_eq!(rig.tcb.snd().una, place.iss + una, "ack {acked} {place:?}");
            assert_eq!(rig.tcb.deadline().is_none(), una == 21, "ack {acked}"); // RFC 6298 5.2
        }
    }
}

/// MUST-30, MUST-31, MUST-32, MUST-33, 3.10.7.4 sixth: RCV.UP, any length, at every placement.
#[test]
fn must_31_established_urgent_pointer() {
    for place in everywhere() {
        let rig = established(place).with(&[ack(1, 1).urg(5).text(10)]);
        assert_eq!(rig.tcb.rcv().up, place.irs + 6, "{place:?}");
        let rig = rig.with(&[ack(11, 1).urg(60_000)]); // beyond the text
        assert_eq!(rig.tcb.rcv().up, place.irs + 60_011);
        let rig = rig.with(&[ack(11, 1).urg(3)]); // RCV.UP <- max(RCV.UP, SEG.UP)
        assert_eq!(rig.tcb.rcv().up, place.irs + 60_011);
        let rig = established(place).with(&[ack(1, 1).urg(0)]); // L-17
        assert_eq!(rig.tcb.state(), S::Established);
    }
}

/// G-14, RFC 5961 section 7: at most ten challenges in five seconds, and ten more once it was quiet for as long.
#[test]
fn g14_established_challenges_are_throttled() {
    let mut rig = established(WRAP);
    for period in 0..3 {
        let mut answered = 0;
        for _ in 0..1000 {
            let (reaction, out) = rig.on(rst(2).after(1));
            let expected = if out.is_empty() { C::ChallengeThrottled } else { C::RstChallenged };
            assert_eq!((reaction.clause, rig.tcb.state()), (expected, S::Established));
            answered += usize::from(!out.is_empty());
        }
        assert_eq!(answered, 10, "period {period}");
        rig.now += std::time::Duration::from_secs(5);
    }
    let mut throttled = established(WRAP).with(&[rst(2); 50]);
    assert_eq!(throttled.on(rst(1)).0.clause, C::RstResets, "an exact RST is never throttled");
}

/// G-14: SYN and ACK challenges share the budget; acknowledgments of repeated text are not rationed.
#[test]
fn g14_established_duplicates_of_text_are_always_acknowledged() {
    for event in [syn(1), syn(0), syn(-5000), syn_ack(0, 1), syn(W + 1), ack(1, 2), ack(1, -5000)] {
        let mut rig = established(WRAP);
        let answered = (0..100).filter(|_| !rig.on(event).1.is_empty()).count();
        assert_eq!(answered, 10, "{event:?}");
    }
    let mut rig = established(WRAP).with(&[ack(1, 1).text(10)]).with(&[rst(12); 50]);
    for _ in 0..100 {
        assert_eq!(rig.on(ack(1, 1).text(10)).1, ". 1 ack 11");
        assert_eq!(rig.on(ack(21, 1).text(10)).1, ". 1 ack 11");
    }
}

/// MUST-66, H-15: a receive window of zero. RST, ACK and URG of what is otherwise unacceptable count.
#[test]
fn must_66_h15_established_receive_window_zero() {
    let parameters = Parameters { window: WindowSize::new(0), ..Parameters::default() };
    let shut = |place| {
        let rig = Rig::new(place, &parameters).open(Origin::Active);
        rig.with(&[syn_ack(0, 1), send(20)])
    };
    for place in everywhere() {
        for (event, state, reply) in [
            (rst(1), S::Closed, ""),
            (rst(0), S::Established, ""),
            (rst(2), S::Established, ""),
            (ack(1, 21), S::Established, ""),
            (ack(2, 21), S::Established, ". 21 ack 1"),
            (ack(1, 1).text(1), S::Established, ". 21 ack 1"),
            (ack(0, 1), S::Established, ". 21 ack 1"),
            (rst(1).text(5), S::Closed, ""),
            (bits(Flags::NONE, 1, 0), S::Established, ""),
            (bits(Flags::PSH, 1, 0).text(5), S::Established, ". 21 ack 1"), // table 6: not acceptable
        ] {
            let mut rig = shut(place);
            let (reaction, out) = rig.on(event);
            assert_eq!((rig.tcb.state(), out.as_str()), (state, reply), "{event:?} {place:?}");
            assert_eq!(reaction.text.len, 0);
        }
        let una = |event| shut(place).with(&[event]).tcb.snd().una;
        assert_eq!(una(ack(1, 21)), place.iss + 21);
        assert_eq!(una(ack(1, 21).text(1)), place.iss + 21, "the valid ACK of a probe counts");
        assert_eq!(shut(place).with(&[ack(1, 1).urg(5)]).tcb.rcv().up, place.irs + 6);
    }
}
