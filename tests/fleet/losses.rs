//! A bad network: what is told stays true, and nobody is left behind.

use std::collections::HashMap;
use std::time::Duration;

use tcpshake::record::Outcome;
use tcpshake::tcp::{Flags, SeqNum, State};
use tcpshake::time::Instant;

use crate::harness::{Told, Voyage};
use crate::network::Tuple;
use crate::packets::Seen;
use crate::peers::Kind;
use crate::verdicts::CLOSED;

fn kinds() -> [Kind; 6] {
    [
        Kind::Accepts,
        Kind::Twice,
        Kind::ClosesFirst(Duration::from_millis(5)),
        Kind::Accepts,
        Kind::Silent,
        Kind::Refuses,
    ]
}

fn rough(seed: u64, v6: bool, peers: u32, lost: u64) -> Voyage {
    let mut voyage = Voyage::new(seed);
    voyage.retries(12);
    voyage.plan.timeout = Duration::from_secs(3600);
    voyage.plan.max_in_flight = 500;
    let kinds = kinds();
    let remotes: Vec<_> =
        (0..peers).map(|n| voyage.meet(v6, kinds[n as usize % kinds.len()].clone(), 0)).collect();
    for remote in remotes {
        voyage.visit(remote, 0);
    }
    let mut world = voyage.world.borrow_mut();
    world.out.lost = lost;
    world.back.lost = lost;
    (world.out.late, world.back.late) = (10, 10);
    (world.out.twice, world.back.twice) = (5, 5);
    drop(world);
    voyage
}

/// Segments of one exchange, in both directions, by its tuple and our initial number.
struct Evidence {
    sent: Vec<(Instant, Seen)>,
    received: Vec<(Instant, Seen)>,
}

fn by_tuple(voyage: &Voyage) -> HashMap<Tuple, Evidence> {
    let mut all: HashMap<Tuple, Evidence> = HashMap::new();
    let none = || Evidence { sent: Vec::new(), received: Vec::new() };
    for (at, seen) in voyage.sent() {
        all.entry((seen.from, seen.to)).or_insert_with(none).sent.push((at, seen));
    }
    for (at, seen) in voyage.received() {
        all.entry((seen.to, seen.from)).or_insert_with(none).received.push((at, seen));
    }
    all
}

impl Evidence {
    fn came(&self, until: Instant, what: impl Fn(&Seen) -> bool) -> bool {
        self.received.iter().any(|(at, seen)| *at <= until && what(seen))
    }

    fn left(&self, until: Instant, what: impl Fn(&Seen) -> bool) -> bool {
        self.sent.iter().any(|(at, seen)| *at <= until && what(seen))
    }

    fn assert_true(&self, told: &Told, iss: SeqNum) {
        let answered = |seen: &Seen| {
            let flags = seen.segment.has(Flags::SYN | Flags::ACK);
            flags && seen.segment.ack == iss + 1
        };
        let open = self.came(told.at, answered);
        match &told.outcome {
            outcome if *outcome == CLOSED => self.assert_closed(told, iss),
            Outcome::Silent { .. } => assert!(!open, "{told:?}"),
            Outcome::Refused => {
                let refuses = |seen: &Seen| seen.segment.has(Flags::RST) && seen.segment.ack == iss + 1;
                assert!(!open && self.came(told.at, refuses), "{told:?}");
            }
            outcome => panic!("neither closed, refused nor silent: {outcome:?}"),
        }
    }

    fn assert_closed(&self, told: &Told, iss: SeqNum) {
        let acknowledges = |seen: &Seen| seen.segment.has(Flags::ACK) && seen.segment.ack == iss + 2;
        assert!(self.came(told.at, acknowledges), "our FIN was not acknowledged: {told:?}");
        let fins = self.received.iter().filter(|(at, seen)| *at <= told.at && seen.segment.has(Flags::FIN));
        let acknowledged = |(_, fin): &(Instant, Seen)| {
            self.left(told.at, |ours| ours.segment.has(Flags::ACK) && ours.segment.ack == fin.segment.end())
        };
        assert!(fins.clone().any(acknowledged), "the peer's FIN was not acknowledged: {told:?}");
        let fits = [State::LastAck, State::Closed, State::TimeWait, State::Closing];
        assert!(fits.contains(&told.peer), "{told:?}");
    }
}

pub(crate) fn assert_all_true(voyage: &Voyage) {
    let evidence = by_tuple(voyage);
    let world = voyage.world.borrow();
    for told in &voyage.books.told {
        let mut of_tuple = world.ledger.begun.iter().filter(|(_, tuple, _)| *tuple == told.tuple);
        let (_, _, iss) = of_tuple.rfind(|(at, ..)| *at < told.at).unwrap();
        evidence[&told.tuple].assert_true(told, *iss);
    }
}

pub(crate) fn assert_nobody_is_left(voyage: &Voyage) {
    voyage.world.borrow_mut().run_out();
    for (tuple, state) in voyage.world.borrow().states() {
        let over = [State::Closed, State::TimeWait, State::Listen];
        assert!(over.contains(&state), "{tuple:?} is left in {state}");
    }
}

fn assert_withstands(seed: u64, v6: bool, peers: u32, lost: u64) {
    let mut voyage = rough(seed, v6, peers, lost);
    voyage.run();
    assert_eq!(voyage.books.told.len(), 2 * peers as usize);
    assert_all_true(&voyage);
    let closed = voyage.books.told.iter().filter(|told| told.outcome == CLOSED).count();
    assert!(closed * 100 >= voyage.books.told.len() * 65, "{closed} of four in six opened and closed");
    assert_nobody_is_left(&voyage);
}

#[test]
fn every_verdict_is_true_at_thirty_percent_loss() {
    assert_withstands(0x5eed, false, 1000, 30);
}

#[test]
fn every_verdict_is_true_at_thirty_percent_loss_over_ipv6() {
    assert_withstands(6, true, 200, 30);
}

#[test]
fn every_verdict_is_true_whatever_the_seed() {
    for seed in 100..120 {
        assert_withstands(seed, false, 24, 25);
    }
}

/// Invariant 5: the same seed gives the same packets, byte for byte, at the same moments.
#[test]
fn the_same_seed_gives_the_same_packets() {
    let transcript = |seed| {
        let mut voyage = rough(seed, seed % 2 == 0, 60, 20);
        voyage.run();
        let packets = |logged: &crate::world::Logged| (logged.at, logged.octets.clone());
        let packets: Vec<_> = voyage.world.borrow().log.iter().map(packets).collect();
        (packets, voyage.books.told.clone())
    };
    for seed in [8, 9] {
        let (first, second) = (transcript(seed), transcript(seed));
        assert!(first.0.len() > 500);
        assert!(first == second, "seed {seed}");
    }
    assert!(transcript(8).0 != transcript(9).0);
}
