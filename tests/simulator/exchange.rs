//! One exchange in bad weather, from the first SYN until neither end has anything to say.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tcpshake::driver::observe::Observer;
use tcpshake::driver::{self, Plan, Say, Talk};
use tcpshake::guard::Guard;
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, ip, tcp};
use tcpshake::record::{Opening, Step, Summary};
use tcpshake::tcp::{Arrow, Clause, SeqNum, State, answer_in_closed};
use tcpshake::wire::faulty::{Climate, FaultyWire, Seeded};
use tcpshake::wire::memory::{MemoryWire, Station};
use tcpshake::wire::{Arrival, Wire};

use crate::log::{Far, Log, Near, Shared};

/// The far end of an exchange.
pub trait Peer: Station {
    /// What its user was given so far.
    fn heard(&self) -> &[u8];

    /// Whether it has closed and forgotten the connection.
    fn is_over(&self) -> bool;
}

/// What an exchange is made of, beside the peer.
pub struct Setup {
    pub local: SocketAddr,
    pub plan: Plan,
    /// What we say, and what the peer says.
    pub texts: [&'static [u8]; 2],
    /// Octets that we say at a time, at most.
    pub piece: usize,
    /// The peer's initial sequence number, if it is known beforehand.
    pub irs: Option<SeqNum>,
    /// How long every packet takes.
    pub delay: Duration,
    /// Toward the peer, and toward us.
    pub climates: [Climate; 2],
    pub seed: u64,
}

/// An exchange that is over.
pub struct Exchange {
    pub log: Log,
    pub summary: Summary,
    /// How long it took until the verdict.
    pub took: Duration,
    /// Packets there were until then.
    pub until_verdict: usize,
    /// The arrow and the clause that brought the verdict.
    pub last: Option<(Arrow, Clause)>,
    /// Every state it was in, as often as it left or entered one.
    pub visited: Vec<State>,
    /// What our user was given, and the peer's.
    pub heard: [Vec<u8>; 2],
    /// Whether the peer has closed and forgotten the connection, and whether it waits for anything.
    pub peer_is_over: bool,
    pub peer_waits: bool,
}

/// Runs the exchange against `peer`.
pub fn run<P: Peer>(setup: &Setup, peer: P) -> Exchange {
    let log = Shared::default();
    let [toward_peer, toward_us] = setup.climates;
    let memory = MemoryWire::new(Far { peer, log: Rc::clone(&log) }, setup.delay);
    let faulty = FaultyWire::new(memory, Seeded::new(setup.seed, toward_peer, toward_us));
    let mut wire = Near { wire: faulty, log: Rc::clone(&log) };
    let guard = Guard::not_needed(setup.local);
    let mut talk = Dialogue {
        text: setup.texts[0],
        piece: setup.piece,
        said: 0,
        heard: Vec::new(),
        awaited: setup.plan.await_text,
    };
    let mut notes = Notes { log: Rc::clone(&log), ..Notes::default() };
    let ended =
        driver::converse(&guard, &mut wire, &setup.plan, &mut talk, &mut notes, &mut || None).unwrap();
    let Notes { until_verdict, took, last, visited, .. } = notes;
    run_out(&mut wire);
    let peer = &wire.wire.wire().station().peer;
    let (peer_heard, peer_is_over, peer_waits) =
        (peer.heard().to_vec(), peer.is_over(), peer.deadline().is_some());
    drop(wire);
    let log = log.take();
    Exchange {
        took,
        summary: ended.summary,
        until_verdict,
        last,
        visited,
        heard: [talk.heard, peer_heard],
        peer_is_over,
        peer_waits,
        log,
    }
}

/// We are gone: as our kernel would, CLOSED answers what still comes, until nothing does.
fn run_out<P: Peer>(wire: &mut Near<FaultyWire<MemoryWire<Far<P>>, Seeded>>) {
    const LONG: Duration = Duration::from_secs(3600);
    let until = wire.now() + LONG;
    while let Arrival::Packet(received) = wire.receive(Some(until)).unwrap() {
        if let Some(answer) = refusal(received.octets) {
            wire.send(&answer).unwrap();
        }
    }
    assert_eq!(wire.wire.under_way(), 0, "packets are under way for ever");
}

/// What CLOSED answers.
fn refusal(packet: &[u8]) -> Option<Vec<u8>> {
    let packet = ip::parse(packet).ok()?;
    let tcp = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
    let segment = answer_in_closed(&tcp.segment).0?;
    let addresses = Addresses::new(packet.addresses.destination(), packet.addresses.source())?;
    let ports = Ports { source: tcp.ports.destination, destination: tcp.ports.source };
    let mut answer = vec![0; 120];
    let len = emit(&IpFields::new(addresses), ports, &segment, b"", &mut answer).unwrap();
    answer.truncate(len);
    Some(answer)
}

/// Says a text and keeps what it hears.
struct Dialogue {
    text: &'static [u8],
    piece: usize,
    said: usize,
    heard: Vec<u8>,
    awaited: u64,
}

impl Talk for Dialogue {
    fn say(&mut self, most: usize) -> Say {
        let rest = &self.text[self.said..];
        let next = &rest[..most.min(rest.len()).min(self.piece)];
        self.said += next.len();
        if rest.is_empty() { Say::Done } else { Say::Text(next.to_vec()) }
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        self.heard.extend_from_slice(text);
        text.len()
    }

    fn has_heard_enough(&self) -> bool {
        self.heard.len() as u64 >= self.awaited
    }
}

/// What is told, as far as the judge needs it.
#[derive(Default)]
struct Notes {
    log: Shared,
    until_verdict: usize,
    took: Duration,
    last: Option<(Arrow, Clause)>,
    visited: Vec<State>,
}

impl Observer for Notes {
    fn begin(&mut self, _opening: &Opening) {}

    fn step(&mut self, step: &Step) {
        if step.late {
            return;
        }
        self.took = step.at;
        for arrow in step.arrows.iter() {
            self.visited.extend([arrow.from, arrow.to]);
            self.last = step.clause.map(|clause| (arrow, clause));
        }
    }

    fn end(&mut self, _summary: &Summary) {
        self.until_verdict = self.log.borrow().packets.len();
    }
}
