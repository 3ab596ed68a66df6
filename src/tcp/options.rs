//! TCP options: kept exactly as on the wire, read strictly.
//!
//! [`Options`] is the list. What one of them is stands in `option`, how the list is read, with its faults, in `read`,
//! how one is written in `build`.

mod build;
mod kind;
mod option;
mod read;

use std::fmt;

pub use build::OptionsBuilder;
pub use option::{Opt, SackBlocks};
pub use read::{OptionFault, OptionIter};

use super::seq::{Mss, SeqNum, WindowScale};

/// The options of one segment, of any (MUST-5): at most 40 octets, order, padding and faults kept (RFC 9293 section
/// 3.1).
///
/// Holding the octets rather than a list loses nothing, costs no allocation, and lets us show what a
/// peer really sent. [`iter`](Self::iter) reads them; [`OptionsBuilder`] writes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    octets: [u8; Self::MAX_LEN],
    len: u8,
}

/// Octets that do not fit the header's option space, 40 octets in whole words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} octets of options do not fit the 40 a tcp header has room for")]
pub struct OptionsTooLong(pub usize);

impl Options {
    /// The option space of a header whose data offset is 15.
    pub const MAX_LEN: usize = 40;
    /// No options.
    pub const NONE: Self = Self { octets: [0; Self::MAX_LEN], len: 0 };

    /// Takes options as they stand in a header. A length that is no multiple of four is padded with
    /// End of Option List, as a header must be (MUST-69).
    #[inline]
    pub fn from_wire(octets: &[u8]) -> Result<Self, OptionsTooLong> {
        if octets.is_empty() {
            return Ok(Self::NONE); // as in most segments
        }
        let mut options = Self::NONE;
        let room = options.octets.get_mut(..octets.len()).ok_or(OptionsTooLong(octets.len()))?;
        room.copy_from_slice(octets);
        options.len = octets.len().next_multiple_of(4) as u8;
        Ok(options)
    }

    /// The octets, a multiple of four of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The octets without the End of Option List behind the last option; all of them if they cannot be read.
    fn unpadded(&self) -> &[u8] {
        let octets = self.as_bytes();
        let (mut at, mut end) = (0, 0);
        while let Some(&kind) = octets.get(at) {
            at += match (kind, octets.get(at + 1)) {
                (kind::END | kind::NOP, _) => 1,
                (_, Some(&length @ 2..)) if at + usize::from(length) <= octets.len() => usize::from(length),
                _ => return octets,
            };
            if kind != kind::END {
                end = at;
            }
        }
        octets.get(..end).unwrap_or_default()
    }

    /// Whether the header ends after its 20 fixed octets.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads the options in order, wherever they begin (MUST-64). The first fault is yielded and ends the list
    /// (MUST-7: an illegal length must not crash; the rest of the segment is still processed, as Linux does).
    pub fn iter(&self) -> OptionIter<'_> {
        OptionIter::over(self.as_bytes())
    }

    /// What the options that belong on a SYN say together. Where a kind stands twice the last counts
    /// (K-05); one of the wrong length says nothing (K-07), nor does an MSS of zero (K-02).
    pub fn syn(&self) -> SynOptions {
        let mut syn = SynOptions::default();
        for option in self.iter().flatten() {
            match option {
                Opt::Mss(octets) => syn.mss = Mss::new(octets).or(syn.mss),
                Opt::WindowScale(shift) => syn.window_scale = Some(WindowScale::new(shift)),
                Opt::SackPermitted => syn.sack_permitted = true,
                Opt::Timestamps { value, echo } => syn.timestamps = Some(Timestamps { value, echo }),
                Opt::Nop | Opt::Sack(_) | Opt::Unknown { .. } => {}
            }
        }
        syn
    }

    /// The timestamps of any segment.
    pub fn timestamps(&self) -> Option<Timestamps> {
        self.iter().flatten().find_map(|option| {
            let Opt::Timestamps { value, echo } = option else { return None };
            Some(Timestamps { value, echo })
        })
    }

    /// What the sender has received behind a gap, from the first number to the one after the last.
    pub fn sack_blocks(&self) -> impl Iterator<Item = (SeqNum, SeqNum)> + '_ {
        let blocks = self.iter().flatten().find_map(|option| {
            let Opt::Sack(blocks) = option else { return None };
            Some(blocks)
        });
        blocks.into_iter().flat_map(SackBlocks::iter)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

impl fmt::Display for Options {
    /// As they stand, comma-separated, NOPs left out: `mss 1460,sackOK,wscale 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for option in self {
            match option {
                Ok(Opt::Nop) => continue,
                Ok(option) => write!(f, "{comma}{option}")?,
                Err(fault) => write!(f, "{comma}[{fault}]")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl<'o> IntoIterator for &'o Options {
    type Item = Result<Opt<'o>, OptionFault>;
    type IntoIter = OptionIter<'o>;

    fn into_iter(self) -> OptionIter<'o> {
        self.iter()
    }
}

/// What the options of a SYN offer or grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    /// The largest text the sender takes in one segment.
    pub mss: Option<Mss>,
    /// The shift the sender applies to its windows, if the other side offers one too.
    pub window_scale: Option<WindowScale>,
    /// Whether the sender can use selective acknowledgments.
    pub sack_permitted: bool,
    /// The timestamps the sender put on the SYN.
    pub timestamps: Option<Timestamps>,
}

/// The value and the echo of a timestamps option (RFC 7323 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the latest clock value the sender had of the receiver.
    pub echo: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-02, K-05, K-07, K-09.
    #[test]
    fn k02_k05_k07_k09_what_a_syn_says() {
        let of = |octets: &[u8]| Options::from_wire(octets).unwrap().syn();
        assert_eq!(of(&[2, 4, 0, 0]).mss, None, "K-02: zero");
        assert_eq!(of(&[2, 4, 0, 100, 2, 4, 0, 200]).mss.map(Mss::get), Some(200), "K-05: the last");
        assert_eq!(of(&[2, 3, 5]).mss, None, "K-07: length 3");
        assert_eq!(of(&[2, 5, 5, 5, 5]).mss, None, "K-07: length 5");
        assert_eq!(of(&[3, 3, 255]).window_scale.map(WindowScale::get), Some(14), "K-09");
    }

    #[test]
    fn what_is_longer_than_a_header_has_room_for_is_refused() {
        assert_eq!(Options::from_wire(&[1; 41]).unwrap_err(), OptionsTooLong(41));
    }

    #[test]
    fn debugging_shows_them_as_dialogues_write_them() {
        let options = Options::from_wire(&[2, 4, 5, 180, 1, 3, 3, 7, 254, 4, 0xca, 0xfe]).unwrap();
        assert_eq!(format!("{options:?}"), "<mss 1460,wscale 7,kind 254:cafe>");
    }
}
