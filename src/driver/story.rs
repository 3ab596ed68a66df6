//! Keeps the account of an exchange and tells it: rungs, numbers counted from the initial ones, times.

use std::net::SocketAddr;
use std::time::Duration;

use super::observe::Observer;
use super::plan::Plan;
use crate::guard::{Discard, Guard, GuardedPorts, Kind, PassedOver, Proof, Standing, Tally};
use crate::record::connection::Source;
use crate::record::{
    Event, Excerpt, GuardSummary, Keep, Opening, Outcome, Relative, Role, Standing as Left, Step, Summary,
    View,
};
use crate::tcp::{Arrow, Arrows, Clause, Flags, Reaction, Segment, SeqNum, State, Stream, Tcb};
use crate::time::{self, Instant, Reading};
use crate::wire::SendError;

/// The state in which the first rung finds a connection.
const fn beginning(role: Role) -> State {
    match role {
        Role::Active => State::Closed,
        Role::Passive => State::Listen,
    }
}

/// Whether a segment answers one that has its own rung, which shows the arrows, or stands alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Reply,
    Call,
}

/// Who is told of a step, when it happened, and what it left of the connection.
pub(super) struct Told<'t> {
    pub(super) observer: &'t mut dyn Observer,
    pub(super) at: Instant,
    pub(super) tcb: &'t Tcb,
    /// The packet it was seen in; empty if there was none.
    pub(super) packet: &'t [u8],
}

pub(super) struct Story {
    /// Which exchange of a run it is.
    exchange: u32,
    /// When the first rung happened.
    begun: Option<Instant>,
    /// Between the clock of the wire and the date.
    reading: Reading,
    rungs: u32,
    late: bool,
    /// Whether the peer's initial number has been seen.
    peer_known: bool,
    syn_at: Option<Instant>,
    syns: u32,
    /// The number after all that was sent.
    sent_to: Option<SeqNum>,
    /// The oldest number sent again, and how often.
    again: Option<(SeqNum, u8)>,
    opened_at: Option<Instant>,
    first_fin_at: Option<Instant>,
    closed_at: Option<Instant>,
    retransmissions: u32,
    kernel_resets: u32,
    keep: Keep,
    /// How the last rung left the connection.
    left: Left,
}

impl Story {
    /// The `reading` leads from the clock of the wire to the date.
    pub(super) fn begin(
        now: Instant,
        reading: Reading,
        observer: &mut dyn Observer,
        local: SocketAddr,
        guard: GuardSummary,
        plan: &Plan,
    ) -> Self {
        observer.begin(&Opening {
            number: plan.number,
            role: plan.role,
            at: plan.begun.map_or(Duration::ZERO, |begun| now - begun),
            local,
            remote: plan.remote,
            host: plan.host.clone(),
            among: plan.among,
            guard,
            simulated: plan.simulated,
            source: Source::Ourselves,
            unix_seconds: if plan.simulated { 0 } else { time::unix_seconds() },
        });
        Self {
            exchange: plan.number,
            begun: plan.begun,
            reading,
            rungs: 0,
            late: false,
            peer_known: false,
            syn_at: None,
            syns: 0,
            sent_to: None,
            again: None,
            opened_at: None,
            first_fin_at: None,
            closed_at: None,
            retransmissions: 0,
            kernel_resets: 0,
            keep: plan.keep,
            left: Left { state: beginning(plan.role), view: View::default() },
        }
    }

    pub(super) fn sent(
        &mut self,
        told: Told<'_>,
        segment: &Segment,
        text: Excerpt,
        reaction: &Reaction,
        part: Part,
    ) {
        let retransmission = self.count_retransmission(segment, reaction.clause);
        if segment.has(Flags::SYN) {
            self.syns += 1;
            self.syn_at.get_or_insert(told.at);
        }
        if segment.has(Flags::FIN) {
            self.first_fin_at.get_or_insert(told.at);
        }
        let relative = self.relative(segment, told.tcb, Direction::Sent);
        let event = Event::Sent { segment: *segment, relative, text, retransmission };
        self.rung(told, event, Some(&part.of(reaction)));
    }

    pub(super) fn unsent(
        &mut self,
        told: Told<'_>,
        segment: &Segment,
        error: &SendError,
        reaction: &Reaction,
        part: Part,
    ) {
        let relative = self.relative(segment, told.tcb, Direction::Sent);
        let event = Event::Unsent { segment: *segment, relative, why: error.to_string() };
        self.rung(told, event, Some(&part.of(reaction)));
    }

    /// How often the segment was sent before, judged by its numbers. The SYN,ACK that answers a crossing
    /// SYN has the number of our SYN, but is another segment.
    fn count_retransmission(&mut self, segment: &Segment, clause: Clause) -> u8 {
        let before = self.sent_to.is_some_and(|sent_to| segment.seq.before(sent_to));
        if self.sent_to.is_none_or(|sent_to| segment.end().after(sent_to)) {
            self.sent_to = Some(segment.end());
        }
        if segment.is_empty() || !before || clause == Clause::SynSentCrossed {
            return 0;
        }
        self.retransmissions += 1;
        let times = match self.again {
            Some((seq, times)) if seq == segment.seq => times.saturating_add(1),
            _ => 1,
        };
        self.again = Some((segment.seq, times));
        times
    }

    pub(super) fn received(
        &mut self,
        told: Told<'_>,
        segment: &Segment,
        text: Excerpt,
        ttl: u8,
        reaction: &Reaction,
    ) {
        for Arrow { from, to } in reaction.arrows.iter() {
            self.peer_known |= matches!(to, State::SynReceived | State::Established);
            if to == State::Established {
                self.opened_at = Some(told.at);
            }
            if to == State::TimeWait || (from, to) == (State::LastAck, State::Closed) {
                self.closed_at = Some(told.at);
            }
        }
        if reaction.clause == Clause::FinAccepted {
            self.first_fin_at.get_or_insert(told.at);
        }
        let relative = self.relative(segment, told.tcb, Direction::Received);
        self.rung(told, Event::Received { segment: *segment, relative, text, ttl }, Some(reaction));
    }

    pub(super) fn kernel_reset(&mut self, told: Told<'_>, segment: Segment) {
        self.kernel_resets += 1;
        let relative = self.relative(&segment, told.tcb, Direction::Sent);
        self.rung(told, Event::KernelReset(segment, relative), None);
    }

    pub(super) fn rung(&mut self, told: Told<'_>, event: Event, reaction: Option<&Reaction>) {
        let Told { observer, at, tcb, packet } = told;
        self.rungs += 1;
        let view = View {
            snd: *tcb.snd(),
            rcv: *tcb.rcv(),
            snd_scale: tcb.snd_scale().get(),
            rto: tcb.retransmission_timeout(),
        };
        let left = Left { state: tcb.state(), view };
        let packet = self.keep.of(packet, event.segment()).into();
        observer.step(&Step {
            exchange: self.exchange,
            n: self.rungs,
            at: at - *self.begun.get_or_insert(at),
            since_1970: self.reading.since_1970(at),
            event,
            arrows: reaction.map_or_else(Arrows::default, |reaction| reaction.arrows),
            state: tcb.state(),
            clause: reaction.map(|reaction| reaction.clause),
            view,
            before: std::mem::replace(&mut self.left, left),
            packet,
            late: self.late,
            seen: None,
        });
    }

    pub(super) fn summary(&self, outcome: Outcome, stream: &Stream, guard: Tally) -> Summary {
        let span = |from: Option<Instant>, to: Option<Instant>| Some(to? - from?);
        let open_time = span(self.syn_at, self.opened_at);
        Summary {
            exchange: self.exchange,
            outcome,
            open_time,
            close_time: span(self.first_fin_at, self.closed_at),
            rtt: open_time.filter(|_| self.syns == 1), // Karn: two SYNs, and nobody knows which was answered
            retransmissions: self.retransmissions,
            held_back: guard.held_back,
            guard_lost: guard.lost,
            kernel_resets: self.kernel_resets,
            packets_lost: 0,
            text_sent: stream.acknowledged(),
            text_received: stream.received(),
            noted: None,
            time_wait: None,
            expected: None,
            as_expected: None,
            trouble: None,
        }
    }

    /// A refusal that a simultaneous open passes over.
    pub(super) fn passed_over(&mut self, told: Told<'_>, segment: &Segment, ttl: u8) {
        let relative = self.relative(segment, told.tcb, Direction::Received);
        let event = Event::Received { segment: *segment, relative, text: Excerpt::default(), ttl };
        self.rung(told, event, None);
    }

    /// A SYN that goes out once more beside the timer.
    pub(super) fn sent_again(&mut self, told: Told<'_>, segment: &Segment) {
        self.syns += 1;
        let relative = self.relative(segment, told.tcb, Direction::Sent);
        let event = Event::Sent { segment: *segment, relative, text: Excerpt::default(), retransmission: 0 };
        self.rung(told, event, None);
    }

    /// The open was carried by a cookie up to the client's ACK.
    pub(super) fn recalled(&mut self, tcb: &Tcb) {
        self.peer_known = true;
        self.sent_to = Some(tcb.snd().nxt);
    }

    pub(super) fn end(&mut self, observer: &mut dyn Observer, summary: &Summary) {
        observer.end(summary);
        self.late = true;
    }

    fn relative(&self, segment: &Segment, tcb: &Tcb, direction: Direction) -> Relative {
        let ours = Some(tcb.snd().iss);
        let theirs = self.peer_known.then_some(tcb.rcv().irs);
        let (sender, receiver) = match direction {
            Direction::Sent => (ours, theirs),
            Direction::Received => (theirs, ours),
        };
        Relative {
            seq: sender.map(|initial| segment.seq.0.wrapping_sub(initial.0)),
            ack: receiver.and_then(|initial| Some(segment.acknowledgment()?.0.wrapping_sub(initial.0))),
        }
    }
}

impl Part {
    /// What the rung of the segment shows of the reaction.
    fn of(self, reaction: &Reaction) -> Reaction {
        match self {
            Self::Call => *reaction,
            Self::Reply => Reaction { arrows: Arrows::default(), ..*reaction },
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Sent,
    Received,
}

fn told(passed: &PassedOver) -> (&'static str, String) {
    (passed.kind.name(), passed.why.clone())
}

/// A guard, in words.
pub(super) fn summarize(guard: &Guard) -> GuardSummary {
    summary_of(guard.name(), guard.discard(), guard.proof(), guard.passed_over())
}

/// A guard that stands for many.
pub(super) fn summarize_standing(guard: &Standing) -> GuardSummary {
    summary_of(guard.name(), guard.discard(), guard.proof(), guard.passed_over())
}

/// A guard on the ports of a fleet.
pub(super) fn summarize_ports(guard: &GuardedPorts) -> GuardSummary {
    let name = guard.kind().map_or("not needed", Kind::name);
    summary_of(name, guard.discard(), guard.proof(), guard.passed_over())
}

fn summary_of(
    name: &'static str,
    discard: Option<Discard>,
    proof: &Proof,
    passed_over: &[PassedOver],
) -> GuardSummary {
    let (proven, untested_because) = match proof {
        Proof::Silent => (Some(true), None),
        Proof::Answered => (Some(false), None),
        Proof::Untestable(reason) => (None, Some(reason.clone())),
        Proof::NotAsked => (None, None),
    };
    GuardSummary {
        name,
        variant: discard.map(Discard::name),
        proven,
        untested_because,
        passed_over: passed_over.iter().map(told).collect(),
    }
}
