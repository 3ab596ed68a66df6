//! Timeouts (RFC 9293 section 3.10.8, RFC 6298 section 5).

use super::clause::Clause;
use super::parameters::{Origin, Retries};
use super::ranges::Range;
use super::reaction::{Reaction, Timer};
use super::state::State;
use super::tcb::Tcb;
use super::transfer::Transfer;
use crate::time::Instant;

impl Tcb {
    /// To be called when [`deadline`](Self::deadline) has passed; yields nothing if it has not.
    pub fn on_timeout(&mut self, now: Instant) -> Option<Reaction> {
        self.on_timeout_beside(&mut Transfer::small(self), now)
    }

    pub(super) fn on_timeout_beside(&mut self, beside: &mut Transfer, now: Instant) -> Option<Reaction> {
        let due = self.deadline().filter(|deadline| deadline.at <= now)?;
        self.tell_time(now);
        Some(match due.timer {
            Timer::TimeWait => self.walk(State::Closed, None, Clause::TimeWaitTimeout),
            Timer::TailLossProbe => self.probe_tail(beside, now),
            Timer::Persist => self.probe_window(beside, now),
            Timer::Retransmission => self.retransmit(beside, Clause::RetransmissionTimeout, now),
        })
    }

    /// The user's patience is over: everything queued is dropped, nothing is sent. `None` in CLOSED.
    pub fn on_user_timeout(&mut self) -> Option<Reaction> {
        let exists = self.state() != State::Closed;
        exists.then(|| self.walk(State::Closed, None, Clause::UserTimeout))
    }

    fn retransmit(&mut self, beside: &mut Transfer, clause: Clause, now: Instant) -> Reaction {
        if let Retries::AtMost(most) = self.retries
            && self.retransmissions >= most
        {
            return self.give_up();
        }
        self.retransmissions = self.retransmissions.saturating_add(1);
        self.timing = None; // Karn: an acknowledgment would not say which of the two it answers (MUST-18)
        self.rto.back_off();
        self.rearm(now);
        let oldest = self.form_oldest();
        let range = Range { start: oldest.seq, end: oldest.end() };
        beside.congestion.on_timeout(range, self.flight());
        self.reaction([], Some(oldest), clause)
    }

    /// The last segments of a flight, or a segment sent again, have nothing behind them that could show their
    /// loss: the oldest goes out once more, and then it is the retransmission timer's turn. RFC 8985 would send
    /// the newest, which says more to a peer that reports what it has, but nothing to one that does not.
    fn probe_tail(&mut self, beside: &mut Transfer, now: Instant) -> Reaction {
        self.timing = None;
        let oldest = self.form_oldest();
        beside.congestion.on_probe(Range { start: oldest.seq, end: oldest.end() }, self.flight());
        self.rearm(now);
        self.reaction([], Some(oldest), Clause::TailLossProbe)
    }

    /// R2 is reached. A passive open goes back to LISTEN (E-08), any other is over.
    fn give_up(&mut self) -> Reaction {
        if self.state() == State::SynReceived && self.origin != Origin::Active {
            self.return_to_listen(Clause::RetransmissionLimit)
        } else {
            self.walk(State::Closed, None, Clause::RetransmissionLimit)
        }
    }

    /// A closed window is asked, and so is one that shrank to nothing (MUST-36, MUST-35): the first probe, an RTO
    /// after it closed (SHLD-29), takes one octet from the queue; from then on it is sent again, with the same
    /// doubling waits as any segment (SHLD-30), for as long as the peer answers. Into a window that is merely small
    /// goes what fits.
    fn probe_window(&mut self, beside: &mut Transfer, now: Instant) -> Reaction {
        if self.snd.una != self.snd.nxt {
            return self.retransmit(beside, Clause::ZeroWindowProbe, now);
        }
        let clause =
            if self.snd.wnd.get() == 0 { Clause::ZeroWindowProbe } else { Clause::SillyWindowTimeout };
        let waiting = (self.snd.end - self.snd.nxt).max(0) as u32;
        let fits = self.snd.wnd.get().max(1).min(waiting).min(self.effective_mss());
        let probe = self.form_from_next(fits, now);
        self.rearm(now);
        self.reaction([], probe, clause)
    }
}
