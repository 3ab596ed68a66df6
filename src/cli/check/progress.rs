//! What is said while a check runs: a bar on a terminal, a line now and then in a log.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::collect::Tally;
use crate::time::{Clock, Instant};

/// Tells on standard error how far the check is.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { targets: u64, clock: Clock, begun: Instant, next: Instant },
    Silent,
}

impl Progress {
    /// In a log nobody waits for the next line.
    const BETWEEN_LINES: Duration = Duration::from_secs(10);

    pub(super) fn start(targets: u64, quiet: bool) -> Self {
        let clock = Clock::new();
        if quiet {
            Self::Silent
        } else if io::stderr().is_terminal() {
            Self::Bar(bar(targets))
        } else {
            let begun = clock.now();
            Self::Lines { targets, clock, begun, next: begun + Self::BETWEEN_LINES }
        }
    }

    pub(super) fn tell(&mut self, tally: &Tally) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(tally.done());
                bar.set_message(outcomes(tally));
            }
            Self::Lines { targets, clock, begun, next } => {
                let now = clock.now();
                if now >= *next {
                    *next = now + Self::BETWEEN_LINES;
                    let seconds = (now - *begun).as_secs_f64();
                    let line = line(tally, *targets, seconds);
                    let _ = writeln!(io::stderr(), "tcpshake: {line}");
                }
            }
            Self::Silent => {}
        }
    }

    /// Gives the terminal back.
    pub(super) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn bar(targets: u64) -> ProgressBar {
    const TEMPLATE: &str = "{wide_bar} {pos}/{len} targets, {rate}/s, {eta} left  {msg}";
    const A_SECOND: u8 = 5; // more would only flicker
    let target = ProgressDrawTarget::stderr_with_hz(A_SECOND);
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{:.0}", state.per_sec()); // the bar's own has four digits behind the point
    };
    ProgressBar::with_draw_target(Some(targets), target).with_style(style.with_key("rate", rate))
}

fn outcomes(tally: &Tally) -> String {
    format!("{} as expected, {} not", tally.met(), tally.unmet())
}

/// `1000 of 5000 targets, 200/s, 20 s left: 998 as expected, 2 not`
fn line(tally: &Tally, targets: u64, seconds: f64) -> String {
    let done = tally.done();
    let rate = done as f64 / seconds.max(f64::MIN_POSITIVE);
    let left = targets.saturating_sub(done) as f64 / rate.max(f64::MIN_POSITIVE);
    let left = if done == 0 { String::new() } else { format!(", {left:.0} s left") };
    format!("{done} of {targets} targets, {rate:.0}/s{left}: {}", outcomes(tally))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::check::Verdict;

    #[test]
    fn a_line_tells_what_is_done_and_what_is_left() {
        let mut tally = Tally::default();
        assert_eq!(line(&tally, 100, 1.0), "0 of 100 targets, 0/s: 0 as expected, 0 not");
        (0..18).for_each(|_| tally.add_finding(Verdict::Met));
        (0..2).for_each(|_| tally.add_finding(Verdict::Unmet));
        assert_eq!(line(&tally, 100, 2.0), "20 of 100 targets, 10/s, 8 s left: 18 as expected, 2 not");
    }
}
