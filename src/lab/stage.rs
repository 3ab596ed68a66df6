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

    /// One packet comes; once something was sent, it is woken.
    struct Script(Instant, Option<Vec<u8>>, Vec<(Instant, Vec<u8>)>, Vec<u8>);

    impl Wire for Script {
        fn now(&self) -> Instant {
            self.0
        }

        fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
            self.2.push((self.0, packet.to_vec()));
            Ok(())
        }

        fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
            if let Some(packet) = self.1.take() {
                self.3 = packet;
                let (checksum, sender) = (TransportChecksum::Complete, Sender::Network);
                return Ok(Arrival::Packet(Received { at: self.0, octets: &self.3, checksum, sender }));
            }
            let Some(deadline) = deadline else { return Ok(Arrival::Woken) };
            self.0 = deadline;
            Ok(Arrival::DeadlinePassed)
        }
    }

    #[test]
    fn an_answer_has_been_under_way_for_both_delays() {
        let delay = Duration::from_millis(10);
        let begun = Instant::ORIGIN + Duration::from_secs(100);
        let mut wire = Script(begun, Some(b"hello".to_vec()), Vec::new(), Vec::new());
        play(&mut Mirror, &mut wire, delay, Curtain::WaitsForPacket).unwrap();
        assert_eq!(wire.2, [(begun + delay * 2, b"hello".to_vec())]);
    }
}
