//! Would the kernel answer? Asked of the kernel itself, over loopback.

use std::io::{self, ErrorKind, Read};
use std::iter;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::PortSet;
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

/// Asks the kernel. Its sockets are opened at the first question and kept, for by the next the privilege to
/// open them may be gone.
#[derive(Debug)]
pub struct SelfTest {
    clock: Clock,
    v4: Option<Sockets>,
    v6: Option<Sockets>,
}

/// Raw sockets of one family.
#[derive(Debug)]
struct Sockets {
    sender: Socket,
    receiver: Socket,
}

/// A stray ACK, and the RST that would answer it.
#[derive(Clone, Copy)]
struct Probe {
    port: u16,
    number: SeqNum,
}

impl SelfTest {
    /// One that has not asked yet.
    pub const fn new(clock: Clock) -> Self {
        Self { clock, v4: None, v6: None }
    }

    /// Sends a bare ACK to `guarded` from the same address, and another to a port that is bound and not
    /// guarded; if that is not answered, to more of them. The kernel takes them in this order, so once the
    /// second is answered the first would have been.
    ///
    /// Nothing leaves the machine: an address of its own is reached over loopback. Each probe carries a random
    /// acknowledgment number, which the answer repeats: nobody else's RST is taken for it.
    pub fn probe(&mut self, guarded: SocketAddr) -> Proof {
        self.probe_one_of(guarded, &PortSet::one(guarded.port()))
    }

    /// The same where a guard covers all of `ports`, so that none of them can serve for comparison.
    pub(super) fn probe_one_of(&mut self, guarded: SocketAddr, ports: &PortSet) -> Proof {
        self.ask(guarded, ports).unwrap_or_else(Proof::Untestable)
    }

    fn ask(&mut self, guarded: SocketAddr, ports: &PortSet) -> Result<Proof, String> {
        let (source, control) = (port_beside(guarded, ports)?, port_beside(guarded, ports)?);
        let clock = self.clock;
        let sockets = self.sockets(guarded)?;
        sockets.listen_at(source.local())?;
        let proof = sockets.exchange(clock, source.local(), guarded, control, ports);
        let _ = filter::attach(&sockets.receiver, &filter::DROP_ALL); // until the next question
        proof
    }

    fn sockets(&mut self, guarded: SocketAddr) -> Result<&mut Sockets, String> {
        let place = if guarded.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        match place {
            Some(sockets) => Ok(sockets),
            empty => Ok(empty.insert(Sockets::open(guarded)?)),
        }
    }
}

impl Sockets {
    /// Raw sockets both. A packet socket would do as well to receive, but closing one waits for all
    /// processors, some ten milliseconds.
    fn open(family: SocketAddr) -> Result<Self, String> {
        let sender = raw::open_sender(family, None).map_err(|error| error.to_string())?;
        let receiver = Socket::new(Domain::for_address(family), Type::RAW, Some(Protocol::TCP))
            .map_err(|error| cause(&error))?;
        Ok(Self { sender, receiver })
    }

    /// Takes only what comes back to the probes' port.
    fn listen_at(&self, source: SocketAddr) -> Result<(), String> {
        let program = filter::tcp_to_port(source.ip(), source.port());
        filter::attach(&self.receiver, &program).map_err(|error| cause(&error))
    }

    fn exchange(
        &mut self,
        clock: Clock,
        source: SocketAddr,
        guarded: SocketAddr,
        control: PortLease,
        ports: &PortSet,
    ) -> Result<Proof, String> {
        let text = |error: io::Error| cause(&error);
        let to = with_port(guarded, 0).into(); // a raw IPv6 socket takes a port for a protocol number
        let numbered = |port| Probe { port, number: SeqNum(rand::random()) };
        let ours = numbered(guarded.port());
        let mut controls = vec![(numbered(control.local().port()), control)];
        let mut buffer = [0; 256];
        let deadline = clock.now() + PATIENCE;
        while clock.now() < deadline {
            for probe in [&ours].into_iter().chain(controls.iter().map(|(probe, _)| probe)) {
                self.sender.send_to(&stray_ack(source, *probe)?, &to).map_err(text)?;
            }
            self.receiver.set_read_timeout(Some(ROUND)).map_err(text)?;
            while let Some(len) = receive(&mut self.receiver, &mut buffer).map_err(text)? {
                let octets = buffer.get(..len).unwrap_or_default();
                if ours.is_answered_by(octets, guarded) {
                    return Ok(Proof::Answered);
                }
                if controls.iter().any(|(control, _)| control.is_answered_by(octets, guarded)) {
                    return Ok(Proof::Silent);
                }
            }
            // Perhaps another guard covers all ports that the kernel gives to whoever asks for any.
            let other = free_port(guarded, ports, BELOW_THE_KERNELS_CHOICE);
            controls.extend(other.map(|lease| (numbered(lease.local().port()), lease)));
        }
        Err("the kernel answers on no port (a firewall on loopback?)".into())
    }
}

/// A free port of the same address that is none of `ports`: the kernel's choice, or else by chance.
fn port_beside(guarded: SocketAddr, ports: &PortSet) -> Result<PortLease, String> {
    let chosen = PortLease::take(with_port(guarded, 0)).map_err(|error| error.to_string())?;
    if !ports.contains(chosen.local().port()) {
        return Ok(chosen);
    }
    free_port(guarded, ports, 1024..=u16::MAX).ok_or_else(|| "no port is free to compare with".into())
}

/// The kernel chooses from 32768 on, unless it was told otherwise.
const BELOW_THE_KERNELS_CHOICE: RangeInclusive<u16> = 1024..=32_767;

/// A port by chance that is free and none of `ports`.
fn free_port(guarded: SocketAddr, ports: &PortSet, among: RangeInclusive<u16>) -> Option<PortLease> {
    const ATTEMPTS: usize = 64;
    let mut by_chance = iter::repeat_with(|| rand::random_range(among.clone())).take(ATTEMPTS);
    by_chance.find_map(|port| {
        let free = (!ports.contains(port)).then(|| PortLease::take(with_port(guarded, port)))?;
        free.ok()
    })
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

/// An ACK for a connection that nobody has.
fn stray_ack(source: SocketAddr, probe: Probe) -> Result<Vec<u8>, String> {
    let addresses = Addresses::new(source.ip(), source.ip()).ok_or("two families")?;
    let ip = IpFields::new(addresses);
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
