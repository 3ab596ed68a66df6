//! How many at a time, and how many in a second.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tcpshake::driver::fleet::Rate;
use tcpshake::time::Instant;

use crate::harness::{Voyage, host};
use crate::peers::Kind;
use crate::verdicts::CLOSED;

const BURST: Duration = Duration::from_millis(20);

pub(crate) fn moment(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(millis)
}

/// When exchanges began, of those that match.
fn begun(voyage: &Voyage, matches: impl Fn(IpAddr) -> bool) -> Vec<Instant> {
    let world = voyage.world.borrow();
    let those = world.ledger.begun.iter().filter(|(_, (_, remote), _)| matches(remote.ip()));
    those.map(|(at, ..)| *at).collect()
}

/// In no second more than the rate, and what may come at once.
fn assert_within(begun: &[Instant], rate: f64) {
    let most = rate * (Duration::from_secs(1) + BURST).as_secs_f64() + 1.0;
    for (n, first) in begun.iter().enumerate() {
        let of_second = begun[n..].iter().take_while(|at| at.since(*first) < Duration::from_secs(1)).count();
        assert!(of_second as f64 <= most, "{of_second} in a second, of {rate}");
        let at_once = begun[n..].iter().take_while(|at| at.since(*first) < BURST).count();
        assert!(at_once as f64 <= 2.0 * rate * BURST.as_secs_f64() + 1.0, "{at_once} at once, of {rate}");
    }
}

/// Over all of it, no less than 98 % of the rate.
fn assert_reached(begun: &[Instant], rate: f64) {
    let took = begun[begun.len() - 1].since(begun[0]).as_secs_f64();
    let reached = (begun.len() - 1) as f64 / took;
    assert!(reached >= 0.98 * rate, "{reached} of {rate} a second");
}

#[test]
fn no_more_in_flight_than_allowed_and_no_fewer() {
    for most in [1, 17, 400] {
        let mut voyage = Voyage::new(2);
        voyage.plan.max_in_flight = most;
        voyage.plan.timeout = Duration::from_secs(1);
        for n in 0..450 {
            let kind = if n % 50 == 7 { Kind::Silent } else { Kind::Accepts };
            voyage.meet(false, kind, 0);
        }
        voyage.run();
        assert_eq!(voyage.world.borrow().ledger.most_in_flight, most as usize);
    }
}

/// As soon as one is over the next begins: nothing waits for a whole batch of them.
#[test]
fn a_place_that_is_free_is_taken_at_once() {
    let mut voyage = Voyage::new(2);
    voyage.plan.max_in_flight = 1;
    for _ in 0..50 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    let done = voyage.run();
    assert!(done.duration < Duration::from_millis(50 * 61), "{done:?}"); // two round trips and half a one
}

#[test]
fn the_rate_is_kept_and_reached() {
    for rate in [7.0, 50.0, 333.3, 1500.0] {
        let mut voyage = Voyage::new(3);
        voyage.plan.rate = Rate::per_second(rate);
        let count = (rate * 2.5) as u32;
        for n in 0..count {
            voyage.meet(n % 2 == 0, Kind::Accepts, 0);
        }
        voyage.run();
        let begun = begun(&voyage, |_| true);
        assert_eq!(begun.len(), count as usize);
        assert_within(&begun, rate);
        assert_reached(&begun, rate);
    }
}

/// Fewer than one in a second.
#[test]
fn a_rate_below_one_is_kept() {
    let mut voyage = Voyage::new(3);
    voyage.plan.rate = Rate::per_second(0.25);
    for _ in 0..4 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    let done = voyage.run();
    assert!((12_000..12_300).contains(&done.duration.as_millis()), "{done:?}");
}

/// Ten hosts with thirty ports each.
fn hosts(voyage: &mut Voyage) {
    for n in 0..300 {
        let remote = SocketAddr::new(host(n % 20 < 10, n % 10 + 1), 1000 + n as u16);
        voyage.world.borrow_mut().settle(remote, Kind::Accepts);
        voyage.visit(remote, 0);
    }
}

#[test]
fn the_rate_of_a_host_is_kept_and_reached() {
    let mut voyage = Voyage::new(4);
    voyage.plan.per_host_rate = Rate::per_second(10.0);
    hosts(&mut voyage);
    voyage.run();
    for n in 0..20 {
        let begun = begun(&voyage, |address| address == host(n < 10, n % 10 + 1));
        assert_eq!(begun.len(), 15);
        assert_within(&begun, 10.0);
        assert_reached(&begun, 10.0);
    }
}

/// A host that is not to be spoken to yet keeps nobody else waiting.
#[test]
fn one_slow_host_does_not_delay_the_others() {
    let mut voyage = Voyage::new(4);
    voyage.plan.per_host_rate = Rate::per_second(2.0);
    voyage.plan.max_in_flight = 30;
    for n in 0..20 {
        let remote = SocketAddr::new(host(false, 999_999), 1000 + n);
        voyage.world.borrow_mut().settle(remote, Kind::Accepts);
        voyage.visit(remote, 0);
    }
    for _ in 0..20 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.run();
    let others = begun(&voyage, |address| address != host(false, 999_999));
    assert_eq!(others.len(), 20);
    assert!(*others.last().unwrap() < moment(2000), "{others:?}");
}

#[test]
fn both_rates_hold_together() {
    let mut voyage = Voyage::new(5);
    voyage.plan.rate = Rate::per_second(60.0);
    voyage.plan.per_host_rate = Rate::per_second(2.0);
    hosts(&mut voyage);
    voyage.run();
    let all = begun(&voyage, |_| true);
    assert_within(&all, 60.0);
    assert_reached(&all[..20], 60.0);
    for n in 0..20 {
        assert_within(&begun(&voyage, |address| address == host(n < 10, n % 10 + 1)), 2.0);
    }
}

/// The dispatcher has nothing for a while: it is asked again when the wire is woken, and now and
/// then, but not all the time.
#[test]
fn later_is_waited_for_without_spinning() {
    let mut voyage = Voyage::new(6);
    for _ in 0..30 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.books.pause = Some((moment(0), moment(9000)));
    for at in [3000, 6000, 9000] {
        voyage.world.borrow_mut().wake_at(moment(at), None);
    }
    let done = voyage.run();
    assert_eq!(voyage.books.told.iter().filter(|told| told.outcome == CLOSED).count(), 30);
    assert_eq!(done.signal, None);
    assert!(begun(&voyage, |_| true).iter().all(|at| *at == moment(9000)));
    assert!(voyage.books.calls <= 30 + 1 + 40, "asked {} times", voyage.books.calls);
    assert!(voyage.waits < 800, "waited {} times", voyage.waits);
}

/// `Later` in the middle, while others are under way.
#[test]
fn later_in_the_middle_loses_nothing() {
    let mut voyage = Voyage::new(6);
    voyage.plan.rate = Rate::per_second(100.0);
    for _ in 0..100 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.books.pause = Some((moment(1300), moment(4000)));
    voyage.world.borrow_mut().wake_at(moment(4000), None);
    voyage.run();
    let begun = begun(&voyage, |_| true);
    assert_eq!(begun.len(), 100);
    assert!(begun.iter().all(|at| *at <= moment(1300) || *at >= moment(4000)));
    assert_within(&begun, 100.0);
    assert!(voyage.books.calls <= 500, "asked {} times", voyage.books.calls);
}

/// Errands for a target whose only port is taken for two seconds, while others come and go at odd moments.
#[test]
fn a_port_is_waited_for_without_spinning() {
    let mut voyage = Voyage::new(8);
    voyage.ports.truncate(1);
    voyage.retries(0);
    let busy = voyage.meet(false, Kind::Silent, 0);
    voyage.plan.timeout = Duration::from_secs(2);
    voyage.world.borrow_mut().back.late = 100;
    for _ in 0..40 {
        voyage.meet(false, Kind::Accepts, 0);
        voyage.visit(busy, 0);
    }
    let done = voyage.run();
    let most = 2000 * (done.duration.as_secs() + 1);
    assert!(voyage.waits <= most, "waited {} times in {:?}", voyage.waits, done.duration);
}

/// Packets are lost on this machine: fewer begin, and after a while as many as before.
#[test]
fn losses_on_this_machine_lower_the_rate_for_a_while() {
    let mut voyage = Voyage::new(7);
    voyage.plan.rate = Rate::per_second(200.0);
    for _ in 0..3000 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    for (n, at) in [2000, 2200, 2400, 2600, 2800].into_iter().enumerate() {
        voyage.world.borrow_mut().lose_at(moment(at), 10 + n as u32);
    }
    let done = voyage.run();
    assert_eq!(done.packets_lost, 60);
    assert!(done.backed_off > 0);
    let begun = begun(&voyage, |_| true);
    let in_second =
        |n: u64| begun.iter().filter(|at| **at >= moment(n * 1000) && **at < moment(n * 1000 + 1000)).count();
    assert!(in_second(1) >= 196, "{}", in_second(1));
    let least = (2..8).map(in_second).min().unwrap();
    assert!(least < 140, "{least} in the slowest second");
    let last = begun.last().unwrap().as_nanos() / 1_000_000_000;
    assert!(in_second(last - 1) >= 190, "{:?}", (1..last).map(in_second).collect::<Vec<_>>());
    assert_within(&begun, 200.0);
}

/// What is lost at the very end is counted, too.
#[test]
fn losses_at_the_end_are_counted() {
    let mut voyage = Voyage::new(7);
    voyage.meet(false, Kind::Accepts, 0);
    voyage.world.borrow_mut().lose_at(moment(1039), 3);
    assert_eq!(voyage.run().packets_lost, 3);
}

/// Silence while this machine lost packets proves nothing: the exchange is made again, and told once.
#[test]
fn silence_that_may_be_our_own_fault_is_no_verdict() {
    for (lost, begun_times) in [(false, 1), (true, 2)] {
        let mut voyage = Voyage::new(8);
        voyage.plan.timeout = Duration::from_secs(2);
        voyage.meet(false, Kind::Silent, 0);
        if lost {
            voyage.world.borrow_mut().lose_at(moment(1000), 5);
        }
        voyage.made_again = begun_times - 1;
        voyage.run();
        let sent = voyage.sent();
        let numbers: std::collections::HashSet<u32> =
            sent.iter().map(|(_, seen)| seen.segment.seq.0).collect();
        assert_eq!(numbers.len(), begun_times, "initial numbers");
        assert!(matches!(voyage.outcome(0), tcpshake::record::Outcome::Silent { .. }));
    }
}
