//! What a client sends, and what a server has to be able to do to be measured with it.

use std::net::Ipv4Addr;
use std::time::Duration;

use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, emit};
use tcpshake::tcp::{Flags, Opt, OptionsBuilder, Segment, SeqNum, UnscaledWindow};
use tcpshake::time::Instant;

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub const PORTS: Ports = Ports { source: 40_000, destination: 7 };
/// Octets that a server has room for.
pub const WINDOW: usize = 64_240;
pub const MTU: usize = 1500;

/// Room for a packet, and how much of it is one.
pub struct Packet {
    pub octets: [u8; MTU],
    pub len: usize,
}

impl Packet {
    pub const EMPTY: Self = Self { octets: [0; MTU], len: 0 };

    pub fn put(&mut self, packet: &[u8]) {
        self.octets[..packet.len()].copy_from_slice(packet);
        self.len = packet.len();
    }
}

/// A server on one port, its user included: who reads whatever comes, and closes when the client has closed.
pub trait Server {
    /// Waits in LISTEN; its initial number is `iss`, for whoever can choose it.
    fn listen(iss: SeqNum) -> Self;
    /// Takes a packet; yields how many it has sent.
    fn take(&mut self, packet: &[u8], now: Instant) -> usize;
}

/// Packets that are sent to a server, one after the other.
pub struct Case {
    pub name: &'static str,
    iss: SeqNum,
    /// What comes before, and is not measured.
    before: Vec<Vec<u8>>,
    pub packets: Vec<Vec<u8>>,
    /// How many packets the server answers them with.
    replies: usize,
    /// Between two packets.
    pause: Duration,
}

impl Case {
    /// A server that stands where the packets are to come.
    pub fn begin<S: Server>(&self) -> S {
        let mut server = S::listen(self.iss);
        for packet in &self.before {
            server.take(packet, START);
        }
        server
    }

    /// What is measured; yields how many packets were sent.
    pub fn run<S: Server>(&self, server: &mut S) -> usize {
        let mut now = START;
        let each = |packet: &Vec<u8>| {
            now += self.pause;
            server.take(packet, now)
        };
        self.packets.iter().map(each).sum()
    }

    /// Both stacks do the same work, or there is nothing to compare.
    pub fn check<S: Server>(&self) {
        let replies = self.run(&mut self.begin::<S>());
        assert_eq!(replies, self.replies, "{} by {}", self.name, std::any::type_name::<S>());
    }
}

const START: Instant = Instant::from_nanos(1_000_000_000);
const IRS: SeqNum = SeqNum(0xffff_f000); // text crosses the wrap
const MANY: u32 = 64;
const TEXT: u32 = 1000;

/// The cases, for a server whose initial number is `iss`.
pub fn cases(iss: SeqNum) -> Vec<Case> {
    let (first, una) = (IRS + 1, iss + 1);
    let syn = syn();
    let rst = segment(Flags::RST, first, SeqNum(0), 0);
    let ack = |seq| segment(Flags::ACK, seq, una, 0);
    let text = |at: u32| segment(Flags::ACK, first + at * TEXT, una, TEXT);
    let opening = || vec![syn.clone(), ack(first)];
    let swapped = |at: u32| text(at ^ 1); // the second of two comes first
    let talking = || [opening(), vec![swapped(0), swapped(1)]].concat(); // all queues have their room
    let many = |packet: &[u8]| vec![packet.to_vec(); MANY as usize];
    let case = |name, before, packets, replies| {
        let pause = Duration::from_micros(100);
        Case { name, iss, before, packets, replies, pause }
    };
    let end = first + TEXT;
    vec![
        case("a pure ACK", opening(), many(&ack(first)), 0),
        case("text in order", talking(), (2..MANY + 2).map(text).collect(), MANY as usize),
        case("text out of order", talking(), (2..MANY + 2).map(swapped).collect(), MANY as usize),
        Case {
            // RFC 5961 lets a connection answer so often; smoltcp, once in a second.
            pause: Duration::from_secs(2),
            ..case("an ACK out of window", opening(), many(&ack(first + (1 << 30))), MANY as usize)
        },
        case(
            "a SYN, and its RST",
            Vec::new(),
            (0..MANY / 2).flat_map(|_| [syn.clone(), rst.clone()]).collect(),
            MANY as usize / 2,
        ),
        case(
            "a whole exchange",
            Vec::new(),
            vec![
                syn.clone(),
                ack(first),
                text(0),
                segment(Flags::FIN | Flags::ACK, end, una, 0),
                segment(Flags::ACK, end + 1, una + 1, 0),
            ],
            4,
        ),
    ]
}

/// What begins every case.
pub fn syn() -> Vec<u8> {
    let options = [Opt::Mss(1460), Opt::SackPermitted, Opt::Nop, Opt::WindowScale(0)];
    let options = options.into_iter().try_fold(OptionsBuilder::default(), OptionsBuilder::push).unwrap();
    packet(&Segment { options: options.build(), ..numbers(Flags::SYN, IRS, SeqNum(0), 0) })
}

fn numbers(flags: Flags, seq: SeqNum, ack: SeqNum, text_len: u32) -> Segment {
    Segment { seq, ack, flags, window: UnscaledWindow(WINDOW as u16), text_len, ..Segment::default() }
}

fn segment(flags: Flags, seq: SeqNum, ack: SeqNum, text_len: u32) -> Vec<u8> {
    packet(&numbers(flags, seq, ack, text_len))
}

fn packet(segment: &Segment) -> Vec<u8> {
    let ip = IpFields::new(Addresses::V4 { source: CLIENT, destination: SERVER });
    let text = vec![b'x'; segment.text_len as usize];
    let mut buffer = [0; MTU];
    let len = emit(&ip, PORTS, segment, &text, &mut buffer).unwrap();
    buffer[..len].to_vec()
}
