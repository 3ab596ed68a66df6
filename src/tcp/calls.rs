//! The user's calls (RFC 9293 sections 3.10.1 to 3.10.6).
//!
//! A block needs no RECEIVE: which text is its user's stands in [`Reaction::text`](super::Reaction). That of a
//! [`Stream`](super::Stream), which keeps the octets, is its `read`. STATUS is [`Tcb::state`] and its neighbours.

use super::clause::Clause;
use super::parameters::Origin;
use super::reaction::{AcceptedText, Arrows, Reaction};
use super::segment::Segment;
use super::seq::SeqNum;
use super::state::{Arrow, State};
use super::tcb::{Closing, Tcb, Timing};
use super::transfer::Transfer;
use crate::time::Instant;

/// A call that the present state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There was one, and this block is spent on it.
    #[error("connection has ended (a new one needs a new tcb)")]
    Ended,
    /// There is one already.
    #[error("connection already exists")]
    AlreadyExists,
    /// There is none.
    #[error("connection does not exist")]
    DoesNotExist,
    /// A passive open does not know its peer yet.
    #[error("remote socket unspecified")]
    RemoteUnspecified,
    /// More text waits than sequence numbers can tell apart.
    #[error("insufficient resources")]
    InsufficientResources,
    /// Our user has closed already.
    #[error("connection closing")]
    Closing,
}

impl Tcb {
    /// OPEN (section 3.10.1): active sends the SYN, passive waits for one. In LISTEN an active open
    /// turns the connection active.
    pub fn open(&mut self, origin: Origin, iss: SeqNum, now: Instant) -> Result<Reaction, CallError> {
        self.open_with_text(origin, iss, 0, now)
    }

    /// The same, with `octets` of text on the SYN of an active open: what of it the peer does not acknowledge is
    /// sent again once open (RFC 9293 section 3.4: text on a SYN is allowed, and waits for the open).
    pub fn open_with_text(
        &mut self,
        origin: Origin,
        iss: SeqNum,
        octets: u32,
        now: Instant,
    ) -> Result<Reaction, CallError> {
        if self.closing == Closing::Ended {
            return Err(CallError::Ended);
        }
        let turned_active = self.state() == State::Listen && origin == Origin::Active;
        if self.state() != State::Closed && !turned_active {
            return Err(CallError::AlreadyExists);
        }
        self.origin = origin;
        self.snd.iss = iss;
        self.snd.una = iss;
        self.snd.nxt = iss;
        self.snd.end = iss + 1;
        self.tell_time(now);
        Ok(match origin {
            Origin::Passive | Origin::Split => self.walk(State::Listen, None, Clause::PassiveOpen),
            Origin::Active => {
                let arrow = self.enter(State::SynSent);
                self.snd.end += octets;
                let on_syn = octets.min(self.room_on_syn());
                let syn = self.send_syn(on_syn, now);
                self.reaction([Some(arrow)], Some(syn), Clause::ActiveOpen)
            }
        })
    }

    /// SEND (section 3.10.2): queues `octets` of text and sends what may be sent. No more than 2^30 octets
    /// may wait at a time.
    pub fn send(&mut self, octets: u32, now: Instant) -> Result<Reaction, CallError> {
        self.send_beside(&Transfer::small(self), octets, now)
    }

    pub(super) fn send_beside(
        &mut self,
        beside: &Transfer,
        octets: u32,
        now: Instant,
    ) -> Result<Reaction, CallError> {
        match self.state() {
            State::Closed => return Err(CallError::DoesNotExist),
            State::Listen => return Err(CallError::RemoteUnspecified),
            State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
        if self.closing == Closing::Yes {
            return Err(CallError::Closing);
        }
        const MOST: u32 = 1 << 30;
        let waiting = (self.snd.end - self.snd.una).max(0) as u32;
        if waiting.saturating_add(octets) > MOST {
            return Err(CallError::InsufficientResources);
        }
        self.snd.end += octets;
        self.tell_time(now);
        let segment = self.form_next(beside, now);
        if self.deadline().is_none() {
            self.rearm(now);
        }
        Ok(self.reaction([], segment, Clause::Send))
    }

    /// CLOSE (section 3.10.4): no more text from us, but the peer's is still taken. It ends our side alone, so text
    /// that our user has not read, or that comes later, is no reason for a RST: that is for half-duplex closes, which
    /// there are none of here (MAY-1 not taken, so no SHLD-3; H-19).
    pub fn close(&mut self, now: Instant) -> Result<Reaction, CallError> {
        self.close_beside(&Transfer::small(self), now)
    }

    pub(super) fn close_beside(&mut self, beside: &Transfer, now: Instant) -> Result<Reaction, CallError> {
        self.tell_time(now);
        let to = match self.state() {
            State::Closed => return Err(CallError::DoesNotExist),
            State::Listen | State::SynSent => {
                return Ok(self.walk(State::Closed, None, Clause::CloseUnopened));
            }
            _ if self.closing == Closing::Yes => return Err(CallError::Closing),
            State::SynReceived if self.snd.end != self.snd.iss + 1 => {
                self.closing = Closing::Yes;
                return Ok(self.reaction([], None, Clause::CloseQueued));
            }
            State::SynReceived | State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck | State::TimeWait => {
                return Err(CallError::Closing);
            }
        };
        self.closing = Closing::Yes;
        let arrow = self.enter(to);
        let segment = self.form_next(beside, now);
        Ok(self.reaction([Some(arrow)], segment, Clause::Close))
    }

    /// A CLOSE that is to happen when the peer's FIN arrives, so that one FIN,ACK answers it.
    pub fn close_with_peer(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::WithPeer;
        }
    }

    /// ABORT (section 3.10.5): a RST if the peer may know of the connection, and it is gone.
    pub fn abort(&mut self) -> Result<Reaction, CallError> {
        match self.state() {
            State::Closed => Err(CallError::DoesNotExist),
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => {
                let reset = self.form_reset();
                Ok(self.walk(State::Closed, Some(reset), Clause::Abort))
            }
            State::Listen | State::SynSent | State::Closing | State::LastAck | State::TimeWait => {
                Ok(self.walk(State::Closed, None, Clause::AbortSilently))
            }
        }
    }

    /// What else may be sent now: to be called after every other event until it yields nothing.
    pub fn transmit(&mut self, now: Instant) -> Option<Reaction> {
        self.transmit_beside(&mut Transfer::small(self), now)
    }

    /// What is lost before what is new (RFC 6675 section 5).
    pub(super) fn transmit_beside(&mut self, beside: &mut Transfer, now: Instant) -> Option<Reaction> {
        self.tell_time(now);
        let clause = beside.congestion.resends_by();
        if let Some(segment) = self.form_lost(beside, now) {
            return Some(self.reaction([], Some(segment), clause));
        }
        let segment = self.form_next(beside, now)?;
        Some(self.reaction([], Some(segment), Clause::Send))
    }

    /// Sends our SYN or SYN,ACK for the first time and starts the clocks.
    pub(super) fn send_syn(&mut self, text_len: u32, now: Instant) -> Segment {
        self.snd.nxt = self.snd.iss + 1 + text_len;
        self.timing = Some(Timing::start(self.snd.iss + 1, now)); // whether or not text on it is taken
        self.rearm(now);
        self.form_syn()
    }

    /// One arrow, perhaps one segment.
    pub(super) fn walk(&mut self, to: State, segment: Option<Segment>, clause: Clause) -> Reaction {
        let arrow = self.enter(to);
        self.reaction([Some(arrow)], segment, clause)
    }

    pub(super) fn reaction<const N: usize>(
        &self,
        walked: [Option<Arrow>; N],
        segment: Option<Segment>,
        clause: Clause,
    ) -> Reaction {
        let mut arrows = Arrows::default();
        walked.into_iter().flatten().for_each(|arrow| arrows.push(arrow));
        Reaction { segment, arrows, clause, text: AcceptedText::default(), deadline: self.deadline() }
    }
}
