//! What a guard covers, and what it lets pass.

use std::net::IpAddr;

use super::PortSet;

/// The RSTs a firewall guard holds back: those from these ports, without the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// From this address of ours alone; `None` for all, IPv4 and IPv6.
    pub address: Option<IpAddr>,
    /// From these ports.
    pub ports: PortSet,
    /// Whoever marks his RST with this number sends it on purpose.
    pub mark: u32,
}
