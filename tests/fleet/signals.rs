//! A signal in the middle.

use std::time::Duration;

use tcpshake::driver::fleet::{Done, Rate, Task};
use tcpshake::record::{Outcome, Signal};
use tcpshake::tcp::{Flags, State};

use crate::harness::Voyage;
use crate::limits::moment;
use crate::peers::Kind;
use crate::verdicts::CLOSED;

const AT: u64 = 2500;

/// A third never answer, a third are open and wait, a third are open and will not be closed by their peers.
fn thirds(v6: bool) -> Voyage {
    let mut voyage = Voyage::new(51);
    voyage.plan.tasks = vec![Task::NOTHING, Task { stays_open: Duration::from_secs(60), ..Task::NOTHING }];
    voyage.plan.timeout = Duration::from_secs(60);
    for _ in 0..20 {
        voyage.meet(v6, Kind::Silent, 0);
        voyage.meet(v6, Kind::Accepts, 1);
        voyage.meet(v6, Kind::NeverCloses, 0);
    }
    voyage.world.borrow_mut().wake_at(moment(AT), Some(Signal::Terminate));
    voyage
}

fn interrupted(voyage: &Voyage, target: u32) -> bool {
    *voyage.outcome(target) == Outcome::Interrupted(Signal::Terminate)
}

/// How long after the signal it was over.
fn after_signal(voyage: &Voyage, done: &Done) -> u128 {
    assert_eq!(done.signal, Some(Signal::Terminate));
    voyage.world.borrow().now.since(moment(AT)).as_millis()
}

fn assert_silent_ones_are_dropped(voyage: &Voyage) {
    for target in (0..60).step_by(3) {
        assert!(interrupted(voyage, target), "{:?}", voyage.outcome(target));
        let remote = voyage.told(target).tuple.1;
        let late = |(at, seen): &(_, crate::packets::Seen)| *at >= moment(AT) && seen.to == remote;
        assert!(!voyage.sent().iter().any(late), "nothing is sent for what was never open");
    }
}

/// Whoever is told by a signal is told when it comes, not when the last packet did.
#[test]
fn verdicts_of_a_signal_have_its_time() {
    let mut voyage = thirds(false);
    voyage.run();
    (0..60).step_by(3).for_each(|target| assert_eq!(voyage.told(target).at, moment(AT)));
}

fn assert_signal_is_followed(v6: bool) {
    let mut voyage = thirds(v6);
    let done = voyage.run();
    assert_silent_ones_are_dropped(&voyage);
    for target in (1..60).step_by(3) {
        assert!(
            *voyage.outcome(target) == CLOSED || interrupted(&voyage, target),
            "{:?}",
            voyage.told(target)
        );
        assert!(
            [State::Closed, State::LastAck].contains(&voyage.told(target).peer),
            "{:?}",
            voyage.told(target)
        );
        assert_eq!(voyage.told(target).stayed_open, Some(false));
    }
    assert!(after_signal(&voyage, &done) <= 1100, "{}", after_signal(&voyage, &done));
    voyage.world.borrow_mut().run_out();
    let over = |(_, state): (_, State)| matches!(state, State::Closed | State::TimeWait | State::Listen);
    assert!(voyage.world.borrow().states().all(over));
}

#[test]
fn a_signal_ends_all_properly_within_a_second() {
    assert_signal_is_followed(false);
}

#[test]
fn a_signal_ends_all_properly_within_a_second_over_ipv6() {
    assert_signal_is_followed(true);
}

/// What is open is closed by FIN, not by RST, where the peer takes part.
#[test]
fn open_connections_are_closed_by_fin() {
    let mut voyage = thirds(false);
    voyage.run();
    for target in (1..60).step_by(3) {
        let remote = voyage.told(target).tuple.1;
        let flags: Vec<String> = voyage
            .sent()
            .into_iter()
            .filter(|(at, seen)| *at >= moment(AT) && seen.to == remote)
            .map(|(_, seen)| seen.segment.flags.short())
            .collect();
        assert_eq!(flags, ["F.", "."]);
    }
}

/// The network is gone, too.
#[test]
fn a_signal_ends_all_within_a_second_even_if_nobody_answers() {
    let mut voyage = thirds(false);
    voyage.world.borrow_mut().cut_at(moment(AT - 100));
    let done = voyage.run();
    assert_eq!(voyage.books.told.len(), 60);
    assert_silent_ones_are_dropped(&voyage);
    let late = after_signal(&voyage, &done);
    assert!((700..=1100).contains(&late), "{late}");
    assert!(!voyage.books.told.iter().any(|told| told.outcome == CLOSED));
}

#[test]
fn the_second_signal_ends_all_at_once() {
    let mut voyage = thirds(false);
    let mut world = voyage.world.borrow_mut();
    world.cut_at(moment(AT - 100));
    world.wake_at(moment(AT + 300), Some(Signal::Terminate));
    drop(world);
    let done = voyage.run();
    assert_eq!(voyage.books.told.len(), 60);
    assert_eq!(after_signal(&voyage, &done), 300);
    let resets = voyage.sent().into_iter().filter(|(_, seen)| seen.segment.has(Flags::RST)).count();
    assert_eq!(resets, 40, "who is left open is told so");
}

/// What was not begun is not begun any more, and not told; the dispatcher is not asked again.
#[test]
fn nothing_begins_after_a_signal() {
    let mut voyage = thirds(false);
    voyage.plan.rate = Rate::per_second(20.0);
    let done = voyage.run();
    assert!((30..=33).contains(&voyage.books.told.len()), "{}", voyage.books.told.len());
    assert_eq!(voyage.books.errands.len(), 60 - voyage.books.calls);
    assert!(after_signal(&voyage, &done) <= 1100);
    assert!(voyage.world.borrow().ledger.begun.iter().all(|(at, ..)| *at <= moment(AT)));
}

/// A signal while there is nothing to do yet.
#[test]
fn a_signal_ends_a_wait_for_errands() {
    let mut voyage = thirds(false);
    voyage.books.pause = Some((moment(0), moment(60_000)));
    let done = voyage.run();
    assert_eq!((done.signal, voyage.books.told.len()), (Some(Signal::Terminate), 0));
    assert_eq!(voyage.world.borrow().now, moment(AT));
}

/// After a signal, exchanges that are only kept for TIME-WAIT hold nobody up.
#[test]
fn time_wait_is_cut_short_by_a_signal() {
    let mut voyage = Voyage::new(52);
    voyage.plan.linger = tcpshake::driver::Linger::For(Duration::from_secs(100));
    voyage.meet(false, Kind::Accepts, 0);
    voyage.world.borrow_mut().wake_at(moment(AT), Some(Signal::Interrupt));
    let done = voyage.run();
    assert_eq!(voyage.outcome(0), &CLOSED);
    assert_eq!((done.signal, voyage.world.borrow().now), (Some(Signal::Interrupt), moment(AT)));
}
