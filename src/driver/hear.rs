//! Reads what arrives, and tells what concerns the exchange from what does not.

use std::net::SocketAddr;

use crate::packet::{DecodeError, IcmpError, IpPacket, Ports, Protocol, icmp, ip, tcp};
use crate::tcp::Segment;
use crate::wire::{Received, Sender};

/// Copies a packet out of the wire's buffer into `packet`: the wire is needed for the answer.
pub(super) fn copied<'p>(received: &Received<'_>, packet: &'p mut Vec<u8>) -> Received<'p> {
    packet.clear();
    packet.extend_from_slice(received.octets);
    let Received { at, checksum, sender, .. } = *received;
    Received { at, octets: packet, checksum, sender }
}

/// A packet that was read.
pub(super) enum Heard<'p> {
    /// A segment of the peer's.
    Segment { segment: Segment, text: &'p [u8], ttl: u8, tos: u8 },
    /// A segment that the kernel of this machine sends on our behalf, unasked.
    OurKernel(Segment),
    /// An error about a segment of ours.
    Icmp(IcmpError),
    /// A packet of the peer's that cannot be read.
    Unreadable(DecodeError),
    /// Somebody else's. The filter of a socket lets few of them through; other wires have none.
    Foreign,
}

/// Reads a packet of the exchange between `local` and `remote`.
pub(super) fn hear<'p>(received: &Received<'p>, local: SocketAddr, remote: SocketAddr) -> Heard<'p> {
    let (from, to) = match received.sender {
        Sender::Network => (remote, local),
        Sender::OurKernel => (local, remote),
        Sender::Ourselves => return Heard::Foreign, // only a fleet is shown what it sent
    };
    let unreadable = |error, packet: &IpPacket<'_>| {
        let theirs = received.sender == Sender::Network && is_between(packet, from, to);
        if theirs { Heard::Unreadable(error) } else { Heard::Foreign }
    };
    let packet = match ip::parse(received.octets) {
        Ok(packet) => packet,
        Err(error) => {
            // If not even its head can be read, nobody can say whose it is.
            let head = ip::parse_quoted(received.octets);
            return head.map_or(Heard::Foreign, |packet| unreadable(error, &packet));
        }
    };
    match packet.protocol {
        Protocol::Tcp if !is_between(&packet, from, to) => Heard::Foreign,
        Protocol::Tcp => match tcp::parse(packet.payload, packet.addresses, received.checksum) {
            Err(error) => unreadable(error, &packet),
            Ok(read) if received.sender == Sender::OurKernel => Heard::OurKernel(read.segment),
            Ok(read) => {
                Heard::Segment { segment: read.segment, text: read.text, ttl: packet.ttl, tos: packet.tos }
            }
        },
        Protocol::Icmp | Protocol::Icmpv6 => match icmp::parse(&packet) {
            Ok(Some(error)) if same(error.local, local) && same(error.remote, remote) => Heard::Icmp(error),
            _ => Heard::Foreign,
        },
        Protocol::Other(_) => Heard::Foreign,
    }
}

/// Whether addresses and ports are those of a segment from `from` to `to`.
fn is_between(packet: &IpPacket<'_>, from: SocketAddr, to: SocketAddr) -> bool {
    packet.protocol == Protocol::Tcp
        && packet.addresses.source() == from.ip()
        && packet.addresses.destination() == to.ip()
        && Ports::of(packet.payload) == Some(Ports { source: from.port(), destination: to.port() })
}

/// Address and port; a quoted packet carries no scope.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    (a.ip(), a.port()) == (b.ip(), b.port())
}
