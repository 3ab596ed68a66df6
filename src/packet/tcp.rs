//! The TCP header (RFC 9293 section 3.1).

use pnet::packet::Packet;
use pnet::packet::tcp::MutableTcpPacket;

use super::checksum::Sum;
use super::error::DecodeError;
use super::ip::{Addresses, IpFields};
use crate::tcp::{Flags, Options, Segment, SeqNum, UnscaledWindow};

/// The two ports of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The sender's.
    pub source: u16,
    /// The receiver's.
    pub destination: u16,
}

impl Ports {
    /// The ports of a segment, which come first in it: they can be read even where nothing else can.
    pub fn of(octets: &[u8]) -> Option<Self> {
        let &[s0, s1, d0, d1] = octets.first_chunk()?;
        Some(Self { source: u16::from_be_bytes([s0, s1]), destination: u16::from_be_bytes([d0, d1]) })
    }
}

/// Whether the transport checksum of a received packet means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportChecksum {
    /// It must verify (MUST-3).
    Complete,
    /// The packet never crossed a cable: its sender, on this machine, left the sum to a network card,
    /// and the kernel says so. The field holds only a part of it.
    LeftToCard,
}

/// A segment that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPacket<'p> {
    /// Sender's and receiver's port.
    pub ports: Ports,
    /// The numbers.
    pub segment: Segment,
    /// The text, `segment.text_len` octets.
    pub text: &'p [u8],
}

/// A segment of ours that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// Header and text do not fit a packet, or the buffer given for it.
    #[error("a segment with {text} octets of text does not fit the packet buffer of {room} octets")]
    TooLong {
        /// Octets of text.
        text: usize,
        /// Octets of the buffer.
        room: usize,
    },
}

const HEADER: usize = 20;
pub(super) const PROTOCOL: u8 = 6;
/// The octet whose high half is the data offset.
pub(super) const OFFSET_AT: usize = 12;
/// The first octet of the checksum.
pub(super) const CHECKSUM_AT: usize = 16;
const LAYER: &str = "tcp";

/// Reads a segment from its header on. Reserved bits are ignored (L-15).
#[expect(
    clippy::inline_always,
    reason = "to copy what was read out of here would take longer than to read it"
)]
#[inline(always)]
pub fn parse(
    octets: &[u8],
    addresses: Addresses,
    checksum: TransportChecksum,
) -> Result<TcpPacket<'_>, DecodeError> {
    let truncated = |need| DecodeError::Truncated { layer: LAYER, need, have: octets.len() };
    let header: &[u8; HEADER] = octets.first_chunk().ok_or(truncated(HEADER))?;
    let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, bits, w0, w1, c0, c1, u0, u1] = header;

    let header_len = usize::from(offset >> 4) * 4;
    if header_len < HEADER {
        return Err(DecodeError::HeaderLength { layer: LAYER, octets: header_len, least: HEADER });
    }
    let (whole_header, text) = octets.split_at_checked(header_len).ok_or(truncated(header_len))?;
    let sum = Sum::default().pseudo_header(addresses, PROTOCOL, octets.len()).octets(octets);
    if checksum == TransportChecksum::Complete && !sum.verifies() {
        return Err(DecodeError::Checksum { layer: LAYER, found: u16::from_be_bytes([c0, c1]) });
    }
    Ok(TcpPacket {
        ports: Ports { source: u16::from_be_bytes([s0, s1]), destination: u16::from_be_bytes([d0, d1]) },
        segment: Segment {
            seq: SeqNum(u32::from_be_bytes([q0, q1, q2, q3])),
            ack: SeqNum(u32::from_be_bytes([a0, a1, a2, a3])),
            flags: Flags::from_bits(u16::from_be_bytes([offset, bits])),
            window: UnscaledWindow(u16::from_be_bytes([w0, w1])),
            urgent: u16::from_be_bytes([u0, u1]),
            options: Options::from_wire(whole_header.get(HEADER..).unwrap_or_default()).unwrap_or_default(),
            text_len: text.len() as u32,
        },
        text,
    })
}

/// Writes a whole packet, IP header, TCP header, options and text, and yields its length.
///
/// `text` is what `segment.text_len` counts. Checksums are computed here, whatever a card might do
/// (MUST-2).
pub fn emit(
    ip: &IpFields,
    ports: Ports,
    segment: &Segment,
    text: &[u8],
    buffer: &mut [u8],
) -> Result<usize, EmitError> {
    debug_assert_eq!(text.len(), segment.text_len as usize);
    let too_long = EmitError::TooLong { text: text.len(), room: buffer.len() };
    let options = segment.options.as_bytes();
    let header_len = HEADER + options.len();
    let tcp_len = header_len + text.len();
    let ip_len = ip.addresses.header_len();
    let packet = buffer.get_mut(..ip_len + tcp_len).ok_or(too_long)?;
    ip.emit(tcp_len, packet).ok_or(too_long)?;

    let (fixed, rest) =
        packet.get_mut(ip_len..).and_then(<[u8]>::split_first_chunk_mut::<HEADER>).ok_or(too_long)?;
    let (option_space, text_space) = rest.split_at_mut_checked(options.len()).ok_or(too_long)?;
    option_space.copy_from_slice(options);
    text_space.copy_from_slice(text);
    *fixed = [0; HEADER];
    let mut header = MutableTcpPacket::new(fixed).ok_or(too_long)?;
    header.set_source(ports.source);
    header.set_destination(ports.destination);
    header.set_sequence(segment.seq.0);
    header.set_acknowledgement(segment.ack.0);
    header.set_data_offset((header_len / 4) as u8);
    header.set_reserved((segment.flags.bits() >> 8) as u8); // AE, the ninth flag, is pnet's last reserved bit
    header.set_flags(segment.flags.bits() as u8);
    header.set_window(segment.window.0);
    header.set_urgent_ptr(segment.urgent);
    let sum = Sum::default().pseudo_header(ip.addresses, PROTOCOL, tcp_len).octets(header.packet());
    header.set_checksum(sum.octets(rest).checksum());
    Ok(ip_len + tcp_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: Addresses = Addresses::V4 {
        source: std::net::Ipv4Addr::new(10, 0, 0, 1),
        destination: std::net::Ipv4Addr::new(10, 0, 0, 2),
    };

    fn sample() -> Vec<u8> {
        let ip = IpFields::new(ADDRESSES);
        let segment = Segment { seq: SeqNum(4321), flags: Flags::SYN, ..Segment::default() };
        let mut buffer = [0; 100];
        let len = emit(&ip, Ports { source: 40_000, destination: 80 }, &segment, b"", &mut buffer).unwrap();
        buffer[20..len].to_vec()
    }

    fn read(octets: &[u8]) -> Result<TcpPacket<'_>, DecodeError> {
        parse(octets, ADDRESSES, TransportChecksum::Complete)
    }

    /// MUST-3, L-01: every one-bit fault anywhere, and a wrong pseudo-header.
    #[test]
    fn must_3_l01_every_flipped_bit_is_noticed() {
        let good = sample();
        assert!(read(&good).is_ok());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit}");
            assert!(
                parse(
                    &good,
                    Addresses::V4 { source: [10, 0, 0, 9].into(), destination: [10, 0, 0, 2].into() },
                    TransportChecksum::Complete
                )
                .is_err()
            );
        }
        let mut partial = good;
        partial[16] ^= 1;
        assert!(parse(&partial, ADDRESSES, TransportChecksum::LeftToCard).is_ok());
    }

    /// L-02, L-03, L-04.
    #[test]
    fn l02_l03_l04_bad_offsets_and_cut_segments() {
        for words in [0, 4, 15] {
            let mut bad = sample();
            bad[12] = words << 4;
            let result = parse(&bad, ADDRESSES, TransportChecksum::LeftToCard);
            assert!(result.is_err(), "offset {words}");
        }
        for len in [0, 8, 19] {
            assert!(matches!(read(&sample()[..len]), Err(DecodeError::Truncated { .. })));
        }
    }

    /// L-15, L-16: reserved bits are ignored, all nine flags are seen.
    #[test]
    fn l15_l16_reserved_bits_are_ignored() {
        let mut octets = sample();
        octets[12] |= 0x0f;
        octets[13] = 0xff;
        let read = parse(&octets, ADDRESSES, TransportChecksum::LeftToCard).unwrap();
        assert_eq!(read.segment.flags, Flags::from_bits(0x1ff));
    }

    #[test]
    fn a_buffer_too_small_is_an_error() {
        let ip = IpFields::new(ADDRESSES);
        let ports = Ports { source: 1, destination: 2 };
        let error = emit(&ip, ports, &Segment::default(), b"", &mut [0; 39]).unwrap_err();
        assert_eq!(error, EmitError::TooLong { text: 0, room: 39 });
    }
}
