//! A far end that sends whatever a test wants, its kernel held back by the guard under test.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tcpshake::guard::{Choice, Guard, PortLease, SelfTest};
use tcpshake::lab::stage::{self, Curtain};
use tcpshake::lab::{self, NEAR_V4};
use tcpshake::net::interfaces::Interface;
use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, emit, tcp};
use tcpshake::tcp::{Flags, Segment, SeqNum};
use tcpshake::time::Clock;
use tcpshake::wire::filter::{PortSpan, Selection};
use tcpshake::wire::memory::Station;
use tcpshake::wire::raw::{RawSpec, RawWire};
use tcpshake::wire::{Arrival, Wire};

use crate::run::Running;
use crate::world::World;

/// The peer's initial number, near the wrap.
pub(crate) const IRS: SeqNum = SeqNum(u32::MAX - 1);

/// A far end without a mind of its own.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    client: SocketAddr,
    wire: RawWire,
    _guard: Guard,
}

impl Scripted {
    /// Waits for `client` on a port of the far host's.
    pub(crate) fn start(world: &World, client: SocketAddr) -> Self {
        let make = move || {
            let clock = Clock::new();
            let lease = PortLease::take((lab::FAR_V4, 0).into()).map_err(std::io::Error::other)?;
            let guard = Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock))
                .map_err(std::io::Error::other)?;
            let address = guard.local();
            let selection = Selection {
                local: address.ip(),
                local_ports: PortSpan::one(address.port()),
                remote: client.ip(),
                remote_port: Some(client.port()),
                interface: Interface::by_name(lab::LINK)?.index,
                kernels_interface: None,
            };
            let spec = RawSpec { selection, remote: client, bind_to_interface: None };
            let wire = RawWire::open(&spec, clock).map_err(std::io::Error::other)?;
            Ok(Self { address, client, wire, _guard: guard })
        };
        world.lab.far.run(make).expect("a scripted far end")
    }

    /// The client's next segment.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Segment {
        hear(&mut self.wire).1
    }

    /// A segment as a packet, to be sent as it is or spoiled first.
    pub(crate) fn packet(&self, segment: &Segment) -> Vec<u8> {
        packet(self.address, self.client, segment)
    }

    /// A segment of the client's as the packet it was in.
    pub(crate) fn packet_of_client(&self, segment: &Segment) -> Vec<u8> {
        packet(self.client, self.address, segment)
    }

    pub(crate) fn say_packet(&mut self, packet: &[u8]) {
        self.wire.send(packet).unwrap();
    }

    pub(crate) fn say(&mut self, segment: &Segment) {
        let packet = self.packet(segment);
        self.say_packet(&packet);
    }

    /// Takes the client's SYN and answers it: both sides are open afterwards.
    pub(crate) fn open(&mut self) -> Segment {
        let syn = self.hear();
        assert_eq!(syn.flags, Flags::SYN);
        self.say(&syn_ack(&syn));
        let ack = self.hear();
        assert_eq!((ack.flags, ack.ack), (Flags::ACK, IRS + 1));
        ack
    }

    /// From now on `station` answers, until `over` is readable or hung up.
    pub(crate) fn play(mut self, station: &mut dyn Station, over: OwnedFd) {
        self.wire.wake_on(over);
        stage::play(station, &mut self.wire, Duration::ZERO, Curtain::WaitsForPacket).unwrap();
    }

    /// Sends text and closes; the client, which opened with `ack`, closes after. Its kernel's RSTs are passed
    /// over.
    pub(crate) fn talk_and_close(&mut self, ack: &Segment) {
        self.say(&Segment { seq: IRS + 1, ack: ack.seq, flags: Flags::ACK, text_len: 9, ..segment() });
        while self.hear().ack != IRS + 10 {}
        self.say(&Segment { seq: IRS + 10, ack: ack.seq, flags: Flags::FIN | Flags::ACK, ..segment() });
        while !self.hear().has(Flags::FIN) {}
        self.say(&Segment { seq: IRS + 11, ack: ack.seq + 1, flags: Flags::ACK, ..segment() });
    }
}

/// The program on port 40000, and who it talks to.
pub(crate) fn start(arguments: &[&str]) -> (World, Scripted, Running) {
    let world = World::new();
    let client = SocketAddr::from((NEAR_V4, 40_000));
    let peer = Scripted::start(&world, client);
    let target = peer.address.to_string();
    let running =
        Running::connect(&[&[&*target, "--source-port", "40000", "--isn", "4321"], arguments].concat());
    (world, peer, running)
}

/// The right answer to a SYN.
pub(crate) fn syn_ack(syn: &Segment) -> Segment {
    Segment { seq: IRS, ack: syn.seq + 1, flags: Flags::SYN | Flags::ACK, ..segment() }
}

/// A segment with a window and nothing else.
pub(crate) fn segment() -> Segment {
    Segment { window: tcpshake::tcp::UnscaledWindow(64_000), ..Segment::default() }
}

/// The next segment, and the port it comes from.
#[track_caller]
pub(crate) fn hear(wire: &mut RawWire) -> (u16, Segment) {
    let deadline = wire.now() + Duration::from_secs(10);
    match wire.receive(Some(deadline)).unwrap() {
        Arrival::Packet(received) => {
            let packet = ip::parse(received.octets).unwrap();
            let read = tcp::parse(packet.payload, packet.addresses, received.checksum).unwrap();
            (read.ports.source, read.segment)
        }
        Arrival::DeadlinePassed | Arrival::Woken => panic!("the other end sent nothing"),
    }
}

/// A segment as a packet.
pub(crate) fn packet(from: SocketAddr, to: SocketAddr, segment: &Segment) -> Vec<u8> {
    let addresses = Addresses::new(from.ip(), to.ip()).unwrap();
    let ports = Ports { source: from.port(), destination: to.port() };
    let text = vec![b'x'; segment.text_len as usize];
    let mut buffer = vec![0; 2048];
    let ip = IpFields::new(addresses);
    let len = emit(&ip, ports, segment, &text, &mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}
