//! A wire that asks whether each packet of ours may leave. While it waits for the answer our clock stands still, so that no
//! timer of ours runs out over it; what arrives meanwhile is read afterwards, and has come at the end of the wait.

use std::io;
use std::time::Duration;

use super::{Arrival, Received, SendError, Wire};
use crate::time::Instant;

/// Whether a packet may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Granted,
    /// It is lost, as it might be anywhere on its way.
    Refused,
}

/// A wire, and whom to ask.
pub struct Stepping<'w, A> {
    wire: &'w mut dyn Wire,
    ask: A,
    /// How long our clock has stood still, in all.
    stood: Duration,
    /// Where it stood last.
    resumed: Instant,
}

impl<'w, A: FnMut(&[u8]) -> Leave> Stepping<'w, A> {
    /// Asks `ask` about each packet that is to leave by `wire`.
    pub fn new(wire: &'w mut dyn Wire, ask: A) -> Self {
        Self { wire, ask, stood: Duration::ZERO, resumed: Instant::ORIGIN }
    }
}

impl<A: FnMut(&[u8]) -> Leave> Wire for Stepping<'_, A> {
    fn now(&self) -> Instant {
        self.wire.now().before(self.stood, self.resumed)
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.resumed = self.now();
        let begun = self.wire.now();
        let leave = (self.ask)(packet);
        self.stood += self.wire.now() - begun;
        match leave {
            Leave::Granted => self.wire.send(packet),
            Leave::Refused => Err(SendError::Other(io::ErrorKind::Interrupted.into())),
        }
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let (stood, resumed) = (self.stood, self.resumed);
        let arrival = self.wire.receive(deadline.map(|deadline| deadline + stood))?;
        Ok(match arrival {
            Arrival::Packet(received) => {
                Arrival::Packet(Received { at: received.at.before(stood, resumed), ..received })
            }
            Arrival::DeadlinePassed | Arrival::Woken => arrival,
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
    use std::cell::Cell;

    use super::*;
    use crate::packet::TransportChecksum;
    use crate::wire::Sender;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    /// A clock that is set by hand; one packet arrives, stamped with the time it is read.
    struct ByHand<'c>(&'c Cell<u64>);

    impl Wire for ByHand<'_> {
        fn now(&self) -> Instant {
            at(self.0.get())
        }

        fn send(&mut self, _packet: &[u8]) -> Result<(), SendError> {
            Ok(())
        }

        fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                return Ok(Arrival::DeadlinePassed);
            }
            Ok(Arrival::Packet(Received {
                at: self.now(),
                octets: b"",
                checksum: TransportChecksum::Complete,
                sender: Sender::Network,
            }))
        }
    }

    #[test]
    fn the_clock_stands_still_while_somebody_is_asked() {
        let clock = Cell::new(100);
        let mut inner = ByHand(&clock);
        let mut wire = Stepping::new(&mut inner, |packet: &[u8]| {
            clock.set(clock.get() + 5_000);
            if packet.is_empty() { Leave::Granted } else { Leave::Refused }
        });
        wire.send(b"").unwrap();
        assert_eq!((clock.get(), wire.now()), (5_100, at(100)));
        clock.set(5_130);
        let arrival = wire.receive(Some(at(140))).unwrap();
        assert!(
            matches!(arrival, Arrival::Packet(Received { at: moment, .. }) if moment == at(130)),
            "{arrival:?}"
        );
        clock.set(5_140);
        assert!(wire.send(b"refused").is_err());
        assert!(matches!(wire.receive(Some(at(140))).unwrap(), Arrival::DeadlinePassed));
    }
}
