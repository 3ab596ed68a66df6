//! What may happen in an exploration: who opens, what is said, how often the network and a stranger interfere.

use std::time::Duration;

use tcpshake::tcp::{Mss, Offer, Origin, Parameters, Retries, SeqNum, WindowSize};

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// ISS of an end's n-th connection. One end begins at the wrap, the other half the space away from it (M-01);
    /// each life begins beyond the window of the one before.
    pub fn iss(self, life: u8) -> SeqNum {
        let first = match self {
            Self::A => SeqNum(u32::MAX),
            Self::B => SeqNum(0x7fff_ffff),
        };
        first + u32::from(life) * 100_000
    }

    /// The n-th octet that an end says in the connection with this ISS; neighbours, ends and connections differ.
    pub fn octet(self, iss: SeqNum, at: u32) -> u8 {
        let begun = ((iss - self.iss(0)) / 1000) as u8;
        (at as u8).wrapping_mul(7).wrapping_add(begun) ^ if self == Self::A { 0 } else { 0xa5 }
    }
}

/// What can happen only so often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Segments of a stranger.
    pub forged: u8,
    /// Segments that the network doubles.
    pub doubled: u8,
    /// Aborts and user timeouts: ends that fall silent.
    pub given_up: u8,
    /// Milliseconds that pass; without timestamps they mean nothing.
    pub ticks: u8,
}

/// The bounds of one exploration.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// The OPENs that each user may call.
    pub opens: [&'static [Origin]; 2],
    /// Octets that each user may say.
    pub says: [u32; 2],
    /// Segments under way at a time; what is sent beyond them is lost.
    pub channel: usize,
    /// Connections that each end may have, one after the other.
    pub lives: u8,
    pub budget: Budget,
    pub parameters: Parameters,
}

pub const CLIENT: &[Origin] = &[Origin::Active];
pub const SERVER: &[Origin] = &[Origin::Passive];
/// A passive open may turn active.
pub const EITHER: &[Origin] = &[Origin::Active, Origin::Passive];

impl Scenario {
    /// A client, a server, an octet each way, a channel of two that only loses and reorders.
    pub fn plain() -> Self {
        Self {
            name: "plain",
            opens: [CLIENT, SERVER],
            says: [1, 1],
            channel: 2,
            lives: 1,
            budget: Budget::default(),
            parameters: Parameters {
                window: WindowSize::new(2),
                offer: Offer::NOTHING,
                retries: Retries::AtMost(1),
                msl: Duration::from_secs(1),
                ..Parameters::default()
            },
        }
    }

    /// Segments of one octet each.
    pub fn octet_by_octet(mut self) -> Self {
        let least = Mss::new(1).expect("not zero");
        self.parameters.mss = least;
        self.parameters.default_peer_mss = least;
        self
    }
}
