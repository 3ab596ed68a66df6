//! Which work an interface takes off the kernel's hands: asked by ethtool's netlink.

use std::io;

use super::netlink::{Message, Netlink, as_text, attribute, attributes};

const NESTED: u16 = 0x8000; // ethtool wants nested attributes marked
const VERSION: u8 = 1;

/// The features that are on for the interface of this index, by the names `ethtool -k` knows them: such as
/// `rx-gro`. An error where the kernel cannot be asked (before Linux 5.6).
pub fn active(interface: u32) -> io::Result<Vec<String>> {
    const FEATURES_GET: u8 = 11;
    const HEADER: u16 = 1;
    const DEVICE_INDEX: u16 = 1;
    const ACTIVE: u16 = 4;
    let mut netlink = Netlink::open(libc::NETLINK_GENERIC)?;
    let family = family(&mut netlink)?;
    let request = Message::new(family, 0, &[FEATURES_GET, VERSION, 0, 0])
        .nested(HEADER | NESTED, |header| header.attribute(DEVICE_INDEX, &interface.to_ne_bytes()));
    let answers = netlink.request(request)?;
    let active = answers.first().and_then(|answer| attribute(answer.get(4..)?, ACTIVE));
    Ok(active.map(names).unwrap_or_default())
}

/// The number by which generic netlink knows ethtool.
fn family(netlink: &mut Netlink) -> io::Result<u16> {
    const GET_FAMILY: u8 = 3;
    const FAMILY_NAME: u16 = 2;
    const FAMILY_ID: u16 = 1;
    let request = Message::new(libc::GENL_ID_CTRL as u16, 0, &[GET_FAMILY, VERSION, 0, 0])
        .attribute(FAMILY_NAME, b"ethtool\0");
    let answers = netlink.request(request)?;
    let id = answers.first().and_then(|answer| attribute(answer.get(4..)?, FAMILY_ID)?.first_chunk());
    id.map(|id| u16::from_ne_bytes(*id)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The names in a set of bits; what is not set is not in it.
fn names(bitset: &[u8]) -> Vec<String> {
    const BITS: u16 = 3;
    const BIT_NAME: u16 = 2;
    let bits = attributes(attribute(bitset, BITS).unwrap_or_default());
    bits.filter_map(|(_, bit)| attribute(bit, BIT_NAME).map(as_text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces::LOOPBACK;

    /// Loopback always hands over whole what was never split.
    #[test]
    fn loopback_leaves_checksums_and_segmentation_alone() {
        let active = active(LOOPBACK).unwrap();
        assert!(active.iter().any(|name| name == "tx-tcp-segmentation"), "{active:?}");
        assert!(!active.iter().any(|name| name == "tx-vlan-hw-insert"), "{active:?}");
    }
}
