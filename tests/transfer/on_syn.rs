//! Text on the SYN (RFC 9293 section 3.4): it may be sent, and what of it the peer does not take is sent again.

use tcpshake::tcp::{Flags, Mss, Offer, Opt, Origin, State};

use crate::rig::*;

#[test]
fn o06_syn_carries_as_much_as_a_segment_holds() {
    let mut setup = Setup::new();
    setup.parameters.default_peer_mss = Mss::new(536).unwrap();
    let rig = setup.syn_sent(2000);
    assert!(rig.out[0].has(Flags::SYN));
    assert!((1..=536).contains(&rig.out[0].text_len), "{}", rig.out[0]);
}

/// MUST-16: the SYN's options count: with them it fits the smallest MTU of all, too.
#[test]
fn must_16_text_on_the_syn_leaves_room_for_its_options() {
    for timestamps in [false, true] {
        let mut setup = Setup::new();
        setup.parameters.mss = Mss::DEFAULT_IPV4;
        setup.parameters.offer = Offer::USUAL | Offer::TIMESTAMPS.only_if(timestamps);
        let rig = setup.syn_sent(2000);
        let octets = rig.out[0].options.as_bytes().len() as u32 + rig.out[0].text_len;
        assert!(octets <= 536, "{octets} octets behind the fixed header: {}", rig.out[0]);
    }
}

/// Taken wholly: not sent again.
#[test]
fn o06_text_on_the_syn_acknowledged_wholly() {
    let mut rig = Setup::new().syn_sent(100).after(100);
    assert_eq!(rig.opens(101), ". 101 ack 1");
    assert_eq!(rig.stream.acknowledged(), 100);
    assert_eq!(rig.send(10), "P. 101:111 ack 1");
}

/// Not taken at all, as most hosts do: sent again at once, with the third segment of the open.
#[test]
fn o06_text_on_the_syn_not_acknowledged() {
    let mut rig = Setup::new().syn_sent(100).after(100);
    assert_eq!(rig.opens(1), "P. 1:101 ack 1");
    rig.on(ack(1, 101));
    assert_eq!(rig.stream.acknowledged(), 100);
    assert_eq!(rig.sends_any(30_000), 10, "no segment was lost: the initial window is ten");
}

/// In part: the rest.
#[test]
fn o06_text_on_the_syn_acknowledged_in_part() {
    let mut rig = Setup::new().syn_sent(100).after(100);
    assert_eq!(rig.opens(41), "P. 41:101 ack 1");
    assert_eq!(rig.stream.acknowledged(), 40);
}

/// More than was sent is an acknowledgment of nothing of ours: refused.
#[test]
fn o06_more_than_the_syn_carried_is_acknowledged() {
    let mut rig = Setup::new().syn_sent(100).after(100);
    assert_eq!(rig.opens(102), "R 102");
    assert_eq!(rig.stream.tcb().state(), State::SynSent);
    assert_eq!(rig.opens(101), ". 101 ack 1");
}

/// MUST-18: the SYN is measured by its acknowledgment, whether or not the text is taken.
#[test]
fn must_18_text_on_the_syn_is_not_measured_when_sent_again() {
    let mut rig = Setup::new().syn_sent(100).after(100);
    rig.opens(1);
    let rtt = rig.stream.tcb().smoothed_rtt();
    assert_eq!(rtt.map(|rtt| rtt.as_millis()), Some(100));
    rig.pass(100);
    rig.on(ack(1, 101));
    assert_eq!(rig.stream.tcb().smoothed_rtt().map(|rtt| rtt.as_millis()), Some(100));
}

/// The SYN is lost: it comes again, with its text or without (RFC 7413 section 4.2.1 would leave it away).
#[test]
fn b01_syn_with_text_lost() {
    let mut rig = Setup::new().syn_sent(100);
    rig.timeout();
    let out = rig.shown();
    assert!(["S 0:100", "S 0"].contains(&out.as_str()), "{out}");
    rig.opens(1);
    rig.on(ack(1, 101));
    assert_eq!(rig.stream.acknowledged(), 100);
}

/// F-01: a simultaneous open with text on our SYN: SYN,ACK without text, which follows once open.
#[test]
fn f01_simultaneous_open_with_text_on_the_syn() {
    let mut rig = Setup::new().syn_sent(100);
    let syn = from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000)).opt(Opt::SackPermitted);
    assert_eq!(rig.on(syn), "S. 0 ack 1");
    assert_eq!(rig.stream.tcb().state(), State::SynReceived);
    rig.opens(1);
    assert_eq!(rig.stream.tcb().state(), State::Established);
    assert!(rig.shown().ends_with("1:101 ack 1"), "{}", rig.shown());
    rig.on(ack(1, 101));
    assert_eq!(rig.stream.acknowledged(), 100);
}

/// The same when the peer took the text with the SYN, and its SYN,ACK was lost: its next acknowledgment is of
/// what we have sent, and opens.
#[test]
fn f03_simultaneous_open_whose_text_was_taken() {
    let mut rig = Setup::new().syn_sent(100);
    rig.on(from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000)).opt(Opt::SackPermitted));
    let out = rig.on(ack(1, 101));
    assert!(!out.contains('R'), "{out}");
    assert_eq!(rig.stream.tcb().state(), State::Established);
    assert_eq!(rig.stream.acknowledged(), 100);
    assert_eq!(rig.send(10), "P. 101:111 ack 1");
}

/// A SYN,ACK in two segments: the acknowledgment of our SYN first, the SYN after it.
#[test]
fn f01_split_open_with_text_on_the_syn() {
    let mut rig = Setup::new().syn_sent(100);
    rig.on(ack(0, 1));
    assert_eq!(rig.stream.tcb().state(), State::SynSent);
    rig.on(from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000)));
    rig.on(ack(1, 1));
    assert_eq!(rig.stream.tcb().state(), State::Established);
    rig.on(ack(1, 101));
    assert_eq!(rig.stream.acknowledged(), 100);
}

/// O-06: text on the peer's SYN need not be kept, but is not delivered twice, and none of it is lost.
#[test]
fn o06_text_on_the_peers_syn() {
    let mut rig = Setup::new().begin(Origin::Passive, 0);
    rig.on(from_peer(Flags::SYN, 0, 0).text(50).opt(Opt::Mss(1000)));
    let taken = rig.out[0].ack.0 - 1;
    assert!(taken == 0 || taken == 50, "{}", rig.shown());
    rig.on(ack(1 + taken, 1).text(100 - taken));
    assert_eq!(rig.taken, 100);
}

/// C-08: text on the SYN,ACK.
#[test]
fn c08_text_on_the_syn_ack() {
    let mut rig = Setup::new().syn_sent(0);
    rig.on(from_peer(Flags::SYN | Flags::ACK, 0, 1).text(30).opt(Opt::Mss(1000)));
    let taken = rig.out[0].ack.0 - 1;
    assert!(taken == 0 || taken == 30, "{}", rig.shown());
    rig.on(ack(1 + taken, 1).text(60 - taken));
    assert_eq!(rig.taken, 60);
}

/// A call that is refused changes nothing: no text of it is sent later.
#[test]
fn text_of_a_refused_open_is_not_sent() {
    let mut rig = Setup::new().syn_sent(100);
    let (iss, now) = (rig.setup.iss, rig.now);
    assert!(rig.stream.open(Origin::Active, iss, b"again", now).is_err());
    rig.opens(1);
    assert_eq!(rig.shown(), "P. 1:101 ack 1");
    let mut rig = Setup::new().begin(Origin::Passive, 5);
    rig.on(from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000)));
    rig.on(ack(1, 1));
    assert_eq!(rig.shown(), "", "a passive open has no SYN for text to be on");
}

impl Rig {
    fn sends_any(&mut self, octets: u32) -> usize {
        self.send(octets);
        self.out.len()
    }
}

/// N-07: while our SYN is not acknowledged nothing is under way that could be too large: also not when our user has
/// closed already, and the state is FIN-WAIT-1.
#[test]
fn n07_a_narrow_path_is_no_matter_for_a_syn() {
    let mut rig = Setup::new().begin(Origin::Passive, 0);
    rig.on(from_peer(Flags::SYN, 0, 0).opt(Opt::Mss(1000)));
    assert_eq!(rig.close(), "F. 1 ack 1");
    rig.stream.note_narrow_path(Mss::new(512).unwrap());
    assert_eq!(rig.stream.transmit(rig.now), None);
}
