//! The closing lines: the verdict, and what it took. All that `--quiet` prints.

use std::fmt::Write;

use super::text::{millis, short};
use super::{Format, text};
use crate::record::{Opening, Outcome, Statistics, Step, Summary, TimeWait};

/// Prints no rung, only how it ended.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    target: String,
}

/// The target as the user named it, with its address if that is something else.
pub fn target(opening: &Opening) -> String {
    match &opening.host {
        Some(host) => format!("{} ({})", text::clean(host), opening.remote),
        None => opening.remote.to_string(),
    }
}

/// Between facts on one line.
pub const DOT: &str = " · ";

/// What it took: only what there is to tell.
pub fn facts(summary: &Summary) -> Vec<String> {
    let mut facts = Vec::new();
    let times = [("open", summary.open_time), ("close", summary.close_time)];
    facts.extend(times.into_iter().filter_map(|(name, time)| Some(format!("{name} {} ms", millis(time?)))));
    for (octets, direction) in [(summary.text_sent, "sent"), (summary.text_received, "received")] {
        if octets > 0 {
            facts.push(format!("{octets} octets {direction}"));
        }
    }
    if summary.as_expected == Some(true) {
        facts.push("as expected".to_owned());
    }
    facts.push(format!("{} retransmitted", summary.retransmissions));
    facts.push(match summary.held_back {
        Some(answers) => format!("{answers} kernel answers held back"),
        None => "kernel answers not counted".to_owned(),
    });
    facts
}

/// What went wrong on this machine, whatever the verdict: told even where only one line is.
pub fn alarms(summary: &Summary) -> Vec<String> {
    let mut remarks = Vec::new();
    remarks.extend(summary.trouble.as_deref().map(text::clean));
    remarks.extend(unmet(summary));
    if let resets @ 1.. = summary.kernel_resets {
        remarks
            .push(format!("the kernel of this machine sent {resets} RST of its own: no guard held it back"));
    }
    if summary.packets_lost > 0 {
        remarks.push(format!(
            "{} packets were lost on this machine, not read fast enough: steps may be missing",
            summary.packets_lost
        ));
    }
    if summary.guard_lost {
        remarks.push("the guard was taken away meanwhile (a firewall reload?): nothing held the kernel back from then on (see: tcpshake guard status)".to_owned());
    }
    remarks
}

/// What was expected and did not come, if the connection was open at all.
fn unmet(summary: &Summary) -> Option<String> {
    let expected = summary.expected.as_deref().filter(|_| summary.as_expected == Some(false))?;
    summary.open_time?;
    Some(match summary.text_received {
        0 => format!("expected '{}', and nothing came", text::clean(expected)),
        _ => format!("expected '{}', which is not in what came", text::clean(expected)),
    })
}

/// Things the reader should know beyond the verdict, a line each.
pub fn remarks(summary: &Summary) -> Vec<String> {
    let mut remarks = alarms(summary);
    if let (Outcome::Silent { heard: false }, Some(segments @ 1..)) = (&summary.outcome, summary.held_back) {
        remarks.push(format!(
            "{segments} segments reached our port all the same: answers by another interface than the route's, perhaps (--interface chooses one)"
        ));
    }
    if let Some(error) = &summary.noted {
        remarks.push(format!("noted on the way: {error}"));
    }
    if let Some(TimeWait { full, kept }) = summary.time_wait {
        remarks.push(format!("TIME-WAIT shortened from {} (2 MSL) to {}", short(full), short(kept)));
    }
    remarks
}

/// Ping's closing lines, for exchanges.
pub fn statistics(target: &str, statistics: &Statistics, out: &mut String) {
    let Statistics { exchanges, completed, retransmissions, .. } = statistics;
    let failed = statistics.failed_percent();
    let _ = writeln!(out, "--- {target} tcpshake statistics ---");
    let _ = writeln!(
        out,
        "{exchanges} exchanges, {completed} completed, {failed:.0}% failed, {retransmissions} segments retransmitted"
    );
    if let Some(trips) = statistics.round_trips() {
        let [min, avg, max, mdev] = [trips.min, trips.avg, trips.max, trips.mdev].map(millis);
        let _ = writeln!(out, "rtt min/avg/max/mdev = {min}/{avg}/{max}/{mdev} ms");
    }
}

impl Format for Verdict {
    fn begin(&mut self, opening: &Opening, _out: &mut String) {
        self.target = target(opening);
    }

    fn step(&mut self, _step: &Step, _out: &mut String) {}

    fn end(&mut self, summary: &Summary, out: &mut String) {
        let facts = [facts(summary), alarms(summary)].concat().join(DOT);
        let _ = writeln!(out, "{}: {}{DOT}{facts}", self.target, summary.outcome);
    }

    fn statistics(&mut self, run: &Statistics, out: &mut String) {
        statistics(&self.target, run, out);
    }

    fn failed(&mut self, _error: &str, _out: &mut String) {}
}
