//! One page that needs nothing else: verdict, facts, a picture of the round trips, tables.
//!
//! The templates are pieces of one page, written one after the other, so that no table is ever held.

mod chart;

use std::io::{self, Write};

use askama::Template;

use self::chart::Chart;
use super::percentiles::Percentiles;
use super::{Closing, Findings, words};
use crate::record::check::{Finding, Plan, Spread, Summary, Verdict};

/// Rows of targets that are as expected, and of those not checked.
const ROWS: u64 = 2000;

/// Writes the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Html;

#[derive(Template)]
#[template(path = "check/head.html")]
struct Head {
    verdict: String,
    passed: bool,
    began: String,
    alarms: Vec<String>,
    facts: Vec<(&'static str, String)>,
    trips: Option<(Chart, [(&'static str, String); 6])>,
}

#[derive(Template)]
#[template(path = "check/table.html")]
struct Table<'t> {
    name: &'t str,
    heading: &'t str,
    count: u64,
}

#[derive(Template)]
#[template(path = "check/row.html")]
struct Row {
    target: String,
    expected: String,
    /// Why; for those that are as expected, there is nothing to say.
    reason: Option<String>,
    ends: String,
    rtt: String,
    ladder: String,
}

#[derive(Template)]
#[template(path = "check/end.html")]
struct End {
    more: u64,
}

impl Head {
    fn of(plan: &Plan, summary: &Summary) -> Self {
        let chart = Chart::of(&summary.round_trips);
        let percentiles = Percentiles::of(&summary.round_trips).map(|trips| trips.millis());
        Self {
            verdict: words::verdict(summary),
            passed: words::passed(summary),
            began: words::utc(plan.unix_seconds),
            alarms: words::alarms(summary),
            facts: words::facts(plan, summary),
            trips: chart.zip(percentiles),
        }
    }
}

impl Row {
    fn of(finding: &Finding) -> Self {
        let ends = finding.totals.ends.all().into_iter().filter(|(_, count)| *count > 0);
        let millis = |Spread { avg_ns, .. }| format!("{:.3}", avg_ns as f64 / 1e6);
        Self {
            target: words::target(finding),
            expected: words::expected(finding),
            reason: (finding.verdict != Verdict::Met).then(|| words::reason(finding)),
            ends: ends.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", "),
            rtt: finding.totals.rtt.map(millis).unwrap_or_default(),
            ladder: words::ladder(finding).collect::<Vec<_>>().join("\n"),
        }
    }
}

fn put(piece: &impl Template, out: &mut dyn Write) -> io::Result<()> {
    Template::write_into(piece, out)
}

/// The table of the targets with this verdict, if there are any.
fn table(
    findings: &dyn Findings,
    verdict: Verdict,
    heading: &str,
    (count, most): (u64, u64),
    out: &mut dyn Write,
) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    put(&Table { name: verdict.name(), heading, count }, out)?;
    let mut seen = 0;
    findings.each(&mut |finding| {
        if finding.verdict != verdict {
            return Ok(());
        }
        seen += 1;
        if seen <= most { put(&Row::of(finding), out) } else { Ok(()) }
    })?;
    put(&End { more: count.saturating_sub(seen.min(most)) }, out)
}

impl Closing for Html {
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Summary { met, unmet, not_checked, .. } = *summary;
        put(&Head::of(plan, summary), out)?;
        table(findings, Verdict::Unmet, "Not as expected", (unmet, u64::MAX), out)?;
        table(findings, Verdict::Met, "As expected", (met, ROWS), out)?;
        table(findings, Verdict::NotChecked, "Not checked", (not_checked, ROWS), out)?;
        writeln!(out, "</main>\n</body>\n</html>")
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event;

    use super::*;
    use crate::report::check::fixture;

    fn html(summary: &Summary, findings: &[Finding]) -> String {
        fixture::closing(&Html, &fixture::plan(), summary, findings)
    }

    /// That each element that is opened is closed, in order, and no attribute's quotes are left open.
    #[track_caller]
    fn assert_well_formed(html: &str) {
        let text = html.replace("<!doctype html>", "");
        let mut reader = quick_xml::Reader::from_str(&text);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => {
                    start.attributes().for_each(|attribute| drop(attribute.unwrap()));
                }
                Event::Eof => break,
                Event::DocType(_) => panic!("a second one"),
                Event::End(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::GeneralRef(_) => {}
            }
        }
    }

    #[test]
    fn the_page_is_whole_and_tells_failures_first() {
        let html = html(&fixture::summary(), &fixture::findings());
        assert_well_formed(&html);
        let places: Vec<usize> = [
            "1 of 3 targets not as expected, 1 not checked",
            "<svg",
            "db.example:22 (192.0.2.5:22)",
            "│◀── RST,ACK ─│",
            "192.0.2.1:443",
            "[2001:db8::1]:80",
        ]
        .iter()
        .map(|text| html.find(text).unwrap_or_else(|| panic!("{text}")))
        .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(html.matches("<details>").count(), 1);
    }

    #[test]
    fn nothing_is_fetched() {
        let html = html(&fixture::summary(), &fixture::findings());
        for fetched in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
            assert!(!html.contains(fetched), "{fetched}");
        }
    }

    #[test]
    fn no_text_from_outside_is_markup() {
        let findings = fixture::hostile();
        let html = html(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&html);
        assert_well_formed(&html);
        assert!(!html.contains("<script") && !html.contains("{{x}}</"), "{html}");
        assert!(html.contains("&#60;script&#62;"), "{html}");
    }

    #[test]
    fn met_targets_are_bounded_and_unmet_ones_are_not() {
        let unmet = fixture::many(2100);
        let met = unmet.iter().map(|finding| Finding { verdict: Verdict::Met, ..finding.clone() });
        let findings: Vec<Finding> = unmet.iter().cloned().chain(met).collect();
        let html = html(&fixture::summed(&findings), &findings);
        assert_eq!(html.matches("<th scope=\"row\" class=\"target\">").count(), 2100 + 2000);
        assert_eq!(html.matches("and 100 more").count(), 1);
    }

    #[test]
    fn no_targets_are_no_tables_and_no_picture() {
        let html = fixture::closing(&Html, &Plan::default(), &Summary::default(), &[]);
        assert_well_formed(&html);
        assert!(!html.contains("<table") && !html.contains("<svg"), "{html}");
        assert!(html.contains("there was no target to check"));
    }

    #[test]
    fn a_run_that_was_ended_says_so_and_has_its_alarms() {
        let html = html(&fixture::interrupted(), &[fixture::met()]);
        assert_well_formed(&html);
        assert!(html.contains("ended by SIGINT") && html.contains("12 packets were lost"), "{html}");
        assert!(html.contains("and 2 more"), "the targets not checked that no finding tells of");
    }
}
