//! A report in JSON as lines that people can read against the RFC.
//!
//! A line for each step: milliseconds, direction, flags, relative sequence and acknowledgment number, length, window,
//! the state it leads to, and the rule that decided.

use std::fmt::Write;

use serde_json::Value;

/// A number, or what stands for one that is not known.
fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn step(line: &Value) -> String {
    let direction = match line["direction"].as_str() {
        Some("sent") => ">",
        Some("received") => "<",
        _ => "-",
    };
    let [seq, ack, len, window] = ["rel_seq", "rel_ack", "len", "window"].map(|field| number(&line[field]));
    let at = line["at_us"].as_u64().unwrap() / 1000;
    let flags = line["flags"].as_str().unwrap_or("-");
    let (state, clause) = (line["state"].as_str().unwrap(), line["clause"]["name"].as_str());
    let clause = clause.or(line["event"].as_str()).unwrap();
    format!("{at:>6} {direction} {flags:<8} seq {seq} ack {ack} len {len} win {window}  {state} {clause}")
}

/// The steps, the outcomes, and the exit code.
pub(crate) fn of(report: &str, exit: i32) -> String {
    let mut transcript = String::new();
    for line in report.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["type"].as_str().unwrap() {
            "step" => writeln!(transcript, "{}", step(&line)).unwrap(),
            "end" => writeln!(transcript, "{}", line["outcome"].as_str().unwrap()).unwrap(),
            _ => {}
        }
    }
    writeln!(transcript, "exit {exit}").unwrap();
    transcript
}
