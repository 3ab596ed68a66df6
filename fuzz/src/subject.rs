//! A machine under the eyes of the law, with all that can happen to it.

use std::time::Duration;

use tcpshake::tcp::{
    Clause, Flags, Mss, Parameters, Reaction, Segment, SeqNum, Snd, State, Stream, UnscaledWindow,
};
use tcpshake::time::Instant;

use crate::laws::{Cause, Laws};
use crate::octets::Octets;
use crate::pattern::{MOST, pattern};
use crate::start::{Move, knows_peer};

pub struct Subject {
    pub stream: Stream,
    laws: Laws,
    iss: SeqNum,
    /// Octets its user has sent.
    pub said: u64,
    /// Why it is in CLOSED, if it has been anywhere else.
    pub ended: Option<Clause>,
    /// What it has sent, in order; whoever carries it takes it away.
    pub out: Vec<Segment>,
}

impl Subject {
    /// No more octets than this may wait to be acknowledged, nor more than so many of the peer's windows: what is
    /// queued costs time, not insight.
    const MOST_QUEUED: usize = 1 << 15;
    const MOST_WINDOWS: usize = 64;
    /// A machine that goes on sending after this many segments never ends.
    const MOST_AT_ONCE: usize = 1000;

    pub fn new(parameters: &Parameters, stream: Stream, iss: SeqNum) -> Self {
        Self { laws: Laws::new(parameters, &stream), stream, iss, said: 0, ended: None, out: Vec::new() }
    }

    pub fn state(&self) -> State {
        self.stream.tcb().state()
    }

    /// Judges what has happened, and lets the machine send what else it may.
    fn follow(&mut self, cause: Cause, reaction: Option<Reaction>, now: Instant) {
        let Some(reaction) = reaction else { return };
        self.laws.judge(cause, &reaction, &self.stream);
        self.out.extend(reaction.segment);
        if reaction.arrows.iter().any(|arrow| arrow.to == State::Closed) {
            self.ended = Some(reaction.clause);
        }
        self.transmit_rest(now);
    }

    fn transmit_rest(&mut self, now: Instant) {
        let before = self.out.len();
        while let Some(more) = self.stream.transmit(now) {
            self.laws.judge(Cause::Transmit, &more, &self.stream);
            self.out.extend(more.segment);
            assert!(self.out.len() - before < Self::MOST_AT_ONCE, "transmit never ends");
        }
    }

    /// A segment arrives, with the text that belongs to its numbers.
    pub fn take(&mut self, segment: &Segment, now: Instant) {
        let irs = if knows_peer(self.state()) { self.stream.tcb().rcv().irs } else { segment.seq };
        let text = pattern(irs, segment.text_seq(), segment.text_len as usize);
        let reaction = self.stream.on_segment(segment, text, now);
        self.follow(Cause::Segment(segment), Some(reaction), now);
    }

    /// The next of its timers fires; `false` if none runs.
    pub fn time_out(&mut self, now: &mut Instant) -> bool {
        let Some(deadline) = self.stream.tcb().deadline() else { return false };
        *now = deadline.at.max(*now);
        let reaction = self.stream.on_timeout(*now);
        assert!(reaction.is_some(), "a timer that is due does nothing");
        self.follow(Cause::Other, reaction, *now);
        true
    }

    pub fn say(&mut self, octets: usize, now: Instant) {
        let window = self.stream.tcb().snd().max_wnd.get() as usize;
        let most = (window.max(1) * Self::MOST_WINDOWS).min(Self::MOST_QUEUED);
        let octets = octets.min(most.saturating_sub(self.stream.queued()));
        let Snd { iss, end, .. } = *self.stream.tcb().snd(); // back in LISTEN, it has another ISS
        if let Ok(reaction) = self.stream.send(pattern(iss, end, octets), now) {
            self.said += octets as u64;
            self.follow(Cause::Other, Some(reaction), now);
        }
    }

    pub fn read(&mut self, octets: usize, now: Instant) {
        let reaction = self.stream.read(octets, now);
        self.follow(Cause::Other, reaction, now);
    }

    pub fn close(&mut self, now: Instant) {
        let reaction = self.stream.close(now).ok();
        self.follow(Cause::Other, reaction, now);
    }

    pub fn abort(&mut self, now: Instant) {
        let reaction = self.stream.abort().ok();
        self.follow(Cause::Other, reaction, now);
    }

    /// A router says that the path is narrow, to a driver that believes no less than 552 octets.
    fn narrow(&mut self, choice: u16, now: Instant) {
        if let Some(mss) = Mss::new(512 + choice % 1024) {
            self.stream.note_narrow_path(mss);
        }
        self.transmit_rest(now);
    }

    /// Goes one state further.
    pub fn walk(&mut self, step: Move, irs: SeqNum, now: Instant) {
        match step {
            Move::Open(origin) => {
                let reaction = self.stream.open(origin, self.iss, &[], now).ok();
                self.follow(Cause::Other, reaction, now);
            }
            Move::Close => self.close(now),
            Move::Take(flags) => {
                let tcb = self.stream.tcb();
                let seq = if knows_peer(tcb.state()) { tcb.rcv().nxt } else { irs };
                let window = UnscaledWindow(30_000);
                let ack = if flags.contains(Flags::ACK) { tcb.snd().nxt } else { SeqNum(0) };
                let flags = if flags.contains(Flags::SYN) { flags } else { flags | Flags::ACK };
                self.take(&Segment { seq, ack, flags, window, ..Segment::default() }, now);
            }
        }
    }

    /// Something the user does, or time.
    pub fn act(&mut self, choice: u8, octets: &mut Octets, now: &mut Instant) {
        match choice {
            0..=19 => self.say(usize::from(octets.u16() & 0x1fff), *now),
            20..=34 => self.read(MOST, *now),
            35..=39 => self.read(usize::from(octets.u16()), *now),
            40..=46 => {
                self.time_out(now);
            }
            47..=58 => *now += Duration::from_millis(u64::from(octets.u8())),
            59 => self.narrow(octets.u16(), *now),
            60 => self.close(*now),
            61 => self.stream.close_with_peer(),
            62 => *now += Duration::from_secs(u64::from(octets.u16())),
            _ => self.abort(*now),
        }
    }
}
