//! Section 2.0: every state, every position of SEG.SEQ and SEG.ACK, every combination of the six flags of
//! RFC 9293, four lengths of text, against the oracle. M-05: at every placement.

use std::collections::BTreeMap;

use tcpshake::tcp::{Flags, Origin, Segment, SeqNum, State, UnscaledWindow};

use crate::oracle::{After, Before};
use crate::support::*;

fn origin(build: usize) -> Origin {
    if build == 3 || build == 1 { Origin::Passive } else { Origin::Active }
}

fn segments(rig: &Rig) -> impl Iterator<Item = Segment> + use<> {
    let (snd, rcv) = (*rig.tcb.snd(), *rig.tcb.rcv());
    let (rn, window) = (rcv.nxt, rcv.wnd.get());
    let seqs = [rn - 1, rn, rn + 1, rn + (window - 1), rn + window, rn + (1 << 31)];
    let oldest = snd.una - snd.max_wnd.get() - 1;
    let acks = [oldest, snd.una - 1, snd.una, snd.nxt, snd.nxt + 1];
    let lens = [0, 1, window, window + 1];
    seqs.into_iter().flat_map(move |seq| {
        acks.into_iter().flat_map(move |ack| {
            (0..64).flat_map(move |bits| {
                lens.into_iter().map(move |text_len| Segment {
                    seq,
                    ack,
                    flags: Flags::from_bits(bits),
                    text_len,
                    window: UnscaledWindow(PEER_W as u16),
                    urgent: 3,
                    ..Segment::default()
                })
            })
        })
    })
}

/// `before` after `segment`: the verdict, or what is wrong with it.
fn judge(at: usize, before: &Rig, segment: &Segment) -> Result<(), String> {
    let state = before.tcb.state();
    let (snd, rcv) = (*before.tcb.snd(), *before.tcb.rcv());
    let known = Before { state, origin: origin(at), snd, rcv };
    let mut rig = *before;
    let reaction = rig.tcb.on_segment(segment, rig.now);
    let reply = reaction.segment;

    // What holds whatever the segment is.
    let mut walked = state;
    for arrow in reaction.arrows.iter() {
        if arrow.from != walked || !arrow.is_legal() {
            return Err(format!("walks {arrow} from {walked}"));
        }
        walked = arrow.to;
    }
    if walked != rig.tcb.state() {
        return Err(format!("walks to {walked}, is in {}", rig.tcb.state()));
    }
    if reaction.deadline != rig.tcb.deadline() {
        return Err("reports another deadline".into());
    }
    let rst = |segment: &Segment| segment.has(Flags::RST);
    if rst(segment) && reply.is_some_and(|reply| rst(&reply)) {
        return Err("answers a RST with a RST".into());
    }
    if let Some(more) = rig.tcb.transmit(rig.now) {
        return Err(format!("sends a second segment: {more:?}"));
    }
    if reply.is_some_and(|reply| !reply.options.is_empty() && !reply.has(Flags::SYN)) {
        return Err("puts options on a segment without SYN (MUST-65)".into());
    }
    let (snd_now, rcv_now) = (*rig.tcb.snd(), *rig.tcb.rcv());
    if state.is_synchronized() && rig.tcb.state().is_synchronized() {
        if rcv_now.nxt.before(rcv.nxt) {
            return Err("RCV.NXT goes back".into());
        }
        if snd_now.una.after(snd_now.nxt) || snd_now.una.before(snd.una) || snd_now.nxt != snd.nxt {
            return Err("SND.UNA leaves its range".into());
        }
    }

    // What the oracle says.
    let gone = matches!(rig.tcb.state(), State::Closed | State::Listen);
    let got = After {
        state: rig.tcb.state(),
        reply: reply.map(|reply| (reply.flags, reply.seq, reply.acknowledgment())),
        una: snd_now.una,
        rcv_nxt: rcv_now.nxt,
    };
    let expected = known.arrives(segment);
    let equal = |after: &&After| {
        let variables = (after.una, after.rcv_nxt) == (got.una, got.rcv_nxt) || gone;
        (after.state, after.reply) == (got.state, got.reply) && variables
    };
    if !expected.iter().any(|after| equal(&after)) {
        return Err(format!("{got:?}, not {expected:?}"));
    }
    // Silence without an arrow: the connection is as it was, but for what an ACK may move.
    let drops = segment.acknowledgment().is_none() || rst(segment);
    if drops && reply.is_none() && walked == state && rig.tcb != before.tcb {
        return Err(format!("silent, yet changed: {:?}, was {:?}", rig.tcb, before.tcb));
    }
    Ok(())
}

/// Faults that are alike: same state, same rule; one of them stands for all.
type Faults = BTreeMap<String, (usize, String)>;

fn note(faults: &mut Faults, state: State, at: usize, rig: &Rig, segment: &Segment, fault: &str) {
    let (seq, ack) = (segment.seq - rig.place.irs, segment.ack - rig.place.iss);
    let (flags, len) = (segment.flags.short(), segment.text_len);
    let clause = { *rig }.tcb.on_segment(segment, rig.now).clause;
    let key = format!("{state} {:?} by {clause:?}", origin(at));
    let example = format!("{flags} {seq}({len}) ack {ack}: {fault}");
    faults.entry(key).or_insert((0, example)).0 += 1;
}

fn run(places: impl Iterator<Item = Placement>) {
    let (mut cases, mut faults) = (0, Faults::new());
    for place in places {
        for (at, (state, build)) in STATES.into_iter().enumerate() {
            let rig = build(place);
            for segment in segments(&rig) {
                cases += 1;
                if let Err(fault) = judge(at, &rig, &segment) {
                    note(&mut faults, state, at, &rig, &segment, &fault);
                }
            }
        }
    }
    let total: usize = faults.values().map(|(count, _)| count).sum();
    let lines = faults.iter().map(|(key, (count, example))| format!("{count} x {key}, such as {example}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    assert!(faults.is_empty(), "{total} of {cases} cases:\n{lines}");
}

/// M-01, M-02: both sides one before the wrap.
#[test]
fn matrix_at_the_wrap() {
    run(std::iter::once(WRAP));
}

/// M-05: both sides at each edge, and one opposite the other.
#[test]
fn m05_matrix_at_every_edge() {
    let both = everywhere().filter(|place| place.iss == place.irs && place.iss != WRAP.iss);
    let opposite = Placement { iss: SeqNum(u32::MAX - 1), irs: SeqNum(0x7fff_ffff) };
    run(both.chain(std::iter::once(opposite)));
}
