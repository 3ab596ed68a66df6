//! Peers that mean ill, at the far end of a wire, be it simulated or real.
//!
//! Each plays a [`Part`]: it opens the connection, answers what we send, and speaks by itself at its own pace, for ever
//! or until our RST. Nobody here counts or judges; that is up to who meets them.

mod icmp;
mod parts;

use std::io::PipeWriter;
use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, tcp};
use tcpshake::tcp::{Flags, Segment, SeqNum, UnscaledWindow};
use tcpshake::time::Instant;
use tcpshake::wire::memory::Station;

pub(crate) use parts::Part;

/// Their initial number, near the wrap.
pub(crate) const IRS: SeqNum = SeqNum(u32::MAX - 1);

/// A peer of this kind.
pub(crate) struct Hostile {
    part: Part,
    at: SocketAddr,
    pace: Duration,
    /// How often it speaks each time.
    burst: u32,
    client: Option<Client>,
    speaks_at: Option<Instant>,
    /// When our SYN came, and our RST.
    pub(crate) called: Option<Instant>,
    pub(crate) hung_up: Option<Instant>,
    /// Closed by our RST.
    pub(crate) line: Option<PipeWriter>,
}

/// What a peer knows of who has called it.
pub(crate) struct Client {
    at: SocketAddr,
    syn: Segment,
    /// The number behind all that it has sent.
    nxt: SeqNum,
    /// What it was told has arrived.
    acked: SeqNum,
    /// The value of the latest of its timestamps.
    clock: u32,
    /// SYN,ACKs it was sent.
    opened: u32,
    /// How often the peer has spoken by itself.
    spoken: u32,
}

/// What a peer sends.
pub(crate) enum Shot {
    Segment(Segment),
    /// An ICMP error about the client's segment `quoted`; `rest` is its second word.
    Icmp {
        kind: u8,
        code: u8,
        rest: u32,
        quoted: SeqNum,
    },
}

impl Hostile {
    /// Plays `part` at this place, as fast as its part says.
    pub(crate) fn new(part: Part, at: SocketAddr) -> Self {
        Self {
            part,
            at,
            pace: part.pace(),
            burst: 1,
            client: None,
            speaks_at: None,
            called: None,
            hung_up: None,
            line: None,
        }
    }

    /// Speaks `burst` times whenever so much time has passed.
    pub(crate) fn paced(self, pace: Duration, burst: u32) -> Self {
        Self { pace, burst, ..self }
    }

    fn answer(&mut self, packet: &[u8], now: Instant) -> Vec<Shot> {
        let Ok(packet) = ip::parse(packet) else { return Vec::new() };
        let read = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete);
        let Ok(read) = read else { return Vec::new() };
        let (segment, from) = (read.segment, SocketAddr::new(packet.addresses.source(), read.ports.source));
        if read.ports.destination != self.at.port() || packet.addresses.destination() != self.at.ip() {
            return Vec::new();
        }
        if segment.has(Flags::RST) {
            (self.client, self.speaks_at, self.hung_up, self.line) = (None, None, Some(now), None);
            return Vec::new();
        }
        if segment.has(Flags::SYN) {
            self.speaks_at = Some(now + self.pace);
            self.called.get_or_insert(now);
            self.client.get_or_insert_with(|| Client::new(from, segment));
        }
        let Some(client) = &mut self.client else { return Vec::new() };
        client.note(&segment);
        let answers = if segment.has(Flags::SYN) {
            client.opened += 1;
            vec![self.part.syn_ack(client)]
        } else {
            self.part.answers(client, &segment)
        };
        answers.into_iter().map(Shot::Segment).collect()
    }

    fn speak(&mut self) -> Vec<Shot> {
        self.speaks_at = self.speaks_at.map(|at| at + self.pace);
        let Some(client) = &mut self.client else { return Vec::new() };
        let mut shots = Vec::new();
        for _ in 0..self.burst {
            client.spoken += 1;
            shots.extend(self.part.speaks(client));
        }
        shots
    }

    fn packet(&self, to: SocketAddr, shot: &Shot) -> Vec<u8> {
        let ends = (self.at, to);
        match *shot {
            Shot::Segment(segment) => packet(ends, &segment),
            Shot::Icmp { kind, code, rest, quoted } => icmp::error(ends, [kind, code], rest, quoted),
        }
    }
}

impl Station for Hostile {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        let shots = match packet {
            Some(packet) => self.answer(packet, now),
            None => self.speak(),
        };
        let Some(to) = self.client.as_ref().map(|client| client.at) else { return Vec::new() };
        shots.iter().map(|shot| self.packet(to, shot)).collect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.speaks_at
    }
}

impl Client {
    fn new(at: SocketAddr, syn: Segment) -> Self {
        Self { at, syn, nxt: syn.seq, acked: syn.seq + 1, clock: 0, opened: 0, spoken: 0 }
    }

    fn note(&mut self, segment: &Segment) {
        if segment.end().after(self.nxt) {
            self.nxt = segment.end();
        }
        self.clock = segment.options.timestamps().map_or(self.clock, |timestamps| timestamps.value);
    }

    /// An acknowledgment in order, and from now on the peer stands by it.
    fn takes(&mut self, up_to: SeqNum) -> Segment {
        self.acked = up_to;
        ack(1, up_to)
    }
}

/// An acknowledgment of all before `ack`, `seq` behind the peer's initial number.
fn ack(seq: u32, ack: SeqNum) -> Segment {
    let window = UnscaledWindow(60_000);
    Segment { seq: IRS + seq, ack, flags: Flags::ACK, window, ..Segment::default() }
}

/// A segment as a packet.
fn packet((from, to): (SocketAddr, SocketAddr), segment: &Segment) -> Vec<u8> {
    let ip = IpFields::new(Addresses::new(from.ip(), to.ip()).unwrap());
    let ports = Ports { source: from.port(), destination: to.port() };
    let text = vec![b'x'; segment.text_len as usize];
    let mut buffer = vec![0; 2048];
    let len = emit(&ip, ports, segment, &text, &mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}
