//! The numbers of the summary.

use std::time::Duration;

use tcpshake::driver::{Close, Plan};
use tcpshake::record::{Event, Summary};
use tcpshake::tcp::{Flags, Segment, UnscaledWindow};

use crate::script::*;

fn millis(n: u64) -> Option<Duration> {
    Some(Duration::from_millis(n))
}

fn summary(peer: impl FnMut(usize, &Segment) -> Answers + 'static, plan: &Plan) -> Summary {
    run(Script::new(peer), plan).ended.summary
}

#[test]
fn times_of_an_undisturbed_exchange() {
    let summary = summary(polite, &plan(Close::Active));
    assert_eq!((summary.open_time, summary.rtt, summary.close_time), (millis(1), millis(1), millis(2)));
    assert_eq!(summary.retransmissions, 0);
}

/// A FIN sent again says nothing of the open's round trip; a SYN sent again does (Karn).
#[test]
fn must_18_only_a_repeated_syn_spoils_the_round_trip() {
    let late_ack = |n: usize, segment: &Segment| if n == 2 { vec![] } else { polite(n, segment) };
    let fin_again = summary(late_ack, &plan(Close::Active));
    assert_eq!((fin_again.retransmissions, fin_again.rtt), (1, millis(1)));
    let late_syn_ack = |n: usize, segment: &Segment| if n == 0 { vec![] } else { polite(n, segment) };
    let syn_again = summary(late_syn_ack, &plan(Close::Active));
    assert_eq!((syn_again.retransmissions, syn_again.rtt, syn_again.open_time), (1, None, millis(1001)));
}

/// A FIN outside the window begins no close.
#[test]
fn a_forged_fin_does_not_start_the_clock() {
    let forged = |n: usize, segment: &Segment| match n {
        0 => vec![(1, Do::Say(syn_ack())), (2, Do::Say(fin(70_000, 1))), (5000, Do::Say(fin(1, 1)))],
        _ if segment.has(Flags::FIN) => soon(peer(ACK, 2, 2)),
        _ => vec![],
    };
    assert_eq!(summary(forged, &plan(Close::Passive)).close_time, millis(1));
}

/// The close has its own patience, whatever the open took of its.
#[test]
fn each_phase_has_its_own_patience() {
    let slow = |n: usize, segment: &Segment| match n {
        0 => vec![(9500, Do::Say(syn_ack()))],
        _ if segment.has(Flags::FIN) => vec![(700, Do::Say(peer(ACK, 1, 2))), (9000, Do::Say(fin(1, 2)))],
        _ => vec![],
    };
    let patient = Plan { parameters: tcpshake::tcp::Parameters::default(), ..plan(Close::Active) };
    let summary = summary(slow, &patient);
    assert_eq!(summary.outcome.name(), "completed");
}

/// Three round trips if that is more than a quarter of a second.
#[test]
fn what_is_kept_of_time_wait() {
    let kept = |delay: u64| {
        let peer = move |n: usize, segment: &Segment| {
            polite(n, segment).into_iter().map(|(_, what)| (delay, what)).collect()
        };
        summary(peer, &plan(Close::Active)).time_wait.unwrap().kept
    };
    assert_eq!(kept(10), Duration::from_millis(250));
    assert_eq!(kept(200), Duration::from_millis(600));
}

/// J-08: each probe of a closed window is the same octet again, and counted so.
#[test]
fn j08_probes_are_counted_as_what_they_are() {
    let mut probes = 0;
    let peer_of_shut_window = move |_: usize, segment: &Segment| {
        let window = |wide| UnscaledWindow(if wide { 60_000 } else { 0 });
        if segment.has(Flags::SYN) {
            return soon(Segment { window: window(false), ..syn_ack() });
        }
        if segment.has(Flags::FIN) {
            return polite(9, segment);
        }
        if segment.text_len == 0 {
            return vec![];
        }
        probes += 1;
        let ack = if probes < 3 { 1 } else { (segment.end() - ISS) as u32 };
        soon(Segment { window: window(probes >= 3), ..peer(ACK, 1, ack) })
    };
    let told = run(
        Script::new(peer_of_shut_window),
        &Plan { text: b"hello".to_vec(), timeout: Duration::from_secs(60), ..plan(Close::Active) },
    );
    let count = |event: &Event| {
        let Event::Sent { segment, retransmission, .. } = event else { return None };
        (segment.text_len == 1).then_some(*retransmission)
    };
    let counts: Vec<u8> = told.kept.steps.iter().filter_map(|step| count(&step.event)).collect();
    assert_eq!(counts, [0, 1, 2], "{:?}", told.rungs());
    assert_eq!(told.ended.summary.retransmissions, 2);
    assert_eq!((told.ended.summary.outcome.name(), told.ended.summary.text_sent), ("completed", 5));
}

/// What was queued is not what was sent: only acknowledged text counts.
#[test]
fn text_sent_is_what_was_acknowledged() {
    let half = |n: usize, segment: &Segment| match n {
        0 => soon(syn_ack()),
        _ if segment.text_len > 0 => soon(peer(ACK, 1, 4)),
        _ => vec![],
    };
    let text = Plan { text: b"hello".to_vec(), ..plan(Close::Active) };
    assert_eq!(summary(half, &text).text_sent, 3);
}
