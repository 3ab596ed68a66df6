//! What a service is asked to do, and what it asks of the machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::driver::plan::Plan;
use crate::driver::talk::Talk;
use crate::tcp::{Mss, SeqNum};
use crate::time::Instant;

/// What a service does. It goes on listening while any number of its connections open (MUST-42), and none of them
/// touches another (MUST-41): each has its own block, under its own two ends.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where clients reach us, all at one port; unspecified addresses are all of their family.
    pub at: Vec<SocketAddr>,
    /// What each connection does; its ends, number and initial sequence number are its own.
    pub plan: Plan,
    /// The initial sequence number of every connection, if it is to be always the same.
    pub iss: Option<SeqNum>,
    /// The secret of the cookies.
    pub cookie_key: [u8; 16],
    /// End after so many connections.
    pub count: Option<u32>,
    /// Keep each SYN waiting so long.
    pub delay_syn_ack: Duration,
    /// Pass over so many SYNs of each client's.
    pub drop_first_syns: u32,
    /// Connections that may be half-open at a time; beyond it, cookies carry them.
    pub most_half_open: usize,
    /// Connections there may be at a time; beyond it a SYN is passed over.
    pub most: usize,
}

impl Service {
    /// As many as a busy server would keep half-open.
    pub const MOST_HALF_OPEN: usize = 1024;
    /// Connections at a time.
    pub const MOST: usize = 4096;
    /// Octets that may wait for one client: times [`MOST`](Self::MOST), what clients that do not read cost.
    pub const QUEUE: usize = 128 * 1024;

    /// A service at these places that keeps this secret, and whose connections follow `plan`.
    pub const fn new(at: Vec<SocketAddr>, plan: Plan, cookie_key: [u8; 16]) -> Self {
        Self {
            at,
            plan,
            iss: None,
            cookie_key,
            count: None,
            delay_syn_ack: Duration::ZERO,
            drop_first_syns: 0,
            most_half_open: Self::MOST_HALF_OPEN,
            most: Self::MOST,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.at.first().map_or(0, SocketAddr::port)
    }
}

/// What a service asks of the machine it runs on.
pub trait Host {
    /// What each connection says and hears.
    type Talk: Talk;

    /// Whether packets to this address are for us.
    fn is_ours(&mut self, address: IpAddr) -> bool;

    /// What we announce to a client there (MUST-67).
    fn mss(&mut self, client: IpAddr) -> Mss;

    /// The initial sequence number of a connection.
    fn iss(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) -> SeqNum;

    /// Somebody to talk with the next client.
    fn talk(&mut self) -> Self::Talk;
}
