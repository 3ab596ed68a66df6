//! Section 2.0: every state, every position of SEG.SEQ and SEG.ACK, every combination of the six flags of
//! RFC 9293, four lengths of text, against the oracle; and M-05: at every placement, with the same transcript.

use std::collections::BTreeMap;
use std::time::Duration;

use tcpshake::tcp::{Arrow, Clause, Flags, Options, Origin, Reaction, Segment, SeqNum, State, Timer};
use tcpshake::time::Clock;

use crate::oracle::{After, Before, Reply};
use crate::positions::{SEED, segments};
use crate::support::*;

/// A connection that segments arrive at.
#[derive(Clone, Copy)]
pub struct Subject {
    /// Where its random positions begin.
    at: usize,
    name: &'static str,
    origin: Origin,
    pub build: Build,
}

/// Every state, and the variants of states.
pub fn subjects() -> impl Iterator<Item = Subject> {
    let states = STATES.into_iter().enumerate().map(|(at, (_, build))| {
        let origin = if matches!(at, 1 | 3) { Origin::Passive } else { Origin::Active };
        ("", origin, build)
    });
    let all = states.chain(VARIANTS).enumerate();
    all.map(|(at, (name, origin, build))| Subject { at, name, origin, build })
}

impl Subject {
    pub fn segments(&self, rig: &Rig) -> impl Iterator<Item = Segment> + use<> {
        segments(rig, self.at)
    }

    fn before(&self, rig: &Rig) -> Before {
        Before {
            state: rig.tcb.state(),
            origin: self.origin,
            closes_with_peer: self.name.starts_with("CLOSE waits"),
            snd: *rig.tcb.snd(),
            rcv: *rig.tcb.rcv(),
        }
    }
}

/// What holds whatever the segment is; `rig` stands where `reaction` has led from `before`.
fn keeps_to_the_rules(
    before: &Rig,
    segment: &Segment,
    reaction: &Reaction,
    rig: &mut Rig,
) -> Result<(), String> {
    let mut walked = before.tcb.state();
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
    if let Some(more) = rig.tcb.transmit(rig.now) {
        return Err(format!("sends a second segment: {more:?}"));
    }
    // Silence without an arrow: the connection is as it was, but for what an ACK may move.
    let drops = segment.acknowledgment().is_none() || segment.has(Flags::RST);
    let unmoved = reaction.segment.is_none() && walked == before.tcb.state();
    if drops && unmoved && rig.tcb != before.tcb {
        return Err(format!("silent, yet changed: {:?}, was {:?}", rig.tcb, before.tcb));
    }
    reaction.segment.map_or(Ok(()), |reply| is_well_formed(&reply, segment, rig))
}

/// The fields of a reply that the oracle does not know.
fn is_well_formed(reply: &Segment, segment: &Segment, rig: &Rig) -> Result<(), String> {
    let rst = reply.has(Flags::RST);
    let window = if rst { 0 } else { rig.tcb.rcv().wnd.get() };
    if rst && segment.has(Flags::RST) {
        return Err("answers a RST with a RST".into());
    }
    if !reply.options.is_empty() && !reply.has(Flags::SYN) {
        return Err("puts options on a segment without SYN (MUST-65)".into());
    }
    // PSH stands on the last of what is queued, and nothing but that is ever queued here.
    let text = if reply.has(Flags::PSH) { rig.tcb.snd().end - reply.seq } else { 0 };
    if (u32::from(reply.window.0), reply.urgent, reply.text_len) != (window, 0, text as u32) {
        return Err(format!("not window {window}, text {text}, nothing urgent (SHLD-13): {reply}"));
    }
    Ok(())
}

/// The connection with `segment` arrived, and what it did.
fn arrive(before: &Rig, segment: &Segment) -> (Rig, Reaction) {
    let mut rig = *before;
    let reaction = rig.tcb.on_segment(segment, rig.now);
    (rig, reaction)
}

fn numbers(reply: &Segment) -> Reply {
    (reply.flags, reply.seq, reply.acknowledgment())
}

/// `before` after `segment`: what the oracle and the rules find wrong with it.
fn judge(subject: &Subject, before: &Rig, segment: &Segment) -> Result<Transcript, String> {
    let (mut rig, reaction) = arrive(before, segment);
    let got = After {
        state: rig.tcb.state(),
        reply: reaction.segment.as_ref().map(numbers),
        snd: *rig.tcb.snd(),
        rcv: *rig.tcb.rcv(),
        text: (reaction.text.len > 0).then(|| (segment.text_seq() + reaction.text.skip, reaction.text.len)),
        waits_anew: rig.tcb.state() == State::TimeWait
            && rig.tcb.deadline().is_some_and(|deadline| deadline.at == rig.now + rig.tcb.time_wait()),
    };
    let mut expected = subject.before(before).arrives(segment);
    if matches!(got.state, State::Closed | State::Listen) {
        (expected.snd, expected.rcv) = (got.snd, got.rcv); // nothing of the connection is left
    }
    if got != expected {
        return Err(format!("{got:?}, not {expected:?}"));
    }
    keeps_to_the_rules(before, segment, &reaction, &mut rig)?;
    Ok(Transcript::of(&rig, &reaction))
}

/// What one segment did, in numbers that are the same at every placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transcript {
    clause: Clause,
    arrows: [Option<Arrow>; 3],
    /// Flags, relative numbers, window, options.
    reply: Option<(Flags, u32, u32, u16, Options)>,
    /// SND.UNA, SND.NXT.
    snd: [u32; 2],
    /// RCV.NXT, RCV.UP, RCV.WND; SND.WL1, SND.WL2, SND.WND.
    heard: [u32; 6],
    deadline: Option<(u64, Timer)>,
}

impl Transcript {
    fn of(rig: &Rig, reaction: &Reaction) -> Self {
        let Placement { iss, irs } = rig.place;
        let (ours, theirs) = (|number: SeqNum| (number - iss) as u32, |number: SeqNum| (number - irs) as u32);
        let (snd, rcv, state) = (rig.tcb.snd(), rig.tcb.rcv(), rig.tcb.state());
        let exists = !matches!(state, State::Closed | State::Listen);
        let heard = exists && state != State::SynSent;
        let mut arrows = reaction.arrows.iter();
        Self {
            clause: reaction.clause,
            arrows: std::array::from_fn(|_| arrows.next()),
            reply: reaction.segment.map(|reply| {
                let of_nobody = reply.has(Flags::RST | Flags::ACK); // <SEQ=0>, wherever we begin
                let seq = if of_nobody { reply.seq.0 } else { ours(reply.seq) };
                let ack = reply.acknowledgment().map_or(0, theirs);
                (reply.flags, seq, ack, reply.window.0, reply.options)
            }),
            snd: if exists { [ours(snd.una), ours(snd.nxt)] } else { [0; 2] },
            heard: if heard {
                let [rcv_nxt, up, wl1] = [rcv.nxt, rcv.up, snd.wl1].map(theirs);
                [rcv_nxt, up, rcv.wnd.get(), wl1, ours(snd.wl2), snd.wnd.get()]
            } else {
                [0; 6]
            },
            deadline: reaction.deadline.map(|deadline| (deadline.at.as_nanos(), deadline.timer)),
        }
    }
}

/// Faults that are alike: same state, same rule; one of them stands for all.
#[derive(Default)]
struct Faults(BTreeMap<String, (usize, String)>);

impl Faults {
    fn note(&mut self, subject: &Subject, rig: &Rig, segment: &Segment, fault: &str) {
        let Placement { iss, irs } = rig.place;
        let (seq, ack) = (segment.seq - irs, segment.ack - iss);
        let (flags, len) = (segment.flags.short(), segment.text_len);
        let clause = arrive(rig, segment).1.clause;
        let key = format!("{} {} {:?} by {clause:?}", rig.tcb.state(), subject.name, subject.origin);
        let example = format!("{flags} {seq}({len}) ack {ack} with ISS {iss}, IRS {irs}: {fault}");
        self.0.entry(key).or_insert((0, example)).0 += 1;
    }

    #[expect(clippy::print_stdout, reason = "figures for who asks, with --nocapture")]
    fn verdict(&self, cases: usize, took: Duration) {
        let total: usize = self.0.values().map(|(count, _)| count).sum();
        let lines =
            self.0.iter().map(|(key, (count, example))| format!("{count} x {key}, such as {example}"));
        let lines = lines.collect::<Vec<_>>().join("\n");
        println!("{cases} cases in {} ms, seed {SEED}: {total} differences", took.as_millis());
        assert!(self.0.is_empty(), "{total} of {cases} cases, seed {SEED}:\n{lines}");
    }
}

/// A moment after the connection came to stand where it does: a timer begun now is not one begun then.
fn built(subject: &Subject, place: Placement) -> Rig {
    let mut rig = (subject.build)(place);
    rig.now += Duration::from_millis(1);
    rig
}

/// Every case at every place, and each transcript compared with that of the first.
fn run(places: &[Placement]) {
    let clock = Clock::new();
    let begun = clock.now();
    let (mut cases, mut faults) = (0, Faults::default());
    for subject in subjects() {
        let mut first = Vec::new();
        for (nth, place) in places.iter().enumerate() {
            let rig = built(&subject, *place);
            for (case, segment) in subject.segments(&rig).enumerate() {
                cases += 1;
                let judged = judge(&subject, &rig, &segment);
                let fault = match judged.as_ref() {
                    Err(fault) => Some(fault.clone()),
                    Ok(here) if nth > 0 && first[case] != Some(*here) => {
                        Some(format!("{here:?}, elsewhere {:?}", first[case]))
                    }
                    Ok(_) => None,
                };
                if let Some(fault) = fault {
                    faults.note(&subject, &rig, &segment, &fault);
                }
                if nth == 0 {
                    first.push(judged.ok());
                }
            }
        }
    }
    faults.verdict(cases, clock.now() - begun);
}

/// The edges of the sequence space, and one from which our window ends at the wrap.
const EDGES: [u32; 8] =
    [0, 1, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, (W as u32).wrapping_neg(), u32::MAX - 1, u32::MAX];

fn placed(irs_of: impl Fn(usize) -> u32) -> Vec<Placement> {
    let place = |(at, iss): (usize, u32)| Placement { iss: SeqNum(iss), irs: SeqNum(irs_of(at)) };
    EDGES.into_iter().enumerate().map(place).collect()
}

/// M-01, M-02, M-05: both sides at each edge.
#[test]
fn m05_matrix_at_every_edge() {
    run(&placed(|at| EDGES[at]));
}

/// M-05: each edge opposite the one half the circle of edges away.
#[test]
fn m05_matrix_at_opposite_edges() {
    run(&placed(|at| EDGES[(at + 4) % 8]));
}
