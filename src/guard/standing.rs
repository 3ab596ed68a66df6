//! A guard held for other programs, on whatever ports they use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::hold::{self, Count, Hold, Kind, PassedOver, Stood};
use super::{Cause, Choice, Discard, GuardError, PortLease, Proof, Scope, SelfTest};
use crate::net::interfaces::loopback_addresses;

/// A guard that covers a whole [`Scope`], for as long as the value lives.
///
/// The firewall kinds do not take the ports themselves: the other program may bind them. A listener has to.
#[must_use = "dropping the guard lets the kernel answer"]
#[derive(Debug)]
pub struct Standing {
    /// `None` where no kernel listens.
    stood: Option<Stood>,
    leases: Vec<PortLease>,
}

impl Standing {
    /// Makes one, and tests it at the lowest and the highest of its ports.
    pub fn stand(choice: Choice, scope: &Scope, test: &mut SelfTest) -> Result<Self, GuardError> {
        let targets = targets(scope);
        let mut leases = Vec::new();
        let mut stood = hold::stand(choice, |kind| {
            leases = if kind == Kind::Listener { take_all(scope)? } else { Vec::new() };
            Hold::make(kind, scope, &leases, &targets, test)
        })?;
        stood.hold.stop_counting();
        Ok(Self { stood: Some(stood), leases })
    }

    /// For a wire that no kernel listens to.
    pub const fn not_needed() -> Self {
        Self { stood: None, leases: Vec::new() }
    }

    /// Its kind, if there is one.
    pub fn kind(&self) -> Option<Kind> {
        self.stood.as_ref().map(|stood| stood.hold.kind())
    }

    /// `listener`, `nft`, `iptables`, or `not needed`.
    pub fn name(&self) -> &'static str {
        self.kind().map_or("not needed", Kind::name)
    }

    /// By what a listener discards.
    pub fn discard(&self) -> Option<Discard> {
        self.stood.as_ref()?.hold.discard()
    }

    /// What the self-test found.
    pub fn proof(&self) -> &Proof {
        self.stood.as_ref().map_or(&Proof::NotAsked, |stood| &stood.proof)
    }

    /// The kinds that were tried before this one, and why they did not do.
    pub fn passed_over(&self) -> &[PassedOver] {
        self.stood.as_ref().map_or(&[], |stood| &stood.passed_over)
    }

    /// Whether it still stands; `None` if that cannot be found out. Only rules of iptables can be taken away by
    /// others.
    pub fn stands(&self) -> Option<bool> {
        let Some(stood) = &self.stood else { return Some(true) };
        match stood.hold.count(&self.leases) {
            Count::Lost => Some(false),
            Count::Unknown if stood.hold.kind() == Kind::Iptables => None,
            Count::Segments(_) | Count::Answers(_) | Count::Unknown => Some(true),
        }
    }
}

/// Where to test it: at the one address, or at those of loopback.
fn targets(scope: &Scope) -> Vec<SocketAddr> {
    let addresses = scope.address.map_or_else(loopback_addresses, |address| vec![address]);
    let (lowest, highest) = scope.ports.ends();
    let ports = if lowest == highest { vec![lowest] } else { vec![lowest, highest] };
    let at = |port: u16| addresses.iter().map(move |address| SocketAddr::new(*address, port));
    ports.into_iter().flat_map(at).collect()
}

/// All the ports, of the one address or of all: of both families, or of that which there is.
fn take_all(scope: &Scope) -> Result<Vec<PortLease>, Cause> {
    let addresses = scope.address.map_or_else(all_addresses, |address| vec![address]);
    let at = |port| addresses.iter().map(move |address| SocketAddr::new(*address, port));
    scope.ports.iter().flat_map(at).map(|local| Ok(PortLease::take(local)?)).collect()
}

fn all_addresses() -> Vec<IpAddr> {
    let both = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    both.into_iter().filter(|address| PortLease::take(SocketAddr::new(*address, 0)).is_ok()).collect()
}
