//! A reader of the text format that takes nothing it should not: the rules of promtool, for the tests.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// A line that is no comment.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: Labels,
    value: f64,
}

/// The samples of a file that is valid.
#[derive(Debug)]
pub(super) struct Families(Vec<Sample>);

impl Families {
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.0.iter().find(|sample| sample.name == name && sample.labels == labels).map(|sample| sample.value)
    }
}

/// Reads a file, or says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Families, String> {
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut samples = Vec::new();
    let mut families = BTreeSet::new();
    let mut current: Option<(String, Option<String>)> = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, _) = help.split_once(' ').ok_or("HELP without text")?;
            check_name(name)?;
            if !families.insert(name.to_owned()) {
                return Err(format!("{name} comes twice"));
            }
            current = Some((name.to_owned(), None));
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or("TYPE without type")?;
            let (family, known) = current.as_mut().ok_or("TYPE before HELP")?;
            if family != name || known.replace(kind.to_owned()).is_some() {
                return Err(format!("TYPE of {name} in {family}"));
            }
            check_type(name, kind)?;
        } else {
            let sample = sample(line)?;
            let (family, kind) = current.as_ref().ok_or("a sample before HELP")?;
            belongs(&sample, family, kind.as_deref().ok_or("a sample before TYPE")?)?;
            samples.push(sample);
        }
    }
    no_duplicates(&samples)?;
    histograms(&samples)?;
    Ok(Families(samples))
}

fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.chars().all(legal) { Ok(()) } else { Err(format!("a name: {name}")) }
}

fn check_type(name: &str, kind: &str) -> Result<(), String> {
    let reserved = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
    let other_units = ["_ms", "_millis", "_us", "_micros", "_ns"].iter().any(|suffix| name.ends_with(suffix));
    match kind {
        "gauge" | "histogram" if !reserved && !other_units => Ok(()),
        _ => Err(format!("{name} as a {kind}")),
    }
}

fn belongs(sample: &Sample, family: &str, kind: &str) -> Result<(), String> {
    let suffix = sample.name.strip_prefix(family);
    let le = sample.labels.contains_key("le");
    match (kind, suffix) {
        ("gauge", Some("")) | ("histogram", Some("_sum" | "_count")) if !le => Ok(()),
        ("histogram", Some("_bucket")) if le => Ok(()),
        _ => Err(format!("{} in {family}, a {kind}", sample.name)),
    }
}

fn sample(line: &str) -> Result<Sample, String> {
    let split = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line}"))?;
    let (name, rest) = line.split_at(split);
    check_name(name)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or_else(|| format!("no space before the value: {line}"))?;
    let value = value.parse().map_err(|_| format!("no number: {value}"))?;
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// Labels up to the brace, and what follows it.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without value")?;
        check_name(name)?;
        let (value, after) = quoted(after)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} comes twice"));
        }
        match after.split_at_checked(1) {
            Some(("}", after)) => return Ok((labels, after)),
            Some((",", after)) => rest = after,
            _ => return Err(format!("behind a label: {after}")),
        }
    }
}

/// A value up to its quote, and what follows that.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                Some((_, 'n')) => value.push('\n'),
                other => return Err(format!("an escape: {other:?}")),
            },
            _ => value.push(c),
        }
    }
    Err("a quote that does not end".to_owned())
}

fn no_duplicates(samples: &[Sample]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let twice = samples.iter().find(|sample| !seen.insert((&sample.name, &sample.labels)));
    twice.map_or(Ok(()), |sample| Err(format!("twice: {sample:?}")))
}

fn histograms(samples: &[Sample]) -> Result<(), String> {
    let buckets: Vec<&Sample> = samples.iter().filter(|sample| sample.labels.contains_key("le")).collect();
    let bound = |sample: &Sample| sample.labels["le"].parse::<f64>().unwrap_or(f64::NAN);
    let ascending = buckets.is_sorted_by(|a, b| bound(a) < bound(b) && a.value <= b.value);
    let last = buckets.last().ok_or("no bucket")?;
    let count = samples.iter().find(|sample| sample.name == last.name.replace("_bucket", "_count"));
    let sum = samples.iter().find(|sample| sample.name == last.name.replace("_bucket", "_sum"));
    let whole = last.labels["le"] == "+Inf"
        && count.is_some_and(|count| count.value.to_bits() == last.value.to_bits());
    if ascending && whole && sum.is_some() { Ok(()) } else { Err(format!("buckets: {buckets:?}")) }
}

const VALID: &str = "# HELP a_seconds A.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"1.0\"} 1\n\
    a_seconds_bucket{le=\"+Inf\"} 2\na_seconds_sum 3.5\na_seconds_count 2\n\
    # HELP b B.\n# TYPE b gauge\nb{x=\"1\"} 1\nb{x=\"2\"} 2\n";

#[test]
fn the_reader_takes_what_is_valid() {
    assert_eq!(read(VALID).unwrap().value("b", &[("x", "2")]), Some(2.0));
}

#[test]
fn the_reader_refuses_what_is_not() {
    for (from, to) in [
        ("a_seconds", "a-seconds"),
        ("# HELP b B.\n", ""),
        ("# TYPE b gauge\n", ""),
        ("# TYPE b gauge", "# TYPE b counter"),
        ("x=\"2\"", "x=\"1\""),
        ("x=\"2\"", "x=\"2"),
        ("x=\"2\"", "x=\"\\2\""),
        ("x=\"2\"", "x=\"2\",x=\"3\""),
        ("} 2\na_seconds_sum", "} 0\na_seconds_sum"),
        ("a_seconds_bucket{le=\"+Inf\"} 2\n", ""),
        ("a_seconds_sum 3.5\n", ""),
        ("a_seconds_count 2", "a_seconds_count 3"),
        ("le=\"1.0\"", "le=\"+Inf\""),
        ("b{x=\"2\"} 2\n", "b{x=\"2\"} 2\n# HELP a_seconds A.\n# TYPE a_seconds gauge\n"),
        ("b{x=\"2\"} 2\n", "b{x=\"2\"} two\n"),
        ("b{x=\"2\"} 2\n", "b{x=\"2\"} 2\na_seconds_sum 4\n"),
        ("b{x=\"2\"} 2\n", "b{x=\"2\"} 2"),
    ] {
        let spoiled = VALID.replace(from, to);
        assert_ne!(spoiled, VALID, "{from}");
        assert!(read(&spoiled).is_err(), "{spoiled}");
    }
}
