//! Single segments: what is told, when it ends, and which verdict it comes to.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::driver::DriveError;
use tcpshake::driver::sending::{Order, Packets};
use tcpshake::packet::Defects;
use tcpshake::record::Signal;
use tcpshake::record::sending::{Event, News, Rung, Sum, Verdict};
use tcpshake::tcp::{Flags, Meaning, Segment};

use crate::script::*;

const SYN: Flags = Flags::SYN;
const RST: Flags = Flags::RST;

/// A segment with these flags, once, and two seconds for an answer.
fn order(flags: Flags) -> Order {
    Order {
        remote: SocketAddr::from((REMOTE, REMOTE_PORT)),
        host: None,
        segment: Segment { seq: ISS, flags, ..Segment::default() },
        text: Vec::new(),
        ttl: 64,
        tos: 0,
        defects: Defects::default(),
        count: 1,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
        packets: Packets::Read,
    }
}

/// The rungs, the last word, and that word as it was told.
#[track_caller]
fn told(script: Script, order: &Order) -> (Vec<Rung>, Verdict, Sum) {
    let (news, verdict) = send(script, order);
    let mut rungs = Vec::new();
    let mut sum = None;
    for news in news {
        match news {
            News::Rung(rung) => rungs.push(*rung),
            News::End(end) => sum = Some(*end),
            News::Begin(_) => assert!(rungs.is_empty()),
            News::Failed(why) => panic!("{why}"),
        }
    }
    let (verdict, sum) = (verdict.unwrap(), sum.unwrap());
    assert_eq!(sum.verdict, verdict);
    assert!(rungs.iter().zip(1..).all(|(rung, n)| rung.n == n));
    (rungs, verdict, sum)
}

fn once(answers: impl Fn() -> Answers + 'static) -> Script {
    Script::new(move |_, _| answers())
}

fn refusal() -> Segment {
    Segment { ack: ISS + 1, flags: RST | ACK, ..Segment::default() }
}

/// The first answer decides, whatever follows; all are told until the time is over.
#[test]
fn the_first_answer_decides_and_all_are_told() {
    let answers = || {
        vec![
            (5, icmp(3, 1, ISS, REMOTE_PORT)),
            (10, Do::Say(syn_ack())),
            (1010, Do::Say(syn_ack())),
            (1990, Do::Say(refusal())),
            (2010, Do::Say(syn_ack())),
        ]
    };
    let (rungs, verdict, sum) = told(once(answers), &order(SYN));
    assert_eq!(verdict, Verdict::Answered(SYN | ACK, Meaning::PortListens));
    let meanings: Vec<_> = rungs.iter().filter_map(|rung| rung.meaning).collect();
    let expected = [Meaning::IcmpMayPass, Meaning::PortListens, Meaning::Repeated, Meaning::PortClosed];
    assert_eq!(meanings, expected);
    assert_eq!((sum.sent, sum.answers, sum.first_answer), (1, 3, Some(Duration::from_millis(10))));
    assert!(sum.noted.is_some(), "an icmp error that decided nothing is noted");
}

/// Exit codes hang on it: refused is a RST to a SYN, reset a RST to anything else or one that answers nothing.
#[test]
fn a_rst_refuses_a_syn_and_resets_the_rest() {
    let say = |segment: Segment| once(move || soon(segment));
    let (_, verdict, _) = told(say(refusal()), &order(SYN));
    assert_eq!(verdict, Verdict::Refused(Meaning::PortClosed));
    let (_, verdict, _) = told(say(Segment { ack: ISS, ..refusal() }), &order(SYN));
    assert_eq!(verdict, Verdict::Reset(Meaning::ResetOfSomethingElse));
    let (_, verdict, _) = told(say(refusal()), &order(Flags::FIN));
    assert_eq!(verdict, Verdict::Reset(Meaning::NothingThere));
    let (_, verdict, _) = told(say(Segment { flags: RST, ..Segment::default() }), &order(ACK));
    assert_eq!(verdict, Verdict::Reset(Meaning::NoConnection));
}

/// RFC 5927 4.1: an ICMP error counts if it quotes our number.
#[test]
fn icmp_decides_only_where_no_segment_comes_and_only_about_ours() {
    let (_, verdict, sum) = told(once(|| vec![(1, icmp(3, 13, ISS, REMOTE_PORT))]), &order(SYN));
    assert!(matches!(verdict, Verdict::Unreachable(error) if error.code == 13));
    assert_eq!(sum.noted, None);
    let (rungs, verdict, _) = told(once(|| vec![(1, icmp(3, 13, ISS + 1, REMOTE_PORT))]), &order(SYN));
    assert_eq!(verdict, Verdict::Silent(Meaning::SilentToSyn));
    assert_eq!(rungs[1].meaning, Some(Meaning::IcmpOfAnother));
    for other in [icmp(4, 0, ISS, REMOTE_PORT), icmp(3, 13, ISS, REMOTE_PORT + 1)] {
        let mut other = Some(other);
        let script = Script::new(move |_, _| other.take().map(|other| (1, other)).into_iter().collect());
        let (rungs, verdict, _) = told(script, &order(SYN));
        assert_eq!((rungs.len(), verdict), (1, Verdict::Silent(Meaning::SilentToSyn)));
    }
}

#[test]
fn silence_after_a_rst_is_right() {
    let nothing = || once(Vec::new);
    let (_, verdict, _) = told(nothing(), &order(RST));
    assert_eq!(verdict, Verdict::RightlySilent(Meaning::SilentToRst));
}

/// Each at its time, one like the other; answers between them are told where they belong.
#[test]
fn repeated_at_the_interval() {
    let three = Order { count: 3, ..order(SYN) };
    let (rungs, _, sum) = told(once(|| soon(refusal())), &three);
    let times: Vec<u128> = rungs.iter().map(|rung| rung.at.as_millis()).collect();
    assert_eq!(times, [0, 1, 1000, 1001, 2000, 2001]);
    let sent: Vec<_> = rungs.iter().step_by(2).map(|rung| &rung.event).collect();
    assert!(sent.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!((sum.sent, sum.answers), (3, 3));
}

/// A first segment that does not leave is an error; a later one is told.
#[test]
fn what_does_not_leave() {
    let three = Order { count: 3, ..order(SYN) };
    let script = || Script::new(|_, _| vec![]);
    let (_, verdict) = send(script().refusing(|n| (n == 0).then_some(libc::ENOBUFS)), &three);
    assert!(matches!(verdict, Err(DriveError::Send(_))));
    let (rungs, verdict, sum) = told(script().refusing(|n| (n == 1).then_some(libc::ENOBUFS)), &three);
    assert!(matches!(rungs[1].event, Event::Unsent { .. }));
    assert_eq!((sum.sent, verdict), (2, Verdict::Silent(Meaning::SilentToSyn)));
}

/// J-07: what never ceases to arrive ends no later than silence.
#[test]
fn a_flood_does_not_make_it_longer() {
    // Stopped for a while, so that all of it is there when we look.
    let stopped = || (0, Do::Stall(Duration::from_secs(10)));
    let flood = move || [stopped()].into_iter().chain((1..5000).map(|ms| (ms, Do::Say(syn_ack())))).collect();
    let (rungs, _, _) = told(once(flood), &order(SYN));
    assert!(rungs.last().unwrap().at <= Duration::from_secs(2));
    let two = Order { count: 2, interval: Duration::ZERO, timeout: Duration::from_millis(1), ..order(SYN) };
    let at_once = || (0..100).map(|_| (0, Do::Say(syn_ack()))).collect();
    let (rungs, _, sum) = told(once(at_once), &two);
    assert!(sum.sent == 2 && rungs.len() < 210, "{}", rungs.len());
}

#[test]
fn a_signal_ends_it_between_two_and_after_the_last() {
    for count in [1, 2] {
        let script = once(|| vec![(1, Do::Say(refusal())), (500, Do::Signal(Signal::Interrupt))]);
        let (rungs, verdict, sum) = told(script, &Order { count, ..order(SYN) });
        assert_eq!(verdict, Verdict::Interrupted(Signal::Interrupt));
        assert_eq!((rungs.len(), sum.sent, sum.answers), (2, 1, 1));
    }
}

/// What cannot be read is told and decides nothing, our kernel's RST too; a stranger's is not told.
#[test]
fn what_is_no_answer() {
    let mut broken = packet(REMOTE, REMOTE_PORT, LOCAL, LOCAL_PORT, &syn_ack());
    broken[39] ^= 1;
    let strange = packet(REMOTE, REMOTE_PORT + 1, LOCAL, LOCAL_PORT, &syn_ack());
    let kernel = Segment { seq: ISS + 1, flags: RST, ..Segment::default() };
    let script = once(move || {
        vec![(1, Do::Raw(broken.clone())), (2, Do::Raw(strange.clone())), (3, Do::Kernel(kernel))]
    });
    let (rungs, verdict, sum) = told(script, &Order { packets: Packets::Kept, ..order(SYN) });
    assert_eq!(rungs.len(), 3);
    assert!(matches!(rungs[1].event, Event::Unreadable(_)));
    assert!(matches!(rungs[2].event, Event::KernelReset(_, relative) if relative.seq == Some(1)));
    assert!(rungs.iter().all(|rung| rung.packet.as_ref().is_some_and(|packet| packet.len() == 40)));
    assert_eq!((verdict, sum.answers, sum.kernel_resets), (Verdict::Silent(Meaning::SilentToSyn), 0, 1));
}
