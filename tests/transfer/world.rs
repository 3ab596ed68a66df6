//! Two streams over a link that has a delay, a rate, a queue, and troubles of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use tcpshake::tcp::{
    Mss, Nagle, Offer, Origin, Parameters, Reaction, Retries, Segment, SeqNum, State, Stream, WindowSize,
};
use tcpshake::time::Instant;

use crate::pattern::{Chance, check, pattern};

/// One direction of the link.
#[derive(Clone, Debug)]
pub struct Link {
    pub delay: Duration,
    /// Octets a second; without it, any number at once.
    pub rate: Option<u64>,
    /// Octets that may wait to be put on the link; what comes then is dropped.
    pub queue: u64,
    /// In a thousand segments.
    pub lost: u64,
    pub doubled: u64,
    /// Segments overtaken by up to four that follow.
    pub late: u64,
    /// Octets of text that a segment may have; who sends more is told, as by a router's ICMP error.
    pub room: u16,
    pub chance: Chance,
    pub free_at: Instant,
    /// Octets of text lost so far.
    pub gone: u64,
}

impl Link {
    pub fn new(delay_ms: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            rate: None,
            queue: u64::MAX,
            lost: 0,
            doubled: 0,
            late: 0,
            room: u16::MAX,
            chance: Chance::new(0),
            free_at: Instant::ORIGIN,
            gone: 0,
        }
    }

    /// When the copies of a segment with `text` octets arrive.
    fn carry(&mut self, text: u64, now: Instant) -> Vec<Instant> {
        const HEADERS: u64 = 40;
        let octets = HEADERS + text;
        let mut leaves = now;
        if let Some(rate) = self.rate {
            let waiting = self.free_at.since(now).as_nanos() as u64 * rate / 1_000_000_000;
            if waiting + octets > self.queue {
                self.gone += text;
                return Vec::new();
            }
            leaves = self.free_at.max(now) + Duration::from_nanos(octets * 1_000_000_000 / rate);
            self.free_at = leaves;
        }
        if self.chance.permille(self.lost) {
            self.gone += text;
            return Vec::new();
        }
        let late = self.chance.permille(self.late);
        let more = if late { Duration::from_micros(self.chance.next() % 4000) } else { Duration::ZERO };
        let arrives = leaves + self.delay + more;
        if self.chance.permille(self.doubled) { vec![arrives, arrives] } else { vec![arrives] }
    }
}

/// One end and its user, who sends `total` octets, reads all that comes, and closes.
#[derive(Clone, Debug)]
pub struct End {
    pub stream: Stream,
    pub total: u64,
    pub given: u64,
    pub taken: u64,
    pub closes: bool,
    /// The most that the user takes at a time.
    pub reads: usize,
    /// Octets of text sent, those sent again counted each time.
    pub octets: u64,
    iss: SeqNum,
}

impl End {
    fn new(parameters: &Parameters, iss: u32, total: u64) -> Self {
        Self {
            stream: Stream::new(parameters, Nagle::On),
            total,
            given: 0,
            taken: 0,
            closes: true,
            reads: usize::MAX,
            octets: 0,
            iss: SeqNum(iss),
        }
    }

    /// All is sent, acknowledged and received, and both sides are closed.
    fn is_done(&self, expected: u64) -> bool {
        let closed = matches!(self.stream.tcb().state(), State::TimeWait | State::Closed);
        self.taken == expected && self.stream.acknowledged() == self.total && (closed || !self.closes)
    }
}

/// A segment under way, with its text, and the end it goes to.
type Flying = (usize, Segment, Vec<u8>);

pub struct World {
    pub now: Instant,
    pub ends: [End; 2],
    pub links: [Link; 2],
    flying: BTreeMap<(Instant, u64), Flying>,
    flown: u64,
    /// What routers have to say, and to which end.
    news: BTreeMap<(Instant, u64), (usize, Mss)>,
}

/// Everyday parameters with `mss`, a window of 1 MiB, and as many retries as needed.
pub fn parameters(mss: u16, offer: Offer) -> Parameters {
    Parameters {
        mss: Mss::new(mss).unwrap(),
        window: WindowSize::new(1 << 20),
        offer: offer | Offer::MSS | Offer::WINDOW_SCALE,
        retries: Retries::Unlimited,
        msl: Duration::from_secs(3600), // TIME-WAIT outlasts every row of losses, or its end would reset the other
        ..Parameters::default()
    }
}

impl World {
    /// Two ends that send `total` octets each; the first opens.
    pub fn new(parameters: &Parameters, link: &Link, seed: u64, total: [u64; 2]) -> Self {
        let near_the_wrap = u32::MAX - (seed % 100_000) as u32;
        let mut links = [link.clone(), link.clone()];
        links[0].chance = Chance::new(2 * seed);
        links[1].chance = Chance::new(2 * seed + 1);
        Self {
            now: Instant::from_nanos(1_000_000_000),
            ends: [
                End::new(parameters, near_the_wrap, total[0]),
                End::new(parameters, near_the_wrap.wrapping_add(50_000), total[1]),
            ],
            links,
            flying: BTreeMap::new(),
            flown: 0,
            news: BTreeMap::new(),
        }
    }

    pub fn open(&mut self, origins: [Origin; 2]) {
        for end in [1, 0] {
            let (iss, now) = (self.ends[end].iss, self.now);
            let reaction = self.ends[end].stream.open(origins[end], iss, &[], now).unwrap();
            self.carry_out(end, &reaction);
        }
    }

    /// Puts what one event has led to on the link.
    fn carry_out(&mut self, end: usize, reaction: &Reaction) {
        let Some(segment) = reaction.segment else { return };
        let text = self.ends[end].stream.text_of(&segment).to_vec();
        assert_eq!(text.len(), segment.text_len as usize, "text that is not there: {segment}");
        self.ends[end].octets += text.len() as u64;
        let link = &mut self.links[end];
        if text.len() > usize::from(link.room) {
            link.gone += text.len() as u64;
            self.news.insert((self.now + link.delay, self.flown), (end, Mss::new(link.room).unwrap()));
            self.flown += 1;
            return;
        }
        for at in link.carry(text.len() as u64, self.now) {
            self.flying.insert((at, self.flown), (1 - end, segment, text.clone()));
            self.flown += 1;
        }
    }

    /// All that an end does between two events: its user reads, sends and closes, and text leaves.
    pub fn turn(&mut self, end: usize) {
        let now = self.now;
        let e = &mut self.ends[end];
        let unread = e.stream.unread().len().min(e.reads);
        check(e.taken, &e.stream.unread()[..unread]);
        e.taken += unread as u64;
        let mut reactions: Vec<Reaction> = e.stream.read(unread, now).into_iter().collect();
        self.ends[end].user_sends(now, &mut reactions);
        for reaction in reactions {
            self.carry_out(end, &reaction);
        }
        let mut yielded = 0;
        while let Some(more) = self.ends[end].stream.transmit(now) {
            self.carry_out(end, &more);
            yielded += 1;
            assert!(yielded < 5000, "transmit never ends");
        }
    }

    /// Lets one thing happen; `false` if there is nothing left.
    fn step(&mut self) -> bool {
        let arrival = self.flying.keys().next().map(|(at, _)| *at);
        let timer =
            [0, 1].into_iter().filter_map(|end| Some((self.ends[end].stream.tcb().deadline()?.at, end)));
        let timer = timer.min_by_key(|(at, _)| *at);
        let news = self.news.keys().next().map(|(at, _)| *at);
        let Some(next) = [arrival, news, timer.map(|(at, _)| at)].into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        if news == Some(next) {
            let (_, (end, mss)) = self.news.pop_first().unwrap();
            self.ends[end].stream.note_narrow_path(mss);
            self.turn(end);
            return true;
        }
        let (end, reaction) = if arrival == Some(next) {
            let (_, (end, segment, text)) = self.flying.pop_first().unwrap();
            (end, self.ends[end].stream.on_segment(&segment, &text, now))
        } else {
            let end = timer.unwrap().1;
            (end, self.ends[end].stream.on_timeout(now).expect("a timer that is due fires"))
        };
        self.carry_out(end, &reaction);
        self.turn(end);
        true
    }

    pub fn is_done(&self) -> bool {
        let [a, b] = &self.ends;
        a.is_done(b.total) && b.is_done(a.total)
    }

    /// Until all is done; yields how long that took. It may take no more than `limit`.
    #[track_caller]
    pub fn run(&mut self, limit: Duration) -> Duration {
        let start = self.now;
        while !self.is_done() {
            assert!(self.step(), "nothing happens any more: {}", self.describe());
            assert!(self.now - start <= limit, "not done in time: {}", self.describe());
        }
        self.now - start
    }

    /// Everything that happens within `span`.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until && self.step() {}
    }

    pub fn describe(&self) -> String {
        let one = |e: &End| {
            let (tcb, left) = (e.stream.tcb(), e.total - e.stream.acknowledged());
            format!("{} {left} left, {} taken, {:?}", tcb.state(), e.taken, tcb.snd())
        };
        format!("A {} / B {}", one(&self.ends[0]), one(&self.ends[1]))
    }
}

impl End {
    fn user_sends(&mut self, now: Instant, reactions: &mut Vec<Reaction>) {
        const PIECE: u64 = 1 << 16;
        while self.stream.tcb().state().is_synchronized() && self.given < self.total {
            let piece = PIECE.min(self.total - self.given).min(self.stream.room() as u64);
            if piece == 0 {
                return;
            }
            reactions.push(self.stream.send(pattern(self.given, piece as usize), now).unwrap());
            self.given += piece;
        }
        let open = matches!(self.stream.tcb().state(), State::Established | State::CloseWait);
        if self.closes && open && self.given == self.total {
            reactions.push(self.stream.close(now).unwrap());
        }
    }
}
