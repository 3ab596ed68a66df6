//! Would the kernel answer? Asked of the kernel itself, over loopback.

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, TransportChecksum, emit, ip, tcp};
use crate::tcp::{Flags, Segment, SeqNum};
use crate::time::Clock;
use crate::wire::{filter, raw};

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
    let text = |error: io::Error| error.to_string();
    let sender = raw::open_sender(guarded, None).map_err(|error| error.to_string())?;
    let mut receiver = open_receiver(guarded).map_err(text)?;
    let mut to = guarded;
    to.set_port(0); // a raw IPv6 socket takes a port for a protocol number
    for port in [guarded.port(), CONTROL_PORT] {
        sender.send_to(&stray_ack(guarded, port)?, &to.into()).map_err(text)?;
    }
    let mut buffer = [0; 256];
    let deadline = clock.now() + PATIENCE;
    loop {
        let left = deadline - clock.now();
        if left.is_zero() {
            return Err("the kernel answers on no port (a firewall on loopback?)".into());
        }
        receiver.set_read_timeout(Some(left)).map_err(text)?;
        let port = match receiver.read(&mut buffer) {
            Ok(len) => reset_from(buffer.get(..len).unwrap_or_default(), guarded),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => return Err(text(error)),
        };
        match port {
            Some(port) if port == guarded.port() => return Ok(Proof::Answered),
            Some(CONTROL_PORT) => return Ok(Proof::Silent),
            _ => {}
        }
    }
}

/// A raw socket that takes only what comes back to the probes' port. A packet socket would do as well, but
/// closing one waits for all processors, some ten milliseconds.
fn open_receiver(guarded: SocketAddr) -> io::Result<Socket> {
    let receiver = Socket::new(Domain::for_address(guarded), Type::RAW, Some(Protocol::TCP))?;
    filter::attach(&receiver, &filter::tcp_to_port(guarded.ip(), PROBE_PORT))?;
    Ok(receiver)
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

/// The source port of a RST. A raw IPv4 socket hands over the IP header too, an IPv6 one does not.
fn reset_from(octets: &[u8], guarded: SocketAddr) -> Option<u16> {
    let addresses = Addresses::new(guarded.ip(), guarded.ip())?;
    let payload = if guarded.is_ipv4() { ip::parse(octets).ok()?.payload } else { octets };
    let read = tcp::parse(payload, addresses, TransportChecksum::LeftToCard).ok()?;
    read.segment.has(Flags::RST).then_some(read.ports.source)
}
