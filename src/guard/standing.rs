//! A guard held for other programs, on whatever ports they use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::hold::{self, Count, Hold, Kind, PassedOver, Stood};
use super::{Cause, Choice, Discard, GuardError, PortLease, Proof, Scope, SelfTest};

/// A guard that covers a whole [`Scope`], for as long as the value lives.
///
/// The firewall kinds do not take the ports themselves: the other program may bind them. A listener has to.
#[must_use = "dropping the guard lets the kernel answer"]
#[derive(Debug)]
pub struct Standing {
    hold: Hold,
    leases: Vec<PortLease>,
    proof: Proof,
    passed_over: Vec<PassedOver>,
}

impl Standing {
    /// Makes one, and tests it at the lowest and the highest of its ports.
    pub fn stand(choice: Choice, scope: &Scope, test: &mut SelfTest) -> Result<Self, GuardError> {
        let families = families(scope);
        let targets = targets(scope, &families);
        let mut leases = Vec::new();
        let Stood { hold, proof, passed_over } = hold::stand(choice, |kind| {
            leases = if kind == Kind::Listener { take_all(scope, &families)? } else { Vec::new() };
            Hold::make(kind, scope, &leases, &targets, test)
        })?;
        Ok(Self { hold, leases, proof, passed_over })
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.hold.kind()
    }

    /// By what a listener discards.
    pub const fn discard(&self) -> Option<Discard> {
        match self.hold {
            Hold::Listener(discard) => Some(discard),
            Hold::Nft(_) | Hold::Iptables(_) => None,
        }
    }

    /// What the self-test found.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The kinds that were tried before this one, and why they did not do.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Whether somebody has taken it away.
    pub fn is_lost(&self) -> bool {
        self.hold.count(&self.leases) == Count::Lost
    }
}

/// An address of each family to be covered, and one of this machine's to test it at.
struct Family {
    covered: IpAddr,
    tested: IpAddr,
}

fn families(scope: &Scope) -> Vec<Family> {
    if let Some(address) = scope.address {
        return vec![Family { covered: address, tested: address }];
    }
    let v4 = Family { covered: Ipv4Addr::UNSPECIFIED.into(), tested: Ipv4Addr::LOCALHOST.into() };
    let v6 = Family { covered: Ipv6Addr::UNSPECIFIED.into(), tested: Ipv6Addr::LOCALHOST.into() };
    let has_v6 = PortLease::take(SocketAddr::new(v6.tested, 0)).is_ok();
    if has_v6 { vec![v4, v6] } else { vec![v4] }
}

fn targets(scope: &Scope, families: &[Family]) -> Vec<SocketAddr> {
    let (lowest, highest) = scope.ports.ends();
    let ports = if lowest == highest { vec![lowest] } else { vec![lowest, highest] };
    let at = |port: u16| families.iter().map(move |family| SocketAddr::new(family.tested, port));
    ports.into_iter().flat_map(at).collect()
}

fn take_all(scope: &Scope, families: &[Family]) -> Result<Vec<PortLease>, Cause> {
    let at = |port| families.iter().map(move |family| SocketAddr::new(family.covered, port));
    scope.ports.iter().flat_map(at).map(|local| Ok(PortLease::take(local)?)).collect()
}
