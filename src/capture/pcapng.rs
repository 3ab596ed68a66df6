//! Blocks of pcapng with a packet in them.

use std::time::Duration;

use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SIMPLE_PACKET_BLOCK,
};
use pcap_file::{Endianness, PcapError};

use super::error::CaptureError;
use super::file::{Head, Record, Trouble, keep};

/// All descriptions of interfaces together; the parser keeps them.
pub(super) const MOST_DESCRIPTIONS: usize = 1024 * 1024;

/// Reads a file of blocks.
pub(super) struct Blocks {
    parser: PcapNgParser,
    /// Octets of interfaces described so far.
    described: usize,
}

impl Blocks {
    pub(super) const fn new(parser: PcapNgParser) -> Self {
        Self { parser, described: 0 }
    }

    /// Reads a block; yields how many octets are left behind it.
    pub(super) fn read(&mut self, octets: &[u8], packet: &mut Vec<u8>) -> Result<(usize, Record), Trouble> {
        let (rest, block) = self.parser.next_raw_block(octets)?;
        if block.type_ == INTERFACE_DESCRIPTION_BLOCK {
            self.described += block.initial_len as usize;
            if self.described > MOST_DESCRIPTIONS {
                return Err(Trouble::Capture(CaptureError::TooManyInterfaces));
            }
        }
        let Some(fields) = Fields::of(&block, self.parser.section().endianness)? else {
            return Ok((rest.len(), Record::Other));
        };
        let interface = self.parser.interfaces().get(fields.interface as usize);
        let interface = interface.ok_or(PcapError::InvalidField("a packet of an interface not described"))?;
        keep(fields.data, packet);
        let head = Head {
            at: since_1970(fields.units, interface),
            link: u32::from(interface.linktype),
            original_len: fields.original_len,
        };
        Ok((rest.len(), Record::Packet(head)))
    }
}

/// The fixed fields of a block with a packet in it. The options behind the packet tell nothing that we need, and are
/// not read: many are written without their end.
struct Fields<'b> {
    interface: u32,
    units: u64,
    original_len: u32,
    data: &'b [u8],
}

impl<'b> Fields<'b> {
    /// `None` if the block holds no packet.
    fn of(block: &'b RawBlock<'_>, order: Endianness) -> Result<Option<Self>, PcapError> {
        let fields = match block.type_ {
            ENHANCED_PACKET_BLOCK | PACKET_BLOCK => Self::of_full(block, order),
            SIMPLE_PACKET_BLOCK => Self::of_simple(&block.body, order),
            _ => return Ok(None),
        };
        fields.map(Some).ok_or(PcapError::InvalidField("a block too short for its packet"))
    }

    fn of_full(block: &'b RawBlock<'_>, order: Endianness) -> Option<Self> {
        let ([first, high, low, len, original_len], rest) = words(&block.body, order)?;
        // The older block has two numbers of sixteen bits there, the interface's first.
        let interface = match (block.type_, order) {
            (PACKET_BLOCK, Endianness::Big) => first >> 16,
            (PACKET_BLOCK, Endianness::Little) => first & 0xffff,
            _ => first,
        };
        let units = u64::from(high) << 32 | u64::from(low);
        Some(Self { interface, units, original_len, data: rest.get(..len as usize)? })
    }

    fn of_simple(body: &'b [u8], order: Endianness) -> Option<Self> {
        let ([original_len], data) = words(body, order)?;
        let data = data.get(..original_len as usize).unwrap_or(data);
        Some(Self { interface: 0, units: 0, original_len, data })
    }
}

/// The first numbers of a block, and what follows them.
fn words<const N: usize>(octets: &[u8], order: Endianness) -> Option<([u32; N], &[u8])> {
    const WORD: usize = 4;
    let (head, rest) = octets.split_at_checked(N * WORD)?;
    let mut words = [0; N];
    for (word, octets) in words.iter_mut().zip(head.chunks_exact(WORD)) {
        let octets = *octets.first_chunk::<WORD>()?;
        *word = match order {
            Endianness::Big => u32::from_be_bytes(octets),
            Endianness::Little => u32::from_le_bytes(octets),
        };
    }
    Some((words, rest))
}

/// Units of a resolution that each interface may choose: ten, or two, to the power of minus something.
fn since_1970(units: u64, interface: &InterfaceDescriptionBlock<'_>) -> Duration {
    const MICROSECONDS: u8 = 6;
    const BINARY: u8 = 0x80;
    const NANOS: u128 = 1_000_000_000;
    let (mut resolution, mut offset) = (MICROSECONDS, 0);
    for option in &interface.options {
        if let InterfaceDescriptionOption::IfTsResol(found) = option {
            resolution = *found;
        } else if let InterfaceDescriptionOption::IfTsOffset(found) = option {
            offset = *found;
        }
    }
    let exponent = u32::from(resolution & !BINARY);
    let base: u128 = if resolution & BINARY == 0 { 10 } else { 2 };
    let nanos = base.checked_pow(exponent).map_or(0, |per_second| u128::from(units) * NANOS / per_second);
    let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    let offset = offset as i64; // the crate reads it as unsigned
    let moved = Duration::from_secs(offset.unsigned_abs());
    let moved = if offset < 0 { time.checked_sub(moved) } else { time.checked_add(moved) };
    moved.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_file::DataLink;

    #[test]
    fn each_interface_has_its_own_resolution() {
        for (resolution, units, expected) in [
            (None, 1_500_000, Duration::from_millis(1500)),
            (Some(9), 1_500_000_000, Duration::from_millis(1500)),
            (Some(3), 1_500, Duration::from_millis(1500)),
            (Some(0x8a), 1536, Duration::from_millis(1500)),
            (Some(0x7f), u64::MAX, Duration::ZERO),
            (Some(0xff), u64::MAX, Duration::ZERO),
        ] {
            let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
            interface.options.extend(resolution.map(InterfaceDescriptionOption::IfTsResol));
            assert_eq!(since_1970(units, &interface), expected, "{resolution:?}");
        }
        let back = InterfaceDescriptionOption::IfTsOffset((-7_i64) as u64);
        let interface = InterfaceDescriptionBlock {
            options: vec![back],
            ..InterfaceDescriptionBlock::new(DataLink::RAW, 0)
        };
        assert_eq!(since_1970(9_000_000, &interface), Duration::from_secs(2));
        let offset = InterfaceDescriptionOption::IfTsOffset(7);
        let interface = InterfaceDescriptionBlock {
            options: vec![offset],
            ..InterfaceDescriptionBlock::new(DataLink::RAW, 0)
        };
        assert_eq!(since_1970(0, &interface), Duration::from_secs(7));
    }
}
