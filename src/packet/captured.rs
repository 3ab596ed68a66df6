//! Segments as captures have them: cut short perhaps, their checksums left to a card.

use super::error::DecodeError;
use super::ip::{self, Addresses, Protocol};
use super::tcp::{self, Ports, TransportChecksum};
use crate::tcp::{Options, Segment};

/// A segment read from a packet of which only the beginning may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'p> {
    /// Source and destination.
    pub addresses: Addresses,
    /// Sender's and receiver's port.
    pub ports: Ports,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// The identification of an IPv4 packet.
    pub identification: Option<u16>,
    /// The numbers; the length of the text is the one that was sent.
    pub segment: Segment,
    /// Whether its options are all there; of those that are not, none is read.
    pub options: Extent,
    /// The text, as far as it is there.
    pub text: &'p [u8],
    /// The packet before the text, as far as it is there.
    pub headers: &'p [u8],
}

/// How much of something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// It was cut off.
    Cut,
}

/// The longest header of a segment: a data offset of 15 words.
const LONGEST_HEADER: usize = 60;
const HEADER: usize = 20;

/// Reads a segment from its IP header on; `None` if the packet holds none. `original_len` is what it had before it was
/// cut. Checksums are not looked at: where packets leave they are not complete yet.
pub fn parse(octets: &[u8], original_len: usize) -> Result<Option<Captured<'_>>, DecodeError> {
    let packet = ip::parse_quoted(octets)?;
    if packet.protocol != Protocol::Tcp {
        return Ok(None);
    }
    let stated = ip::stated_len(octets).unwrap_or(original_len);
    let there = octets.get(..stated).unwrap_or(octets);
    let before_tcp = there.len().saturating_sub(packet.payload.len());

    let need = DecodeError::Truncated { layer: "tcp", need: HEADER, have: packet.payload.len() };
    let offset = *packet.payload.get(tcp::OFFSET_AT).ok_or(need)?;
    let header_len = usize::from(offset >> 4) * 4;
    let mut header = [0; LONGEST_HEADER];
    let present = packet.payload.get(..header_len.max(HEADER)).unwrap_or(packet.payload);
    header.get_mut(..present.len()).ok_or(need)?.copy_from_slice(present);
    let whole = header.get(..header_len.max(HEADER)).filter(|_| present.len() >= HEADER).ok_or(need)?;
    let read = tcp::parse(whole, packet.addresses, TransportChecksum::LeftToCard)?;

    let text_len = stated.saturating_sub(before_tcp + header_len);
    let options = if present.len() < header_len { Extent::Cut } else { Extent::Whole };
    let list = if options == Extent::Whole { read.segment.options } else { Options::NONE };
    let segment = Segment { text_len: text_len as u32, options: list, ..read.segment };
    let (headers, text) = there.split_at(there.len().min(before_tcp + header_len));
    Ok(Some(Captured {
        addresses: packet.addresses,
        ports: read.ports,
        ttl: packet.ttl,
        identification: ip::identification(octets),
        segment,
        options,
        text,
        headers,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{emit, ip::IpFields};
    use crate::tcp::{Flags, Opt, OptionsBuilder, SeqNum};

    fn packet(text: &[u8]) -> Vec<u8> {
        let addresses = Addresses::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).unwrap();
        let options = OptionsBuilder::default().push(Opt::Mss(1460)).unwrap().build();
        let segment = Segment {
            seq: SeqNum(7),
            flags: Flags::ACK,
            options,
            text_len: text.len() as u32,
            ..Segment::default()
        };
        let mut buffer = vec![0; 1500];
        let ports = Ports { source: 1, destination: 2 };
        let len = emit(&IpFields::new(addresses), ports, &segment, text, &mut buffer).unwrap();
        buffer.truncate(len);
        buffer
    }

    /// Wherever it is cut, what is there is read as it was sent, or refused.
    #[test]
    fn a_packet_may_be_cut_anywhere() {
        let text = [7; 100];
        let whole = packet(&text);
        let all = parse(&whole, whole.len()).unwrap().unwrap();
        assert_eq!((all.segment.text_len, all.text, all.headers.len()), (100, &text[..], 44));
        assert_eq!(all.identification, Some(1));
        for len in 0..whole.len() {
            let cut = parse(&whole[..len], whole.len());
            if len < 40 {
                assert!(cut.is_err(), "{len}");
                continue;
            }
            let cut = cut.unwrap().unwrap();
            assert_eq!((cut.segment.seq, cut.segment.text_len), (SeqNum(7), 100), "{len}");
            assert_eq!((cut.headers.len(), cut.text.len()), (len.min(44), len.saturating_sub(44)));
        }
    }

    #[test]
    fn padding_is_no_text_and_a_length_of_zero_is_the_cards_to_fill_in() {
        let mut padded = packet(b"abc");
        let len = padded.len();
        padded.extend([0; 20]);
        let read = parse(&padded, padded.len()).unwrap().unwrap();
        assert_eq!((read.text, read.headers.len()), (&b"abc"[..], len - 3));
        let mut unfinished = packet(b"abc");
        unfinished[2..4].fill(0);
        assert_eq!(parse(&unfinished, len).unwrap().unwrap().text, b"abc");
    }

    #[test]
    fn what_is_no_segment_is_none() {
        let mut other = packet(b"");
        other[9] = 17;
        assert_eq!(parse(&other, other.len()), Ok(None));
        assert!(parse(&[], 0).is_err());
    }
}
