//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{OCTET, Reader, WORD, hexadecimal, opaque, plain, plural};
use crate::lesson::fields;

const IPV4_WORDS: usize = 5;
const IPV6_ADDRESS: usize = 16;
const PROTOCOL_TCP: u32 = 6;
/// The IPv6 extension headers that tell their own length: hop-by-hop options, routing, destination options.
const EXTENSIONS: [u32; 3] = [0, 43, 60];

impl Reader<'_> {
    /// The IP header, and what it carries as far as it can be read.
    pub(super) fn ip(&mut self) -> Option<()> {
        const VERSION: usize = 4;
        match self.peek(VERSION)? {
            4 => self.v4(),
            6 => self.v6(),
            _ => None,
        }
    }

    fn v4(&mut self) -> Option<()> {
        self.begin("IPv4 header");
        self.number(4, "Version", plain, fields::VERSION)?;
        let words = self.number(4, "Length", words, fields::IPV4_LENGTH)? as usize;
        self.traffic_class()?;
        self.number(16, "Total length", |octets| plural(octets as usize, "octet"), fields::TOTAL_LENGTH)?;
        self.number(16, "Identification", hexadecimal, fields::IDENTIFICATION)?;
        self.number(1, "Reserved", plain, fields::RESERVED_FLAG)?;
        self.number(1, "DF", plain, fields::DF)?;
        self.number(1, "MF", plain, fields::MF)?;
        let offset = self.number(13, "Fragment offset", plain, fields::FRAGMENT_OFFSET)?;
        self.number(8, "Time to live", plain, fields::TIME_TO_LIVE)?;
        let protocol = self.number(8, "Protocol", protocol, fields::PROTOCOL)?;
        self.number(16, "Header checksum", hexadecimal, fields::HEADER_CHECKSUM)?;
        self.number(WORD, "Source address", |bits| Ipv4Addr::from(bits).to_string(), fields::SOURCE_ADDRESS)?;
        self.number(
            WORD,
            "Destination address",
            |bits| Ipv4Addr::from(bits).to_string(),
            fields::DESTINATION_ADDRESS,
        )?;
        let options = words.checked_sub(IPV4_WORDS)? * WORD / OCTET;
        self.octets(options, "Options", opaque, fields::IPV4_OPTIONS)?;
        if protocol == PROTOCOL_TCP && offset == 0 { self.tcp() } else { None }
    }

    fn v6(&mut self) -> Option<()> {
        self.begin("IPv6 header");
        self.number(4, "Version", plain, fields::VERSION)?;
        self.traffic_class()?;
        self.number(20, "Flow label", |label| format!("0x{label:05x}"), fields::FLOW_LABEL)?;
        self.number(16, "Payload length", |octets| plural(octets as usize, "octet"), fields::PAYLOAD_LENGTH)?;
        let mut next = self.number(8, "Next header", protocol, fields::PROTOCOL)?;
        self.number(8, "Hop limit", plain, fields::TIME_TO_LIVE)?;
        self.octets(IPV6_ADDRESS, "Source address", v6, fields::SOURCE_ADDRESS)?;
        self.octets(IPV6_ADDRESS, "Destination address", v6, fields::DESTINATION_ADDRESS)?;
        while EXTENSIONS.contains(&next) {
            next = self.extension()?;
        }
        if next == PROTOCOL_TCP { self.tcp() } else { None }
    }

    /// An extension header; what comes behind it.
    fn extension(&mut self) -> Option<u32> {
        const UNIT: usize = 8;
        const OUTSIDE: usize = 2;
        self.begin("IPv6 extension header");
        let next = self.number(8, "Next header", protocol, fields::PROTOCOL)?;
        let units = self.number(8, "Length", plain, fields::EXTENSION_LENGTH)? as usize;
        self.octets((units + 1) * UNIT - OUTSIDE, "Contents", opaque, fields::EXTENSION_CONTENTS)?;
        Some(next)
    }

    fn traffic_class(&mut self) -> Option<()> {
        self.number(6, "DSCP", plain, fields::DSCP)?;
        self.number(2, "ECN", ecn, fields::ECN)?;
        Some(())
    }
}

fn words(words: u32) -> String {
    format!("{words} words")
}

fn v6(octets: &[u8]) -> String {
    Ipv6Addr::from(<[u8; IPV6_ADDRESS]>::try_from(octets).unwrap_or_default()).to_string()
}

fn protocol(number: u32) -> String {
    match number {
        1 => "1, ICMP".to_owned(),
        PROTOCOL_TCP => "6, TCP".to_owned(),
        58 => "58, ICMPv6".to_owned(),
        other => other.to_string(),
    }
}

fn ecn(bits: u32) -> String {
    let name = match bits {
        0 => "not used",
        3 => "congested",
        _ => "capable",
    };
    format!("{bits}, {name}")
}
