//! TCP options: kept exactly as on the wire, read strictly.

use std::fmt;

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
        OptionIter { rest: self.as_bytes() }
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

/// One option as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt<'o> {
    /// Kind 1, padding between options.
    Nop,
    /// Kind 2, octets of text the sender takes in one segment.
    Mss(u16),
    /// Kind 3, the shift count as sent; more than 14 counts as 14.
    WindowScale(u8),
    /// Kind 4.
    SackPermitted,
    /// Kind 8 (RFC 7323 section 3.2).
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The latest clock value the sender had of us.
        echo: u32,
    },
    /// Kind 5 (RFC 2018 section 3).
    Sack(SackBlocks<'o>),
    /// Any other kind, or a known kind of an unusual length: a value, not an error (MUST-6). The signatures of
    /// TCP-MD5 and TCP-AO (19, 29) are among them: there is no key to hold them against, so a SYN with one is
    /// answered as one without (K-15).
    Unknown {
        /// The kind octet.
        kind: u8,
        /// The octets behind kind and length.
        data: &'o [u8],
    },
}

impl fmt::Display for Opt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nop => f.write_str("nop"),
            Self::Mss(octets) => write!(f, "mss {octets}"),
            Self::WindowScale(shift) => write!(f, "wscale {shift}"),
            Self::SackPermitted => f.write_str("sackOK"),
            Self::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            Self::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(start, end)| write!(f, " {start}:{end}"))
            }
            Self::Unknown { kind, data } => {
                write!(f, "kind {kind}")?;
                data.iter().enumerate().try_for_each(|(at, octet)| {
                    let colon = if at == 0 { ":" } else { "" };
                    write!(f, "{colon}{octet:02x}")
                })
            }
        }
    }
}

/// The value and the echo of a timestamps option (RFC 7323 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the latest clock value the sender had of the receiver.
    pub echo: u32,
}

/// The blocks of a SACK option, one to four of them, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlocks<'o>(&'o [u8]);

impl<'o> SackBlocks<'o> {
    const BLOCK: usize = 8;
    /// A header has room for no more.
    pub const MOST: usize = 4;

    /// Each block: its first number, and the one after its last.
    pub fn iter(self) -> impl Iterator<Item = (SeqNum, SeqNum)> + 'o {
        let number = |octets: &[u8]| SeqNum(octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)));
        self.0.chunks_exact(Self::BLOCK).map(move |block| {
            let (start, end) = block.split_at(Self::BLOCK / 2);
            (number(start), number(end))
        })
    }
}

/// Why the rest of an option list could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionFault {
    /// The last octet is a kind that needs a length.
    #[error("option kind {kind} without a length")]
    NoLength {
        /// The kind octet.
        kind: u8,
    },
    /// A length of 0 or 1, less than kind and length themselves take.
    #[error("option kind {kind} of length {length}")]
    TooShort {
        /// The kind octet.
        kind: u8,
        /// The length octet.
        length: u8,
    },
    /// A length that reaches past the header.
    #[error("option kind {kind} of length {length} past the header's end")]
    PastEnd {
        /// The kind octet.
        kind: u8,
        /// The length octet.
        length: u8,
    },
}

impl<'o> IntoIterator for &'o Options {
    type Item = Result<Opt<'o>, OptionFault>;
    type IntoIter = OptionIter<'o>;

    fn into_iter(self) -> OptionIter<'o> {
        self.iter()
    }
}

/// Reads options; see [`Options::iter`].
#[derive(Clone, Debug)]
pub struct OptionIter<'o> {
    rest: &'o [u8],
}

/// The first three everybody must know (MUST-4).
mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
}

impl<'o> Iterator for OptionIter<'o> {
    type Item = Result<Opt<'o>, OptionFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest); // a fault ends the list: nothing is put back
        let (&kind, after) = rest.split_first()?;
        match kind {
            kind::END => return None,
            kind::NOP => {
                self.rest = after;
                return Some(Ok(Opt::Nop));
            }
            _ => {}
        }
        let Some((&length, after)) = after.split_first() else {
            return Some(Err(OptionFault::NoLength { kind }));
        };
        let Some(data_len) = usize::from(length).checked_sub(2) else {
            return Some(Err(OptionFault::TooShort { kind, length }));
        };
        let Some((data, after)) = after.split_at_checked(data_len) else {
            return Some(Err(OptionFault::PastEnd { kind, length }));
        };
        self.rest = after;
        Some(Ok(match (kind, data) {
            (kind::MSS, &[a, b]) => Opt::Mss(u16::from_be_bytes([a, b])),
            (kind::WINDOW_SCALE, &[shift]) => Opt::WindowScale(shift),
            (kind::SACK_PERMITTED, &[]) => Opt::SackPermitted,
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => Opt::Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            },
            (kind::SACK, blocks) if is_sack(blocks) => Opt::Sack(SackBlocks(blocks)),
            _ => Opt::Unknown { kind, data },
        }))
    }
}

/// Whether the data of a SACK option are whole blocks, and no more than fit.
fn is_sack(data: &[u8]) -> bool {
    !data.is_empty() && data.len().is_multiple_of(SackBlocks::BLOCK)
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

/// Writes options in the order of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionsBuilder {
    options: Options,
    used: usize,
}

impl OptionsBuilder {
    /// Appends one option, with its length if it has one (MUST-68); an error leaves the list as it was.
    #[inline]
    pub fn push(mut self, option: Opt<'_>) -> Result<Self, OptionsTooLong> {
        self.append(option)?;
        Ok(self)
    }

    /// The same, in place.
    #[inline]
    pub(super) fn append(&mut self, option: Opt<'_>) -> Result<(), OptionsTooLong> {
        match option {
            Opt::Nop => self.append_octets(&[kind::NOP]),
            Opt::Mss(octets) => self.append_tlv(kind::MSS, &octets.to_be_bytes()),
            Opt::WindowScale(shift) => self.append_tlv(kind::WINDOW_SCALE, &[shift]),
            Opt::SackPermitted => self.append_tlv(kind::SACK_PERMITTED, &[]),
            Opt::Timestamps { value, echo } => {
                let mut data = [0; 8];
                data[..4].copy_from_slice(&value.to_be_bytes());
                data[4..].copy_from_slice(&echo.to_be_bytes());
                self.append_tlv(kind::TIMESTAMPS, &data)
            }
            Opt::Sack(SackBlocks(blocks)) => self.append_tlv(kind::SACK, blocks),
            Opt::Unknown { kind, data } => self.append_tlv(kind, data),
        }
    }

    /// Appends a SACK option with as many of `blocks` as there is room for.
    pub fn push_sack(
        self,
        blocks: impl IntoIterator<Item = (SeqNum, SeqNum)>,
    ) -> Result<Self, OptionsTooLong> {
        const KIND_AND_LENGTH: usize = 2;
        let room = (Options::MAX_LEN - self.used).saturating_sub(KIND_AND_LENGTH) / SackBlocks::BLOCK;
        let mut octets = [0; SackBlocks::MOST * SackBlocks::BLOCK];
        let mut used = 0;
        for (slot, (start, end)) in octets.chunks_exact_mut(SackBlocks::BLOCK).zip(blocks).take(room) {
            let (first, second) = slot.split_at_mut(SackBlocks::BLOCK / 2);
            first.copy_from_slice(&start.0.to_be_bytes());
            second.copy_from_slice(&end.0.to_be_bytes());
            used += SackBlocks::BLOCK;
        }
        self.push(Opt::Sack(SackBlocks(octets.get(..used).unwrap_or_default())))
    }

    #[inline]
    fn append_tlv(&mut self, kind: u8, data: &[u8]) -> Result<(), OptionsTooLong> {
        let length = data.len() + 2;
        if self.used + length > Options::MAX_LEN {
            return Err(OptionsTooLong(self.used + length));
        }
        self.append_octets(&[kind, length as u8])?;
        self.append_octets(data)
    }

    #[inline]
    fn append_octets(&mut self, octets: &[u8]) -> Result<(), OptionsTooLong> {
        let end = self.used + octets.len();
        let room = self.options.octets.get_mut(self.used..end).ok_or(OptionsTooLong(end))?;
        room.copy_from_slice(octets);
        self.used = end;
        self.options.len = end.next_multiple_of(4) as u8;
        Ok(())
    }

    /// `first`, and behind it `second`: both as on the wire, without the padding behind either.
    pub fn joining(first: &Options, second: &Options) -> Result<Options, OptionsTooLong> {
        let mut joined = Self::default();
        for option in first.iter().flatten() {
            joined = joined.push(option)?;
        }
        joined.append_octets(second.unpadded())?;
        Ok(joined.build())
    }

    /// The finished options; what pads them to whole words is End of Option List, which is zero.
    pub fn build(self) -> Options {
        self.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Vec<Result<Opt<'_>, OptionFault>> {
        OptionIter { rest: octets }.collect()
    }

    /// MUST-4, MUST-64: EOL, NOP and MSS, at any alignment.
    #[test]
    fn must_4_must_64_known_options_at_any_alignment() {
        for pads in 0..4 {
            let mut octets = vec![1; pads];
            octets.extend([2, 4, 5, 180, 0, 9, 9]);
            let read = read(&octets);
            assert_eq!(read.len(), pads + 1, "nothing behind End of Option List");
            assert_eq!(read.last(), Some(&Ok(Opt::Mss(1460))));
        }
    }

    /// MUST-6: all kinds we do not know, of every length, are skipped and kept.
    #[test]
    fn must_6_unknown_kinds_are_values() {
        for kind in (0..=255).filter(|kind| ![0, 1].contains(kind)) {
            for length in 2..=38_u8 {
                let mut octets = vec![kind, length];
                octets.resize(usize::from(length), 0xee);
                octets.extend([2, 4, 0, 99]);
                let read = read(&octets);
                assert_eq!(read.last(), Some(&Ok(Opt::Mss(99))), "kind {kind} length {length}");
            }
        }
    }

    /// MUST-7, L-07, L-08: every two-octet prefix at every position ends the list or goes on, and never loops.
    #[test]
    fn must_7_l07_l08_every_prefix_at_every_position() {
        for prefix in 0..=u16::MAX {
            for at in [0, 1, 2, 37, 38] {
                let mut octets = [1; Options::MAX_LEN];
                octets[at..at + 2].copy_from_slice(&prefix.to_be_bytes());
                let read = read(&octets);
                assert!(read.len() <= Options::MAX_LEN);
                let faults = read.iter().filter(|item| item.is_err()).count();
                assert!(faults == 0 || (faults == 1 && read.last().is_some_and(Result::is_err)));
            }
        }
    }

    #[test]
    fn faults_are_named() {
        for (octets, text) in [
            (&[2][..], "option kind 2 without a length"),
            (&[2, 0, 1], "option kind 2 of length 0"),
            (&[3, 1], "option kind 3 of length 1"),
            (&[8, 10, 1], "option kind 8 of length 10 past the header's end"),
        ] {
            let read = read(octets);
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].unwrap_err().to_string(), text);
        }
    }

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

    /// MUST-68, MUST-69: what we write carries its lengths and is padded with zeros.
    #[test]
    fn must_68_must_69_built_options_read_back() {
        let options = OptionsBuilder::default()
            .push(Opt::Mss(1460))
            .and_then(|b| b.push(Opt::SackPermitted))
            .and_then(|b| b.push(Opt::WindowScale(7)))
            .unwrap()
            .build();
        assert_eq!(options.as_bytes(), [2, 4, 5, 180, 4, 2, 3, 3, 7, 0, 0, 0]);
        assert_eq!(options.to_string(), "mss 1460,sackOK,wscale 7");
    }

    /// RFC 2018 section 3: three blocks beside timestamps, four without. K-14: other lengths are no SACK.
    #[test]
    fn k14_sack_blocks_are_written_as_far_as_they_fit_and_read_back() {
        let blocks: Vec<_> = (0..6).map(|n| (SeqNum(n * 100), SeqNum(n * 100 + 50))).collect();
        let padded = OptionsBuilder::default().push(Opt::Nop).and_then(|b| b.push(Opt::Nop)).unwrap();
        let alone = padded.push_sack(blocks.clone()).unwrap().build();
        assert_eq!(alone.sack_blocks().collect::<Vec<_>>(), blocks[..4]);
        let beside = padded.push(Opt::Timestamps { value: 1, echo: 2 }).and_then(|b| b.push(Opt::Nop));
        let beside = beside.and_then(|b| b.push(Opt::Nop)).and_then(|b| b.push_sack(blocks.clone())).unwrap();
        assert_eq!(beside.build().sack_blocks().collect::<Vec<_>>(), blocks[..3]);
        assert_eq!(beside.build().timestamps(), Some(Timestamps { value: 1, echo: 2 }));
        for length in [2, 9, 11, 17] {
            let mut octets = vec![5, length];
            octets.resize(usize::from(length), 7);
            let options = Options::from_wire(&octets).unwrap();
            assert_eq!(options.sack_blocks().count(), 0, "length {length}");
        }
    }

    /// The padding of one is no part of the other: what fits to the octet does.
    #[test]
    fn lists_are_joined_without_their_padding() {
        let list = |octets: &[u8]| Options::from_wire(octets).unwrap();
        let join = |first: &[u8], second: &[u8]| {
            OptionsBuilder::joining(&list(first), &list(second)).map(|joined| joined.as_bytes().to_vec())
        };
        assert_eq!(join(&[4, 2], &[254, 4, 0, 0]).unwrap(), [4, 2, 254, 4, 0, 0, 0, 0]);
        assert_eq!(join(&[4, 2], &[34, 2]).unwrap(), [4, 2, 34, 2]);
        let long = [&[9, 21][..], &[0; 19]].concat();
        assert_eq!(join(&[9; 19].map(|_| 1), &long).unwrap().len(), 40);
        assert_eq!(join(&[1; 20], &long).unwrap_err(), OptionsTooLong(41));
        assert_eq!(join(&[], &[9, 0, 0, 0]).unwrap(), [9, 0, 0, 0], "unreadable: as it is");
    }

    #[test]
    fn a_full_list_refuses_more_and_stays_as_it_was() {
        let full = OptionsBuilder::default().push(Opt::Unknown { kind: 254, data: &[7; 38] }).unwrap();
        assert_eq!(full.push(Opt::Nop).unwrap_err(), OptionsTooLong(41));
        assert_eq!(full.build().as_bytes().len(), 40);
        assert_eq!(Options::from_wire(&[1; 41]).unwrap_err(), OptionsTooLong(41));
    }
}
