//! Link layers: what stands in front of the IP header.

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and what was in use for stacked tags before it.
const ETHERTYPE_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags in a stack; nobody needs more.
const MOST_TAGS: usize = 4;

/// Link types by their numbers in captures (the registry at tcpdump.org).
mod number {
    pub(super) const NULL: u32 = 0;
    pub(super) const ETHERNET: u32 = 1;
    pub(super) const RAW_BSD: u32 = 12;
    pub(super) const RAW_OPENBSD: u32 = 14;
    pub(super) const RAW: u32 = 101;
    pub(super) const LOOP: u32 = 108;
    pub(super) const LINUX_SLL: u32 = 113;
    pub(super) const IPV4: u32 = 228;
    pub(super) const IPV6: u32 = 229;
    pub(super) const LINUX_SLL2: u32 = 276;
}

/// A link layer that can be taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Two addresses and a type, tags perhaps.
    Ethernet,
    /// Nothing: the packet itself.
    Raw,
    /// The family in four octets (BSD's loopback).
    Loopback,
    /// Linux's header of packets from any interface.
    Cooked,
    /// Its second version.
    Cooked2,
}

impl Link {
    /// `None` for one that we do not read.
    pub(super) const fn numbered(number: u32) -> Option<Self> {
        Some(match number {
            number::ETHERNET => Self::Ethernet,
            number::RAW | number::RAW_BSD | number::RAW_OPENBSD | number::IPV4 | number::IPV6 => Self::Raw,
            number::NULL | number::LOOP => Self::Loopback,
            number::LINUX_SLL => Self::Cooked,
            number::LINUX_SLL2 => Self::Cooked2,
            _ => return None,
        })
    }

    /// The IP packet in a frame; `None` if there is none.
    pub(super) fn packet_in(self, frame: &[u8]) -> Option<&[u8]> {
        const FAMILY: usize = 4;
        const ETHERNET_TYPE: usize = 12;
        const COOKED_TYPE: usize = 14;
        const COOKED2_HEADER: usize = 20;
        match self {
            Self::Raw => Some(frame),
            Self::Loopback => frame.get(FAMILY..),
            Self::Ethernet => behind_type(frame.get(ETHERNET_TYPE..)?),
            Self::Cooked => behind_type(frame.get(COOKED_TYPE..)?),
            Self::Cooked2 => {
                let packet = frame.get(COOKED2_HEADER..)?;
                let (kind, _) = frame.split_first_chunk::<2>()?;
                of_type(u16::from_be_bytes(*kind), packet)
            }
        }
    }
}

/// What stands behind a type, tags and all.
fn behind_type(octets: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = octets.split_first_chunk::<2>()?;
    of_type(u16::from_be_bytes(*kind), rest)
}

fn of_type(mut kind: u16, mut rest: &[u8]) -> Option<&[u8]> {
    const TAG: usize = 2;
    for _ in 0..MOST_TAGS {
        if !ETHERTYPE_TAGS.contains(&kind) {
            break;
        }
        let (next, after) = rest.get(TAG..)?.split_first_chunk::<2>()?;
        kind = u16::from_be_bytes(*next);
        rest = after;
    }
    matches!(kind, ETHERTYPE_IPV4 | ETHERTYPE_IPV6).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &[u8] = b"Epacket";

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        [parts.concat().as_slice(), PACKET].concat()
    }

    #[test]
    fn each_link_layer_comes_off() {
        let (ip, ipv6): (&[u8], &[u8]) = (&[8, 0], &[0x86, 0xdd]);
        let (tag, stacked): (&[u8], &[u8]) = (&[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 9]);
        for (number, frame) in [
            (1, frame(&[&[2; 12], ip])),
            (1, frame(&[&[2; 12], ipv6])),
            (1, frame(&[&[2; 12], tag, ip])),
            (1, frame(&[&[2; 12], stacked, tag, ip])),
            (101, frame(&[])),
            (12, frame(&[])),
            (228, frame(&[])),
            (0, frame(&[&[2, 0, 0, 0]])),
            (108, frame(&[&[0, 0, 0, 24]])),
            (113, frame(&[&[0; 14], ip])),
            (113, frame(&[&[0; 14], tag, ip])),
            (276, frame(&[ip, &[0; 18]])),
            (276, frame(&[&[0x81, 0], &[0; 18], &[0, 7], ip])),
        ] {
            let link = Link::numbered(number).unwrap();
            assert_eq!(link.packet_in(&frame), Some(PACKET), "{number} {frame:?}");
            for len in 0..frame.len() - PACKET.len() {
                assert_eq!(link.packet_in(&frame[..len]), None, "{number} cut to {len}");
            }
        }
    }

    #[test]
    fn what_is_no_ip_is_left_alone() {
        let arp = frame(&[&[2; 12], &[8, 6]]);
        assert_eq!(Link::Ethernet.packet_in(&arp), None);
        let tags = [0x81, 0, 0, 1].repeat(MOST_TAGS + 1);
        assert_eq!(Link::Ethernet.packet_in(&frame(&[&[2; 12], &tags, &[8, 0]])), None);
        assert_eq!(Link::numbered(105), None, "IEEE 802.11");
    }
}
