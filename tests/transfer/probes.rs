//! Tail loss probes (RFC 8985 section 7): what nothing behind it can show to be lost.

use tcpshake::tcp::Clause;
use tcpshake::tcp::reaction::Timer;

use crate::rig::*;

/// The end of a flight is lost: two round trips later the oldest is sent again, long before the timer.
#[test]
fn tail_of_a_flight_is_probed_for_after_two_round_trips() {
    let mut rig = Setup::probing().open();
    rig.sends(3);
    assert_eq!(rig.stream.tcb().deadline().unwrap().timer, Timer::TailLossProbe);
    assert_eq!((rig.timeout(), rig.clause), (200, Clause::TailLossProbe));
    assert_eq!(rig.acked(1), NONE, "what is behind it may have arrived");
    assert_eq!((rig.timeout(), rig.clause), (200, Clause::TailLossProbe));
    assert_eq!(rig.acked(3), NONE);
    assert_eq!(rig.stream.tcb().deadline(), None);
}

/// One probe, then the timer, which starts anew with it (RFC 8985 section 7.3).
#[test]
fn probe_is_followed_by_the_timer() {
    let mut rig = Setup::probing().open();
    rig.sends(3);
    assert_eq!(rig.timeout(), 200);
    assert_eq!((rig.timeout(), rig.clause), (1000, Clause::RetransmissionTimeout));
    assert_eq!((rig.timeout(), rig.clause), (2000, Clause::RetransmissionTimeout));
}

/// A segment sent again that is lost again is probed for, too.
#[test]
fn lost_retransmission_is_probed_for() {
    let mut rig = Setup::probing().open();
    rig.sends(4);
    rig.sacked(0, &[(1, 2)]);
    rig.sacked(0, &[(1, 3)]);
    assert_eq!(rig.sacked(0, &[(1, 4)]), [0], "the third report");
    assert_eq!((rig.timeout(), rig.clause), (200, Clause::TailLossProbe));
    assert_eq!(rig.acked(4), NONE);
}

/// A single segment waits for the timer of RFC 6298: in a dialogue that is what the book says.
#[test]
fn single_segment_is_the_timers() {
    let mut rig = Setup::probing().open();
    rig.sends(1);
    assert_eq!((rig.timeout(), rig.clause), (1000, Clause::RetransmissionTimeout));
}

/// Where the timer runs out no later than a probe would leave, it is the timer's.
#[test]
fn probe_is_never_later_than_the_timer() {
    for rtt in [500, 900] {
        let mut rig = Setup::probing().syn_sent(0).after(rtt);
        rig.opens(1);
        for n in 0..30 {
            assert_eq!(rig.sends(1), [n]); // the more alike round trips are, the shorter the timeout
            rig.pass(rtt);
            rig.acked(n + 1);
        }
        rig.sends(3);
        assert_eq!((rig.timeout(), rig.clause), (1000, Clause::RetransmissionTimeout), "{rtt} ms");
    }
}

/// RFC 5681 equation 4, RFC 8985 section 7.4: what had to be probed for is a loss, and leaves room for two segments.
#[test]
fn loss_that_was_probed_for_leaves_two_segments() {
    let mut rig = Setup::probing().open();
    rig.sends(2);
    assert_eq!(rig.timeout(), 200);
    assert_eq!(rig.acked(2), NONE);
    assert_eq!(rig.sends(6), [2, 3]);
}
