//! Octets as they come from a network or a file are read without harm, and what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcpshake::capture;
use tcpshake::packet::checksum::Sum;
use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{IpPacket, Protocol, TcpPacket, TransportChecksum, captured, emit, icmp, tcp};
use tcpshake_fuzz::tally;

fuzz_target!(|input: &[u8]| {
    let Some((how, octets)) = input.split_first() else { return };
    match how & 3 {
        0 => read(octets),
        1 => read(&mended(octets)),
        2 => read_capture(octets),
        _ => read_capture(&capture_of(*how, &mended(octets))),
    }
    tally::count(1);
});

/// Every way in.
fn read(octets: &[u8]) {
    let capture = captured::parse(octets, octets.len() + 1);
    let Ok(packet) = ip::parse(octets) else {
        let _ = ip::parse_quoted(octets);
        return;
    };
    let _ = icmp::parse(&packet).map(|error| error.map(|error| (error.severity(), error.to_string())));
    if packet.protocol != Protocol::Tcp {
        return;
    }
    let complete = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete);
    let Ok(read) = tcp::parse(packet.payload, packet.addresses, TransportChecksum::LeftToCard) else {
        assert!(complete.is_err(), "read only if its checksum is looked at");
        return;
    };
    assert!(complete.is_err() || complete == Ok(read));
    let captured = capture.expect("what can be read can be read from a capture").expect("a segment");
    assert_eq!((captured.segment, captured.text), (read.segment, read.text));
    let options = &read.segment.options;
    let _ = (read.segment.to_string(), options.syn(), options.timestamps(), options.sack_blocks().count());
    write_and_read(&packet, &read);
}

/// What we write is read as what it was.
fn write_and_read(packet: &IpPacket, read: &TcpPacket) {
    let fields = IpFields { ttl: packet.ttl, tos: packet.tos, ..IpFields::new(packet.addresses) };
    let mut buffer = [0; 4096];
    let Ok(len) = emit(&fields, read.ports, &read.segment, read.text, &mut buffer) else {
        assert!(read.text.len() > 3000, "no room for a small segment");
        return;
    };
    let again = ip::parse(&buffer[..len]).expect("our own packet");
    assert_eq!((again.addresses, again.ttl, again.tos), (packet.addresses, packet.ttl, packet.tos));
    let segment = tcp::parse(again.payload, again.addresses, TransportChecksum::Complete);
    assert_eq!(segment.as_ref(), Ok(read));
}

/// The same with checksums that verify, so that a mutation is not lost on them.
fn mended(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    if let Some(first) = octets.first()
        && first >> 4 == 4
    {
        let header_len = usize::from(first & 0xf) * 4;
        mend(&mut octets, 0..header_len, 10, Sum::default());
    }
    let Ok(packet) = ip::parse(&octets) else { return octets };
    let (len, addresses) = (packet.payload.len(), packet.addresses);
    let (at, sum) = match packet.protocol {
        Protocol::Tcp => (16, Sum::default().pseudo_header(addresses, 6, len)),
        Protocol::Icmp => (2, Sum::default()),
        Protocol::Icmpv6 => (2, Sum::default().pseudo_header(addresses, 58, len)),
        Protocol::Other(_) => return octets,
    };
    let end = ip::within(&octets).len();
    mend(&mut octets, end - len..end, at, sum);
    octets
}

fn mend(octets: &mut [u8], range: std::ops::Range<usize>, at: usize, sum: Sum) {
    let Some(part) = octets.get_mut(range).filter(|part| part.len() >= at + 2) else { return };
    part[at..at + 2].fill(0);
    let checksum = sum.octets(part).checksum();
    part[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// Either it is no capture, or all of it is read up to the first damage.
fn read_capture(octets: &[u8]) {
    if let Ok(contents) = capture::survey(octets) {
        assert!(contents.connections.len() <= octets.len() / 20, "more connections than segments");
    }
}

/// A capture that holds one frame, of any link type that can be read.
fn capture_of(choice: u8, frame: &[u8]) -> Vec<u8> {
    const LINKS: [u32; 8] = [1, 101, 0, 113, 276, 12, 108, 228];
    const MAGIC: u32 = 0xa1b2_c3d4;
    let link = LINKS[usize::from(choice >> 2 & 7)];
    let len = frame.len() as u32;
    let mut capture = Vec::with_capacity(40 + frame.len());
    for word in [MAGIC, 0x0002_0004, 0, 0, 0xffff, link, 0, 0, len, len] {
        capture.extend(u32::to_be_bytes(word));
    }
    capture.extend(frame);
    capture
}
