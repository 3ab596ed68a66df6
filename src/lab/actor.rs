//! A far end that plays a part: the machine of our own end, and a user who keeps to a script.

mod part;

use std::net::SocketAddr;

pub use part::{Act, Answers, Begins, Closes, Cue, Part, Reads};

use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, TransportChecksum, emit, ip, tcp};
use crate::tcp::{Nagle, Origin, Reaction, Segment, SeqNum, State, Stream, answer_in_closed};
use crate::time::Instant;
use crate::wire::memory::Station;

/// Plays a [`Part`], one connection after the other.
pub struct Actor {
    local: SocketAddr,
    part: Part,
    connection: Option<Connection>,
    /// Connections that were begun.
    made: u32,
}

struct Connection {
    addresses: Addresses,
    ports: Ports,
    stream: Stream,
    /// When it was open.
    opened: Option<Instant>,
    /// What is to be done once open, the next last.
    cues: Vec<Cue>,
    reads: Reads,
    /// What was read, and is still to be answered.
    read: Vec<u8>,
}

const TTL: u8 = 64;
/// IPv6 header, TCP header and all its options: no packet has more beside its text.
const HEADERS: usize = 40 + 60;
/// Initial numbers of two connections are so far apart.
const STRIDE: u32 = 64_000;

impl Actor {
    /// One who plays `part` at `local`.
    pub const fn new(local: SocketAddr, part: Part) -> Self {
        Self { local, part, connection: None, made: 0 }
    }

    /// The state of its present connection.
    pub fn state(&self) -> State {
        self.connection.as_ref().map_or(State::Closed, |connection| connection.stream.tcb().state())
    }

    /// What the user of its present connection has read, and not answered.
    pub fn heard(&self) -> &[u8] {
        self.connection.as_ref().map_or(&[], |connection| &connection.read)
    }

    fn on_packet(&mut self, octets: &[u8], now: Instant) -> Option<Vec<Vec<u8>>> {
        let packet = ip::parse(octets).ok()?;
        let tcp = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
        if packet.addresses.destination() != self.local.ip() || self.part.begins == Begins::Never {
            return None;
        }
        let addresses = Addresses::new(self.local.ip(), packet.addresses.source())?;
        let ports = Ports { source: tcp.ports.destination, destination: tcp.ports.source };
        if ports.source != self.local.port() || self.part.begins == Begins::Refuses {
            return Some(refuse(addresses, ports, &tcp.segment));
        }
        self.connection.take_if(|connection| connection.stream.tcb().state() == State::Closed);
        let is_new = self.connection.is_none();
        if is_new {
            if matches!(self.part.begins, Begins::Opens { .. }) {
                return Some(refuse(addresses, ports, &tcp.segment));
            }
            self.connection = Some(self.connection(addresses, ports, Origin::Passive, now).0);
        }
        let connection = self.connection.as_mut()?;
        if connection.ports != ports || connection.addresses != addresses {
            return None; // one at a time
        }
        let answers = connection.on_segment(&tcp.segment, tcp.text, &self.part, now);
        if connection.stream.tcb().state() == State::Listen {
            self.connection = None; // the next begins anew
        } else {
            self.made += u32::from(is_new);
        }
        Some(answers)
    }

    /// The next connection, and what opening it sends.
    fn connection(
        &mut self,
        addresses: Addresses,
        ports: Ports,
        origin: Origin,
        now: Instant,
    ) -> (Connection, Vec<Vec<u8>>) {
        let mut stream = Stream::new(&self.part.parameters, Nagle::On);
        let opening = stream.open(origin, self.part.iss + STRIDE.wrapping_mul(self.made), &[], now).ok();
        let number = self.made + 1;
        let mut cues: Vec<_> = self.part.cues.iter().filter(|cue| cue.is_for(number)).cloned().collect();
        cues.sort_by_key(|cue| cue.after);
        cues.reverse();
        let reads = self.part.reads;
        let connection = Connection { addresses, ports, stream, opened: None, cues, reads, read: Vec::new() };
        let packets = opening.and_then(|reaction| connection.packet(&reaction)).into_iter().collect();
        (connection, packets)
    }

    /// The SYN of one who begins.
    fn begin(&mut self, peer: SocketAddr, now: Instant) -> Option<Vec<Vec<u8>>> {
        let addresses = Addresses::new(self.local.ip(), peer.ip())?;
        let ports = Ports { source: self.local.port(), destination: peer.port() };
        let (connection, packets) = self.connection(addresses, ports, Origin::Active, now);
        self.connection = Some(connection);
        self.made += 1;
        Some(packets)
    }

    fn on_deadline(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if let (Begins::Opens { peer }, 0) = (&self.part.begins, self.made) {
            return self.begin(*peer, now).unwrap_or_default();
        }
        let Some(connection) = &mut self.connection else { return Vec::new() };
        if let Some(cue) = connection.next_cue().filter(|at| *at <= now).and_then(|_| connection.cues.pop()) {
            if cue.act == Act::Crash {
                self.connection = None;
                return Vec::new();
            }
            return connection.perform(&cue.act, &self.part, now);
        }
        let timeout = connection.stream.on_timeout(now);
        let mut packets = Vec::from_iter(timeout.and_then(|reaction| connection.packet(&reaction)));
        packets.extend(connection.carry_on(&self.part, now));
        packets
    }
}

impl Connection {
    fn on_segment(&mut self, segment: &Segment, text: &[u8], part: &Part, now: Instant) -> Vec<Vec<u8>> {
        let reaction = self.stream.on_segment(segment, text, now);
        let mut packets = Vec::from_iter(self.packet(&reaction));
        packets.extend(self.carry_on(part, now));
        packets
    }

    /// What the user does without a cue, and what then may be sent.
    fn carry_on(&mut self, part: &Part, now: Instant) -> Vec<Vec<u8>> {
        if self.opened.is_none() && self.stream.tcb().state().is_synchronized() {
            self.opened = Some(now);
            if part.closes == Closes::WithPeer {
                self.stream.close_with_peer();
            }
        }
        let mut packets = Vec::new();
        if self.reads == Reads::AtOnce {
            packets.extend(self.read(now));
        }
        let closing = self.stream.tcb().state() == State::CloseWait;
        let is_time = part.answers == Answers::Echo || (part.answers == Answers::OnceClosed && closing);
        if is_time && !self.read.is_empty() {
            let answer = std::mem::take(&mut self.read);
            packets.extend(self.say(&answer, now));
        }
        if closing && part.closes == Closes::AfterPeer && self.cues.is_empty() {
            packets.extend(self.close(now));
        }
        while let Some(reaction) = self.stream.transmit(now) {
            packets.extend(self.packet(&reaction));
        }
        packets
    }

    fn perform(&mut self, act: &Act, part: &Part, now: Instant) -> Vec<Vec<u8>> {
        let mut packets = match act {
            Act::Say(text) => self.say(text, now),
            Act::Close => self.close(now),
            Act::Read => {
                self.reads = Reads::AtOnce;
                Vec::new()
            }
            Act::Forge { flags, ahead } => {
                let seq = self.stream.tcb().snd().nxt + *ahead;
                let forged = Segment { seq, flags: *flags, ..Segment::default() };
                write(self.addresses, self.ports, &forged, b"").into_iter().collect()
            }
            Act::Crash => Vec::new(),
        };
        packets.extend(self.carry_on(part, now));
        packets
    }

    fn read(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let unread = self.stream.unread().to_vec();
        let update = self.stream.read(unread.len(), now);
        self.read.extend(unread);
        update.and_then(|reaction| self.packet(&reaction)).into_iter().collect()
    }

    fn say(&mut self, text: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let said = self.stream.send(text, now).ok();
        said.and_then(|reaction| self.packet(&reaction)).into_iter().collect()
    }

    fn close(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let closed = self.stream.close(now).ok();
        closed.and_then(|reaction| self.packet(&reaction)).into_iter().collect()
    }

    fn packet(&self, reaction: &Reaction) -> Option<Vec<u8>> {
        let segment = reaction.segment?;
        write(self.addresses, self.ports, &segment, self.stream.text_of(&segment))
    }

    fn next_cue(&self) -> Option<Instant> {
        Some(self.opened? + self.cues.last()?.after)
    }

    fn deadline(&self) -> Option<Instant> {
        let timer = self.stream.tcb().deadline().map(|deadline| deadline.at);
        [timer, self.next_cue()].into_iter().flatten().min()
    }
}

/// The answer of one who has no such connection.
fn refuse(addresses: Addresses, ports: Ports, segment: &Segment) -> Vec<Vec<u8>> {
    let (answer, _) = answer_in_closed(segment);
    answer.iter().filter_map(|segment| write(addresses, ports, segment, b"")).collect()
}

fn write(addresses: Addresses, ports: Ports, segment: &Segment, text: &[u8]) -> Option<Vec<u8>> {
    let ip = IpFields { ttl: TTL, ..IpFields::new(addresses) };
    let mut packet = vec![0; HEADERS + text.len()];
    let len = emit(&ip, ports, segment, text, &mut packet).ok()?;
    packet.truncate(len);
    Some(packet)
}

/// A SYN from `local` to `remote` with this number, such as one of an earlier connection that is still on its way.
pub fn old_syn(local: SocketAddr, remote: SocketAddr, seq: SeqNum) -> Option<Vec<u8>> {
    let ports = Ports { source: local.port(), destination: remote.port() };
    let syn = Segment { seq, flags: crate::tcp::Flags::SYN, ..Segment::default() };
    write(Addresses::new(local.ip(), remote.ip())?, ports, &syn, b"")
}

impl Station for Actor {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        match packet {
            Some(octets) => self.on_packet(octets, now).unwrap_or_default(),
            None => self.on_deadline(now),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.connection {
            Some(connection) => connection.deadline(),
            None => (self.made == 0 && matches!(self.part.begins, Begins::Opens { .. }))
                .then_some(Instant::ORIGIN),
        }
    }
}
