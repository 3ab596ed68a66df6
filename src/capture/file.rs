//! The packets of a capture, one at a time, whatever its format.

use std::io::Read;
use std::time::Duration;

use pcap_file::pcap::PcapParser;
use pcap_file::pcapng::PcapNgParser;
use pcap_file::{PcapError, TsResolution};

use super::buffer::{Buffer, Filled};
use super::error::CaptureError;
use super::pcapng::Blocks;

/// A packet as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'p> {
    /// When, since 1970.
    pub at: Duration,
    /// The number of its link type.
    pub link: u32,
    /// What was kept of it, from its link layer on.
    pub octets: &'p [u8],
    /// How long it was.
    pub original_len: usize,
}

/// Reads packets from a file.
pub struct Packets<R> {
    file: Buffer<R>,
    format: Format,
    /// The packet that was read last.
    packet: Vec<u8>,
}

enum Format {
    Pcap(PcapParser),
    PcapNg(Box<Blocks>),
}

/// A record of either format.
pub(super) enum Record {
    Packet(Head),
    /// Something that is no packet.
    Other,
}

/// What is told of a packet beside its octets.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) at: Duration,
    pub(super) link: u32,
    pub(super) original_len: u32,
}

/// Why a record was not read, more octets being missing perhaps.
pub(super) enum Trouble {
    Format(PcapError),
    Capture(CaptureError),
}

impl From<PcapError> for Trouble {
    fn from(error: PcapError) -> Self {
        Self::Format(error)
    }
}

impl<R: Read> Packets<R> {
    /// Begins to read; tells by the first octets what it is.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let mut file = Buffer::new(input);
        let format = loop {
            match recognise(file.octets()) {
                Ok((left, format)) => {
                    file.leave(left);
                    break format;
                }
                Err(PcapError::IncompleteBuffer) => match file.fill() {
                    Ok(Filled::More) => {}
                    Ok(Filled::AtEnd) | Err(CaptureError::TooLong) => return Err(CaptureError::Unknown),
                    Err(error) => return Err(error),
                },
                Err(_) => return Err(CaptureError::Unknown),
            }
        };
        Ok(Self { file, format, packet: Vec::new() })
    }

    /// The next packet; `None` at the end. After an error there is no more.
    pub fn read(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        let Head { at, link, original_len } = loop {
            match self.record()? {
                None => return Ok(None),
                Some(Record::Packet(head)) => break head,
                Some(Record::Other) => {}
            }
        };
        let octets = self.packet.as_slice();
        Ok(Some(Packet { at, link, octets, original_len: octets.len().max(original_len as usize) }))
    }

    fn record(&mut self) -> Result<Option<Record>, CaptureError> {
        loop {
            let octets = self.file.octets();
            let at_end = if octets.is_empty() { Ok(None) } else { Err(CaptureError::CutShort) };
            let read = match &mut self.format {
                Format::Pcap(parser) => read_pcap(parser, octets, &mut self.packet),
                Format::PcapNg(blocks) => blocks.read(octets, &mut self.packet),
            };
            match read {
                Ok((left, record)) => {
                    self.file.leave(left);
                    return Ok(Some(record));
                }
                Err(Trouble::Format(PcapError::IncompleteBuffer)) => {
                    if self.file.fill()? == Filled::AtEnd {
                        return at_end;
                    }
                }
                Err(Trouble::Format(error)) => return Err(CaptureError::Damaged(words_for(&error))),
                Err(Trouble::Capture(error)) => return Err(error),
            }
        }
    }
}

/// What a file is, and how many octets are left behind its head.
fn recognise(octets: &[u8]) -> Result<(usize, Format), PcapError> {
    const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    if octets.starts_with(&SECTION) {
        let (rest, parser) = PcapNgParser::new(octets)?;
        return Ok((rest.len(), Format::PcapNg(Box::new(Blocks::new(parser)))));
    }
    let (rest, parser) = PcapParser::new(octets)?;
    Ok((rest.len(), Format::Pcap(parser)))
}

/// Reads a record; yields how many octets are left behind it. The raw one is read: a packet that was cut has a length
/// beyond the file's limit, and is none the worse for it.
fn read_pcap(parser: &PcapParser, octets: &[u8], packet: &mut Vec<u8>) -> Result<(usize, Record), Trouble> {
    /// Above it, old files tell the length of the checksum at the end of frames.
    const LINK_TYPE: u32 = 0xffff;
    let (rest, raw) = parser.next_raw_packet(octets)?;
    let header = parser.header();
    let fraction = u64::from(raw.ts_frac);
    let fraction = match header.ts_resolution {
        TsResolution::MicroSecond => Duration::from_micros(fraction),
        TsResolution::NanoSecond => Duration::from_nanos(fraction),
    };
    keep(&raw.data, packet);
    let head = Head {
        at: Duration::from_secs(u64::from(raw.ts_sec)) + fraction,
        link: u32::from(header.datalink) & LINK_TYPE,
        original_len: raw.orig_len,
    };
    Ok((rest.len(), Record::Packet(head)))
}

/// Into the room of the packet before.
pub(super) fn keep(octets: &[u8], packet: &mut Vec<u8>) {
    packet.clear();
    packet.extend_from_slice(octets);
}

fn words_for(error: &PcapError) -> &'static str {
    match error {
        PcapError::InvalidField(field) => field,
        PcapError::IncompleteBuffer
        | PcapError::IoError(_)
        | PcapError::Utf8Error(_)
        | PcapError::FromUtf8Error(_)
        | PcapError::InvalidInterfaceId(_) => "a block that cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that comes an octet at a time, as from a slow pipe.
    struct Slow<'f>(&'f [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            room[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn file(records: &[(&[u8], u32)]) -> Vec<u8> {
        let mut file =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 101, 0, 0, 0];
        for (octets, original_len) in records {
            for word in [7, 500_000, octets.len() as u32, *original_len] {
                file.extend(word.to_le_bytes());
            }
            file.extend(*octets);
        }
        file
    }

    #[test]
    fn packets_come_as_they_were_recorded() {
        let file = file(&[(b"one", 3), (b"cut", 1500)]);
        let mut packets = Packets::new(Slow(&file)).unwrap();
        let at = Duration::from_millis(7500);
        let first = Packet { at, link: 101, octets: b"one", original_len: 3 };
        assert_eq!(packets.read().unwrap(), Some(first));
        let second = Packet { at, link: 101, octets: b"cut", original_len: 1500 };
        assert_eq!(packets.read().unwrap(), Some(second));
        assert_eq!(packets.read().unwrap(), None);
    }

    #[test]
    fn what_ends_before_its_end_says_so() {
        let file = file(&[(b"one", 3), (b"two", 3)]);
        let mut packets = Packets::new(&file[..file.len() - 1]).unwrap();
        assert!(packets.read().unwrap().is_some());
        assert!(matches!(packets.read(), Err(CaptureError::CutShort)));
    }

    #[test]
    fn a_record_without_bounds_is_refused() {
        let mut file = file(&[]);
        file.extend([0; 8]);
        file.extend([0xff; 4]);
        file.extend(vec![0; 1024 * 1024]);
        let mut packets = Packets::new(file.as_slice()).unwrap();
        assert!(matches!(packets.read(), Err(CaptureError::TooLong)));
    }

    #[test]
    fn what_is_no_capture_is_not_read() {
        for file in [
            &b""[..],
            b"abc",
            b"{\"type\":\"begin\"}\n{\"type\":\"end\"}\n",
            &[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28],
        ] {
            assert!(matches!(Packets::new(file), Err(CaptureError::Unknown)), "{file:?}");
        }
    }
}
