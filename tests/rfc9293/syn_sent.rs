//! 3.10.7.3: SYN-SENT.

use tcpshake::tcp::{AcceptedText, Clause as C, Flags, Opt, Origin, Parameters, Retries, State as S};

use crate::support::*;

/// C-01, C-02, C-03: first, the ACK bit.
#[test]
fn c01_c02_c03_syn_sent_ack_without_what_it_needs() {
    each(
        syn_sent,
        &[
            (syn_ack(0, 0), S::SynSent, "R 0", C::SynSentBadAck),
            (syn_ack(0, -1), S::SynSent, "R -1", C::SynSentBadAck),
            (syn_ack(0, 2), S::SynSent, "R 2", C::SynSentBadAck),
            (syn_ack(0, 5000), S::SynSent, "R 5000", C::SynSentBadAck),
            (syn_ack(0, 0).text(9).fin(), S::SynSent, "R 0", C::SynSentBadAck),
            (ack(0, 0), S::SynSent, "R 0", C::SynSentBadAck),
            (ack(300, 100), S::SynSent, "R 100", C::SynSentBadAck), // F-05, O-12
            (ack(0, 1), S::SynSent, "", C::SynSentDrops),
            (ack(0, 1).text(9), S::SynSent, "", C::SynSentDrops),
        ],
    );
}

/// C-04, C-05, C-06: second, the RST bit.
#[test]
fn c04_c05_c06_syn_sent_rst() {
    each(
        syn_sent,
        &[
            (rst_ack(0, 1), S::Closed, "", C::SynSentRefused),
            (rst_ack(4711, 1), S::Closed, "", C::SynSentRefused),
            (rst_ack(0, 1).text(20), S::Closed, "", C::SynSentRefused), // SHLD-2
            (syn_ack(0, 1).flag(Flags::RST), S::Closed, "", C::SynSentRefused),
            (rst_ack(0, 0), S::SynSent, "", C::SynSentBadAckRst),
            (rst_ack(0, 2), S::SynSent, "", C::SynSentBadAckRst),
            (rst(0), S::SynSent, "", C::SynSentRstWithoutAck),
            (rst(1).flag(Flags::SYN), S::SynSent, "", C::SynSentRstWithoutAck),
        ],
    );
}

/// C-07: a FIN is never processed here.
#[test]
fn c07_syn_sent_fin() {
    each(
        syn_sent,
        &[
            (bits(Flags::FIN, 0, 0), S::SynSent, "", C::SynSentDrops),
            (fin(0, 2), S::SynSent, "R 2", C::SynSentBadAck),
            (fin(0, 1), S::SynSent, "", C::SynSentDrops),
            (fin(0, 1).text(9), S::SynSent, "", C::SynSentDrops),
            (bits(Flags::NONE, 0, 0), S::SynSent, "", C::SynSentDrops),
        ],
    );
}

/// A-01, C-12, F-01: fourth, the SYN bit; the numbers of both sides at every edge.
#[test]
fn a01_c12_f01_syn_sent_syn() {
    each(
        syn_sent,
        &[
            (syn_ack(0, 1), S::Established, ". 1 ack 1", C::SynSentOpened),
            (syn(0), S::SynReceived, "S. 0 ack 1", C::SynSentCrossed),
            (syn(0).text(9), S::SynReceived, "S. 0 ack 1", C::SynSentCrossed),
            (syn(0).fin(), S::SynReceived, "S. 0 ack 1", C::SynSentCrossed),
            // O-05: ECN was not asked for.
            (syn_ack(0, 1).flag(Flags::ECE | Flags::CWR), S::Established, ". 1 ack 1", C::SynSentOpened),
        ],
    );
}

/// C-08, C-09, SHLD-2: text and FIN on the SYN,ACK continue at the sixth step.
#[test]
fn c08_c09_syn_sent_syn_ack_with_text_and_fin() {
    for place in everywhere() {
        for (event, state, reply, taken) in [
            (syn_ack(0, 1).text(3), S::Established, ". 1 ack 4", 3),
            (syn_ack(0, 1).fin(), S::CloseWait, ". 1 ack 2", 0),
            (syn_ack(0, 1).text(3).fin(), S::CloseWait, ". 1 ack 5", 3),
            (syn_ack(0, 1).text(W), S::Established, ". 1 ack 2001", W as u32),
            (syn_ack(0, 1).text(W + 1), S::Established, ". 1 ack 2001", W as u32),
            (syn_ack(0, 1).text(W).fin(), S::Established, ". 1 ack 2001", W as u32), // H-14
        ] {
            let mut rig = syn_sent(place);
            let (reaction, out) = rig.on(event);
            assert_eq!((rig.tcb.state(), out.as_str()), (state, reply), "{event:?} {place:?}");
            assert_eq!(reaction.text, AcceptedText { len: taken, ..AcceptedText::default() }, "{event:?}");
        }
    }
}

/// 3.10.7.3 fourth: the variables a SYN,ACK sets.
#[test]
fn a01_syn_sent_syn_ack_sets_the_variables() {
    for place in everywhere() {
        let rig = syn_sent(place).with(&[syn_ack(0, 1).win(4321)]);
        let (snd, rcv) = (rig.tcb.snd(), rig.tcb.rcv());
        assert_eq!((snd.una, snd.nxt), (place.iss + 1, place.iss + 1));
        assert_eq!((snd.wnd.get(), snd.wl1, snd.wl2), (4321, place.irs, place.iss + 1));
        assert_eq!((rcv.irs, rcv.nxt), (place.irs, place.irs + 1));
        assert_eq!(rig.tcb.deadline(), None, "nothing is outstanding");
    }
}

/// C-01, B-11: none of the odd answers disturbs the open or its timer.
#[test]
fn c01_b11_syn_sent_odd_answers_then_the_good_one() {
    script(
        syn_sent,
        &[
            (syn_ack(0, 0).after(100), S::SynSent, "R 0", C::SynSentBadAck),
            (rst_ack(0, 7).after(100), S::SynSent, "", C::SynSentBadAckRst),
            (ack(0, 1).after(100), S::SynSent, "", C::SynSentDrops),
            (timeout(700), S::SynSent, "S 0", C::RetransmissionTimeout),
            (syn_ack(0, 1), S::Established, ". 1 ack 1", C::SynSentOpened),
        ],
    );
}

/// C-11: a SYN,ACK with window 0 opens; text waits for a probe.
#[test]
fn c11_syn_sent_syn_ack_with_window_zero() {
    script(
        syn_sent,
        &[
            (syn_ack(0, 1).win(0), S::Established, ". 1 ack 1", C::SynSentOpened),
            (send(5), S::Established, "", C::Send),
            (ack(1, 1).win(100), S::Established, "P. 1:6 ack 1", C::AckRepeats),
        ],
    );
}

/// MUST-14, MUST-15, MUST-16, K-01, K-02, K-03, K-04: text in one segment.
#[test]
fn must_14_must_15_syn_sent_peer_mss() {
    for (opts, ours, first) in [
        (&[][..], 1460, "1:537"),
        (&[Opt::Mss(0)][..], 1460, "1:537"),
        (&[Opt::Mss(1)][..], 1460, "1:49"),
        (&[Opt::Mss(600)][..], 1460, "1:601"),
        (&[Opt::Mss(u16::MAX)][..], 700, "1:701"),
        (&[Opt::Mss(900), Opt::Mss(700)][..], 1460, "1:701"),
    ] {
        let parameters = Parameters { mss: tcpshake::tcp::Mss::new(ours).unwrap(), ..parameters() };
        let rig = Rig::new(WRAP, &parameters).open(Origin::Active);
        let out = rig.with(&[syn_ack(0, 1).win(60_000).opt(opts)]).clone_sending(5000);
        let got = out.split_whitespace().nth(1).unwrap();
        assert_eq!(got, first, "{opts:?}: {out}");
    }
}

/// K-08, K-09, K-10, K-11: a window is shifted after the SYN, and only if both sides offered it.
#[test]
fn k08_k11_syn_sent_window_scale() {
    let offering = Parameters {
        window: tcpshake::tcp::WindowSize::new(1 << 20),
        retries: Retries::Unlimited,
        ..parameters()
    };
    for (opts, scale) in [
        (&[][..], 0),
        (&[Opt::WindowScale(7)][..], 7),
        (&[Opt::WindowScale(15)][..], 14),
        (&[Opt::WindowScale(255)][..], 14),
    ] {
        let mut rig = Rig::new(WRAP, &offering).open(Origin::Active);
        rig.feed(syn_ack(0, 1).win(65_535).opt(opts));
        assert_eq!(rig.tcb.snd().wnd.get(), 65_535, "the window of a SYN is never shifted");
        rig.feed(ack(1, 1).win(65_535));
        assert_eq!(rig.tcb.snd().wnd.get(), 65_535 << scale, "{opts:?}"); // MUST-1
    }
}
