//! 3.10.1 to 3.10.6: what the user asks for, in every state.

use tcpshake::tcp::{CallError, Clause as C, Origin, SeqNum, State as S, WindowSize};

use crate::support::*;

type Call = fn(&mut Rig) -> Result<tcpshake::tcp::Reaction, CallError>;

/// The call in each of the twelve states of `STATES`: the state after, what goes out; or the error.
#[track_caller]
fn in_every_state(call: Call, expected: &[Result<(S, &str, C), CallError>; 12]) {
    for place in everywhere() {
        for ((state, build), expected) in STATES.into_iter().zip(expected.iter().copied()) {
            let mut rig = build(place);
            let before = rig;
            let got = call(&mut rig);
            match (got, expected) {
                (Ok(reaction), Ok((to, reply, clause))) => {
                    let mut out: Vec<String> = reaction.segment.iter().map(|s| rig.show(s)).collect();
                    while let Some(more) = rig.tcb.transmit(rig.now) {
                        out.extend(more.segment.iter().map(|s| rig.show(s)));
                    }
                    let got = (rig.tcb.state(), out.join(", "), reaction.clause);
                    assert_eq!(got, (to, reply.to_owned(), clause), "in {state} {place:?}");
                }
                (Err(got), Err(expected)) => {
                    assert_eq!(got, expected, "in {state}");
                    assert_eq!(rig.tcb, before.tcb, "an error in {state} changes something");
                }
                (got, expected) => panic!("in {state}: {got:?}, not {expected:?}"),
            }
        }
    }
}

const EXISTS: Result<(S, &str, C), CallError> = Err(CallError::AlreadyExists);
const NONE: Result<(S, &str, C), CallError> = Err(CallError::DoesNotExist);
const CLOSING: Result<(S, &str, C), CallError> = Err(CallError::Closing);

/// 3.10.1, active; A-01.
#[test]
fn a01_open_active_in_every_state() {
    let sends_syn = Ok((S::SynSent, "S 0", C::ActiveOpen));
    let mut expected = [EXISTS; 12];
    expected[..2].fill(sends_syn);
    in_every_state(|rig| rig.tcb.open(Origin::Active, rig.place.iss, rig.now), &expected);
}

/// 3.10.1, passive; A-02.
#[test]
fn a02_open_passive_in_every_state() {
    let mut expected = [EXISTS; 12];
    expected[0] = Ok((S::Listen, "", C::PassiveOpen));
    in_every_state(|rig| rig.tcb.open(Origin::Passive, rig.place.iss, rig.now), &expected);
}

/// 3.10.1: LISTEN turned active is active also when a RST refuses it (MUST-11).
#[test]
fn must_11_open_active_in_listen_changes_the_origin() {
    for place in everywhere() {
        let rig = listen(place).open(Origin::Active).with(&[syn(0), rst(1)]);
        assert_eq!(rig.tcb.state(), S::Closed);
    }
}

/// 3.10.1: SND.UNA, SND.NXT and ISS after the SYN, wherever it stands.
#[test]
fn open_active_sets_the_send_sequence_space() {
    for place in everywhere() {
        let snd = *syn_sent(place).tcb.snd();
        assert_eq!((snd.iss, snd.una, snd.nxt), (place.iss, place.iss, place.iss + 1));
    }
}

/// 3.10.2; H-10.
#[test]
fn h10_send_in_every_state() {
    let queued = |state| Ok((state, "", C::Send));
    in_every_state(
        |rig| rig.tcb.send(10, rig.now),
        &[
            NONE,
            Err(CallError::RemoteUnspecified),
            queued(S::SynSent),
            queued(S::SynReceived),
            queued(S::SynReceived),
            Ok((S::Established, "P. 1:11 ack 1", C::Send)),
            CLOSING,
            CLOSING,
            Ok((S::CloseWait, "P. 1:11 ack 2", C::Send)),
            CLOSING,
            CLOSING,
            CLOSING,
        ],
    );
}

/// 3.10.2: what was queued before the open leaves with it, on the third ACK or after it.
#[test]
fn send_before_the_open_is_sent_after_it() {
    for place in everywhere() {
        for (rig, opener, sent) in [
            (syn_sent(place), syn_ack(0, 1), [". 1 ack 1, P. 1:11 ack 1", "P. 1:11 ack 1"]),
            (syn_received_passive(place), ack(1, 1), ["P. 1:11 ack 1"; 2]),
        ] {
            let (_, out) = rig.with(&[send(4), send(6)]).on(opener);
            assert!(sent.contains(&out.as_str()), "{out}");
        }
    }
}

/// MUST-60, MUST-61: PSH stands on the last segment of what was queued, and only there.
#[test]
fn must_60_must_61_send_pushes_the_last_segment() {
    let rig = syn_sent(WRAP).with(&[syn_ack(0, 1).win(60_000)]);
    assert_eq!(rig.clone_sending(1300), ". 1:537 ack 1, . 537:1073 ack 1, P. 1073:1301 ack 1");
}

/// MUST-34, J-10: never beyond the peer's window, also when it shrinks.
#[test]
fn must_34_j10_send_stays_in_the_window() {
    for place in everywhere() {
        let mut rig = established(place).with(&[ack(1, 1).win(600)]);
        assert_eq!(rig.on(send(1000)).1, ". 1:537 ack 1", "MUST-38: no small segment into what is left");
        assert_eq!(rig.on(ack(1, 1).win(100)).1, "", "no new text, no negative window");
        assert_eq!(rig.on(ack(1, 101).win(100)).1, "");
        assert_eq!(rig.on(ack(1, 537).win(0)).1, "");
        assert_eq!(rig.tcb.snd().wnd, WindowSize::new(0));
    }
}

/// 3.10.4, H-10.
#[test]
fn a10_close_in_every_state() {
    in_every_state(
        |rig| rig.tcb.close(rig.now),
        &[
            NONE,
            Ok((S::Closed, "", C::CloseUnopened)),
            Ok((S::Closed, "", C::CloseUnopened)),
            Ok((S::FinWait1, "F. 1 ack 1", C::Close)),
            Ok((S::FinWait1, "F. 1 ack 1", C::Close)),
            Ok((S::FinWait1, "F. 1 ack 1", C::Close)),
            CLOSING,
            CLOSING,
            Ok((S::LastAck, "F. 1 ack 2", C::Close)),
            CLOSING,
            CLOSING,
            CLOSING,
        ],
    );
}

/// the SYN,ACK that comes after CLOSE in SYN-SENT meets no connection.
#[test]
fn a10_close_in_syn_sent_then_late_syn_ack() {
    script(
        syn_sent,
        &[(close(), S::Closed, "", C::CloseUnopened), (syn_ack(0, 1), S::Closed, "R 1", C::ClosedSendsRst)],
    );
}

/// 3.10.4, SYN-RECEIVED: with text queued, CLOSE waits for the open, then text and FIN leave.
#[test]
fn close_in_syn_received_with_text_queued_waits() {
    for place in everywhere() {
        for build in [syn_received_passive as Build, syn_received_active] {
            let mut rig = build(place).with(&[send(10)]);
            let (reaction, out) = rig.on(close());
            assert_eq!((reaction.clause, out.as_str()), (C::CloseQueued, ""));
            assert_eq!(rig.tcb.state(), S::SynReceived);
            assert_eq!(rig.tcb.send(1, rig.now), Err(CallError::Closing), "nothing after CLOSE");
            let (_, out) = rig.on(ack(1, 1));
            assert!(["FP. 1:11 ack 1", "P. 1:11 ack 1, F. 11 ack 1"].contains(&out.as_str()), "{out}");
            assert_eq!(rig.tcb.state(), S::FinWait1);
        }
    }
}

/// after CLOSE in SYN-RECEIVED the ACK of SYN and FIN leads on, the ACK of the SYN alone does not.
#[test]
fn a10_close_in_syn_received_then_acks() {
    for build in [syn_received_passive as Build, syn_received_active] {
        for place in everywhere() {
            let mut rig = build(place).with(&[close(), ack(1, 1)]);
            assert_eq!((rig.tcb.state(), rig.tcb.snd().una), (S::FinWait1, place.iss + 1));
            rig.feed(ack(1, 2));
            assert_eq!(rig.tcb.state(), S::FinWait2);
            let rig = build(place).with(&[close(), ack(1, 2)]);
            assert_eq!(rig.tcb.state(), S::FinWait2);
            let rig = build(place).with(&[close(), fin(1, 2)]);
            assert_eq!(rig.tcb.state(), S::TimeWait);
        }
    }
}

/// SYN,ACK and FIN both lost after CLOSE in SYN-RECEIVED: what is sent again still opens and closes.
#[test]
fn a10_close_in_syn_received_resends_the_syn_first() {
    let mut rig = syn_received_passive(WRAP).with(&[close()]);
    let (_, out) = rig.on(timeout(1000));
    assert!(
        out.starts_with("S. 0 ack 1") || out.starts_with("SF. 0 ack 1"),
        "the peer never saw our SYN: {out}"
    );
}

/// 3.10.5; H-20.
#[test]
fn h20_abort_in_every_state() {
    let silent = Ok((S::Closed, "", C::AbortSilently));
    let reset = |text| Ok((S::Closed, text, C::Abort));
    in_every_state(
        |rig| rig.tcb.abort(),
        &[
            NONE,
            silent,
            silent,
            reset("R. 1 ack 1"),
            reset("R. 1 ack 1"),
            reset("R. 1 ack 1"),
            reset("R. 2 ack 1"),
            reset("R. 2 ack 1"),
            reset("R. 1 ack 2"),
            silent,
            silent,
            silent,
        ],
    );
}

/// H-20: queues and timers are flushed; the RST stands at SND.NXT, behind text under way.
#[test]
fn h20_abort_flushes_everything() {
    for place in everywhere() {
        let mut rig = established(place).with(&[send(2000)]);
        let nxt = rig.tcb.snd().nxt;
        let (reaction, _) = rig.on(abort());
        assert_eq!(reaction.segment.unwrap().seq, nxt);
        assert_eq!((rig.tcb.deadline(), rig.tcb.transmit(rig.now)), (None, None));
    }
}

/// 3.10.6, and the helpers: each builds the state it is named after.
#[test]
fn status_in_every_state() {
    for place in everywhere() {
        for (state, build) in STATES {
            assert_eq!(build(place).tcb.state(), state);
        }
    }
}

/// 3.10.1: a block is spent with its connection ("delete the TCB"); nothing of it can reach the next.
#[test]
fn open_again_needs_a_new_tcb() {
    for end in [rst(1), abort(), user_timeout()] {
        let mut rig = established(WRAP).with(&[send(10), timeout(1000), end]);
        for origin in [Origin::Active, Origin::Passive] {
            assert_eq!(rig.tcb.open(origin, SeqNum(7), rig.now), Err(CallError::Ended));
        }
        assert_eq!(rig.tcb.state(), S::Closed);
    }
}

/// 3.10.4, SYN-RECEIVED: a CLOSE that waits for the open is a CLOSE: the next one is an error.
#[test]
fn close_twice_in_syn_received_with_text_queued() {
    let mut rig = syn_received_passive(WRAP).with(&[send(10), close()]);
    assert_eq!(rig.tcb.close(rig.now), Err(CallError::Closing));
}
