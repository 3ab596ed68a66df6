//! Which of our ports are used, how often, and with which numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::{Voyage, host};
use crate::peers::Kind;
use crate::verdicts::CLOSED;

/// The same target, so many times.
fn again_and_again(v6: bool, times: u32, kind: &Kind) -> Voyage {
    let mut voyage = Voyage::new(11);
    let remote = SocketAddr::new(host(v6, 1), 443);
    voyage.world.borrow_mut().settle(remote, kind.clone());
    for _ in 0..times {
        voyage.visit(remote, 0);
    }
    voyage
}

fn assert_fair(v6: bool, kind: &Kind) {
    let mut voyage = again_and_again(v6, 500, kind);
    voyage.plan.max_in_flight = 20;
    voyage.ports = (0..30).map(|n| 40_000 + 3 * n).collect();
    voyage.run();
    let world = voyage.world.borrow();
    let mut numbers = BTreeMap::new();
    for (_, tuple, iss) in &world.ledger.begun {
        let earlier = numbers.entry(tuple.0.port()).or_insert_with(Vec::new);
        if let Some(last) = earlier.last() {
            assert!(iss.after(*last), "{iss} after {last} from port {}", tuple.0.port());
        }
        earlier.push(*iss);
    }
    assert_eq!(numbers.keys().copied().collect::<Vec<_>>(), voyage.ports);
    let counts: Vec<usize> = numbers.values().map(Vec::len).collect();
    assert!(counts.iter().all(|count| (14..=20).contains(count)), "{counts:?}");
    assert!(voyage.books.told.iter().all(|told| told.outcome == CLOSED));
    assert_eq!(world.ledger.most_in_flight, 20);
}

#[test]
fn ports_take_turns_and_numbers_grow() {
    assert_fair(false, &Kind::Accepts);
}

#[test]
fn ports_take_turns_and_numbers_grow_over_ipv6() {
    assert_fair(true, &Kind::Accepts);
}

#[test]
fn ports_take_turns_where_the_peer_closes_first() {
    assert_fair(false, &Kind::ClosesFirst(Duration::ZERO));
}

/// More may be in flight than there are ports: the ledger would see two between the same ends.
#[test]
fn with_few_ports_the_next_exchange_waits() {
    for ports in [1, 5] {
        let mut voyage = again_and_again(false, 60, &Kind::Accepts);
        voyage.ports.truncate(ports);
        voyage.run();
        let world = voyage.world.borrow();
        assert_eq!(world.ledger.most_in_flight, ports);
        assert!(voyage.books.told.iter().all(|told| told.outcome == CLOSED));
    }
}

/// Targets whose ports are all taken do not hold back those that have some.
#[test]
fn a_target_without_free_ports_does_not_delay_others() {
    let mut voyage = again_and_again(false, 6, &Kind::Silent);
    voyage.ports.truncate(2);
    let others: Vec<_> = (0..10).map(|_| voyage.meet(false, Kind::Accepts, 0)).collect();
    voyage.run();
    let world = voyage.world.borrow();
    let begun = world.ledger.begun.iter().filter(|(_, tuple, _)| others.contains(&tuple.1));
    let late: Vec<_> = begun.map(|(at, ..)| at.since(crate::limits::moment(1000))).collect();
    assert!(late.len() == 10 && late.iter().all(|late| *late < Duration::from_millis(100)), "{late:?}");
}

/// One port is enough for any number of targets at a time.
#[test]
fn one_port_serves_many_targets_at_a_time() {
    let mut voyage = Voyage::new(12);
    voyage.ports = vec![54_321];
    for n in 0..300 {
        voyage.meet(n % 3 == 0, Kind::Accepts, 0);
    }
    voyage.run();
    assert_eq!(voyage.world.borrow().ledger.most_in_flight, 300);
    assert!(voyage.books.told.iter().all(|told| told.outcome == CLOSED));
}

/// Nobody can tell one tuple's number from another's: with one key, numbers are spread.
#[test]
fn numbers_of_different_targets_are_spread() {
    let mut voyage = Voyage::new(12);
    for _ in 0..256 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.run();
    let world = voyage.world.borrow();
    let tops: BTreeSet<u32> = world.ledger.begun.iter().map(|(_, _, iss)| iss.0 >> 24).collect();
    assert!(tops.len() > 120, "{} different top octets", tops.len());
}
