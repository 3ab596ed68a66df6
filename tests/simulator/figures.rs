//! What many exchanges come to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use tcpshake::record::{Ending, Outcome};
use tcpshake::tcp::State;

use crate::exchange::Exchange;

/// Verdicts, times, and which parts of the machine were seen.
#[derive(Default)]
pub struct Figures {
    verdicts: BTreeMap<String, usize>,
    /// How long those took that were completed.
    times: Vec<Duration>,
    visited: BTreeMap<&'static str, usize>,
    packets: usize,
}

impl Figures {
    /// What the exchanges of these seeds come to, shared among the processors.
    pub fn of(seeds: Range<u64>, exchange: impl Fn(u64) -> Exchange + Sync) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = |first: usize| {
            let mut figures = Self::default();
            seeds.clone().skip(first).step_by(threads).for_each(|seed| figures.add(&exchange(seed)));
            figures
        };
        thread::scope(|scope| {
            let shares: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
            let shares =
                shares.into_iter().map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic)));
            shares.fold(Self::default(), Self::join)
        })
    }

    fn add(&mut self, exchange: &Exchange) {
        let outcome = &exchange.summary.outcome;
        *self.verdicts.entry(outcome.to_string()).or_default() += 1;
        if *outcome == Outcome::Completed(Ending::Closed) {
            self.times.push(exchange.took);
        }
        for state in &exchange.visited {
            *self.visited.entry(state.name()).or_default() += 1;
        }
        self.packets += exchange.log.packets.len();
    }

    fn join(mut self, other: Self) -> Self {
        let add = |all: &mut BTreeMap<_, _>, more| {
            for (key, count) in more {
                *all.entry(key).or_default() += count;
            }
        };
        add(&mut self.verdicts, other.verdicts);
        other.visited.into_iter().for_each(|(state, count)| *self.visited.entry(state).or_default() += count);
        self.times.extend(other.times);
        self.packets += other.packets;
        self
    }

    pub fn exchanges(&self) -> usize {
        self.verdicts.values().sum()
    }

    /// Every way to open and to close was taken: no state but CLOSED begins and none is left out.
    #[track_caller]
    pub fn assert_all_states_visited(&self) {
        let missing: Vec<_> =
            State::ALL.into_iter().filter(|state| !self.visited.contains_key(state.name())).collect();
        assert_eq!(missing, [], "never entered");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, completed) = (self.exchanges().max(1), self.times.len());
        let percent = |part: usize| part as f64 * 100.0 / all as f64;
        let mut times = self.times.clone();
        times.sort();
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
        writeln!(
            f,
            "{all} exchanges, {completed} completed ({:.2} %) in {:.1} s at the median, {:.1} s at the 99th \
             percentile; {} packets at both ends",
            percent(completed),
            at(0.5).as_secs_f64(),
            at(0.99).as_secs_f64(),
            self.packets
        )?;
        for (verdict, count) in &self.verdicts {
            writeln!(f, "{count:8} ({:6.2} %) {verdict}", percent(*count))?;
        }
        Ok(())
    }
}
