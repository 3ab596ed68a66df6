//! What is on the wire at both of its ends: every packet in order, with its time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::hash::Hasher;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tcpshake::packet::{TransportChecksum, ip, tcp};
use tcpshake::tcp::Segment;
use tcpshake::time::Instant;
use tcpshake::wire::memory::Station;
use tcpshake::wire::{Arrival, SendError, Wire};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    LeftUs,
    ReachedUs,
    LeftPeer,
    ReachedPeer,
}

pub struct Logged {
    pub at: Instant,
    pub place: Place,
    /// `None` if it cannot be read: it was spoilt.
    pub segment: Option<Segment>,
}

/// All packets of an exchange.
#[derive(Default)]
pub struct Log {
    pub packets: Vec<Logged>,
    digest: SipHasher13,
    /// What either end sent, by its hash: more than that cannot arrive.
    sent: HashSet<(Place, u64)>,
}

pub type Shared = Rc<RefCell<Log>>;

/// No exchange needs so much time, and none so many packets.
const LONGEST: Duration = Duration::from_secs(1000 * 3600);
const MOST: usize = 1_000_000;

impl Log {
    fn enter(&mut self, place: Place, at: Instant, packet: &[u8]) {
        self.digest.write_u8(place as u8);
        self.digest.write_u64(at.as_nanos());
        self.digest.write(packet);
        let read = read(packet);
        if let Some((_, octets)) = read {
            self.compare(place, octets);
        }
        self.packets.push(Logged { at, place, segment: read.map(|(segment, _)| segment) });
        assert!(at <= Instant::ORIGIN + LONGEST && self.packets.len() <= MOST, "it goes on for ever");
    }

    /// Whatever can be read was sent as it is: what was spoilt on the way is found out (MUST-3).
    fn compare(&mut self, place: Place, octets: &[u8]) {
        let mut hasher = SipHasher13::new();
        hasher.write(octets);
        let hash = hasher.finish();
        let sender = match place {
            Place::LeftUs | Place::LeftPeer => {
                self.sent.insert((place, hash));
                return;
            }
            Place::ReachedUs => Place::LeftPeer,
            Place::ReachedPeer => Place::LeftUs,
        };
        assert!(self.sent.contains(&(sender, hash)), "nobody sent what {place:?}");
    }

    /// A number that all octets and times go into.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Logged { at, place, segment } in &self.packets {
            let place = match place {
                Place::LeftUs => ">   ",
                Place::ReachedPeer => "   >",
                Place::LeftPeer => "   <",
                Place::ReachedUs => "<   ",
            };
            let time = Duration::from_nanos(at.as_nanos()).as_secs_f64();
            match segment {
                Some(segment) => writeln!(f, "{time:12.6} {place} {segment}")?,
                None => writeln!(f, "{time:12.6} {place} (spoilt)")?,
            }
        }
        Ok(())
    }
}

/// The segment in a packet, and its octets.
fn read(packet: &[u8]) -> Option<(Segment, &[u8])> {
    let packet = ip::parse(packet).ok()?;
    let tcp = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
    Some((tcp.segment, packet.payload))
}

/// Our end of the wire.
pub struct Near<W> {
    pub wire: W,
    pub log: Shared,
}

impl<W: Wire> Wire for Near<W> {
    fn now(&self) -> Instant {
        self.wire.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.log.borrow_mut().enter(Place::LeftUs, self.wire.now(), packet);
        self.wire.send(packet)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let arrival = self.wire.receive(deadline)?;
        if let Arrival::Packet(received) = &arrival {
            self.log.borrow_mut().enter(Place::ReachedUs, received.at, received.octets);
        }
        Ok(arrival)
    }
}

/// The other one.
pub struct Far<S> {
    pub peer: S,
    pub log: Shared,
}

impl<S: Station> Station for Far<S> {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        let mut log = self.log.borrow_mut();
        if let Some(packet) = packet {
            log.enter(Place::ReachedPeer, now, packet);
        }
        let answers = self.peer.react(packet, now);
        for answer in &answers {
            log.enter(Place::LeftPeer, now, answer);
        }
        answers
    }

    fn deadline(&self) -> Option<Instant> {
        self.peer.deadline()
    }
}
