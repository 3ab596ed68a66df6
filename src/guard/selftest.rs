//! Would the kernel answer? Asked of the kernel itself, over loopback.

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::lease::PortLease;
use crate::cause::cause;
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

/// How long the answers may take in all. They come within a millisecond; on a machine that is busy, later.
const PATIENCE: Duration = Duration::from_millis(400);
/// After this long the probes are sent again: the kernel may drop a packet on loopback too.
const ROUND: Duration = Duration::from_millis(40);

/// Sends a bare ACK to `guarded` from the same address, and another to a port that is bound and not
/// guarded. The kernel takes them in this order, so once the second is answered the first would have been.
///
/// Nothing leaves the machine: an address of its own is reached over loopback. Each probe carries a random
/// acknowledgment number, which the answer repeats: nobody else's RST is taken for it.
pub fn probe(guarded: SocketAddr, clock: Clock) -> Proof {
    ask(guarded, clock).unwrap_or_else(Proof::Untestable)
}

/// A stray ACK, and the RST that would answer it.
#[derive(Clone, Copy)]
struct Probe {
    port: u16,
    number: SeqNum,
}

fn ask(guarded: SocketAddr, clock: Clock) -> Result<Proof, String> {
    let text = |error: io::Error| cause(&error);
    let any_port = || PortLease::take(with_port(guarded, 0)).map_err(|error| error.to_string());
    let (source, control) = (any_port()?, any_port()?);
    let sender = raw::open_sender(guarded, None).map_err(|error| error.to_string())?;
    let mut receiver = open_receiver(source.local()).map_err(text)?;
    let to = with_port(guarded, 0).into(); // a raw IPv6 socket takes a port for a protocol number
    let probes =
        [guarded.port(), control.local().port()].map(|port| Probe { port, number: SeqNum(rand::random()) });
    let [ours, control] = probes;
    let mut buffer = [0; 256];
    let deadline = clock.now() + PATIENCE;
    while clock.now() < deadline {
        for probe in &probes {
            sender.send_to(&stray_ack(source.local(), *probe)?, &to).map_err(text)?;
        }
        receiver.set_read_timeout(Some(ROUND)).map_err(text)?;
        while let Some(len) = receive(&mut receiver, &mut buffer).map_err(text)? {
            let octets = buffer.get(..len).unwrap_or_default();
            if ours.is_answered_by(octets, guarded) {
                return Ok(Proof::Answered);
            }
            if control.is_answered_by(octets, guarded) {
                return Ok(Proof::Silent);
            }
        }
    }
    Err("the kernel answers on no port (a firewall on loopback?)".into())
}

/// The next packet, or `None` if none comes in time.
fn receive(receiver: &mut Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match receiver.read(buffer) {
        Ok(len) => Ok(Some(len)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// A raw socket that takes only what comes back to the probes' port. A packet socket would do as well, but
/// closing one waits for all processors, some ten milliseconds.
fn open_receiver(source: SocketAddr) -> io::Result<Socket> {
    let receiver = Socket::new(Domain::for_address(source), Type::RAW, Some(Protocol::TCP))?;
    filter::attach(&receiver, &filter::tcp_to_port(source.ip(), source.port()))?;
    Ok(receiver)
}

/// An ACK for a connection that nobody has.
fn stray_ack(source: SocketAddr, probe: Probe) -> Result<Vec<u8>, String> {
    let addresses = Addresses::new(source.ip(), source.ip()).ok_or("two families")?;
    let ip = IpFields { addresses, ttl: 64, identification: 1 };
    let segment = Segment { seq: SeqNum(1), ack: probe.number, flags: Flags::ACK, ..Segment::default() };
    let ports = Ports { source: source.port(), destination: probe.port };
    let mut packet = vec![0; 128];
    let len = emit(&ip, ports, &segment, b"", &mut packet).map_err(|error| error.to_string())?;
    packet.truncate(len);
    Ok(packet)
}

impl Probe {
    /// `<SEQ=SEG.ACK><CTL=RST>` from the probed port (RFC 9293 section 3.10.7.1). A raw IPv4 socket hands
    /// over the IP header too, an IPv6 one does not.
    fn is_answered_by(self, octets: &[u8], guarded: SocketAddr) -> bool {
        let read = || {
            let addresses = Addresses::new(guarded.ip(), guarded.ip())?;
            let payload = if guarded.is_ipv4() { ip::parse(octets).ok()?.payload } else { octets };
            tcp::parse(payload, addresses, TransportChecksum::LeftToCard).ok()
        };
        read().is_some_and(|read| {
            let reset = read.segment.has(Flags::RST) && read.segment.seq == self.number;
            reset && read.ports.source == self.port
        })
    }
}
