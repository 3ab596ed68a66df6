//! Property tests: what we write reads back, by us and by two parsers we did not write; what anybody
//! sends does not panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::packet::ip::IpFields;
use crate::tcp::{Flags, Opt, Options, OptionsBuilder, Segment, SeqNum, UnscaledWindow};

fn addresses() -> impl Strategy<Value = Addresses> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(source, destination)| Addresses::V4 {
            source: source.into(),
            destination: destination.into()
        }),
        any::<([u8; 16], [u8; 16])>().prop_map(|(source, destination)| Addresses::V6 {
            source: source.into(),
            destination: destination.into()
        }),
    ]
}

/// A list of options that fits, in any order (K-16).
fn options() -> impl Strategy<Value = Options> {
    let option = prop_oneof![
        Just((1, vec![])),
        any::<[u8; 2]>().prop_map(|data| (2, data.to_vec())),
        any::<u8>().prop_map(|shift| (3, vec![shift])),
        Just((4, vec![])),
        any::<[u8; 8]>().prop_map(|data| (8, data.to_vec())),
        (9_u8..=255, proptest::collection::vec(any::<u8>(), 0..12)),
    ];
    proptest::collection::vec(option, 0..6).prop_map(|list| {
        let mut built = OptionsBuilder::default();
        for (kind, data) in &list {
            let option = if *kind == 1 { Opt::Nop } else { Opt::Unknown { kind: *kind, data } };
            built = built.push(option).unwrap_or(built);
        }
        built.build()
    })
}

prop_compose! {
    fn segment()(
        seq in any::<u32>(), ack in any::<u32>(), flags in 0..0x200_u16, window in any::<u16>(),
        urgent in any::<u16>(), options in options(), text in proptest::collection::vec(any::<u8>(), 0..300),
    ) -> (Segment, Vec<u8>) {
        let segment = Segment {
            seq: SeqNum(seq), ack: SeqNum(ack), flags: Flags::from_bits(flags), window: UnscaledWindow(window),
            urgent, options, text_len: text.len() as u32,
        };
        (segment, text)
    }
}

fn written(addresses: Addresses, ports: (u16, u16), segment: &Segment, text: &[u8]) -> Vec<u8> {
    spoiled(&IpFields::new(addresses), ports, segment, text, Defects::default())
}

fn spoiled(ip: &IpFields, ports: (u16, u16), segment: &Segment, text: &[u8], defects: Defects) -> Vec<u8> {
    let mut buffer = [0xa5; 2048];
    let ports = Ports { source: ports.0, destination: ports.1 };
    let len = emit_with(defects, ip, ports, segment, text, &mut buffer).unwrap();
    buffer[..len].to_vec()
}

/// Every way in: whatever the octets, it must come back.
fn read_anything(octets: &[u8]) {
    let Ok(packet) = ip::parse(octets) else { return };
    for checksum in [TransportChecksum::Complete, TransportChecksum::LeftToCard] {
        if let Ok(tcp) = tcp::parse(packet.payload, packet.addresses, checksum) {
            let _ = (tcp.segment.to_string(), tcp.segment.options.syn());
        }
    }
    let _ = icmp::parse(&packet);
}

proptest! {
    /// MUST-2, MUST-5, K-16: the identity, with any options on any flags, odd and even lengths; the checksums verify.
    #[test]
    fn must_2_k16_parse_after_emit_is_the_identity(
        addresses in addresses(), ports in any::<(u16, u16)>(), (segment, text) in segment(),
    ) {
        let octets = written(addresses, ports, &segment, &text);
        let packet = ip::parse(&octets).unwrap();
        prop_assert_eq!((packet.addresses, packet.ttl, packet.protocol), (addresses, 64, Protocol::Tcp));
        let read = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).unwrap();
        prop_assert_eq!(read.segment, segment);
        prop_assert_eq!(read.text, &text[..]);
        prop_assert_eq!((read.ports.source, read.ports.destination), ports);
    }

    /// The same packet read by etherparse, which shares no code with us.
    #[test]
    fn a_stranger_reads_the_same(
        addresses in addresses(), ports in any::<(u16, u16)>(), (segment, text) in segment(),
    ) {
        let octets = written(addresses, ports, &segment, &text);
        let sliced = etherparse::SlicedPacket::from_ip(&octets).unwrap();
        let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("not tcp") };
        prop_assert_eq!((tcp.source_port(), tcp.destination_port()), ports);
        prop_assert_eq!(tcp.sequence_number(), segment.seq.0);
        prop_assert_eq!(tcp.acknowledgment_number(), segment.ack.0);
        prop_assert_eq!(tcp.window_size(), segment.window.0);
        prop_assert_eq!(tcp.urgent_pointer(), segment.urgent);
        prop_assert_eq!(tcp.syn(), segment.has(Flags::SYN));
        prop_assert_eq!(tcp.ns(), segment.has(Flags::AE));
        prop_assert_eq!(tcp.options(), segment.options.as_bytes());
        prop_assert_eq!(tcp.payload(), &text[..]);
        let checksum = match (addresses.source(), addresses.destination()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => tcp.calc_checksum_ipv4(a.octets(), b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => tcp.calc_checksum_ipv6(a.octets(), b.octets()),
            _ => unreachable!(),
        };
        prop_assert_eq!(checksum.unwrap(), tcp.checksum());
    }

    /// What is wrong on purpose is wrong as asked, and nothing else is.
    #[test]
    fn defects_are_as_asked_and_nothing_else(
        addresses in addresses(), (segment, text) in segment(), tos in any::<u8>(), offset in 0..16_u8,
        wrong in any::<bool>(),
    ) {
        let checksum = if wrong { ChecksumField::Wrong } else { ChecksumField::Right };
        let ip = IpFields { tos, ..IpFields::new(addresses) };
        let octets = spoiled(&ip, (1, 2), &segment, &text, Defects { data_offset: Some(offset), checksum });
        let right = spoiled(&ip, (1, 2), &segment, &text, Defects::default());
        let header = addresses.header_len();
        prop_assert_eq!(octets[header + 12] >> 4, offset);
        for (at, (octet, right)) in octets.iter().zip(&right).enumerate() {
            let field = [header + 12, header + 16, header + 17].contains(&at);
            prop_assert!(field || octet == right, "octet {}", at);
        }
        prop_assert_eq!(octets[header + 12] & 0xf, right[header + 12] & 0xf);
        let packet = ip::parse(&octets).unwrap();
        prop_assert_eq!(packet.tos, tos);
        let sum = checksum::Sum::default().pseudo_header(addresses, 6, packet.payload.len());
        prop_assert_eq!(sum.octets(packet.payload).verifies(), !wrong);
        if let Ok(read) = tcp::parse(packet.payload, addresses, TransportChecksum::LeftToCard) {
            let header_len = usize::from(offset) * 4;
            prop_assert_eq!(read.text, &packet.payload[header_len..]);
        }
    }

    /// Type of service and traffic class, read by etherparse.
    #[test]
    fn a_stranger_reads_the_same_type_of_service(addresses in addresses(), tos in any::<u8>()) {
        let ip = IpFields { tos, ..IpFields::new(addresses) };
        let octets = spoiled(&ip, (1, 2), &Segment::default(), b"", Defects::default());
        let read = match etherparse::SlicedPacket::from_ip(&octets).unwrap().net.unwrap() {
            etherparse::NetSlice::Ipv4(ip) => ip.header().dcp().value() << 2 | ip.header().ecn().value(),
            etherparse::NetSlice::Ipv6(ip) => ip.header().traffic_class(),
            etherparse::NetSlice::Arp(_) => unreachable!(),
        };
        prop_assert_eq!(read, tos);
    }

    /// Options pnet reads without complaint, it reads as we do.
    #[test]
    fn pnet_reads_our_options_alike((segment, text) in segment()) {
        let addresses = Addresses::V4 { source: Ipv4Addr::LOCALHOST, destination: Ipv4Addr::LOCALHOST };
        let octets = written(addresses, (1, 2), &segment, &text);
        let theirs = pnet::packet::tcp::TcpPacket::new(&octets[20..]).unwrap();
        let theirs: Vec<u8> = theirs.get_options_iter().map(|option| option.get_number().0)
            .take_while(|kind| *kind != 0).collect();
        let ours: Vec<u8> = segment.options.iter().map(|option| match option.unwrap() {
            Opt::Nop => 1,
            Opt::Mss(_) => 2,
            Opt::WindowScale(_) => 3,
            Opt::SackPermitted => 4,
            Opt::Timestamps { .. } => 8,
            Opt::Sack(_) => 5,
            Opt::Unknown { kind, .. } => kind,
        }).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn random_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), version in 0..3) {
        let mut octets = octets;
        if let (Some(first), 1..) = (octets.first_mut(), version) {
            *first = *first & 0xf | if version == 1 { 0x40 } else { 0x60 };
        }
        read_anything(&octets);
    }

    #[test]
    fn mutated_packets_never_panic(
        (segment, text) in segment(), v6 in any::<bool>(), cut in 0..400_usize,
        faults in proptest::collection::vec((0..400_usize, any::<u8>()), 1..6),
    ) {
        let addresses = if v6 {
            Addresses::V6 { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST }
        } else {
            Addresses::V4 { source: Ipv4Addr::LOCALHOST, destination: Ipv4Addr::LOCALHOST }
        };
        let mut octets = written(addresses, (1, 2), &segment, &text);
        for (at, value) in faults {
            if let Some(octet) = octets.get_mut(at) {
                *octet = value;
            }
        }
        octets.truncate(octets.len().saturating_sub(cut));
        read_anything(&octets);
    }
}
