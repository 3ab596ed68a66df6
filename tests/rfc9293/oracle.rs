//! What RFC 9293 section 3.10.7, RFC 5961 and the oracle table of the scenarios say about one segment,
//! written down independently of the machine: states, replies and variables, no timers and no options.

use tcpshake::tcp::{Flags, Origin, Rcv, Segment, SeqNum, Snd, State};

/// What the oracle knows of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    pub state: State,
    pub origin: Origin,
    pub snd: Snd,
    pub rcv: Rcv,
}

/// Flags, sequence and acknowledgment number of the reply.
pub type Reply = (Flags, SeqNum, Option<SeqNum>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    pub state: State,
    pub reply: Option<Reply>,
    pub una: SeqNum,
    pub rcv_nxt: SeqNum,
}

/// One outcome where the text leaves no choice; where it contradicts itself, every reading of it.
pub type Outcomes = Vec<After>;

impl Before {
    const fn after(&self, state: State, reply: Option<Reply>) -> After {
        After { state, reply, una: self.snd.una, rcv_nxt: self.rcv.nxt }
    }
    fn silence(&self) -> After {
        self.after(self.state, None)
    }
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, nothing else happens.
    fn plain_ack(&self) -> After {
        self.after(self.state, Some((Flags::ACK, self.snd.nxt, Some(self.rcv.nxt))))
    }
    /// `<SEQ=SEG.ACK><CTL=RST>`, nothing else happens.
    fn reset(&self, segment: &Segment) -> After {
        self.after(self.state, Some((Flags::RST, segment.ack, None)))
    }
    const fn syn_ack(&self, state: State, irs: SeqNum) -> After {
        let nxt = SeqNum(irs.0.wrapping_add(1));
        After { rcv_nxt: nxt, ..self.after(state, Some((Flags::from_bits(0x12), self.snd.iss, Some(nxt)))) }
    }
    fn in_window(&self, seq: SeqNum) -> bool {
        seq.0.wrapping_sub(self.rcv.nxt.0) < self.rcv.wnd.get()
    }

    /// SEGMENT ARRIVES.
    pub fn arrives(&self, segment: &Segment) -> Outcomes {
        match self.state {
            State::Closed => vec![self.closed(segment)],
            State::Listen => vec![self.listen(segment)],
            State::SynSent => vec![self.syn_sent(segment)],
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

    fn listen(&self, segment: &Segment) -> After {
        if segment.has(Flags::RST) {
            self.silence()
        } else if segment.has(Flags::ACK) {
            self.reset(segment)
        } else if segment.has(Flags::SYN) {
            self.syn_ack(State::SynReceived, segment.seq)
        } else {
            self.silence()
        }
    }

    fn syn_sent(&self, segment: &Segment) -> After {
        let (rst, ack) = (segment.has(Flags::RST), segment.has(Flags::ACK));
        let acceptable = segment.ack == self.snd.nxt; // ISS < SEG.ACK =< SND.NXT = ISS + 1
        match (ack, rst) {
            (true, true) if acceptable => self.after(State::Closed, None),
            (_, true) => self.silence(),
            (true, false) if !acceptable => self.reset(segment),
            _ if !segment.has(Flags::SYN) => self.silence(),
            (false, false) => self.syn_ack(State::SynReceived, segment.seq),
            (true, false) => {
                let mut open = *self;
                open.state = State::Established;
                open.snd.una = segment.ack;
                open.rcv.nxt = segment.seq + 1;
                After {
                    reply: Some((Flags::ACK, open.snd.nxt, Some(open.text_and_fin(segment).rcv_nxt))),
                    ..open.text_and_fin(segment)
                }
            }
        }
    }

    /// Table 6, letter by letter; but the allowance for a closed window holds at the right edge of any (A.2).
    fn acceptable(&self, segment: &Segment) -> bool {
        match segment.len() {
            0 => self.in_window(segment.seq) || segment.seq == self.rcv.nxt + self.rcv.wnd.get(),
            len => self.in_window(segment.seq) || self.in_window(segment.seq + (len - 1)),
        }
    }

    fn others(&self, segment: &Segment) -> Outcomes {
        use State as S;
        let (syn, rst) = (segment.has(Flags::SYN), segment.has(Flags::RST));
        let passive = self.state == S::SynReceived && self.origin == Origin::Passive;
        let opening = self.state == S::SynReceived && !passive;
        // First and second, for a RST (RFC 5961 section 3.2).
        if rst {
            let after = match (segment.seq == self.rcv.nxt, self.in_window(segment.seq)) {
                (true, _) if passive => self.after(S::Listen, None),
                (true, _) => self.after(S::Closed, None),
                (false, true) => self.plain_ack(),
                (false, false) => self.silence(),
            };
            return vec![after];
        }
        // B-03 and F-01 stand before the sequence check.
        if syn && segment.seq == self.rcv.irs && segment.has(Flags::ACK) && opening {
            if segment.ack != self.snd.nxt {
                // The ACK and the sequence number are both wrong: either may be answered.
                return vec![self.reset(segment), self.plain_ack()];
            }
            let mut open = *self;
            open.state = S::Established;
            open.snd.una = segment.ack;
            let bare = open.plain_ack();
            return vec![bare, open.text_and_fin(segment)];
        }
        if syn && segment.seq == self.rcv.irs && !segment.has(Flags::ACK) && passive {
            let again = self.syn_ack(self.state, self.rcv.irs);
            // With text or FIN it straddles the window's edge; trimmed, no ACK is left in it: dropped.
            return if segment.len() == 1 {
                vec![again]
            } else {
                vec![again, self.plain_ack(), self.silence()]
            };
        }
        if !self.acceptable(segment) {
            return vec![self.plain_ack()];
        }
        // Fourth.
        if syn {
            let outside = !self.in_window(segment.seq);
            return match (passive, segment.has(Flags::ACK)) {
                (true, _) if outside => vec![self.plain_ack(), self.silence()],
                (true, false) => vec![self.after(S::Listen, None)],
                // Section 3.10.7.4 says LISTEN, the oracle table a plain ACK.
                (true, true) => vec![self.after(S::Listen, None), self.plain_ack()],
                (false, _) => vec![self.plain_ack()],
            };
        }
        // Fifth.
        if !segment.has(Flags::ACK) {
            return vec![self.silence()];
        }
        self.check_ack(segment)
    }

    fn check_ack(&self, segment: &Segment) -> Outcomes {
        use State as S;
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let ahead = segment.ack - una;
        if self.state == S::SynReceived {
            if !(ahead > 0 && segment.ack - nxt <= 0) {
                return vec![self.reset(segment)];
            }
        } else if segment.ack - nxt > 0 || ahead < 0 && ahead.unsigned_abs() > self.snd.max_wnd.get() {
            return vec![self.plain_ack()];
        }
        let mut now = *self;
        if ahead > 0 {
            now.snd.una = segment.ack;
        }
        let all = now.snd.una == nxt; // in these tests a FIN stands last wherever one was sent
        now.state = match self.state {
            S::SynReceived => S::Established,
            S::FinWait1 if all => S::FinWait2,
            S::Closing if all => S::TimeWait,
            S::LastAck if all => S::Closed,
            state => state,
        };
        match now.state {
            S::Established | S::FinWait1 | S::FinWait2 => vec![now.text_and_fin(segment)],
            _ if segment.is_empty() => vec![now.silence()],
            S::Closed => vec![now.silence()],
            // "Ignore the segment text"; it carries no FIN to acknowledge.
            S::TimeWait if self.state == S::Closing && !segment.has(Flags::FIN) => {
                vec![now.plain_ack(), now.silence()]
            }
            // H-16, H-17: ignored and acknowledged.
            S::CloseWait | S::TimeWait => vec![now.plain_ack()],
            // "Otherwise, ignore the segment", or H-16.
            _ => vec![now.plain_ack(), now.silence()],
        }
    }

    /// Seventh and eighth, in a state that takes text: trimmed to the window, taken if it begins at RCV.NXT.
    fn text_and_fin(&self, segment: &Segment) -> After {
        use State as S;
        let start = segment.text_seq() - self.rcv.nxt;
        let end = start + segment.text_len as i32; // where the FIN stands, relative to RCV.NXT
        let window = self.rcv.wnd.get() as i32;
        let mut after = self.silence();
        let mut moved = 0;
        if start <= 0 {
            moved = end.clamp(0, window) as u32;
            let fin = segment.has(Flags::FIN) && (0..window).contains(&end);
            moved += u32::from(fin);
            after.state = match self.state {
                S::Established if fin => S::CloseWait,
                S::FinWait1 if fin => S::Closing,
                S::FinWait2 if fin => S::TimeWait,
                state => state,
            };
        }
        after.rcv_nxt = self.rcv.nxt + moved;
        if segment.text_len > 0 || segment.has(Flags::FIN) {
            after.reply = Some((Flags::ACK, self.snd.nxt, Some(after.rcv_nxt)));
        }
        after
    }
}
