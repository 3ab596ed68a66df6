//! Keeps the kernel's RST in.
//!
//! The kernel knows nothing of a connection made by hand, so it answers the peer's segments with RST and
//! ends it (RFC 9293 section 3.10.7.1). A [`Guard`] is the proof that it does not: the driver cannot be
//! started without one, and it outlives the exchange. However the process ends, the guard goes with it.
//!
//! Three ways, tried in this order: a deaf [`listener`](Kind::Listener) on the port, a private
//! [`nft`](Kind::Nft) table, [`iptables`](Kind::Iptables) rules. [`selftest`] proves whichever stands.

mod hold;
mod iptables;
mod lease;
mod listener;
mod nft;
mod port_set;
pub mod ports;
mod scope;
pub mod selftest;
pub mod standing;
pub mod survey;

use std::net::SocketAddr;
use std::slice;

pub use hold::{Cause, Choice, Kind, PassedOver};
pub use iptables::IptablesError;
pub use lease::{LeaseError, PortLease};
pub use listener::Discard;
pub use nft::NftError;
pub use port_set::{PortSet, PortSetError};
pub use ports::{GuardedPorts, LeasedPorts};
pub use scope::Scope;
pub use selftest::{Proof, SelfTest};
pub use standing::Standing;

use crate::wire::raw;
use hold::{Count, Hold, Stood};

/// What holds the kernel back from answering on one local port, for as long as the value lives.
#[must_use = "dropping the guard lets the kernel reset the connection"]
#[derive(Debug)]
pub struct Guard {
    local: SocketAddr,
    means: Means,
    /// What was counted before the exchange began: the self-test's.
    before: u32,
}

#[derive(Debug)]
enum Means {
    Hold(Stood, PortLease),
    None(#[expect(dead_code, reason = "keeps the port")] Option<PortLease>),
    NotNeeded,
}

/// A guard that does not stand.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The kind that was asked for does not do.
    #[error(
        "the {kind} guard does not work here: {cause} (--guard auto takes another; see: tcpshake doctor)"
    )]
    DoesNotWork {
        /// Which.
        kind: Kind,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// None does.
    #[error("no guard works here: {} (see: tcpshake doctor; --guard none goes ahead without one)", reasons(.0))]
    NoneWorks(Vec<PassedOver>),
}

fn reasons(passed_over: &[PassedOver]) -> String {
    let reasons = passed_over.iter().map(|passed| format!("{}: {}", passed.kind, passed.why));
    reasons.collect::<Vec<_>>().join("; ")
}

/// What a guard did during an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Answers of the kernel that were held back; `None` if they could not be counted.
    pub held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    pub lost: bool,
}

impl Guard {
    /// A guard on the port of `lease`, proven by the self-test, or not tested if the kernel cannot be asked.
    pub fn stand(choice: Choice, lease: PortLease, test: &mut SelfTest) -> Result<Self, GuardError> {
        let local = lease.local();
        let scope = Scope { address: Some(local.ip()), ports: PortSet::one(local.port()), mark: raw::MARK };
        let stood =
            hold::stand(choice, |kind| Hold::make(kind, &scope, slice::from_ref(&lease), &[local], test))?;
        let mut guard = Self { local, means: Means::Hold(stood, lease), before: 0 };
        guard.begin();
        Ok(guard)
    }

    /// No guard, on purpose: the port is ours, but the kernel will answer.
    pub fn none(lease: PortLease) -> Self {
        let local = lease.local();
        Self { means: Means::None(Some(lease)), ..Self::not_needed(local) }
    }

    /// The same, for a kernel that is simulated like the wire it answers on: no port is taken.
    pub const fn none_in_simulation(local: SocketAddr) -> Self {
        Self { local, means: Means::None(None), before: 0 }
    }

    /// For a wire that no kernel listens to.
    pub fn not_needed(local: SocketAddr) -> Self {
        Self { local, means: Means::NotNeeded, before: 0 }
    }

    /// An exchange begins: what was counted until now was for others.
    pub fn begin(&mut self) {
        self.before = match self.count() {
            Count::Segments(count) | Count::Answers(count) => count,
            Count::Lost | Count::Unknown => 0,
        };
    }

    /// The address and port guarded.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    fn count(&self) -> Count {
        match &self.means {
            Means::Hold(stood, lease) => stood.hold.count(slice::from_ref(lease)),
            Means::None(_) | Means::NotNeeded => Count::Answers(0),
        }
    }

    /// What it did since the exchange began, in which `resets` RSTs arrived: those draw no answer.
    pub fn tally(&self, resets: u32) -> Tally {
        let (held_back, lost) = match self.count() {
            Count::Segments(count) => (Some(count.wrapping_sub(self.before).saturating_sub(resets)), false),
            Count::Answers(count) => (count.checked_sub(self.before), false), // counters can be set to zero
            Count::Lost => (None, true),
            Count::Unknown => (None, false),
        };
        Tally { held_back, lost }
    }

    /// Its kind, if there is one.
    pub const fn kind(&self) -> Option<Kind> {
        match &self.means {
            Means::Hold(stood, _) => Some(stood.hold.kind()),
            Means::None(_) | Means::NotNeeded => None,
        }
    }

    /// `listener`, `nft`, `iptables`, `none`, or `not needed`.
    pub const fn name(&self) -> &'static str {
        match &self.means {
            Means::Hold(stood, _) => stood.hold.kind().name(),
            Means::None(_) => "none",
            Means::NotNeeded => "not needed",
        }
    }

    /// By what a listener discards.
    pub const fn discard(&self) -> Option<Discard> {
        match &self.means {
            Means::Hold(stood, _) => stood.hold.discard(),
            Means::None(_) | Means::NotNeeded => None,
        }
    }

    /// What the self-test found.
    pub const fn proof(&self) -> &Proof {
        match &self.means {
            Means::Hold(stood, _) => &stood.proof,
            Means::None(_) | Means::NotNeeded => &Proof::NotAsked,
        }
    }

    /// The kinds that were tried before this one, and why they did not do.
    pub fn passed_over(&self) -> &[PassedOver] {
        match &self.means {
            Means::Hold(stood, _) => &stood.passed_over,
            Means::None(_) | Means::NotNeeded => &[],
        }
    }

    /// Whether another one like it, for another port, needs privileges: all do, but for a listener made deaf by
    /// TCP-MD5.
    pub fn needs_privileges(&self) -> bool {
        match self.kind() {
            None => false,
            Some(Kind::Listener) => {
                self.discard() == Some(Discard::Filter) && !listener::md5_is_known(self.local)
            }
            Some(Kind::Nft | Kind::Iptables) => true,
        }
    }

    /// Whether a RST of the kernel's is to be reckoned with: nothing was proven to hold it back.
    pub fn may_leak(&self) -> bool {
        !matches!((&self.means, self.proof()), (Means::NotNeeded, _) | (_, Proof::Silent))
    }
}
