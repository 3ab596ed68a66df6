//! Findings for the tests of all kinds: plain ones, and what the worst of peers and users would make.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Closing, Findings, Stream};
use crate::record::check::{Announced, Ends, Finding, Plan, Spread, Summary, Totals, Verdict};

/// All that could break out of a format, in one text.
pub(super) const HOSTILE: &str = "<script>alert('x')</script> ]]> --> | `a` ``b`` \"q\" 'q' & \\ # {{x}} $x$ @all\n- # SKIP\r\t\0\x1b[31m\x7f\u{9b}\u{202e}\u{2028}\u{fffe}é";

/// Begins the line of a ladder that [`HOSTILE`] is in.
pub(super) const LADDER_MARK: &str = "rung: ";

pub(super) fn plan() -> Plan {
    Plan {
        targets: 3,
        duplicates: 2,
        excluded: 1,
        count: 2,
        rate: Some(100.5),
        max_in_flight: 64,
        seed: Some(42),
        shard: Some((1, 4)),
        unix_seconds: 1_767_323_045,
        ..Plan::default()
    }
}

pub(super) fn summary() -> Summary {
    Summary {
        met: 1,
        unmet: 1,
        not_checked: 1,
        exchanges: 4,
        ends: ends(&[("completed", 2), ("refused", 2)]),
        retransmissions: 1,
        duration: Duration::from_nanos(1_234_567_891),
        round_trips: vec![(120, 1), (250, 1)],
        ..Summary::default()
    }
}

fn ends(ends: &[(&str, u64)]) -> BTreeMap<String, u64> {
    ends.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// All that can go wrong on this machine, and a signal.
pub(super) fn interrupted() -> Summary {
    Summary {
        met: 1,
        not_checked: 2,
        exchanges: 2,
        ends: ends(&[("completed", 1), ("interrupted", 1)]),
        packets_lost: 12,
        backed_off: 1,
        kernel_resets: 3,
        signal: Some("SIGINT".to_owned()),
        ..Summary::default()
    }
}

pub(super) fn met() -> Finding {
    Finding {
        target: "192.0.2.1:443".to_owned(),
        address: Some(([192, 0, 2, 1], 443).into()),
        expected: vec!["open".to_owned(), "rtt<200ms".to_owned()],
        verdict: Verdict::Met,
        totals: Totals {
            exchanges: 2,
            ends: Ends { completed: 2, ..Ends::default() },
            syns: 2,
            rtt: Some(Spread { count: 2, min_ns: 120_400, avg_ns: 185_000, max_ns: 250_100 }),
            announced: Some(Announced {
                mss: Some(1460),
                options: vec!["mss".to_owned(), "sack".to_owned()],
            }),
            ..Totals::default()
        },
        ..Finding::default()
    }
}

pub(super) fn unmet() -> Finding {
    Finding {
        target: "db.example:22".to_owned(),
        address: Some(([192, 0, 2, 5], 22).into()),
        expected: vec!["open".to_owned()],
        verdict: Verdict::Unmet,
        reason: Some("refused: RST in answer to the SYN".to_owned()),
        totals: Totals {
            exchanges: 2,
            ends: Ends { refused: 2, ..Ends::default() },
            syns: 2,
            ..Totals::default()
        },
        ladder: vec![
            "  1     0.000  SYN-SENT     │── SYN ─────▶│".to_owned(),
            "  2     0.121  CLOSED       │◀── RST,ACK ─│".to_owned(),
        ],
    }
}

pub(super) fn not_checked() -> Finding {
    Finding {
        target: "[2001:db8::1]:80".to_owned(),
        expected: vec!["closed".to_owned()],
        ..Finding::default()
    }
}

/// One of each verdict: what [`plan`] and [`summary`] are of.
pub(super) fn findings() -> Vec<Finding> {
    vec![met(), unmet(), not_checked()]
}

/// Whatever text there is, the worst; and a name of a thousand letters.
pub(super) fn hostile() -> Vec<Finding> {
    let text = || HOSTILE.to_owned();
    let unmet = Finding {
        target: text(),
        expected: vec![text(), text()],
        reason: Some(text()),
        totals: Totals { banner: Some(text()), ..unmet().totals },
        ladder: vec![format!("{LADDER_MARK}{HOSTILE}"), "```` more ``````".to_owned()],
        ..unmet()
    };
    let met = Finding {
        target: format!("met {HOSTILE}"),
        ladder: Vec::new(),
        reason: None,
        verdict: Verdict::Met,
        ..unmet.clone()
    };
    let not_checked =
        Finding { target: format!("not {HOSTILE}"), verdict: Verdict::NotChecked, ..unmet.clone() };
    let long = Finding { target: format!("{}:22", "n".repeat(1000)), ..self::unmet() };
    vec![unmet, met, not_checked, long]
}

/// So many that are not as expected.
pub(super) fn many(count: usize) -> Vec<Finding> {
    (0..count).map(|n| Finding { target: format!("198.51.100.7:{n}"), address: None, ..unmet() }).collect()
}

/// The totals that `findings` come to.
pub(super) fn summed(findings: &[Finding]) -> Summary {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    let (met, unmet, not_checked) = (count(Verdict::Met), count(Verdict::Unmet), count(Verdict::NotChecked));
    Summary { met, unmet, not_checked, ..summary() }
}

/// What a report of all at once says.
pub(super) fn closing(kind: &dyn Closing, plan: &Plan, summary: &Summary, findings: &[Finding]) -> String {
    let mut out = Vec::new();
    kind.write(plan, summary, &findings, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a report of one after the other says.
pub(super) fn stream(kind: &mut dyn Stream, plan: &Plan, summary: &Summary, findings: &[Finding]) -> String {
    let mut out = Vec::new();
    kind.begin(plan, &mut out).unwrap();
    findings.iter().try_for_each(|finding| kind.finding(finding, &mut out)).unwrap();
    kind.end(summary, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A hundred thousand findings, none of them in memory.
pub(super) struct HundredThousand;

impl Findings for HundredThousand {
    fn each(&self, visit: &mut dyn FnMut(&Finding) -> io::Result<()>) -> io::Result<()> {
        let mut finding = met();
        (0..100_000).try_for_each(|n| {
            finding.target = format!("host-{n}:1");
            visit(&finding)
        })
    }
}

/// Nothing that a terminal would obey or that turns the direction of a text; lines may end.
#[track_caller]
pub(super) fn assert_tame(text: &str) {
    let wild = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2028}' | '\u{fffe}');
    assert!(!text.contains(wild), "{}", text.escape_debug());
}
