//! The near end of the world: what the fleet holds.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use tcpshake::packet::TransportChecksum;
use tcpshake::time::Instant;
use tcpshake::wire::{Arrival, Bulk, Note, Received, SendError, Way, Wire};

use crate::world::{Came, World};

pub(crate) struct Crowd {
    world: Rc<RefCell<World>>,
    arrived: Vec<u8>,
    /// Waits that time did not pass in, one after the other.
    idle: Cell<u32>,
    pub(crate) waits: u64,
}

impl Crowd {
    pub(crate) fn new(world: &Rc<RefCell<World>>) -> Self {
        Self { world: Rc::clone(world), arrived: Vec::new(), idle: Cell::new(0), waits: 0 }
    }

    fn note_idle(&self, before: Instant, after: Instant) {
        let idle = if before == after { self.idle.get() + 1 } else { 0 };
        assert!(idle < 1000, "it spins at {after:?}");
        self.idle.set(idle);
    }
}

impl Wire for Crowd {
    fn now(&self) -> Instant {
        self.world.borrow().now
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.world.borrow_mut().leaves(packet, None)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        self.waits += 1;
        assert!(self.waits < 2_000_000, "it does not come to an end");
        let before = self.now();
        let came = self.world.borrow_mut().advance(deadline);
        match came {
            Some(Came::Packet(at, octets, sender)) => {
                self.arrived = octets;
                Ok(Arrival::Packet(Received {
                    at,
                    octets: &self.arrived,
                    checksum: TransportChecksum::Complete,
                    sender,
                }))
            }
            Some(Came::Wake) => Ok(Arrival::Woken),
            None => {
                self.note_idle(before, self.now());
                Ok(Arrival::DeadlinePassed)
            }
        }
    }

    fn lost(&mut self) -> u32 {
        std::mem::take(&mut self.world.borrow_mut().lost)
    }
}

impl Bulk for Crowd {
    fn queue(&mut self, packet: &[u8], _way: Way, note: Option<Note>) -> Result<(), SendError> {
        self.world.borrow_mut().leaves(packet, note)
    }

    /// Nothing waits: what is queued has left.
    fn flush(&mut self) {}

    fn departed(&mut self) -> Option<(Note, Instant)> {
        self.world.borrow_mut().departed()
    }
}
