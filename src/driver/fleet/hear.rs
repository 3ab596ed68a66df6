//! Reads what arrives, and finds the exchange it belongs to.

use std::net::IpAddr;

use super::exchange::Phase;
use super::paths::Paths;
use super::ports::Turns;
use super::slots::Slots;
use super::trace::{Direction, Trace};
use crate::packet::{Addresses, IcmpError, IpPacket, Ports, Protocol, icmp, ip, tcp};
use crate::tcp::Segment;
use crate::time::Instant;
use crate::wire::{Received, Sender};

/// What a packet says, and to which exchange.
pub(super) enum Heard {
    Segment {
        number: u32,
        segment: Segment,
        at: Instant,
    },
    /// To one of our ports, but of no exchange.
    Stray(Addresses, Ports, Segment),
    Icmp(u32, IcmpError),
    KernelReset,
    Departure,
    Nothing,
}

/// What is ours of all that the wire shows: another program may have a port between two of ours, and a router sees
/// what goes to others.
pub(super) struct Ours<'o> {
    pub(super) ports: &'o Turns,
    pub(super) paths: &'o Paths,
}

impl Ours<'_> {
    fn have(&self, address: IpAddr, port: u16) -> bool {
        self.paths.locals.contains(&address) && self.ports.have(port)
    }

    /// The exchange between these ends. By its ports alone another address of ours could be meant.
    fn find(&self, slots: &Slots, local: IpAddr, remote: IpAddr, ports: Ports) -> Option<u32> {
        let is_from = |path: u32| self.paths.all.get(path as usize).is_some_and(|path| path.local == local);
        slots.find(remote, ports).filter(|number| slots.get(*number).is_some_and(|it| is_from(it.path)))
    }
}

/// A SYN of ours, as it left.
fn note_departure(received: &Received<'_>, slots: &mut Slots) -> Heard {
    if let Ok(packet) = ip::parse_quoted(received.octets)
        && let Some(ports) = Ports::of(packet.payload)
        && let Some(number) = slots.find(packet.addresses.destination(), ports)
        && let Some(exchange) = slots.get_mut(number).filter(|exchange| exchange.syns == 1)
    {
        exchange.note_departure(received.at);
    }
    Heard::Departure
}

/// Reads a packet, finds the exchange it belongs to and keeps it for that; the text of a segment is left in `text`.
pub(super) fn hear(
    received: &Received<'_>,
    ours: &Ours<'_>,
    slots: &mut Slots,
    trace: &mut Trace,
    text: &mut Vec<u8>,
) -> Heard {
    match received.sender {
        Sender::Network => {}
        Sender::OurKernel => return Heard::KernelReset,
        Sender::Ourselves => return note_departure(received, slots),
    }
    let Ok(packet) = ip::parse(received.octets) else { return Heard::Nothing };
    match packet.protocol {
        Protocol::Tcp => {
            let heard = hear_segment(&packet, received, ours, slots, text);
            if let Heard::Segment { number, .. } = heard {
                keep(number, received, slots, trace);
            }
            heard
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let Some((number, error)) = hear_error(&packet, ours, slots) else { return Heard::Nothing };
            keep(number, received, slots, trace);
            Heard::Icmp(number, error)
        }
        Protocol::Other(_) => Heard::Nothing,
    }
}

/// Of what was told nothing is told again.
fn keep(number: u32, received: &Received<'_>, slots: &mut Slots, trace: &mut Trace) {
    if let Some(exchange) = slots.get_mut(number).filter(|exchange| exchange.phase != Phase::Lingering) {
        trace.keep(&mut exchange.chain, Direction::Received, received.at, received.octets);
    }
}

fn hear_segment(
    packet: &IpPacket<'_>,
    received: &Received<'_>,
    ours: &Ours<'_>,
    slots: &Slots,
    text: &mut Vec<u8>,
) -> Heard {
    let Ok(read) = tcp::parse(packet.payload, packet.addresses, received.checksum) else {
        return Heard::Nothing;
    };
    let (local, remote) = (packet.addresses.destination(), packet.addresses.source());
    let ports = Ports { source: read.ports.destination, destination: read.ports.source };
    if !ours.have(local, ports.source) {
        return Heard::Nothing;
    }
    let Some(number) = ours.find(slots, local, remote, ports) else {
        let answering = Addresses::new(local, remote);
        return answering.map_or(Heard::Nothing, |back| Heard::Stray(back, ports, read.segment));
    };
    text.clear();
    text.extend_from_slice(read.text);
    Heard::Segment { number, segment: read.segment, at: received.at }
}

fn hear_error(packet: &IpPacket<'_>, ours: &Ours<'_>, slots: &Slots) -> Option<(u32, IcmpError)> {
    let error = icmp::parse(packet).ok()??;
    let ports = Ports { source: error.local.port(), destination: error.remote.port() };
    let number = ours.find(slots, error.local.ip(), error.remote.ip(), ports)?;
    Some((number, error))
}
