//! The Test Anything Protocol, version 14: a test point a target.
//!
//! The plan comes last, so that a file that was cut off has none and does not pass.

use std::io::{self, Write};

use super::{Stream, words};
use crate::record::check::{Finding, Plan, Summary, Verdict};

/// Writes test points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tap {
    points: u64,
}

/// A description or a directive's reason: a `#` in it begins no directive.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

/// A scalar of YAML; in double quotes it is that of JSON, and no text can leave it.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The block below a failed test point.
fn diagnostics(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  ---")?;
    writeln!(out, "  message: {}", scalar(&words::reason(finding)))?;
    writeln!(out, "  severity: fail")?;
    if let Some(address) = finding.address {
        writeln!(out, "  address: {}", scalar(&address.to_string()))?;
    }
    let expected = finding.expected.iter().map(|text| words::line(text));
    list("expected", expected, out)?;
    totals(finding, out)?;
    list("ladder", words::ladder(finding), out)?;
    writeln!(out, "  ...")
}

fn list(name: &str, items: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let mut items = items.peekable();
    let none = if items.peek().is_none() { " []" } else { "" };
    writeln!(out, "  {name}:{none}")?;
    items.try_for_each(|item| writeln!(out, "    - {}", scalar(&item)))
}

fn totals(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let totals = &finding.totals;
    writeln!(out, "  totals:\n    exchanges: {}", totals.exchanges)?;
    for (name, count) in totals.ends.all().into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "    {name}: {count}")?;
    }
    writeln!(out, "    syns-lost: {}\n    retransmissions: {}", totals.syns_lost, totals.retransmissions)?;
    if let Some(rtt) = totals.rtt {
        let ms = |ns| ns as f64 / 1e6;
        let (min, avg, max) = (ms(rtt.min_ns), ms(rtt.avg_ns), ms(rtt.max_ns));
        writeln!(out, "    rtt-ms: {{ min: {min:.3}, avg: {avg:.3}, max: {max:.3} }}")?;
    }
    if let Some(banner) = &totals.banner {
        writeln!(out, "    banner: {}", scalar(&words::line(banner)))?;
    }
    Ok(())
}

impl Stream for Tap {
    fn begin(&mut self, _plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
        self.points = 0;
        writeln!(out, "TAP version 14")
    }

    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        self.points += 1;
        let ok = if finding.verdict == Verdict::Unmet { "not ok" } else { "ok" };
        let (target, expected) = (words::target(finding), words::expected(finding));
        let name = escape(&format!("{target} {expected}"));
        write!(out, "{ok} {} - {}", self.points, name.trim_end())?;
        match finding.verdict {
            Verdict::Met => writeln!(out),
            Verdict::NotChecked => writeln!(out, " # SKIP {}", escape(&words::reason(finding))),
            Verdict::Unmet => {
                writeln!(out)?;
                diagnostics(finding, out)
            }
        }
    }

    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        for line in words::alarms(summary).into_iter().chain([words::verdict(summary)]) {
            writeln!(out, "# {line}")?;
        }
        match &summary.signal {
            Some(signal) => writeln!(out, "Bail out! {}", escape(&words::line(signal))),
            None if self.points == 0 => writeln!(out, "1..0 # no targets"),
            None => writeln!(out, "1..{}", self.points),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;

    fn tap(summary: &Summary, findings: &[Finding]) -> String {
        fixture::stream(&mut Tap::default(), &fixture::plan(), summary, findings)
    }

    #[test]
    fn a_test_point_a_target() {
        let expected = r#"TAP version 14
ok 1 - 192.0.2.1:443 open, rtt<200ms
not ok 2 - db.example:22 (192.0.2.5:22) open
  ---
  message: "refused: RST in answer to the SYN"
  severity: fail
  address: "192.0.2.5:22"
  expected:
    - "open"
  totals:
    exchanges: 2
    refused: 2
    syns-lost: 0
    retransmissions: 0
  ladder:
    - "  1     0.000  SYN-SENT     │── SYN ─────▶│"
    - "  2     0.121  CLOSED       │◀── RST,ACK ─│"
  ...
ok 3 - [2001:db8::1]:80 closed # SKIP the run ended before
# 1 of 3 targets not as expected, 1 not checked
1..3
"#;
        assert_eq!(tap(&fixture::summary(), &fixture::findings()), expected);
    }

    #[test]
    fn a_signal_bails_out_and_leaves_no_plan() {
        let tap = tap(&fixture::interrupted(), &[fixture::met()]);
        assert!(tap.ends_with("\nBail out! SIGINT\n"), "{tap}");
        assert!(!tap.contains("1..1"), "{tap}");
    }

    #[test]
    fn no_targets_are_a_plan_of_none() {
        let tap = fixture::stream(&mut Tap::default(), &Plan::default(), &Summary::default(), &[]);
        assert_eq!(tap, "TAP version 14\n# there was no target to check\n1..0 # no targets\n");
    }

    /// What a reader of TAP takes for a directive: a `#` that no backslash escapes.
    fn directives(line: &str) -> usize {
        let plain = line.replace("\\\\", "").replace("\\#", "");
        plain.matches('#').count()
    }

    #[test]
    fn no_text_from_outside_is_a_directive_or_leaves_its_line() {
        let findings = fixture::hostile();
        let tap = tap(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&tap);
        let points: Vec<&str> =
            tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).collect();
        assert_eq!(points.iter().map(|point| directives(point)).collect::<Vec<_>>(), [0, 0, 1, 0]);
        assert!(points[2].contains(" # SKIP <script>"), "{}", points[2]);
        let others = tap.lines().filter(|line| !line.starts_with("  ") && !points.contains(line));
        assert_eq!(others.count(), 3, "{tap}"); // version, verdict, plan
    }

    #[test]
    fn a_scalar_is_read_back_as_it_was() {
        let findings = fixture::hostile();
        let tap = tap(&fixture::summed(&findings), &findings);
        let message = tap.lines().find_map(|line| line.strip_prefix("  message: ")).unwrap();
        assert_eq!(serde_json::from_str::<String>(message).unwrap(), words::line(fixture::HOSTILE));
    }

    #[test]
    fn round_trips_and_what_the_peer_said_are_told() {
        let totals = crate::record::check::Totals { banner: Some("SSH".to_owned()), ..fixture::met().totals };
        let tap = tap(&fixture::summary(), &[Finding { totals, ..fixture::unmet() }]);
        assert!(
            tap.contains("    rtt-ms: { min: 0.120, avg: 0.185, max: 0.250 }\n    banner: \"SSH\"\n"),
            "{tap}"
        );
    }
}
