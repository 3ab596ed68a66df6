//! Packets that are of no exchange: what is ours is answered as in CLOSED, what is not is left alone.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::driver::Linger;
use tcpshake::tcp::{Flags, Segment, SeqNum, UnscaledWindow, answer_in_closed};

use crate::harness::{Voyage, local};
use crate::limits::moment;
use crate::packets::{Seen, write};
use crate::peers::Kind;
use crate::verdicts::CLOSED;

const KINDS: [(Flags, u32); 9] = [
    (Flags::SYN, 0),
    (Flags::ACK, 0),
    (Flags::FIN, 0),
    (Flags::NONE, 0),
    (Flags::PSH, 5),
    (Flags::URG, 1),
    (Flags::ECE, 0),
    (Flags::AE, 0),
    (Flags::CWR, 3),
];

fn segment(flags: Flags, text_len: u32) -> Segment {
    let (seq, ack) = (SeqNum(u32::MAX - 1), SeqNum(77));
    Segment { seq, ack, flags, window: UnscaledWindow(1000), text_len, ..Segment::default() }
}

/// All kinds of segments, with and without ACK.
fn segments() -> Vec<Segment> {
    let both = |(flags, len)| [segment(flags, len), segment(flags | Flags::ACK, len)];
    KINDS.into_iter().flat_map(both).collect()
}

fn stranger(v6: bool) -> SocketAddr {
    if v6 { "[fd77::1]:4444".parse().unwrap() } else { "192.0.2.1:4444".parse().unwrap() }
}

/// Ten seconds, in both families, on three ports with others between them.
fn ten_seconds() -> Voyage {
    let mut voyage = Voyage::new(21);
    voyage.ports = vec![40_000, 40_002, 40_010];
    voyage.retries(10);
    voyage.meet(false, Kind::Silent, 0);
    voyage.meet(true, Kind::Silent, 0);
    voyage
}

fn inject(voyage: &Voyage, at: u64, from: SocketAddr, to: SocketAddr, segment: &Segment) {
    let text = vec![b'x'; segment.text_len as usize];
    voyage.world.borrow_mut().inject(moment(at), write(from, to, segment, &text));
}

/// Whatever was sent to anybody but the peers of our exchanges.
fn answers(voyage: &Voyage) -> Vec<Seen> {
    let peers: Vec<SocketAddr> = voyage.books.told.iter().map(|told| told.tuple.1).collect();
    voyage.sent().into_iter().map(|(_, seen)| seen).filter(|seen| !peers.contains(&seen.to)).collect()
}

#[test]
fn what_goes_to_other_ports_or_addresses_is_left_alone() {
    let mut voyage = ten_seconds();
    for v6 in [false, true] {
        let ours = local(stranger(v6).ip());
        for port in [1, 22, 39_999, 40_001, 40_005, 40_009, 40_011, 65_535] {
            for segment in segments() {
                inject(&voyage, 3000, stranger(v6), SocketAddr::new(ours, port), &segment);
            }
        }
    }
    for other in ["10.99.0.2:40000", "10.98.0.1:40002", "[fd99::2]:40000", "[fd99::]:40010"] {
        let other: SocketAddr = other.parse().unwrap();
        for segment in segments() {
            inject(&voyage, 3000, stranger(other.is_ipv6()), other, &segment);
        }
    }
    voyage.run();
    assert_eq!(answers(&voyage).len(), 0);
    assert_eq!(voyage.sent().len(), 2 * voyage.told(0).syns as usize);
}

#[test]
fn a_stray_segment_to_a_port_of_ours_gets_one_rst_and_a_rst_gets_none() {
    for v6 in [false, true] {
        let mut voyage = ten_seconds();
        let mut expected = Vec::new();
        for (n, segment) in segments().into_iter().enumerate() {
            let to = SocketAddr::new(local(stranger(v6).ip()), voyage.ports[n % 3]);
            inject(&voyage, 2500 + 10 * n as u64, stranger(v6), to, &segment);
            expected.push((to, answer_in_closed(&segment).0.unwrap()));
            for reset in [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN] {
                let reset = Segment { flags: reset, text_len: 0, ..segment };
                inject(&voyage, 2505 + 10 * n as u64, stranger(v6), to, &reset);
            }
        }
        voyage.run();
        let answers: Vec<_> = answers(&voyage).into_iter().map(|seen| (seen.from, seen.segment)).collect();
        let plain =
            |(from, segment): &(SocketAddr, Segment)| (*from, segment.flags, segment.seq, segment.ack);
        assert_eq!(
            answers.iter().map(plain).collect::<Vec<_>>(),
            expected.iter().map(plain).collect::<Vec<_>>()
        );
    }
}

/// MUST-57, MUST-63: nothing is sent to what is no host, nor to ourselves.
#[test]
fn strays_from_what_is_no_host_are_left_alone() {
    let mut voyage = ten_seconds();
    for from in ["224.0.0.1:5", "255.255.255.255:5", "0.0.0.0:5", "[ff02::1]:5", "[::]:5"] {
        let from: SocketAddr = from.parse().unwrap();
        let to = SocketAddr::new(local(from.ip()), 40_000);
        for segment in segments() {
            inject(&voyage, 3000, from, to, &segment);
        }
    }
    voyage.run();
    assert_eq!(answers(&voyage).len(), 0, "{:?}", answers(&voyage)[0]);
}

/// A segment that seems to come from our own port and address is no reason to talk to ourselves.
#[test]
fn who_seems_to_be_ourselves_gets_one_answer_at_most() {
    let mut voyage = ten_seconds();
    let ours = SocketAddr::new(local(stranger(false).ip()), 40_000);
    inject(&voyage, 3000, ours, ours, &segment(Flags::SYN, 0));
    voyage.run();
    assert!(answers(&voyage).len() <= 1);
}

/// In what is kept of TIME-WAIT a repeated FIN is acknowledged; after it, it is a stray.
#[test]
fn a_repeated_fin_is_acknowledged_while_time_wait_is_kept() {
    let mut voyage = Voyage::new(22);
    voyage.plan.linger = Linger::For(Duration::from_secs(2));
    voyage.retries(10);
    let remote = voyage.meet(false, Kind::Accepts, 0);
    voyage.meet(false, Kind::Silent, 0);
    voyage.world.borrow_mut().cut_at(moment(1500)); // the peer, long closed, would answer by a RST
    let mut probe = Voyage::new(22);
    probe.meet(false, Kind::Accepts, 0);
    probe.run(); // the same seed: the same numbers
    let received = probe.received();
    let (_, fin) = received.iter().find(|(_, seen)| seen.segment.has(Flags::FIN)).unwrap();
    for at in [2000, 2900, 4000, 5000] {
        inject(&voyage, at, fin.from, fin.to, &fin.segment);
    }
    voyage.run();
    assert_eq!(voyage.outcome(0), &CLOSED);
    let late = voyage.sent().into_iter().filter(|(at, seen)| *at >= moment(2000) && seen.to == remote);
    let flags: Vec<String> = late.map(|(_, seen)| seen.segment.flags.short()).collect();
    assert_eq!(flags, [".", ".", "R", "R"]);
}

/// A RST of the kernel's is counted, and changes nothing.
#[test]
fn resets_of_the_kernel_are_counted() {
    let mut voyage = ten_seconds();
    let peer = voyage.meet(false, Kind::Accepts, 0);
    let ours = SocketAddr::new(local(peer.ip()), 40_000);
    for at in [1500, 2500, 2600] {
        let reset = write(ours, peer, &segment(Flags::RST, 0), b"");
        voyage.world.borrow_mut().kernel_at(moment(at), reset);
    }
    let done = voyage.run();
    assert_eq!(done.kernel_resets, 3);
    assert_eq!(voyage.outcome(2), &CLOSED);
}
