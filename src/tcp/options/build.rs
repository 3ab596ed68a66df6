//! A list of options is written.

use super::{Opt, Options, OptionsTooLong, SackBlocks, kind};
use crate::tcp::seq::SeqNum;

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
    pub(in crate::tcp) fn append(&mut self, option: Opt<'_>) -> Result<(), OptionsTooLong> {
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
    use crate::tcp::Timestamps;

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
        for unreadable in [[9, 0, 0, 0], [9, 9, 0, 0]] {
            assert_eq!(join(&[], &unreadable).unwrap(), unreadable, "as it is");
        }
    }

    #[test]
    fn a_full_list_refuses_more_and_stays_as_it_was() {
        let full = OptionsBuilder::default().push(Opt::Unknown { kind: 254, data: &[7; 38] }).unwrap();
        assert_eq!(full.push(Opt::Nop).unwrap_err(), OptionsTooLong(41));
        assert_eq!(full.push(Opt::Mss(1460)).unwrap_err(), OptionsTooLong(44));
        assert_eq!(full.build().as_bytes().len(), 40);
    }
}
