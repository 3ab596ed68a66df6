//! SEGMENT ARRIVES in SYN-RECEIVED and all later states: the eight checks of RFC 9293 section 3.10.7.4,
//! in its order, a function each.

use super::arrives::{Arrival, Next};
use super::clause::Clause;
use super::flags::Flags;
use super::form::reset_answering;
use super::offer::Offer;
use super::parameters::Origin;
use super::reaction::AcceptedText;
use super::segment::Segment;
use super::seq::{WindowScale, WindowSize};
use super::state::State;
use super::tcb::Closing;
use super::timestamps::Age;
use super::transfer::Reader;

impl Arrival<'_> {
    /// There is no third check: we have no security compartments.
    pub(super) fn in_other_states(&mut self) -> Next {
        self.check_age()?;
        self.check_seq()?; // first
        self.check_rst()?; // second
        self.check_syn()?; // fourth
        self.check_ack()?; // fifth
        if self.seg.has(Flags::CWR) {
            self.tcb.echoes_congestion = false; // the peer has slowed down
        }
        self.note_urgent(); // sixth
        self.take_text(); // seventh
        self.check_fin(); // eighth
        Next::Continue(())
    }

    /// Before the RFC's first check: PAWS (RFC 7323 section 5.3).
    fn check_age(&mut self) -> Next {
        match self.tcb.age_of(self.seg, self.now) {
            Age::Good => Next::Continue(()),
            Age::Unknown => self.stop(Clause::TimestampMissing, None),
            Age::Old if self.is_rationed() => self.challenge(Clause::PawsOld), // no endless exchange of ACKs
            Age::Old => {
                let ack = self.form_ack();
                self.stop(Clause::PawsOld, Some(ack))
            }
        }
    }

    /// First: does the segment lie in the receive window?
    fn check_seq(&mut self) -> Next {
        let state = self.tcb.state();
        if state == State::SynReceived && self.is_passive() && self.repeats_peer_syn() {
            // An ACK would do by the letter, but a peer in SYN-SENT can use only a SYN,ACK (B-03).
            self.tcb.timing = None; // Karn, as for a timeout
            let syn_ack = self.tcb.form_syn();
            return self.stop(Clause::SynRepeated, Some(syn_ack));
        }
        if self.is_acceptable() || self.completes_simultaneous_open() {
            self.tcb.note_timestamp(self.seg, self.now);
            return Next::Continue(());
        }
        if self.seg.has(Flags::RST) {
            return self.stop(Clause::SeqUnacceptableRst, None);
        }
        if state == State::TimeWait && self.seg.has(Flags::FIN) && self.seg.end() == self.tcb.rcv.nxt {
            self.tcb.rearm(self.now); // restarts 2 MSL (I-01)
            let ack = self.form_ack();
            return self.stop(Clause::FinRepeated, Some(ack));
        }
        if self.is_rationed() {
            return self.challenge(Clause::SeqUnacceptable); // an endless exchange of ACKs ends here (G-15)
        }
        let ack = self.form_ack();
        self.stop(Clause::SeqUnacceptable, Some(ack))
    }

    /// Whether the answer to a segment that will not do is rationed: text or a FIN that the peer repeats is to be
    /// acknowledged however often, but an ACK may answer ours, and a SYN is challenged wherever it stands (RFC 5961
    /// sections 4.2 and 7).
    fn is_rationed(&self) -> bool {
        self.seg.is_empty() || self.seg.has(Flags::SYN)
    }

    /// Table 6 of the RFC. With a closed window, ACK, URG and RST are still taken, whatever comes with them
    /// (MUST-66).
    ///
    /// By the letter that allowance ends where the window opens, and appendix A.2 warns of what that leads to: a peer
    /// that has filled our window, and lost all of it, acknowledges from the window's right edge. Its ACK is taken
    /// there, too, as hosts do, or text that has long arrived would be sent again until the limit is reached.
    fn is_acceptable(&self) -> bool {
        let (seg, rcv) = (self.seg, &self.tcb.rcv);
        match (seg.len(), rcv.wnd.get()) {
            (0, 0) => seg.seq == rcv.nxt,
            (_, 0) => seg.seq == rcv.nxt && (seg.has(Flags::ACK) || seg.has(Flags::RST)),
            (0, wnd) => seg.seq.in_window(rcv.nxt, rcv.wnd) || seg.seq == rcv.nxt + wnd,
            _ => seg.seq.in_window(rcv.nxt, rcv.wnd) || (seg.end() - 1).in_window(rcv.nxt, rcv.wnd),
        }
    }

    /// F-01, MUST-10: after crossing SYNs the peer's SYN,ACK stands at IRS, left of the window. By the letter it
    /// would only be acknowledged; figure 7 of the RFC has it open the connection, as hosts do. One that
    /// acknowledges something else goes the same way, and is reset at the fifth check (E-01).
    fn completes_simultaneous_open(&self) -> bool {
        self.tcb.state() == State::SynReceived
            && self.tcb.origin != Origin::Passive
            && self.seg.has(Flags::SYN | Flags::ACK)
            && !self.seg.has(Flags::RST)
            && self.seg.seq == self.tcb.rcv.irs
    }

    fn repeats_peer_syn(&self) -> bool {
        let bare = !self.seg.has(Flags::ACK) && !self.seg.has(Flags::RST);
        self.seg.has(Flags::SYN) && bare && self.seg.seq == self.tcb.rcv.irs
    }

    /// Second: a RST counts only with exactly the next number (RFC 5961 section 3.2); text on it is nothing to
    /// mind (SHLD-2).
    fn check_rst(&mut self) -> Next {
        if !self.seg.has(Flags::RST) {
            return Next::Continue(());
        }
        let rcv = &self.tcb.rcv;
        if self.seg.seq != rcv.nxt {
            // Text may reach into the window from a number left of it; the RST's own number does not.
            return if self.seg.seq.in_window(rcv.nxt, rcv.wnd) {
                self.challenge(Clause::RstChallenged)
            } else {
                self.stop(Clause::SeqUnacceptableRst, None)
            };
        }
        let clause = match self.tcb.state() {
            State::SynReceived if self.is_passive() => {
                return self.return_to_listen(Clause::RstReturnsToListen);
            }
            State::SynReceived => Clause::RstRefuses,
            State::Closing | State::LastAck | State::TimeWait => Clause::RstEndsClosing,
            State::Established | State::FinWait1 | State::FinWait2 | State::CloseWait => Clause::RstResets,
            State::Closed | State::Listen | State::SynSent => return Next::Continue(()), // not among these states
        };
        self.enter(State::Closed);
        self.stop(clause, None)
    }

    /// Fourth: a SYN does not belong here (RFC 5961 section 4.2). After a passive open a new one leads back to
    /// LISTEN, with or without ACK: the RFC knows no difference. TIME-WAIT takes none either (MAY-2 not taken):
    /// who wants the tuple again waits until 2 MSL are over or takes another port.
    fn check_syn(&mut self) -> Next {
        if !self.seg.has(Flags::SYN) || self.completes_simultaneous_open() {
            return Next::Continue(());
        }
        let rcv = &self.tcb.rcv;
        let is_new = self.seg.seq.in_window(rcv.nxt, rcv.wnd); // and not old, with text that reaches in
        if self.tcb.state() == State::SynReceived && self.is_passive() && is_new {
            return self.return_to_listen(Clause::SynReturnsToListen);
        }
        self.challenge(Clause::SynChallenged)
    }

    /// Fifth: what does it acknowledge?
    fn check_ack(&mut self) -> Next {
        let Some(ack) = self.seg.acknowledgment() else {
            return self.stop(Clause::AckMissing, None);
        };
        let snd = self.tcb.snd;
        let is_new = ack.after(snd.una) && ack.at_or_before(snd.nxt);
        if self.tcb.state() == State::SynReceived {
            if !is_new {
                return self.stop(Clause::AckOfUnsentOpening, Some(reset_answering(self.seg)));
            }
            self.reaction.clause = Clause::AckOpens;
            if self.completes_simultaneous_open() {
                self.reaction.clause = Clause::SynAckCrossed;
                self.ack_owed = true;
            }
            self.advance_una(ack);
            self.update_window();
            self.establish();
            return Next::Continue(());
        }
        // RFC 5961 section 5.2 (MAY-12): SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
        if ack.after(snd.nxt) || ack.before(snd.una - snd.max_wnd.get()) {
            return self.challenge(Clause::AckOutOfRange);
        }
        self.reaction.clause = if is_new { Clause::AckAdvances } else { Clause::AckRepeats };
        if is_new {
            self.advance_una(ack);
        }
        self.note_duplicate(is_new);
        self.update_window();
        self.after_ack()
    }

    /// What an acknowledgment says of losses: by its SACK blocks, and if there are none to be had, by being a
    /// duplicate (RFC 5681 section 2).
    fn note_duplicate(&mut self, is_new: bool) {
        let (tcb, seg) = (&*self.tcb, self.seg);
        let (flight, congestion) = (tcb.flight(), &mut self.beside.congestion);
        // By SACK blocks even a cumulative one may show a loss (RFC 6675 section 5).
        let duplicate = if tcb.granted.has(Offer::SACK) {
            congestion.take_sack(seg.options.sack_blocks(), flight)
        } else {
            !is_new
                && seg.is_empty()
                && seg.ack == tcb.snd.una
                && tcb.snd.una != tcb.snd.nxt
                && seg.window << tcb.snd_scale == tcb.snd.wnd
        };
        if duplicate && tcb.snd.wnd != WindowSize::default() {
            congestion.on_duplicate(flight);
        }
    }

    /// Fifth, by state: what an acknowledgment of our FIN leads to.
    fn after_ack(&mut self) -> Next {
        let fin_acknowledged = self.tcb.fin_acknowledged();
        match self.tcb.state() {
            State::FinWait1 if fin_acknowledged => {
                self.reaction.clause = Clause::AckOfFin;
                self.enter(State::FinWait2);
            }
            State::Closing if fin_acknowledged => {
                self.reaction.clause = Clause::AckOfFinClosing;
                self.enter_time_wait();
            }
            State::Closing => return Next::Break(()),
            State::LastAck if fin_acknowledged => {
                self.enter(State::Closed);
                return self.stop(Clause::AckOfFinLast, None);
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::LastAck
            | State::TimeWait => {}
        }
        Next::Continue(())
    }

    /// SND.WND, unless the segment is older than the one that set it.
    fn update_window(&mut self) {
        let (tcb, seg) = (&mut *self.tcb, self.seg);
        let probed = tcb.probing() && tcb.snd.una != tcb.snd.nxt;
        let snd = &mut tcb.snd;
        // What was received before is trimmed off: a segment that begins with it begins at RCV.NXT.
        let seq = if seg.seq.before(tcb.rcv.nxt) { tcb.rcv.nxt } else { seg.seq };
        let ack_current = seg.ack.at_or_after(snd.una) && seg.ack.at_or_before(snd.nxt);
        let newer = snd.wl1.before(seq) || (snd.wl1 == seq && snd.wl2.at_or_before(seg.ack));
        if !(ack_current && newer) {
            return;
        }
        let scale = if seg.has(Flags::SYN) { WindowScale::default() } else { tcb.snd_scale };
        snd.wnd = seg.window << scale;
        if probed && snd.wnd > WindowSize::default() {
            self.beside.congestion.on_window_opens();
        }
        snd.max_wnd = snd.max_wnd.max(snd.wnd);
        snd.wl1 = seq;
        snd.wl2 = seg.ack;
        if snd.wnd.get() == 0 && seg.ack == snd.una {
            tcb.retransmissions = 0; // a probe that is answered is no reason to give up (MUST-37)
        }
    }

    /// Sixth: RCV.UP <- max(RCV.UP, SEG.UP) (MUST-30). SEG.UP points behind the urgent data (MUST-62). Our user
    /// hears of it with the segment, whose URG and pointer are told as they come (MUST-32).
    pub(super) fn note_urgent(&mut self) {
        if self.seg.has(Flags::URG) && self.tcb.state().receives_text() {
            let up = self.seg.seq + u32::from(self.seg.urgent);
            if up.after(self.tcb.rcv.up) {
                self.tcb.rcv.up = up;
            }
        }
    }

    /// Seventh: takes the part of the text that is new, in order and in the window.
    pub(super) fn take_text(&mut self) {
        let seg = self.seg;
        if seg.text_len == 0 {
            return;
        }
        self.ack_owed = true;
        if !self.tcb.state().receives_text() {
            self.reaction.clause = Clause::TextAfterFin;
            return;
        }
        let skip = self.tcb.rcv.nxt - seg.text_seq();
        if skip < 0 {
            self.hold_text();
            return;
        }
        let skip = (skip as u32).min(seg.text_len);
        let end = self.beside.held_fin.filter(|fin| fin.before(self.right_edge)).unwrap_or(self.right_edge);
        let room = (end - self.tcb.rcv.nxt).max(0) as u32;
        let len = (seg.text_len - skip).min(room);
        let released = self.beside.release(self.tcb.rcv.nxt + len);
        self.reaction.text = AcceptedText { skip, len, ahead: 0, released };
        if len > 0 {
            self.reaction.clause = if released > 0 { Clause::TextFillsGap } else { Clause::TextAccepted };
        }
        self.move_on(len + released);
    }

    /// RCV.NXT moves on. The window's right edge moves with it only as fast as our user reads (SHLD-14: it never
    /// moves back).
    fn move_on(&mut self, octets: u32) {
        let rcv = &mut self.tcb.rcv;
        rcv.nxt += octets;
        if self.beside.reader == Reader::IsBehind {
            rcv.wnd = WindowSize::new(rcv.wnd.get().saturating_sub(octets));
        }
    }

    /// Text behind a gap, kept where there is room for it (SHLD-31), and answered at once (MAY-13).
    fn hold_text(&mut self) {
        let start = self.seg.text_seq();
        let len = self.seg.text_len.min((self.right_edge - start).max(0) as u32);
        self.reaction.clause = Clause::TextOutOfOrder;
        if self.beside.hold(start, len) {
            let ahead = (start - self.tcb.rcv.nxt) as u32;
            self.reaction.text = AcceptedText { skip: 0, len, ahead, released: 0 };
            self.reaction.clause = Clause::TextHeld;
        }
    }

    /// Eighth: a FIN in order, inside the window, ends the peer's side.
    pub(super) fn check_fin(&mut self) {
        let seg = self.seg;
        let was_held = self.beside.held_fin.take_if(|at| *at == self.tcb.rcv.nxt);
        if !seg.has(Flags::FIN) && was_held.is_none() {
            return;
        }
        self.ack_owed = true;
        let at = was_held.unwrap_or(seg.text_seq() + seg.text_len);
        if !self.tcb.state().receives_text() {
            self.reaction.clause = Clause::FinAgain;
            if self.tcb.state() == State::TimeWait {
                self.tcb.rearm(self.now); // restarts 2 MSL
            }
            return;
        }
        // A closed window is no reason to refuse a bare FIN, or two such ends could never close (H-15).
        let bare_at_closed_window = at == self.tcb.rcv.nxt && seg.text_len == 0;
        if at.at_or_after(self.right_edge) && !bare_at_closed_window {
            return; // trimmed off: it lies beyond the window
        }
        if at != self.tcb.rcv.nxt {
            self.reaction.clause = Clause::FinOutOfOrder;
            self.beside.held_fin = Some(at);
            return;
        }
        self.reaction.clause = Clause::FinAccepted;
        self.tcb.rcv.nxt += 1;
        match self.tcb.state() {
            State::Established => {
                self.enter(State::CloseWait);
                if self.tcb.closing == Closing::WithPeer {
                    self.tcb.closing = Closing::Yes;
                    self.enter(State::LastAck);
                }
            }
            State::FinWait1 => self.enter(State::Closing), // had our FIN been acknowledged, this were FIN-WAIT-2
            State::FinWait2 => self.enter_time_wait(),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
    }

    /// An acknowledgment with what is held behind a gap: RFC 2018 section 4 wants that on all of them.
    #[inline]
    pub(super) fn form_ack(&mut self) -> Segment {
        self.tcb.form_ack_reporting(self.beside, self.seg.text_seq())
    }

    fn enter_time_wait(&mut self) {
        self.enter(State::TimeWait);
        self.tcb.rearm(self.now);
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, unless there were too many of them already.
    fn challenge(&mut self, clause: Clause) -> Next {
        if self.tcb.challenges.admits(self.now) {
            let ack = self.form_ack();
            self.stop(clause, Some(ack))
        } else {
            self.stop(Clause::ChallengeThrottled, None)
        }
    }
}
