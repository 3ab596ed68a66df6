//! JUnit XML, as the readers of Jenkins, GitLab and GitHub's actions take it: one suite, a case a target.
//!
//! The numbers come first in the file, so the findings are gone through twice, and never held.

use std::borrow::Cow;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Closing, Findings, words};
use crate::record::check::{Finding, Plan, Summary, Verdict};

/// Writes XML.
#[derive(Clone, Copy, Debug, Default)]
pub struct Junit;

type Xml<'o> = Writer<&'o mut dyn Write>;

/// Cases, as the suite's attributes count them.
#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    skipped: u64,
}

impl Counts {
    fn of(findings: &dyn Findings) -> io::Result<Self> {
        let mut counts = Self::default();
        findings.each(&mut |finding| {
            counts.tests += 1;
            match finding.verdict {
                Verdict::Met => {}
                Verdict::Unmet => counts.failures += 1,
                Verdict::NotChecked => counts.skipped += 1,
            }
            Ok(())
        })?;
        Ok(counts)
    }

    fn attributes(&self, plan: &Plan, summary: &Summary) -> Vec<(&'static str, Cow<'static, str>)> {
        vec![
            ("name", "tcpshake check".into()),
            ("tests", self.tests.to_string().into()),
            ("failures", self.failures.to_string().into()),
            ("errors", "0".into()),
            ("skipped", self.skipped.to_string().into()),
            ("time", format!("{:.3}", summary.duration.as_secs_f64()).into()),
            ("timestamp", words::utc(plan.unix_seconds).into()),
        ]
    }
}

/// What was planned, and what came of it beyond the cases.
fn properties(plan: &Plan, summary: &Summary) -> Vec<(&'static str, String)> {
    let unlimited = |rate: Option<f64>| rate.map_or_else(|| "unlimited".to_owned(), |rate| rate.to_string());
    let mut properties = vec![
        ("program", concat!("tcpshake ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("targets", plan.targets.to_string()),
        ("duplicates", plan.duplicates.to_string()),
        ("excluded", plan.excluded.to_string()),
        ("resumed", plan.resumed.to_string()),
        ("count", plan.count.to_string()),
        ("rate", unlimited(plan.rate)),
        ("per-host-rate", unlimited(plan.per_host_rate)),
        ("max-in-flight", plan.max_in_flight.to_string()),
        ("not-checked", summary.not_checked.to_string()),
    ];
    properties.extend(plan.seed.map(|seed| ("seed", seed.to_string())));
    properties.extend(plan.shard.map(|(this, of)| ("shard", format!("{this}/{of}"))));
    properties.extend(summary.signal.as_deref().map(|signal| ("signal", words::line(signal))));
    properties
}

/// The target without its port.
fn host(target: &str) -> &str {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// How most exchanges failed; if none did, what is not as expected is something else.
fn failure_type(finding: &Finding) -> &'static str {
    let ends = finding.totals.ends.all().into_iter().skip(1).filter(|(_, count)| *count > 0);
    ends.rev().max_by_key(|(_, count)| *count).map_or("expectation", |(name, _)| name)
}

fn case(xml: &mut Xml<'_>, finding: &Finding) -> io::Result<()> {
    let target = words::line(&finding.target);
    let name = format!("{target} {}", words::expected(finding));
    let rtt = finding.totals.rtt.map(|rtt| rtt.avg_ns).unwrap_or_default();
    let time = format!("{:.6}", rtt as f64 / 1e9);
    let case = xml.create_element("testcase").with_attributes([
        ("classname", host(&target)),
        ("name", name.trim_end()),
        ("time", &time),
    ]);
    let message = words::reason(finding);
    match finding.verdict {
        Verdict::Met => case.write_empty()?,
        Verdict::NotChecked => case.write_inner_content(|xml| {
            xml.create_element("skipped").with_attribute(("message", message.as_str())).write_empty()?;
            Ok(())
        })?,
        Verdict::Unmet => case.write_inner_content(|xml| {
            let text = words::ladder(finding).fold(message.clone(), |text, rung| text + "\n" + &rung);
            xml.create_element("failure")
                .with_attributes([("message", message.as_str()), ("type", failure_type(finding))])
                .write_text_content(BytesText::new(&text))?;
            Ok(())
        })?,
    };
    Ok(())
}

fn suite(xml: &mut Xml<'_>, plan: &Plan, summary: &Summary, findings: &dyn Findings) -> io::Result<()> {
    xml.create_element("properties").write_inner_content(|xml| {
        properties(plan, summary).iter().try_for_each(|(name, value)| {
            let property = [("name", *name), ("value", value.as_str())];
            xml.create_element("property").with_attributes(property).write_empty().map(drop)
        })
    })?;
    findings.each(&mut |finding| case(xml, finding))?;
    let facts = words::facts(plan, summary).into_iter().map(|(name, value)| format!("{name}: {value}"));
    let told = [words::verdict(summary)].into_iter().chain(facts).collect::<Vec<_>>().join("\n");
    xml.create_element("system-out").write_text_content(BytesText::new(&told))?;
    let alarms = words::alarms(summary).join("\n");
    xml.create_element("system-err").write_text_content(BytesText::new(&alarms))?;
    Ok(())
}

impl Closing for Junit {
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let attributes = Counts::of(findings)?.attributes(plan, summary);
        let attributes = || attributes.iter().map(|(name, value)| (*name, value.as_ref()));
        let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        // The outer element has no moment of its own in the schema.
        let outer = attributes().filter(|(name, _)| *name != "timestamp");
        xml.create_element("testsuites").with_attributes(outer).write_inner_content(|xml| {
            xml.create_element("testsuite")
                .with_attributes(attributes())
                .write_inner_content(|xml| suite(xml, plan, summary, findings))
                .map(drop)
        })?;
        xml.into_inner().write_all(b"\n")
    }
}

#[cfg(test)]
mod schema;

#[cfg(test)]
mod tests {
    use super::schema::{Element, assert_schema, parse};
    use super::*;
    use crate::report::check::fixture;

    fn junit(summary: &Summary, findings: &[Finding]) -> String {
        fixture::closing(&Junit, &fixture::plan(), summary, findings)
    }

    fn suite_of(xml: &str) -> Element {
        let mut root = parse(xml);
        assert_schema(&root);
        assert_eq!(root.children.len(), 1);
        let suite = root.children.pop().unwrap();
        let cases = suite.all("testcase");
        let holding = |name: &str| cases.iter().filter(|case| !case.all(name).is_empty()).count().to_string();
        assert_eq!(suite.get("tests"), cases.len().to_string());
        assert_eq!(suite.get("failures"), holding("failure"));
        assert_eq!(suite.get("skipped"), holding("skipped"));
        assert_eq!([suite.all("properties").len(), suite.all("system-out").len()], [1, 1]);
        suite
    }

    #[test]
    fn a_case_a_target() {
        let suite = suite_of(&junit(&fixture::summary(), &fixture::findings()));
        assert_eq!((suite.get("time"), suite.get("timestamp")), ("1.235", "2026-01-02T03:04:05"));
        let cases = suite.all("testcase");
        let named: Vec<_> = cases.iter().map(|case| (case.get("classname"), case.get("name"))).collect();
        let expected = [
            ("192.0.2.1", "192.0.2.1:443 open, rtt<200ms"),
            ("db.example", "db.example:22 open"),
            ("2001:db8::1", "[2001:db8::1]:80 closed"),
        ];
        assert_eq!(named, expected);
        assert_eq!(cases[0].get("time"), "0.000185");
        let failure = cases[1].all("failure")[0];
        assert_eq!(failure.get("type"), "refused");
        assert_eq!(failure.get("message"), "refused: RST in answer to the SYN");
        let lines: Vec<&str> = failure.text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], fixture::unmet().ladder[1]);
        assert_eq!(cases[2].all("skipped")[0].get("message"), "the run ended before");
    }

    #[test]
    fn the_plan_is_in_the_properties() {
        let suite = suite_of(&junit(&fixture::interrupted(), &[]));
        let properties = suite.all("properties")[0].all("property");
        let value = |name| {
            properties.iter().find(|property| property.get("name") == name).unwrap().get("value").to_owned()
        };
        assert_eq!(
            ["seed", "shard", "rate", "per-host-rate", "signal"].map(value),
            ["42", "1/4", "100.5", "unlimited", "SIGINT"]
        );
        assert!(suite.all("system-err")[0].text.starts_with("12 packets were lost"));
    }

    #[test]
    fn the_worst_text_stays_where_it_belongs() {
        let findings = fixture::hostile();
        let xml = junit(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&xml);
        assert!(!xml.contains("]]>"));
        let suite = suite_of(&xml);
        let failure = suite.all("testcase")[0].all("failure")[0];
        assert_eq!(failure.get("message"), words::line(fixture::HOSTILE));
        assert!(failure.text.contains(&words::line(fixture::HOSTILE)));
    }

    #[test]
    fn no_targets_are_an_empty_suite() {
        let xml = fixture::closing(&Junit, &Plan::default(), &Summary::default(), &[]);
        assert_eq!(suite_of(&xml).get("tests"), "0");
        assert!(xml.ends_with("</testsuites>\n"));
    }

    #[test]
    fn what_failed_is_the_most_frequent_end() {
        let with = |ends| {
            let totals = crate::record::check::Totals { ends, ..Default::default() };
            failure_type(&Finding { totals, ..fixture::unmet() })
        };
        use crate::record::check::Ends;
        assert_eq!(with(Ends { completed: 9, silent: 2, reset: 1, ..Ends::default() }), "silent");
        assert_eq!(with(Ends { refused: 1, silent: 1, ..Ends::default() }), "refused");
        assert_eq!(with(Ends { completed: 9, ..Ends::default() }), "expectation");
    }

    /// The most that is written at once: what is not written is in memory.
    struct Widest(usize);

    impl Write for Widest {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 = self.0.max(octets.len());
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn very_many_targets_are_written_as_they_come() {
        let mut widest = Widest(0);
        Junit.write(&fixture::plan(), &fixture::summary(), &fixture::HundredThousand, &mut widest).unwrap();
        assert!((1..4096).contains(&widest.0), "{}", widest.0);
    }
}
