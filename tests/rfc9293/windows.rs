//! Windows: what is scaled and what is not, and what stands in the field (RFC 7323, RFC 9293 3.10.7.4).

use tcpshake::tcp::{
    Clause, Flags, Mss, Opt, OptionsBuilder, Origin, Parameters, Segment, SeqNum, State, Tcb, UnscaledWindow,
    WindowSize,
};
use tcpshake::time::Instant;

const NOW: Instant = Instant::ORIGIN;
/// Far enough round that zero lies ahead of it.
const ISS: SeqNum = SeqNum(0x9000_0000);
const IRS: SeqNum = SeqNum(u32::MAX);

fn segment(flags: Flags, seq: u32, ack: u32, window: u16) -> Segment {
    Segment { seq: IRS + seq, ack: ISS + ack, flags, window: UnscaledWindow(window), ..Segment::default() }
}

fn scaled(segment: Segment) -> Segment {
    let options = OptionsBuilder::default().push(Opt::WindowScale(7)).unwrap().build();
    Segment { options, ..segment }
}

fn with_window(octets: u32) -> Parameters {
    let (mss, window) = (Mss::new(1000).unwrap(), WindowSize::new(octets));
    Parameters { mss, default_peer_mss: mss, window, ..Parameters::default() }
}

fn opened(parameters: &Parameters) -> Tcb {
    let mut tcb = Tcb::new(parameters);
    let _ = tcb.open(Origin::Active, ISS, NOW).unwrap();
    let _ = tcb.on_segment(&scaled(segment(Flags::SYN | Flags::ACK, 0, 1, 60_000)), NOW);
    assert_eq!(tcb.state(), State::Established);
    tcb
}

/// K-11: a SYN's window stands as it is; the windows after it are shifted.
#[test]
fn k11_our_syn_is_not_scaled_and_what_follows_is() {
    let mut tcb = Tcb::new(&with_window(1_000_000));
    let syn = tcb.open(Origin::Active, ISS, NOW).unwrap().segment.unwrap();
    assert_eq!(syn.window, UnscaledWindow(65_535));
    let syn_ack = scaled(segment(Flags::SYN | Flags::ACK, 0, 1, 60_000));
    let ack = tcb.on_segment(&syn_ack, NOW).segment.unwrap();
    assert_eq!(ack.window, UnscaledWindow(1_000_000_u32.checked_shr(4).unwrap() as u16));
    assert_eq!(tcb.snd().wnd, WindowSize::new(60_000), "nor is the peer's");
    let _ = tcb.on_segment(&segment(Flags::ACK, 1, 1, 100), NOW);
    assert_eq!(tcb.snd().wnd, WindowSize::new(100 << 7));
}

/// F-01, K-11: the SYN,ACK of a simultaneous open carries a SYN's window, and it counts whatever stood in
/// the acknowledgment field of the bare SYN before it.
#[test]
fn f01_k11_the_window_of_a_crossing_syn_ack() {
    let mut tcb = Tcb::new(&with_window(64_000));
    let _ = tcb.open(Origin::Active, ISS, NOW).unwrap();
    let bare = Segment { ack: SeqNum(0), ..scaled(segment(Flags::SYN, 0, 0, 0)) };
    let _ = tcb.on_segment(&bare, NOW);
    assert_eq!(tcb.state(), State::SynReceived);
    let _ = tcb.on_segment(&scaled(segment(Flags::SYN | Flags::ACK, 0, 1, 50_000)), NOW);
    assert_eq!((tcb.state(), tcb.snd().wnd), (State::Established, WindowSize::new(50_000)));
}

/// H-20: who resets takes nothing more.
#[test]
fn h20_the_reset_of_an_abort_offers_no_window() {
    let reset = opened(&with_window(64_000)).abort().unwrap().segment.unwrap();
    assert_eq!((reset.flags, reset.window), (Flags::RST | Flags::ACK, UnscaledWindow(0)));
}

/// MUST-19: before the first acknowledgment of text no more than RFC 5681's initial window is under way.
#[test]
fn must_19_three_segments_are_under_way_at_most() {
    let mut tcb = opened(&with_window(64_000));
    let mut sent = usize::from(tcb.send(20_000, NOW).unwrap().segment.is_some());
    while let Some(more) = tcb.transmit(NOW) {
        sent += usize::from(more.segment.is_some());
    }
    assert_eq!((sent, tcb.snd().nxt - tcb.snd().una), (3, 3000));
}

/// H-15: a closed window keeps text out, not a bare FIN; two such ends could else never close.
#[test]
fn h15_a_bare_fin_is_taken_at_a_closed_window() {
    let mut tcb = opened(&with_window(0));
    let text = Segment { text_len: 5, ..segment(Flags::FIN | Flags::ACK, 1, 1, 100) };
    let refused = tcb.on_segment(&text, NOW);
    assert_eq!((tcb.state(), refused.text.len), (State::Established, 0));
    assert_eq!(refused.segment.unwrap().ack, IRS + 1);
    let taken = tcb.on_segment(&segment(Flags::FIN | Flags::ACK, 1, 1, 100), NOW);
    assert_eq!((tcb.state(), taken.clause), (State::CloseWait, Clause::FinAccepted));
    assert_eq!(taken.segment.unwrap().ack, IRS + 2);
}

/// Appendix A.2: a peer that has filled our window, and lost it, is heard from its right edge: its ACK alone.
#[test]
fn an_ack_at_the_right_edge_of_the_window_is_taken() {
    for window in [0, 1, 64_000] {
        let mut tcb = opened(&with_window(window));
        assert!(tcb.send(1000, NOW).is_ok());
        let beyond = tcb.on_segment(&segment(Flags::ACK, window + 2, 501, 500), NOW);
        assert_eq!((tcb.snd().una, beyond.clause), (ISS + 1, Clause::SeqUnacceptable), "{window}");
        let text = Segment { text_len: 1, ..segment(Flags::ACK, window + 1, 501, 500) };
        let text = tcb.on_segment(&text, NOW);
        let una = if window == 0 { ISS + 501 } else { ISS + 1 }; // at a closed window the ACK of text counts, too
        assert_eq!((tcb.snd().una, text.text.len), (una, 0), "{window}");
        let edge = tcb.on_segment(&segment(Flags::ACK, window + 1, 1001, 500), NOW);
        assert_eq!((tcb.snd().una, edge.segment), (ISS + 1001, None), "{window}");
        let reset = tcb.on_segment(&segment(Flags::RST, window + 1, 0, 0), NOW);
        let closed = if window == 0 { State::Closed } else { State::Established };
        assert_eq!((tcb.state(), reset.segment), (closed, None), "{window}");
    }
}

/// 3.10.2: "insufficient resources" rather than more text than sequence numbers can tell apart.
#[test]
fn send_is_bounded() {
    let mut tcb = opened(&with_window(64_000));
    assert!(tcb.send(1 << 30, NOW).is_ok());
    assert!(tcb.send(1, NOW).is_err());
}

/// G-13: the window of a segment that acknowledges less than another before it is not taken, even if its own number is
/// newer (RFC 9293 section 3.10.7.4, fifth: SND.UNA =< SEG.ACK).
#[test]
fn g13_an_older_acknowledgment_sets_no_window() {
    let mut tcb = opened(&with_window(64_000));
    let _ = tcb.send(10, NOW).unwrap();
    let _ = tcb.on_segment(&segment(Flags::ACK, 1, 11, 400), NOW);
    let wnd = tcb.snd().wnd;
    let older = Segment { text_len: 5, ..segment(Flags::ACK, 1, 1, 1) };
    assert_eq!(tcb.on_segment(&older, NOW).text.len, 5);
    assert_eq!(tcb.snd().wnd, wnd);
}
