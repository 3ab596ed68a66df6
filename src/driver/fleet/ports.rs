//! Which of our ports an exchange is from: each in its turn, so that none is used again soon.

use std::net::IpAddr;

use super::exchange::Phase;
use super::slots::Slots;
use crate::packet::Ports;

/// Our ports, and whose turn it is.
#[derive(Debug)]
pub(super) struct Turns {
    ports: Vec<u16>,
    turn: usize,
}

/// A port for an exchange.
pub(super) enum Turn {
    /// Nothing is known of the peer's by this port.
    Fresh(u16),
    /// The exchange before by this port is over, but TIME-WAIT is kept for it: it has to go.
    InTimeWait(u16, u32),
    /// By every port an exchange with that target is under way.
    None,
}

impl Turns {
    pub(super) fn new(mut ports: Vec<u16>) -> Self {
        ports.sort_unstable();
        Self { ports, turn: 0 }
    }

    pub(super) fn have(&self, port: u16) -> bool {
        self.ports.binary_search(&port).is_ok()
    }

    /// The port for the next exchange with a target. TIME-WAIT is cut short for a new connection, whose initial
    /// number is beyond the old one's (RFC 9293 section 3.10.7.4 allows the peer that, RFC 6191 says why).
    pub(super) fn next(&mut self, remote: IpAddr, remote_port: u16, slots: &Slots) -> Turn {
        for _ in 0..self.ports.len() {
            self.turn = (self.turn + 1) % self.ports.len();
            let Some(&port) = self.ports.get(self.turn) else { return Turn::None };
            let Some(number) = slots.find(remote, Ports { source: port, destination: remote_port }) else {
                return Turn::Fresh(port);
            };
            if slots.get(number).is_some_and(|exchange| exchange.phase == Phase::Lingering) {
                return Turn::InTimeWait(port, number);
            }
        }
        Turn::None
    }
}
