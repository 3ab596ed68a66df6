//! Every format and every link that a capture may have, and which segments are one connection.

use pcap_file::DataLink;
use tcpshake::capture::{CaptureError, survey as read};
use tcpshake::record::connection::{Beginning, Finish};
use tcpshake::record::{Event, IcmpEffect};
use tcpshake::tcp::{Opt, OptionsBuilder, Segment, SeqNum, State, UnscaledWindow};

use crate::command::draw;
use crate::support::{
    ACK, CLIENT_ISS, FIN_ACK, From, MILLISECOND, Packets, RST_ACK, SERVER_ISS, SYN, SYN_ACK, Seen, client,
    server, states, steps, steps_from, survey,
};

fn whole() -> Packets {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, ACK, 1, 1, b"hello");
    packets.send(From::Server, ACK, 1, 6, b"world!");
    packets.close(5, 6);
    packets
}

#[test]
fn every_link_and_format_tells_the_same() {
    let packets = whole();
    let expected = steps(&packets.pcap(), 1);
    assert_eq!(expected.len(), 9);
    let addresses = [2; 12];
    let ethernet = [&addresses[..], &[8, 0]].concat();
    let tagged = [&addresses[..], &[0x81, 0, 0, 7, 8, 0]].concat();
    let stacked = [&addresses[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]].concat();
    let cooked = [&[0; 14][..], &[8, 0]].concat();
    let cooked2 = [&[8, 0][..], &[0; 18]].concat();
    for (link, in_front) in [
        (DataLink::ETHERNET, ethernet),
        (DataLink::ETHERNET, tagged),
        (DataLink::ETHERNET, stacked),
        (DataLink::RAW, Vec::new()),
        (DataLink::IPV4, Vec::new()),
        (DataLink::NULL, vec![2, 0, 0, 0]),
        (DataLink::LOOP, vec![0, 0, 0, 2]),
        (DataLink::LINUX_SLL, cooked),
        (DataLink::Unknown(276), cooked2),
    ] {
        assert_eq!(steps(&packets.pcap_of(link, &in_front), 1), expected, "pcap, {link:?}");
        assert_eq!(steps(&packets.pcapng(link, &in_front), 1), expected, "pcapng, {link:?}");
    }
}

#[test]
fn ipv6_is_read_as_well() {
    let (client, server) = ("[fd00::1]:40000".parse().unwrap(), "[fd00::2]:80".parse().unwrap());
    let mut packets = Packets::between(client, server);
    packets.open().close(0, 0);
    let ethernet = [&[2; 12][..], &[0x86, 0xdd]].concat();
    let connection = &survey(&packets.pcapng(DataLink::ETHERNET, &ethernet)).connections[0];
    assert_eq!((connection.local, connection.remote), (client, server));
    assert!(connection.is_whole());
}

#[test]
fn a_connection_is_counted_and_timed() {
    let contents = survey(&whole().pcap());
    let [connection] = contents.connections.as_slice() else { panic!("{contents:?}") };
    assert_eq!((connection.local, connection.remote), (client(), server()));
    assert_eq!((connection.sent.segments, connection.sent.octets), (5, 5));
    assert_eq!((connection.received.segments, connection.received.octets), (4, 6));
    assert_eq!((connection.at.as_secs(), connection.lasted), (1_000_000_000, MILLISECOND * 8));
    assert_eq!((connection.beginning, connection.finish), (Beginning::Opened, Finish::Closed));
}

#[test]
fn packets_that_were_cut_are_drawn_with_the_lengths_they_had() {
    let mut packets = whole();
    for seen in &mut packets.seen {
        seen.octets.truncate(40);
    }
    let cut = steps(&packets.pcap(), 1);
    assert_eq!(states(&cut), states(&steps(&whole().pcap(), 1)));
    assert_eq!(survey(&packets.pcap()).connections, survey(&whole().pcap()).connections);
}

/// Who talks to the same peer again starts from SYN, with another number.
#[test]
fn a_port_used_again_is_another_connection() {
    let mut packets = Packets::default();
    packets.open().close(0, 0);
    packets.send(From::Client, SYN, 70_000, 0, b"");
    packets.send(From::Client, SYN, 70_000, 0, b""); // the same SYN again is not a third
    packets.send(From::Server, RST_ACK, 0, 70_001, b"");
    let contents = survey(&packets.pcap());
    let found: Vec<_> = contents.connections.iter().map(|it| (it.number, it.beginning, it.finish)).collect();
    assert_eq!(found, [(1, Beginning::Opened, Finish::Closed), (2, Beginning::OneSyn, Finish::Refused)]);
    assert_eq!(steps(&packets.pcap(), 2).len(), 3);
}

#[test]
fn syns_that_cross_are_one_connection() {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"");
    packets.send(From::Server, SYN, 0, 0, b"");
    packets.send(From::Client, SYN_ACK, 0, 1, b"");
    packets.send(From::Server, SYN_ACK, 0, 1, b"");
    assert_eq!(survey(&packets.pcap()).connections.len(), 1);
    let open = (State::Established, Some(State::Established));
    assert_eq!(states(&steps(&packets.pcap(), 1)).last(), Some(&open));
}

/// Where no SYN is seen, services have the lower port, whoever speaks first.
#[test]
fn the_client_is_found_without_its_syn() {
    for from in [From::Client, From::Server] {
        let mut packets = Packets::default();
        packets.send(from, ACK, 100, 200, b"text");
        let connection = survey(&packets.pcap()).connections.remove(0);
        assert_eq!((connection.local, connection.beginning), (client(), Beginning::Unseen));
    }
    let mut packets = Packets::between(server(), client()); // a client with the lower port
    packets.send(From::Server, SYN_ACK, 0, 1, b"");
    assert_eq!(survey(&packets.pcap()).connections[0].local, server());
}

#[test]
fn a_connection_can_be_drawn_from_its_server() {
    let steps = steps_from(&whole().pcap(), 1, tcpshake::capture::Perspective::Server);
    assert_eq!(steps[0].before.state, State::Listen);
    let found: Vec<_> = steps.iter().map(|step| step.state).collect();
    use State::{CloseWait, Closed, Established, LastAck, SynReceived};
    assert_eq!(
        found,
        [
            SynReceived,
            SynReceived,
            Established,
            Established,
            Established,
            CloseWait,
            CloseWait,
            LastAck,
            Closed
        ]
    );
}

#[test]
fn what_is_not_tcp_is_counted() {
    let mut packets = whole();
    let mut udp = packets.seen[0].clone();
    udp.octets[9] = 17;
    let mut fragment = packets.seen[0].clone();
    fragment.octets[6] = 0;
    fragment.octets[7] = 1;
    packets.seen.extend([udp, fragment]);
    let contents = survey(&packets.pcap());
    assert_eq!((contents.passed_over.other, contents.passed_over.unreadable), (1, 1));
    let wireless = survey(&packets.pcap_of(DataLink::IEEE802_11, &[]));
    assert_eq!((wireless.passed_over.links, wireless.connections.len()), (11, 0));
}

#[test]
fn what_stands_before_the_damage_is_read() {
    let packets = whole();
    let file = packets.pcap();
    let cut = survey(&file[..file.len() - 1]);
    assert!(matches!(cut.damage, Some(CaptureError::CutShort)), "{:?}", cut.damage);
    assert_eq!(cut.connections[0].sent.segments, 4);
    let mut broken = packets.pcapng(DataLink::RAW, &[]);
    let len = broken.len();
    broken[len - 1] ^= 0x80; // the length at the end of the last block
    let broken = survey(&broken);
    assert!(matches!(broken.damage, Some(CaptureError::Damaged(_))), "{:?}", broken.damage);
    assert_eq!(broken.connections[0].sent.segments, 4);
    assert!(matches!(read(&b"no capture"[..]), Err(CaptureError::Unknown)));
}

/// The latest of several connections of a pair takes its segments, a FIN of the one before it included.
#[test]
fn segments_go_to_the_latest_connection() {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, SYN, 5000, 0, b"");
    packets.send(From::Server, FIN_ACK, 1, 1, b"");
    let contents = survey(&packets.pcap());
    assert_eq!(contents.connections.len(), 2);
    assert_eq!(contents.connections[1].received.segments, 1);
    let stray = Segment { seq: SeqNum(1), flags: ACK, ..Segment::default() };
    packets.segment(server(), client(), &stray, b"");
    assert_eq!(survey(&packets.pcap()).connections[1].received.segments, 2);
}

/// An ICMP error is told with the connection of the segment that it quotes.
#[test]
fn icmp_errors_belong_to_what_they_quote() {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"");
    let quoted = packets.seen[0].octets.clone();
    packets.seen.push(Seen { octets: unreachable(&quoted), ..packets.seen[0].clone() });
    packets.seen[1].original_len = packets.seen[1].octets.len();
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(steps.len(), 2);
    let Event::Icmp { error, effect } = &steps[1].event else { panic!("{steps:?}") };
    assert_eq!((error.kind, error.code, *effect), (3, 1, IcmpEffect::Noted));
    assert_eq!(survey(&packets.pcap()).passed_over.other, 0);
    let alone = Packets { seen: packets.seen[1..].to_vec(), ..Packets::default() };
    assert_eq!(survey(&alone.pcap()).passed_over.other, 1, "it quotes nothing that is known");
    assert_eq!(steps_from(&packets.pcap(), 1, tcpshake::capture::Perspective::Server).len(), 1);
}

/// Host unreachable, from a router at 10.0.0.9.
fn unreachable(quoted: &[u8]) -> Vec<u8> {
    let sum = |octets: &[u8]| !checksum(octets);
    let mut icmp = [&[3, 1, 0, 0, 0, 0, 0, 0][..], quoted].concat();
    let of_icmp = sum(&icmp);
    icmp[2..4].copy_from_slice(&of_icmp.to_be_bytes());
    let total = (20 + icmp.len()) as u16;
    let mut ip = [0x45, 0, 0, 0, 0, 7, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1];
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    let of_ip = sum(&ip);
    ip[10..12].copy_from_slice(&of_ip.to_be_bytes());
    [&ip[..], &icmp].concat()
}

/// The one's complement sum of the words (RFC 1071); an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded + (folded >> 16)) as u16
}

/// Where the options of the SYNs were cut off nobody knows what was agreed on, and no window is judged by a scale that is
/// not known: the exchange is followed to its end all the same.
#[test]
fn options_that_were_cut_off_are_not_taken_for_none() {
    const HEADERS: usize = 40;
    let mut packets = Packets::default();
    let options = OptionsBuilder::default().push(Opt::Mss(1460)).unwrap();
    let options = options.push(Opt::WindowScale(7)).unwrap().build();
    let window = UnscaledWindow(1000);
    let syn = Segment { seq: CLIENT_ISS, flags: SYN, window, options, ..Segment::default() };
    let syn_ack = Segment { seq: SERVER_ISS, ack: CLIENT_ISS + 1, flags: SYN_ACK, ..syn };
    packets.segment(client(), server(), &syn, b"").segment(server(), client(), &syn_ack, b"");
    packets.send(From::Client, ACK, 1, 1, b"");
    // Beyond the server's window as it stands, and within what it stands for.
    for n in 0..10 {
        let ack = Segment {
            seq: SERVER_ISS + 1,
            ack: CLIENT_ISS + 1 + n * 1000,
            flags: ACK,
            window: UnscaledWindow(10),
            ..Segment::default()
        };
        packets.segment(server(), client(), &ack, b"");
        packets.send(From::Client, ACK, 1 + n * 1000, 1, &[7; 1000]);
    }
    packets.close(10_000, 0);
    for seen in &mut packets.seen {
        seen.octets.truncate(HEADERS);
    }
    let steps = steps(&packets.pcap(), 1);
    assert!(steps.iter().all(|step| step.event.segment().unwrap().options.is_empty()));
    assert_eq!(states(&steps).last().unwrap(), &(State::TimeWait, Some(State::Closed)));
    let (_, ladder, _) = draw(&packets.pcap(), &["--explain"]);
    assert!(!ladder.contains("no options agreed on") && !ladder.contains("meet the peer's SYN"), "{ladder}");
}
