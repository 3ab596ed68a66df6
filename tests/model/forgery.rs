//! What a stranger sends who knows the numbers of a connection, nearly knows them, or knows nothing.

use tcpshake::tcp::{Flags, Segment, State, Tcb, UnscaledWindow};

/// Where a forged SEG.SEQ lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seq {
    Exact,
    InWindow,
    Outside,
}

/// What a forged SEG.ACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack {
    Nothing,
    /// SND.UNA: nothing new.
    Oldest,
    /// SND.NXT: all that was sent.
    All,
    /// More than was sent.
    Unsent,
}

/// A forged segment; its numbers are those that its victim has when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Forgery {
    pub flags: Flags,
    pub seq: Seq,
    pub ack: Ack,
    pub window: u16,
}

impl Forgery {
    const WINDOW: u16 = 2;

    /// A RST, a SYN or an ACK at every position; an ACK closes the window, too.
    pub fn all() -> impl Iterator<Item = Self> {
        const ACKS: &[Ack] = &[Ack::Oldest, Ack::All, Ack::Unsent];
        const KINDS: [(Flags, &[Ack], u16); 5] = [
            (Flags::RST, &[Ack::Nothing], 0),
            (Flags::RST, ACKS, 0),
            (Flags::SYN, &[Ack::Nothing], Forgery::WINDOW),
            (Flags::NONE, ACKS, Forgery::WINDOW),
            (Flags::NONE, ACKS, 0),
        ];
        KINDS.into_iter().flat_map(|(flags, acks, window)| {
            let seqs = [Seq::Exact, Seq::InWindow, Seq::Outside];
            seqs.into_iter().flat_map(move |seq| {
                acks.iter().map(move |ack| {
                    let bit = if *ack == Ack::Nothing { Flags::NONE } else { Flags::ACK };
                    Self { flags: flags | bit, seq, ack: *ack, window }
                })
            })
        })
    }

    pub fn segment(self, victim: &Tcb) -> Segment {
        let (snd, rcv) = (victim.snd(), victim.rcv());
        let ahead = match self.seq {
            Seq::Exact => 0,
            Seq::InWindow => 1,
            Seq::Outside => rcv.wnd.get(),
        };
        let ack = match self.ack {
            Ack::Nothing => tcpshake::tcp::SeqNum(0),
            Ack::Oldest => snd.una,
            Ack::All => snd.nxt,
            Ack::Unsent => snd.nxt + 1,
        };
        let window = UnscaledWindow(self.window);
        Segment { seq: rcv.nxt + ahead, ack, flags: self.flags, window, ..Segment::default() }
    }
}

/// Whether a state knows the peer's numbers.
pub fn knows_peer(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent)
}
