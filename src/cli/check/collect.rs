//! From exchanges to findings: what is known of a target once all its exchanges are over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::dispatch::Shared;
use super::news::{Exchanged, News, Unreached};
use crate::driver::fleet::Done;
use crate::driver::fleet::replay::{Recorded, replay};
use crate::driver::observe::Observer;
use crate::record::check::{Announced, Finding, Spread, Summary, Totals, Verdict};
use crate::record::expectation::{Expectations, PeerOption};
use crate::record::{Opening, Outcome, Step};
use crate::report::Format;
use crate::report::ladder::{Ladder, Style};
use crate::tcp::{Mss, Offer};

/// Puts findings together.
pub(super) struct Collector {
    shared: Arc<Shared>,
    /// Targets with exchanges still to come.
    begun: HashMap<u32, Begun>,
    pub(super) tally: Tally,
}

/// A target some of whose exchanges are over.
#[derive(Default)]
struct Begun {
    finding: Finding,
    /// The sum of round trips, in nanoseconds.
    rtt_sum: u64,
}

impl Collector {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, begun: HashMap::new(), tally: Tally::default() }
    }

    /// Takes news; yields the finding if they complete one.
    pub(super) fn take(&mut self, news: News) -> Option<Finding> {
        match news {
            News::Exchange(exchanged) => self.exchanged(exchanged),
            News::Unreached { target, why } => Some(self.unreached(target, why)),
        }
    }

    fn exchanged(&mut self, exchanged: Exchanged) -> Option<Finding> {
        self.tally.add_exchange(&exchanged);
        let target = exchanged.target;
        let Begun { finding, rtt_sum } = self.begun.entry(target).or_default();
        let is_interrupted = matches!(exchanged.outcome, Outcome::Interrupted(_));
        add(&mut finding.totals, rtt_sum, &exchanged);
        finding.address = Some(exchanged.remote);
        if let Some(failed) = exchanged.failed.filter(|_| !is_interrupted && finding.reason.is_none()) {
            let (why, recorded) = *failed;
            finding.reason = Some(why);
            finding.ladder = ladder(&recorded);
        }
        if finding.totals.exchanges < self.shared.count {
            return None;
        }
        let begun = self.begun.remove(&target)?;
        Some(self.judged(target, begun.finding))
    }

    /// The verdict on a target that has had all its exchanges, or as many as there was time for.
    fn judged(&mut self, target: u32, finding: Finding) -> Finding {
        let expectations = self.expectations(target);
        let asked_for = self.shared.count - finding.totals.ends.interrupted;
        let reason = finding.reason.or_else(|| expectations.judge(&finding.totals).err());
        let verdict = match &reason {
            _ if finding.totals.ends.interrupted > 0 && asked_for < self.shared.count => Verdict::NotChecked,
            Some(_) => Verdict::Unmet,
            None => Verdict::Met,
        };
        let finding = Finding { verdict, reason, ..finding };
        self.named(target, &expectations, finding)
    }

    fn unreached(&mut self, target: u32, why: Unreached) -> Finding {
        let expectations = self.expectations(target);
        let mut finding = Finding::default();
        (finding.verdict, finding.reason) = match why {
            Unreached::Unresolved(why) => (Verdict::Unmet, Some(why)),
            Unreached::Excluded => {
                (Verdict::NotChecked, Some("its address is on the exclude list".to_owned()))
            }
            Unreached::NoWay(why) => {
                finding.totals.exchanges = 1;
                finding.totals.ends.unreachable = 1;
                self.tally.exchanges += 1;
                self.tally.unreachable += 1;
                let wanted = expectations.iter().any(|one| one.to_string() == "unreachable");
                (if wanted { Verdict::Met } else { Verdict::Unmet }, (!wanted).then_some(why))
            }
        };
        self.named(target, &expectations, finding)
    }

    fn named(&mut self, target: u32, expectations: &Expectations, finding: Finding) -> Finding {
        let finding = Finding {
            target: self.shared.list.label(target).unwrap_or_default(),
            expected: expectations.names(),
            ..finding
        };
        self.tally.add_finding(finding.verdict);
        finding
    }

    fn expectations(&self, target: u32) -> Expectations {
        let list = &self.shared.list;
        let set = list.get(target).map_or(0, |entry| entry.expectations);
        list.expectations().get(usize::from(set)).cloned().unwrap_or_default()
    }

    /// Those that were begun and not completed before the end, and those never begun.
    pub(super) fn rest(&mut self, known: &[bool], mut tell: impl FnMut(Finding)) {
        const ENDED: &str = "the check ended before";
        for target in (0..self.shared.list.len()).zip(known).filter(|(_, known)| !**known).map(|(n, _)| n) {
            let begun = self.begun.remove(&target).unwrap_or_default();
            let expectations = self.expectations(target);
            let (verdict, reason) = match begun.finding.reason {
                Some(why) => (Verdict::Unmet, why),
                None => (Verdict::NotChecked, ENDED.to_owned()),
            };
            let finding = Finding { verdict, reason: Some(reason), ..begun.finding };
            tell(self.named(target, &expectations, finding));
        }
    }
}

fn add(totals: &mut Totals, rtt_sum: &mut u64, exchanged: &Exchanged) {
    totals.exchanges += 1;
    totals.ends.add(&exchanged.outcome);
    totals.syns += exchanged.syns;
    totals.syns_lost += exchanged.syns_lost;
    totals.retransmissions += exchanged.retransmissions;
    if let Some(rtt) = exchanged.rtt {
        let nanos = rtt.as_nanos() as u64;
        *rtt_sum += nanos;
        let spread = totals.rtt.get_or_insert(Spread { min_ns: u64::MAX, ..Spread::default() });
        spread.count += 1;
        spread.min_ns = spread.min_ns.min(nanos);
        spread.max_ns = spread.max_ns.max(nanos);
        spread.avg_ns = *rtt_sum / u64::from(spread.count);
    }
    if totals.announced.is_none() {
        totals.announced = exchanged.announced.map(|(mss, offer)| announced(mss, offer));
    }
    if !exchanged.text.is_empty() {
        totals.banner = Some(exchanged.text.escape_ascii().to_string());
    }
}

fn announced(mss: Option<Mss>, offer: Offer) -> Announced {
    let bit = |option: &PeerOption| match option {
        PeerOption::Mss => Offer::MSS,
        PeerOption::Sack => Offer::SACK,
        PeerOption::WindowScale => Offer::WINDOW_SCALE,
        PeerOption::Timestamps => Offer::TIMESTAMPS,
        PeerOption::Ecn => Offer::ECN,
    };
    let options = PeerOption::ALL.iter().filter(|option| offer.has(bit(option)));
    Announced { mss: mss.map(Mss::get), options: options.map(|option| option.name().to_owned()).collect() }
}

/// The steps of an exchange, drawn.
fn ladder(recorded: &Recorded) -> Vec<String> {
    let mut drawn = Drawn { ladder: Ladder::new(Style::default()), text: String::new() };
    replay(recorded, &mut drawn);
    let mut lines: Vec<String> = drawn.text.lines().map(str::to_owned).collect();
    if recorded.kept.incomplete {
        lines.push("(more happened than was kept)".to_owned());
    }
    lines
}

struct Drawn {
    ladder: Ladder,
    text: String,
}

impl Observer for Drawn {
    fn begin(&mut self, opening: &Opening) {
        self.ladder.begin(opening, &mut self.text);
    }

    fn step(&mut self, step: &Step) {
        self.ladder.step(step, &mut self.text);
    }

    fn end(&mut self, _summary: &crate::record::Summary) {}
}

/// What the whole run has come to so far.
#[derive(Default)]
pub(in crate::cli) struct Tally {
    met: u64,
    unmet: u64,
    not_checked: u64,
    exchanges: u64,
    ends: crate::record::check::Ends,
    unreachable: u64,
    retransmissions: u64,
    round_trips: Option<Histogram<u64>>,
}

impl Tally {
    /// Targets that are done.
    pub(super) const fn done(&self) -> u64 {
        self.met + self.unmet + self.not_checked
    }

    pub(super) const fn met(&self) -> u64 {
        self.met
    }

    pub(super) const fn unmet(&self) -> u64 {
        self.unmet
    }

    fn add_exchange(&mut self, exchanged: &Exchanged) {
        self.exchanges += 1;
        self.ends.add(&exchanged.outcome);
        self.retransmissions += u64::from(exchanged.retransmissions);
        if let Some(rtt) = exchanged.rtt {
            self.add_round_trips(rtt.as_micros() as u64, 1);
        }
    }

    pub(in crate::cli) fn add_round_trips(&mut self, micros: u64, count: u64) {
        const DIGITS: u8 = 3;
        if self.round_trips.is_none() {
            self.round_trips = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.round_trips {
            let _ = histogram.record_n(micros, count); // it grows to whatever comes
        }
    }

    pub(super) const fn add_finding(&mut self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Met => &mut self.met,
            Verdict::Unmet => &mut self.unmet,
            Verdict::NotChecked => &mut self.not_checked,
        };
        *counter += 1;
    }

    /// A finding whose exchanges were made by an earlier run.
    pub(in crate::cli) fn add_known(&mut self, finding: &Finding) {
        self.add_finding(finding.verdict);
        let totals = &finding.totals;
        self.exchanges += u64::from(totals.exchanges);
        self.retransmissions += u64::from(totals.retransmissions);
        self.ends.add_all(&totals.ends);
    }

    /// Round trips of which only the mean is known.
    pub(in crate::cli) fn add_mean_round_trip(&mut self, finding: &Finding) {
        if let Some(spread) = finding.totals.rtt {
            self.add_round_trips(spread.avg_ns / 1_000, u64::from(spread.count));
        }
    }

    /// All of it, with what the threads that made the exchanges say.
    pub(in crate::cli) fn summary(&self, done: &Done) -> Summary {
        let mut ends: std::collections::BTreeMap<String, u64> =
            self.ends.all().into_iter().map(|(name, count)| (name.to_owned(), u64::from(count))).collect();
        if let Some(count) = ends.get_mut("unreachable") {
            *count += self.unreachable;
        }
        ends.retain(|_, count| *count > 0);
        let histogram = self.round_trips.iter().flat_map(|histogram| histogram.iter_recorded());
        Summary {
            met: self.met,
            unmet: self.unmet,
            not_checked: self.not_checked,
            exchanges: self.exchanges,
            ends,
            retransmissions: self.retransmissions,
            duration: done.duration.max(Duration::from_micros(1)),
            round_trips: histogram.map(|at| (at.value_iterated_to(), at.count_at_value())).collect(),
            packets_lost: done.packets_lost,
            backed_off: done.backed_off,
            kernel_resets: done.kernel_resets,
            signal: done.signal.map(|signal| signal.to_string()),
        }
    }
}
