//! Rubbish and forgeries, between the packets of real exchanges: nothing panics, and what is real goes its way.

use std::net::SocketAddr;

use tcpshake::tcp::{Flags, Options, Segment, SeqNum, UnscaledWindow};
use tcpshake::time::Instant;

use crate::harness::{Voyage, host, local};
use crate::packets::{icmp, write};
use crate::peers::Kind;
use crate::random::Random;
use crate::verdicts::CLOSED;

const PEERS: u32 = 100;

fn random_segment(random: &mut Random) -> Segment {
    let options: Vec<u8> = (0..random.below(41)).map(|_| random.next() as u8).collect();
    Segment {
        seq: SeqNum(random.next() as u32),
        ack: SeqNum(random.next() as u32),
        flags: Flags::from_bits(random.next() as u16),
        window: UnscaledWindow(random.next() as u16),
        urgent: random.next() as u16,
        options: if random.percent(50) { Options::from_wire(&options).unwrap() } else { Options::NONE },
        text_len: random.below(300) as u32,
    }
}

/// From a peer that exists, or from anybody; to a port of ours.
fn ends(random: &mut Random, v6: bool) -> (SocketAddr, SocketAddr) {
    let n = if random.percent(80) { random.below(u64::from(PEERS)) as u32 + 1 } else { 5000 };
    let remote = SocketAddr::new(host(v6, n), 80);
    (remote, SocketAddr::new(local(remote.ip()), 40_000 + random.below(40) as u16))
}

/// Nothing protects an open under way from a SYN between the right ends (RFC 9293 section 3.5: both open), so there
/// is none among the forgeries: it comes with an ACK.
fn forged_segment(random: &mut Random, v6: bool) -> Vec<u8> {
    let (from, to) = ends(random, v6);
    let mut segment = random_segment(random);
    if segment.has(Flags::SYN) {
        segment.flags |= Flags::ACK;
    }
    let text: Vec<u8> = (0..segment.text_len).map(|_| random.next() as u8).collect();
    write(from, to, &segment, &text)
}

fn forged_icmp(random: &mut Random, v6: bool) -> Vec<u8> {
    let (remote, ours) = ends(random, v6);
    let quoted = write(ours, remote, &Segment { text_len: 0, ..random_segment(random) }, b"");
    let kind = if v6 { 1 + random.below(4) as u8 } else { [3, 4, 11, 12][random.below(4) as usize] };
    icmp(remote.ip(), ours.ip(), (kind, random.below(14) as u8), &quoted)
}

fn random_octets(random: &mut Random) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..random.below(120)).map(|_| random.next() as u8).collect();
    if let Some(first) = octets.first_mut().filter(|_| random.percent(80)) {
        *first = if random.percent(50) { 0x45 } else { 0x60 };
    }
    octets
}

fn rubbish(random: &mut Random, v6: bool) -> Vec<u8> {
    match random.below(10) {
        0..=4 => forged_segment(random, v6),
        5 | 6 => forged_icmp(random, v6),
        7 => random_octets(random),
        8 => {
            let mut octets = forged_segment(random, v6);
            octets.truncate(random.below(octets.len() as u64) as usize);
            octets
        }
        _ => {
            let mut octets =
                if random.percent(50) { forged_segment(random, v6) } else { forged_icmp(random, v6) };
            let at = random.below(octets.len() as u64) as usize;
            octets[at] ^= 1 << random.below(8);
            octets
        }
    }
}

fn assert_forgeries_change_nothing(seed: u64, v6: bool) {
    let mut voyage = Voyage::new(seed);
    let mut random = Random(seed);
    voyage.retries(8);
    voyage.plan.timeout = std::time::Duration::from_secs(200);
    let kinds =
        [Kind::Accepts, Kind::Silent, Kind::Greets(vec![b"hello".to_vec()], std::time::Duration::ZERO)];
    for n in 0..PEERS {
        voyage.meet(v6, kinds[n as usize % 3].clone(), 0);
    }
    voyage.world.borrow_mut().out.lost = 10;
    for _ in 0..10_000 {
        let at = Instant::from_nanos(1_000_000_000 + random.below(4_000_000_000));
        let octets = rubbish(&mut random, v6);
        voyage.world.borrow_mut().inject(at, octets);
    }
    voyage.run();
    for told in &voyage.books.told {
        let silent = matches!(told.outcome, tcpshake::record::Outcome::Silent { .. });
        let right = if told.target % 3 == 1 { silent } else { told.outcome == CLOSED };
        assert!(right, "{} {:?}", told.target, told.outcome);
        assert!(!told.kept.packets.is_empty());
    }
}

#[test]
fn forgeries_change_nothing() {
    assert_forgeries_change_nothing(31, false);
}

#[test]
fn forgeries_change_nothing_over_ipv6() {
    assert_forgeries_change_nothing(32, true);
}

/// Even where a SYN of somebody else's is taken for the peer's, all is told once and nothing hangs.
#[test]
fn forged_syns_between_the_right_ends_are_survived() {
    let mut voyage = Voyage::new(33);
    let mut random = Random(33);
    for _ in 0..PEERS {
        voyage.meet(false, Kind::Accepts, 0);
    }
    for _ in 0..5000 {
        let (from, to) = ends(&mut random, false);
        let segment = Segment { flags: Flags::SYN, text_len: 0, ..random_segment(&mut random) };
        let at = Instant::from_nanos(1_000_000_000 + random.below(200_000_000));
        voyage.world.borrow_mut().inject(at, write(from, to, &segment, b""));
    }
    voyage.run();
    assert_eq!(voyage.books.told.len(), PEERS as usize);
}
