//! Two connections wired to each other, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use tcpshake::tcp::{Origin, Parameters, Reaction, Segment, State, Tcb};
use tcpshake::time::Instant;

use crate::support::{Placement, show};

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    A,
    B,
}
use End::{A, B};

impl End {
    pub const fn other(self) -> Self {
        match self {
            A => B,
            B => A,
        }
    }
}

/// How the wire treats the n-th segment (from 0) of an end: when each copy arrives.
pub type Wire = dyn FnMut(End, usize) -> Vec<Duration>;

/// One way, unless the wire says otherwise.
pub const LATENCY: Duration = Duration::from_millis(50);

pub struct World {
    pub now: Instant,
    pub ends: [Tcb; 2],
    /// A's numbers in `place.iss`, B's in `place.irs`.
    pub place: Placement,
    /// Octets handed to each end's user.
    pub taken: [u32; 2],
    /// What was sent, in order: `A S 0`.
    pub sent: Vec<String>,
    /// The states walked through.
    pub states: [Vec<State>; 2],
    counts: [usize; 2],
    flying: BTreeMap<(Instant, usize), (End, Segment)>,
    flown: usize,
    wire: Box<Wire>,
}

impl World {
    pub fn new(place: Placement, parameters: &Parameters) -> Self {
        Self {
            now: Instant::from_nanos(1_000_000_000),
            ends: [Tcb::new(parameters); 2],
            place,
            taken: [0; 2],
            sent: Vec::new(),
            states: [vec![State::Closed], vec![State::Closed]],
            counts: [0; 2],
            flying: BTreeMap::new(),
            flown: 0,
            wire: Box::new(|_, _| vec![LATENCY]),
        }
    }

    pub fn wire(mut self, wire: impl FnMut(End, usize) -> Vec<Duration> + 'static) -> Self {
        self.wire = Box::new(wire);
        self
    }

    /// The wire loses the `n`-th segment of `end`, counted from 0.
    pub fn losing(self, end: End, n: usize) -> Self {
        self.wire(move |from, at| if (from, at) == (end, n) { vec![] } else { vec![LATENCY] })
    }

    pub fn tcb(&mut self, end: End) -> &mut Tcb {
        &mut self.ends[end as usize]
    }

    pub fn state(&self) -> (State, State) {
        (self.ends[0].state(), self.ends[1].state())
    }

    /// One event at one end and all that follows from it there.
    #[track_caller]
    pub fn at<E: std::fmt::Debug>(
        &mut self,
        end: End,
        event: impl FnOnce(&mut Tcb, Instant) -> Result<Reaction, E>,
    ) {
        let now = self.now;
        let reaction = event(self.tcb(end), now).unwrap();
        self.carry_out(end, &reaction);
        while let Some(more) = self.tcb(end).transmit(now) {
            self.carry_out(end, &more);
        }
    }

    #[track_caller]
    pub fn open(&mut self, end: End, origin: Origin) {
        let iss = [self.place.iss, self.place.irs][end as usize];
        self.at(end, |tcb, now| tcb.open(origin, iss, now));
    }
    #[track_caller]
    pub fn close(&mut self, end: End) {
        self.at(end, Tcb::close);
    }
    #[track_caller]
    pub fn send(&mut self, end: End, octets: u32) {
        self.at(end, |tcb, now| tcb.send(octets, now));
    }

    fn carry_out(&mut self, end: End, reaction: &Reaction) {
        self.taken[end as usize] += reaction.text.len;
        for arrow in reaction.arrows.iter() {
            assert!(arrow.is_legal() && self.states[end as usize].last() == Some(&arrow.from), "{arrow}");
            self.states[end as usize].push(arrow.to);
        }
        let Some(segment) = reaction.segment else { return };
        let (iss, irs) = match end {
            A => (self.place.iss, self.place.irs),
            B => (self.place.irs, self.place.iss),
        };
        self.sent.push(format!("{end:?} {}", show(&segment, iss, irs)));
        let count = &mut self.counts[end as usize];
        for delay in (self.wire)(end, *count) {
            self.flying.insert((self.now + delay, self.flown), (end.other(), segment));
            self.flown += 1;
        }
        *count += 1;
    }

    /// Lets everything happen that is due within `span`.
    #[track_caller]
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        for _ in 0..200_000 {
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let timer = [A, B].into_iter().filter_map(|end| Some((self.tcb(end).deadline()?.at, end)));
            let timer = timer.collect::<Vec<_>>().into_iter().min_by_key(|(at, _)| *at);
            let next = [arrival, timer.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (end, segment)) = self.flying.pop_first().unwrap();
                self.at(end, |tcb, now| Ok::<_, ()>(tcb.on_segment(&segment, now)));
            } else if let Some((_, end)) = timer {
                self.at(end, |tcb, now| tcb.on_timeout(now).ok_or("the timer does not fire"));
            }
        }
        panic!("it never ends: {:?}", &self.sent[self.sent.len() - 20..]);
    }

    /// Runs until nothing is on its way, or a second has passed.
    #[track_caller]
    pub fn settle(&mut self) {
        self.run(Duration::from_millis(900));
    }

    /// What was sent since the last call.
    pub fn transcript(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }
}
