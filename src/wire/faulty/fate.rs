//! What can become of a packet on its way, as a value.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::time::Instant;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Toward {
    /// From us to the remote end.
    Remote,
    /// From the remote end to us.
    Us,
}

/// A packet that sets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Which way it goes.
    pub toward: Toward,
    /// Which packet of this direction it is, from 1.
    pub nth: u32,
    /// When.
    pub at: Instant,
}

/// What becomes of a packet: how each copy of it that arrives gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate([Option<Passage>; 2]);

impl Fate {
    /// It arrives.
    pub const ARRIVES: Self = Self::of(Some(Passage::PLAIN), None);
    /// It is lost.
    pub const LOST: Self = Self::of(None, None);
    /// It arrives twice.
    pub const DOUBLED: Self = Self::of(Some(Passage::PLAIN), Some(Passage::PLAIN));

    /// The packet gets there in one way, its double in another.
    pub const fn of(packet: Option<Passage>, double: Option<Passage>) -> Self {
        Self([packet, double])
    }

    /// It arrives, so much later.
    pub const fn late(by: Duration) -> Self {
        Self::of(Some(Passage { late: by, ..Passage::PLAIN }), None)
    }

    /// The copies that arrive.
    pub fn copies(self) -> impl Iterator<Item = Passage> {
        self.0.into_iter().flatten()
    }
}

/// How one copy of a packet gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// So much later,
    pub late: Duration,
    /// and then behind so many that left after it,
    pub behind: u32,
    /// for which it waits no longer than this,
    pub waits: Duration,
    /// with one of its octets changed.
    pub spoilt: Option<Spoilt>,
}

impl Passage {
    /// At once and as it is.
    pub const PLAIN: Self = Self { late: Duration::ZERO, behind: 0, waits: Duration::ZERO, spoilt: None };
}

/// An octet that is changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoilt {
    /// Which, counted on from the first again where the packet ends.
    pub octet: u32,
    /// Its bits that are turned over.
    pub bits: NonZeroU8,
}

impl Spoilt {
    /// Changes the packet.
    pub(super) fn apply(self, packet: &mut [u8]) {
        let at = self.octet as usize % packet.len().max(1);
        if let Some(octet) = packet.get_mut(at) {
            *octet ^= self.bits.get();
        }
    }
}

/// Decides what becomes of each packet.
pub trait Weather {
    /// The fate of a packet. Each is asked about once, in the order in which they set out.
    fn fate(&mut self, packet: Departure) -> Fate;
}

/// The fate of one packet, decided beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of which direction.
    pub toward: Toward,
    /// Which packet of it, from 1.
    pub nth: u32,
    /// What becomes of it.
    pub fate: Fate,
}

/// All that are not named arrive.
impl Weather for Vec<Fault> {
    fn fate(&mut self, packet: Departure) -> Fate {
        let fault = self.iter().find(|fault| fault.toward == packet.toward && fault.nth == packet.nth);
        fault.map_or(Fate::ARRIVES, |fault| fault.fate)
    }
}
