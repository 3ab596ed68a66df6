//! What is done with a connection once it is open.

use std::time::Duration;

use tcpshake::driver::fleet::Task;
use tcpshake::record::Outcome;
use tcpshake::tcp::{Flags, Offer, Segment};

use crate::harness::Voyage;
use crate::limits::moment;
use crate::packets::write;
use crate::peers::Kind;
use crate::verdicts::CLOSED;

const BANNER: u16 = 1;
const STAYS: u16 = 2;
const BOTH: u16 = 3;
const BARE: u16 = 4;

fn tasks() -> Vec<Task> {
    let banner = Task {
        banner: Some("^SSH-2.0".parse().unwrap()),
        banner_within: Duration::from_secs(3),
        ..Task::NOTHING
    };
    let stays = Task { stays_open: Duration::from_secs(2), ..Task::NOTHING };
    let both = Task { stays_open: Duration::from_secs(2), ..banner.clone() };
    let bare = Task { offer: Offer::NOTHING, ..Task::NOTHING };
    vec![Task::NOTHING, banner, stays, both, bare]
}

/// One exchange with such a peer, and how long after its SYN our FIN left, in milliseconds.
fn one(kind: Kind, task: u16) -> (Voyage, Option<u64>) {
    one_of(false, kind, task)
}

fn one_of(v6: bool, kind: Kind, task: u16) -> (Voyage, Option<u64>) {
    let mut voyage = Voyage::new(41);
    voyage.plan.tasks = tasks();
    voyage.meet(v6, kind, task);
    voyage.run();
    let sent = voyage.sent();
    let fin = sent.iter().find(|(_, seen)| seen.segment.has(Flags::FIN));
    let fin = fin.map(|(at, _)| at.since(sent[0].0).as_millis() as u64);
    (voyage, fin)
}

fn greets(pieces: &[&[u8]], gap: u64) -> Kind {
    Kind::Greets(pieces.iter().map(|piece| piece.to_vec()).collect(), Duration::from_millis(gap))
}

#[test]
fn a_banner_is_found_and_the_connection_closed_at_once() {
    for v6 in [false, true] {
        let (voyage, fin) = one_of(v6, greets(&[b"SSH-2.0-x\r\n"], 0), BANNER);
        let told = voyage.told(0);
        assert_eq!((&told.outcome, told.banner_came, told.stayed_open), (&CLOSED, Some(true), None));
        assert_eq!(told.text, b"SSH-2.0-x\r\n");
        assert_eq!(fin, Some(40));
    }
}

#[test]
fn a_banner_in_two_segments_is_found() {
    let (voyage, fin) = one(greets(&[b"SSH-", b"2.0-x\r\n"], 700), BANNER);
    let told = voyage.told(0);
    assert_eq!((&told.outcome, told.banner_came), (&CLOSED, Some(true)));
    assert_eq!(told.text, b"SSH-2.0-x\r\n");
    assert_eq!(fin, Some(740));
}

#[test]
fn another_banner_is_heard_until_the_time_is_over() {
    let (voyage, fin) = one(greets(&[b"220 ", b"mail\r\n"], 500), BANNER);
    let told = voyage.told(0);
    assert_eq!((&told.outcome, told.banner_came), (&CLOSED, Some(false)));
    assert_eq!(told.text, b"220 mail\r\n");
    assert!((3020..3060).contains(&fin.unwrap()), "{fin:?}");
}

#[test]
fn a_banner_that_comes_too_late_did_not_come() {
    let (voyage, fin) = one(greets(&[b"", b"SSH-2.0"], 3500), BANNER);
    assert_eq!((voyage.outcome(0), voyage.told(0).banner_came), (&CLOSED, Some(false)));
    assert!((3020..3060).contains(&fin.unwrap()), "{fin:?}");
}

#[test]
fn no_banner_is_waited_for_once_the_peer_has_closed() {
    let (voyage, fin) = one(Kind::ClosesFirst(Duration::from_millis(100)), BANNER);
    assert_eq!((voyage.outcome(0), voyage.told(0).banner_came), (&CLOSED, Some(false)));
    assert!(fin.unwrap() < 200, "{fin:?}");
}

#[test]
fn who_was_not_open_gave_no_banner() {
    for kind in [Kind::Refuses, Kind::Silent] {
        let (voyage, _) = one(kind, BOTH);
        let told = voyage.told(0);
        assert_ne!((told.banner_came, told.stayed_open), (Some(true), Some(true)));
        assert_eq!((told.text.len(), told.announced), (0, None));
    }
}

/// However much a peer says, little of it is kept, and all of it is acknowledged until the time is over.
#[test]
fn a_mebibyte_of_text_is_heard_but_not_kept() {
    let text: Vec<u8> = (0..1 << 20).map(|n: u32| b'a' + (n % 23) as u8).collect();
    let (voyage, _) = one(greets(&[&text], 0), BANNER);
    let told = voyage.told(0);
    assert_eq!((&told.outcome, told.banner_came), (&CLOSED, Some(false)));
    assert!((1..=4096).contains(&told.text.len()), "{}", told.text.len());
    assert!(text.starts_with(&told.text));
}

/// Text that comes late, doubled and in another order is put in order.
#[test]
fn a_banner_is_put_in_order() {
    let pieces: Vec<&[u8]> = vec![b"S", b"S", b"H", b"-", b"2", b".", b"0", b"-", b"x", b"y"];
    let mut voyage = Voyage::new(42);
    voyage.plan.tasks = tasks();
    voyage.plan.tasks[1].banner_within = Duration::from_secs(100);
    voyage.plan.timeout = Duration::from_secs(300);
    voyage.retries(12);
    for _ in 0..100 {
        voyage.meet(false, greets(&pieces, 1), BANNER);
    }
    let mut world = voyage.world.borrow_mut();
    (world.back.late, world.back.twice, world.back.lost) = (50, 30, 10);
    drop(world);
    voyage.run();
    for told in &voyage.books.told {
        assert_eq!((&told.outcome, told.banner_came), (&CLOSED, Some(true)), "{told:?}");
        assert!(b"SSH-2.0-xy".starts_with(&told.text) && told.text.len() >= 7, "{told:?}");
    }
}

/// Of a segment that repeats what was heard, only what is new is taken.
#[test]
fn text_that_comes_again_with_more_is_taken_once() {
    let greets = greets(&[b"SS"], 0);
    let (probe, _) = one(greets.clone(), BANNER); // the same seed: the same numbers
    let first = probe.received().into_iter().find(|(_, seen)| seen.text == b"SS").unwrap().1;
    let mut voyage = Voyage::new(41);
    voyage.plan.tasks = tasks();
    voyage.meet(false, greets, BANNER);
    let longer = Segment { text_len: 7, ..first.segment };
    let packet = write(first.from, first.to, &longer, b"SSH-2.0");
    voyage.world.borrow_mut().inject(moment(1500), packet);
    voyage.run();
    let told = voyage.told(0);
    assert_eq!((told.text.as_slice(), told.banner_came), (&b"SSH-2.0"[..], Some(true)));
}

#[test]
fn who_leaves_it_open_is_closed_when_the_time_is_over() {
    for kind in [Kind::Accepts, Kind::Twice, Kind::ClosesFirst(Duration::from_secs(5))] {
        let (voyage, fin) = one(kind, STAYS);
        let told = voyage.told(0);
        assert_eq!((&told.outcome, told.stayed_open, told.banner_came), (&CLOSED, Some(true), None));
        assert!((2020..2060).contains(&fin.unwrap()), "{fin:?}");
    }
}

#[test]
fn who_resets_or_closes_it_did_not_leave_it_open() {
    let (voyage, fin) = one(Kind::Proxy, STAYS);
    assert!(matches!(voyage.outcome(0), Outcome::ResetAfterOpening { .. }));
    assert_eq!((voyage.told(0).stayed_open, fin), (Some(false), None));
    let (voyage, fin) = one(Kind::ClosesFirst(Duration::from_millis(500)), STAYS);
    assert_eq!((voyage.outcome(0), voyage.told(0).stayed_open), (&CLOSED, Some(false)));
    assert!((520..600).contains(&fin.unwrap()), "{fin:?}");
}

#[test]
fn both_are_waited_for() {
    let (voyage, fin) = one(greets(&[b"SSH-2.0"], 0), BOTH);
    let told = voyage.told(0);
    assert_eq!((&told.outcome, told.banner_came, told.stayed_open), (&CLOSED, Some(true), Some(true)));
    assert!((2020..2060).contains(&fin.unwrap()), "{fin:?}");
    let (voyage, fin) = one(greets(&[b"", b"SSH-2.0"], 2500), BOTH);
    let told = voyage.told(0);
    assert_eq!((&told.outcome, told.banner_came, told.stayed_open), (&CLOSED, Some(true), Some(true)));
    assert_eq!(fin, Some(2540));
}

#[test]
fn the_syn_offers_what_its_task_offers() {
    let (voyage, _) = one(Kind::Accepts, BARE);
    assert!(voyage.sent()[0].1.segment.options.is_empty());
    assert_eq!(voyage.told(0).parameters.offer, Offer::NOTHING);
    let (voyage, _) = one(Kind::Accepts, 0);
    let syn = voyage.sent()[0].1.segment.options.syn();
    assert_eq!(syn.mss.map(tcpshake::tcp::Mss::get), Some(1400));
    let (mss, offer) = voyage.told(0).announced.unwrap();
    assert_eq!((mss.map(tcpshake::tcp::Mss::get), offer), (Some(536), Offer::USUAL));
}
