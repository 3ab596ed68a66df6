//! The network and the crowd behind it: what is under way, what happens next, and a log of all packets.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::record::Signal;
use tcpshake::tcp::{Flags, SeqNum, State};
use tcpshake::time::Instant;
use tcpshake::wire::{Note, SendError, Sender};

use crate::network::{Ledger, Link, Tuple};
use crate::packets::{Seen, icmp, read, refusal};
use crate::peers::{Connection, Kind};
use crate::random::Random;
use crate::smoltcp_peer::Smoltcp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    LeftUs,
    ReachedUs,
}

pub(crate) struct Logged {
    pub(crate) at: Instant,
    pub(crate) place: Place,
    pub(crate) octets: Vec<u8>,
}

enum Event {
    ToPeer(Vec<u8>),
    ToUs(Vec<u8>),
    Timer(Tuple),
    Smoltcp,
    Wake(Option<Signal>),
    Lose(u32),
    /// A RST of our kernel's shows on the wire.
    Kernel(Vec<u8>),
    /// From here on nothing gets through.
    Cut,
}

/// What ends a wait of ours.
pub(crate) enum Came {
    Packet(Instant, Vec<u8>, Sender),
    Wake,
}

pub(crate) struct World {
    seed: u64,
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) out: Link,
    pub(crate) back: Link,
    /// How long a packet waits before it leaves.
    pub(crate) departs_after: Duration,
    /// How long a packet lies there before it is read.
    pub(crate) reads_after: Duration,
    /// Of a hundred packets, so many cannot be sent.
    pub(crate) refused: u64,
    peers: HashMap<SocketAddr, Kind>,
    pub(crate) smoltcp: Option<Smoltcp>,
    connections: BTreeMap<Tuple, Connection>,
    coming: BTreeMap<(Instant, u64), Event>,
    order: u64,
    pub(crate) log: Vec<Logged>,
    departures: VecDeque<(Note, Instant)>,
    pub(crate) lost: u32,
    pub(crate) signal: Option<Signal>,
    pub(crate) ledger: Ledger,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of the network was {}", self.seed);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Instant::ORIGIN + Duration::from_secs(1),
            random: Random(seed),
            out: Link::GOOD,
            back: Link::GOOD,
            departs_after: Duration::ZERO,
            reads_after: Duration::ZERO,
            refused: 0,
            peers: HashMap::new(),
            smoltcp: None,
            connections: BTreeMap::new(),
            coming: BTreeMap::new(),
            order: 0,
            log: Vec::new(),
            departures: VecDeque::new(),
            lost: 0,
            signal: None,
            ledger: Ledger::default(),
        }
    }

    pub(crate) fn settle(&mut self, at: SocketAddr, kind: Kind) {
        self.peers.insert(at, kind);
    }

    pub(crate) fn wake_at(&mut self, at: Instant, signal: Option<Signal>) {
        self.schedule(at, Event::Wake(signal));
    }

    pub(crate) fn lose_at(&mut self, at: Instant, packets: u32) {
        self.schedule(at, Event::Lose(packets));
    }

    pub(crate) fn kernel_at(&mut self, at: Instant, octets: Vec<u8>) {
        self.schedule(at, Event::Kernel(octets));
    }

    pub(crate) fn cut_at(&mut self, at: Instant) {
        self.schedule(at, Event::Cut);
    }

    /// Somebody else's packet arrives at our machine.
    pub(crate) fn inject(&mut self, at: Instant, octets: Vec<u8>) {
        self.schedule(at, Event::ToUs(octets));
    }

    pub(crate) fn state_of(&self, tuple: Tuple) -> State {
        self.connections.get(&tuple).map_or(State::Closed, Connection::state)
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = (Tuple, State)> + '_ {
        self.connections.iter().map(|(tuple, connection)| (*tuple, connection.state()))
    }

    /// We hand a packet to the wire.
    pub(crate) fn leaves(&mut self, packet: &[u8], note: Option<Note>) -> Result<(), SendError> {
        let seen = read(packet).expect("what we send can be read");
        self.ledger.on_sent(&seen, self.now);
        if self.random.percent(self.refused) {
            return Err(SendError::LocalFirewall);
        }
        self.log.push(Logged { at: self.now, place: Place::LeftUs, octets: packet.to_vec() });
        self.departures.extend(note.map(|note| (note, self.now + self.departs_after)));
        let at = self.now + self.departs_after;
        self.carry(self.out, at, packet, Event::ToPeer);
        Ok(())
    }

    pub(crate) fn departed(&mut self) -> Option<(Note, Instant)> {
        let (_, at) = self.departures.front()?;
        if *at <= self.now { self.departures.pop_front() } else { None }
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.coming.insert((at, self.order), event);
    }

    fn carry(&mut self, link: Link, from: Instant, octets: &[u8], event: fn(Vec<u8>) -> Event) {
        let copies = 1 + u32::from(self.random.percent(link.twice));
        for _ in 0..copies {
            if self.random.percent(link.lost) {
                continue;
            }
            let mut at = from + link.delay;
            if self.random.percent(link.late) {
                at += Duration::from_nanos(self.random.below(link.spread.as_nanos() as u64 + 1));
            }
            self.schedule(at, event(octets.to_vec()));
        }
    }

    fn answer(&mut self, packets: Vec<Vec<u8>>) {
        for packet in packets {
            self.carry(self.back, self.now, &packet, Event::ToUs);
        }
    }

    /// Goes on to whatever concerns us, until `deadline`.
    pub(crate) fn advance(&mut self, deadline: Option<Instant>) -> Option<Came> {
        let until = deadline.unwrap_or(Instant::ORIGIN + Duration::MAX).max(self.now);
        while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            if let Some(came) = self.happens(event, at) {
                return Some(came);
            }
        }
        assert!(deadline.is_some(), "nothing is under way, and there is a wait without end");
        self.now = until;
        None
    }

    fn happens(&mut self, event: Event, at: Instant) -> Option<Came> {
        match event {
            Event::ToPeer(octets) => self.reaches_peer(&octets),
            Event::Timer(tuple) => self.on_timer(tuple),
            Event::Smoltcp => self.on_smoltcp(None),
            Event::Lose(packets) => self.lost += packets,
            Event::Kernel(octets) => return Some(self.read(at, octets, Sender::OurKernel)),
            Event::Cut => (self.out.lost, self.back.lost) = (100, 100),
            Event::ToUs(octets) => {
                let logged = Logged { at, place: Place::ReachedUs, octets: octets.clone() };
                self.log.push(logged);
                return Some(self.read(at, octets, Sender::Network));
            }
            Event::Wake(signal) => {
                self.signal = signal.or(self.signal);
                return Some(Came::Wake);
            }
        }
        None
    }

    fn read(&mut self, at: Instant, octets: Vec<u8>, sender: Sender) -> Came {
        self.now += self.reads_after;
        Came::Packet(at, octets, sender)
    }

    fn on_timer(&mut self, tuple: Tuple) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(&tuple) {
            connection.armed = None;
            let packets = connection.on_time(now);
            self.answer(packets);
            self.arm(tuple);
        }
    }

    fn arm(&mut self, tuple: Tuple) {
        let Some(connection) = self.connections.get_mut(&tuple) else { return };
        let Some(deadline) = connection.deadline() else { return };
        if connection.armed.is_none_or(|armed| deadline < armed) {
            connection.armed = Some(deadline);
            self.schedule(deadline, Event::Timer(tuple));
        }
    }

    fn on_smoltcp(&mut self, packet: Option<&[u8]>) {
        let Some(host) = &mut self.smoltcp else { return };
        let packets = host.react(packet, self.now);
        if let Some(deadline) = host.deadline() {
            self.schedule(deadline, Event::Smoltcp);
        }
        self.answer(packets);
    }

    fn reaches_peer(&mut self, octets: &[u8]) {
        let Some(seen) = read(octets) else { return };
        if self.smoltcp.as_ref().is_some_and(|host| host.has(seen.to.ip())) {
            return self.on_smoltcp(Some(octets));
        }
        let answers = match self.peers.get(&seen.to).cloned().unwrap_or(Kind::Silent) {
            Kind::Silent => Vec::new(),
            Kind::Refuses => refusal(&seen),
            Kind::Unreachable(kind, code) => {
                vec![icmp(seen.to.ip(), seen.from.ip(), (kind, code), octets)]
            }
            kind => self.reaches_server(kind, &seen),
        };
        self.answer(answers);
    }

    fn reaches_server(&mut self, kind: Kind, seen: &Seen) -> Vec<Vec<u8>> {
        let tuple = (seen.from, seen.to);
        let opens = seen.segment.has(Flags::SYN) && !seen.segment.has(Flags::ACK);
        if self.connections.get(&tuple).is_some_and(|old| opens && old.may_be_replaced(seen)) {
            self.connections.remove(&tuple);
        }
        if !opens && self.state_of(tuple) == State::Closed {
            return refusal(seen); // as LISTEN does, too
        }
        let iss = SeqNum(self.random.next() as u32);
        let fresh = || Connection::listen(kind, tuple, iss, self.now);
        let packets = self.connections.entry(tuple).or_insert_with(fresh).on_segment(seen, self.now);
        self.arm(tuple);
        packets
    }

    /// We are gone: the kernel answers what still comes, until nobody has anything to say.
    pub(crate) fn run_out(&mut self) {
        while let Some(entry) = self.coming.first_entry() {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            let Some(Came::Packet(_, octets, _)) = self.happens(event, at) else { continue };
            let Some(seen) = read(&octets) else { continue };
            for packet in refusal(&seen) {
                self.carry(self.out, self.now, &packet, Event::ToPeer);
            }
        }
    }
}
