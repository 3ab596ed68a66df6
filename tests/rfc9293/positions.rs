//! The segments of section 2.0: every position of SEG.SEQ and SEG.ACK, every combination of the six flags of RFC 9293,
//! four lengths of text. All are relative, so that they are the same at every placement.

use tcpshake::tcp::{Flags, Segment, SeqNum, State, UnscaledWindow};

use crate::support::*;

/// What the random positions are drawn from.
pub const SEED: u64 = 9293;

/// SEG.WND: not what the peer announced before.
const WINDOW: u16 = PEER_W as u16 + 7;

/// `SplitMix64`: the same seed, the same numbers.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A distance either way, of any order of magnitude: an even draw would hardly ever lie near a window.
    fn distance(&mut self) -> u32 {
        let draw = self.next();
        let far = (draw >> 32) as u32 >> (draw % 32);
        if draw & 32 == 0 { far } else { far.wrapping_neg() }
    }
}

/// The sequence numbers that segments are placed by.
struct Marks {
    rn: SeqNum,
    window: u32,
    una: SeqNum,
    nxt: SeqNum,
    max_wnd: u32,
    iss: SeqNum,
}

impl Marks {
    /// Before a SYN has come, the peer's next number is its first; without a connection, so is ours.
    fn of(rig: &Rig) -> Self {
        let (snd, rcv, Placement { iss, irs }) = (rig.tcb.snd(), rig.tcb.rcv(), rig.place);
        let state = rig.tcb.state();
        let unheard = matches!(state, State::Closed | State::Listen | State::SynSent);
        let (una, nxt) = if state == State::Closed { (iss, iss) } else { (snd.una, snd.nxt) };
        let rn = if unheard { irs } else { rcv.nxt };
        Self { rn, window: rcv.wnd.get(), una, nxt, max_wnd: snd.max_wnd.get(), iss }
    }

    fn seqs(&self) -> [SeqNum; 6] {
        let Self { rn, window, .. } = *self;
        [rn - 1, rn, rn + 1, rn + window - 1, rn + window, rn + (1 << 31)]
    }

    /// The last is what acknowledges nothing at all. Without the ACK bit, none of them may matter.
    fn acks(&self) -> [SeqNum; 8] {
        let Self { una, nxt, .. } = *self;
        let oldest = una - self.max_wnd;
        [oldest - 1, oldest, una - 1, una, una + 1, nxt, nxt + 1, self.iss]
    }
}

/// The segments that arrive at `rig`; `at` draws other random numbers for other connections.
pub fn segments(rig: &Rig, at: usize) -> impl Iterator<Item = Segment> + use<> {
    let marks = Marks::of(rig);
    let mut draws = Draws(SEED + at as u64);
    let (seqs, acks, window) = (marks.seqs(), marks.acks(), marks.window);
    let places = (0..=seqs.len()).flat_map(move |seq| (0..=acks.len()).map(move |ack| (seq, ack)));
    let shapes = move |place| {
        (0..64).flat_map(move |bits| [0, 1, window, window + 1].map(|text_len| (place, bits, text_len)))
    };
    places.flat_map(shapes).map(move |((seq, ack), bits, text_len)| Segment {
        seq: seqs.get(seq).copied().unwrap_or_else(|| marks.rn + draws.distance()),
        ack: acks.get(ack).copied().unwrap_or_else(|| marks.una + draws.distance()),
        flags: Flags::from_bits(bits),
        text_len,
        window: UnscaledWindow(WINDOW),
        urgent: 3,
        ..Segment::default()
    })
}
