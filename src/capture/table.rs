//! The connections of a capture: which segment belongs to which, and what each comes to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::time::Duration;

use super::error::CaptureError;
use super::file::{Packet, Packets};
use super::link::Link;
use super::recording;
use crate::packet::captured::{self, Captured};
use crate::packet::{IcmpError, icmp, ip};
use crate::record::connection::{Beginning, Connection, Finish, Side, Traffic};
use crate::tcp::{Flags, Segment, SeqNum};

/// More connections are not told apart: their segments are counted as passed over.
pub const MOST_CONNECTIONS: usize = 100_000;

/// Packets that were not taken, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// No IP, or no TCP in it.
    pub other: u64,
    /// Of a link type that we do not read.
    pub links: u64,
    /// Fragments, and what breaks the rules.
    pub unreadable: u64,
    /// Of connections beyond [`MOST_CONNECTIONS`].
    pub beyond: u64,
}

/// What a capture holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Its connections, in the order of their first segments.
    pub connections: Vec<Connection>,
    /// What belongs to none.
    pub passed_over: PassedOver,
    /// What ended the reading before the end.
    pub damage: Option<CaptureError>,
}

/// Reads a whole capture for its connections. An error only if it is no capture at all.
pub fn survey(input: impl Read) -> Result<Contents, CaptureError> {
    let mut input = BufReader::new(input);
    if is_recording(&mut input)? {
        return recording::survey(input);
    }
    let mut packets = Packets::new(input)?;
    let mut table = Table::default();
    let damage = loop {
        match packets.read() {
            Ok(Some(packet)) => {
                table.take(&packet);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    Ok(Contents { connections: table.connections(), passed_over: table.passed_over, damage })
}

/// Whether it is of our own making: lines of JSON.
pub(super) fn is_recording(input: &mut impl BufRead) -> Result<bool, CaptureError> {
    Ok(input.fill_buf()?.first() == Some(&recording::FIRST))
}

/// Assigns segments to connections.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    /// By its two ends, the lower first: the latest connection between them.
    latest: HashMap<(SocketAddr, SocketAddr), usize>,
    passed_over: PassedOver,
}

/// What was in a packet, with its place.
#[derive(Debug)]
pub struct Placed<'p> {
    /// Which connection it is of, from 1.
    pub number: u32,
    /// What it is.
    pub content: Content<'p>,
}

/// What a connection's packets hold.
#[derive(Debug)]
pub enum Content<'p> {
    /// A segment.
    Segment {
        /// Who has sent it.
        from: Side,
        /// The segment.
        captured: Captured<'p>,
    },
    /// An ICMP error that quotes one.
    Icmp {
        /// Whom it tells.
        to: Side,
        /// The error.
        error: IcmpError,
        /// Its packet.
        packet: &'p [u8],
    },
}

#[derive(Debug)]
pub(super) struct Entry {
    local: SocketAddr,
    remote: SocketAddr,
    first: Duration,
    last: Duration,
    local_end: Sent,
    remote_end: Sent,
    was_reset: bool,
}

/// What one end has sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    traffic: Traffic,
    iss: Option<SeqNum>,
    closed: bool,
}

impl Table {
    /// Takes the next packet; yields its segment and where it belongs, if it does.
    pub fn take<'p>(&mut self, packet: &Packet<'p>) -> Option<Placed<'p>> {
        let Some(link) = Link::numbered(packet.link) else {
            self.passed_over.links += 1;
            return None;
        };
        let Some(octets) = link.packet_in(packet.octets) else {
            self.passed_over.other += 1;
            return None;
        };
        let in_front = packet.octets.len() - octets.len();
        let captured = match captured::parse(octets, packet.original_len.saturating_sub(in_front)) {
            Ok(Some(captured)) => captured,
            Ok(None) => {
                let told = self.icmp(octets);
                self.passed_over.other += u64::from(told.is_none());
                return told;
            }
            Err(_) => {
                self.passed_over.unreadable += 1;
                return None;
            }
        };
        let source = SocketAddr::new(captured.addresses.source(), captured.ports.source);
        let destination = SocketAddr::new(captured.addresses.destination(), captured.ports.destination);
        let Some(index) = self.find(source, destination, &captured.segment, packet.at) else {
            self.passed_over.beyond += 1;
            return None;
        };
        let entry = self.entries.get_mut(index)?;
        let from = entry.side(source);
        entry.count(from, &captured.segment, packet.at);
        Some(Placed { number: number(index), content: Content::Segment { from, captured } })
    }

    /// An ICMP error that quotes a segment of a connection that is known.
    fn icmp<'p>(&self, octets: &'p [u8]) -> Option<Placed<'p>> {
        let error = icmp::parse(&ip::parse(octets).ok()?).ok()??;
        let index = *self.latest.get(&key(error.local, error.remote))?;
        let to = self.entries.get(index)?.side(error.local);
        Some(Placed { number: number(index), content: Content::Icmp { to, error, packet: octets } })
    }

    /// The connection of a segment, a new one perhaps; `None` if there is no room for it.
    fn find(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        segment: &Segment,
        at: Duration,
    ) -> Option<usize> {
        let key = key(source, destination);
        let known = self.latest.get(&key).copied();
        if let Some(index) = known
            && self.entries.get(index).is_some_and(|entry| !entry.is_over_by(source, segment))
        {
            return Some(index);
        }
        if self.entries.len() >= MOST_CONNECTIONS {
            return None;
        }
        let index = self.entries.len();
        self.entries.push(Entry::new(source, destination, segment, at));
        self.latest.insert(key, index);
        Some(index)
    }

    /// All of them.
    pub fn connections(&self) -> Vec<Connection> {
        self.entries.iter().enumerate().map(|(index, entry)| entry.connection(number(index))).collect()
    }
}

/// The same from either end.
fn key(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    (one.min(other), one.max(other))
}

fn number(index: usize) -> u32 {
    u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1))
}

impl Entry {
    /// Local is who has sent the first SYN; who answers one is not. Where no SYN is seen, the higher port is taken for
    /// the client's: services have low ones.
    fn new(source: SocketAddr, destination: SocketAddr, segment: &Segment, at: Duration) -> Self {
        let opens = match (segment.has(Flags::SYN), segment.has(Flags::ACK)) {
            (true, false) => true,
            (true, true) => false,
            (false, _) => source.port() >= destination.port(),
        };
        let (local, remote) = if opens { (source, destination) } else { (destination, source) };
        Self::between(local, remote, at)
    }

    pub(super) fn between(local: SocketAddr, remote: SocketAddr, at: Duration) -> Self {
        Self {
            local,
            remote,
            first: at,
            last: at,
            local_end: Sent::default(),
            remote_end: Sent::default(),
            was_reset: false,
        }
    }

    /// Whether a segment begins the next connection: who talks to the same peer again starts from SYN, with another
    /// number.
    fn is_over_by(&self, source: SocketAddr, segment: &Segment) -> bool {
        let opens = segment.has(Flags::SYN) && !segment.has(Flags::ACK) && !segment.has(Flags::RST);
        let (sender, other) = self.ends(source);
        opens
            && match sender.iss {
                Some(iss) => iss != segment.seq,
                // The other SYN of two that cross, if all there was is one.
                None => other.iss.is_none() || sender.traffic.segments > 0,
            }
    }

    fn side(&self, end: SocketAddr) -> Side {
        if end == self.local { Side::Local } else { Side::Remote }
    }

    fn ends(&self, source: SocketAddr) -> (&Sent, &Sent) {
        if source == self.local {
            (&self.local_end, &self.remote_end)
        } else {
            (&self.remote_end, &self.local_end)
        }
    }

    fn count(&mut self, from: Side, segment: &Segment, at: Duration) {
        self.last = self.last.max(at);
        self.was_reset |= segment.has(Flags::RST);
        let sender = match from {
            Side::Local => &mut self.local_end,
            Side::Remote => &mut self.remote_end,
        };
        sender.traffic.segments += 1;
        sender.traffic.octets += u64::from(segment.text_len);
        sender.closed |= segment.has(Flags::FIN);
        if segment.has(Flags::SYN) {
            sender.iss.get_or_insert(segment.seq);
        }
    }

    /// The same, for a segment that was seen so long after the first.
    pub(super) fn count_after(&mut self, from: Side, segment: &Segment, after: Duration) {
        let at = self.first.saturating_add(after);
        self.count(from, segment, at);
    }

    pub(super) fn connection(&self, number: u32) -> Connection {
        let (local, remote) = (&self.local_end, &self.remote_end);
        let beginning = match (local.iss, remote.iss) {
            (Some(_), Some(_)) => Beginning::Opened,
            (None, None) => Beginning::Unseen,
            _ => Beginning::OneSyn,
        };
        let finish = match (self.was_reset, local.closed, remote.closed) {
            (_, true, true) => Finish::Closed,
            (true, ..) if beginning == Beginning::OneSyn => Finish::Refused,
            (true, ..) => Finish::Reset,
            (false, false, false) => Finish::Unseen,
            (false, ..) => Finish::HalfClosed,
        };
        Connection {
            number,
            local: self.local,
            remote: self.remote,
            at: self.first,
            lasted: self.last.saturating_sub(self.first),
            sent: local.traffic,
            received: remote.traffic,
            beginning,
            finish,
        }
    }
}
