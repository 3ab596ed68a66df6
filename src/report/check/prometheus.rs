//! Prometheus' text format 0.0.4, for the textfile collector of node_exporter.
//!
//! Each run replaces the file, and no number goes on from the run before: all are gauges but the histogram.

use std::io::{self, Write};

use super::{Closing, Findings, words};
use crate::record::check::{Finding, Plan, Spread, Summary, Verdict};

/// Writes metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prometheus;

/// Upper bounds of the histogram's buckets, in microseconds.
const BOUNDS: [u64; 16] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

fn header(out: &mut dyn Write, name: &str, kind: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# HELP tcpshake_check_{name} {help}")?;
    writeln!(out, "# TYPE tcpshake_check_{name} {kind}")
}

/// A label's value. Line feeds are gone already.
fn label(text: &str) -> String {
    words::line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// Exact, however large: no float stands between.
fn seconds(micros: u128) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// One metric of all targets that have it.
fn each(
    findings: &dyn Findings,
    out: &mut dyn Write,
    (name, help): (&str, &str),
    value: fn(&Finding) -> Option<String>,
) -> io::Result<()> {
    header(out, name, "gauge", help)?;
    findings.each(&mut |finding| {
        let Some(value) = value(finding) else { return Ok(()) };
        writeln!(out, "tcpshake_check_{name}{{target=\"{}\"}} {value}", label(&finding.target))
    })
}

fn round_trip(finding: &Finding, of: fn(Spread) -> u64) -> Option<String> {
    let nanos = of(finding.totals.rtt?);
    Some(format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000))
}

fn met(finding: &Finding) -> Option<String> {
    match finding.verdict {
        Verdict::Met => Some("1".to_owned()),
        Verdict::Unmet => Some("0".to_owned()),
        Verdict::NotChecked => None,
    }
}

fn targets(findings: &dyn Findings, out: &mut dyn Write) -> io::Result<()> {
    let of = "Round trips of a target's opens, the";
    each(
        findings,
        out,
        ("target_met", "Whether a target is as expected; absent if it was not checked."),
        met,
    )?;
    each(findings, out, ("target_rtt_min_seconds", &format!("{of} least.")), |finding| {
        round_trip(finding, |rtt| rtt.min_ns)
    })?;
    each(findings, out, ("target_rtt_avg_seconds", &format!("{of} mean.")), |finding| {
        round_trip(finding, |rtt| rtt.avg_ns)
    })?;
    each(findings, out, ("target_rtt_max_seconds", &format!("{of} most.")), |finding| {
        round_trip(finding, |rtt| rtt.max_ns)
    })?;
    header(out, "target_exchanges", "gauge", "Exchanges with a target in this run, by how they ended.")?;
    findings.each(&mut |finding| {
        let target = label(&finding.target);
        finding.totals.ends.all().iter().try_for_each(|(end, count)| {
            writeln!(out, "tcpshake_check_target_exchanges{{target=\"{target}\",end=\"{end}\"}} {count}")
        })
    })
}

fn run(plan: &Plan, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let verdicts = [
        (Verdict::Met, summary.met),
        (Verdict::Unmet, summary.unmet),
        (Verdict::NotChecked, summary.not_checked),
    ];
    header(out, "targets", "gauge", "Targets of the last run, by verdict.")?;
    verdicts.iter().try_for_each(|(verdict, count)| {
        writeln!(out, "tcpshake_check_targets{{verdict=\"{}\"}} {count}", verdict.name())
    })?;
    header(out, "exchanges", "gauge", "Exchanges of the last run, by how they ended.")?;
    words::ends(summary)
        .iter()
        .try_for_each(|(end, count)| writeln!(out, "tcpshake_check_exchanges{{end=\"{end}\"}} {count}"))?;
    let duration = seconds(summary.duration.as_micros());
    for (name, help, value) in [
        ("retransmissions", "Segments sent again in the last run.", summary.retransmissions.to_string()),
        (
            "packets_lost",
            "Packets lost on this machine, not read fast enough.",
            summary.packets_lost.to_string(),
        ),
        ("rate_lowered", "How often the rate was lowered because of that.", summary.backed_off.to_string()),
        (
            "kernel_resets",
            "RSTs of this machine's kernel that no guard held back.",
            summary.kernel_resets.to_string(),
        ),
        (
            "interrupted",
            "Whether a signal ended the last run.",
            u8::from(summary.signal.is_some()).to_string(),
        ),
        ("duration_seconds", "From the first SYN of the last run to its last verdict.", duration),
        ("last_run_timestamp_seconds", "When the last run began, since 1970.", plan.unix_seconds.to_string()),
    ] {
        header(out, name, "gauge", help)?;
        writeln!(out, "tcpshake_check_{name} {value}")?;
    }
    Ok(())
}

fn histogram(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    const NAME: &str = "tcpshake_check_round_trip_seconds";
    let trips = || summary.round_trips.iter().map(|&(micros, count)| (micros, u128::from(count)));
    let within = |bound| trips().filter(|(micros, _)| *micros <= bound).map(|(_, count)| count).sum::<u128>();
    header(
        out,
        "round_trip_seconds",
        "histogram",
        "Round trips of the last run's opens that needed one SYN.",
    )?;
    for bound in BOUNDS {
        let le = bound as f64 / 1e6;
        writeln!(out, "{NAME}_bucket{{le=\"{le:?}\"}} {}", within(bound))?;
    }
    let count = within(u64::MAX);
    let sum = seconds(
        trips().map(|(micros, count)| u128::from(micros).saturating_mul(count)).fold(0, u128::saturating_add),
    );
    writeln!(out, "{NAME}_bucket{{le=\"+Inf\"}} {count}")?;
    writeln!(out, "{NAME}_sum {sum}")?;
    writeln!(out, "{NAME}_count {count}")
}

impl Closing for Prometheus {
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        run(plan, summary, out)?;
        histogram(summary, out)?;
        targets(findings, out)
    }
}

#[cfg(test)]
mod promtool;

#[cfg(test)]
mod tests {
    use super::promtool::{Families, read};
    use super::*;
    use crate::report::check::fixture;

    fn text(summary: &Summary, findings: &[Finding]) -> String {
        fixture::closing(&Prometheus, &fixture::plan(), summary, findings)
    }

    fn families(summary: &Summary, findings: &[Finding]) -> Families {
        read(&text(summary, findings)).unwrap()
    }

    #[test]
    fn the_metrics_of_a_target() {
        let text = text(&fixture::summary(), &fixture::findings());
        let expected = r#"# HELP tcpshake_check_target_met Whether a target is as expected; absent if it was not checked.
# TYPE tcpshake_check_target_met gauge
tcpshake_check_target_met{target="192.0.2.1:443"} 1
tcpshake_check_target_met{target="db.example:22"} 0
# HELP tcpshake_check_target_rtt_min_seconds Round trips of a target's opens, the least.
# TYPE tcpshake_check_target_rtt_min_seconds gauge
tcpshake_check_target_rtt_min_seconds{target="192.0.2.1:443"} 0.000120400
# HELP tcpshake_check_target_rtt_avg_seconds Round trips of a target's opens, the mean.
# TYPE tcpshake_check_target_rtt_avg_seconds gauge
tcpshake_check_target_rtt_avg_seconds{target="192.0.2.1:443"} 0.000185000
# HELP tcpshake_check_target_rtt_max_seconds Round trips of a target's opens, the most.
# TYPE tcpshake_check_target_rtt_max_seconds gauge
tcpshake_check_target_rtt_max_seconds{target="192.0.2.1:443"} 0.000250100
# HELP tcpshake_check_target_exchanges Exchanges with a target in this run, by how they ended.
# TYPE tcpshake_check_target_exchanges gauge
tcpshake_check_target_exchanges{target="192.0.2.1:443",end="completed"} 2
"#;
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn the_metrics_of_a_run() {
        let text = text(&fixture::summary(), &[]);
        for line in [
            "tcpshake_check_targets{verdict=\"unmet\"} 1",
            "tcpshake_check_exchanges{end=\"refused\"} 2",
            "tcpshake_check_exchanges{end=\"silent\"} 0",
            "tcpshake_check_duration_seconds 1.234567",
            "tcpshake_check_last_run_timestamp_seconds 1767323045",
            "tcpshake_check_round_trip_seconds_bucket{le=\"0.0001\"} 0",
            "tcpshake_check_round_trip_seconds_bucket{le=\"0.00025\"} 2",
            "tcpshake_check_round_trip_seconds_bucket{le=\"1.0\"} 2",
            "tcpshake_check_round_trip_seconds_bucket{le=\"+Inf\"} 2",
            "tcpshake_check_round_trip_seconds_sum 0.000370",
            "tcpshake_check_round_trip_seconds_count 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_is_written_is_valid() {
        for findings in [fixture::findings(), fixture::hostile(), fixture::many(50), Vec::new()] {
            families(&fixture::summed(&findings), &findings);
        }
        families(&fixture::interrupted(), &[fixture::met()]);
    }

    #[test]
    fn no_targets_are_valid_and_their_run_is_told() {
        let text = fixture::closing(&Prometheus, &Plan::default(), &Summary::default(), &[]);
        let families = read(&text).unwrap();
        assert_eq!(families.value("tcpshake_check_targets", &[("verdict", "met")]), Some(0.0));
    }

    #[test]
    fn a_round_trip_beyond_all_bounds_is_in_the_last_bucket_only() {
        let summary = Summary { round_trips: vec![(100, 1), (u64::MAX, 2)], ..fixture::summary() };
        let families = families(&summary, &[]);
        let bucket = |le| families.value("tcpshake_check_round_trip_seconds_bucket", &[("le", le)]);
        assert_eq!([bucket("0.0001"), bucket("10.0"), bucket("+Inf")], [1.0, 1.0, 3.0].map(Some));
    }

    #[test]
    fn a_label_is_read_back_as_it_was() {
        let findings = fixture::hostile();
        let text = text(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&text);
        let target = words::line(fixture::HOSTILE);
        assert_eq!(
            read(&text).unwrap().value("tcpshake_check_target_met", &[("target", &target)]),
            Some(0.0)
        );
    }
}
