//! Every rule decides something and every arrow is walked: by the segments of the matrix, by the calls and timers of
//! its connections, and by a few streams. Who adds a rule or an arrow adds what reaches it.

use std::collections::HashSet;
use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use tcpshake::tcp::{
    Arrow, Clause, Nagle, Offer, Opt, Origin, Parameters, Reaction, SeqNum, Stream, Tcb, WindowSize,
};
use tcpshake::time::Instant;

use crate::coverage::sources::{files, root};
use crate::matrix::subjects;
use crate::support::*;

const ZERO: Placement = Placement { iss: SeqNum(0), irs: SeqNum(0) };

#[derive(Default)]
struct Reached {
    clauses: HashSet<Clause>,
    arrows: HashSet<Arrow>,
}

impl Reached {
    fn note(&mut self, reaction: &Reaction) {
        self.clauses.insert(reaction.clause);
        self.arrows.extend(reaction.arrows.iter());
    }
}

/// The matrix at one placement, and more challenges than are answered.
fn by_segments(reached: &mut Reached) {
    for subject in subjects() {
        let rig = (subject.build)(ZERO);
        for segment in subject.segments(&rig) {
            reached.note(&{ rig }.tcb.on_segment(&segment, rig.now));
        }
    }
    let mut rig = established(ZERO);
    for _ in 0..20 {
        let challenged = rst(2).segment();
        reached.note(&rig.tcb.on_segment(&challenged, rig.now));
    }
}

/// Each call in each state, also behind text that waits there.
fn by_calls(reached: &mut Reached) {
    type Call = fn(&mut Tcb, Instant) -> Option<Reaction>;
    const CALLS: [Call; 6] = [
        |tcb, now| tcb.open(Origin::Passive, SeqNum(0), now).ok(),
        |tcb, now| tcb.open(Origin::Active, SeqNum(0), now).ok(),
        |tcb, now| tcb.send(1, now).ok(),
        |tcb, now| tcb.close(now).ok(),
        |tcb, _| tcb.abort().ok(),
        |tcb, _| tcb.on_user_timeout(),
    ];
    for subject in subjects() {
        for (first, second) in CALLS.iter().flat_map(|first| CALLS.iter().map(move |second| (first, second)))
        {
            let mut rig = (subject.build)(ZERO);
            for call in [first, second] {
                if let Some(reaction) = call(&mut rig.tcb, rig.now) {
                    reached.note(&reaction);
                }
            }
        }
    }
}

/// In each state, the timers until none is left.
fn by_timers(reached: &mut Reached) {
    let windows = [Some(ack(1, 1).win(0)), None];
    for (subject, closes) in subjects().flat_map(|subject| windows.map(move |closes| (subject, closes))) {
        let mut rig = (subject.build)(ZERO);
        if let Some(event) = closes {
            let _ = rig.tcb.on_segment(&event.segment(), rig.now);
            let _ = rig.tcb.send(1, rig.now);
        }
        while let Some(deadline) = rig.tcb.deadline() {
            reached.note(&rig.tcb.on_timeout(deadline.at).expect("it is due"));
        }
    }
}

/// A stream at whose other end the test speaks.
struct Line<'r> {
    stream: Stream,
    now: Instant,
    reached: &'r mut Reached,
}

impl<'r> Line<'r> {
    /// Open, with a round trip of a tenth of a second and windows of 2000 octets.
    fn open(reached: &'r mut Reached, offer: Offer, options: &[Opt<'_>]) -> Self {
        let parameters = Parameters { offer, window: WindowSize::new(2000), ..Parameters::default() };
        let mut line = Self { stream: Stream::new(&parameters, Nagle::On), now: Instant::ORIGIN, reached };
        let opened = line.stream.open(Origin::Active, SeqNum(0), &[], line.now);
        line.reached.note(&opened.expect("a new stream opens"));
        line.now += Duration::from_millis(100);
        line.hears(syn_ack(0, 1).win(2000).opt(options));
        line
    }

    fn drain(&mut self) {
        while let Some(more) = self.stream.transmit(self.now) {
            self.reached.note(&more);
        }
    }

    fn hears(&mut self, event: Event) {
        let segment = event.segment();
        let text = vec![0; segment.text_len as usize];
        self.reached.note(&self.stream.on_segment(&segment, &text, self.now));
        self.drain();
    }

    fn says(&mut self, octets: usize) {
        let said = self.stream.send(&vec![0; octets], self.now);
        self.reached.note(&said.expect("there is room"));
        self.drain();
    }

    /// The timer that runs fires.
    fn waits(&mut self) {
        self.now = self.stream.tcb().deadline().expect("a timer runs").at;
        self.reached.note(&self.stream.on_timeout(self.now).expect("it is due"));
        self.drain();
    }

    fn reads(&mut self) {
        let unread = self.stream.unread().len();
        if let Some(update) = self.stream.read(unread, self.now) {
            self.reached.note(&update);
        }
    }
}

/// What only a stream does: recovery, reassembly, a window that closes, timestamps.
fn by_streams(reached: &mut Reached) {
    const MSS: Opt<'static> = Opt::Mss(100);
    let mut lost = Line::open(reached, Offer::MSS, &[MSS]);
    lost.says(1000);
    (0..3).for_each(|_| lost.hears(ack(1, 1).win(2000)));
    lost.hears(ack(1, 101).win(2000));

    let mut tail = Line::open(reached, Offer::MSS, &[MSS]);
    tail.says(300);
    tail.waits();

    let mut small = Line::open(reached, Offer::MSS, &[MSS]);
    small.hears(ack(1, 1).win(5));
    small.says(100);
    small.waits();

    let mut gap = Line::open(reached, Offer::MSS, &[]);
    gap.hears(ack(11, 1).text(10));
    gap.hears(ack(1, 1).text(10));
    gap.hears(fin(31, 1));

    let mut slow = Line::open(reached, Offer::MSS, &[]);
    slow.hears(ack(1, 1).text(1000));
    slow.hears(ack(1001, 1).text(1000)); // the first is not read yet: the window shrinks
    slow.reads();

    let clock = |value| Opt::Timestamps { value, echo: 0 };
    let mut stamped = Line::open(reached, Offer::TIMESTAMPS, &[clock(1000)]);
    stamped.hears(ack(1, 1));
    stamped.hears(ack(1, 1).opt(&[clock(999)]));
}

/// What only a driver can reach, which has packets and clients, a test of the drivers asserts by name: `clause …` in a
/// dialogue, `Clause::…` or `"…"` elsewhere.
fn is_asserted_by_drivers(rule: Clause) -> bool {
    static TESTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let folders = ["driver", "netns", "dialogues"].map(|folder| root().join("tests").join(folder));
        folders
            .iter()
            .flat_map(|folder| files(folder))
            .filter_map(|file| fs::read_to_string(file).ok())
            .collect()
    });
    let asserted = Regex::new(&format!(r#"(\bclause |\bC(lause)?::|"){}\b"#, rule.name())).unwrap();
    TESTS.iter().any(|text| asserted.is_match(text))
}

/// Every rule of `Clause` and every arrow of the table.
#[test]
fn every_clause_decides_and_every_arrow_is_walked() {
    let mut reached = Reached::default();
    by_segments(&mut reached);
    by_calls(&mut reached);
    by_timers(&mut reached);
    by_streams(&mut reached);
    let unreached = Clause::ALL.iter().filter(|rule| !reached.clauses.contains(rule));
    let rules: Vec<_> = unreached.filter(|rule| !is_asserted_by_drivers(**rule)).collect();
    assert!(rules.is_empty(), "rules that nothing reaches: {rules:?}");
    let arrows: Vec<_> = Arrow::LEGAL.iter().filter(|arrow| !reached.arrows.contains(arrow)).collect();
    assert!(arrows.is_empty(), "arrows that nothing walks: {arrows:?}");
}
