//! Which of our ports an exchange is from: each in its turn, so that none is used again soon.

use std::net::IpAddr;

use super::exchange::Phase;
use super::slots::Slots;
use super::wheel::Tick;
use crate::driver::Linger;
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
    /// The ports that are not in use were in use a moment ago.
    Resting,
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
    ///
    /// A port rests until what the peer sent at the end, and what was overtaken on the way, has come: the new
    /// connection would answer it with RST. In TIME-WAIT since before `rested` is long enough.
    pub(super) fn next(
        &mut self,
        remote: IpAddr,
        remote_port: u16,
        rested: Tick,
        linger: Linger,
        slots: &Slots,
    ) -> Turn {
        let mut any_rests = false;
        for _ in 0..self.ports.len() {
            self.turn = (self.turn + 1) % self.ports.len();
            let Some(&port) = self.ports.get(self.turn) else { return Turn::None };
            let Some(number) = slots.find(remote, Ports { source: port, destination: remote_port }) else {
                return Turn::Fresh(port);
            };
            let lingering = slots.get(number).filter(|exchange| exchange.phase == Phase::Lingering);
            match lingering {
                Some(it) if it.phase_ends.before(it.linger(linger)) <= rested => {
                    return Turn::InTimeWait(port, number);
                }
                Some(_) => any_rests = true,
                None => {}
            }
        }
        if any_rests { Turn::Resting } else { Turn::None }
    }
}
