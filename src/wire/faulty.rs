//! A wire on which packets are lost, doubled and late, as a [`Weather`] wants it.

use std::io;
use std::time::Duration;

use super::{Arrival, Received, SendError, Sender, Wire};
use crate::packet::TransportChecksum;
use crate::time::Instant;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// From us to the remote end.
    Remote,
    /// From the remote end to us.
    Us,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    #[default]
    Arrives,
    /// It is lost.
    Lost,
    /// It arrives twice.
    Doubled,
    /// It arrives, so much later.
    Late(Duration),
}

/// Decides what becomes of each packet.
pub trait Weather {
    /// The fate of the `nth` packet, from 1, in this direction.
    fn fate(&mut self, toward: Toward, nth: u32) -> Fate;
}

/// The fate of one packet, decided beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of which direction.
    pub toward: Toward,
    /// Which packet of it, from 1.
    pub nth: u32,
    /// What becomes of it.
    pub fate: Fate,
}

/// All that are not named arrive.
impl Weather for Vec<Fault> {
    fn fate(&mut self, toward: Toward, nth: u32) -> Fate {
        let fault = self.iter().find(|fault| fault.toward == toward && fault.nth == nth);
        fault.map_or(Fate::Arrives, |fault| fault.fate)
    }
}

/// Any wire, in bad weather.
pub struct FaultyWire<W, F> {
    wire: W,
    weather: F,
    /// Packets that were sent, and that came.
    counts: (u32, u32),
    late: Vec<Late>,
    arrived: Vec<u8>,
}

/// A packet that is still to come.
struct Late {
    due: Instant,
    toward: Toward,
    octets: Vec<u8>,
    checksum: TransportChecksum,
}

impl<W: Wire, F: Weather> FaultyWire<W, F> {
    /// `wire`, in this weather.
    pub const fn new(wire: W, weather: F) -> Self {
        Self { wire, weather, counts: (0, 0), late: Vec::new(), arrived: Vec::new() }
    }

    /// Sends what was late and is due, and yields what is due to us.
    fn take_due(&mut self) -> Option<Late> {
        let now = self.wire.now();
        let due = |late: &Late, toward| late.due <= now && late.toward == toward;
        while let Some(at) = self.late.iter().position(|late| due(late, Toward::Remote)) {
            let _ = self.wire.send(&self.late.remove(at).octets); // on its way it may be lost, too
        }
        let at = self.late.iter().position(|late| due(late, Toward::Us))?;
        Some(self.late.remove(at))
    }
}

impl<W: Wire, F: Weather> Wire for FaultyWire<W, F> {
    fn now(&self) -> Instant {
        self.wire.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.counts.0 += 1;
        match self.weather.fate(Toward::Remote, self.counts.0) {
            Fate::Arrives => self.wire.send(packet),
            Fate::Lost => Ok(()),
            Fate::Doubled => self.wire.send(packet).and_then(|()| self.wire.send(packet)),
            Fate::Late(by) => {
                let (due, octets) = (self.wire.now() + by, packet.to_vec());
                let checksum = TransportChecksum::Complete;
                self.late.push(Late { due, toward: Toward::Remote, octets, checksum });
                Ok(())
            }
        }
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let (at, checksum, sender) = loop {
            if let Some(late) = self.take_due() {
                self.arrived = late.octets;
                break (self.wire.now(), late.checksum, Sender::Network);
            }
            let due = self.late.iter().map(|late| late.due).min();
            let until = [deadline, due].into_iter().flatten().min();
            let (at, checksum, sender) = match self.wire.receive(until)? {
                Arrival::Packet(received) => {
                    self.arrived.clear();
                    self.arrived.extend_from_slice(received.octets);
                    (received.at, received.checksum, received.sender)
                }
                Arrival::DeadlinePassed if until == deadline => return Ok(Arrival::DeadlinePassed),
                Arrival::DeadlinePassed => continue,
                Arrival::Woken => return Ok(Arrival::Woken),
            };
            if sender != Sender::Network {
                break (at, checksum, sender);
            }
            self.counts.1 += 1;
            let mut keep = |due| {
                let octets = self.arrived.clone();
                self.late.push(Late { due, toward: Toward::Us, octets, checksum });
            };
            match self.weather.fate(Toward::Us, self.counts.1) {
                Fate::Arrives => break (at, checksum, sender),
                Fate::Lost => {}
                Fate::Doubled => {
                    keep(at);
                    break (at, checksum, sender);
                }
                Fate::Late(by) => keep(at + by),
            }
        };
        Ok(Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender }))
    }

    fn has_more(&mut self) -> bool {
        let now = self.wire.now();
        self.late.iter().any(|late| late.toward == Toward::Us && late.due <= now) || self.wire.has_more()
    }

    fn lost(&mut self) -> u32 {
        self.wire.lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::memory::{MemoryWire, Station};

    /// Sends back what it gets.
    struct Mirror;

    impl Station for Mirror {
        fn react(&mut self, packet: Option<&[u8]>, _now: Instant) -> Vec<Vec<u8>> {
            packet.map(<[u8]>::to_vec).into_iter().collect()
        }

        fn deadline(&self) -> Option<Instant> {
            None
        }
    }

    const DELAY: Duration = Duration::from_millis(5);
    const LATE: Duration = Duration::from_millis(100);

    /// What comes back of three packets, and after how many milliseconds.
    fn returned(toward: Toward, fate: Fate) -> Vec<(u8, u64)> {
        let weather = vec![Fault { toward, nth: 2, fate }];
        let mut wire = FaultyWire::new(MemoryWire::new(Mirror, DELAY), weather);
        for n in 1..=3 {
            wire.send(&[n]).unwrap();
        }
        let mut returned = Vec::new();
        let until = Instant::ORIGIN + Duration::from_secs(1);
        while let Arrival::Packet(received) = wire.receive(Some(until)).unwrap() {
            returned.push((received.octets[0], (received.at - Instant::ORIGIN).as_millis() as u64));
        }
        assert_eq!(wire.now(), until);
        returned
    }

    #[test]
    fn the_second_packet_meets_its_fate_and_the_others_do_not() {
        for toward in [Toward::Remote, Toward::Us] {
            assert_eq!(returned(toward, Fate::Arrives), [(1, 10), (2, 10), (3, 10)]);
            assert_eq!(returned(toward, Fate::Lost), [(1, 10), (3, 10)]);
            assert_eq!(returned(toward, Fate::Doubled), [(1, 10), (2, 10), (2, 10), (3, 10)]);
            assert_eq!(returned(toward, Fate::Late(LATE)), [(1, 10), (3, 10), (2, 110)]);
        }
    }
}
