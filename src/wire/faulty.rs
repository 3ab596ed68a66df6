//! A wire on which packets are lost, doubled, spoilt, late and out of order, as a [`Weather`] wants it.

mod fate;
mod seeded;

use std::io;

pub use fate::{Departure, Fate, Fault, Passage, Spoilt, Toward, Weather};
pub use seeded::{Climate, Seeded};

use super::{Arrival, Received, SendError, Sender, Wire};
use crate::packet::TransportChecksum;
use crate::time::Instant;

/// Any wire, in bad weather.
pub struct FaultyWire<W, F> {
    wire: W,
    weather: F,
    /// Packets that were sent, and that came.
    counts: (u32, u32),
    /// Copies that were under way so far.
    copies: u64,
    under_way: Vec<UnderWay>,
    arrived: Vec<u8>,
}

/// A copy of a packet that is still to come.
struct UnderWay {
    toward: Toward,
    due: Instant,
    /// Whose turn it is among those that are due at the same time.
    order: u64,
    /// Copies that left later and go first.
    behind: u32,
    /// When it waits for those no longer.
    until: Instant,
    octets: Vec<u8>,
    checksum: TransportChecksum,
}

impl UnderWay {
    fn waits(&self, now: Instant) -> bool {
        self.due <= now && self.behind > 0 && now < self.until
    }

    /// When something may come of it, with nothing else happening.
    fn wakes(&self, now: Instant) -> Instant {
        if self.waits(now) { self.until } else { self.due }
    }
}

impl<W: Wire, F: Weather> FaultyWire<W, F> {
    /// `wire`, in this weather.
    pub const fn new(wire: W, weather: F) -> Self {
        Self { wire, weather, counts: (0, 0), copies: 0, under_way: Vec::new(), arrived: Vec::new() }
    }

    /// The wire below.
    pub const fn wire(&self) -> &W {
        &self.wire
    }

    /// Copies of packets that are still to come.
    pub const fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Lets the copies of a packet set out that arrive at all.
    fn set_out(&mut self, toward: Toward, at: Instant, octets: &[u8], checksum: TransportChecksum) {
        let count = match toward {
            Toward::Remote => &mut self.counts.0,
            Toward::Us => &mut self.counts.1,
        };
        *count = count.wrapping_add(1);
        let fate = self.weather.fate(Departure { toward, nth: *count, at });
        for passage in fate.copies() {
            let mut octets = octets.to_vec();
            if let Some(spoilt) = passage.spoilt {
                spoilt.apply(&mut octets);
            }
            let due = at + passage.late;
            let (order, behind, until) = (self.copies, passage.behind, due + passage.waits);
            self.under_way.push(UnderWay { toward, due, order, behind, until, octets, checksum });
            self.copies += 1;
        }
    }

    /// The next copy that is there by now. Those that wait for it have one less to wait for.
    fn take_due(&mut self, toward: Toward) -> Option<UnderWay> {
        let now = self.wire.now();
        let there = self.under_way.iter().enumerate();
        let there = there.filter(|(_, copy)| copy.toward == toward && copy.due <= now && !copy.waits(now));
        let (at, _) = there.min_by_key(|(_, copy)| (copy.due, copy.order))?;
        let taken = self.under_way.swap_remove(at);
        for copy in self.under_way.iter_mut().filter(|copy| copy.toward == toward && copy.due <= now) {
            copy.behind = copy.behind.saturating_sub(u32::from(copy.order < taken.order));
        }
        Some(taken)
    }

    /// Hands what is there by now to the wire below.
    fn pass_on(&mut self) -> Result<(), SendError> {
        let mut result = Ok(());
        while let Some(copy) = self.take_due(Toward::Remote) {
            result = result.and(self.wire.send(&copy.octets));
        }
        result
    }
}

impl<W: Wire, F: Weather> Wire for FaultyWire<W, F> {
    fn now(&self) -> Instant {
        self.wire.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        let _ = self.pass_on(); // one on its way may be lost, too
        self.set_out(Toward::Remote, self.wire.now(), packet, TransportChecksum::Complete);
        self.pass_on()
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let (at, checksum, sender) = loop {
            let _ = self.pass_on(); // one on its way may be lost, too
            if let Some(copy) = self.take_due(Toward::Us) {
                let at = if copy.until > copy.due { self.wire.now() } else { copy.due };
                self.arrived = copy.octets;
                break (at, copy.checksum, Sender::Network);
            }
            let now = self.wire.now();
            let next = self.under_way.iter().map(|copy| copy.wakes(now)).min();
            let until = [deadline, next].into_iter().flatten().min();
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
            let octets = std::mem::take(&mut self.arrived);
            self.set_out(Toward::Us, at, &octets, checksum);
        };
        Ok(Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender }))
    }

    fn has_more(&mut self) -> bool {
        let now = self.wire.now();
        let is_there = |copy: &UnderWay| copy.toward == Toward::Us && copy.due <= now && !copy.waits(now);
        self.under_way.iter().any(is_there) || self.wire.has_more()
    }

    fn lost(&mut self) -> u32 {
        self.wire.lost()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;
    use std::time::Duration;

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
    fn returned(toward: Toward, nth: u32, fate: Fate) -> Vec<(u8, u64)> {
        let weather = vec![Fault { toward, nth, fate }];
        let mut wire = FaultyWire::new(MemoryWire::new(Mirror, DELAY), weather);
        for n in 1..=3 {
            wire.send(&[n]).unwrap();
        }
        let mut returned = Vec::new();
        let until = Instant::ORIGIN + Duration::from_secs(1);
        while let Arrival::Packet(received) = wire.receive(Some(until)).unwrap() {
            returned.push((received.octets[0], (received.at - Instant::ORIGIN).as_millis() as u64));
        }
        assert_eq!((wire.now(), wire.under_way()), (until, 0));
        returned
    }

    #[test]
    fn the_second_packet_meets_its_fate_and_the_others_do_not() {
        let bits = NonZeroU8::new(0x80).unwrap();
        let late = Passage { late: LATE, ..Passage::PLAIN };
        let spoilt = |octet| Passage { spoilt: Some(Spoilt { octet, bits }), ..Passage::PLAIN };
        let spoilt_and_late = Fate::of(Some(spoilt(7)), Some(late));
        for toward in [Toward::Remote, Toward::Us] {
            assert_eq!(returned(toward, 2, Fate::ARRIVES), [(1, 10), (2, 10), (3, 10)]);
            assert_eq!(returned(toward, 2, Fate::LOST), [(1, 10), (3, 10)]);
            assert_eq!(returned(toward, 2, Fate::DOUBLED), [(1, 10), (2, 10), (2, 10), (3, 10)]);
            assert_eq!(returned(toward, 2, Fate::late(LATE)), [(1, 10), (3, 10), (2, 110)]);
            assert_eq!(returned(toward, 2, spoilt_and_late), [(1, 10), (0x82, 10), (3, 10), (2, 110)]);
        }
    }

    /// It is behind as many as it is to be, and if they do not come, in time nevertheless.
    #[test]
    fn who_waits_for_others_waits_no_longer_than_it_is_to() {
        let fate = |behind| Fate::of(Some(Passage { behind, waits: LATE, ..Passage::PLAIN }), None);
        for toward in [Toward::Remote, Toward::Us] {
            assert_eq!(returned(toward, 1, fate(1)), [(2, 10), (1, 10), (3, 10)]);
            assert_eq!(returned(toward, 1, fate(2)), [(2, 10), (3, 10), (1, 10)]);
            assert_eq!(returned(toward, 1, fate(3)), [(2, 10), (3, 10), (1, 110)]);
            assert_eq!(returned(toward, 3, fate(1)), [(1, 10), (2, 10), (3, 110)]);
        }
    }
}
