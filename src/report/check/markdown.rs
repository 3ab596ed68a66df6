//! Markdown as GitHub shows it in the summary of a job: failures first, ladders folded.

use std::io::{self, Write};

use super::percentiles::Percentiles;
use super::{Closing, Findings, words};
use crate::record::check::{Finding, Plan, Summary, Verdict};

/// Rows of the table of failures.
const ROWS: u64 = 100;
/// Ladders below it: a summary of more than a mebibyte is not shown at all.
const LADDERS: u64 = 20;

/// Writes Markdown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Markdown;

/// Text that is text: no markup, no tag, no link, no mention, no cell of its own.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in words::line(text).replace("://", "&colon;//").replace("www.", "www&period;").chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => {
                escaped.extend(['\\', c]);
            }
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '@' => escaped += "&commat;",
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A fence that nothing in the text can close.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// Goes through the first unmet ones, and returns how many there are in all.
fn unmet(
    findings: &dyn Findings,
    most: u64,
    visit: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> io::Result<u64> {
    let mut seen = 0;
    findings.each(&mut |finding| {
        if finding.verdict != Verdict::Unmet {
            return Ok(());
        }
        seen += 1;
        if seen <= most { visit(finding) } else { Ok(()) }
    })?;
    Ok(seen)
}

fn failures(findings: &dyn Findings, out: &mut dyn Write) -> io::Result<()> {
    let mut first = true;
    let seen = unmet(findings, ROWS, &mut |finding| {
        if std::mem::take(&mut first) {
            writeln!(out, "\n| target | expected | reason |\n| :-- | :-- | :-- |")?;
        }
        let cells = [words::target(finding), words::expected(finding), words::reason(finding)];
        writeln!(out, "| {} |", cells.map(|cell| escape(&cell)).join(" | "))
    })?;
    if seen > ROWS {
        writeln!(out, "\nand {} more", seen - ROWS)?;
    }
    Ok(())
}

fn ladder(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    if finding.ladder.is_empty() {
        return Ok(());
    }
    let text = words::ladder(finding).collect::<Vec<_>>().join("\n");
    let fence = fence(&text);
    writeln!(out, "\n<details>\n<summary>{}</summary>\n", inside_tag(&words::target(finding)))?;
    writeln!(out, "{fence}text\n{text}\n{fence}\n\n</details>")
}

/// Text within a line of HTML, where Markdown's own marks still count.
fn inside_tag(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " .:-()/,=".contains(c);
    words::line(text).chars().fold(String::new(), |mut escaped, c| {
        if plain(c) {
            escaped.push(c);
        } else {
            escaped.extend(["&#", &u32::from(c).to_string(), ";"]);
        }
        escaped
    })
}

fn totals(plan: &Plan, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n| | |\n| :-- | :-- |")?;
    words::facts(plan, summary)
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "| {name} | {} |", escape(value)))?;
    let Some(trips) = Percentiles::of(&summary.round_trips) else { return Ok(()) };
    let trips = trips.millis();
    let names = trips.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ");
    writeln!(out, "\n| round trips | {names} |\n| :-- |{}", " --: |".repeat(trips.len()))?;
    writeln!(out, "| ms | {} |", trips.map(|(_, millis)| millis).join(" | "))
}

impl Closing for Markdown {
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mark = if words::passed(summary) { "✅" } else { "❌" };
        writeln!(out, "{mark} **tcpshake check**: {}", escape(&words::verdict(summary)))?;
        words::alarms(summary).iter().try_for_each(|alarm| writeln!(out, "\n⚠️ {}", escape(alarm)))?;
        failures(findings, out)?;
        unmet(findings, LADDERS, &mut |finding| ladder(finding, out))?;
        totals(plan, summary, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;

    fn markdown(summary: &Summary, findings: &[Finding]) -> String {
        fixture::closing(&Markdown, &fixture::plan(), summary, findings)
    }

    #[test]
    fn failures_come_first() {
        let expected = "\
❌ **tcpshake check**: 1 of 3 targets not as expected, 1 not checked

| target | expected | reason |
| :-- | :-- | :-- |
| db.example:22 (192.0.2.5:22) | open | refused: RST in answer to the SYN |

<details>
<summary>db.example:22 (192.0.2.5:22)</summary>

```text
  1     0.000  SYN-SENT     │── SYN ─────▶│
  2     0.121  CLOSED       │◀── RST,ACK ─│
```

</details>

| | |
| :-- | :-- |
| targets | 1 met · 1 unmet · 1 not checked |
| left out | 2 named more than once · 1 excluded |
| exchanges | 4 made · 2 completed · 2 refused |
| sent again | 1 segment |
| duration | 1.235 s · 3.2 exchanges a second · at most 100.5 allowed |
| seed | 42 |
| shard | 1 of 4 |

| round trips | min | p50 | p90 | p95 | p99 | max |
| :-- | --: | --: | --: | --: | --: | --: |
| ms | 0.120 | 0.120 | 0.250 | 0.250 | 0.250 | 0.250 |
";
        assert_eq!(markdown(&fixture::summary(), &fixture::findings()), expected);
    }

    #[test]
    fn no_targets_are_no_tables_but_the_totals() {
        let text = fixture::closing(&Markdown, &Plan::default(), &Summary::default(), &[]);
        assert!(text.starts_with("✅ **tcpshake check**: there was no target to check\n"), "{text}");
        assert!(!text.contains("reason") && !text.contains("p50"), "{text}");
    }

    #[test]
    fn a_run_that_was_ended_has_its_alarms_on_top() {
        let text = markdown(&fixture::interrupted(), &[fixture::met()]);
        assert!(text.starts_with("❌ **tcpshake check**: ended by SIGINT: "), "{text}");
        assert!(text.contains("\n\n⚠️ 12 packets were lost"), "{text}");
    }

    #[test]
    fn rows_and_ladders_are_bounded() {
        let many = fixture::many(107);
        let text = markdown(&fixture::summed(&many), &many);
        assert_eq!(text.matches("| 198.51.100.7:").count(), 100);
        assert_eq!(text.matches("<details>").count(), 20);
        assert!(text.contains("\nand 7 more\n"), "{text}");
    }

    /// Bars that no backslash escapes, of a line of the table.
    fn cells(line: &str) -> usize {
        line.replace("\\\\", "").replace("\\|", "").matches('|').count()
    }

    #[test]
    fn no_text_from_outside_is_markup() {
        let findings = fixture::hostile();
        let text = markdown(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&text);
        let rows: Vec<&str> =
            text.lines().skip_while(|line| !line.contains("reason")).skip(2).take(2).collect();
        for row in &rows {
            assert_eq!(cells(row), 4, "{row}");
            assert!(!row.contains(['<', '>', '@']), "{row}");
        }
        let plain = rows[0].replace("\\\\", "").replace("\\`", "").replace("\\$", "");
        assert!(!plain.contains(['`', '$']), "{plain}");
        let tags = text.lines().filter(|line| line.contains('<') && !line.contains(fixture::LADDER_MARK));
        assert!(tags.clone().count() > 0);
        for line in tags {
            let outside = line.replace("<summary>", "").replace("</summary>", "");
            let outside = outside.replace("<details>", "").replace("</details>", "");
            assert!(!outside.contains('<'), "{line}");
        }
    }

    #[test]
    fn no_link_and_no_mention_is_made() {
        assert_eq!(escape("https://a www.b @c"), "https&colon;//a www&period;b &commat;c");
        assert_eq!(inside_tag("@*`"), "&#64;&#42;&#96;");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("none"), "```");
        assert_eq!(fence("a ``` b ```` c"), "`````");
        let text = markdown(&fixture::summary(), &fixture::hostile());
        assert!(text.contains("\n```````text\n"), "{text}");
    }
}
