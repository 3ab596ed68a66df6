//! Packets, built and read.

use std::net::{IpAddr, SocketAddr};

use tcpshake::packet::checksum::Sum;
use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, tcp};
use tcpshake::tcp::{Segment, answer_in_closed};

/// A segment that was read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) segment: Segment,
    pub(crate) text: Vec<u8>,
}

pub(crate) fn read(octets: &[u8]) -> Option<Seen> {
    let packet = ip::parse(octets).ok()?;
    let read = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
    Some(Seen {
        from: SocketAddr::new(packet.addresses.source(), read.ports.source),
        to: SocketAddr::new(packet.addresses.destination(), read.ports.destination),
        segment: read.segment,
        text: read.text.to_vec(),
    })
}

pub(crate) fn write(from: SocketAddr, to: SocketAddr, segment: &Segment, text: &[u8]) -> Vec<u8> {
    let addresses = Addresses::new(from.ip(), to.ip()).unwrap();
    let ports = Ports { source: from.port(), destination: to.port() };
    let mut packet = vec![0; 100 + text.len()];
    let len = emit(&IpFields::new(addresses), ports, segment, text, &mut packet).unwrap();
    packet.truncate(len);
    packet
}

/// An ICMP error about `quoted`, of which it quotes the IP header and eight octets.
pub(crate) fn icmp(from: IpAddr, to: IpAddr, (kind, code): (u8, u8), quoted: &[u8]) -> Vec<u8> {
    let addresses = Addresses::new(from, to).unwrap();
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend(&quoted[..addresses.header_len() + 8]);
    let mut sum = Sum::default();
    if from.is_ipv6() {
        sum = sum.pseudo_header(addresses, 58, message.len());
    }
    let checksum = sum.octets(&message).checksum();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut packet = header(addresses, message.len() as u16);
    packet.extend(message);
    packet
}

fn header(addresses: Addresses, payload: u16) -> Vec<u8> {
    match addresses {
        Addresses::V4 { source, destination } => {
            let [high, low] = (20 + payload).to_be_bytes();
            let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, 1, 0, 0];
            header.extend(source.octets().iter().chain(&destination.octets()));
            let checksum = Sum::default().octets(&header).checksum();
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
            header
        }
        Addresses::V6 { source, destination } => {
            let [high, low] = payload.to_be_bytes();
            let mut header = vec![0x60, 0, 0, 0, high, low, 58, 64];
            header.extend(source.octets().iter().chain(&destination.octets()));
            header
        }
    }
}

/// What a host in CLOSED answers.
pub(crate) fn refusal(seen: &Seen) -> Vec<Vec<u8>> {
    let (answer, _) = answer_in_closed(&seen.segment);
    let write = |answer: Segment| write(seen.to, seen.from, &answer, b"");
    answer.map(write).into_iter().collect()
}
