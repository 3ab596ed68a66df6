//! Timestamps (RFC 7323): on every segment, echoed, measured by, and against old duplicates.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tcpshake::tcp::{Clause, Flags, Mss, State, Timestamps};

use crate::rig::*;

const DAY: u64 = 24 * 3600 * 1000;

/// Open; the peer's clock stood at `value`.
fn open(value: u32) -> Rig {
    Setup::with_timestamps(value).open()
}

fn stamps(rig: &Rig) -> Timestamps {
    rig.out.last().expect("something was sent").options.timestamps().expect("it has timestamps")
}

/// K-12, RFC 7323 section 3.2: on every segment once agreed on: ACK, text, FIN, retransmission, challenge, RST.
#[test]
fn k12_timestamps_on_every_segment() {
    let mut rig = open(700);
    assert_eq!(stamps(&rig).echo, 700, "the third segment of the open");
    rig.send(10);
    assert_eq!(stamps(&rig).echo, 700);
    rig.timeout();
    stamps(&rig);
    rig.on(ack(1, 11).text(5).ts(701, 0));
    assert_eq!(stamps(&rig).echo, 701);
    rig.on(ack(50_000, 11).text(5).ts(702, 0)); // outside the window
    assert_eq!(stamps(&rig).echo, 701);
    rig.close();
    stamps(&rig);
    let mut rig = open(700);
    rig.event(|stream, _| stream.abort().unwrap());
    assert_eq!((rig.out[0].has(Flags::RST), stamps(&rig).echo), (true, 700));
}

/// MUST-5: options count on whatever segment they stand: on text, on a bare ACK, on a FIN; a RST needs none.
#[test]
fn must_5_options_are_read_on_any_segment() {
    let mut rig = open(700);
    rig.on(ack(1, 1).text(5).ts(701, 0));
    assert_eq!(stamps(&rig).echo, 701);
    rig.on(ack(6, 1).ts(702, 0));
    rig.send(10);
    assert_eq!(stamps(&rig).echo, 702);
    rig.on(ack(6, 11).fin().ts(703, 0));
    assert_eq!((stamps(&rig).echo, rig.stream.tcb().state()), (703, State::CloseWait));
    rig.on(from_peer(Flags::RST, 7, 0).ts(1, 0));
    assert_eq!(rig.stream.tcb().state(), State::Closed, "an old timestamp saves nobody from a RST");
}

/// K-12: an answer that does not offer them turns them off; one that was not asked turns nothing on.
#[test]
fn k12_no_timestamps_unless_agreed_on() {
    let mut setup = Setup::with_timestamps(1);
    setup.peer.pop();
    let mut rig = setup.open();
    rig.send(10);
    assert!(rig.out[0].options.is_empty(), "{}", rig.out[0]);
    let mut setup = Setup::with_timestamps(1);
    setup.parameters.offer = Setup::new().parameters.offer;
    let mut rig = setup.open();
    rig.send(2000);
    assert!(rig.out[0].options.is_empty());
    assert_eq!(rig.out[0].text_len, SMSS);
    assert_eq!(rig.on(ack(1, 1).text(5)), ". 2001 ack 6", "nor are they asked for");
}

/// MUST-16: the segment's text is less by the twelve octets of the option.
#[test]
fn must_16_segments_are_shorter_by_the_option() {
    let mut rig = open(1);
    rig.send(3000);
    assert_eq!(rig.out[0].text_len, SMSS - 12);
    let mut setup = Setup::with_timestamps(1);
    setup.parameters.mss = Mss::new(1460).unwrap();
    setup.peer_mss = 536;
    let mut rig = setup.open();
    rig.send(3000);
    assert!(rig.out.iter().all(|segment| segment.text_len == 524));
}

/// Our clock moves on by a millisecond to a second a tick, and never back (RFC 7323 section 5.4).
#[test]
fn our_clock_runs() {
    let mut rig = open(1);
    rig.send(10);
    let first = stamps(&rig).value;
    rig.on(ack(1, 11).ts(2, first));
    rig.pass(60_000);
    rig.send(10);
    let ticks = stamps(&rig).value.wrapping_sub(first);
    assert!((60..=60_000).contains(&ticks), "{ticks}");
}

/// RFC 7323 section 4: the echo tells the round-trip time, even of a segment that was sent twice (MUST-18).
#[test]
fn must_18_echo_measures_what_was_sent_again() {
    let mut rig = open(1);
    rig.send(10);
    rig.timeout();
    let echo = stamps(&rig).value;
    rig.pass(300);
    rig.on(ack(1, 11).ts(2, echo));
    let rtt = rig.stream.tcb().smoothed_rtt().unwrap();
    assert_eq!(rtt, Duration::from_millis(125), "7/8 of 100 ms and 1/8 of 300 ms");
    assert_eq!(rig.stream.tcb().retransmission_timeout(), Duration::from_secs(1), "no longer backed off");
}

/// An echo of the future, or of no time of ours, is no measurement that could do harm.
#[test]
fn senseless_echoes_do_no_harm() {
    for echo in [0, 1, u32::MAX, 1 << 31] {
        let mut rig = open(1);
        rig.send(10);
        rig.timeout();
        rig.pass(300);
        rig.on(ack(1, 11).ts(2, echo));
        assert!(rig.stream.tcb().retransmission_timeout() <= Duration::from_secs(60));
        assert!(rig.stream.tcb().snd().una == rig.stream.tcb().snd().nxt);
    }
}

/// K-13, RFC 7323 section 3.2: once agreed on, a segment without is dropped, and a RST is not.
#[test]
fn k13_segments_without_timestamps_are_dropped() {
    let mut rig = open(1);
    assert_eq!(rig.on(ack(1, 1).text(10)), "");
    assert_eq!((rig.taken, rig.clause), (0, Clause::TimestampMissing));
    rig.on(from_peer(Flags::RST, 1, 0));
    assert_eq!(rig.stream.tcb().state(), State::Closed);
}

/// M-06, RFC 7323 section 5.3 R1: older than the one before: acknowledged, dropped; equal is good.
#[test]
fn m06_older_timestamps_are_dropped() {
    for start in [0, 700, u32::MAX - 5, 1 << 31] {
        let mut rig = open(start);
        rig.on(ack(1, 1).text(10).ts(start.wrapping_add(10), 0)); // wraps for one of them
        assert_eq!(rig.on(ack(11, 1).text(10).ts(start.wrapping_add(9), 0)), ". 1 ack 11");
        assert_eq!((rig.taken, rig.clause), (10, Clause::PawsOld));
        assert_eq!(rig.on(ack(11, 1).text(10).ts(start.wrapping_add(10), 0)), ". 1 ack 21");
    }
}

/// M-06: a RST of any age is taken.
#[test]
fn m06_rst_with_an_old_timestamp() {
    let mut rig = open(700);
    rig.on(from_peer(Flags::RST, 1, 0).ts(1, 0));
    assert_eq!(rig.stream.tcb().state(), State::Closed);
}

/// M-07: a jump by half the circle or more is a step back.
#[test]
fn m07_jump_of_half_the_circle() {
    for (jump, taken) in [((1 << 31) - 1, 10), ((1 << 31) + 1, 0), (u32::MAX, 0)] {
        let mut rig = open(700);
        rig.on(ack(1, 1).text(10).ts(700_u32.wrapping_add(jump), 0));
        assert_eq!(rig.taken, taken, "{jump}");
    }
    let mut rig = open(700); // exactly half is neither before nor after; RFC 7323 leaves it open
    rig.on(ack(1, 1).text(10).ts(700 + (1 << 31), 0));
}

/// M-06, RFC 7323 section 5.5: after 24 days of silence, however long, the peer's clock may stand anywhere.
#[test]
fn m06_after_24_days_any_timestamp_is_good() {
    for (days, taken) in
        [(1, 0), (23, 0), (24, 10), (25, 10), (49, 10), (50, 10), (60, 10), (74, 10), (400, 10)]
    {
        let mut rig = open(700).after(days * DAY);
        rig.on(ack(1, 1).text(10).ts(600, 0));
        assert_eq!(rig.taken, taken, "{days} days");
    }
}

/// M-08, RFC 7323 section 4.3: the echo is of what our last acknowledgment answers, not of what came behind a
/// gap; and an old duplicate does not set it back.
#[test]
fn m08_what_is_echoed() {
    let mut rig = open(700);
    rig.on(ack(1, 1).text(10).ts(710, 0));
    rig.on(ack(111, 1).text(10).ts(730, 0));
    assert_eq!(stamps(&rig).echo, 710, "behind a gap");
    rig.on(ack(11, 1).text(100).ts(720, 0));
    assert_eq!(stamps(&rig).echo, 720, "what filled it");
    rig.on(ack(1, 1).text(10).ts(740, 0));
    assert_eq!(stamps(&rig).echo, 720, "all of it had been acknowledged: outside the window");
    rig.on(ack(121, 1).text(10).ts(740, 0));
    assert_eq!(stamps(&rig).echo, 740);
}

/// Once its times are left out, a connection is the same whenever it lived: here 2^32 ms later, when our clock shows the
/// same again.
#[test]
fn timeless_connections_are_alike() {
    let lived = |later| {
        let mut rig = open(700).after(later);
        rig.send(SMSS);
        rig.on(ack(1, 1 + SMSS).text(10).ts(710, 0));
        let mut hasher = DefaultHasher::new();
        rig.stream.timeless().hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(lived(0), lived(1 << 32));
}

/// PAWS is for what it is for: a segment of the last round of the sequence space does not get in.
#[test]
fn m06_segment_of_the_last_round_of_the_sequence_space() {
    let mut rig = open(700);
    for n in 0..20 {
        rig.on(ack(1 + n * SMSS, 1).text(SMSS).ts(800 + n, 0));
    }
    rig.on(ack(1 + 20 * SMSS, 1).text(SMSS).ts(705, 0));
    assert_eq!(rig.taken, 20_000);
}

/// M-06, G-14, G-15: old segments without text are challenged, ten times in five seconds; those with text are each
/// acknowledged, for their sender waits for that.
#[test]
fn m06_g14_g15_only_old_segments_without_text_are_throttled() {
    let answered = |octets| {
        let mut rig = open(700);
        (0..20).filter(|_| rig.on(ack(1, 1).text(octets).ts(1, 0)) == ". 1 ack 1").count()
    };
    assert_eq!((answered(0), answered(5)), (10, 20));
}
