//! An end of a connection that is watched from beside: what it must have been told and asked, by what it was seen to
//! send and what was sent to it.

use super::clause::Clause;
use super::flags::Flags;
use super::offer::Offer;
use super::parameters::{Origin, Parameters};
use super::reaction::Arrows;
use super::segment::Segment;
use super::seq::{SeqNum, WindowScale, WindowSize};
use super::state::{Arrow, State};
use super::tcb::{Closing, Tcb, Timing};
use super::transfer::{Nagle, Transfer};
use crate::time::Instant;

/// A [`Tcb`] that sends nothing of itself, but follows an end that does.
///
/// What was sent to that end is handed to [`hears`](Self::hears), and counts as arrived; what it has sent, to
/// [`seen_sending`](Self::seen_sending). A sender shows its own variables: SEG.ACK is its RCV.NXT, SEG.WND its
/// RCV.WND. So what the watcher has missed is caught up with at the next segment.
#[derive(Clone, Debug)]
pub struct Watched {
    tcb: Tcb,
    beside: Transfer,
    /// The answer that the latest segment calls for, and why.
    owed: Option<(Segment, Clause)>,
    /// The SYN it has heard.
    heard_syn: Option<Segment>,
    /// Its initial number, if that is known.
    iss: Option<SeqNum>,
}

/// What a segment shows of the end that sent it, or heard it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The arrows that the end walked with it.
    pub arrows: Arrows,
    /// The rule that decided; `None` where it may have been one of several.
    pub clause: Option<Clause>,
}

impl Shown {
    const fn by(clause: Clause) -> Self {
        Self { arrows: Arrows::NONE, clause: Some(clause) }
    }
}

impl Watched {
    /// An end of which nothing is known yet: in CLOSED, and ready for whatever a SYN may offer.
    pub fn closed() -> Self {
        let parameters = Parameters {
            window: WindowSize::MAX,
            offer: Offer::USUAL | Offer::TIMESTAMPS | Offer::ECN,
            ..Parameters::default()
        };
        Self {
            tcb: Tcb::new(&parameters),
            beside: Transfer::new(Nagle::Off),
            owed: None,
            heard_syn: None,
            iss: None,
        }
    }

    /// An end that waits for a SYN.
    pub fn listening() -> Self {
        let mut end = Self::closed();
        let _ = end.tcb.open(Origin::Passive, SeqNum(0), Instant::ORIGIN);
        end
    }

    /// An end that must have sent a SYN which `syn_ack` answers.
    pub fn opening(syn_ack: &Segment) -> Self {
        let mut end = Self::closed();
        let iss = syn_ack.ack - 1;
        let _ = end.tcb.open(Origin::Active, iss, Instant::ORIGIN);
        end.iss = Some(iss);
        end
    }

    /// The sender of a segment in the midst of a connection, as open as it can be.
    pub fn joined_sending(segment: &Segment) -> Self {
        Self::joined(segment.seq, segment.ack)
    }

    /// The receiver of such a segment.
    pub fn joined_hearing(segment: &Segment) -> Self {
        Self::joined(segment.ack, segment.seq)
    }

    /// The scale of windows is not known, so they are taken for the largest.
    fn joined(snd_nxt: SeqNum, rcv_nxt: SeqNum) -> Self {
        let mut end = Self::closed();
        let tcb = &mut end.tcb;
        *tcb = tcb.found_in(State::Established);
        tcb.snd.una = snd_nxt;
        tcb.snd.nxt = snd_nxt;
        tcb.snd.end = snd_nxt;
        tcb.snd.iss = snd_nxt - 1;
        tcb.snd.wnd = WindowSize::MAX;
        tcb.snd.max_wnd = WindowSize::MAX;
        tcb.snd_scale = WindowScale::LARGEST;
        tcb.rcv.nxt = rcv_nxt;
        tcb.rcv.up = rcv_nxt;
        tcb.rcv.irs = rcv_nxt - 1;
        end
    }

    /// Its state and variables, as far as they show.
    pub const fn tcb(&self) -> &Tcb {
        &self.tcb
    }

    /// Its initial sequence number, if that is known.
    pub const fn initial(&self) -> Option<SeqNum> {
        self.iss
    }

    /// What its SYN offers.
    pub const fn offered(&self) -> Offer {
        self.tcb.offer
    }

    /// A segment that was sent to it arrives.
    pub fn hears(&mut self, segment: &Segment, now: Instant) -> Shown {
        if segment.has(Flags::SYN) && !segment.has(Flags::RST) {
            self.heard_syn = Some(*segment);
        }
        if let Some(ack) = segment.acknowledgment().filter(|_| !segment.has(Flags::RST)) {
            self.must_have_sent(ack);
        }
        let reaction = self.tcb.on_segment_beside(&mut self.beside, segment, now);
        self.owed = reaction.segment.map(|answer| (answer, reaction.clause));
        Shown { arrows: reaction.arrows, clause: Some(reaction.clause) }
    }

    /// It was seen to send this segment.
    pub fn seen_sending(&mut self, segment: &Segment, now: Instant) -> Shown {
        let owed = self.owed.take();
        if segment.has(Flags::RST) {
            return self.resets(owed);
        }
        if segment.has(Flags::SYN) {
            return self.opens(segment, owed, now);
        }
        if matches!(self.tcb.state(), State::Closed | State::Listen) {
            return Shown::default(); // of a connection before this one
        }
        let mut arrows = self.must_have_heard(segment);
        self.tcb.rcv.wnd = self.window_of(segment);
        let is_new = segment.end().after(self.tcb.snd.nxt);
        self.has_sent(segment, now);
        if segment.has(Flags::FIN) && self.closes(segment, &mut arrows) {
            return Shown { arrows, clause: Some(Clause::Close) };
        }
        let clause = match (segment.text_len, is_new) {
            (0, _) => owed.map(|(_, clause)| clause),
            (_, true) => Some(Clause::Send),
            (_, false) => None, // by a timer, or by duplicate acknowledgments: who can tell?
        };
        Shown { arrows, clause }
    }

    /// What is acknowledged has left, seen or not.
    fn must_have_sent(&mut self, ack: SeqNum) {
        const FAR: i32 = 1 << 30; // beyond any window: an acknowledgment of something else
        let state = self.tcb.state();
        if state == State::SynReceived && self.iss.is_none() {
            self.adopt(ack - 1);
        }
        let unseen = ack - self.tcb.snd.nxt;
        if state.is_synchronized() && unseen > 0 && unseen < FAR && !self.tcb.fin_sent() {
            self.tcb.snd.nxt = ack;
            self.tcb.snd.end = ack;
        }
    }

    /// What it acknowledges has arrived, seen or not.
    fn must_have_heard(&mut self, segment: &Segment) -> Arrows {
        let mut arrows = Arrows::NONE;
        let Some(ack) = segment.acknowledgment() else { return arrows };
        if matches!(self.tcb.state(), State::SynSent | State::SynReceived) {
            if self.tcb.state() == State::SynSent {
                self.tcb.rcv.irs = ack - 1;
                self.tcb.rcv.nxt = ack;
            }
            self.tcb.snd.una = self.tcb.snd.iss + 1;
            arrows.push(self.tcb.enter(State::Established));
        }
        if !ack.after(self.tcb.rcv.nxt) {
            return arrows;
        }
        self.tcb.rcv.nxt = ack;
        self.beside.held.remove_before(ack);
        if self.beside.held_fin.take_if(|fin| *fin + 1 == ack).is_some() {
            self.takes_fin().into_iter().for_each(|arrow| arrows.push(arrow));
        }
        arrows
    }

    /// The peer's FIN, which was seen behind a gap, is in order now.
    fn takes_fin(&mut self) -> Option<Arrow> {
        let to = match self.tcb.state() {
            State::Established => State::CloseWait,
            State::FinWait1 => State::Closing,
            State::FinWait2 => State::TimeWait,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => return None,
        };
        Some(self.tcb.enter(to))
    }

    /// SND.NXT moves on over the segment, and a measurement of the round trip begins or becomes worthless (Karn).
    fn has_sent(&mut self, segment: &Segment, now: Instant) {
        let tcb = &mut self.tcb;
        let text_end = segment.text_seq() + segment.text_len;
        if tcb.closing == Closing::No && text_end.after(tcb.snd.end) {
            tcb.snd.end = text_end;
        }
        if segment.end().after(tcb.snd.nxt) {
            tcb.snd.nxt = segment.end();
            tcb.timing.get_or_insert(Timing::start(segment.end(), now));
        } else if !segment.is_empty() {
            tcb.timing = None;
        }
    }

    /// Whether a FIN of it left before the peer's had arrived, which it would acknowledge.
    fn crosses(&self, fin: &Segment) -> bool {
        self.tcb.state() == State::CloseWait
            && fin.acknowledgment().is_some_and(|ack| ack.before(self.tcb.rcv.nxt))
    }

    /// A FIN: it must have called CLOSE. Whether that was new.
    fn closes(&mut self, fin: &Segment, arrows: &mut Arrows) -> bool {
        let crosses = self.crosses(fin);
        if crosses {
            self.tcb = self.tcb.found_in(State::Established); // the peer's FIN had not come after all
        }
        let to = match self.tcb.state() {
            State::SynReceived | State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait => return false,
        };
        self.tcb.closing = Closing::Yes;
        self.tcb.snd.nxt = self.tcb.snd.end + 1;
        arrows.push(self.tcb.enter(to));
        if crosses {
            arrows.push(self.tcb.enter(State::Closing));
        }
        true
    }

    fn resets(&mut self, owed: Option<(Segment, Clause)>) -> Shown {
        let state = self.tcb.state();
        if let Some((_, clause)) = owed.filter(|(answer, _)| answer.has(Flags::RST)) {
            return Shown::by(clause);
        }
        if matches!(state, State::Closed | State::Listen) {
            return Shown::by(Clause::ClosedSendsRst);
        }
        let refused = state == State::SynReceived && self.iss.is_none();
        let clause = if refused { Clause::ClosedSendsRst } else { Clause::Abort };
        let mut arrows = Arrows::NONE;
        arrows.push(self.tcb.enter(State::Closed));
        Shown { arrows, clause: Some(clause) }
    }

    fn opens(&mut self, syn: &Segment, owed: Option<(Segment, Clause)>, now: Instant) -> Shown {
        let answers = syn.has(Flags::ACK);
        match self.tcb.state() {
            State::Closed | State::Listen if !answers => self.calls_open(syn, now),
            // It was in SYN-SENT when the other SYN came (RFC 9293 section 3.5 figure 7).
            State::SynReceived if !answers && self.iss.is_none() => {
                let heard = self.heard_syn;
                *self = Self::closed();
                let shown = Shown { arrows: Arrows::NONE, ..self.calls_open(syn, now) };
                if let Some(heard) = heard {
                    self.hears(&heard, now);
                }
                shown
            }
            State::Listen | State::SynSent if answers => {
                self.tcb.rcv.irs = syn.ack - 1;
                self.tcb.rcv.nxt = syn.ack;
                self.adopt(syn.seq);
                self.grants(syn);
                let mut arrows = Arrows::NONE;
                arrows.push(self.tcb.enter(State::SynReceived));
                Shown { arrows, clause: Some(Clause::ListenTakesSyn) }
            }
            State::SynReceived if self.iss.is_none() => {
                self.adopt(syn.seq);
                self.grants(syn);
                Shown { clause: owed.map(|(_, clause)| clause), ..Shown::default() }
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {
                self.tcb.timing = None; // Karn: nobody knows which of them is answered
                Shown { clause: owed.map(|(_, clause)| clause), ..Shown::default() }
            }
        }
    }

    fn calls_open(&mut self, syn: &Segment, now: Instant) -> Shown {
        let offered = syn.options.syn();
        self.tcb.offer = carried(syn);
        self.tcb.offered_scale = offered.window_scale.unwrap_or_default();
        let Ok(reaction) = self.tcb.open(Origin::Active, syn.seq, now) else { return Shown::default() };
        self.iss = Some(syn.seq);
        self.tcb.rcv.wnd = self.window_of(syn);
        if syn.text_len > 0 {
            self.has_sent(&Segment { flags: Flags::SYN, ..*syn }, now);
        }
        Shown { arrows: reaction.arrows, clause: Some(reaction.clause) }
    }

    /// A SYN,ACK shows what of the SYN's offers is granted.
    fn grants(&mut self, syn_ack: &Segment) {
        let offered = syn_ack.options.syn();
        let tcb = &mut self.tcb;
        tcb.offer = carried(syn_ack);
        tcb.granted = tcb.granted.and(tcb.offer);
        tcb.offered_scale = offered.window_scale.unwrap_or_default();
        if !tcb.granted.has(Offer::WINDOW_SCALE) {
            tcb.snd_scale = WindowScale::default();
        }
        tcb.rcv.wnd = syn_ack.window << WindowScale::default();
    }

    /// Its SYN was not formed here: its number is taken from what is seen.
    fn adopt(&mut self, iss: SeqNum) {
        self.iss = Some(iss);
        let snd = &mut self.tcb.snd;
        snd.iss = iss;
        snd.una = iss;
        snd.nxt = iss + 1;
        snd.end = iss + 1;
    }

    /// The window that it announces.
    fn window_of(&self, segment: &Segment) -> WindowSize {
        let scale = match (segment.has(Flags::SYN), self.iss) {
            (true, _) => WindowScale::default(),
            (false, Some(_)) => self.tcb.rcv_scale(),
            (false, None) => WindowScale::LARGEST,
        };
        segment.window << scale
    }
}

/// What a SYN has on it.
fn carried(syn: &Segment) -> Offer {
    let options = syn.options.syn();
    Offer::MSS.only_if(options.mss.is_some())
        | Offer::SACK.only_if(options.sack_permitted)
        | Offer::WINDOW_SCALE.only_if(options.window_scale.is_some())
        | Offer::TIMESTAMPS.only_if(options.timestamps.is_some())
        | Offer::ECN.only_if(syn.has(Flags::ECE))
}

#[cfg(test)]
mod tests;
