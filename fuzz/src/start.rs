//! What a machine is made with, and the way into each state.

use std::time::Duration;

use tcpshake::tcp::{
    Flags, Mss, Nagle, Offer, Origin, Parameters, Retries, SeqNum, State, Stream, WindowSize,
};

use crate::octets::Octets;

/// Edges of the sequence space.
const EDGES: [u32; 8] =
    [0, 1, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX - 2000, u32::MAX - 1, u32::MAX];

/// An initial number: most often one at an edge.
pub fn initial(octets: &mut Octets) -> SeqNum {
    let choice = octets.u8();
    SeqNum(EDGES.get(usize::from(choice & 0xf)).copied().unwrap_or_else(|| octets.u32()))
}

/// Parameters of every kind that matters to the machine.
pub fn parameters(octets: &mut Octets, retries: Retries) -> Parameters {
    let choice = octets.u8();
    let has = |bit: u8, offer: Offer| offer.only_if(choice >> bit & 1 == 1);
    let offer = Offer::MSS | has(0, Offer::SACK) | has(1, Offer::WINDOW_SCALE) | has(2, Offer::TIMESTAMPS);
    let windows = [2000, 64_240, 1, 100_000];
    Parameters {
        mss: Mss::new(if choice & 0x10 == 0 { 1460 } else { 100 }).unwrap_or(Mss::DEFAULT_IPV4),
        window: WindowSize::new(windows[usize::from(choice >> 5 & 3)]),
        offer: offer | has(3, Offer::ECN),
        retries,
        msl: Duration::from_secs(30),
        ..Parameters::default()
    }
}

/// A machine in CLOSED.
pub fn stream(octets: &mut Octets, parameters: &Parameters) -> Stream {
    let choice = octets.u8();
    let stream = Stream::new(parameters, if choice & 1 == 0 { Nagle::On } else { Nagle::Off });
    if choice & 2 == 0 { stream } else { stream.without_loss_probes() }
}

/// What leads one state further towards another.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    Open(Origin),
    /// A segment in order that acknowledges all there is.
    Take(Flags),
    Close,
}

/// The way from CLOSED into a state; SYN-RECEIVED and ESTABLISHED can be reached from either side.
pub fn way(choice: u8) -> &'static [Move] {
    use Move::{Close, Open, Take};
    const ACK: Move = Take(Flags::ACK);
    const FIN: Move = Take(Flags::FIN);
    const SYN: Move = Take(Flags::SYN);
    const SYN_ACK: Move = Take(Flags::from_bits(0x012));
    const ACTIVE: Move = Open(Origin::Active);
    const PASSIVE: Move = Open(Origin::Passive);
    const WAYS: [&[Move]; 16] = [
        &[PASSIVE, SYN, ACK],
        &[PASSIVE, SYN, ACK],
        &[ACTIVE, SYN_ACK],
        &[],
        &[PASSIVE],
        &[ACTIVE],
        &[PASSIVE, SYN],
        &[ACTIVE, SYN],
        &[Open(Origin::Split), SYN],
        &[PASSIVE, SYN, ACK, Close],
        &[PASSIVE, SYN, ACK, Close, ACK],
        &[PASSIVE, SYN, ACK, FIN],
        &[ACTIVE, SYN_ACK, Close, FIN],
        &[PASSIVE, SYN, ACK, FIN, Close],
        &[PASSIVE, SYN, ACK, Close, ACK, FIN],
        &[ACTIVE, SYN, ACK, Close, ACK],
    ];
    WAYS[usize::from(choice & 0xf)]
}

/// Whether the peer's initial number is known in a state.
pub const fn knows_peer(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent)
}
