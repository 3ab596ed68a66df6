//! The closing lines: the verdict, and what it took. All that `--quiet` prints.

use std::collections::HashMap;
use std::fmt::Write;

use super::text::{millis, short};
use super::{Format, connections, text};
use crate::record::connection::Connection;
use crate::record::{Among, Opening, Outcome, Role, Served, Statistics, Step, Summary, TimeWait};

/// Prints no rung, only how it ended.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    target: String,
    /// Clients whose connections are not over.
    clients: HashMap<u32, String>,
}

/// The target as the user named it, with its address if that is something else.
pub fn target(opening: &Opening) -> String {
    match &opening.host {
        Some(host) => format!("{} ({}{})", text::clean(host), opening.remote, among(opening)),
        None => opening.remote.to_string(),
    }
}

/// From where to where.
pub fn title(opening: &Opening) -> String {
    match opening.role {
        Role::Active => format!("{} → {}", opening.local, target(opening)),
        Role::Passive => format!("{} → {}", opening.remote, opening.local),
    }
}

/// Which of several addresses it is.
fn among(opening: &Opening) -> String {
    let family = if opening.remote.is_ipv4() { "IPv4" } else { "IPv6" };
    let which = |Among { number, of }| format!(", {family}, address {number} of {of}");
    opening.among.map(which).unwrap_or_default()
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
    facts.push(held_back(summary.held_back));
    facts
}

/// What one connection of many took: the guard counts for all of them together.
pub(super) fn facts_of_one(summary: &Summary) -> Vec<String> {
    let mut facts = facts(summary);
    facts.pop();
    facts.extend(alarms(summary));
    facts
}

/// A service's closing lines.
pub(super) fn served(served: &Served, out: &mut String) {
    let Served { connections, completed, unopened, retransmissions, .. } = served;
    let _ = writeln!(out, "--- tcpshake served ---");
    let _ = writeln!(
        out,
        "{connections} connections, {completed} completed, {unopened} never opened, {retransmissions} segments retransmitted"
    );
    let mut facts = Vec::new();
    for (octets, direction) in [(served.text_sent, "sent"), (served.text_received, "received")] {
        if octets > 0 {
            facts.push(format!("{octets} octets {direction}"));
        }
    }
    if served.cookies_sent > 0 {
        facts
            .push(format!("{} SYN cookies sent, {} came back", served.cookies_sent, served.cookies_returned));
    }
    if served.passed_over > 0 {
        facts.push(format!("{} SYNs passed over", served.passed_over));
    }
    if served.packets_lost > 0 || served.kernel_resets > 0 {
        facts.extend(alarms_of(served.kernel_resets, served.packets_lost, false));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "{}", text::fill(facts.iter().map(String::as_str), DOT, 80).join("\n"));
    }
}

pub(super) fn held_back(answers: Option<u32>) -> String {
    match answers {
        Some(answers) => format!("{answers} kernel answers held back"),
        None => "kernel answers not counted".to_owned(),
    }
}

/// What went wrong on this machine, whatever the verdict: told even where only one line is.
pub fn alarms(summary: &Summary) -> Vec<String> {
    let alarms = alarms_of(summary.kernel_resets, summary.packets_lost, summary.guard_lost);
    summary.trouble.as_deref().map(text::clean).into_iter().chain(unmet(summary)).chain(alarms).collect()
}

pub(super) fn alarms_of(kernel_resets: u32, packets_lost: u32, guard_lost: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    if kernel_resets > 0 {
        remarks.push(format!(
            "the kernel of this machine sent {kernel_resets} RST of its own: no guard held it back"
        ));
    }
    if packets_lost > 0 {
        remarks.push(format!(
            "{packets_lost} packets were lost on this machine, not read fast enough: steps may be missing"
        ));
    }
    if guard_lost {
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
    if let Some(TimeWait { full, kept }) = summary.time_wait.filter(|time| time.kept < time.full) {
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
        if opening.role == Role::Passive {
            self.clients.insert(opening.number, opening.remote.to_string());
        } else {
            self.target = target(opening);
        }
    }

    fn step(&mut self, _step: &Step, _out: &mut String) {}

    fn end(&mut self, summary: &Summary, out: &mut String) {
        if let Some(client) = self.clients.remove(&summary.exchange) {
            let facts = facts_of_one(summary).join(DOT);
            let _ = writeln!(out, "{client}: {}{DOT}{facts}", summary.outcome);
            return;
        }
        let facts = [facts(summary), alarms(summary)].concat().join(DOT);
        let _ = writeln!(out, "{}: {}{DOT}{facts}", self.target, summary.outcome);
    }

    fn connection(&mut self, connection: &Connection, out: &mut String) {
        let facts = connections::facts(connection).join(DOT);
        let _ = writeln!(out, "{} → {}: {facts}", connection.local, connection.remote);
    }

    fn statistics(&mut self, run: &Statistics, out: &mut String) {
        statistics(&self.target, run, out);
    }

    fn served(&mut self, service: &Served, out: &mut String) {
        served(service, out);
    }

    fn failed(&mut self, _error: &str, _out: &mut String) {}
}
