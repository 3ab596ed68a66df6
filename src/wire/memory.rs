//! A wire inside the process, with a clock of its own: the simulator's network.
//!
//! Two ends, a fixed delay between them, nothing lost. One end is the [`Wire`] that a driver holds; at
//! the other is a [`Station`]. Virtual time stands still except in [`Wire::receive`], which moves it to
//! whatever comes next: an arrival at either end, the station's deadline, or the caller's.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::{Arrival, Received, SendError, Sender, Wire};
use crate::packet::TransportChecksum;
use crate::time::Instant;

/// The far end of a memory wire.
pub trait Station {
    /// A packet arrives, or (with `None`) the station's deadline has passed. What it answers is sent.
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>>;

    /// When it wants to be called again without a packet.
    fn deadline(&self) -> Option<Instant>;
}

/// The near end.
pub struct MemoryWire<S> {
    now: Instant,
    delay: Duration,
    station: S,
    toward_station: VecDeque<(Instant, Vec<u8>)>,
    toward_us: VecDeque<(Instant, Vec<u8>)>,
    arrived: Vec<u8>,
}

impl<S: Station> MemoryWire<S> {
    /// A wire to `station` that delivers after `delay`. Its clock starts at the origin.
    pub fn new(station: S, delay: Duration) -> Self {
        Self {
            now: Instant::ORIGIN,
            delay,
            station,
            toward_station: VecDeque::new(),
            toward_us: VecDeque::new(),
            arrived: Vec::new(),
        }
    }

    /// The far end.
    pub fn station(&self) -> &S {
        &self.station
    }

    fn run_station(&mut self, packet: Option<&[u8]>) {
        let at = self.now + self.delay;
        let answers = self.station.react(packet, self.now);
        self.toward_us.extend(answers.into_iter().map(|answer| (at, answer)));
    }
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    AtStation,
    StationDeadline,
    AtUs,
    OurDeadline,
}

impl<S: Station> Wire for MemoryWire<S> {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.toward_station.push_back((self.now + self.delay, packet.to_vec()));
        Ok(())
    }

    fn has_more(&mut self) -> bool {
        self.toward_us.front().is_some_and(|(at, _)| *at <= self.now)
    }

    /// With neither a deadline nor anything under way there is nothing to wait for: that is an error, not
    /// a wait for ever.
    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        loop {
            let candidates = [
                (self.toward_station.front().map(|(at, _)| *at), Next::AtStation),
                (self.station.deadline(), Next::StationDeadline),
                (self.toward_us.front().map(|(at, _)| *at), Next::AtUs),
                (deadline, Next::OurDeadline),
            ];
            let next = candidates.into_iter().filter_map(|(at, next)| Some((at?, next))).min();
            let Some((at, next)) = next else {
                return Err(io::Error::other(
                    "the simulated network is idle and nobody waits for a deadline",
                ));
            };
            self.now = self.now.max(at);
            match next {
                Next::AtStation => {
                    let packet = self.toward_station.pop_front().map(|(_, packet)| packet);
                    self.run_station(packet.as_deref());
                }
                Next::StationDeadline => self.run_station(None),
                Next::OurDeadline => return Ok(Arrival::DeadlinePassed),
                Next::AtUs => {
                    self.arrived = self.toward_us.pop_front().map(|(_, packet)| packet).unwrap_or_default();
                    return Ok(Arrival::Packet(Received {
                        at: self.now,
                        octets: &self.arrived,
                        checksum: TransportChecksum::Complete,
                        sender: Sender::Network,
                    }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each packet with itself, and says `ping` once, at its deadline.
    struct Echo(Option<Instant>);

    impl Station for Echo {
        fn react(&mut self, packet: Option<&[u8]>, _now: Instant) -> Vec<Vec<u8>> {
            match packet {
                Some(packet) => vec![packet.to_vec()],
                None => self.0.take().map(|_| b"ping".to_vec()).into_iter().collect(),
            }
        }

        fn deadline(&self) -> Option<Instant> {
            self.0
        }
    }

    fn millis(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(n)
    }

    fn next(wire: &mut MemoryWire<Echo>, deadline: Option<Instant>) -> Option<(Vec<u8>, Instant)> {
        match wire.receive(deadline).unwrap() {
            Arrival::Packet(received) => Some((received.octets.to_vec(), received.at)),
            Arrival::DeadlinePassed => None,
            Arrival::Woken => unreachable!(),
        }
    }

    #[test]
    fn time_moves_to_what_comes_next() {
        let mut wire = MemoryWire::new(Echo(Some(millis(3))), Duration::from_millis(5));
        wire.send(b"hello").unwrap();
        assert_eq!(next(&mut wire, Some(millis(1))), None);
        assert_eq!(wire.now(), millis(1));
        assert_eq!(next(&mut wire, None), Some((b"ping".to_vec(), millis(8))));
        assert_eq!(next(&mut wire, None), Some((b"hello".to_vec(), millis(10))));
        assert!(wire.receive(None).is_err());
    }
}
