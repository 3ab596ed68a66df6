//! Keeps the account of an exchange and tells it: rungs, numbers counted from the initial ones, times.

use super::observe::Observer;
use super::plan::Plan;
use super::single::{Outgoing, Part};
use crate::guard::{Guard, Proof};
use crate::packet::{DecodeError, IcmpError};
use crate::record::{
    Event, Excerpt, GuardSummary, Opening, Outcome, Relative, Step, Summary, TimeWait, View,
};
use crate::tcp::{Arrow, Arrows, Clause, Flags, Reaction, Segment, State, Tcb};
use crate::time::{self, Instant};

pub(super) struct Story<'o> {
    observer: &'o mut dyn Observer,
    /// When the first rung happened.
    begun: Option<Instant>,
    rungs: u32,
    late: bool,
    /// Whether the peer's initial number has been seen.
    peer_known: bool,
    syn_at: Option<Instant>,
    opened_at: Option<Instant>,
    first_fin_at: Option<Instant>,
    closed_at: Option<Instant>,
    retransmissions: u32,
    kernel_resets: u32,
    text_received: u64,
}

impl<'o> Story<'o> {
    pub(super) fn begin(observer: &'o mut dyn Observer, guard: &Guard, plan: &Plan) -> Self {
        observer.begin(&Opening {
            number: plan.number,
            local: guard.local(),
            remote: plan.remote,
            host: plan.host.clone(),
            guard: summarize(guard),
            simulated: plan.simulated,
            unix_seconds: if plan.simulated { 0 } else { time::unix_seconds() },
        });
        Self {
            observer,
            begun: None,
            rungs: 0,
            late: false,
            peer_known: false,
            syn_at: None,
            opened_at: None,
            first_fin_at: None,
            closed_at: None,
            retransmissions: 0,
            kernel_resets: 0,
            text_received: 0,
        }
    }

    pub(super) const fn text_received(&self) -> u64 {
        self.text_received
    }

    pub(super) fn sent(&mut self, sent: Option<&Outgoing>, reaction: &Reaction, tcb: &Tcb, part: Part) {
        let Some(&Outgoing { segment, text, at }) = sent else {
            return;
        };
        let again = reaction.clause == Clause::RetransmissionTimeout;
        self.retransmissions += u32::from(again);
        if segment.has(Flags::SYN) && self.syn_at.is_none() {
            self.syn_at = Some(at);
        }
        if segment.has(Flags::FIN) && self.first_fin_at.is_none() {
            self.first_fin_at = Some(at);
        }
        let event = Event::Sent {
            segment,
            relative: self.relative(&segment, tcb, Direction::Sent),
            text,
            retransmission: if again { tcb.retransmissions() } else { 0 },
        };
        match part {
            Part::Call => self.rung(event, at, Some(reaction), tcb),
            Part::Reply => {
                self.rung(event, at, Some(&Reaction { arrows: Arrows::default(), ..*reaction }), tcb);
            }
        }
    }

    pub(super) fn received(
        &mut self,
        segment: &Segment,
        text: Excerpt,
        ttl: u8,
        at: Instant,
        reaction: &Reaction,
        tcb: &Tcb,
    ) {
        self.text_received += u64::from(reaction.text.len);
        for Arrow { from, to } in reaction.arrows.iter() {
            self.peer_known |= matches!(to, State::SynReceived | State::Established);
            if to == State::Established {
                self.opened_at = Some(at);
            }
            if to == State::TimeWait || (from, to) == (State::LastAck, State::Closed) {
                self.closed_at = Some(at);
            }
        }
        if segment.has(Flags::FIN) && self.first_fin_at.is_none() {
            self.first_fin_at = Some(at);
        }
        let relative = self.relative(segment, tcb, Direction::Received);
        self.rung(Event::Received { segment: *segment, relative, text, ttl }, at, Some(reaction), tcb);
    }

    pub(super) fn kernel_reset(&mut self, segment: Segment, at: Instant, tcb: &Tcb) {
        self.kernel_resets += 1;
        let relative = self.relative(&segment, tcb, Direction::Sent);
        self.rung(Event::KernelReset(segment, relative), at, None, tcb);
    }

    pub(super) fn unreadable(&mut self, error: DecodeError, at: Instant, tcb: &Tcb) {
        self.rung(Event::Unreadable(error), at, None, tcb);
    }

    pub(super) fn quiet(&mut self, reaction: &Reaction, at: Instant, tcb: &Tcb) {
        self.rung(Event::Quiet, at, Some(reaction), tcb);
    }

    pub(super) fn rung(&mut self, event: Event, at: Instant, reaction: Option<&Reaction>, tcb: &Tcb) {
        self.rungs += 1;
        self.observer.step(&Step {
            n: self.rungs,
            at: at - *self.begun.get_or_insert(at),
            event,
            arrows: reaction.map_or_else(Arrows::default, |reaction| reaction.arrows),
            state: tcb.state(),
            clause: reaction.map(|reaction| reaction.clause),
            view: View {
                snd: *tcb.snd(),
                rcv: *tcb.rcv(),
                snd_scale: tcb.snd_scale().get(),
                rto: tcb.retransmission_timeout(),
            },
            late: self.late,
        });
    }

    pub(super) fn summary(
        &self,
        outcome: Outcome,
        tcb: &Tcb,
        noted: Option<IcmpError>,
        held_back: u32,
        time_wait: Option<TimeWait>,
    ) -> Summary {
        let span = |from: Option<Instant>, to: Option<Instant>| Some(to? - from?);
        let open_time = span(self.syn_at, self.opened_at);
        let acknowledged = tcb.snd().una.0.wrapping_sub(tcb.snd().iss.0).saturating_sub(1);
        let queued = (tcb.snd().end - tcb.snd().iss).max(1) as u32 - 1;
        Summary {
            outcome,
            open_time,
            close_time: span(self.first_fin_at, self.closed_at),
            rtt: open_time.filter(|_| self.retransmissions == 0),
            retransmissions: self.retransmissions,
            held_back,
            kernel_resets: self.kernel_resets,
            text_sent: u64::from(acknowledged.min(queued)),
            text_received: self.text_received,
            noted,
            time_wait,
        }
    }

    pub(super) fn end(&mut self, summary: &Summary) {
        self.observer.end(summary);
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

#[derive(Clone, Copy)]
enum Direction {
    Sent,
    Received,
}

fn summarize(guard: &Guard) -> GuardSummary {
    let (proven, untested_because) = match guard.proof() {
        Proof::Silent => (Some(true), None),
        Proof::Answered => (Some(false), None),
        Proof::Untestable(reason) => (None, Some(reason.clone())),
        Proof::NotAsked => (None, None),
    };
    GuardSummary {
        name: guard.name(),
        variant: guard.discard().map(crate::guard::Discard::name),
        proven,
        untested_because,
    }
}
