//! Losses: found by duplicates, by SACK blocks or by the timer, and mended (RFC 5681, 6582, 6675, 3042, 6298).

use tcpshake::tcp::Opt;

use crate::rig::*;

/// RFC 3042: each of the first two duplicates lets one new segment leave; the third shows a loss.
#[test]
fn limited_transmit_then_fast_retransmit_at_the_third_duplicate() {
    let mut rig = Setup::without_sack().open();
    rig.sends(30);
    assert_eq!(rig.acked(0), [10]);
    assert_eq!(rig.acked(0), [11]);
    assert_eq!(rig.acked(0), [0], "the third");
    assert_eq!(rig.acked(0), NONE, "no second time");
}

#[test]
fn limited_transmit_then_fast_retransmit_with_sack() {
    let mut rig = Setup::new().open();
    rig.sends(30);
    assert_eq!(rig.sacked(0, &[(1, 2)]), [10]);
    assert_eq!(rig.sacked(0, &[(1, 3)]), [11]);
    assert_eq!(rig.sacked(0, &[(1, 4)]), [0]);
    assert_eq!(rig.sacked(0, &[(1, 5)]), NONE);
}

/// Two duplicates may be reordering: nothing is sent again, and the window is what it was.
#[test]
fn two_duplicates_are_no_loss() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let sack = !setup.peer.is_empty();
        let mut rig = setup.open();
        rig.sends(10);
        for n in 1..=2 {
            assert_eq!(if sack { rig.sacked(0, &[(1, 1 + n)]) } else { rig.acked(0) }, NONE);
        }
        rig.acked(3);
        rig.acked(10);
        assert_eq!(rig.sends(40).len(), 12, "slow start went on");
    }
}

/// RFC 5681 section 2: what carries text, another window, or comes with nothing under way is no duplicate.
#[test]
fn what_is_no_duplicate_acknowledgment() {
    let mut rig = Setup::without_sack().open();
    for _ in 0..5 {
        rig.on(ack(1, 1)); // nothing is under way
    }
    rig.sends(10);
    for n in 0..5 {
        rig.on(ack(1 + 10 * n, 1).text(10));
        assert_eq!(rig.numbers(), NONE);
    }
    for n in 0..5 {
        rig.on(ack(51, 1).win(59_000 + n));
        assert_eq!(rig.numbers(), NONE);
    }
}

/// RFC 6675 section 2: with SACK, a repeated acknowledgment that tells nothing new is none either.
#[test]
fn without_news_in_its_sack_blocks_an_acknowledgment_is_no_duplicate() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    for _ in 0..5 {
        assert_eq!(rig.sacked(0, &[(1, 2)]), NONE);
        assert_eq!(rig.acked(0), NONE);
    }
}

/// One loss, one retransmission, and new text as duplicates tell that the network has room (RFC 5681 section 3.2
/// steps 4 and 5).
#[test]
fn one_loss_is_one_retransmission() {
    for setup in [Setup::new(), Setup::without_sack()] {
        let sack = !setup.peer.is_empty();
        let mut rig = setup.open();
        let mut sent = rig.sends(30);
        for n in 1..=9 {
            sent.extend(if sack { rig.sacked(0, &[(1, 1 + n)]) } else { rig.acked(0) });
        }
        let under_way: Vec<_> = sent.iter().filter(|n| **n >= 10).collect();
        assert!((4..=7).contains(&under_way.len()), "half of the window: {sent:?}");
        assert_eq!(sent.iter().filter(|n| **n == 0).count(), 2, "{sent:?}");
        for next in 12..=30 {
            sent.extend(rig.acked(next));
        }
        sent.sort_unstable();
        let expected: Vec<u32> = std::iter::once(0).chain(0..30).collect();
        assert_eq!(sent, expected, "the first twice, every other once");
    }
}

/// RFC 6582 section 3.2: without SACK a partial acknowledgment shows the next loss, which is sent again at once,
/// one a round trip; the recovery ends when all is acknowledged.
#[test]
fn partial_acknowledgments_without_sack() {
    let mut rig = Setup::without_sack().open();
    rig.sends(10);
    for _ in 0..7 {
        rig.acked(0); // 0, 3 and 6 were lost
    }
    assert_eq!(rig.acked(3), [3]);
    assert_eq!(rig.acked(6), [6]);
    assert_eq!(rig.acked(10), NONE);
    assert_eq!(rig.sends(30), [10, 11, 12, 13, 14], "half of the window");
}

/// RFC 6582 section 3.2 step 3: a partial acknowledgment takes as much out of the window as it acknowledges, and puts a
/// segment in.
#[test]
fn partial_acknowledgment_deflates_the_window() {
    let mut rig = Setup::without_sack().open();
    rig.sends(30);
    let sent: Vec<_> = (0..10).map(|_| rig.acked(0)).collect(); // 0 and 3 were lost
    assert_eq!(sent.concat(), [10, 11, 0, 12, 13, 14, 15]);
    assert_eq!(rig.acked(3), [3, 16]);
}

/// The same when most of the duplicates were lost, too: step 3 does not ask how much is under way.
#[test]
fn partial_acknowledgment_after_three_duplicates_only() {
    let mut rig = Setup::without_sack().open();
    rig.sends(10);
    for _ in 0..3 {
        rig.acked(0); // 0 and 1 were lost
    }
    assert_eq!(rig.acked(1), [1]);
}

/// RFC 6582 section 3.2 step 1: what was sent again without need draws duplicates of the last number of the
/// recovery; they do not begin another one, and however many come, two new segments leave for them (RFC 3042).
#[test]
fn no_second_recovery_by_the_duplicates_of_the_first() {
    let mut rig = Setup::without_sack().open();
    rig.sends(30);
    for _ in 0..3 {
        rig.acked(0); // reordering, as it turns out: nothing was lost, and two more have left
    }
    assert_eq!(rig.acked(12), [12, 13, 14, 15, 16, 17]);
    let duplicates: Vec<_> = (0..6).map(|_| rig.acked(12)).collect();
    assert_eq!(duplicates.concat(), [18, 19]);
}

/// The same after a timeout (RFC 6582 section 4).
#[test]
fn no_fast_retransmit_by_the_duplicates_of_a_timeout() {
    let mut rig = Setup::without_sack().open();
    rig.sends(10);
    assert_eq!(rig.expires(), [0]);
    rig.acked(1);
    for _ in 0..5 {
        let sent = rig.acked(1);
        assert!(!sent.contains(&1), "{sent:?}");
    }
}

/// RFC 6675 section 5: with SACK all losses are sent again in the first round trip, each once.
#[test]
fn many_losses_with_sack_take_one_round_trip() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    let mut sent = Vec::new();
    // 0, 2 and 4 were lost.
    for stretches in [&[(1, 2)][..], &[(3, 4), (1, 2)], &[(5, 6), (3, 4), (1, 2)]] {
        sent.extend(rig.sacked(0, stretches));
    }
    for n in 7..=10 {
        sent.extend(rig.sacked(0, &[(5, n), (3, 4), (1, 2)]));
    }
    assert_eq!(sent, [0, 2, 4]);
    assert_eq!([rig.acked(2), rig.acked(4), rig.acked(10)].concat(), NONE);
}

/// RFC 6675 section 4, rule 3 of NextSeg: what a partial acknowledgment leaves missing is sent again, though too little
/// was received beyond it to be sure.
#[test]
fn partial_acknowledgment_with_sack() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    let sent: Vec<_> = (2..9).map(|end| rig.sacked(0, &[(1, end)])).collect();
    assert_eq!(sent.concat(), [0]);
    assert_eq!(rig.sacked(8, &[(9, 10)]), [8]);
}

/// RFC 6675 section 5: SACK blocks show a loss whether or not the acknowledgment that brings them is cumulative,
/// too.
#[test]
fn loss_shown_by_a_cumulative_acknowledgment() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    assert_eq!(rig.sacked(2, &[(3, 7)])[0], 2);
}

/// All of the first window but the oldest has arrived, which was sent again.
fn oldest_of_ten_lost() -> Rig {
    let mut rig = Setup::new().open();
    rig.sends(40);
    for n in 1..=9 {
        rig.sacked(0, &[(1, 1 + n)]);
    }
    rig
}

/// RFC 9293 section 3.8.6.1: a closed window is probed, and nothing else is sent into it, lost or not.
#[test]
fn nothing_is_sent_again_into_a_closed_window() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    assert_eq!(rig.expires(), [0]);
    rig.on(ack(1, 1 + SMSS).win(0));
    assert_eq!(rig.numbers(), NONE);
    assert_eq!(rig.expires(), [1]);
}

/// A retransmission that is lost again: what was sent after it arrives, or the timer fires; either mends it.
#[test]
fn retransmission_lost_again() {
    let mut rig = oldest_of_ten_lost();
    let newest = (rig.stream.tcb().snd().nxt - rig.setup.iss - 1) as u32 / SMSS;
    let mut sent = Vec::new();
    for n in 11..=newest {
        sent.extend(rig.sacked(0, &[(1, n)]));
    }
    if !sent.contains(&0) {
        sent = rig.expires();
    }
    assert_eq!(sent.iter().filter(|n| **n == 0).count(), 1, "{sent:?}");
}

/// RFC 6675 section 4, IsLost: three segments that left after it, and no less, show that it was lost again.
#[test]
fn retransmission_lost_again_is_shown_by_three_that_left_after_it() {
    let mut rig = oldest_of_ten_lost();
    let shown = (11..20).find(|n| rig.sacked(0, &[(1, *n)]).contains(&0));
    assert_eq!(shown, Some(15), "12, 13 and 14; the two before left at the first reports");
}

/// Without SACK only the timer can tell; no duplicate does it.
#[test]
fn retransmission_lost_again_without_sack() {
    let mut rig = Setup::without_sack().open();
    rig.sends(10);
    for n in 1..=20 {
        assert_eq!(rig.acked(0), if n == 3 { vec![0] } else { vec![] }, "duplicate {n}");
    }
    assert_eq!(rig.expires(), [0]);
}

/// RFC 6298 section 5: the wait doubles with each retransmission, starts over with each acknowledgment, and ends
/// with the last.
#[test]
fn must_19_timer_doubles_restarts_and_stops() {
    let mut rig = Setup::new().open();
    rig.sends(2);
    assert_eq!((0..5).map(|_| rig.timeout()).collect::<Vec<_>>(), [1000, 2000, 4000, 8000, 16_000]);
    let mut rig = Setup::new().open();
    rig.sends(2);
    rig.pass(900);
    rig.acked(1);
    rig.pass(900);
    assert_eq!(rig.acked(2), NONE);
    assert_eq!(rig.stream.tcb().deadline(), None);
}

/// RFC 6298 section 5.7: all that was outstanding at a timeout is sent again as the window grows, what the peer
/// reports then is not, and new text follows.
#[test]
fn after_a_timeout_all_that_is_missing_is_sent_again() {
    let mut rig = Setup::new().open();
    rig.sends(12); // 10 leave; of them 5 to 9 arrived, the reports were lost
    assert_eq!(rig.expires(), [0]);
    assert_eq!(rig.sacked(1, &[(5, 10)]), [1, 2]);
    assert_eq!(rig.sacked(2, &[(5, 10)]), [3, 4]);
    assert_eq!(rig.sacked(3, &[(5, 10)]), [10, 11]);
    assert_eq!(rig.acked(12), NONE);
}

/// RFC 2018 section 8: after a timeout what was reported counts no more: the peer may have thrown it away.
#[test]
fn a_peer_may_throw_away_what_it_has_reported() {
    let mut rig = Setup::new().open();
    rig.sends(5);
    rig.sacked(0, &[(1, 3)]);
    assert_eq!(rig.expires(), [0]);
    assert_eq!(rig.acked(1), [1, 2]);
}

/// MUST-18, Karn: an acknowledgment of what was sent again, by the timer or by fast retransmit, measures nothing.
#[test]
fn must_18_no_measurement_of_what_was_sent_again() {
    let mut rig = Setup::new().open();
    let before = rig.stream.tcb().smoothed_rtt();
    rig.sends(10);
    rig.pass(50);
    for n in 1..=3 {
        rig.sacked(0, &[(1, 1 + n)]);
    }
    rig.pass(400);
    rig.acked(10);
    assert_eq!(rig.stream.tcb().smoothed_rtt(), before);
    rig.sends(1);
    rig.timeout();
    rig.pass(400);
    rig.acked(11);
    assert_eq!(rig.stream.tcb().smoothed_rtt(), before);
    assert_eq!(rig.stream.tcb().retransmission_timeout().as_millis(), 2000, "backed off until a measurement");
}

/// MUST-18: our SYN,ACK went out twice because the peer's SYN came twice; which of them is acknowledged?
#[test]
fn must_18_no_measurement_of_a_syn_ack_sent_again_for_a_repeated_syn() {
    let syn = || from_peer(tcpshake::tcp::Flags::SYN, 0, 0).opt(Opt::Mss(SMSS as u16));
    let mut rig = Setup::new().begin(tcpshake::tcp::Origin::Passive, 0);
    rig.on(syn());
    rig.pass(900);
    assert_eq!(rig.on(syn()), "S. 0 ack 1");
    rig.pass(10);
    rig.on(ack(1, 1));
    assert_eq!(rig.stream.tcb().smoothed_rtt(), None);
}

/// K-14: SACK blocks that were not agreed on are ignored: the third duplicate counts, whatever it reports.
#[test]
fn k14_sack_blocks_that_were_not_agreed_on() {
    let mut rig = Setup::without_sack().open();
    rig.sends(10);
    assert_eq!(rig.sacked(0, &[(1, 10)]), NONE);
    assert_eq!(rig.sacked(0, &[(1, 10)]), NONE);
    assert_eq!(rig.sacked(0, &[(1, 10)]), [0]);
    assert_eq!(rig.expires(), [0]);
    assert_eq!(rig.acked(1), [1, 2], "not what lies behind the blocks");
}

/// K-14: blocks outside what is under way, upside down, or old (D-SACK, RFC 2883) tell of no loss.
#[test]
fn k14_sack_blocks_that_make_no_sense() {
    let senseless: [&[(u32, u32)]; 6] =
        [&[(10, 14)], &[(5, 200)], &[(7, 3)], &[(4, 4)], &[(0, 1 << 20)], &[(4_000_000, 4_000_001)]];
    for blocks in senseless {
        let mut rig = Setup::new().open();
        rig.sends(12);
        rig.acked(2);
        for _ in 0..5 {
            assert_eq!(rig.sacked(2, blocks), NONE, "{blocks:?}");
        }
        assert_eq!(rig.expires()[0], 2);
    }
}

/// K-14: a block that begins with what is acknowledged so far would say that it has arrived, and not been acknowledged.
#[test]
fn k14_sack_block_of_the_oldest_number() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    for end in 1..6 {
        assert_eq!(rig.sacked(0, &[(0, end)]), NONE, "{end}");
    }
}

/// K-14: an empty block in the middle of a segment does not divide it.
#[test]
fn k14_empty_sack_block_divides_nothing() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    let middle = rig.setup.iss + SMSS / 2;
    rig.on(ack(1, 1).sack([(middle, middle)].into_iter()));
    let sent: Vec<_> = (2..5).map(|end| rig.sacked(0, &[(1, end)])).collect();
    assert_eq!(sent.concat(), [0]);
}

/// K-14: an option of a length that holds no whole blocks is passed over.
#[test]
fn k14_sack_option_of_a_senseless_length() {
    for data in [&[][..], &[0; 7], &[1; 9], &[2; 15]] {
        let mut rig = Setup::new().open();
        rig.sends(10);
        for _ in 0..5 {
            rig.on(ack(1, 1).opt(Opt::Unknown { kind: 5, data }));
            assert_eq!(rig.numbers(), NONE);
        }
        assert_eq!(rig.acked(10), NONE);
    }
}

/// K-14: overlapping blocks count once: two segments arrived, however often they are told of.
#[test]
fn k14_overlapping_sack_blocks_count_once() {
    let mut rig = Setup::new().open();
    rig.sends(10);
    assert_eq!(rig.sacked(0, &[(1, 2), (1, 3), (2, 3)]), NONE);
    assert_eq!(rig.sacked(0, &[(1, 3), (2, 3)]), NONE);
}

/// The last of what was sent is lost, with and without a FIN: only the timer can tell (H-12).
#[test]
fn h12_tail_lost_with_its_fin() {
    let mut rig = Setup::new().open();
    rig.send(3500);
    assert_eq!(rig.close(), "FP. 3001:3501 ack 1");
    rig.on(ack(1, 3001));
    rig.timeout();
    assert_eq!(rig.shown(), "FP. 3001:3501 ack 1");
    rig.on(ack(1, 3502));
    assert_eq!(rig.stream.tcb().state(), tcpshake::tcp::State::FinWait2);
}

/// A FIN lost alone, in the middle of a recovery, comes again with the rest.
#[test]
fn h01_fin_lost_in_a_recovery() {
    let mut rig = Setup::new().open();
    rig.sends(8);
    rig.close();
    for n in 2..=8 {
        rig.sacked(0, &[(1, n)]);
    }
    rig.acked(8);
    rig.timeout();
    assert_eq!(rig.shown(), "F. 8001 ack 1");
}
