//! The way into each state, each built on the one before, and what all synchronized states have in common.

use tcpshake::tcp::{Clause, Flags, Origin, Parameters, SeqNum, State, WindowSize};

use crate::support::*;

pub fn parameters() -> Parameters {
    Parameters { window: WindowSize::new(W as u32), ..Parameters::default() }
}

/// No connection: nothing is relative to an ISS yet.
pub fn closed(place: Placement) -> Rig {
    let iss = SeqNum(0);
    Rig::new(Placement { iss, ..place }, &parameters())
}
fn unopened(place: Placement) -> Rig {
    Rig::new(place, &parameters())
}
/// Our receive window is closed, and stays so.
fn shut(place: Placement) -> Rig {
    Rig::new(place, &Parameters { window: WindowSize::new(0), ..Parameters::default() })
}
fn shut_open(place: Placement) -> Rig {
    shut(place).open(Origin::Active).with(&[syn_ack(0, 1)])
}
pub fn listen(place: Placement) -> Rig {
    unopened(place).open(Origin::Passive)
}
pub fn syn_sent(place: Placement) -> Rig {
    unopened(place).open(Origin::Active)
}
pub fn syn_received_passive(place: Placement) -> Rig {
    listen(place).with(&[syn(0)])
}
pub fn syn_received_active(place: Placement) -> Rig {
    syn_sent(place).with(&[syn(0)])
}
pub fn established(place: Placement) -> Rig {
    syn_sent(place).with(&[syn_ack(0, 1)])
}
pub fn fin_wait_1(place: Placement) -> Rig {
    established(place).with(&[close()])
}
pub fn fin_wait_2(place: Placement) -> Rig {
    fin_wait_1(place).with(&[ack(1, 2)])
}
pub fn close_wait(place: Placement) -> Rig {
    established(place).with(&[fin(1, 1)])
}
pub fn closing(place: Placement) -> Rig {
    fin_wait_1(place).with(&[fin(1, 1)])
}
pub fn last_ack(place: Placement) -> Rig {
    close_wait(place).with(&[close()])
}
pub fn time_wait(place: Placement) -> Rig {
    fin_wait_2(place).with(&[fin(1, 2)])
}

/// Every state, SYN-RECEIVED once for each origin.
pub const STATES: [(State, Build); 12] = [
    (State::Closed, closed),
    (State::Listen, listen),
    (State::SynSent, syn_sent),
    (State::SynReceived, syn_received_passive),
    (State::SynReceived, syn_received_active),
    (State::Established, established),
    (State::FinWait1, fin_wait_1),
    (State::FinWait2, fin_wait_2),
    (State::CloseWait, close_wait),
    (State::Closing, closing),
    (State::LastAck, last_ack),
    (State::TimeWait, time_wait),
];

/// A state reached another way than in `STATES`, or with something outstanding.
pub const VARIANTS: [(&str, Origin, Build); 16] = [
    ("text on the SYN", Origin::Active, |place| {
        let mut rig = unopened(place);
        let _ = rig.tcb.open_with_text(Origin::Active, place.iss, 5, rig.now);
        rig
    }),
    ("of a split open", Origin::Split, |place| unopened(place).open(Origin::Split).with(&[syn(0)])),
    ("text under way", Origin::Active, |place| established(place).with(&[send(5)])),
    ("the peer's window shrank", Origin::Active, |place| established(place).with(&[ack(1, 1).win(10)])),
    ("CLOSE waits", Origin::Active, |place| established(place).with(&[close_with_peer()])),
    ("CLOSE waits, text under way", Origin::Active, |place| {
        established(place).with(&[send(5), close_with_peer()])
    }),
    ("text and FIN under way", Origin::Active, |place| established(place).with(&[send(5), close()])),
    ("SYN and FIN under way", Origin::Passive, |place| syn_received_passive(place).with(&[close()])),
    ("text under way", Origin::Active, |place| close_wait(place).with(&[send(5)])),
    ("text and FIN under way", Origin::Active, |place| {
        established(place).with(&[send(5), close(), fin(1, 1)])
    }),
    ("text and FIN under way", Origin::Active, |place| close_wait(place).with(&[send(5), close()])),
    ("both closed at once", Origin::Active, |place| closing(place).with(&[ack(2, 2)])),
    ("closed window", Origin::Passive, |place| shut(place).open(Origin::Passive).with(&[syn(0)])),
    ("closed window", Origin::Active, |place| shut_open(place).with(&[send(5)])),
    ("closed window", Origin::Active, |place| shut_open(place).with(&[send(5), close()])),
    ("closed window", Origin::Active, |place| shut_open(place).with(&[close(), ack(1, 2)])),
];

/// What all synchronized states answer alike, given RCV.NXT, SND.NXT, the plain ACK they send, and what an
/// exact RST is called: G-01, G-02, G-03, G-04, G-05, G-06, G-07, G-10, G-11, G-12, J-12.
pub fn synchronized(state: State, rn: i64, nxt: i64, plain: &'static str, reset: Clause) -> Vec<Row> {
    use Clause as C;
    let una = nxt; // whatever is unacknowledged, these edges lie outside in all of the states
    vec![
        (rst(rn), State::Closed, "", reset),
        (rst_ack(rn, nxt + 9), State::Closed, "", reset), // the ACK of a RST is not looked at
        (rst(rn).text(5), State::Closed, "", reset),      // SHLD-2
        (rst(rn).flag(Flags::SYN | Flags::FIN), State::Closed, "", reset),
        (rst(rn + 1), state, plain, C::RstChallenged),
        (rst(rn + W - 1), state, plain, C::RstChallenged),
        (rst_ack(rn + W - 1, nxt), state, plain, C::RstChallenged),
        (rst(rn - 1), state, "", C::SeqUnacceptableRst),
        (rst(rn + W), state, "", C::SeqUnacceptableRst),
        (syn(rn), state, plain, C::SynChallenged),
        (syn(rn + W - 1), state, plain, C::SynChallenged),
        (syn_ack(rn, nxt), state, plain, C::SynChallenged),
        (syn(rn).fin(), state, plain, C::SynChallenged),
        (syn(rn - 1), state, plain, C::SeqUnacceptable),
        (syn(rn + W), state, plain, C::SeqUnacceptable),
        (syn_ack(rn - 1, nxt), state, plain, C::SeqUnacceptable),
        (syn_ack(rn + 0x7000_0000, nxt), state, plain, C::SeqUnacceptable),
        (ack(rn, nxt + 1), state, plain, C::AckOutOfRange),
        (ack(rn, una - PEER_W - 2), state, plain, C::AckOutOfRange),
        (ack(rn, nxt + 1).text(5), state, plain, C::AckOutOfRange),
        (fin(rn, nxt + 1), state, plain, C::AckOutOfRange),
        (ack(rn - 1, nxt), state, plain, C::SeqUnacceptable), // J-12: keep-alive
        (ack(rn + W + 1, nxt), state, plain, C::SeqUnacceptable), // at W it would be taken (appendix A.2)
        (ack(rn + W, nxt).text(1), state, plain, C::SeqUnacceptable),
        (fin(rn + W, nxt), state, plain, C::SeqUnacceptable),
        (bits(Flags::NONE, rn, 0), state, "", C::AckMissing),
        (bits(Flags::PSH, rn, 0).text(5), state, "", C::AckMissing),
        (bits(Flags::FIN | Flags::PSH | Flags::URG, rn, 0), state, "", C::AckMissing),
    ]
}
