//! Would the kernel answer? Asked of the kernel itself, over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use crate::net::interfaces::LOOPBACK;
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, Protocol, TransportChecksum, emit, ip, tcp};
use crate::tcp::{Flags, Segment, SeqNum};
use crate::time::Clock;
use crate::wire::filter::Selection;
use crate::wire::raw::{RawSpec, RawWire};
use crate::wire::{Arrival, Wire};

/// What the self-test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The kernel stayed silent on our port while it answered on another.
    Silent,
    /// The kernel answered with RST: nothing holds it back.
    Answered,
    /// It could not be asked, for this reason.
    Untestable(String),
    /// There was no reason to ask.
    NotAsked,
}

/// How long an answer of the kernel may take; it was seen within one millisecond.
const PATIENCE: Duration = Duration::from_millis(20);
/// Where the probes come from: the discard port, on which a RST does nothing.
const PROBE_PORT: u16 = 9;
/// A port with no guard: the kernel answers a stray ACK to it with RST, listener there or not.
const CONTROL_PORT: u16 = 1;

/// Sends a bare ACK to `guarded` from the same address, and another to a port without guard. The kernel
/// takes them in this order, so once the second is answered the first would have been.
///
/// Nothing leaves the machine: an address of its own is reached over loopback.
pub fn probe(guarded: SocketAddr, clock: Clock) -> Proof {
    ask(guarded, clock).unwrap_or_else(Proof::Untestable)
}

fn ask(guarded: SocketAddr, clock: Clock) -> Result<Proof, String> {
    let selection = Selection {
        local: guarded.ip(),
        local_port: PROBE_PORT,
        remote: guarded.ip(),
        remote_port: None,
        interface: LOOPBACK,
        mark: None,
    };
    let spec = RawSpec { selection, remote: guarded, bind_to_interface: None };
    let mut wire = RawWire::open(&spec, clock).map_err(|error| error.to_string())?;
    for port in [guarded.port(), CONTROL_PORT] {
        wire.send(&stray_ack(guarded, port)?).map_err(|error| error.to_string())?;
    }
    let deadline = wire.now() + PATIENCE;
    loop {
        let port = match wire.receive(Some(deadline)).map_err(|error| error.to_string())? {
            Arrival::Packet(received) => reset_from(received.octets),
            Arrival::Woken => None,
            Arrival::DeadlinePassed => {
                return Err("the kernel answers on no port (a firewall on loopback?)".into());
            }
        };
        match port {
            Some(port) if port == guarded.port() => return Ok(Proof::Answered),
            Some(CONTROL_PORT) => return Ok(Proof::Silent),
            _ => {}
        }
    }
}

/// An ACK for a connection that nobody has.
fn stray_ack(guarded: SocketAddr, port: u16) -> Result<Vec<u8>, String> {
    let addresses = Addresses::new(guarded.ip(), guarded.ip()).ok_or("two families")?;
    let ip = IpFields { addresses, ttl: 64, identification: 1 };
    let segment = Segment { seq: SeqNum(1), ack: SeqNum(1), flags: Flags::ACK, ..Segment::default() };
    let ports = Ports { source: PROBE_PORT, destination: port };
    let mut packet = vec![0; 128];
    let len = emit(&ip, ports, &segment, b"", &mut packet).map_err(|error| error.to_string())?;
    packet.truncate(len);
    Ok(packet)
}

/// The source port of a RST.
fn reset_from(octets: &[u8]) -> Option<u16> {
    let packet = ip::parse(octets).ok().filter(|packet| packet.protocol == Protocol::Tcp)?;
    let segment = tcp::parse(packet.payload, packet.addresses, TransportChecksum::LeftToCard).ok()?;
    segment.segment.has(Flags::RST).then_some(segment.ports.source)
}
