//! By which interface link-local hosts have spoken to us: their address alone does not say.

use std::collections::HashMap;
use std::net::Ipv6Addr;

/// Of each host that we have heard lately.
#[derive(Default)]
pub(super) struct Scopes(HashMap<Ipv6Addr, u32>);

impl Scopes {
    const MOST: usize = 4096;

    pub(super) fn note(&mut self, packet: &[u8], interface: u32) {
        const SOURCE: usize = 8;
        if let Some(source) = v6_address(packet, SOURCE).filter(Ipv6Addr::is_unicast_link_local) {
            if self.0.len() >= Self::MOST {
                self.0.clear();
            }
            self.0.insert(source, interface);
        }
    }

    /// The interface, or 0 for a host that has not spoken.
    pub(super) fn of(&self, host: Ipv6Addr) -> u32 {
        self.0.get(&host).copied().unwrap_or_default()
    }
}

/// The address at this place of an IPv6 header.
pub(super) fn v6_address(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let octets = packet.get(at..)?.first_chunk::<16>().filter(|_| is_v6)?;
    Some(Ipv6Addr::from(*octets))
}
