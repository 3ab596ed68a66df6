//! ICMP errors about segments that we have sent, or have not.

use std::net::SocketAddr;

use tcpshake::packet::checksum::Sum;
use tcpshake::tcp::{Segment, SeqNum};

use super::packet;

const IP_HEADER: usize = 20;

/// An error of this type and code from the first of `ends`, about a segment of the second's to it.
pub(super) fn error(
    ends: (SocketAddr, SocketAddr),
    [kind, code]: [u8; 2],
    rest: u32,
    quoted: SeqNum,
) -> Vec<u8> {
    const QUOTED: usize = IP_HEADER + 8;
    const PROTOCOL_AT: usize = 9;
    const ICMP: u8 = 1;
    let quoted = packet((ends.1, ends.0), &Segment { seq: quoted, ..Segment::default() });
    let mut message = [&[kind, code, 0, 0][..], &rest.to_be_bytes(), &quoted[..QUOTED]].concat();
    let checksum = Sum::default().octets(&message).checksum();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut octets = packet(ends, &Segment::default())[..IP_HEADER].to_vec();
    octets[2..4].copy_from_slice(&((IP_HEADER + message.len()) as u16).to_be_bytes());
    octets[PROTOCOL_AT] = ICMP;
    octets[10..12].fill(0);
    let checksum = Sum::default().octets(&octets).checksum();
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    octets.extend(message);
    octets
}
