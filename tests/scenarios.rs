//! Every scenario of the demo in virtual time: its whole transcript, to the last number.
//!
//! The transcripts stand in `tests/scenarios`, a file each.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs the program it tests"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use tcpshake::lesson::Scenario;

mod transcript;

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tcpshake")).arg("demo").args(arguments).output().unwrap()
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8(octets).unwrap()
}

/// What a scenario comes to: its steps, its outcomes, its exit code.
fn simulated(scenario: Scenario) -> String {
    let output = demo(&[scenario.name(), "--simulate", "--format", "json"]);
    assert_eq!(text(output.stderr), "", "{scenario:?}");
    transcript::of(&text(output.stdout), output.status.code().unwrap())
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// How the transcripts are made: `cargo test --test scenarios -- --ignored`, then each is read against RFC 9293.
#[test]
#[ignore = "needs somebody to read what it writes"]
fn write_the_transcripts() {
    for scenario in Scenario::ALL {
        std::fs::write(folder().join(format!("{}.txt", scenario.name())), simulated(scenario)).unwrap();
    }
}

#[test]
fn each_scenario_is_told_as_it_was_read_against_the_rfc() {
    for scenario in Scenario::ALL {
        let kept = std::fs::read_to_string(folder().join(format!("{}.txt", scenario.name()))).unwrap();
        assert_eq!(simulated(scenario), kept, "{scenario:?}");
    }
    let names: BTreeSet<_> =
        Scenario::ALL.iter().map(|scenario| format!("{}.txt", scenario.name())).collect();
    let files = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, names);
}

/// The same output, byte for byte, every time.
#[test]
fn the_simulator_repeats_itself() {
    for scenario in Scenario::ALL {
        let [first, second] = [(); 2].map(|()| text(demo(&[scenario.name(), "--simulate", "-v"]).stdout));
        assert_eq!(first, second, "{scenario:?}");
    }
}

/// What stands in front of words under a rung.
const DETAIL: &str = "                            │  ";

/// Each begins with its own words, explains each rung, and fits a terminal.
#[test]
fn each_scenario_has_its_own_words() {
    for scenario in Scenario::ALL {
        let ladder = text(demo(&[scenario.name(), "--simulate"]).stdout);
        assert!(ladder.starts_with(scenario.title()), "{ladder}");
        assert!(ladder.contains("\nWatch for: "), "{ladder}");
        assert!(ladder.lines().all(|line| line.chars().count() <= 80), "{ladder}");
        let is_rung = |line: &&str| line.ends_with("▶│") || line.contains("│◀");
        let rungs = ladder.lines().filter(is_rung).count();
        let explained = ladder
            .lines()
            .collect::<Vec<_>>()
            .chunk_by(|_, next| !is_rung(next))
            .skip(1)
            .filter(|lines| {
                lines
                    .iter()
                    .any(|line| line.starts_with(DETAIL) && (line.ends_with('.') || line.contains("(RFC ")))
            })
            .count();
        assert_eq!(explained, rungs, "{ladder}");
    }
}

#[test]
fn the_list_is_of_exactly_the_scenarios() {
    let list = text(demo(&["--list"]).stdout);
    let listed: Vec<_> = list.lines().map(|line| line.split_once("  ").unwrap()).collect();
    let expected: Vec<_> = Scenario::ALL.iter().map(|scenario| (scenario.name(), scenario.title())).collect();
    let listed: Vec<_> = listed.into_iter().map(|(name, title)| (name, title.trim_start())).collect();
    assert_eq!(listed, expected);
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
}

/// An index, and a page for each scenario that it leads to, and back.
#[test]
fn the_course_has_a_page_for_each_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let course = folder.path().join("course");
    let output = demo(&["--all", "--html", course.to_str().unwrap()]);
    assert_eq!((output.status.code(), text(output.stderr)), (Some(0), String::new()));
    let index = std::fs::read_to_string(course.join("index.html")).unwrap();
    for scenario in Scenario::ALL {
        let file = format!("{}.html", scenario.name());
        assert!(index.contains(&format!("\"{file}\"")), "{file}");
        let page = std::fs::read_to_string(course.join(&file)).unwrap();
        assert!(page.contains("\"index.html\""), "{file}");
        assert!(page.contains("Watch for"), "{file}");
    }
    assert_eq!(std::fs::read_dir(course).unwrap().count(), Scenario::ALL.len() + 1);
}

/// Pace waits for what has passed; none of it changes what is told.
#[test]
fn a_pace_changes_no_word() {
    let plain = text(demo(&["refused", "--simulate"]).stdout);
    assert_eq!(text(demo(&["refused", "--simulate", "--pace", "0.1"]).stdout), plain);
}

/// A signal ends even a scenario that would take long, with a report.
#[test]
fn a_signal_ends_a_paced_scenario() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .args(["demo", "silent", "--simulate", "--pace", "1000", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().contains("begin"));
    let process = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let last = lines.map(Result::unwrap).last().unwrap();
    assert!(last.contains("\"interrupted\""), "{last}");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
