//! What arrives at our end, as octets: segments of the peer's, errors of routers, and what spoils both.

use std::net::SocketAddr;

use tcpshake::packet::checksum::Sum;
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit};
use tcpshake::tcp::{Flags, Options, Segment, SeqNum, UnscaledWindow};

use crate::segments::{Fields, Number, Placement, octets, relative};

/// A packet from the network.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) carries: Carried,
    /// Whose it is, if not the peer's.
    pub(crate) from: Option<SocketAddr>,
    /// Whose it is to be, if not ours.
    pub(crate) to: Option<SocketAddr>,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) checksum: TransportChecksum,
    /// What is done to it on its way, in this order.
    pub(crate) spoils: Vec<Spoil>,
}

#[derive(Clone, Debug)]
pub(crate) enum Carried {
    Segment(Fields),
    Icmp(Icmp),
}

/// An error about a segment of ours.
#[derive(Clone, Debug)]
pub(crate) struct Icmp {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) seq: Number,
    pub(crate) text_len: u32,
    /// Of another connection of ours: to this place.
    pub(crate) about: Option<SocketAddr>,
    pub(crate) mtu: u32,
    /// Octets of the segment that are quoted.
    pub(crate) quotes: usize,
    /// IP options of the quoted packet.
    pub(crate) ip_options: Vec<u8>,
}

/// One thing that is wrong, or unusual.
#[derive(Clone, Debug)]
pub(crate) enum Spoil {
    Checksum,
    Reserved(u8),
    Offset(u8),
    Cut(usize),
    Padded(usize),
    Version(u8),
    HeaderLength(u8),
    TotalLength(u16),
    HeaderChecksum,
    IpOptions(Vec<u8>),
    Fragment {
        offset: u16,
        more: bool,
    },
    /// IPv6 extension headers of this kind, so many.
    Extension {
        kind: u8,
        count: usize,
    },
}

/// Both ends of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// The text at a place of a stream tells by itself where it belongs.
pub(crate) fn text(at: i64, len: usize) -> Vec<u8> {
    (at..).take(len).map(|at| at.rem_euclid(251) as u8).collect()
}

/// What peers announce where the line says nothing.
const WINDOW: u16 = 65_535;
const TCP_CHECKSUM: usize = 16;

impl Packet {
    pub(crate) fn carrying(carries: Carried) -> Self {
        let checksum = TransportChecksum::Complete;
        Self { carries, from: None, to: None, ttl: 64, tos: 0, checksum, spoils: Vec::new() }
    }

    pub(crate) fn build(&self, ends: Ends, place: Placement) -> Vec<u8> {
        let (from, to) = (self.from.unwrap_or(ends.remote), self.to.unwrap_or(ends.local));
        let mut octets = match &self.carries {
            Carried::Segment(fields) => self.segment(fields, from, to, place),
            Carried::Icmp(icmp) => self.icmp(icmp, from, to, ends, place),
        };
        for spoil in &self.spoils {
            spoil.apply(&mut octets);
        }
        octets
    }

    fn segment(&self, fields: &Fields, from: SocketAddr, to: SocketAddr, place: Placement) -> Vec<u8> {
        let list = octets(fields.options.as_deref().unwrap_or_default(), place);
        let seq = fields.seq.from(place.irs);
        let segment = Segment {
            seq,
            ack: fields.ack.map_or(SeqNum(0), |ack| ack.from(place.iss)),
            flags: fields.flags,
            window: UnscaledWindow(fields.window.unwrap_or(WINDOW)),
            urgent: fields.urgent.unwrap_or_default(),
            options: Options::from_wire(&list).expect("options fit a header"),
            text_len: fields.text_len,
        };
        let at = relative(segment.text_seq(), place.irs) - 1;
        self.emit(from, to, &segment, &text(at, fields.text_len as usize))
    }

    fn emit(&self, from: SocketAddr, to: SocketAddr, segment: &Segment, text: &[u8]) -> Vec<u8> {
        let addresses = Addresses::new(from.ip(), to.ip()).expect("one family");
        let ip = IpFields { ttl: self.ttl, tos: self.tos, ..IpFields::new(addresses) };
        let ports = Ports { source: from.port(), destination: to.port() };
        let mut packet = vec![0; addresses.header_len() + 60 + text.len()];
        let len = emit(&ip, ports, segment, text, &mut packet).expect("a packet has room for it");
        packet.truncate(len);
        packet
    }

    fn icmp(&self, icmp: &Icmp, from: SocketAddr, to: SocketAddr, ends: Ends, place: Placement) -> Vec<u8> {
        let ours = Segment {
            seq: icmp.seq.from(place.iss),
            flags: Flags::ACK,
            text_len: icmp.text_len,
            ..Segment::default()
        };
        let about = icmp.about.unwrap_or(ends.remote);
        let mut quoted = self.emit(ends.local, about, &ours, &text(0, icmp.text_len as usize));
        if !icmp.ip_options.is_empty() {
            Spoil::IpOptions(icmp.ip_options.clone()).apply(&mut quoted);
        }
        quoted.truncate(header_len(&quoted) + icmp.quotes);

        let mut message = vec![icmp.kind, icmp.code, 0, 0];
        message.extend(icmp.mtu.to_be_bytes());
        message.extend(quoted);
        let addresses = Addresses::new(from.ip(), to.ip()).expect("one family");
        let (at, protocol, sum) = match addresses {
            Addresses::V4 { .. } => (9, 1, Sum::default()),
            Addresses::V6 { .. } => (6, 58, Sum::default().pseudo_header(addresses, 58, message.len())),
        };
        let checksum = sum.octets(&message).checksum();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());

        let mut octets = self.emit(from, to, &Segment::default(), b"");
        octets.truncate(addresses.header_len());
        octets[at] = protocol;
        octets.extend(message);
        set_length(&mut octets);
        octets
    }
}

fn is_v4(octets: &[u8]) -> bool {
    octets[0] >> 4 == 4
}

fn header_len(octets: &[u8]) -> usize {
    if is_v4(octets) { usize::from(octets[0] & 0xf) * 4 } else { 40 }
}

/// The packet's length as it is now, in its header.
fn set_length(octets: &mut [u8]) {
    let len = octets.len() as u16;
    let (at, len) = if is_v4(octets) { (2, len) } else { (4, len - 40) };
    octets[at..at + 2].copy_from_slice(&len.to_be_bytes());
    seal_header(octets);
}

fn seal_header(octets: &mut [u8]) {
    let len = usize::from(octets[0] & 0xf) * 4;
    if is_v4(octets) && len >= 20 {
        octets[10..12].fill(0);
        let sum = Sum::default().octets(&octets[..len]).checksum();
        octets[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The checksum of what is a segment still, whatever stands in it.
fn seal_segment(octets: &mut [u8]) {
    let read = tcpshake::packet::ip::parse(octets).expect("a packet that can be read");
    let (addresses, start) = (read.addresses, octets.len() - read.payload.len());
    let tcp = &mut octets[start..];
    tcp[TCP_CHECKSUM..TCP_CHECKSUM + 2].fill(0);
    let sum = Sum::default().pseudo_header(addresses, 6, tcp.len()).octets(tcp).checksum();
    tcp[TCP_CHECKSUM..TCP_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
}

impl Spoil {
    fn apply(&self, octets: &mut Vec<u8>) {
        let tcp = header_len(octets);
        match self {
            Self::Checksum => octets[tcp + TCP_CHECKSUM] ^= 1,
            Self::Reserved(bits) => {
                octets[tcp + 12] |= (bits & 0b111) << 1;
                seal_segment(octets);
            }
            Self::Offset(words) => {
                octets[tcp + 12] = words << 4;
                seal_segment(octets);
            }
            Self::Cut(len) => {
                octets.truncate(tcp + len);
                set_length(octets);
            }
            Self::Padded(len) => octets.extend(vec![0; *len]),
            Self::Version(version) => {
                octets[0] = version << 4 | octets[0] & 0xf;
                octets[10..12].fill(0);
            }
            Self::HeaderLength(words) => {
                octets[0] = octets[0] & 0xf0 | words;
                seal_header(octets);
            }
            Self::TotalLength(len) => {
                octets[2..4].copy_from_slice(&len.to_be_bytes());
                seal_header(octets);
            }
            Self::HeaderChecksum => octets[10] ^= 1,
            Self::IpOptions(options) => {
                octets[0] += (options.len() / 4) as u8;
                octets.splice(20..20, options.iter().copied());
                set_length(octets);
            }
            Self::Fragment { offset, more } => {
                let field = offset | u16::from(*more) << 13;
                octets[6..8].copy_from_slice(&field.to_be_bytes());
                seal_header(octets);
            }
            Self::Extension { kind, count } => {
                for _ in 0..*count {
                    let options = if *kind == 44 {
                        [octets[6], 0, 0, 0, 0, 0, 0, 1]
                    } else {
                        [octets[6], 0, 1, 4, 0, 0, 0, 0]
                    };
                    octets[6] = *kind;
                    octets.splice(40..40, options);
                }
                set_length(octets);
            }
        }
    }
}
