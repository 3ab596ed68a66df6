//! SEGMENT ARRIVES (RFC 9293 section 3.10.7): CLOSED, LISTEN and SYN-SENT here, the other states'
//! checks in `checks`.

use std::ops::ControlFlow;

use super::clause::Clause;
use super::flags::Flags;
use super::form::reset_answering;
use super::offer::Offer;
use super::parameters::Origin;
use super::reaction::Reaction;
use super::segment::Segment;
use super::seq::{Mss, SeqNum, WindowScale, WindowSize};
use super::state::State;
use super::tcb::{Closing, Tcb};
use super::timestamps::Recent;
use super::transfer::Transfer;
use crate::time::Instant;

/// What a host answers that has no connection for a segment (section 3.10.7.1).
pub fn answer_in_closed(segment: &Segment) -> (Option<Segment>, Clause) {
    if segment.has(Flags::RST) {
        (None, Clause::ClosedDiscardsRst)
    } else {
        (Some(reset_answering(segment)), Clause::ClosedSendsRst)
    }
}

impl Tcb {
    /// SEGMENT ARRIVES (section 3.10.7). The checksum has been verified; the segment's sockets are ours.
    pub fn on_segment(&mut self, segment: &Segment, now: Instant) -> Reaction {
        self.on_segment_beside(&mut Transfer::small(self), segment, now)
    }

    #[inline]
    pub(super) fn on_segment_beside(
        &mut self,
        beside: &mut Transfer,
        segment: &Segment,
        now: Instant,
    ) -> Reaction {
        self.tell_time(now);
        let mut reaction = self.reaction([], None, Clause::AckRepeats);
        let mut arrival = Arrival::new(self, beside, segment, now, &mut reaction);
        // Break is the RFC's "and return"; there is nothing after either end.
        let _ = match arrival.tcb.state() {
            State::Closed => arrival.in_closed(),
            State::Listen => arrival.in_listen(),
            State::SynSent => arrival.in_syn_sent(),
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => arrival.in_other_states(),
        };
        arrival.finish();
        reaction
    }
}

/// A SYN asks for ECN with both flags, a SYN,ACK grants it with ECE alone: one that mirrors both is broken
/// (RFC 3168 section 6.1.1, SHLD-8, O-05).
fn offers_ecn(syn: &Segment) -> bool {
    syn.has(Flags::ECE) && syn.has(Flags::CWR) != syn.has(Flags::ACK)
}

/// Whether the RFC goes on to its next check or says "and return".
pub(super) type Next = ControlFlow<()>;

/// One segment on its way through the checks.
pub(super) struct Arrival<'t> {
    pub(super) tcb: &'t mut Tcb,
    pub(super) beside: &'t mut Transfer,
    pub(super) seg: &'t Segment,
    pub(super) now: Instant,
    /// RCV.NXT + RCV.WND when the segment came.
    pub(super) right_edge: SeqNum,
    /// What the segment does, filled in where the caller will find it: to move it costs more than to form it.
    pub(super) reaction: &'t mut Reaction,
    /// An acknowledgment is due; text or a FIN of ours may carry it.
    pub(super) ack_owed: bool,
    /// Our SYN was sent more than once before it was acknowledged just now.
    syn_was_repeated: bool,
}

impl<'t> Arrival<'t> {
    fn new(
        tcb: &'t mut Tcb,
        beside: &'t mut Transfer,
        seg: &'t Segment,
        now: Instant,
        reaction: &'t mut Reaction,
    ) -> Self {
        Self {
            right_edge: tcb.rcv.nxt + tcb.rcv.wnd.get(),
            tcb,
            beside,
            seg,
            now,
            reaction,
            ack_owed: false,
            syn_was_repeated: false,
        }
    }

    /// One acknowledgment for all that the segment did, and for all that waited behind the gap it fills (MUST-58,
    /// MUST-59); at once (MUST-40), and with text or a FIN of ours if there is any.
    fn finish(mut self) {
        if self.ack_owed && self.reaction.segment.is_none() {
            // A gap is reported at once, by an ACK of its own: text of ours does not make it wait.
            if self.beside.held.is_empty() {
                self.reaction.segment = self.tcb.form_next(self.beside, self.now);
            }
            if self.reaction.segment.is_none() {
                self.reaction.segment = Some(self.form_ack());
            }
        }
        self.reaction.deadline = self.tcb.deadline();
    }

    pub(super) fn enter(&mut self, to: State) {
        let arrow = self.tcb.enter(to);
        self.reaction.arrows.push(arrow);
    }

    /// The segment has had its effect: `clause` says why, `reply` goes out.
    #[inline] // a reply that is none need not be copied
    pub(super) fn stop(&mut self, clause: Clause, reply: Option<Segment>) -> Next {
        self.reaction.clause = clause;
        self.reaction.segment = reply;
        Next::Break(())
    }

    fn in_closed(&mut self) -> Next {
        let (reply, clause) = answer_in_closed(self.seg);
        self.stop(clause, reply)
    }

    /// Section 3.10.7.2. A FIN or text on the SYN is not queued: the peer sends it again once open (D-06).
    fn in_listen(&mut self) -> Next {
        if self.seg.has(Flags::RST) {
            return self.stop(Clause::ListenIgnoresRst, None); // first
        }
        if self.seg.has(Flags::ACK) {
            return self.stop(Clause::ListenRefusesAck, Some(reset_answering(self.seg))); // second
        }
        if !self.seg.has(Flags::SYN) {
            return self.stop(Clause::ListenDrops, None); // fourth
        }
        self.take_peer_syn(); // third
        self.enter(State::SynReceived);
        let syn_ack = self.tcb.send_syn(0, self.now);
        self.stop(Clause::ListenTakesSyn, Some(syn_ack))
    }

    /// Section 3.10.7.3. There is no third check: we have no security compartments.
    fn in_syn_sent(&mut self) -> Next {
        let (rst, syn) = (self.seg.has(Flags::RST), self.seg.has(Flags::SYN));
        let acknowledgment = self.seg.acknowledgment();
        // First: SEG.ACK =< ISS or SEG.ACK > SND.NXT acknowledges nothing of ours.
        let snd = self.tcb.snd;
        if acknowledgment.is_some_and(|ack| ack.at_or_before(snd.iss) || ack.after(snd.nxt)) {
            return if rst {
                self.stop(Clause::SynSentBadAckRst, None)
            } else {
                self.stop(Clause::SynSentBadAck, Some(reset_answering(self.seg)))
            };
        }
        // Second. RFC 5961 section 3.2 cannot compare with RCV.NXT, which is not known yet; the
        // acknowledgment of our random ISS is the proof.
        match (rst, acknowledgment) {
            (true, None) => return self.stop(Clause::SynSentRstWithoutAck, None),
            (true, Some(_)) => {
                self.enter(State::Closed);
                return self.stop(Clause::SynSentRefused, None);
            }
            (false, _) => {}
        }
        // Fifth, taken early: without a SYN nothing is left to do.
        if !syn {
            return self.stop(Clause::SynSentDrops, None);
        }
        // Fourth.
        self.take_peer_syn();
        let Some(ack) = acknowledgment else {
            self.enter(State::SynReceived);
            // It is the same SYN, sent again with an ACK; text on it waits for the open.
            let syn_ack = self.tcb.form_syn();
            return self.stop(Clause::SynSentCrossed, Some(syn_ack));
        };
        self.advance_una(ack);
        self.establish();
        self.reaction.clause = Clause::SynSentOpened;
        self.ack_owed = true;
        self.note_urgent();
        self.take_text();
        self.check_fin();
        Next::Continue(())
    }

    /// Takes RCV.NXT, IRS, the send window and the options of the peer's SYN, MSS among them (MUST-14).
    fn take_peer_syn(&mut self) {
        let (tcb, seg) = (&mut *self.tcb, self.seg);
        tcb.rcv.irs = seg.seq;
        tcb.rcv.nxt = seg.seq + 1;
        tcb.rcv.up = tcb.rcv.nxt;
        tcb.snd.wnd = seg.window << WindowScale::default(); // never scaled on a SYN
        tcb.snd.max_wnd = tcb.snd.wnd.max(tcb.snd.max_wnd);
        tcb.snd.wl1 = seg.seq;
        tcb.snd.wl2 = seg.acknowledgment().unwrap_or(tcb.snd.una); // without ACK the field says nothing

        let offered = seg.options.syn();
        if let Some(mss) = offered.mss {
            tcb.peer_mss = mss.max(Mss::FLOOR); // K-03
        }
        let theirs = Offer::SACK.only_if(offered.sack_permitted)
            | Offer::WINDOW_SCALE.only_if(offered.window_scale.is_some())
            | Offer::TIMESTAMPS.only_if(offered.timestamps.is_some())
            | Offer::ECN.only_if(offers_ecn(seg));
        tcb.granted = tcb.offer.and(theirs);
        tcb.recent = Recent::taken(offered.timestamps.map_or(0, |theirs| theirs.value), self.now);
        tcb.snd_scale = WindowScale::default();
        if tcb.granted.has(Offer::WINDOW_SCALE) {
            tcb.snd_scale = offered.window_scale.unwrap_or_default();
        } else {
            // K-08, K-10: one side alone scales nothing.
            tcb.rcv.wnd = tcb.rcv.wnd.min(WindowSize::new(u32::from(u16::MAX)));
        }
        self.right_edge = self.tcb.rcv.nxt + self.tcb.rcv.wnd.get();
    }

    /// Enters ESTABLISHED, and at once the state of a CLOSE that waited for it.
    pub(super) fn establish(&mut self) {
        self.enter(State::Established);
        // Text on our SYN that the peer left: it goes out again as if it had never been sent.
        self.tcb.snd.nxt = self.tcb.snd.una;
        self.tcb.rearm(self.now);
        let selective = self.tcb.granted.has(Offer::SACK);
        self.beside.congestion.begin(
            self.tcb.effective_mss(),
            self.syn_was_repeated,
            selective,
            self.tcb.snd.una,
        );
        if self.tcb.closing == Closing::Yes {
            self.enter(State::FinWait1);
        }
    }

    /// SND.UNA <- SEG.ACK, which lies within (SND.UNA, SND.NXT]: measures, and restarts or stops the
    /// timer (RFC 6298 section 5.2, 5.3).
    pub(super) fn advance_una(&mut self, ack: SeqNum) {
        let tcb = &mut *self.tcb;
        self.syn_was_repeated = tcb.syn_outstanding() && tcb.timing.is_none();
        let octets = (ack - tcb.snd.una) as u32;
        tcb.snd.una = ack;
        let measured = tcb.timing.take_if(|timing| ack.at_or_after(timing.until));
        let measured = measured.map(|timing| timing.elapsed(self.now));
        if let Some(rtt) = measured.or_else(|| tcb.echoed_rtt(self.seg)) {
            tcb.rto.sample(rtt);
        }
        if tcb.state().is_synchronized() {
            self.beside.congestion.on_progress(octets, tcb.flight());
        }
        if self.syn_was_repeated {
            tcb.rto.after_lost_syn();
        }
        tcb.retransmissions = 0;
        tcb.rearm(self.now);
    }

    /// A passive open starts over with the next SYN; an active one never comes here.
    pub(super) fn return_to_listen(&mut self, clause: Clause) -> Next {
        let reaction = self.tcb.return_to_listen(clause);
        self.reaction.arrows = reaction.arrows;
        self.stop(clause, None)
    }

    pub(super) const fn is_passive(&self) -> bool {
        !matches!(self.tcb.origin, Origin::Active)
    }
}

impl Tcb {
    /// Back to LISTEN, as if the SYN had never come: the retransmission queue is empty again.
    pub(super) fn return_to_listen(&mut self, clause: Clause) -> Reaction {
        let reaction = self.walk(State::Listen, None, clause);
        self.forget_peer();
        reaction
    }
}
