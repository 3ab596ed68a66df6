//! A wire whose time is invented, slowed down so that people can follow.

use std::io;
use std::time::Duration;

use super::{Arrival, Received, SendError, Sender, Wire};
use crate::packet::TransportChecksum;
use crate::time::Instant;

/// How a real wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It was long enough.
    Over,
    /// Somebody wants attention.
    Disturbed,
}

/// A wire that hands over what comes only after `rest` has waited for the time that has passed on it.
pub struct PacedWire<W, R> {
    wire: W,
    rest: R,
    /// What came while the wait was disturbed.
    held: Option<Held>,
    arrived: Vec<u8>,
}

/// What a wire has handed over, without its octets.
#[derive(Clone, Copy)]
enum Held {
    Packet { at: Instant, checksum: TransportChecksum, sender: Sender },
    DeadlinePassed,
}

impl<W: Wire, R: FnMut(Duration) -> Rest> PacedWire<W, R> {
    /// `wire`, for whose time `rest` waits.
    pub const fn new(wire: W, rest: R) -> Self {
        Self { wire, rest, held: None, arrived: Vec::new() }
    }

    /// Waits on the wire, then as long as that took there.
    fn next(&mut self, deadline: Option<Instant>) -> io::Result<Option<Held>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let before = self.wire.now();
        let next = match self.wire.receive(deadline)? {
            Arrival::Packet(Received { at, octets, checksum, sender }) => {
                self.arrived.clear();
                self.arrived.extend_from_slice(octets);
                Held::Packet { at, checksum, sender }
            }
            Arrival::DeadlinePassed => Held::DeadlinePassed,
            Arrival::Woken => return Ok(None),
        };
        let passed = self.wire.now() - before;
        if !passed.is_zero() && (self.rest)(passed) == Rest::Disturbed {
            self.held = Some(next);
            return Ok(None);
        }
        Ok(Some(next))
    }
}

impl<W: Wire, R: FnMut(Duration) -> Rest> Wire for PacedWire<W, R> {
    fn now(&self) -> Instant {
        self.wire.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.wire.send(packet)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        Ok(match self.next(deadline)? {
            None => Arrival::Woken,
            Some(Held::DeadlinePassed) => Arrival::DeadlinePassed,
            Some(Held::Packet { at, checksum, sender }) => {
                Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender })
            }
        })
    }

    fn has_more(&mut self) -> bool {
        self.wire.has_more()
    }

    fn lost(&mut self) -> u32 {
        self.wire.lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::memory::{MemoryWire, Station};

    /// Says one thing, a second after the beginning.
    struct Clock(bool);

    impl Station for Clock {
        fn react(&mut self, _packet: Option<&[u8]>, _now: Instant) -> Vec<Vec<u8>> {
            self.0 = false;
            vec![b"one".to_vec()]
        }

        fn deadline(&self) -> Option<Instant> {
            self.0.then_some(Instant::ORIGIN + Duration::from_secs(1))
        }
    }

    #[test]
    fn what_has_passed_is_waited_for_and_a_disturbance_loses_nothing() {
        let mut rests = Vec::new();
        let mut endings = [Rest::Disturbed, Rest::Over].into_iter();
        let memory = MemoryWire::new(Clock(true), Duration::from_millis(10));
        let mut wire = PacedWire::new(memory, |passed| {
            rests.push(passed);
            endings.next().unwrap()
        });
        let until = Instant::ORIGIN + Duration::from_secs(2);
        assert!(matches!(wire.receive(Some(until)).unwrap(), Arrival::Woken));
        let Arrival::Packet(received) = wire.receive(Some(until)).unwrap() else { panic!("it was lost") };
        assert_eq!(received.octets, b"one");
        assert!(matches!(wire.receive(Some(until)).unwrap(), Arrival::DeadlinePassed));
        drop(wire);
        assert_eq!(rests, [Duration::from_millis(1010), Duration::from_millis(990)]);
    }
}
