//! What one event does to a connection, as a value.

use super::clause::Clause;
use super::segment::Segment;
use super::state::{Arrow, State};
use crate::time::Instant;

/// The effects of one call, segment or timeout. Nothing happens unless the caller carries it out.
#[must_use = "the segment in it must be sent"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The segment to send: never more than one for one event. What else waits to be sent comes from
    /// [`Tcb::transmit`](super::Tcb::transmit).
    pub segment: Option<Segment>,
    /// The arrows walked, in order.
    pub arrows: Arrows,
    /// The rule that decided.
    pub clause: Clause,
    /// Which part of the arriving segment's text was taken: in order, so the user's, or kept behind a gap.
    pub text: AcceptedText,
    /// When to call [`Tcb::on_timeout`](super::Tcb::on_timeout), unless something happens before.
    pub deadline: Option<Deadline>,
}

impl Reaction {
    /// Whether it completes the close: our FIN is acknowledged now, and the peer's was.
    pub fn completes_close(&self) -> bool {
        let last = self.arrows.iter().last().map(|arrow| arrow.to);
        last == Some(State::TimeWait) || (last == Some(State::Closed) && self.clause == Clause::AckOfFinLast)
    }
}

/// The part of an arriving segment's text that was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedText {
    /// Octets of the segment's text that had been taken before.
    pub skip: u32,
    /// Octets taken now.
    pub len: u32,
    /// Octets still missing in front of them: with 0 they are in order, otherwise kept behind a gap.
    pub ahead: u32,
    /// Octets kept before that are in order now, behind these.
    pub released: u32,
}

impl AcceptedText {
    /// Octets that came into order: the user's.
    pub const fn in_order(self) -> u32 {
        if self.ahead == 0 { self.len + self.released } else { 0 }
    }
}

/// Up to three arrows: a FIN that also completes the open and is answered with our own walks
/// SYN-RECEIVED, ESTABLISHED, CLOSE-WAIT, LAST-ACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrows([Option<Arrow>; 3]);

impl Arrows {
    /// None walked.
    pub const NONE: Self = Self([None; 3]);

    /// Appends an arrow. There is no event that walks a fourth.
    pub(super) fn push(&mut self, arrow: Arrow) {
        match self.0.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(arrow),
            None => debug_assert!(false, "a fourth arrow: {arrow}"),
        }
    }

    /// The arrows in the order walked.
    pub fn iter(&self) -> impl Iterator<Item = Arrow> + '_ {
        self.0.iter().copied().flatten()
    }

    /// Whether the state stayed what it was.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl FromIterator<Arrow> for Arrows {
    /// The first three.
    fn from_iter<I: IntoIterator<Item = Arrow>>(arrows: I) -> Self {
        let mut taken = Self::NONE;
        taken.0.iter_mut().zip(arrows).for_each(|(slot, arrow)| *slot = Some(arrow));
        taken
    }
}

/// When a timer fires, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Instant,
    /// What it means.
    pub timer: Timer,
}

/// The timers of a connection; at most one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The acknowledgment of what we sent is overdue (RFC 6298).
    Retransmission,
    /// Nothing came back for two round trips of what a transfer has under way (RFC 8985 section 7).
    TailLossProbe,
    /// The peer's window is closed and text waits (RFC 9293 section 3.8.6.1).
    Persist,
    /// 2 MSL after both sides have closed (RFC 9293 section 3.6.1).
    TimeWait,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H-20: a close is complete with the last acknowledgment, or with TIME-WAIT; an abort ends without.
    #[test]
    fn h20_what_completes_a_close() {
        let after = |from, to, clause| {
            let mut arrows = Arrows::default();
            assert!(arrows.is_empty());
            arrows.push(Arrow { from, to });
            assert!(!arrows.is_empty());
            let text = AcceptedText::default();
            Reaction { segment: None, arrows, clause, text, deadline: None }.completes_close()
        };
        assert!(after(State::FinWait2, State::TimeWait, Clause::FinAccepted));
        assert!(after(State::LastAck, State::Closed, Clause::AckOfFinLast));
        assert!(!after(State::LastAck, State::Closed, Clause::RstEndsClosing));
        assert!(!after(State::Established, State::CloseWait, Clause::FinAccepted));
    }
}
