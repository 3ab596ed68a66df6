//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{OCTET, Reader, WORD, hexadecimal, opaque, plain, plural};

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
        self.number(4, "Version", plain, VERSION)?;
        let words = self.number(4, "Length", words, LENGTH)? as usize;
        self.traffic_class()?;
        self.number(16, "Total length", |octets| plural(octets as usize, "octet"), TOTAL_LENGTH)?;
        self.number(16, "Identification", hexadecimal, IDENTIFICATION)?;
        self.number(1, "Reserved", plain, "Must be zero.")?;
        self.number(
            1,
            "DF",
            plain,
            "Do not fragment: a router that cannot pass the packet on whole says so.",
        )?;
        self.number(1, "MF", plain, "More fragments follow. Zero in a packet that is whole.")?;
        let offset = self.number(13, "Fragment offset", plain, FRAGMENT_OFFSET)?;
        self.number(8, "Time to live", plain, TIME_TO_LIVE)?;
        let protocol = self.number(8, "Protocol", protocol, PROTOCOL)?;
        self.number(16, "Header checksum", hexadecimal, HEADER_CHECKSUM)?;
        self.number(WORD, "Source address", |bits| Ipv4Addr::from(bits).to_string(), SOURCE)?;
        self.number(WORD, "Destination address", |bits| Ipv4Addr::from(bits).to_string(), DESTINATION)?;
        let options = words.checked_sub(IPV4_WORDS)? * WORD / OCTET;
        self.octets(options, "Options", opaque, "Rarely seen, and often dropped on the way.")?;
        if protocol == PROTOCOL_TCP && offset == 0 { self.tcp() } else { None }
    }

    fn v6(&mut self) -> Option<()> {
        self.begin("IPv6 header");
        self.number(4, "Version", plain, VERSION)?;
        self.traffic_class()?;
        self.number(20, "Flow label", |label| format!("0x{label:05x}"), FLOW_LABEL)?;
        self.number(16, "Payload length", |octets| plural(octets as usize, "octet"), PAYLOAD_LENGTH)?;
        let mut next = self.number(8, "Next header", protocol, PROTOCOL)?;
        self.number(8, "Hop limit", plain, TIME_TO_LIVE)?;
        self.octets(IPV6_ADDRESS, "Source address", v6, SOURCE)?;
        self.octets(IPV6_ADDRESS, "Destination address", v6, DESTINATION)?;
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
        let next = self.number(8, "Next header", protocol, PROTOCOL)?;
        let units = self.number(8, "Length", plain, EXTENSION_LENGTH)? as usize;
        self.octets(
            (units + 1) * UNIT - OUTSIDE,
            "Contents",
            opaque,
            "What a router or the receiver is asked to do.",
        )?;
        Some(next)
    }

    fn traffic_class(&mut self) -> Option<()> {
        self.number(
            6,
            "DSCP",
            plain,
            "Differentiated services (RFC 2474): which treatment is asked of routers.",
        )?;
        self.number(2, "ECN", ecn, "Explicit congestion notification (RFC 3168): whether a router may mark the packet instead of dropping it, and whether one has.")?;
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

const VERSION: &str = "Which layout follows: 4 or 6.";
const LENGTH: &str = "Length of this header in words of 32 bits; 5 where there are no options.";
const TOTAL_LENGTH: &str =
    "The whole packet: header, segment and text. What a network card pads it with is not counted.";
const IDENTIFICATION: &str = "Tells which fragments belong together. Without meaning in a packet that may not be fragmented (RFC 6864).";
const FRAGMENT_OFFSET: &str = "Where this fragment belongs, in units of 8 octets.";
const TIME_TO_LIVE: &str =
    "Each router takes one away, and drops the packet at zero: no packet circles for ever.";
const PROTOCOL: &str = "What follows this header: 6 is TCP.";
const HEADER_CHECKSUM: &str =
    "Over this header only. Each router writes it anew, since it changes the time to live.";
const SOURCE: &str = "The host that sent the packet.";
const DESTINATION: &str = "The host it is for.";
const FLOW_LABEL: &str = "The same for all packets of a flow, so that routers keep them on one path.";
const PAYLOAD_LENGTH: &str =
    "What follows this header of 40 octets. There is no checksum: TCP's own covers the addresses.";
const EXTENSION_LENGTH: &str = "Length of this extension beyond its first 8 octets, in units of 8.";
