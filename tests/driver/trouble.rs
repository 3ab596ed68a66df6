//! Trouble on this machine and strangers on the wire.

use std::time::Duration;

use tcpshake::driver::{Close, DriveError, Plan};
use tcpshake::record::{Ending, Outcome};
use tcpshake::tcp::{Flags, Segment};

use crate::script::*;

const CLOSED: Outcome = Outcome::Completed(Ending::Closed);

/// J-14: stopped, or asleep, for longer than all patience: what arrived meanwhile is heard first.
#[test]
fn j14_what_arrived_in_time_counts_however_late_we_look() {
    let told = run(
        Script::new(|n, segment| {
            let mut answers = polite(n, segment);
            if n == 0 {
                answers.insert(0, (0, Do::Stall(Duration::from_secs(11))));
            }
            answers
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, CLOSED, "{:?}", told.rungs());
    let syns = told.rungs().iter().filter(|rung| *rung == "> S 0").count();
    assert!(syns <= 2, "at most one spurious retransmission");
}

/// J-14: stopped after the first timer was due, past all patience: what came before patience ended counts.
#[test]
fn j14_a_late_look_does_not_end_what_was_answered_in_time() {
    let told = run(
        Script::new(|n, segment| match n {
            0 => vec![(500, Do::Stall(Duration::from_secs(15))), (2000, Do::Say(syn_ack()))],
            _ => polite(n, segment),
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, CLOSED, "{:?}", told.rungs());
}

/// What comes after patience has ended is not answered any more.
#[test]
fn what_comes_too_late_is_not_answered() {
    let told = run(
        Script::new(|n, _| match n {
            0 => vec![(9_500, Do::Stall(Duration::from_secs(5))), (11_000, Do::Say(syn_ack()))],
            _ => vec![],
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, Outcome::Silent { heard: false });
    assert!(
        !told.rungs().iter().any(|rung| rung.contains('R') || rung.starts_with('<')),
        "{:?}",
        told.rungs()
    );
}

/// J-14: a time stamp from before the segment left, as after the date was set, measures nothing.
#[test]
fn j14_a_stamp_from_before_the_send_measures_nothing() {
    let told = run(
        Script::new(|n, segment| match n {
            0 => vec![(1, Do::Backdated(syn_ack(), Duration::from_secs(5)))],
            _ => polite(n, segment),
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, CLOSED);
    assert_eq!(told.ended.summary.time_wait.unwrap().kept, Duration::from_millis(250));
    assert!(told.kept.steps.iter().all(|step| step.view.rto <= Duration::from_secs(3)));
}

/// P-10: a segment that does not leave is lost, told, and sent again.
#[test]
fn p10_a_segment_that_does_not_leave_is_sent_again() {
    let script = Script::new(polite).refusing(|n| (n == 2).then_some(libc::ENOBUFS));
    let told = run(script, &plan(Close::Active));
    assert_eq!(told.ended.summary.outcome, CLOSED);
    assert_eq!(told.rungs(), ["> S 0", "< S. 0", "> . 1", "x F. 1", "> F. 1", "< . 1", "< F. 1", "> . 2"]);
}

/// A firewall that drops our FIN every time: the open happened, and the verdict says so.
#[test]
fn p10_a_fin_that_never_leaves_is_a_close_that_did_not_complete() {
    let script = Script::new(polite).refusing(|n| (n >= 2).then_some(libc::EPERM));
    let told = run(script, &plan(Close::Active));
    assert!(matches!(told.ended.summary.outcome, Outcome::CloseIncomplete { .. }));
}

/// Only a first SYN that does not leave means that nothing was begun.
#[test]
fn a_first_syn_that_does_not_leave_is_an_error() {
    let script = Script::new(polite).refusing(|_| Some(libc::ENOBUFS));
    let (kept, ended) = try_run(script, &plan(Close::Active));
    assert!(matches!(ended, Err(DriveError::Send(_))));
    assert_eq!(kept.steps.len(), 0);
}

/// P-08, C-10: segments of others, readable or not, are not ours to tell.
#[test]
fn c10_strangers_change_nothing_and_are_not_told() {
    let reference = run(Script::new(polite), &plan(Close::Active)).rungs();
    let told = run(
        Script::new(|n, segment| {
            let mut answers = polite(n, segment);
            let stranger = std::net::Ipv4Addr::new(10, 99, 0, 9);
            let rst = peer(Flags::RST | ACK, 0, 1);
            let mut spoiled = packet(REMOTE, 81, LOCAL, LOCAL_PORT, &rst);
            spoiled[30] ^= 1;
            for octets in [
                packet(stranger, REMOTE_PORT, LOCAL, LOCAL_PORT, &rst),
                packet(REMOTE, 81, LOCAL, LOCAL_PORT, &rst),
                packet(REMOTE, REMOTE_PORT, LOCAL, 1, &rst),
                packet(REMOTE, REMOTE_PORT, stranger, LOCAL_PORT, &rst),
                spoiled,
                vec![0x45; 10],
                vec![],
            ] {
                answers.insert(0, (0, Do::Raw(octets)));
            }
            answers
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.rungs(), reference);
}

/// L-01, L-13: what is the peer's and cannot be read is told, and changes nothing.
#[test]
fn l01_l13_unreadable_packets_of_the_peers_are_told() {
    let told = run(
        Script::new(|n, segment| {
            let mut answers = polite(n, segment);
            if n == 0 {
                let mut spoiled = packet(REMOTE, REMOTE_PORT, LOCAL, LOCAL_PORT, &syn_ack());
                spoiled[30] ^= 1;
                let mut fragment = packet(REMOTE, REMOTE_PORT, LOCAL, LOCAL_PORT, &syn_ack());
                fragment[6] |= 0x20;
                fragment[10..12].fill(0);
                let checksum = tcpshake::packet::checksum::Sum::default().octets(&fragment[..20]).checksum();
                fragment[10..12].copy_from_slice(&checksum.to_be_bytes());
                answers.splice(0..0, [(0, Do::Raw(spoiled)), (0, Do::Raw(fragment))]);
            }
            answers
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, CLOSED);
    assert!(told.rungs()[1].starts_with("unreadable: tcp: checksum"), "{:?}", told.rungs());
    assert_eq!(told.rungs()[2], "unreadable: a fragment, ignored");
}

/// The kernel's RST is told whenever it leaves, in TIME-WAIT too.
#[test]
fn a_rst_of_the_kernels_is_told_in_time_wait_too() {
    let told =
        run(
            Script::new(|n, segment| {
                let mut answers = polite(n, segment);
                answers.extend((n == 3).then(|| {
                    (9, Do::Kernel(Segment { flags: Flags::RST, seq: ISS + 2, ..Segment::default() }))
                }));
                answers
            }),
            &plan(Close::Active),
        );
    assert_eq!(told.rungs().last().unwrap(), "! R 2");
    assert!(told.kept.steps.last().unwrap().late);
}

/// I-06: a RST ends TIME-WAIT, and there is nothing left to wait for.
#[test]
fn i06_a_rst_in_time_wait_ends_the_waiting() {
    let told = run(
        Script::new(|n, segment| {
            let mut answers = polite(n, segment);
            answers.extend((n == 3).then(|| (9, Do::Say(peer(Flags::RST, 2, 0)))));
            answers.extend((n == 3).then(|| (99, Do::Say(fin(1, 2)))));
            answers
        }),
        &plan(Close::Active),
    );
    assert_eq!(told.ended.summary.outcome, CLOSED);
    assert_eq!(told.rungs().last().unwrap(), "< R 2", "the FIN at 99 ms finds nobody waiting");
}

/// What is queued is sent, and acknowledged, before a RST or a silent leave: nothing is thrown away.
#[test]
fn text_is_delivered_before_a_reset_or_a_leave() {
    for close in [Close::Reset, Close::None] {
        let text = Plan { text: vec![b'x'; 5000], ..plan(close) };
        let told = run(Script::new(polite), &text);
        assert!(matches!(told.ended.summary.outcome, Outcome::Completed(_)));
        assert_eq!(told.ended.summary.text_sent, 5000);
    }
}
