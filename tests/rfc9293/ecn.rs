//! Explicit congestion notification (RFC 3168): asked for, granted, echoed.

use tcpshake::tcp::{Flags, Offer, Origin, Parameters, Segment, SeqNum, State, Tcb, UnscaledWindow};
use tcpshake::time::Instant;

const NOW: Instant = Instant::ORIGIN;
const ISS: SeqNum = SeqNum(u32::MAX);
const IRS: SeqNum = SeqNum(9000);

fn peer(flags: Flags, seq: u32, text_len: u32) -> Segment {
    let window = UnscaledWindow(1000);
    Segment { seq: IRS + seq, ack: ISS + 1, flags, window, text_len, ..Segment::default() }
}

fn tcb(offer: Offer, origin: Origin) -> (Tcb, Option<Segment>) {
    let mut tcb = Tcb::new(&Parameters { offer, ..Parameters::default() });
    let syn = tcb.open(origin, ISS, NOW).unwrap().segment;
    (tcb, syn)
}

/// O-05, SHLD-8: a SYN asks with both flags, a SYN,ACK grants with ECE alone; whoever mirrors both is broken.
#[test]
fn o05_shld_8_ecn_is_agreed_on_by_flags() {
    let both = Flags::ECE | Flags::CWR;
    for (answer, agreed) in [(Flags::ECE, true), (Flags::NONE, false), (both, false), (Flags::CWR, false)] {
        let (mut tcb, syn) = tcb(Offer::USUAL | Offer::ECN, Origin::Active);
        assert_eq!(syn.unwrap().flags, Flags::SYN | both);
        let ack = tcb.on_segment(&peer(Flags::SYN | Flags::ACK | answer, 0, 0), NOW).segment.unwrap();
        assert_eq!((tcb.state(), ack.flags), (State::Established, Flags::ACK));
        assert_eq!(tcb.granted().has(Offer::ECN), agreed, "{answer}");
    }
    for (offer, asked, granted) in
        [(Offer::ECN, both, true), (Offer::ECN, Flags::ECE, false), (Offer::NOTHING, both, false)]
    {
        let (mut tcb, _) = tcb(Offer::USUAL | offer, Origin::Passive);
        let syn_ack = tcb.on_segment(&peer(Flags::SYN | asked, 0, 0), NOW).segment.unwrap();
        let ece = if granted { Flags::ECE } else { Flags::NONE };
        assert_eq!(syn_ack.flags, Flags::SYN | Flags::ACK | ece);
    }
}

/// RFC 3168 6.1.3: every acknowledgment after a marked packet echoes it, until the peer has slowed down. L-16:
/// without an agreement the flags mean nothing.
#[test]
fn l16_congestion_is_echoed_until_the_peer_has_heard() {
    for (offer, echo) in [(Offer::ECN, Flags::ECE), (Offer::NOTHING, Flags::NONE)] {
        let (mut tcb, _) = tcb(Offer::USUAL | offer, Origin::Active);
        let _ = tcb.on_segment(&peer(Flags::SYN | Flags::ACK | Flags::ECE, 0, 0), NOW);
        tcb.note_congestion();
        for (seq, flags, expected) in
            [(1, Flags::ACK, echo), (11, Flags::ACK, echo), (21, Flags::ACK | Flags::CWR, Flags::NONE)]
        {
            let ack = tcb.on_segment(&peer(flags, seq, 10), NOW).segment.unwrap();
            assert_eq!(ack.flags, Flags::ACK | expected, "{seq}");
        }
    }
}
