//! What the kinds share: the verdict, the facts and the alarms in words, cleaned text, the date.

use crate::record::check::{Finding, Plan, Summary, Verdict};
use crate::report::text;
use crate::report::verdict::DOT;

/// Text from outside on one line of any format: what [`text::clean`] escapes, and what breaks a line in YAML, is
/// no character in XML or turns the direction.
pub(super) fn line(text: &str) -> String {
    let odd = |c| {
        matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
    };
    text::clean(text).chars().fold(String::new(), |mut line, c| {
        if odd(c) {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
        line
    })
}

/// The ladder as lines that are safe to show.
pub(super) fn ladder(finding: &Finding) -> impl Iterator<Item = String> {
    finding.ladder.iter().map(|rung| line(rung))
}

/// The target and its address, if that says more.
pub(super) fn target(finding: &Finding) -> String {
    let target = line(&finding.target);
    match finding.address.map(|address| address.to_string()) {
        Some(address) if address != target => format!("{target} ({address})"),
        _ => target,
    }
}

/// What was expected: `open, mss>=1400`.
pub(super) fn expected(finding: &Finding) -> String {
    line(&finding.expected.join(", "))
}

/// Why it is not as expected, or was not checked.
pub(super) fn reason(finding: &Finding) -> String {
    let unsaid = match finding.verdict {
        Verdict::Met => "as expected",
        Verdict::Unmet => "not as expected",
        Verdict::NotChecked => "the run ended before",
    };
    line(finding.reason.as_deref().unwrap_or(unsaid))
}

/// `1 target`, `2 targets`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether all that was asked is known, and as expected.
pub(super) const fn passed(summary: &Summary) -> bool {
    summary.unmet == 0 && summary.not_checked == 0 && summary.signal.is_none()
}

/// How it went, in one sentence.
pub(super) fn verdict(summary: &Summary) -> String {
    let Summary { met, unmet, not_checked, .. } = *summary;
    let targets = counted(met + unmet + not_checked, "target");
    let known = match (met, unmet, not_checked) {
        (0, 0, 0) => "there was no target to check".to_owned(),
        (1, 0, 0) => "the target is as expected".to_owned(),
        (0, 0, _) => return ended(summary, &format!("none of {targets} was checked")),
        (0, 1, 0) => "the target is not as expected".to_owned(),
        (_, 0, 0) => format!("all {targets} are as expected"),
        (_, 0, _) => format!("{met} of {targets} as expected"),
        (..) => format!("{unmet} of {targets} not as expected"),
    };
    let unknown = (not_checked > 0).then(|| format!("{not_checked} not checked"));
    let verdict = [known].into_iter().chain(unknown).collect::<Vec<_>>().join(", ");
    ended(summary, &verdict)
}

fn ended(summary: &Summary, verdict: &str) -> String {
    match &summary.signal {
        Some(signal) => format!("ended by {}: {verdict}", line(signal)),
        None => verdict.to_owned(),
    }
}

/// Names and values, those there is something to say of.
pub(super) fn facts(plan: &Plan, summary: &Summary) -> Vec<(&'static str, String)> {
    let Summary { met, unmet, not_checked, .. } = summary;
    let facts = [
        ("targets", Some(format!("{met} met{DOT}{unmet} unmet{DOT}{not_checked} not checked"))),
        ("left out", left_out(plan)),
        ("exchanges", Some(exchanges(summary))),
        ("sent again", Some(counted(summary.retransmissions, "segment"))),
        ("duration", Some(duration(plan, summary))),
        ("seed", plan.seed.map(|seed| seed.to_string())),
        ("shard", plan.shard.map(|(this, of)| format!("{this} of {of}"))),
        ("signal", summary.signal.as_deref().map(line)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn left_out(plan: &Plan) -> Option<String> {
    let counts = [
        (plan.duplicates, "named more than once"),
        (plan.excluded, "excluded"),
        (plan.resumed, "known from an earlier report"),
    ];
    let told: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
    (!told.is_empty()).then(|| told.join(DOT))
}

fn exchanges(summary: &Summary) -> String {
    let ends = ends(summary).into_iter().filter(|(_, count)| *count > 0);
    let made = format!("{} made", summary.exchanges);
    [made]
        .into_iter()
        .chain(ends.map(|(name, count)| format!("{count} {name}")))
        .collect::<Vec<_>>()
        .join(DOT)
}

/// All ends there are, in the order in which they are told, with how many exchanges had them.
pub(super) fn ends(summary: &Summary) -> [(&'static str, u64); 7] {
    let count = |(name, _)| (name, summary.ends.get(name).copied().unwrap_or_default());
    crate::record::check::Ends::default().all().map(count)
}

fn duration(plan: &Plan, summary: &Summary) -> String {
    let seconds = summary.duration.as_secs_f64();
    let made = (seconds > 0.0 && summary.exchanges > 0)
        .then(|| format!("{:.1} exchanges a second", summary.exchanges as f64 / seconds));
    let allowed = plan.rate.map(|rate| format!("at most {rate} allowed"));
    let took = format!("{seconds:.3} s");
    [Some(took), made, allowed].into_iter().flatten().collect::<Vec<_>>().join(DOT)
}

/// What went wrong on this machine, whatever the verdict.
pub(super) fn alarms(summary: &Summary) -> Vec<String> {
    let Summary { packets_lost, backed_off, kernel_resets, .. } = *summary;
    let mut alarms = Vec::new();
    if packets_lost > 0 {
        let were = if packets_lost == 1 { "was" } else { "were" };
        alarms.push(format!(
            "{} {were} lost on this machine, not read fast enough; the rate was lowered {}",
            counted(packets_lost, "packet"),
            counted(backed_off.into(), "time")
        ));
    }
    if kernel_resets > 0 {
        alarms.push(format!(
            "the kernel of this machine sent {kernel_resets} RST of its own: no guard held it back"
        ));
    }
    alarms
}

/// Seconds since 1970 as a date and time of UTC: `2026-01-31T23:59:59`.
pub(super) fn utc(unix_seconds: u64) -> String {
    const DAY: u64 = 86_400;
    const ERA: u64 = 146_097; // days in 400 years, after which the calendar is the same again
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (days, second) = (unix_seconds / DAY, unix_seconds % DAY);
    let (mut year, mut days) = (1970 + days / ERA * 400, days % ERA);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;

    #[test]
    fn nothing_gets_through_that_breaks_a_line_or_turns_it() {
        let hostile = "a\u{61c}b\u{2028}c\u{2029}d\u{fffe}e\u{ffff}f\u{202e}g\nh\u{85}i\u{feff}";
        assert!(line(hostile).is_ascii(), "{}", line(hostile));
        assert!(!line(hostile).contains('\n'));
        assert_eq!(line("größe → 中"), "größe → 中");
    }

    #[test]
    fn verdicts_read_as_sentences() {
        let of =
            |met, unmet, not_checked| verdict(&Summary { met, unmet, not_checked, ..Summary::default() });
        assert_eq!(of(0, 0, 0), "there was no target to check");
        assert_eq!(of(1, 0, 0), "the target is as expected");
        assert_eq!(of(2, 0, 0), "all 2 targets are as expected");
        assert_eq!(of(0, 1, 0), "the target is not as expected");
        assert_eq!(of(2, 0, 3), "2 of 5 targets as expected, 3 not checked");
        assert_eq!(of(2, 1, 3), "1 of 6 targets not as expected, 3 not checked");
        assert_eq!(
            verdict(&fixture::interrupted()),
            "ended by SIGINT: 1 of 3 targets as expected, 2 not checked"
        );
    }

    #[test]
    fn a_run_that_a_signal_ended_has_not_passed() {
        assert!(passed(&Summary::default()));
        assert!(!passed(&Summary { signal: Some("SIGTERM".to_owned()), ..Summary::default() }));
        assert!(!passed(&Summary { not_checked: 1, ..Summary::default() }));
        assert!(!passed(&Summary { unmet: 1, ..Summary::default() }));
    }

    #[test]
    fn alarms_count() {
        let one = Summary { packets_lost: 1, backed_off: 2, kernel_resets: 4, ..Summary::default() };
        assert_eq!(
            alarms(&one),
            [
                "1 packet was lost on this machine, not read fast enough; the rate was lowered 2 times",
                "the kernel of this machine sent 4 RST of its own: no guard held it back",
            ]
        );
        assert!(alarms(&Summary::default()).is_empty());
    }

    #[test]
    fn dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (1_767_225_600, "2026-01-01T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (12_622_780_800, "2370-01-01T00:00:00"),
        ] {
            assert_eq!(utc(seconds), date);
        }
        assert!(utc(u64::MAX).ends_with("T07:00:15"), "however far, it takes no time");
    }
}
