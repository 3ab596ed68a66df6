//! Network interfaces of this machine, in the namespace of the calling thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use super::netlink::{Message, Netlink, as_text, as_u32, attributes};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The largest packet it takes, in octets.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// What headers its packets have, by the numbers of linux/if_arp.h.
    pub link_type: u16,
}

/// The loopback interface has this index in every network namespace.
pub const LOOPBACK: u32 = 1;

impl Interface {
    /// The interface of this name.
    pub fn by_name(name: &str) -> io::Result<Self> {
        let mut terminated = name.as_bytes().to_vec();
        terminated.push(0);
        Self::query(0, Some(&terminated))
    }

    /// The interface of this index.
    pub fn by_index(index: u32) -> io::Result<Self> {
        Self::query(index, None)
    }

    /// Whether its packets carry Ethernet headers: loopback's and a tunnel's do not.
    pub fn is_ethernet(&self) -> bool {
        self.link_type == libc::ARPHRD_ETHER
    }

    fn query(index: u32, name: Option<&[u8]>) -> io::Result<Self> {
        let mut request = Message::new(libc::RTM_GETLINK, 0, &link_header(index, 0, 0));
        if let Some(name) = name {
            request = request.attribute(libc::IFLA_IFNAME, name);
        }
        let answers = Netlink::route()?.request(request)?;
        answers
            .first()
            .and_then(|answer| Self::parse(answer))
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// All there are.
    pub fn all() -> io::Result<Vec<Self>> {
        let request = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &link_header(0, 0, 0));
        let answers = Netlink::route()?.request(request)?;
        Ok(answers.iter().filter_map(|answer| Self::parse(answer)).collect())
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let (header, rest) = answer.split_first_chunk::<16>()?;
        let link_type = u16::from_ne_bytes([header[2], header[3]]);
        let index = as_u32(header.get(4..)?)?;
        let flags = as_u32(header.get(8..)?)?;
        let (mut name, mut mtu) = (String::new(), 0);
        for (kind, value) in attributes(rest) {
            match kind {
                libc::IFLA_IFNAME => name = as_text(value),
                libc::IFLA_MTU => mtu = as_u32(value)?,
                _ => {}
            }
        }
        Some(Self { index, name, mtu, up: flags & libc::IFF_UP as u32 != 0, link_type })
    }
}

/// `struct ifinfomsg`: which interface, and which of its flags to set to what.
pub(crate) fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&change.to_ne_bytes());
    header
}

/// The loopback addresses that this machine has, 127.0.0.1 and ::1, to find out something on.
pub fn loopback_addresses() -> Vec<IpAddr> {
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    both.into_iter().filter(|address| UdpSocket::bind((*address, 0)).is_ok()).collect()
}

/// The unspecified address of each family that this machine has an address of.
pub fn own_families() -> Vec<IpAddr> {
    let own = own_addresses();
    let both = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    let has = |family: &IpAddr| own.iter().any(|address| address.is_ipv4() == family.is_ipv4());
    both.into_iter().filter(has).collect()
}

/// All addresses of this machine.
pub fn own_addresses() -> Vec<IpAddr> {
    pnet::datalink::interfaces()
        .iter()
        .flat_map(|interface| &interface.ips)
        .map(pnet::ipnetwork::IpNetwork::ip)
        .collect()
}
