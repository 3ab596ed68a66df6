//! Two machines, and everything under way between them, in the hands of a hostile scheduler.

use std::time::Duration;

use tcpshake::tcp::{Clause, Flags, Origin, Retries, Segment, SeqNum, State, UnscaledWindow};
use tcpshake::time::Instant;

use crate::octets::Octets;
use crate::pattern::MOST;
use crate::start::{self, Move};
use crate::subject::Subject;

/// A segment under way.
#[derive(Clone, Copy)]
struct Flying {
    /// Which of the two ends it goes to.
    to: usize,
    segment: Segment,
    sent_at: Instant,
}

pub struct Pair {
    ends: [Subject; 2],
    flying: Vec<Flying>,
    now: Instant,
    /// The scheduler only loses, doubles, delays and reorders, and no user aborts or gives up: TCP must cope.
    is_honest: bool,
    /// Segments handed in.
    pub segments: u64,
}

impl Pair {
    /// More are not kept under way: a network that is full drops what comes.
    const MOST_FLYING: usize = 64;
    /// Longer than an honest network keeps a segment (it is the MSL, RFC 9293 section 3.4.3, many times over). A
    /// timestamp that was a day old when it came could stop both ends for days (RFC 7323 section 5.5 allows for
    /// 24 of the 24.8 days in which a clock of milliseconds goes half its way round).
    const LIFETIME: Duration = Duration::from_secs(3600);

    pub fn new(octets: &mut Octets) -> Self {
        let choice = octets.u8();
        let is_honest = choice & 8 == 0;
        // Against forgeries there is no other end than patience.
        let retries = if is_honest { Retries::Unlimited } else { Retries::AtMost(choice >> 4) };
        let origins = match choice & 7 {
            0 => [Origin::Active, Origin::Active],
            1 => [Origin::Active, Origin::Split],
            _ => [Origin::Active, Origin::Passive],
        };
        let now = Instant::from_nanos(1_000_000_000);
        let ends = origins.map(|origin| {
            let parameters = start::parameters(octets, retries);
            let stream = start::stream(octets, &parameters);
            let mut end = Subject::new(&parameters, stream, start::initial(octets));
            end.walk(Move::Open(origin), SeqNum(0), now);
            end
        });
        let mut pair = Self { ends, flying: Vec::new(), now, is_honest, segments: 0 };
        pair.carry();
        pair
    }

    /// Takes what both ends have sent under way.
    fn carry(&mut self) {
        for (end, subject) in self.ends.iter_mut().enumerate() {
            let sent_at = self.now;
            self.flying.extend(subject.out.drain(..).map(|segment| Flying { to: 1 - end, segment, sent_at }));
        }
        self.flying.truncate(Self::MOST_FLYING);
    }

    fn deliver(&mut self, Flying { to, segment, sent_at }: Flying) {
        if self.is_honest && self.now - sent_at > Self::LIFETIME {
            return;
        }
        self.ends[to].take(&segment, self.now);
        self.segments += 1;
        self.carry();
    }

    /// One thing that the scheduler, an intruder or a user does.
    pub fn happen(&mut self, octets: &mut Octets) {
        let choice = octets.u8();
        let which = usize::from(octets.u8());
        let chosen = which.checked_rem(self.flying.len());
        match (choice, chosen) {
            (0..=127, Some(_)) => {
                let oldest = self.flying.remove(0);
                self.deliver(oldest);
            }
            (128..=151, Some(at)) => {
                let overtaking = self.flying.remove(at);
                self.deliver(overtaking);
            }
            (152..=167, Some(at)) => self.deliver(self.flying[at]),
            (168..=187, Some(at)) => {
                self.flying.remove(at);
            }
            (188..=191, Some(at)) if !self.is_honest && which & 0xc0 == 0 => self.forge(at, octets),
            _ => {
                let end = which & 1;
                let choice = self.allowed(end, choice & 63, which);
                let mut now = self.now;
                self.ends[end].act(choice, octets, &mut now);
                self.now = now;
                self.carry();
            }
        }
    }

    /// What a user who means to talk does not do is done seldom, or never; instead, time passes.
    fn allowed(&self, end: usize, choice: u8, which: usize) -> u8 {
        const PASS: u8 = 47;
        let gives_up = choice == 63 || (choice == 60 && !self.ends[end].state().is_synchronized());
        if gives_up && (self.is_honest || which & 0xfc != 0) { PASS } else { choice }
    }

    /// Hands in a segment that was made from one under way.
    fn forge(&mut self, at: usize, octets: &mut Octets) {
        let mut forged = self.flying[at];
        let segment = &mut forged.segment;
        match octets.u8() & 7 {
            0 => segment.flags = Flags::from_bits(octets.u16()),
            1 => segment.flags |= Flags::RST,
            2 => segment.seq += u32::from(octets.u16()),
            3 => segment.seq = segment.seq - u32::from(octets.u16()),
            4 => segment.ack += u32::from(octets.u16()),
            5 => segment.ack = segment.ack - u32::from(octets.u16()),
            6 => segment.window = UnscaledWindow(segment.window.0.min(octets.u16())), // or it takes too long
            _ => segment.text_len = u32::from(octets.u8()),
        }
        self.deliver(forged);
    }

    /// The hostilities are over: both users read all there is and close, and everything arrives. Then it ends, never
    /// without progress for long, and if nobody has cheated, with all that was said heard. After a forgery two ends
    /// may ask each other for ever (MUST-37), but only as often as a timer fires.
    pub fn come_to_an_end(&mut self) {
        const LONG: usize = 1000;
        let (mut reached, mut stalled) = (self.reached(), 0);
        loop {
            assert!(stalled < 2 * LONG, "it never ends: {}", self.describe());
            if stalled > LONG && self.flying.is_empty() && !self.is_honest {
                return;
            }
            for end in &mut self.ends {
                end.read(MOST, self.now);
                if matches!(end.state(), State::Established | State::CloseWait) {
                    end.close(self.now);
                }
            }
            self.carry();
            if !self.flying.is_empty() {
                self.now += Duration::from_millis(1);
                let oldest = self.flying.remove(0);
                self.deliver(oldest);
            } else if !self.next_timer() {
                break;
            }
            let before = std::mem::replace(&mut reached, self.reached());
            stalled = if reached == before { stalled + 1 } else { 0 };
        }
        if self.is_honest {
            self.judge();
        }
    }

    /// What has been acknowledged, sent and received. A forged window can hold an end to an octet a probe until the
    /// last of its text: only a peer whose numbers have passed the forged one may set another (SND.WL1).
    fn reached(&self) -> [[SeqNum; 3]; 2] {
        self.ends.each_ref().map(|end| {
            let tcb = end.stream.tcb();
            [tcb.snd().una, tcb.snd().nxt, tcb.rcv().nxt]
        })
    }

    /// Lets the first timer of the two fire; `false` if none runs.
    fn next_timer(&mut self) -> bool {
        let at = |end: &Subject| end.stream.tcb().deadline().map(|deadline| deadline.at);
        let first = match (at(&self.ends[0]), at(&self.ends[1])) {
            (Some(a), Some(b)) => usize::from(b < a),
            (a, _) => usize::from(a.is_none()),
        };
        let mut now = self.now;
        let fired = self.ends[first].time_out(&mut now);
        self.now = now;
        self.carry();
        fired
    }

    fn judge(&self) {
        for (end, other) in [(0, 1), (1, 0)] {
            let (end, other) = (&self.ends[end], &self.ends[other]);
            // A straggler may draw a RST from an end that is over sooner (RFC 1337, I-06).
            let closed = matches!(
                end.ended,
                Some(Clause::AckOfFinLast | Clause::TimeWaitTimeout | Clause::RstEndsClosing)
            );
            assert!(closed, "no good end: {:?}, {}", end.ended, self.describe());
            assert_eq!(end.stream.received(), other.said, "said and not heard: {}", self.describe());
        }
    }

    fn describe(&self) -> String {
        let one = |end: &Subject| {
            format!("{} {:?} {:?}", end.state(), end.stream.tcb().snd(), end.stream.tcb().rcv())
        };
        format!("{} / {}", one(&self.ends[0]), one(&self.ends[1]))
    }
}
