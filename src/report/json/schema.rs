//! The schema of the lines, made from the types that write them, is the one in the repository; and the lines keep to it.

use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::*;

/// Set, it writes the schemas instead of comparing them.
const BLESS: &str = "TCPSHAKE_BLESS";

/// Asserts that `docs/name` is the schema of `T`.
#[track_caller]
pub(in crate::report) fn assert_kept<T: JsonSchema>(name: &str) {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = kept(name);
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let same = std::fs::read_to_string(&path).unwrap_or_default() == made;
    assert!(same, "docs/{name} is out of date: {BLESS}=1 cargo test --lib schema");
}

fn kept(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "docs", name].iter().collect()
}

#[test]
fn the_schema_in_the_repository_is_that_of_these_types() {
    assert_kept::<Line<'_>>("tcpshake-exchange.schema.json");
}

/// A line of each kind, as full and as empty as it may be.
#[test]
fn every_line_keeps_to_the_schema() {
    let schema = std::fs::read_to_string(kept("tcpshake-exchange.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut out = String::new();
    let mut json = Json::default();
    let guard = GuardSummary {
        untested_because: Some("nothing answers".to_owned()),
        passed_over: vec![("nft", "not here".to_owned())],
        ..GuardSummary::default()
    };
    json.listening(
        &Listening { at: vec!["[::]:7".parse().unwrap()], guard, unix_seconds: u64::MAX },
        &mut out,
    );
    json.served(&Served::default(), &mut out);
    json.statistics(&Statistics::default(), &mut out);
    let rtts = vec![std::time::Duration::from_millis(1)];
    json.statistics(&Statistics { exchanges: 2, rtts, ..Statistics::default() }, &mut out);
    json.failed("no route", &mut out);
    let lines: Vec<_> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    for line in lines {
        schema.validate(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    let lie = serde_json::json!({"type": "error", "exchange": "1", "message": "no route"});
    assert!(!schema.is_valid(&lie), "a number is no text");
}
