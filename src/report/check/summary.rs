//! For people: what is not as expected first, the verdict last, where the eye is when it scrolled by.

use std::io::{self, Write};

use colored::Color;

use super::percentiles::Percentiles;
use super::{Closing, Findings, words};
use crate::record::check::{Finding, Plan, Summary, Verdict};
use crate::report::canvas::Canvas;
use crate::report::rungs::Rungs;
use crate::report::text::{fill, wrap};
use crate::report::verdict::DOT;

/// Unmet targets that are listed.
const LISTED: u64 = 100;
/// Of these, so many with their ladder.
const LADDERS: u64 = 10;
/// Columns of a line, if its words are not longer.
const WIDTH: usize = 80;
/// Columns for the names of facts.
const NAMES: usize = 13;

/// Tells a check in text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    /// Whether colours are wanted.
    pub color: bool,
}

impl Text {
    fn rungs(self) -> Rungs {
        Rungs::on(Canvas { color: self.color, ..Canvas::default() })
    }

    fn unmet(self, findings: &dyn Findings, out: &mut dyn Write) -> io::Result<()> {
        let mut seen = 0;
        findings.each(&mut |finding| {
            if finding.verdict != Verdict::Unmet {
                return Ok(());
            }
            seen += 1;
            if seen <= LISTED {
                self.line(finding, out)?;
            }
            if seen <= LADDERS {
                words::ladder(finding).try_for_each(|rung| writeln!(out, "  {rung}"))?;
            }
            Ok(())
        })?;
        if seen > LISTED {
            writeln!(out, "and {} more", seen - LISTED)?;
        }
        Ok(())
    }

    /// `✗ 10.0.0.5:22  expected open: refused`, further lines indented.
    fn line(self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let rungs = self.rungs();
        let target = words::target(finding);
        let reason = words::reason(finding);
        // A reason that a judge gave names what was expected; others do not know.
        let said = if reason.starts_with("expected ") {
            reason
        } else {
            format!("expected {}: {reason}", words::expected(finding))
        };
        let together = 2 + target.chars().count() + 2 + said.chars().count() <= WIDTH;
        let (mark, name) = (rungs.paint("✗", Color::Red), rungs.bold(&target));
        if together {
            return writeln!(out, "{mark} {name}  {said}");
        }
        writeln!(out, "{mark} {name}")?;
        wrap(&said, WIDTH - 4).iter().try_for_each(|line| writeln!(out, "    {line}"))
    }

    fn facts(self, plan: &Plan, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        let mut facts = words::facts(plan, summary);
        if let Some(trips) = Percentiles::of(&summary.round_trips) {
            let trips = trips.millis().map(|(name, millis)| format!("{name} {millis}")).join(DOT);
            facts.push(("round trips", format!("{trips} ms")));
        }
        for (name, value) in facts {
            let mut name = name;
            for line in fill(value.split(DOT), DOT, WIDTH - NAMES) {
                let padding = NAMES.saturating_sub(name.len());
                writeln!(out, "{}{:padding$}{line}", self.rungs().dim(name), "")?;
                name = "";
            }
        }
        Ok(())
    }

    fn alarms(self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        for alarm in words::alarms(summary) {
            let lines = wrap(&format!("! {alarm}"), WIDTH);
            lines.iter().try_for_each(|line| writeln!(out, "{}", self.rungs().paint(line, Color::Yellow)))?;
        }
        Ok(())
    }
}

impl Closing for Text {
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.unmet(findings, out)?;
        if summary.not_checked > 0 {
            writeln!(out, "? {} not checked", words::counted(summary.not_checked, "target"))?;
        }
        writeln!(out, "--- tcpshake check ---")?;
        self.facts(plan, summary, out)?;
        self.alarms(summary, out)?;
        let color = if words::passed(summary) { Color::Green } else { Color::Red };
        let verdict = self.rungs().paint(&words::verdict(summary), color);
        writeln!(out, "{}", self.rungs().bold(&verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;

    fn text(summary: &Summary, findings: &[Finding]) -> String {
        fixture::closing(&Text::default(), &fixture::plan(), summary, findings)
    }

    #[test]
    fn what_is_not_as_expected_comes_first_and_the_verdict_last() {
        let expected = "\
✗ db.example:22 (192.0.2.5:22)  expected open: refused: RST in answer to the SYN
    1     0.000  SYN-SENT     │── SYN ─────▶│
    2     0.121  CLOSED       │◀── RST,ACK ─│
? 1 target not checked
--- tcpshake check ---
targets      1 met · 1 unmet · 1 not checked
left out     2 named more than once · 1 excluded
exchanges    4 made · 2 completed · 2 refused
sent again   1 segment
duration     1.235 s · 3.2 exchanges a second · at most 100.5 allowed
seed         42
shard        1 of 4
round trips  min 0.120 · p50 0.120 · p90 0.250 · p95 0.250 · p99 0.250
             max 0.250 ms
1 of 3 targets not as expected, 1 not checked
";
        assert_eq!(text(&fixture::summary(), &fixture::findings()), expected);
    }

    #[test]
    fn a_short_reason_stands_beside_its_target() {
        let finding = Finding { reason: Some("refused".to_owned()), address: None, ..fixture::unmet() };
        assert!(
            text(&fixture::summary(), &[finding]).starts_with("✗ db.example:22  expected open: refused\n")
        );
    }

    #[test]
    fn lists_and_ladders_are_bounded() {
        let many = fixture::many(104);
        let text = text(&fixture::summed(&many), &many);
        assert_eq!(text.matches('✗').count(), 100);
        assert_eq!(text.matches("SYN-SENT").count(), 10);
        assert!(text.contains("\nand 4 more\n"), "{text}");
    }

    #[test]
    fn a_run_that_was_ended_says_by_what_and_what_went_wrong_here() {
        let text = text(&fixture::interrupted(), &[fixture::met()]);
        let expected = "\
signal       SIGINT
! 12 packets were lost on this machine, not read fast enough; the rate was
lowered 1 time
! the kernel of this machine sent 3 RST of its own: no guard held it back
ended by SIGINT: 1 of 3 targets as expected, 2 not checked
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn no_targets_are_no_trouble() {
        let text = fixture::closing(&Text::default(), &Plan::default(), &Summary::default(), &[]);
        assert!(text.ends_with("\nthere was no target to check\n"), "{text}");
        assert!(!text.contains("round trips"), "{text}");
    }

    #[test]
    fn no_text_from_outside_steers_the_terminal_or_is_wider_than_it() {
        let findings = fixture::hostile();
        let text = text(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&text);
        let plain = text.lines().filter(|line| line.starts_with("    ") && !line.contains('`'));
        assert!(plain.clone().count() > 0);
        assert!(plain.clone().all(|line| line.chars().count() <= WIDTH + 2), "{text}");
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        colored::control::set_override(true);
        let said = |color| {
            fixture::closing(&Text { color }, &fixture::plan(), &fixture::summary(), &fixture::findings())
        };
        let (plain, colored) = (said(false), said(true));
        assert!(!plain.contains('\x1b'));
        assert!(colored.contains("\x1b[31m✗"), "{colored:?}");
    }
}
