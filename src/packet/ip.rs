//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::Packet;
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::ipv4::{Ipv4Flags, MutableIpv4Packet};
use pnet::packet::ipv6::MutableIpv6Packet;

use super::checksum::Sum;
use super::error::DecodeError;

/// Source and destination of one family: a packet cannot have one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Where the packet comes from.
        source: Ipv4Addr,
        /// Where it goes.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Where the packet comes from.
        source: Ipv6Addr,
        /// Where it goes.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    /// `None` if the two are not of one family.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    /// Where the packet comes from.
    pub const fn source(&self) -> IpAddr {
        match self {
            Self::V4 { source, .. } => IpAddr::V4(*source),
            Self::V6 { source, .. } => IpAddr::V6(*source),
        }
    }

    /// Where it goes.
    pub const fn destination(&self) -> IpAddr {
        match self {
            Self::V4 { destination, .. } => IpAddr::V4(*destination),
            Self::V6 { destination, .. } => IpAddr::V6(*destination),
        }
    }

    /// Octets of the header we write.
    pub const fn header_len(&self) -> usize {
        match self {
            Self::V4 { .. } => IPV4_HEADER,
            Self::V6 { .. } => IPV6_HEADER,
        }
    }
}

/// What an address is, if it is not a single host's: TCP speaks to none other (MUST-46, MUST-57, MUST-63).
pub const fn no_host(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("the broadcast address"),
        IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.octets()[0] >= 240 => Some("a reserved address"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// What follows the IP header, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// 6.
    Tcp,
    /// 1, over IPv4.
    Icmp,
    /// 58, over IPv6.
    Icmpv6,
    /// Anything else, or ICMP over the wrong version.
    Other(u8),
}

/// A packet that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket<'p> {
    /// Source and destination.
    pub addresses: Addresses,
    /// Time to live, or hop limit, as it arrived.
    pub ttl: u8,
    /// Type of service, or traffic class: six bits of DSCP (RFC 2474), two of ECN (RFC 3168). A connection looks at
    /// the two, and tells its user of neither (MAY-9); who sends a single segment is shown all eight.
    pub tos: u8,
    /// What the payload is.
    pub protocol: Protocol,
    /// The payload, without link-layer padding.
    pub payload: &'p [u8],
}

/// How to write the header of a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpFields {
    /// Source and destination.
    pub addresses: Addresses,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class: six bits of DSCP (RFC 2474), two of ECN (RFC 3168).
    pub tos: u8,
    /// IPv4 identification. Our packets carry DF, for which it has no meaning (RFC 6864); zero would be
    /// replaced by the kernel.
    pub identification: u16,
}

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// No sender needs more; a longer chain is an attack on the reader (L-14).
const MOST_EXTENSION_HEADERS: usize = 8;

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Reads a packet from its IP header on. Octets behind the packet's stated length are link-layer padding
/// and left out (L-06).
///
/// Options of IPv4 are skipped, whatever they are (MUST-50): timestamps and recorded routes (MAY-10, MAY-11) concern
/// no connection. Source routes are neither sent nor kept nor followed (MUST-51, MUST-52, MUST-53, SHLD-24): what
/// carries one is dropped, here as by hosts and routers (RFC 7126 section 4.3), for it serves to be answered in
/// another's name (L-11).
#[inline]
pub fn parse(octets: &[u8]) -> Result<IpPacket<'_>, DecodeError> {
    match octets.first().map(|first| first >> 4) {
        Some(4) => parse_v4(octets, Quoted::No),
        Some(6) => parse_v6(octets, Quoted::No),
        Some(version) => Err(DecodeError::Version(version)),
        None => Err(DecodeError::Truncated { layer: "ip", need: IPV4_HEADER, have: 0 }),
    }
}

/// Reads the head of a packet that an ICMP error quotes: it may be cut short, it may be the first fragment,
/// and its checksum may have been taken before the last router changed its TTL. Tells, too, whom a packet
/// concerns that [`parse`] refuses.
pub fn parse_quoted(octets: &[u8]) -> Result<IpPacket<'_>, DecodeError> {
    match octets.first().map(|first| first >> 4) {
        Some(4) => parse_v4(octets, Quoted::Yes),
        Some(6) => parse_v6(octets, Quoted::Yes),
        _ => Err(DecodeError::Quote),
    }
}

/// A packet without what a network card has padded it with, by what its header says; as it is if that cannot be
/// read.
pub fn within(octets: &[u8]) -> &[u8] {
    stated_len(octets).and_then(|len| octets.get(..len)).unwrap_or(octets)
}

/// How long a packet is by what its header says; `None` if that cannot be read, or is left to a card to fill in.
pub(super) fn stated_len(octets: &[u8]) -> Option<usize> {
    match (octets.first()? >> 4, octets) {
        (4, [_, _, 0, 0, ..]) => None,
        (4, [_, _, t0, t1, ..]) => Some(usize::from(u16::from_be_bytes([*t0, *t1]))),
        (6, [_, _, _, _, p0, p1, ..]) => Some(IPV6_HEADER + usize::from(u16::from_be_bytes([*p0, *p1]))),
        _ => None,
    }
}

/// The identification field of an IPv4 packet.
pub(super) fn identification(octets: &[u8]) -> Option<u16> {
    let [version, _, _, _, i0, i1, ..] = octets else { return None };
    (version >> 4 == 4).then_some(u16::from_be_bytes([*i0, *i1]))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    No,
    Yes,
}

#[inline]
fn parse_v4(octets: &[u8], quoted: Quoted) -> Result<IpPacket<'_>, DecodeError> {
    const LAYER: &str = "ipv4";
    let truncated = |need| DecodeError::Truncated { layer: LAYER, need, have: octets.len() };
    let header: &[u8; IPV4_HEADER] = octets.first_chunk().ok_or(truncated(IPV4_HEADER))?;
    let [version_ihl, tos, t0, t1, _, _, f0, f1, ttl, protocol, c0, c1, addresses @ ..] = *header;

    let header_len = usize::from(version_ihl & 0xf) * 4;
    if header_len < IPV4_HEADER {
        return Err(DecodeError::HeaderLength { layer: LAYER, octets: header_len, least: IPV4_HEADER });
    }
    let (whole_header, rest) = octets.split_at_checked(header_len).ok_or(truncated(header_len))?;
    let total_len = usize::from(u16::from_be_bytes([t0, t1]));
    let payload = match (total_len.checked_sub(header_len), quoted) {
        (Some(len), Quoted::No) => rest.get(..len).ok_or(truncated(total_len))?,
        (Some(len), Quoted::Yes) => rest.get(..len).unwrap_or(rest),
        (None, Quoted::Yes) if total_len == 0 => rest, // a card cuts it into packets, and fills it in
        (None, _) => {
            return Err(DecodeError::HeaderLength {
                layer: "ipv4 total length",
                octets: total_len,
                least: header_len,
            });
        }
    };
    if quoted == Quoted::No {
        if !Sum::default().octets(whole_header).verifies() {
            return Err(DecodeError::Checksum { layer: LAYER, found: u16::from_be_bytes([c0, c1]) });
        }
        if source_routed(whole_header.get(IPV4_HEADER..).unwrap_or_default()) {
            return Err(DecodeError::SourceRoute);
        }
    }
    const OFFSET: u16 = 0x1fff;
    const MORE_FRAGMENTS: u16 = 0x2000;
    let mask = if quoted == Quoted::Yes { OFFSET } else { OFFSET | MORE_FRAGMENTS };
    if u16::from_be_bytes([f0, f1]) & mask != 0 {
        return Err(DecodeError::Fragment);
    }
    let [a, b, c, d, e, f, g, h] = addresses;
    Ok(IpPacket {
        addresses: Addresses::V4 { source: [a, b, c, d].into(), destination: [e, f, g, h].into() },
        ttl,
        tos,
        protocol: match protocol {
            TCP => Protocol::Tcp,
            ICMP => Protocol::Icmp,
            other => Protocol::Other(other),
        },
        payload,
    })
}

/// Whether IPv4 options hold a loose or strict source route. Ends at the first fault.
fn source_routed(mut options: &[u8]) -> bool {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    while let Some((&kind, after)) = options.split_first() {
        match kind {
            END => return false,
            NOP => options = after,
            LOOSE | STRICT => return true,
            _ => match after.first().and_then(|&len| options.get(usize::from(len)..).filter(|_| len >= 2)) {
                Some(rest) => options = rest,
                None => return false,
            },
        }
    }
    false
}

fn parse_v6(octets: &[u8], quoted: Quoted) -> Result<IpPacket<'_>, DecodeError> {
    const LAYER: &str = "ipv6";
    let truncated = |need| DecodeError::Truncated { layer: LAYER, need, have: octets.len() };
    let (header, rest) = octets.split_first_chunk::<IPV6_HEADER>().ok_or(truncated(IPV6_HEADER))?;
    let [class_high, class_low, _, _, l0, l1, next_header, hop_limit, addresses @ ..] = *header;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let payload = match (rest.get(..len), quoted) {
        (Some(payload), _) => payload,
        (None, Quoted::Yes) => rest,
        (None, Quoted::No) => return Err(truncated(IPV6_HEADER + len)),
    };
    let (protocol, payload) = skip_extension_headers(next_header, payload, quoted)?;
    let (source, destination) = addresses.split_at(16);
    let address = |octets: &[u8]| Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap_or_default());
    Ok(IpPacket {
        addresses: Addresses::V6 { source: address(source), destination: address(destination) },
        ttl: hop_limit,
        tos: class_high << 4 | class_low >> 4, // the octet lies across two
        protocol: match protocol {
            TCP => Protocol::Tcp,
            ICMPV6 => Protocol::Icmpv6,
            other => Protocol::Other(other),
        },
        payload,
    })
}

/// Walks to the upper-layer header (RFC 8200 section 4): yields its protocol number and octets.
fn skip_extension_headers(
    mut next: u8,
    mut octets: &[u8],
    quoted: Quoted,
) -> Result<(u8, &[u8]), DecodeError> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    for _ in 0..=MOST_EXTENSION_HEADERS {
        if !matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            return Ok((next, octets));
        }
        let truncated =
            DecodeError::Truncated { layer: "ipv6 extension header", need: 8, have: octets.len() };
        let &[following, units, o0, o1, ..] = octets.first_chunk::<8>().ok_or(truncated)?;
        let mut len = 8 + usize::from(units) * 8;
        if next == FRAGMENT {
            const OFFSET: u16 = 0xfff8;
            const MORE: u16 = 1;
            let mask = if quoted == Quoted::Yes { OFFSET } else { OFFSET | MORE };
            if u16::from_be_bytes([o0, o1]) & mask != 0 {
                return Err(DecodeError::Fragment);
            }
            len = 8;
        }
        octets = octets.get(len..).ok_or(truncated)?;
        next = following;
    }
    Err(DecodeError::ExtensionHeaders(MOST_EXTENSION_HEADERS))
}

impl IpFields {
    /// A packet with nothing particular about it.
    pub const fn new(addresses: Addresses) -> Self {
        Self { addresses, ttl: 64, tos: 0, identification: 1 }
    }

    /// Writes the header at the start of `buffer`, which must have room for it: header and `payload_len`.
    /// Yields `None` if it has not.
    pub(super) fn emit(&self, payload_len: usize, buffer: &mut [u8]) -> Option<()> {
        match self.addresses {
            Addresses::V4 { source, destination } => {
                let total_len = u16::try_from(IPV4_HEADER + payload_len).ok()?;
                let header = buffer.first_chunk_mut::<IPV4_HEADER>()?;
                *header = [0; IPV4_HEADER];
                let mut packet = MutableIpv4Packet::new(header)?;
                packet.set_version(4);
                packet.set_header_length((IPV4_HEADER / 4) as u8);
                packet.set_dscp(self.tos >> 2);
                packet.set_ecn(self.tos & 0b11);
                packet.set_total_length(total_len);
                packet.set_identification(self.identification);
                packet.set_flags(Ipv4Flags::DontFragment);
                packet.set_ttl(self.ttl);
                packet.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
                packet.set_source(source);
                packet.set_destination(destination);
                packet.set_checksum(Sum::default().octets(packet.packet()).checksum());
            }
            Addresses::V6 { source, destination } => {
                let header = buffer.first_chunk_mut::<IPV6_HEADER>()?;
                *header = [0; IPV6_HEADER];
                let mut packet = MutableIpv6Packet::new(header)?;
                packet.set_version(6);
                packet.set_traffic_class(self.tos);
                packet.set_payload_length(u16::try_from(payload_len).ok()?);
                packet.set_next_header(IpNextHeaderProtocol::new(TCP));
                packet.set_hop_limit(self.ttl);
                packet.set_source(source);
                packet.set_destination(destination);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(header_words: u8, payload: &[u8]) -> Vec<u8> {
        let header_len = usize::from(header_words) * 4;
        let mut packet = vec![0; header_len];
        packet[0] = 0x40 | header_words;
        let total = (header_len + payload.len()) as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[8] = 64;
        packet[9] = TCP;
        packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        packet[20..].fill(1);
        seal(&mut packet, header_len);
        packet.extend(payload);
        packet
    }

    fn seal(packet: &mut [u8], header_len: usize) {
        packet[10..12].fill(0);
        let checksum = Sum::default().octets(&packet[..header_len]).checksum();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    }

    /// L-05, L-06: the stated length rules, and Ethernet padding is no text.
    #[test]
    fn l05_l06_padding_is_left_out_and_missing_octets_are_noticed() {
        let mut packet = v4(5, b"abc");
        packet.extend([0; 20]);
        assert_eq!(parse(&packet).unwrap().payload, b"abc");
        assert!(matches!(parse(&packet[..22]), Err(DecodeError::Truncated { .. })));
        packet[3] = 19;
        assert!(matches!(parse(&packet), Err(DecodeError::HeaderLength { .. })));
    }

    /// L-09, MUST-50, MAY-10, MAY-11: IP options are skipped by the header length.
    #[test]
    fn l09_must_50_every_header_length() {
        for words in 5..=15 {
            assert_eq!(parse(&v4(words, b"xy")).unwrap().payload, b"xy", "{words} words");
        }
        let mut packet = v4(5, b"xy");
        packet[0] = 0x44;
        assert!(matches!(parse(&packet), Err(DecodeError::HeaderLength { octets: 16, .. })));
    }

    /// L-10, L-11; MUST-51, MUST-52, MUST-53, SHLD-24: nobody's source route is followed.
    #[test]
    fn l10_l11_bad_checksum_version_and_source_routes_are_dropped() {
        let mut packet = v4(7, b"xy");
        packet[8] ^= 1;
        assert!(matches!(parse(&packet), Err(DecodeError::Checksum { .. })));
        packet[0] = 0x75;
        assert_eq!(parse(&packet), Err(DecodeError::Version(7)));
        for kind in [131, 137] {
            let mut packet = v4(7, b"xy");
            packet[21..24].copy_from_slice(&[kind, 3, 4]);
            seal(&mut packet, 28);
            assert_eq!(parse(&packet), Err(DecodeError::SourceRoute));
        }
        let mut packet = v4(7, b"xy");
        packet[20..22].copy_from_slice(&[148, 0]); // L-12: an option of length 0 ends the list
        seal(&mut packet, 28);
        assert!(parse(&packet).is_ok());
    }

    /// L-13.
    #[test]
    fn l13_fragments_are_named() {
        for field in [0x2000_u16, 0x0001, 0x3fff] {
            let mut packet = v4(5, b"xy");
            packet[6..8].copy_from_slice(&field.to_be_bytes());
            seal(&mut packet, 20);
            assert_eq!(parse(&packet), Err(DecodeError::Fragment));
        }
    }

    /// L-14: the chain of extension headers is walked, but not for ever.
    #[test]
    fn l14_extension_headers_are_bounded() {
        let chained = |count: usize| {
            let mut packet = vec![0; 40];
            packet[0] = 0x60;
            packet[4..6].copy_from_slice(&(count as u16 * 8 + 2).to_be_bytes());
            packet[6] = if count == 0 { TCP } else { 60 };
            for n in 0..count {
                packet.extend([if n + 1 == count { TCP } else { 60 }, 0, 1, 4, 0, 0, 0, 0]);
            }
            packet.extend(b"xy");
            packet
        };
        for count in 0..=MOST_EXTENSION_HEADERS {
            let packet = chained(count);
            assert_eq!(parse(&packet).unwrap().payload, b"xy", "{count} headers");
        }
        assert_eq!(parse(&chained(100)), Err(DecodeError::ExtensionHeaders(MOST_EXTENSION_HEADERS)));
    }
}
