//! A far host inside the process: an echo server made of the same state machine, for where no private
//! network can be had.

use std::net::{IpAddr, SocketAddr};

use super::actor::{Actor, Part};
use crate::tcp::{Parameters, SeqNum};
use crate::time::Instant;
use crate::wire::memory::Station;

/// Serves one connection at a time: sends back what it reads, closes when its client has.
pub struct SimulatedServer(Actor);

impl SimulatedServer {
    /// A server that listens on `address` and begins its numbers at `iss`.
    pub const fn new(address: SocketAddr, iss: SeqNum, parameters: Parameters) -> Self {
        Self(Actor::new(address, Part::echo(iss, parameters)))
    }
}

impl Station for SimulatedServer {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        self.0.react(packet, now)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}

/// Where the simulated server is found.
pub fn server_address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(super::FAR_V4), port)
}
