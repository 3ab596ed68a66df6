//! Keeps the kernel's RST in.
//!
//! The kernel knows nothing of a connection made by hand, so it answers the peer's segments with RST and
//! ends it (RFC 9293 section 3.10.7.1). A [`Guard`] is the proof that it does not: the driver cannot be
//! started without one, and it outlives the exchange. However the process ends, the kernel takes it away.

mod lease;
mod listener;
pub mod selftest;

use std::net::SocketAddr;

pub use lease::{LeaseError, PortLease};
pub use listener::Discard;
pub use selftest::Proof;

use crate::cause::cause;
use crate::time::Clock;

/// What holds the kernel back from answering on one local port, for as long as the value lives.
#[must_use = "dropping the guard lets the kernel reset the connection"]
#[derive(Debug)]
pub struct Guard {
    kind: Kind,
    proof: Proof,
    /// Segments discarded before the exchange began: the self-test's.
    discarded_before: u32,
}

#[derive(Debug)]
enum Kind {
    Listener(PortLease, Discard),
    None(PortLease),
    NotNeeded(SocketAddr),
}

/// A guard that does not stand.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The port could not be had.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Neither way of making the listener deaf works here.
    #[error(
        "the listener guard does not work here: socket filter: {}; tcp-md5: {} (--guard none shows what happens without one)",
        cause(.filter), cause(.md5)
    )]
    Listener {
        /// Why not by socket filter.
        filter: std::io::Error,
        /// Why not by TCP-MD5.
        md5: std::io::Error,
    },
    /// It stands, and the kernel answers all the same.
    #[error(
        "the {0} guard stands, but the kernel still answers on port {1} with RST (--guard none goes ahead without one)"
    )]
    StillAnswers(&'static str, u16),
}

impl Guard {
    /// A listening socket on the port that discards all it is sent, proven by the self-test.
    pub fn listener(lease: PortLease, clock: Clock) -> Result<Self, GuardError> {
        let discard = listener::listen(&lease)?;
        let local = lease.local();
        let proof = selftest::probe(local, clock);
        if proof == Proof::Answered {
            return Err(GuardError::StillAnswers("listener", local.port()));
        }
        let mut guard = Self { kind: Kind::Listener(lease, discard), proof, discarded_before: 0 };
        guard.discarded_before = guard.discarded();
        Ok(guard)
    }

    /// No guard, on purpose: the port is ours, but the kernel will answer.
    pub fn none(lease: PortLease) -> Self {
        Self { kind: Kind::None(lease), proof: Proof::NotAsked, discarded_before: 0 }
    }

    /// For a wire that no kernel listens to.
    pub fn not_needed(local: SocketAddr) -> Self {
        Self { kind: Kind::NotNeeded(local), proof: Proof::NotAsked, discarded_before: 0 }
    }

    /// The address and port guarded.
    pub fn local(&self) -> SocketAddr {
        match &self.kind {
            Kind::Listener(lease, _) | Kind::None(lease) => lease.local(),
            Kind::NotNeeded(local) => *local,
        }
    }

    /// Segments kept from the kernel since the exchange began; each but a RST would have drawn an answer.
    pub fn discarded(&self) -> u32 {
        match &self.kind {
            Kind::Listener(lease, _) => listener::discarded(lease).wrapping_sub(self.discarded_before),
            Kind::None(_) | Kind::NotNeeded(_) => 0,
        }
    }

    /// `listener`, `none`, or `not needed`.
    pub const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Listener(..) => "listener",
            Kind::None(_) => "none",
            Kind::NotNeeded(_) => "not needed",
        }
    }

    /// By what a listener discards.
    pub const fn discard(&self) -> Option<Discard> {
        match self.kind {
            Kind::Listener(_, discard) => Some(discard),
            Kind::None(_) | Kind::NotNeeded(_) => None,
        }
    }

    /// What the self-test found.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }
}
