//! What the plan does next: talk when the connection is open, and end it when enough was said and heard.

use super::patience::Phase;
use super::{Flow, Outside};
use crate::driver::plan::Close;
use crate::driver::single::DriveError;
use crate::driver::talk::{Say, Talk};
use crate::record::{Ending, Negotiation, Outcome};
use crate::tcp::{Clause, State};

impl<T: Talk> Flow<T> {
    /// What the plan does next, if its moment has come.
    pub(super) fn follow_plan(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        if self.outcome.is_some() {
            return Ok(());
        }
        if self.phase == Phase::Opening && self.tcb().state().is_synchronized() {
            self.enter_open(out);
        }
        if let Phase::Pausing { until } = self.phase
            && self.now(out) >= until
        {
            self.enter_phase(Phase::Open, out);
        }
        self.trouble = self.trouble.take().or_else(|| self.talk.trouble());
        if self.phase != Phase::Open {
            return Ok(());
        }
        self.converse(out)?;
        self.end_as_planned(out)
    }

    fn enter_open(&mut self, out: &mut Outside<'_>) {
        self.was_open = true;
        if let Some((syn, ttl)) = self.peer_syn {
            out.observer.opened(&Negotiation::new(
                self.plan.number,
                &self.plan.parameters,
                self.tcb(),
                &syn,
                ttl,
            ));
        }
        if self.plan.wait_after_open.is_zero() {
            self.enter_phase(Phase::Open, out);
        } else {
            let until = self.now(out) + self.plan.wait_after_open;
            self.phase = Phase::Pausing { until };
            self.phase_ends = until + self.plan.timeout;
        }
    }

    /// Says and hears until neither makes room for the other. The peer is done when its last word was heard.
    fn converse(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        loop {
            let unread = self.stream.unread().len();
            if unread == 0 && self.tcb().state() == State::CloseWait {
                self.talk.peer_is_done();
            }
            self.speak(out)?;
            if unread == 0 {
                return Ok(());
            }
            self.hand_over(out)?;
            if self.stream.unread().len() == unread {
                return Ok(());
            }
        }
    }

    /// Queues what there is to say and room for.
    fn speak(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        while !self.said_all && self.outcome.is_none() {
            let room = self.stream.room().min(self.plan.queue.saturating_sub(self.stream.queued()));
            if room == 0 {
                return Ok(());
            }
            match self.talk.say(room) {
                Say::Later => return Ok(()),
                Say::Done => self.said_all = true,
                Say::Text(text) => {
                    let now = self.now(out);
                    if let Ok(reaction) = self.stream.send(&text, now) {
                        self.call(&reaction, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives what came in order to whoever listens.
    pub(super) fn hand_over(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        loop {
            let unread = self.stream.unread();
            let taken = if unread.is_empty() { 0 } else { self.talk.hear(unread) };
            if taken == 0 {
                return Ok(());
            }
            let now = self.now(out);
            if let Some(update) = self.stream.read(taken, now) {
                self.call(&update, out)?;
            }
        }
    }

    /// Somebody who talks or listens has something for us, or room again.
    pub(in crate::driver) fn on_wake(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        self.hand_over(out)?;
        self.follow_plan(out)
    }

    /// At the end: nobody offers again what is not taken now.
    pub(in crate::driver) fn hand_over_rest(&mut self) {
        let unread = self.stream.unread();
        let len = unread.len();
        if len > 0 {
            self.talk.hear_rest(unread);
            // What comes in TIME-WAIT must not offer it again. The window it opens is of no use to anybody.
            let _ = self.stream.read(len, self.latest);
        }
    }

    fn end_as_planned(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        if self.trouble.is_some() {
            return self.close(out); // properly, whatever the plan was
        }
        let peer_closed = self.tcb().state() == State::CloseWait;
        let heard_enough = self.talk.has_heard_enough() || peer_closed;
        let acknowledged = self.tcb().snd().una.at_or_after(self.tcb().snd().end);
        if !self.said_all {
            return Ok(());
        }
        match self.plan.close {
            Close::Active if heard_enough || self.plan.half_close => self.close(out),
            Close::Passive if peer_closed => self.close(out),
            Close::Reset if (heard_enough && acknowledged) || peer_closed => {
                self.abort(Outcome::Completed(Ending::ResetByUs), Clause::Abort, out)
            }
            Close::None if (heard_enough && acknowledged) || peer_closed => {
                self.acknowledge(out)?;
                self.outcome = Some(Outcome::Completed(Ending::LeftOpen));
                Ok(())
            }
            Close::Active | Close::Passive | Close::Reset | Close::None => Ok(()),
        }
    }

    fn close(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        self.enter_phase(Phase::Closing, out);
        let now = self.now(out);
        match self.stream.close(now) {
            Ok(reaction) => self.call(&reaction, out),
            Err(_) => Ok(()), // closing already
        }
    }
}
