//! A station at the end of a real wire, as far away as the simulator's are.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::time::Instant;
use crate::wire::memory::Station;
use crate::wire::{Arrival, Sender, Wire};

/// When the time of a station begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curtain {
    /// At once.
    Rises,
    /// When the first packet leaves the other end.
    WaitsForPacket,
}

/// Lets `station` answer on `wire`, whose packets are under way for `delay` longer than they really are, until the
/// wire is woken.
pub fn play(
    station: &mut dyn Station,
    wire: &mut dyn Wire,
    delay: Duration,
    curtain: Curtain,
) -> io::Result<()> {
    let begun = (curtain == Curtain::Rises).then(|| wire.now());
    let mut stage = Stage { station, wire, delay, begun, coming: VecDeque::new(), going: VecDeque::new() };
    loop {
        stage.catch_up();
        let until = stage.next();
        match stage.wire.receive(until)? {
            Arrival::Packet(received) if received.sender == Sender::Network => {
                stage.begun.get_or_insert(received.at);
                stage.coming.push_back((received.at + delay, received.octets.to_vec()));
            }
            Arrival::Packet(_) | Arrival::DeadlinePassed => {}
            Arrival::Woken => return Ok(()),
        }
    }
}

struct Stage<'s> {
    station: &'s mut dyn Station,
    wire: &'s mut dyn Wire,
    delay: Duration,
    /// The station's origin of time.
    begun: Option<Instant>,
    coming: Queue,
    going: Queue,
}

impl Stage<'_> {
    /// Does all that is due, in the order of its time, however late it is.
    fn catch_up(&mut self) {
        let Some(begun) = self.begun else { return };
        let now = self.wire.now();
        loop {
            let (arrival, deadline) = (self.coming.front().map(|(at, _)| *at), self.deadline(begun));
            match (arrival, deadline) {
                (_, Some(at)) if at <= now && arrival.is_none_or(|arrival| at < arrival) => {
                    self.react(None, at, begun);
                }
                (Some(at), _) if at <= now => {
                    let packet = self.coming.pop_front().map(|(_, packet)| packet);
                    self.react(packet.as_deref(), at, begun);
                }
                _ => break,
            }
        }
        while self.going.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, packet)) = self.going.pop_front()
        {
            let _ = self.wire.send(&packet); // it is lost, as it might be anywhere
        }
    }

    fn react(&mut self, packet: Option<&[u8]>, at: Instant, begun: Instant) {
        let answers = self.station.react(packet, Instant::ORIGIN + (at - begun));
        self.going.extend(answers.into_iter().map(|answer| (at + self.delay, answer)));
    }

    fn deadline(&self, begun: Instant) -> Option<Instant> {
        self.station.deadline().map(|deadline| begun + (deadline - Instant::ORIGIN))
    }

    /// When something is due, if it is known.
    fn next(&self) -> Option<Instant> {
        let deadline = self.begun.and_then(|begun| self.deadline(begun));
        let first = |queue: &Queue| queue.front().map(|(at, _)| *at);
        [deadline, first(&self.coming), first(&self.going)].into_iter().flatten().min()
    }
}

/// Packets, and when they arrive.
type Queue = VecDeque<(Instant, Vec<u8>)>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TransportChecksum;
    use crate::wire::{Received, SendError};

    const DELAY: Duration = Duration::from_millis(10);

    fn millis(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(n)
    }

    /// Sends back what it gets, and speaks once by itself; notes when.
    struct Mirror {
        speaks: Option<Instant>,
        reacted: Vec<Instant>,
    }

    impl Station for Mirror {
        fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
            self.reacted.push(now);
            match packet {
                Some(packet) => vec![packet.to_vec()],
                None => self.speaks.take().map(|_| b"by itself".to_vec()).into_iter().collect(),
            }
        }

        fn deadline(&self) -> Option<Instant> {
            self.speaks
        }
    }

    /// One packet comes; then each wait takes longer than was asked for, until there is nothing to wait for.
    struct Sluggish {
        now: Instant,
        late: Duration,
        coming: Option<Vec<u8>>,
        arrived: Vec<u8>,
        sent: Vec<(Instant, Vec<u8>)>,
    }

    impl Sluggish {
        fn new(late: Duration) -> Self {
            let (now, coming) = (millis(100_000), Some(b"hello".to_vec()));
            Self { now, late, coming, arrived: Vec::new(), sent: Vec::new() }
        }
    }

    impl Wire for Sluggish {
        fn now(&self) -> Instant {
            self.now
        }

        fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
            self.sent.push((self.now, packet.to_vec()));
            Ok(())
        }

        fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
            if let Some(packet) = self.coming.take() {
                self.arrived = packet;
                let (checksum, sender) = (TransportChecksum::Complete, Sender::Network);
                return Ok(Arrival::Packet(Received {
                    at: self.now,
                    octets: &self.arrived,
                    checksum,
                    sender,
                }));
            }
            let Some(deadline) = deadline else { return Ok(Arrival::Woken) };
            self.now = deadline + self.late;
            Ok(Arrival::DeadlinePassed)
        }
    }

    #[test]
    fn an_answer_has_been_under_way_for_both_delays() {
        let mut mirror = Mirror { speaks: None, reacted: Vec::new() };
        let mut wire = Sluggish::new(Duration::ZERO);
        let begun = wire.now;
        play(&mut mirror, &mut wire, DELAY, Curtain::WaitsForPacket).unwrap();
        assert_eq!(wire.sent, [(begun + DELAY * 2, b"hello".to_vec())]);
        assert_eq!(mirror.reacted, [millis(10)]);
    }

    /// However late the machine is, the station's time goes by what was to happen first.
    #[test]
    fn a_late_machine_changes_no_order() {
        for (speaks, order) in [(millis(9), [9, 10]), (millis(11), [10, 11])] {
            let mut mirror = Mirror { speaks: Some(speaks), reacted: Vec::new() };
            let mut wire = Sluggish::new(Duration::from_millis(500));
            play(&mut mirror, &mut wire, DELAY, Curtain::WaitsForPacket).unwrap();
            assert_eq!(mirror.reacted, order.map(millis));
            assert_eq!(wire.sent.len(), 2);
        }
    }
}
