//! What carries packets: sockets, or the memory of the process.

use std::io;

use crate::packet::TransportChecksum;
use crate::time::Instant;

pub mod bulk;
pub mod faulty;
pub mod filter;
pub mod memory;
pub mod paced;
pub mod raw;
pub mod stepping;
#[expect(unsafe_code, reason = "the one file that may: system calls no safe crate wraps")]
pub mod sys;

/// Sends and receives whole IP packets, and tells the time they are measured by.
pub trait Wire {
    /// The present moment, of the clock that stamps what is received.
    fn now(&self) -> Instant;

    /// Hands one packet, from its IP header on, to the network.
    fn send(&mut self, packet: &[u8]) -> Result<(), SendError>;

    /// Waits for the next packet, until `deadline` if there is one.
    ///
    /// A packet that is there already is handed over even if the deadline has passed.
    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>>;

    /// Whether another packet has arrived, and waits to be received.
    fn has_more(&mut self) -> bool {
        false
    }

    /// Packets lost since the last call because they were not read fast enough.
    fn lost(&mut self) -> u32 {
        0
    }
}

/// A wire for many exchanges at once: what is sent leaves in batches, at the latest when there is a wait.
pub trait Bulk: Wire {
    /// Takes a packet for the next batch. Time stands still while batches are filled and emptied: it is read once
    /// for each.
    fn queue(&mut self, packet: &[u8], way: Way, note: Option<Note>) -> Result<(), SendError>;

    /// Sends what waits, without waiting for anything: to be called after the last packet.
    fn flush(&mut self);

    /// Whether more has arrived than was read: who goes on sending loses it.
    fn is_behind(&self) -> bool {
        false
    }

    /// How many exchanges are under way: where many answers are to come, a batch of them may be waited for.
    fn await_answers(&mut self, _exchanges: u32) {}

    /// The next of the noted packets that have left, and when.
    fn departed(&mut self) -> Option<(Note, Instant)>;
}

/// Which packet's departure is to be told: the sender's own number.
pub type Note = u32;

/// By which way a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// As the kernel routes it: it knows the next hop, or finds it.
    Routed {
        /// Index of the interface, where the destination means nothing without one; else 0.
        scope: u32,
    },
    /// Straight to a neighbour: half the work, but past the routing and the firewall of this machine.
    Link {
        /// By which interface.
        interface: u32,
        /// Its hardware address.
        hardware: [u8; 6],
    },
}

/// What ended a wait.
#[derive(Debug)]
pub enum Arrival<'w> {
    /// A packet.
    Packet(Received<'w>),
    /// The deadline has passed.
    DeadlinePassed,
    /// Somebody else wants attention: a signal.
    Woken,
}

/// A packet from the wire.
#[derive(Clone, Copy, Debug)]
pub struct Received<'w> {
    /// When the kernel took it from the network.
    pub at: Instant,
    /// The packet from its IP header on.
    pub octets: &'w [u8],
    /// Whether its transport checksum means anything.
    pub checksum: TransportChecksum,
    /// Who sent it.
    pub sender: Sender,
}

/// Where a packet on the wire comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The network.
    Network,
    /// The kernel of this machine, on its way out: a RST that no guard kept in.
    OurKernel,
    /// We ourselves: shown on its way out, for when it left.
    Ourselves,
}

/// A packet that did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The packet filter of this machine dropped it.
    #[error(
        "this machine's own firewall dropped the segment (look at: nft list ruleset, iptables -S OUTPUT)"
    )]
    LocalFirewall,
    /// The way is gone.
    #[error("the network is unreachable from here: {} (look at: ip route)", crate::cause::cause(.0))]
    Unreachable(#[source] io::Error),
    /// Anything else.
    #[error("cannot send a segment: {}", crate::cause::cause(.0))]
    Other(#[source] io::Error),
}
