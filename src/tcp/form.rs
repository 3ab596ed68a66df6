//! Forming segments: the only place that decides what a segment of ours looks like.

use super::flags::Flags;
use super::offer::Offer;
use super::options::{Opt, Options, OptionsBuilder, OptionsTooLong, Timestamps};
use super::ranges::Range;
use super::segment::Segment;
use super::seq::{SeqNum, UnscaledWindow, WindowScale};
use super::state::State;
use super::tcb::{Closing, Tcb, Timing};
use super::transfer::{Nagle, Transfer};
use crate::time::Instant;

/// A RST that answers `segment` so that its sender accepts it (RFC 9293 section 3.10.7.1).
///
/// Must not be called for a RST: two ends could answer each other for ever.
pub fn reset_answering(segment: &Segment) -> Segment {
    match segment.acknowledgment() {
        Some(ack) => Segment { seq: ack, flags: Flags::RST, ..Segment::default() },
        None => Segment { ack: segment.end(), flags: Flags::RST | Flags::ACK, ..Segment::default() },
    }
}

/// In front of an option of eight octets and two, as everyone sends it: aligned to words.
fn aligned_by_two_nops(options: OptionsBuilder) -> OptionsBuilder {
    options.push(Opt::Nop).and_then(|options| options.push(Opt::Nop)).unwrap_or(options)
}

impl Tcb {
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`. Nothing of ours is urgent (SHLD-13).
    #[inline] // to copy a segment takes longer than to form it
    pub(super) fn form_ack(&self) -> Segment {
        Segment {
            seq: self.snd.nxt,
            ack: self.rcv.nxt,
            flags: if self.echoes_congestion { Flags::ACK | Flags::ECE } else { Flags::ACK },
            window: self.rcv.wnd >> self.rcv_scale(),
            options: self.timestamps_option().build(),
            ..Segment::default()
        }
    }

    /// The same, with what has arrived behind a gap where the peer understands it; `latest` came last.
    #[inline]
    pub(super) fn form_ack_reporting(&self, beside: &mut Transfer, latest: SeqNum) -> Segment {
        if !self.granted.has(Offer::SACK) || beside.held.is_empty() {
            return self.form_ack();
        }
        let aligned = aligned_by_two_nops(self.timestamps_option());
        Segment { options: beside.report(latest, aligned).build(), ..self.form_ack() }
    }

    /// The options of every segment after the SYNs: timestamps, if they were agreed on (RFC 7323 section 3.2).
    #[inline]
    fn timestamps_option(&self) -> OptionsBuilder {
        let Some(Timestamps { value, echo }) = self.timestamps() else { return OptionsBuilder::default() };
        let padded = aligned_by_two_nops(OptionsBuilder::default());
        padded.push(Opt::Timestamps { value, echo }).unwrap_or_default() // twelve octets always fit
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>`: the RST of ABORT. RFC 9293 section 3.10.5 has no ACK
    /// bit on it; hosts send one, and a firewall that tracks the connection expects it (H-20).
    pub(super) fn form_reset(&self) -> Segment {
        Segment { flags: Flags::RST | Flags::ACK, window: UnscaledWindow(0), ..self.form_ack() }
    }

    /// Our SYN, or once the peer's number is known our SYN,ACK; always with the same number.
    pub(super) fn form_syn(&self) -> Segment {
        let answering = !matches!(self.state(), State::SynSent | State::Listen | State::Closed);
        let (flags, ack) =
            if answering { (Flags::SYN | Flags::ACK, self.rcv.nxt) } else { (Flags::SYN, SeqNum(0)) };
        Segment {
            seq: self.snd.iss,
            ack,
            flags: flags | self.ecn_flags(answering),
            window: self.rcv.wnd >> WindowScale::default(), // a SYN's window is never scaled (RFC 7323 2.2)
            options: self.syn_options(answering).unwrap_or_default(), // nineteen octets always fit
            text_len: if answering { 0 } else { (self.snd.nxt - (self.snd.iss + 1)).max(0) as u32 },
            ..Segment::default()
        }
    }

    /// A SYN asks with both flags, a SYN,ACK grants with one (RFC 3168 section 6.1.1).
    fn ecn_flags(&self, answering: bool) -> Flags {
        match (answering, self.offer.has(Offer::ECN), self.granted.has(Offer::ECN)) {
            (false, true, _) => Flags::ECE | Flags::CWR,
            (true, _, true) => Flags::ECE,
            _ => Flags::NONE,
        }
    }

    /// MSS, SACK-permitted, timestamps, window scale, always in this order. MSS on every SYN (MUST-14, SHLD-5,
    /// MAY-3), and on no other segment (MUST-65); in an answer, the others only if the peer offered them (RFC 2018
    /// section 2, RFC 7323 sections 2.2 and 3.2).
    fn syn_options(&self, answering: bool) -> Result<Options, OptionsTooLong> {
        let carried = if answering { self.granted | (self.offer.and(Offer::MSS)) } else { self.offer };
        let echo = if answering { self.recent.value } else { 0 };
        let all = [
            (Offer::MSS, Opt::Mss(self.mss.get())),
            (Offer::SACK, Opt::SackPermitted),
            (Offer::TIMESTAMPS, Opt::Timestamps { value: self.clock, echo }),
            (Offer::WINDOW_SCALE, Opt::WindowScale(self.offered_scale.get())),
        ];
        let mut options = OptionsBuilder::default();
        for (_, option) in all.into_iter().filter(|(offer, _)| carried.has(*offer)) {
            options.append(option)?;
        }
        Ok(options.build())
    }

    /// The largest text we send in one segment, its options counted (MUST-16).
    pub(super) fn effective_mss(&self) -> u32 {
        const TIMESTAMPS: u32 = 12;
        let options = if self.granted.has(Offer::TIMESTAMPS) { TIMESTAMPS } else { 0 };
        u32::from(self.mss.min(self.peer_mss).get()).saturating_sub(options).max(1)
    }

    /// Octets of text that our SYN has room for beside its options (MUST-16).
    pub(super) fn room_on_syn(&self) -> u32 {
        let options = self.syn_options(false).unwrap_or_default().as_bytes().len() as u32;
        u32::from(self.mss.min(self.peer_mss).get()).saturating_sub(options)
    }

    /// What may be sent now from SND.NXT on: text within the peer's window and the network's, and the FIN behind
    /// the last of it. Advances SND.NXT, starts the timers. A window that shrank below what is under way has no
    /// room, and not less than none (MUST-34, SHLD-15).
    pub(super) fn form_next(&mut self, beside: &Transfer, now: Instant) -> Option<Segment> {
        if !self.may_send_text() || self.fin_sent() {
            return None;
        }
        let waiting = (self.snd.end - self.snd.nxt).max(0) as u32;
        if waiting == 0 && self.closing != Closing::Yes {
            return None; // neither text nor a FIN: so it is for whoever only receives
        }
        let window = ((self.snd.una + self.snd.wnd.get()) - self.snd.nxt).max(0) as u32;
        let room = window.min(beside.congestion.allowance(self.flight()));
        let len = waiting.min(room).min(self.effective_mss());
        self.is_worth_sending(len, waiting, beside.nagle).then(|| self.form_from_next(len, now))?
    }

    /// The sender's side of silly-window avoidance, and Nagle's algorithm (RFC 9293 sections 3.8.6.2.1 and
    /// 3.7.4, MUST-38): a full segment (SHLD-28), the last of what there is, or half of what the peer ever had room
    /// for. What waits meanwhile is joined (MAY-16), and leaves with the next acknowledgment, or when a timer says
    /// that none will come (MUST-60).
    fn is_worth_sending(&self, len: u32, waiting: u32, nagle: Nagle) -> bool {
        let idle = self.snd.una == self.snd.nxt;
        let all = len == waiting && (idle || nagle == Nagle::Off || self.closing == Closing::Yes);
        len >= self.effective_mss() || all || len >= self.snd.max_wnd.get() / 2
    }

    /// What is lost and may be sent again now.
    pub(super) fn form_lost(&mut self, beside: &mut Transfer, now: Instant) -> Option<Segment> {
        if !self.may_send_text() || self.snd.wnd.get() == 0 {
            return None; // a closed window is probed, and nothing else is sent into it
        }
        let Range { start, end } = beside.congestion.next_lost(self.flight())?;
        let segment = self.form_text(start, (end - start).min(self.snd.end - start).max(0) as u32);
        beside.congestion.sent_again(Range { start, end: segment.end() }, self.flight());
        self.timing = None; // Karn, as for a timeout
        self.rearm(now);
        (!segment.is_empty()).then_some(segment)
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

    /// The segment at the front of the retransmission queue, as it was sent: whatever the window has become since,
    /// it goes again (SHLD-16), and what of it lies beyond the window is no harm (MAY-7). To count for the end of
    /// the connection it must be the oldest, which no window that is open leaves out (SHLD-17).
    pub(super) fn form_oldest(&self) -> Segment {
        if self.syn_outstanding() {
            return self.form_syn();
        }
        let text = (self.snd.end - self.snd.una).min(self.snd.nxt - self.snd.una).max(0) as u32;
        self.form_text(self.snd.una, text.min(self.effective_mss()))
    }

    /// Text from `seq` on, with PSH on the last of what is queued, and FIN if the text reaches it and the user has
    /// closed. Before it was sent once it comes with new text only, and if nothing in front of it lies beyond the
    /// peer's window: a probe of a closed one is one octet, no more.
    fn form_text(&self, seq: SeqNum, text_len: u32) -> Segment {
        let mut segment = Segment { seq, text_len, ..self.form_ack() };
        let reaches_end = segment.end() == self.snd.end;
        if reaches_end && text_len > 0 {
            segment.flags |= Flags::PSH; // MUST-61; once for all calls whose text it ends (SHLD-27)
        }
        let is_next = seq == self.snd.nxt && self.snd.end.at_or_before(self.snd.una + self.snd.wnd.get());
        if reaches_end && self.closing == Closing::Yes && (is_next || self.fin_sent()) {
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
