//! Forming segments: the only place that decides what a segment of ours looks like.

use super::flags::Flags;
use super::options::{Opt, Options, OptionsBuilder};
use super::segment::Segment;
use super::seq::{SeqNum, WindowScale};
use super::state::State;
use super::tcb::{Closing, Offer, Tcb, Timing};
use crate::time::Instant;

/// How much may be under way before the first acknowledgment of text: three segments, the least of the
/// initial windows that RFC 5681 section 3.1 allows for every segment size in use.
const SEGMENTS_IN_FLIGHT: u32 = 3;

/// A RST that answers `segment` so that its sender accepts it (RFC 9293 section 3.10.7.1).
///
/// Must not be called for a RST: two ends could answer each other for ever.
pub fn reset_answering(segment: &Segment) -> Segment {
    match segment.acknowledgment() {
        Some(ack) => Segment { seq: ack, flags: Flags::RST, ..Segment::default() },
        None => Segment { ack: segment.end(), flags: Flags::RST | Flags::ACK, ..Segment::default() },
    }
}

impl Tcb {
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`.
    pub(super) fn form_ack(&self) -> Segment {
        Segment {
            seq: self.snd.nxt,
            ack: self.rcv.nxt,
            flags: Flags::ACK,
            window: self.rcv.wnd >> self.rcv_scale(),
            ..Segment::default()
        }
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>`: the RST of ABORT. RFC 9293 section 3.10.5 has no ACK
    /// bit on it; hosts send one, and a firewall that tracks the connection expects it (H-20).
    pub(super) fn form_reset(&self) -> Segment {
        Segment { flags: Flags::RST | Flags::ACK, window: super::seq::UnscaledWindow(0), ..self.form_ack() }
    }

    /// Our SYN, or once the peer's number is known our SYN,ACK; always with the same number.
    pub(super) fn form_syn(&self) -> Segment {
        let answering = !matches!(self.state(), State::SynSent | State::Listen | State::Closed);
        let (flags, ack) =
            if answering { (Flags::SYN | Flags::ACK, self.rcv.nxt) } else { (Flags::SYN, SeqNum(0)) };
        Segment {
            seq: self.snd.iss,
            ack,
            flags,
            window: self.rcv.wnd >> WindowScale::default(), // a SYN's window is never scaled (RFC 7323 2.2)
            options: self.syn_options(answering),
            ..Segment::default()
        }
    }

    /// MSS on every SYN (SHLD-5, MUST-65); in an answer, SACK-permitted and window scale only if the
    /// peer offered them (RFC 2018 section 2, RFC 7323 section 2.2).
    fn syn_options(&self, answering: bool) -> Options {
        if self.offer == Offer::Nothing {
            return Options::NONE;
        }
        let granted = |theirs: bool| theirs || !answering;
        let wanted = [
            (true, Opt::Mss(self.mss.get())),
            (granted(self.sack_granted), Opt::SackPermitted),
            (granted(self.scale_granted), Opt::WindowScale(self.offered_scale.get())),
        ];
        let options = wanted
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .try_fold(OptionsBuilder::default(), |options, (_, option)| options.push(option));
        options.map(OptionsBuilder::build).unwrap_or_default() // nine octets always fit
    }

    /// The largest text we send in one segment (MUST-16; we put no options on segments with text).
    pub(super) fn effective_mss(&self) -> u32 {
        u32::from(self.mss.min(self.peer_mss).get())
    }

    /// What may be sent now from SND.NXT on: text within the peer's window, and the FIN behind the last
    /// of it. Advances SND.NXT, starts the timers.
    pub(super) fn form_next(&mut self, now: Instant) -> Option<Segment> {
        if !self.may_send_text() || self.fin_sent() {
            return None;
        }
        let waiting = (self.snd.end - self.snd.nxt).max(0) as u32;
        let limit = self.snd.wnd.get().min(SEGMENTS_IN_FLIGHT * self.effective_mss());
        let room = ((self.snd.una + limit) - self.snd.nxt).max(0) as u32;
        self.form_from_next(waiting.min(room).min(self.effective_mss()), now)
    }

    /// Sends `text_len` octets from SND.NXT on, and the FIN if it comes next: a FIN does not wait for
    /// the window, sent again it asks whether a closed one has opened (J-13).
    pub(super) fn form_from_next(&mut self, text_len: u32, now: Instant) -> Option<Segment> {
        let idle = self.snd.una == self.snd.nxt;
        let segment = self.form_text(self.snd.nxt, text_len);
        if segment.is_empty() {
            return None;
        }
        self.snd.nxt = segment.end();
        if self.timing.is_none() {
            self.timing = Some(Timing::start(segment.end(), now));
        }
        if idle {
            self.rearm(now);
        }
        Some(segment)
    }

    /// The segment at the front of the retransmission queue, as it was sent.
    pub(super) fn form_oldest(&self) -> Segment {
        if self.syn_outstanding() {
            return self.form_syn();
        }
        let text = (self.snd.end - self.snd.una).min(self.snd.nxt - self.snd.una).max(0) as u32;
        self.form_text(self.snd.una, text.min(self.effective_mss()))
    }

    /// Text from `seq` on, with PSH on the last of what is queued, and FIN if the text reaches it and
    /// the user has closed.
    fn form_text(&self, seq: SeqNum, text_len: u32) -> Segment {
        let mut segment = Segment { seq, text_len, ..self.form_ack() };
        let reaches_end = segment.end() == self.snd.end;
        if reaches_end && text_len > 0 {
            segment.flags |= Flags::PSH;
        }
        if reaches_end && self.closing == Closing::Yes {
            segment.flags |= Flags::FIN;
        }
        segment
    }

    fn may_send_text(&self) -> bool {
        match self.state() {
            State::Established | State::CloseWait | State::FinWait1 | State::Closing | State::LastAck => true,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::FinWait2
            | State::TimeWait => false,
        }
    }
}
