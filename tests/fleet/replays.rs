//! What is measured, and the story that the kept packets tell again.

use std::time::Duration;

use tcpshake::driver::Observer;
use tcpshake::driver::fleet::replay::{Recorded, replay};
use tcpshake::driver::fleet::{Direction, KeptPackets, Task};
use tcpshake::driver::observe::Kept;
use tcpshake::record::{Event, GuardSummary, Negotiation, Opening, Outcome, Signal, Step, Summary};
use tcpshake::report::Format;
use tcpshake::report::canvas::Canvas;
use tcpshake::report::ladder::{Ladder, Style};
use tcpshake::tcp::{Segment, State};

use crate::harness::{Told, Voyage};
use crate::limits::moment;
use crate::packets::read;
use crate::peers::Kind;
use crate::verdicts::CLOSED;

/// Draws what it is told.
struct Drawing(Ladder, String);

impl Observer for Drawing {
    fn begin(&mut self, opening: &Opening) {
        self.0.begin(opening, &mut self.1);
    }

    fn step(&mut self, step: &Step) {
        self.0.step(step, &mut self.1);
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.0.opened(negotiation, &mut self.1);
    }

    fn end(&mut self, summary: &Summary) {
        self.0.end(summary, &mut self.1);
    }
}

pub(crate) fn recorded(told: &Told) -> Recorded {
    Recorded {
        local: told.tuple.0,
        remote: told.tuple.1,
        host: Some("peer.example".to_owned()),
        parameters: told.parameters,
        outcome: told.outcome.clone(),
        ended: told.at,
        kept: told.kept.clone(),
        guard: GuardSummary { name: "not needed", ..GuardSummary::default() },
    }
}

/// Packets as the story must tell them: what was sent, what came, ICMP and the unreadable.
fn packets(kept: &KeptPackets) -> Vec<(Direction, Option<Segment>)> {
    kept.packets
        .iter()
        .map(|packet| (packet.direction, read(&packet.octets).map(|seen| seen.segment)))
        .collect()
}

fn steps(kept: &Kept) -> Vec<(Direction, Option<Segment>)> {
    let told = |step: &Step| match &step.event {
        Event::Sent { segment, .. } => Some((Direction::Sent, Some(*segment))),
        Event::Received { segment, .. } => Some((Direction::Received, Some(*segment))),
        Event::Icmp { .. } | Event::Unreadable(_) => Some((Direction::Received, None)),
        Event::Unsent { segment, .. } => Some((Direction::Unsent, Some(*segment))),
        Event::KernelReset(..) | Event::Quiet => None,
    };
    kept.steps.iter().filter_map(told).collect()
}

fn fits(outcome: &Outcome, last: State) -> bool {
    match outcome {
        Outcome::Completed(_) | Outcome::Interrupted(_) => matches!(last, State::TimeWait | State::Closed),
        _ => last == State::Closed,
    }
}

pub(crate) fn assert_told_again(told: &Told) {
    let recorded = recorded(told);
    let mut kept = Kept::default();
    replay(&recorded, &mut kept);
    assert_eq!(steps(&kept), packets(&told.kept), "{:?}", told.outcome);
    assert!(!told.kept.incomplete);
    let last = kept.steps.last().unwrap();
    assert!(fits(&told.outcome, last.state), "{:?} in {}", told.outcome, last.state);
    let mut state = State::Closed;
    for arrow in kept.steps.iter().flat_map(|step| step.arrows.iter()) {
        assert_eq!(arrow.from, state, "{:?}", told.outcome);
        state = arrow.to;
    }
    assert_eq!(state, last.state, "{:?}", told.outcome);
    assert!(kept.steps.windows(2).all(|two| two[0].at <= two[1].at && two[0].n < two[1].n));
    let by_icmp = kept.steps.iter().any(|step| matches!(step.event, Event::Icmp { .. }));
    assert!(by_icmp || !matches!(told.outcome, Outcome::Unreachable(_)), "{:?}", told.outcome);
    let opening = kept.opening.unwrap();
    assert_eq!((opening.local, opening.remote), told.tuple);
    for verbose in [false, true] {
        let style = Style {
            canvas: Canvas { color: verbose, ..Canvas::default() },
            verbose,
            hex: false,
            explain: None,
        };
        let mut drawing = Drawing(Ladder::new(style), String::new());
        replay(&recorded, &mut drawing);
        assert!(drawing.1.lines().count() > kept.steps.len());
    }
}

fn every_kind(v6: bool) -> Voyage {
    let mut voyage = Voyage::new(61);
    voyage.plan.tasks = vec![
        Task::NOTHING,
        Task { stays_open: Duration::from_millis(400), ..Task::NOTHING },
        Task { banner: Some("x+y".parse().unwrap()), banner_within: Duration::from_secs(1), ..Task::NOTHING },
    ];
    let says = Kind::Greets(vec![b"xxx".to_vec(), b"xxxy".to_vec()], Duration::from_millis(50));
    for kind in [
        Kind::Accepts,
        Kind::Refuses,
        Kind::Silent,
        if v6 { Kind::Unreachable(1, 1) } else { Kind::Unreachable(3, 13) },
        if v6 { Kind::Unreachable(1, 0) } else { Kind::Unreachable(3, 1) },
        Kind::Proxy,
        says,
        Kind::ClosesFirst(Duration::from_millis(150)),
        Kind::ClosesFirst(Duration::ZERO),
        Kind::NeverCloses,
        Kind::Twice,
        Kind::ResetsOnFin,
    ] {
        for task in 0..3 {
            voyage.meet(v6, kind.clone(), task);
        }
    }
    voyage
}

fn assert_every_kind(v6: bool, lost: u64) {
    let mut voyage = every_kind(v6);
    voyage.plan.timeout = Duration::from_secs(8);
    let mut world = voyage.world.borrow_mut();
    (world.out.lost, world.back.lost, world.back.late, world.back.twice) = (lost, lost, 2 * lost, lost);
    drop(world);
    voyage.run();
    for told in &voyage.books.told {
        assert_told_again(told);
    }
}

#[test]
fn every_ending_is_told_again_from_its_packets() {
    assert_every_kind(false, 0);
}

#[test]
fn every_ending_is_told_again_from_its_packets_over_ipv6() {
    assert_every_kind(true, 0);
}

#[test]
fn what_was_lost_doubled_and_late_is_told_again() {
    assert_every_kind(false, 15);
    assert_every_kind(true, 25);
}

#[test]
fn what_a_signal_ended_is_told_again() {
    let mut voyage = every_kind(false);
    voyage.world.borrow_mut().wake_at(moment(1110), Some(Signal::Interrupt));
    voyage.run();
    assert!(voyage.books.told.iter().any(|told| matches!(told.outcome, Outcome::Interrupted(_))));
    for told in &voyage.books.told {
        assert_told_again(told);
    }
}

/// As for a single exchange, the last step of one that a signal ended leads to CLOSED.
#[test]
fn an_interrupted_open_ends_in_closed() {
    let mut voyage = Voyage::new(64);
    voyage.meet(false, Kind::Silent, 0);
    voyage.world.borrow_mut().wake_at(moment(1110), Some(Signal::Interrupt));
    voyage.run();
    let mut kept = Kept::default();
    replay(&recorded(voyage.told(0)), &mut kept);
    assert_eq!(kept.steps.last().unwrap().state, State::Closed);
}

/// The kept packets are those that were on the wire, octet by octet, until the verdict.
#[test]
fn kept_packets_are_those_on_the_wire() {
    let mut voyage = every_kind(false);
    voyage.run();
    let world = voyage.world.borrow();
    for told in &voyage.books.told {
        let of_it = |octets: &[u8]| {
            read(octets)
                .is_some_and(|seen| [(seen.from, seen.to), (seen.to, seen.from)].contains(&told.tuple))
        };
        let logged = world.log.iter().filter(|logged| of_it(&logged.octets) && logged.at <= told.at);
        let wire: Vec<_> = logged.map(|logged| (logged.at, logged.octets.clone())).collect();
        let segments = told.kept.packets.iter().filter(|packet| of_it(&packet.octets));
        let kept: Vec<_> = segments.map(|packet| (packet.at, packet.octets.clone())).collect();
        assert!(wire.starts_with(&kept), "{:?} {kept:?} {wire:?}", told.outcome);
        assert!(
            wire[kept.len()..].iter().all(|(at, _)| *at == told.at),
            "{:?} {kept:?} {wire:?}",
            told.outcome
        );
    }
}

/// Where there is no room for packets the verdicts are the same, and the gap is told.
#[test]
fn without_room_for_packets_verdicts_are_the_same() {
    let outcomes = |trace| {
        let mut voyage = every_kind(false);
        voyage.plan.trace = trace;
        voyage.run();
        voyage.books.told.iter().filter(|told| !told.kept.incomplete).for_each(assert_told_again);
        let complete = voyage.books.told.iter().filter(|told| !told.kept.incomplete).count();
        (voyage.books.told.iter().map(|told| told.outcome.clone()).collect::<Vec<_>>(), complete)
    };
    let (whole, small, none) = (outcomes(16 << 20), outcomes(4096), outcomes(0));
    assert_eq!((&whole.0, &whole.0), (&small.0, &none.0));
    assert!(whole.1 == 36 && small.1 < 36 && none.1 == 0, "{} {} {}", whole.1, small.1, none.1);
}

#[test]
fn the_round_trip_is_exact_from_the_departure_on() {
    for (v6, waits) in [(false, 0), (true, 0), (false, 3_777), (true, 3_777)] {
        let mut voyage = Voyage::new(62);
        let mut world = voyage.world.borrow_mut();
        world.departs_after = Duration::from_micros(waits);
        world.out.delay = Duration::from_micros(7_123);
        world.back.delay = Duration::from_micros(4_321);
        drop(world);
        for _ in 0..20 {
            voyage.meet(v6, Kind::Accepts, 0);
        }
        voyage.run();
        for told in &voyage.books.told {
            assert_eq!((told.rtt, told.syns), (Some(Duration::from_micros(11_444)), 1));
            assert_eq!(told.outcome, CLOSED);
        }
    }
}

/// Karn: two SYNs, and nobody knows which of them was answered.
#[test]
fn there_is_no_round_trip_where_the_syn_was_sent_twice() {
    let mut voyage = Voyage::new(63);
    voyage.retries(10);
    voyage.plan.timeout = Duration::from_secs(500);
    voyage.world.borrow_mut().out.lost = 50;
    for _ in 0..100 {
        voyage.meet(false, Kind::Accepts, 0);
    }
    voyage.run();
    let once = voyage.books.told.iter().filter(|told| told.syns == 1).count();
    assert!((30..70).contains(&once));
    for told in &voyage.books.told {
        assert_eq!(told.rtt.is_some(), told.syns == 1, "{told:?}");
        assert_eq!(told.syns_lost + 1, told.syns, "{told:?}");
        assert!(told.retransmissions >= told.syns_lost);
    }
}
