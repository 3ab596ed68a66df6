//! What happened, and the verdict it leads to.

use std::time::Duration;

use tcpshake::driver::Close;
use tcpshake::record::{Ending, Event, Missing, Outcome, Signal};
use tcpshake::tcp::{Clause, Flags, Segment, State, UnscaledWindow, WindowSize};

use crate::script::*;

const CLOSED: Outcome = Outcome::Completed(Ending::Closed);

#[track_caller]
fn verdict(told: &Told, outcome: &Outcome) {
    assert_eq!(&told.ended.summary.outcome, outcome, "{:#?}", told.rungs());
    assert_eq!(
        told.kept.summary.as_ref(),
        Some(&told.ended.summary),
        "the verdict is told as it is returned"
    );
}

fn incomplete(state: State, missing: Missing) -> Outcome {
    Outcome::CloseIncomplete { state, missing }
}

#[test]
fn a01_a03_opened_and_closed() {
    let told = run(Script::new(polite), &plan(Close::Active));
    verdict(&told, &CLOSED);
    assert_eq!(told.rungs(), ["> S 0", "< S. 0", "> . 1", "> F. 1", "< . 1", "< F. 1", "> . 2"]);
}

/// H-06: the FINs cross.
#[test]
fn h06_simultaneous_close() {
    let told = run(
        Script::new(|n, segment| match n {
            0 => soon(syn_ack()),
            2 => vec![(1, Do::Say(fin(1, 1))), (2, Do::Say(peer(ACK, 2, 2)))],
            _ => vec![].into_iter().filter(|_: &(u64, Do)| segment.has(ACK)).collect(),
        }),
        &plan(Close::Active),
    );
    verdict(&told, &CLOSED);
    assert!(told.kept.steps.iter().any(|step| step.state == State::Closing));
}

/// The peer closes before it has sent what we wait for: then that is all there will be.
#[test]
fn a_peer_that_closes_first_is_closed_too() {
    let early = |n: usize, segment: &Segment| match n {
        0 => vec![(1, Do::Say(syn_ack())), (2, Do::Say(fin(1, 1)))],
        _ if segment.has(Flags::FIN) => soon(peer(ACK, 2, 2)),
        _ => vec![],
    };
    for (close, outcome) in [
        (Close::Active, CLOSED),
        (Close::Passive, CLOSED),
        (Close::Reset, Outcome::Completed(Ending::ResetByUs)),
        (Close::None, Outcome::Completed(Ending::LeftOpen)),
    ] {
        let waiting = tcpshake::driver::Plan { await_text: 100, ..plan(close) };
        verdict(&run(Script::new(early), &waiting), &outcome);
    }
}

/// C-04 and the crossing open's RST.
#[test]
fn c04_e03_refused() {
    let by_rst = |_: usize, _: &Segment| soon(peer(Flags::RST | ACK, 0, 1));
    verdict(&run(Script::new(by_rst), &plan(Close::Active)), &Outcome::Refused);
    let crossed = |n: usize, _: &Segment| match n {
        0 => vec![(1, Do::Say(peer(Flags::SYN, 0, 0))), (5, Do::Say(peer(Flags::RST, 1, 0)))],
        _ => vec![],
    };
    verdict(&run(Script::new(crossed), &plan(Close::Active)), &Outcome::Refused);
}

/// B-02, and the difference between silence and answers that mean nothing.
#[test]
fn b02_silent_or_heard() {
    let told = run(Script::new(|_, _| vec![]), &plan(Close::Active));
    verdict(&told, &Outcome::Silent { heard: false });
    assert_eq!(told.rungs(), ["> S 0", "> S 0", "> S 0", "> S 0", "quiet"]); // 0, 1, 3, 7 s; patience at 10
    assert_eq!(told.kept.steps.last().unwrap().clause, Some(Clause::UserTimeout));

    let wrong = |_: usize, segment: &Segment| match segment.has(Flags::SYN) {
        true => soon(peer(Flags::SYN | ACK, 0, 9)),
        false => vec![],
    };
    verdict(&run(Script::new(wrong), &plan(Close::Active)), &Outcome::Silent { heard: true });
}

/// F-01, given up half way: the peer knows of us, and is told.
#[test]
fn f01_crossed_and_then_nothing() {
    let told = run(
        Script::new(|n, _| if n == 0 { soon(peer(Flags::SYN, 0, 0)) } else { vec![] }),
        &tcpshake::driver::Plan { timeout: Duration::from_millis(500), ..plan(Close::Active) },
    );
    verdict(&told, &Outcome::Silent { heard: true });
    assert_eq!(told.rungs(), ["> S 0", "< S 0", "> S. 0", "> R. 1"]);
}

/// G-01..09, O-10: RST in each phase after the open.
#[test]
fn g01_o10_resets() {
    let at = |when: usize, segment: Segment| {
        Script::new(move |n, sent| match n {
            0 => soon(syn_ack()),
            _ if n == when => soon(segment),
            _ => vec![].into_iter().filter(|_: &(u64, Do)| sent.has(ACK)).collect(),
        })
    };
    let rst = peer(Flags::RST, 1, 0);
    let reset = |state| Outcome::ResetAfterOpening { state };
    verdict(&run(at(1, rst), &plan(Close::Passive)), &reset(State::Established));
    verdict(&run(at(2, rst), &plan(Close::Active)), &reset(State::FinWait1));
    // After both FINs the peer has not acknowledged ours, and never will.
    let last_ack = Script::new(|n, _| match n {
        0 => vec![(1, Do::Say(syn_ack())), (2, Do::Say(fin(1, 1)))],
        3 => soon(peer(Flags::RST, 2, 0)),
        _ => vec![],
    });
    verdict(
        &run(last_ack, &plan(Close::Passive)),
        &incomplete(State::LastAck, Missing::FinAcknowledgmentReset),
    );
}

/// H-01, H-05, J-06: each thing that can be missing has its own words.
#[test]
fn h01_h05_j06_what_was_missing() {
    let open_only = |n: usize, _: &Segment| if n == 0 { soon(syn_ack()) } else { vec![] };
    verdict(
        &run(Script::new(open_only), &plan(Close::Active)),
        &incomplete(State::FinWait1, Missing::FinAcknowledgment),
    );
    verdict(
        &run(Script::new(open_only), &plan(Close::Passive)),
        &incomplete(State::Established, Missing::PeerFirst),
    );

    let keeps_open = |n: usize, segment: &Segment| match n {
        0 => soon(syn_ack()),
        _ if segment.has(Flags::FIN) => soon(peer(ACK, 1, 2)),
        _ => vec![],
    };
    let told = run(Script::new(keeps_open), &plan(Close::Active));
    verdict(&told, &incomplete(State::FinWait2, Missing::PeerFin));
    let last = told.kept.steps.last().unwrap();
    assert_eq!((last.clause, told.rungs().last().unwrap().as_str()), (Some(Clause::UserTimeout), "> R. 2"));

    let mut deaf = plan(Close::Active);
    deaf.parameters.window = WindowSize::new(0);
    verdict(&run(Script::new(keeps_open), &deaf), &incomplete(State::FinWait2, Missing::OurWindow));

    let text = tcpshake::driver::Plan { text: b"hello".to_vec(), await_text: 5, ..plan(Close::Active) };
    verdict(
        &run(Script::new(open_only), &text),
        &incomplete(State::Established, Missing::TextAcknowledgment),
    );
    let shut = |_: usize, segment: &Segment| {
        let closed = UnscaledWindow(0);
        match segment.has(Flags::SYN) {
            true => soon(Segment { window: closed, ..syn_ack() }),
            false if segment.text_len > 0 => soon(Segment { window: closed, ..peer(ACK, 1, 1) }),
            false => vec![],
        }
    };
    verdict(&run(Script::new(shut), &text), &incomplete(State::Established, Missing::Window));
}

/// N-01, N-02, N-03, N-04, N-05, MUST-55, MUST-56, SHLD-26: ICMP in each phase.
#[test]
fn n01_n02_n04_n05_icmp_by_phase() {
    let unanswered = |kind, code, seq, port| {
        Script::new(move |n, _| if n == 0 { vec![(1, icmp(kind, code, seq, port))] } else { vec![] })
    };
    // Hard, about our SYN: at once.
    let told = run(unanswered(3, 13, ISS, REMOTE_PORT), &plan(Close::Active));
    assert!(matches!(told.ended.summary.outcome, Outcome::Unreachable(error) if error.code == 13));
    assert_eq!(told.rungs(), ["> S 0", "icmp 3/13 Fatal", "quiet"]);
    let last = told.kept.steps.last().unwrap();
    assert_eq!((last.state, last.clause), (State::Closed, Some(Clause::IcmpEndsOpening)));
    // Soft: noted, and the verdict if nothing else comes.
    let told = run(unanswered(3, 1, ISS, REMOTE_PORT), &plan(Close::Active));
    assert!(matches!(told.ended.summary.outcome, Outcome::Unreachable(error) if error.code == 1));
    assert_eq!(told.rungs().iter().filter(|rung| *rung == "> S 0").count(), 4);
    // About a number that is not under way: somebody made it up.
    for seq in [ISS - 1, ISS + 1] {
        let told = run(unanswered(3, 13, seq, REMOTE_PORT), &plan(Close::Active));
        verdict(&told, &Outcome::Silent { heard: false });
        assert_eq!(told.rungs()[1], "icmp 3/13 NotOurs");
    }
    // About another connection, or a source quench: not even told.
    for script in [unanswered(3, 13, ISS, 81), unanswered(4, 0, ISS, REMOTE_PORT)] {
        let told = run(script, &plan(Close::Active));
        verdict(&told, &Outcome::Silent { heard: false });
        assert_eq!(told.rungs()[1], "> S 0");
    }
    // Once open, none may end it (RFC 5927).
    let told = run(
        Script::new(|n, segment| {
            let mut answers = polite(n, segment);
            if segment.has(Flags::FIN) {
                answers.insert(0, (0, icmp(3, 13, segment.seq, REMOTE_PORT)));
            }
            answers
        }),
        &plan(Close::Active),
    );
    verdict(&told, &CLOSED);
    assert!(told.rungs().contains(&"icmp 3/13 Noted".to_owned()));
    assert_eq!(told.ended.summary.noted.unwrap().code, 13);
}

/// MUST-30, MUST-32: that text is urgent, and up to where, is told with the segment that says so, and when it says
/// more.
#[test]
fn must_30_must_32_urgent_text_is_told_when_its_pointer_comes() {
    let urgent = |seq, pointer| {
        let flags = Flags::URG | ACK;
        Do::Say(Segment { urgent: pointer, text_len: 10, ..peer(flags, seq, 1) })
    };
    let told = run(
        Script::new(move |n, segment| match n {
            0 => vec![
                (1, Do::Say(syn_ack())),
                (2, urgent(1, 5)),
                (3, urgent(11, 900)),
                (4, Do::Say(fin(21, 1))),
            ],
            _ if segment.has(Flags::FIN) => soon(peer(ACK, 22, 2)),
            _ => vec![],
        }),
        &plan(Close::Passive),
    );
    verdict(&told, &CLOSED);
    let urgent = |event: &Event| {
        let Event::Received { segment, .. } = event else { return None };
        segment.has(Flags::URG).then_some(segment.urgent)
    };
    let pointers: Vec<u16> = told.kept.steps.iter().filter_map(|step| urgent(&step.event)).collect();
    assert_eq!(pointers, [5, 900]);
}

/// Hard ICMP after crossing SYNs: the peer knows of us, and is told.
#[test]
fn icmp_in_syn_received_ends_with_a_rst() {
    let told = run(
        Script::new(|n, _| match n {
            0 => vec![(1, Do::Say(peer(Flags::SYN, 0, 0))), (3, icmp(3, 13, ISS, REMOTE_PORT))],
            _ => vec![],
        }),
        &plan(Close::Active),
    );
    assert!(matches!(told.ended.summary.outcome, Outcome::Unreachable(_)));
    assert_eq!(told.rungs().last().unwrap(), "> R. 1");
}

/// P-03: a signal in each phase; where the peer knows of us it gets a RST.
#[test]
fn p03_signals_by_phase() {
    let interrupted = Outcome::Interrupted(Signal::Interrupt);
    let signal = |ms| (ms, Do::Signal(Signal::Interrupt));
    let opening = Script::new(move |_, _| vec![signal(1)]);
    verdict(&run(opening, &plan(Close::Active)), &interrupted);
    let open =
        Script::new(move |n, _| if n == 0 { vec![(1, Do::Say(syn_ack())), signal(5)] } else { vec![] });
    let told = run(open, &plan(Close::Passive));
    verdict(&told, &interrupted);
    assert_eq!(told.rungs().last().unwrap(), "> R. 1");
    // After the verdict it cuts TIME-WAIT short, and changes nothing of the verdict.
    let late = Script::new(move |n, segment| {
        let mut answers = polite(n, segment);
        answers.extend((n == 3).then(|| signal(5)));
        answers
    });
    let told = run(late, &plan(Close::Active));
    verdict(&told, &CLOSED);
    assert_eq!(told.ended.cut_short, Some(Signal::Interrupt));
}
