use super::*;
use crate::packet::ip::IpFields;
use crate::packet::{self, Addresses, Ports, TransportChecksum};
use crate::tcp::options::OptionsBuilder;
use crate::tcp::{Flags, Opt, Options, Segment, SeqNum, UnscaledWindow};

const V4: Addresses = Addresses::V4 {
    source: std::net::Ipv4Addr::new(192, 0, 2, 1),
    destination: std::net::Ipv4Addr::new(192, 0, 2, 2),
};
const V6: Addresses =
    Addresses::V6 { source: std::net::Ipv6Addr::LOCALHOST, destination: std::net::Ipv6Addr::LOCALHOST };

fn packet(addresses: Addresses, segment: &Segment, text: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 200];
    let ports = Ports { source: 40_000, destination: 80 };
    let len = packet::emit(&IpFields::new(addresses), ports, segment, text, &mut packet).unwrap();
    packet.truncate(len);
    packet
}

/// Options as a SYN and a later segment carry them, and every other shape there is.
fn option_lists() -> Vec<Options> {
    let all = [
        Opt::Mss(1460),
        Opt::Nop,
        Opt::WindowScale(7),
        Opt::SackPermitted,
        Opt::Timestamps { value: 7, echo: 9 },
    ];
    let usual =
        all.iter().fold(OptionsBuilder::default(), |list, option| list.push(*option).unwrap()).build();
    let raw: [&[u8]; 7] = [
        &[],
        &[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
        &[254, 4, 1, 2],
        &[0, 7, 7, 7],
        &[2, 0, 0, 0],
        &[1, 1, 1, 8],
        &[2, 200, 1, 1],
    ];
    raw.iter().map(|raw| Options::from_wire(raw).unwrap()).chain([usual]).collect()
}

#[track_caller]
fn assert_each_bit_once(packet: &[u8]) {
    let mut next = 0;
    for field in headers(packet).iter().flat_map(|header| &header.fields) {
        assert_eq!(field.start, next, "{} of {packet:02x?}", field.name);
        assert!(field.bits > 0 && !field.note.is_empty(), "{}", field.name);
        next += field.bits;
    }
    assert_eq!(next, within(packet).len() * OCTET, "{packet:02x?}");
}

fn value<'h>(headers: &'h [Header], header: &str, name: &str) -> &'h str {
    let found = headers.iter().filter(|h| h.name == header).flat_map(|h| &h.fields);
    &found.into_iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{header}: {name}")).value
}

#[test]
fn fields_cover_each_bit_once() {
    for (addresses, options) in [V4, V6].iter().flat_map(|a| option_lists().into_iter().map(move |o| (a, o)))
    {
        let segment = Segment { options, text_len: 5, ..Segment::default() };
        let whole = packet(*addresses, &segment, b"hello");
        for len in 0..=whole.len() {
            assert_each_bit_once(&whole[..len]); // however much of it was kept
        }
    }
}

#[test]
fn octets_without_sense_are_covered_too() {
    for first in 0..=u8::MAX {
        for fill in [0, 1, 6, 0x2b, 0xff] {
            let mut octets = [fill; 90];
            octets[0] = first;
            assert_each_bit_once(&octets);
        }
    }
}

#[test]
fn values_are_those_of_the_parsed_segment() {
    let segment = Segment {
        seq: SeqNum(4_294_967_295),
        ack: SeqNum(4322),
        flags: Flags::SYN | Flags::ACK | Flags::ECE,
        window: UnscaledWindow(64_240),
        options: option_lists().pop().unwrap(),
        ..Segment::default()
    };
    let octets = packet(V4, &segment, b"");
    let ip = packet::ip::parse(&octets).unwrap();
    let tcp = packet::tcp::parse(ip.payload, ip.addresses, TransportChecksum::Complete).unwrap();
    let headers = headers(&octets);
    let tcp_value = |name| value(&headers, "TCP header", name).to_owned();
    assert_eq!(tcp_value("Source port"), tcp.ports.source.to_string());
    assert_eq!(tcp_value("Destination port"), tcp.ports.destination.to_string());
    assert_eq!(tcp_value("Sequence number"), tcp.segment.seq.to_string());
    assert_eq!(tcp_value("Acknowledgment number"), tcp.segment.ack.to_string());
    assert_eq!(tcp_value("Window"), tcp.segment.window.0.to_string());
    for (name, flag) in [
        ("SYN", Flags::SYN),
        ("ACK", Flags::ACK),
        ("ECE", Flags::ECE),
        ("FIN", Flags::FIN),
        ("AE", Flags::AE),
    ] {
        assert_eq!(tcp_value(name), u8::from(tcp.segment.has(flag)).to_string(), "{name}");
    }
    assert_eq!(value(&headers, "IPv4 header", "Source address"), ip.addresses.source().to_string());
    assert_eq!(value(&headers, "IPv4 header", "Destination address"), ip.addresses.destination().to_string());
    assert_eq!(value(&headers, "IPv4 header", "Time to live"), ip.ttl.to_string());
    assert_eq!(value(&headers, "TCP options", "MSS"), "1460");
    assert_eq!(value(&headers, "TCP options", "Shift"), "7");
    assert_eq!(value(&headers, "TCP options", "Timestamp value"), "7");
    assert_eq!(value(&headers, "TCP options", "Timestamp echo"), "9");
}

#[test]
fn ipv6_addresses_and_text_are_read() {
    let segment = Segment { text_len: 2, ..Segment::default() };
    let octets = packet(V6, &segment, b"hi");
    let headers = headers(&octets);
    assert_eq!(value(&headers, "IPv6 header", "Source address"), "::1");
    assert_eq!(value(&headers, "IPv6 header", "Payload length"), "22 octets");
    assert_eq!(value(&headers, "Text", "Text"), "2 octets: 0x6869");
}
