//! `tcpshake doctor`.

use std::fmt::Write;

use serde::Serialize;

use super::args::{DoctorArgs, ListFormat};
use super::error::Failure;
use super::exit::Exit;
use super::guard::{complaint, json, print, program};
use crate::cause::cause;
use crate::doctor::{self, Examination, Finding, Level};
use crate::report::text::{clean, wrap};

pub(super) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let examination = doctor::examine(demo());
    print(&match args.format {
        ListFormat::Text => in_words(&examination),
        ListFormat::Json => as_json(&examination),
    })?;
    Ok(if examination.connect_works { Exit::Success } else { Exit::NotPossible })
}

/// Runs the demo in a process of its own; if that fails, what it said.
fn demo() -> Result<(), String> {
    let run = || program(std::env::current_exe()?).args(["demo", "--quiet"]).output();
    let output = run().map_err(|error| cause(&error))?;
    if output.status.success() { Ok(()) } else { Err(complaint(&output.stderr)) }
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::Good => "good",
        Level::Note => "note",
        Level::Bad => "bad",
    }
}

/// Level, topic, and what was found, with its remedy below.
fn in_words(examination: &Examination) -> String {
    const MARGIN: usize = 22;
    const WORDS: usize = 80 - MARGIN;
    let mut text = String::new();
    for Finding { topic, level, text: found, remedy } in &examination.findings {
        let mut margin = format!("{:4}  {topic:16}", name(*level));
        for line in wrap(&clean(found), WORDS) {
            let _ = writeln!(text, "{margin:MARGIN$}{line}");
            margin.clear();
        }
        if let Some(command) = remedy {
            let _ = writeln!(text, "{:MARGIN$}mend it: {}", "", clean(command)); // whole, to be copied
        }
    }
    text + if examination.connect_works { "\nconnect works here\n" } else { "\nconnect cannot work here\n" }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'l> {
    Finding { topic: &'static str, level: &'static str, text: &'l str, remedy: Option<&'l str> },
    Verdict { connect_works: bool },
}

fn as_json(examination: &Examination) -> String {
    let finding = |finding: &Finding| {
        let Finding { topic, level, text, remedy } = finding;
        json(&Line::Finding { topic, level: name(*level), text, remedy: remedy.as_deref() })
    };
    let findings: String = examination.findings.iter().map(finding).collect();
    findings + &json(&Line::Verdict { connect_works: examination.connect_works })
}
