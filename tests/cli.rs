//! The program as a whole, as far as it needs no network: help, manual, exit codes, the simulated demo.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs the program it tests"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tcpshake::cli::{Exit, manual};
use tcpshake::lesson::Scenario;

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tcpshake")).args(arguments).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// `cargo run -- man --dir man` makes them.
#[test]
fn the_manual_pages_in_the_repository_are_those_the_program_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let pages = manual::pages().unwrap();
    for page in &pages {
        let kept = std::fs::read(folder.join(&page.name)).unwrap_or_default();
        let same = kept == page.roff;
        assert!(same, "man/{} is out of date: cargo run -- man --dir man", page.name);
    }
    let names: BTreeSet<_> = pages.into_iter().map(|page| page.name).collect();
    let kept =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(kept.collect::<BTreeSet<_>>(), names);
}

/// Help, manual and README tell the same exit codes, and all of them.
#[test]
fn every_exit_code_is_told_everywhere() {
    let (code, help, _) = run(&["connect", "--help"]);
    assert_eq!(code, 0);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let pages = manual::pages().unwrap();
    let unescaped = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap().replace("\\-", "-");
    for exit in Exit::ALL {
        let row = format!("| {} | {} |", exit.code(), exit.text());
        assert!(readme.contains(&row), "README lacks {row}");
        assert!(help.contains(&format!("{:>5}  {}", exit.code(), exit.text())), "help lacks {exit:?}");
        for page in &pages {
            let text = unescaped(&page.roff);
            assert!(
                text.contains(&format!(".TP 6\n{}\n{}\n", exit.code(), exit.text())),
                "{} {exit:?}",
                page.name
            );
        }
    }
}

/// The demo's page names each scenario, and what it shows.
#[test]
fn every_scenario_is_in_the_manual() {
    let page = manual::pages().unwrap().into_iter().find(|page| page.name == "tcpshake-demo.1").unwrap();
    let text = String::from_utf8(page.roff).unwrap().replace("\\-", "-").replace("\\*(Aq", "'");
    for scenario in Scenario::ALL {
        assert!(text.contains(&format!(".TP\n{}\n{}\n", scenario.name(), scenario.title())), "{scenario:?}");
    }
}

#[test]
fn usage_errors_are_one_line_and_exit_2() {
    for arguments in [
        &["conect"][..],
        &["connect"],
        &["connect", "h:1", "--format", "xml"],
        &["demo", "x"],
        &["demo", "--pace", "human"],
        &["demo", "--simulate", "--pace", "slow"],
        &["demo", "--all"],
        &["demo", "--list", "--simulate"],
        &["send"],
        &["send", "h:1", "--flags", "Q"],
        &["send", "h:1", "--option", "2:5"],
        &["send", "h:1", "--data", "\\q"],
        &["send", "h:1", "--data", "@/nonexistent"],
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("tcpshake: "), "{stderr}");
    }
    let (code, _, stderr) = run(&[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("Usage: tcpshake"), "{stderr}");
}

#[test]
fn version_and_help_are_no_errors() {
    for arguments in [&["--version"][..], &["--help"], &["connect", "--help"], &["help", "demo"]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!stdout.is_empty());
    }
}

/// The whole page, in virtual time: always the same, to the last number and column.
#[test]
fn the_simulated_demo_is_told_the_same_every_time() {
    let expected = include_str!("demo-simulated.txt");
    let (code, stdout, stderr) = run(&["demo", "--simulate"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(stdout, expected, "tests/demo-simulated.txt");
    assert!(stdout.contains("4321 + 1 = 4322"));
}

/// 80 columns are enough, whatever is told.
#[test]
fn no_line_is_wider_than_80_columns() {
    for arguments in [&["demo", "--simulate"][..], &["demo", "--simulate", "-v"]] {
        let (_, stdout, _) = run(arguments);
        for line in stdout.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
    }
}

/// However wide it is: every line fits, the lifelines stand one below the other, and the numbers go up to the arrow
/// where that is long.
#[test]
fn a_ladder_is_as_wide_as_wanted() {
    for width in [80, 96, 120, 140, 200] {
        let (code, stdout, _) = run(&["demo", "--simulate", "-v", "--width", &width.to_string()]);
        assert_eq!(code, 0);
        let columns = |line: &str| line.chars().count();
        assert!(stdout.lines().all(|line| columns(line) <= width), "{width}: {stdout}");
        let rungs: Vec<&str> =
            stdout.lines().filter(|line| line.contains('▶') || line.contains('◀')).collect();
        assert!(rungs.len() > 8 && rungs.iter().all(|line| columns(line) == width), "{width}: {stdout}");
        let on_arrows = rungs.iter().filter(|line| line.contains("seq ")).count();
        assert_eq!(on_arrows, if width >= 130 { rungs.len() } else { 0 }, "{width}: {stdout}");
    }
    for wrong in ["79", "201", "wide", "-1"] {
        let (code, _, stderr) = run(&["demo", "--simulate", &format!("--width={wrong}")]);
        assert_eq!(code, 2);
        assert!(stderr.contains("a number of columns from 80 to 200 is expected"), "{stderr}");
    }
}

#[test]
fn numbers_are_shown_as_wanted() {
    for (which, shown) in [
        ("both", "seq 4322 (1)  ack 9001 (1)"),
        ("absolute", "seq 4322  ack 9001"),
        ("relative", "seq 1  ack 1"),
    ] {
        let (_, stdout, _) = run(&["demo", "--simulate", "--numbers", which]);
        assert!(stdout.lines().any(|line| line.trim_end().ends_with(shown)), "{which}: {stdout}");
    }
}

/// The octets under the rungs are those of the JSON, all of them.
#[test]
fn headers_are_shown_octet_by_octet() {
    let (_, ladder, _) = run(&["demo", "--simulate", "-x", "--width", "120"]);
    let (_, json, _) = run(&["demo", "--simulate", "--format", "json"]);
    let lines = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let packets: String = lines.filter_map(|line| line["packet"].as_str().map(ToOwned::to_owned)).collect();
    let octets = |line: &str| {
        let words = line.trim_start().strip_prefix("│  ")?.split("  ").next()?.replace(' ', "");
        (words.len() % 2 == 0 && words.bytes().all(|c| c.is_ascii_hexdigit())).then_some(words)
    };
    let shown: String = ladder.lines().filter_map(octets).collect();
    assert_eq!(shown, packets);
    assert!(ladder.contains("00 00 10 e1  Sequence number 4321"), "{ladder}");
}

/// Standard input that has ended answers everything.
#[test]
fn a_demo_can_be_stepped_through() {
    for arguments in [&["demo", "--simulate", "--step"][..], &["demo", "refused", "--simulate", "--step"]] {
        let (_, stdout, stderr) = run(arguments);
        assert_eq!(stderr, "");
        assert!(stdout.contains("next: SYN  seq 4321  len 0 · Enter\n"), "{stdout}");
        assert_eq!(stdout.matches("next: ").count(), 1, "{stdout}");
    }
    let (code, _, stderr) = run(&["demo", "--simulate", "--step", "--format", "json"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("leave out --format json"), "{stderr}");
}

/// Seven bits, and nothing moved.
#[test]
fn ascii_draws_the_same_ladder() {
    let (_, unicode, _) = run(&["demo", "--simulate", "-v"]);
    let (_, ascii, _) = run(&["demo", "--simulate", "-v", "--ascii"]);
    assert!(ascii.is_ascii() && !unicode.is_ascii());
    let columns = |text: &str| text.lines().map(|line| line.chars().count()).collect::<Vec<_>>();
    assert_eq!(columns(&ascii), columns(&unicode));
    let (_, json, _) = run(&["demo", "--simulate", "--format", "json", "--ascii"]);
    assert!(json.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

/// What the colours mean is said in them, and not where there are none.
#[test]
fn colours_have_a_legend() {
    let (_, plain, _) = run(&["demo", "--simulate"]);
    let (_, coloured, _) = run(&["demo", "--simulate", "--color", "always"]);
    let legend = coloured.lines().find(|line| line.contains("colours: ")).unwrap();
    let sent = legend.find("sent").map(|at| &legend[at - 5..at]).unwrap();
    assert!(coloured.lines().any(|line| line.contains("── SYN") && line.contains(sent)), "{coloured}");
    assert!(!plain.contains("colours"));
}

#[test]
fn json_is_one_object_a_line() {
    let (code, stdout, _) = run(&["demo", "--simulate", "--format", "json"]);
    assert_eq!(code, 0);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("begin", "end"));
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| ["step", "opened"].contains(kind)));
    let opened = &lines[kinds.iter().position(|kind| *kind == "opened").unwrap()];
    assert_eq!(
        (&opened["agreed"], &opened["ttl"]),
        (&serde_json::json!(["sack", "window-scale"]), &64.into())
    );
    let syn = &lines[1];
    for (field, value) in [
        ("n", Value::from(1)),
        ("at_us", 0.into()),
        ("direction", "sent".into()),
        ("flags", "SYN".into()),
        ("seq", 4321.into()),
        ("ack", Value::Null),
        ("rel_seq", 0.into()),
        ("rel_ack", Value::Null),
        ("len", 0.into()),
        ("window", 64240.into()),
        ("state", "SYN-SENT".into()),
    ] {
        assert_eq!(syn[field], value, "{field}");
    }
    assert_eq!(syn["clause"]["section"], "RFC 9293 3.10.1");
    assert_eq!(lines.last().unwrap()["outcome"], "completed");
}

#[test]
fn quiet_prints_the_closing_line_alone() {
    let (code, stdout, _) = run(&["demo", "--simulate", "-q"]);
    assert_eq!((code, stdout.lines().count()), (0, 1));
    assert!(
        stdout.starts_with("10.99.0.2:7: opened and closed, both FINs acknowledged · open 20.000 ms"),
        "{stdout}"
    );
}

/// Messages of the network's own making never reach the terminal as they are.
#[test]
fn p01_a_hostile_host_name_is_escaped() {
    let (code, _, stderr) = run(&["connect", "a\u{202e}b\x1b]0;x\x07:99999"]);
    assert_eq!(code, 2);
    assert!(stderr.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{stderr:?}");
}
