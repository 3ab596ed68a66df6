//! Hardware addresses of the hosts on a link: what the kernel knows of them, without making it ask.

use std::net::IpAddr;

use super::netlink::{Message, Netlink, attribute};

/// The address to which Ethernet frames for `next_hop` go by `interface`, if the kernel knows it well enough to
/// send there at once. None where it would ask on the link first, or where it cannot tell (before Linux 5.0).
pub fn hardware_address(next_hop: IpAddr, interface: u32) -> Option<[u8; 6]> {
    ask(&mut Netlink::route().ok()?, next_hop, interface)
}

/// The same, by a socket that is open.
pub(super) fn ask(netlink: &mut Netlink, next_hop: IpAddr, interface: u32) -> Option<[u8; 6]> {
    let family = if next_hop.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut header = [0; HEADER];
    header[0] = family as u8;
    header[4..8].copy_from_slice(&interface.to_ne_bytes());
    let question = Message::new(libc::RTM_GETNEIGH, 0, &header).address(libc::NDA_DST, next_hop);
    parse(netlink.request(question).ok()?.first()?)
}

/// Octets of `struct ndmsg`: family, three of padding, interface, state, flags, type.
const HEADER: usize = 12;

/// States in which the kernel itself sends without asking. Not `NUD_NOARP`: such a link has no addresses to ask
/// for.
const USABLE: u16 =
    libc::NUD_REACHABLE | libc::NUD_STALE | libc::NUD_DELAY | libc::NUD_PROBE | libc::NUD_PERMANENT;

fn parse(answer: &[u8]) -> Option<[u8; 6]> {
    let (header, rest) = answer.split_first_chunk::<HEADER>()?;
    let state = u16::from_ne_bytes([header[8], header[9]]);
    let address = attribute(rest, libc::NDA_LLADDR)?;
    <[u8; 6]>::try_from(address).ok().filter(|_| state & USABLE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: [u8; 6] = [2, 0, 0, 7, 8, 9];

    fn answer(state: u16, hardware_address: &[u8]) -> Vec<u8> {
        let [low, high] = state.to_ne_bytes();
        let header = [libc::AF_INET as u8, 0, 0, 0, 3, 0, 0, 0, low, high, 0, libc::RTN_UNICAST];
        let destination = [8, 0, 1, 0, 10, 99, 0, 2];
        let len = 4 + hardware_address.len() as u8;
        [&header[..], &destination, &[len, 0, 2, 0], hardware_address, &[0; 2]].concat()
    }

    #[test]
    fn only_what_can_be_sent_to_now_is_known() {
        let usable =
            [libc::NUD_REACHABLE, libc::NUD_STALE, libc::NUD_DELAY, libc::NUD_PROBE, libc::NUD_PERMANENT];
        for state in usable {
            assert_eq!(parse(&answer(state, &ADDRESS)), Some(ADDRESS), "{state:#x}");
        }
        for state in [libc::NUD_NONE, libc::NUD_INCOMPLETE, libc::NUD_FAILED, libc::NUD_NOARP] {
            assert_eq!(parse(&answer(state, &ADDRESS)), None, "{state:#x}");
        }
    }

    #[test]
    fn an_address_of_another_length_is_none() {
        for odd in [&[][..], &[1; 4], &[1; 7], &[1; 8]] {
            assert_eq!(parse(&answer(libc::NUD_REACHABLE, odd)), None, "{odd:?}");
        }
        let cut = answer(libc::NUD_REACHABLE, &ADDRESS);
        for len in [0, 11, 12, 20, 29] {
            assert_eq!(parse(&cut[..len]), None, "{len}");
        }
    }
}
