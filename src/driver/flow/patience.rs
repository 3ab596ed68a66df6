//! What lasts how long: the parts of a connection, what has a part begin anew, and what happens when one does not end.

use super::{Flow, Outside};
use crate::driver::single::DriveError;
use crate::driver::talk::Talk;
use crate::driver::verdict;
use crate::record::{Role, TimeWait};
use crate::tcp::Clause;
use crate::time::Instant;

/// What is under way; each part has `plan.timeout` to end, and what makes progress has it anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    /// Open, and nothing is said until then.
    Pausing {
        until: Instant,
    },
    /// Open: talking, or waiting for the peer's FIN.
    Open,
    Closing,
}

impl<T: Talk> Flow<T> {
    /// When something must happen even if nothing arrives.
    pub(in crate::driver) fn deadline(&self) -> Instant {
        let timer = self.tcb().deadline().map(|timer| timer.at);
        let pause = match self.phase {
            Phase::Pausing { until } => Some(until),
            Phase::Opening | Phase::Open | Phase::Closing => None,
        };
        [timer, pause, self.owed_by()].into_iter().flatten().fold(self.phase_ends, Instant::min)
    }

    pub(super) fn enter_phase(&mut self, phase: Phase, out: &Outside<'_>) {
        self.phase = phase;
        self.phase_ends = self.now(out) + self.plan.timeout;
    }

    /// What counts as getting on: text acknowledged, text received.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.stream.acknowledged(), self.stream.received())
    }

    /// Once we close, what the peer still says lasts no longer than the close may, unless it is waited for; but our
    /// own text, which stands before our FIN, has an end.
    pub(super) fn renew_patience(&mut self, before: (u64, u64), out: &Outside<'_>) {
        let is_heard = self.stream.acknowledged() > before.0;
        let lasts = match self.phase {
            Phase::Open => true,
            Phase::Closing => self.plan.half_close || is_heard,
            Phase::Opening | Phase::Pausing { .. } => false,
        };
        if lasts && self.outcome.is_none() && self.trouble.is_none() {
            self.phase_ends = self.now(out) + self.plan.timeout;
        }
    }

    /// A deadline has passed at `when`, which may be long ago if we were stopped meanwhile.
    pub(in crate::driver) fn on_deadline(
        &mut self,
        when: Instant,
        out: &mut Outside<'_>,
    ) -> Result<(), DriveError> {
        let now = self.now(out);
        if when >= self.phase_ends {
            return self.on_patience_over(out);
        }
        if self.owed_by().is_some_and(|by| when >= by) {
            self.acknowledge(out)?;
        }
        match self.stream.on_timeout(now) {
            Some(reaction) => self.call(&reaction, out),
            None => self.follow_plan(out),
        }
    }

    /// The user timeout (RFC 9293 section 3.10.8). In SYN-SENT there is nobody to tell; later the peer may
    /// be there, and learns by a RST that we are gone. (Who has stopped answering our segments altogether,
    /// R2, is told nothing.)
    fn on_patience_over(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        if self.outcome.is_some() {
            return Ok(()); // what is kept of TIME-WAIT is over
        }
        if self.phase == Phase::Open && self.said_all && self.talk.makes_do() {
            return self.follow_plan(out);
        }
        let outcome = verdict::given_up(self.tcb().state(), self.tcb(), self.so_far);
        if self.plan.role == Role::Passive && !self.was_open {
            // The SYN may have been anybody's: no RST goes to whom it named.
            self.outcome = Some(outcome);
            let over = self.stream.on_user_timeout();
            return over.map_or(Ok(()), |reaction| self.call(&reaction, out));
        }
        self.abort(outcome, Clause::UserTimeout, out)
    }

    /// From now on what happens changes no verdict, and lasts no longer than what is kept of TIME-WAIT. Who keeps
    /// all of it leaves the end to the machine: a FIN that the peer repeats begins it anew (H-04, I-01).
    pub(in crate::driver) fn keep(&mut self, time_wait: Option<TimeWait>, out: &Outside<'_>) {
        let now = self.now(out);
        self.phase_ends = match time_wait {
            Some(time) if time.kept == time.full => Instant::FAR,
            Some(time) => now + time.kept,
            None => now,
        };
    }
}
