//! What RFC 9293 section 3.10.7, RFC 5961 and the oracle table of the scenarios say about one segment, written down
//! independently of the machine: the state, the reply, every variable, the text that is delivered.
//!
//! One outcome a segment. Where the texts contradict each other, or leave a choice, the comment names the decision.

use tcpshake::tcp::{Flags, Origin, Rcv, Segment, SeqNum, Snd, State};

/// What the oracle knows of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    pub state: State,
    pub origin: Origin,
    /// A CLOSE waits for the peer's FIN.
    pub closes_with_peer: bool,
    pub snd: Snd,
    pub rcv: Rcv,
}

/// Flags, sequence and acknowledgment number of the reply.
pub type Reply = (Flags, SeqNum, Option<SeqNum>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    pub state: State,
    pub reply: Option<Reply>,
    pub snd: Snd,
    pub rcv: Rcv,
    /// The number of the first octet handed to the user, and how many.
    pub text: Option<(SeqNum, u32)>,
    /// 2 MSL begin now.
    pub waits_anew: bool,
}

impl Before {
    const fn after(&self, state: State, reply: Option<Reply>) -> After {
        After { state, reply, snd: self.snd, rcv: self.rcv, text: None, waits_anew: false }
    }
    const fn silence(&self) -> After {
        self.after(self.state, None)
    }
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, nothing else happens.
    const fn plain_ack(&self) -> After {
        self.after(self.state, Some((Flags::ACK, self.snd.nxt, Some(self.rcv.nxt))))
    }
    /// `<SEQ=SEG.ACK><CTL=RST>`, nothing else happens.
    const fn reset(&self, segment: &Segment) -> After {
        self.after(self.state, Some((Flags::RST, segment.ack, None)))
    }
    /// `<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>`.
    fn syn_ack(&self) -> After {
        self.after(State::SynReceived, Some((Flags::SYN | Flags::ACK, self.snd.iss, Some(self.rcv.nxt))))
    }
    const fn in_window(&self, seq: SeqNum) -> bool {
        seq.0.wrapping_sub(self.rcv.nxt.0) < self.rcv.wnd.get()
    }

    /// SEGMENT ARRIVES.
    pub fn arrives(&self, segment: &Segment) -> After {
        match self.state {
            State::Closed => self.closed(segment),
            State::Listen => self.listen(segment),
            State::SynSent => self.syn_sent(segment),
            _ => self.others(segment),
        }
    }

    fn closed(&self, segment: &Segment) -> After {
        if segment.has(Flags::RST) {
            self.silence()
        } else if segment.has(Flags::ACK) {
            self.reset(segment)
        } else {
            let ack = segment.seq
                + segment.text_len
                + u32::from(segment.has(Flags::SYN))
                + u32::from(segment.has(Flags::FIN));
            self.after(self.state, Some((Flags::RST | Flags::ACK, SeqNum(0), Some(ack))))
        }
    }

    /// D-06: text and FIN of a SYN are not queued; they come again.
    fn listen(&self, segment: &Segment) -> After {
        if segment.has(Flags::RST) {
            self.silence()
        } else if segment.has(Flags::ACK) {
            self.reset(segment)
        } else if segment.has(Flags::SYN) {
            let mut known = self.taking_syn(segment);
            known.snd.nxt = known.snd.iss + 1;
            known.syn_ack()
        } else {
            self.silence()
        }
    }

    fn syn_sent(&self, segment: &Segment) -> After {
        let (rst, ack) = (segment.has(Flags::RST), segment.has(Flags::ACK));
        let acceptable = segment.ack - self.snd.iss > 0 && segment.ack - self.snd.nxt <= 0;
        match (ack, rst) {
            (true, true) if acceptable => self.after(State::Closed, None),
            (_, true) => self.silence(),
            (true, false) if !acceptable => self.reset(segment),
            _ if !segment.has(Flags::SYN) => self.silence(),
            (false, false) => self.taking_syn(segment).syn_ack(),
            (true, false) => {
                let mut open = self.taking_syn(segment);
                open.state = State::Established;
                open.snd.una = segment.ack;
                open.urgent(segment);
                // What the peer left of the text on our SYN goes out again, with the acknowledgment.
                let (una, end) = (open.snd.una, open.snd.end);
                open.snd.nxt = end;
                let after = open.text_and_fin(segment, true);
                let again = Some((Flags::PSH | Flags::ACK, una, Some(after.rcv.nxt)));
                if una == end { after } else { After { reply: again, ..after } }
            }
        }
    }

    /// RCV.NXT, IRS, and the send window of a SYN; SEG.ACK says nothing without the ACK bit.
    fn taking_syn(mut self, segment: &Segment) -> Self {
        self.rcv.irs = segment.seq;
        self.rcv.nxt = segment.seq + 1;
        self.rcv.up = self.rcv.nxt;
        self.set_window(segment, segment.seq);
        if !segment.has(Flags::ACK) {
            self.snd.wl2 = self.snd.una;
        }
        self
    }

    fn set_window(&mut self, segment: &Segment, seq: SeqNum) {
        self.snd.wnd = segment.window << tcpshake::tcp::WindowScale::default();
        self.snd.max_wnd = self.snd.max_wnd.max(self.snd.wnd);
        self.snd.wl1 = seq;
        self.snd.wl2 = segment.ack;
    }

    /// Table 6, letter by letter; below it, a closed window still takes valid ACKs, URGs and RSTs (MUST-66), and an
    /// ACK at the right edge of an open one is taken, too (appendix A.2).
    fn acceptable(&self, segment: &Segment) -> bool {
        if self.rcv.wnd.get() == 0 {
            return segment.seq == self.rcv.nxt && (segment.is_empty() || segment.has(Flags::ACK));
        }
        match segment.len() {
            0 => self.in_window(segment.seq) || segment.seq == self.rcv.nxt + self.rcv.wnd.get(),
            len => self.in_window(segment.seq) || self.in_window(segment.seq + (len - 1)),
        }
    }

    fn others(&self, segment: &Segment) -> After {
        let (syn, ack) = (segment.has(Flags::SYN), segment.has(Flags::ACK));
        let opening = self.state == State::SynReceived;
        let passive = opening && self.origin != Origin::Active;
        // First and second, for a RST.
        if segment.has(Flags::RST) {
            return self.reset_arrives(segment, passive);
        }
        let at_irs = syn && segment.seq == self.rcv.irs;
        // B-03: the peer has not heard our SYN,ACK. Section 3.8.1 sends it again, the table has a choice.
        if passive && at_irs && !ack {
            return self.syn_ack();
        }
        // F-01: figure 7 has the SYN,ACK of crossing opens, left of the window, accepted.
        let crossed = opening && self.origin != Origin::Passive && at_irs && ack;
        if !crossed && !self.acceptable(segment) {
            // I-01: "a retransmission of the remote FIN. Acknowledge it, and restart": it lies left of the window.
            let fin_again = segment.has(Flags::FIN) && segment.end() == self.rcv.nxt;
            let waits_anew = self.state == State::TimeWait && fin_again;
            return After { waits_anew, ..self.plain_ack() };
        }
        // Fourth. An old SYN whose text reaches into the window is challenged like any other. With or without ACK:
        // section 3.10.7.4 knows no difference, though the table has a plain ACK for a SYN,ACK in the window.
        if syn && !crossed {
            let is_new = passive && self.in_window(segment.seq);
            return if is_new { self.after(State::Listen, None) } else { self.plain_ack() };
        }
        // Fifth.
        if ack { self.check_ack(segment, crossed) } else { self.silence() }
    }

    /// RFC 5961 section 3.2: exactly RCV.NXT, in the window, outside.
    fn reset_arrives(&self, segment: &Segment, passive: bool) -> After {
        match (segment.seq == self.rcv.nxt, self.in_window(segment.seq)) {
            (true, _) if passive => self.after(State::Listen, None),
            (true, _) => self.after(State::Closed, None),
            (false, true) => self.plain_ack(),
            (false, false) => self.silence(),
        }
    }

    fn check_ack(&self, segment: &Segment, crossed: bool) -> After {
        use State as S;
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let (ahead, unsent) = (segment.ack - una, segment.ack - nxt > 0);
        if self.state == S::SynReceived {
            // RFC 5961 would acknowledge what RFC 9293 resets (E-01).
            if ahead <= 0 || unsent {
                return self.reset(segment);
            }
        } else if unsent || ahead < 0 && ahead.unsigned_abs() > self.snd.max_wnd.get() {
            return self.plain_ack();
        }
        let mut now = *self;
        if ahead > 0 {
            now.snd.una = segment.ack;
        }
        now.update_window(segment);
        let all = now.snd.una == nxt; // in these tests a FIN stands last wherever one was sent
        now.state = match self.state {
            S::SynReceived => S::Established,
            S::FinWait1 if all => S::FinWait2,
            S::Closing if all => S::TimeWait,
            S::LastAck if all => S::Closed,
            state => state,
        };
        let entered = now.state != self.state;
        match now.state {
            S::Established | S::FinWait1 | S::FinWait2 => {
                now.urgent(segment);
                now.text_and_fin(segment, crossed)
            }
            S::Closed | S::Closing => now.silence(), // "otherwise, ignore the segment"
            _ => {
                // H-16, H-17: text and FIN behind the peer's FIN are ignored, and acknowledged.
                let reply = if segment.is_empty() { now.silence() } else { now.plain_ack() };
                let again = segment.has(Flags::FIN) || entered;
                After { waits_anew: now.state == S::TimeWait && again, ..reply }
            }
        }
    }

    /// "In the following it is assumed that the segment is the idealized segment that begins at RCV.NXT".
    fn idealized(&self, segment: &Segment) -> SeqNum {
        if segment.seq - self.rcv.nxt < 0 { self.rcv.nxt } else { segment.seq }
    }

    fn update_window(&mut self, segment: &Segment) {
        let seq = self.idealized(segment);
        let current = segment.ack - self.snd.una >= 0;
        let (behind, newer) = (seq - self.snd.wl1, segment.ack - self.snd.wl2 >= 0);
        if current && (behind > 0 || behind == 0 && newer) {
            self.set_window(segment, seq);
        }
    }

    /// Sixth. SEG.UP is SEG.SEQ + the pointer: the number after the urgent octets (MUST-62).
    fn urgent(&mut self, segment: &Segment) {
        let up = segment.seq + u32::from(segment.urgent);
        if segment.has(Flags::URG) && up - self.rcv.up > 0 {
            self.rcv.up = up;
        }
    }

    /// Seventh and eighth, in a state that takes text: trimmed to the window, taken if it begins at RCV.NXT. What
    /// begins behind it is held by a stream; a control block alone has no room (SHLD-31).
    fn text_and_fin(&self, segment: &Segment, acknowledges: bool) -> After {
        let text_seq = segment.seq + u32::from(segment.has(Flags::SYN));
        let start = text_seq - self.rcv.nxt;
        let end = start + segment.text_len as i32; // where the FIN stands, relative to RCV.NXT
        let window = self.rcv.wnd.get() as i32;
        let mut now = *self;
        let mut text = None;
        if start <= 0 {
            let taken = end.clamp(0, window);
            text = (taken > 0).then_some((self.rcv.nxt, taken as u32));
            // H-15: a bare FIN takes no room, and is taken by a closed window, too.
            let bare = segment.text_len == 0 && end == 0;
            let fin = segment.has(Flags::FIN) && ((0..window).contains(&end) || bare);
            now.rcv.nxt = self.rcv.nxt + taken as u32 + u32::from(fin);
            if fin {
                return After { text, ..now.fin() };
            }
        }
        let owed = acknowledges || segment.text_len > 0 || segment.has(Flags::FIN);
        After { text, ..if owed { now.plain_ack() } else { now.silence() } }
    }

    /// The peer's FIN, which RCV.NXT has passed.
    fn fin(mut self) -> After {
        self.state = match self.state {
            State::Established => State::CloseWait,
            State::FinWait1 => State::Closing,
            _ => State::TimeWait,
        };
        if self.closes_with_peer && self.state == State::CloseWait {
            let reply = (Flags::FIN | Flags::ACK, self.snd.nxt, Some(self.rcv.nxt));
            self.snd.nxt += 1;
            return self.after(State::LastAck, Some(reply));
        }
        After { waits_anew: self.state == State::TimeWait, ..self.plain_ack() }
    }
}
