//! A guard on many ports at once, for a fleet of exchanges.

use std::net::{IpAddr, SocketAddr};

use super::hold::{self, Hold, Kind, Stood};
use super::{
    Choice, Discard, GuardError, LeaseError, PassedOver, PortLease, PortSet, Proof, Scope, SelfTest,
};
use crate::wire::filter::PortSpan;
use crate::wire::raw;

/// Ports that are ours on each of several addresses, and what holds the kernel back from answering on them, for as
/// long as the value lives.
#[must_use = "dropping the guard lets the kernel reset the connections"]
#[derive(Debug)]
pub struct GuardedPorts {
    stood: Option<Stood>,
    #[expect(dead_code, reason = "keeps the ports")]
    leases: Vec<PortLease>,
    ports: Vec<u16>,
}

/// Ports that are ours, without a guard yet.
#[derive(Debug)]
pub struct LeasedPorts {
    leases: Vec<PortLease>,
    ports: Vec<u16>,
}

impl LeasedPorts {
    /// Takes `count` ports that are free on all of `addresses`, from `first` on, or as near to it as can be, so that
    /// few are between them that are not ours. Only those from 1024 on are looked at.
    pub fn take(addresses: &[IpAddr], first: u16, count: usize) -> Result<Self, LeaseError> {
        const LOWEST: u16 = 1024;
        let first = first.max(LOWEST);
        let mut taken = Self { leases: Vec::new(), ports: Vec::new() };
        let mut last_error = None;
        for port in (first..=u16::MAX).chain((LOWEST..first).rev()) {
            if taken.ports.len() == count {
                break;
            }
            let at = |address: &IpAddr| PortLease::take(SocketAddr::new(*address, port));
            match addresses.iter().map(at).collect::<Result<Vec<_>, _>>() {
                Ok(leases) => {
                    taken.leases.extend(leases);
                    taken.ports.push(port);
                }
                // Somebody else has it, perhaps only on one of the addresses.
                Err(error @ LeaseError::Taken { .. }) => last_error = Some(error),
                Err(error) => return Err(error),
            }
        }
        match last_error {
            Some(error) if taken.ports.is_empty() => Err(error),
            _ => Ok(taken),
        }
    }

    /// The lowest and the highest of them.
    pub fn span(&self) -> PortSpan {
        let lowest = self.ports.iter().min().copied().unwrap_or(0);
        PortSpan { first: lowest, last: self.ports.iter().max().copied().unwrap_or(lowest) }
    }

    /// Puts a guard on them, proven at the first and the last, or not tested if the kernel cannot be asked.
    pub fn guard(self, choice: Choice, test: &mut SelfTest) -> Result<GuardedPorts, GuardError> {
        let ports: PortSet = self.ports.iter().map(|port| *port..=*port).collect();
        let scope = Scope { address: None, ports, mark: raw::MARK };
        let ends = [self.leases.first(), self.leases.last()];
        let ends: Vec<SocketAddr> = ends.into_iter().flatten().map(PortLease::local).collect();
        let targets: Vec<SocketAddr> = ends.into_iter().map(reachable).collect();
        let mut stood = hold::stand(choice, |kind| Hold::make(kind, &scope, &self.leases, &targets, test))?;
        stood.hold.stop_counting();
        Ok(GuardedPorts { stood: Some(stood), leases: self.leases, ports: self.ports })
    }
}

/// Where a port on all addresses is asked.
fn reachable(at: SocketAddr) -> SocketAddr {
    if !at.ip().is_unspecified() {
        return at;
    }
    let loopback: IpAddr = match at.ip() {
        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(loopback, at.port())
}

impl GuardedPorts {
    /// For a wire that no kernel listens to.
    pub const fn not_needed(ports: Vec<u16>) -> Self {
        Self { stood: None, leases: Vec::new(), ports }
    }

    /// The ports.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The guard's kind, if there is one.
    pub fn kind(&self) -> Option<Kind> {
        self.stood.as_ref().map(|stood| stood.hold.kind())
    }

    /// By what a listener discards.
    pub fn discard(&self) -> Option<Discard> {
        self.stood.as_ref().and_then(|stood| stood.hold.discard())
    }

    /// What the self-test found.
    pub fn proof(&self) -> &Proof {
        self.stood.as_ref().map_or(&Proof::NotAsked, |stood| &stood.proof)
    }

    /// The kinds that were tried before this one, and why they did not do.
    pub fn passed_over(&self) -> &[PassedOver] {
        self.stood.as_ref().map_or(&[], |stood| &stood.passed_over)
    }

    /// Whether a RST of the kernel's is to be reckoned with: nothing was proven to hold it back.
    pub fn may_leak(&self) -> bool {
        self.stood.is_some() && *self.proof() != Proof::Silent
    }
}
