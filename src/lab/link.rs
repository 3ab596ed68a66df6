//! Links and addresses, by netlink: no `ip` command needed.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::poll::poll;

use crate::net::interfaces::{Interface, LOOPBACK, link_header};
use crate::net::netlink::{Message, Netlink};
use crate::net::route;
use crate::time::Clock;

/// The name of the cable's end on either side.
pub const LINK: &str = "shake0";

/// An address and the size of its network.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Bits of it that name the network.
    pub prefix_len: u8,
}

/// Attributes of linux/veth.h and linux/if_link.h that libc does not carry.
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// A veth pair from the calling thread's namespace to `far`, of this name on either side.
pub fn cable(name: &str, far: BorrowedFd<'_>) -> io::Result<()> {
    let name = format!("{name}\0");
    let peer = |message: Message| {
        message
            .raw(&link_header(0, 0, 0))
            .attribute(libc::IFLA_IFNAME, name.as_bytes())
            .attribute(libc::IFLA_NET_NS_FD, &far.as_raw_fd().to_ne_bytes())
    };
    let request =
        Message::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &link_header(0, 0, 0))
            .attribute(libc::IFLA_IFNAME, name.as_bytes())
            .nested(libc::IFLA_LINKINFO, |info| {
                info.attribute(IFLA_INFO_KIND, b"veth")
                    .nested(IFLA_INFO_DATA, |data| data.nested(VETH_INFO_PEER, peer))
            });
    Netlink::route()?.request(request).map(drop)
}

/// Brings an interface up and gives it addresses, usable at once: no duplicate address detection, and no
/// address of the kernel's own making that would appear a second later.
pub fn configure(name: &str, addresses: &[Address]) -> io::Result<()> {
    let index = Interface::by_name(name)?.index;
    let quiet = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, 0, 0)).nested(
        libc::IFLA_AF_SPEC,
        |families| {
            families.nested(libc::AF_INET6 as u16, |inet6| {
                inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
            })
        },
    );
    Netlink::route()?.request(quiet)?;
    up(index)?;
    addresses.iter().try_for_each(|address| add(index, *address))?;
    addresses.iter().try_for_each(|address| await_arrivals(address.ip))
}

/// Brings the loopback interface up, which starts down in a new namespace.
pub fn loopback_up() -> io::Result<()> {
    up(LOOPBACK)
}

fn up(index: u32) -> io::Result<()> {
    let flag = libc::IFF_UP as u32;
    let request = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, flag, flag));
    Netlink::route()?.request(request).map(drop)
}

/// The kernel leaves it to a worker of its own to make the route by which an IPv6 address takes what comes for it: until
/// then nothing arrives there.
fn await_arrivals(ip: IpAddr) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const LOOK_AGAIN: u8 = 1; // milliseconds
    let clock = Clock::new();
    let deadline = clock.now() + PATIENCE;
    while !route::is_own(ip) {
        if clock.now() >= deadline {
            return Err(io::Error::new(ErrorKind::TimedOut, format!("{ip} takes nothing")));
        }
        poll(&mut [], LOOK_AGAIN)?;
    }
    Ok(())
}

fn add(index: u32, address: Address) -> io::Result<()> {
    let (family, octets) = match address.ip {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    };
    let mut header = [family as u8, address.prefix_len, libc::IFA_F_NODAD as u8, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&index.to_ne_bytes());
    let request = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &header)
        .attribute(libc::IFA_LOCAL, &octets)
        .attribute(libc::IFA_ADDRESS, &octets);
    Netlink::route()?.request(request).map(drop)
}
