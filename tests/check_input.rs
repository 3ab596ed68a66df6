//! What `check` and `merge` say of what they cannot take, before anything is sent: no network is needed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs the program it tests"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use tempfile::TempDir;

/// Exit code, standard output and standard error, with this on standard input.
fn run(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // not all of it may be wanted
    let output = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Asserts that this is refused: each of `places` begins a line, in this order, and one more line ends it.
#[track_caller]
fn assert_refused(arguments: &[&str], input: &str, places: &[&str]) {
    let (code, stdout, stderr) = run(arguments, input);
    assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), places.len() + 1, "{stderr}");
    for (line, place) in lines.iter().zip(places) {
        assert!(line.starts_with(place), "{place}: {stderr}");
    }
    let count = if places.len() == 1 {
        "1 line is wrong".to_owned()
    } else {
        format!("{} lines are wrong", places.len())
    };
    let last = lines[lines.len() - 1];
    assert!(last.starts_with("tcpshake: ") && (places.is_empty() || last.contains(&count)), "{stderr}");
    assert!(!stderr.contains("os error") && !stderr.contains('\x1b'), "{stderr}");
}

const WRONG: &str = "\
10.0.0.1:80
10.0.0.1
10.0.0.1:0
10.0.0.1:65536
10.0.0.1:90-80
10.0.0.0/33:80
10.0.0.1:80 opened
10.0.0.2:80 open refused
# 10.0.0.1: a comment
10.0.0.3:80 banner~(
10.0.0.4:80 rtt<fast

[fe80::1:80
\x1b[2J:80
224.0.0.1:80
";

/// The lines of [`WRONG`] that are.
const PLACES: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15];

#[test]
fn each_wrong_line_is_told_with_its_place() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("targets").to_str().unwrap().to_owned();
    std::fs::write(&file, WRONG).unwrap();
    let places: Vec<String> = PLACES.iter().map(|line| format!("{file}:{line}: ")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    assert_refused(&["check", "-f", &file], "", &places);
    // Beside what is wrong on the command line, and in a list of whom to leave out.
    let excluded = folder.path().join("excluded").to_str().unwrap().to_owned();
    std::fs::write(&excluded, "10.0.0.0/8\n10.0.0.0/99\n").unwrap();
    let more = [&*format!("{excluded}:2: "), "--expect: ", "target 2: "];
    let arguments =
        ["check", "10.0.0.1:1", "10.0.0.1", "-e", "opened", "--exclude-file", &excluded, "-f", &file];
    assert_refused(&arguments, "", &[&more, &*places].concat());
}

#[test]
fn standard_input_is_a_file_like_another() {
    let places: Vec<String> = PLACES.iter().map(|line| format!("<stdin>:{line}: ")).collect();
    let (code, stdout, stderr) = run(&["check", "-f", "-"], WRONG);
    assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), places.len() + 1, "{stderr}");
    for (line, number) in stderr.lines().zip(PLACES) {
        assert!(line.contains(&format!(":{number}: ")), "{line}");
    }
}

#[test]
fn what_is_empty_or_no_file_is_told() {
    let folder = TempDir::new().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let empty = name("empty");
    std::fs::write(&empty, "\n# nothing\n").unwrap();
    for (arguments, words) in [
        (&["check", "-f", &empty][..], "nothing to check"),
        (&["check", "-f", "-"], "nothing to check"),
        (&["check", "10.0.0.1:80", "--exclude", "10.0.0.0/8"], "nothing to check"),
        (&["check", "-f", &name("")], "directory"),
        (&["check", "-f", &name("missing")], "no such file"),
        (&["check", "10.0.0.1:80", "--exclude-file", &name("missing")], "no such file"),
        (&["check", "10.0.0.1:80", "--resume", &name("missing")], "no such file"),
        (&["check", "10.0.0.1:80", "--resume", &name("")], "directory"),
        (&["check"], "TARGET"),
        (&["check", "10.0.0.1:80", "--shard", "4/3"], "shard"),
        (&["check", "10.0.0.1:80", "--rate=-1"], "rate"),
        (&["check", "10.0.0.1:80", "--count", "0"], "count"),
        (&["check", "10.0.0.1:80", "--report", "xml=-"], "KIND=FILE"),
        (&["merge", &name("missing")], "no such file"),
        (&["merge", &name("")], "directory"),
        (&["merge"], "FILE"),
    ] {
        let (code, stdout, stderr) = run(arguments, "");
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("os error"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_report_that_is_none_is_told_with_its_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("report").to_str().unwrap().to_owned();
    for (text, words) in [
        ("10.0.0.1:80 open\n{}\n", "line 1, column"),
        ("{\"type\":\"check\",\"version\":\"9.0\"}\n", "version 9.0"),
        ("{\"type\":\"later\"}\n{\"type\":\"target\"}\n", "line 2, column"),
    ] {
        std::fs::write(&file, text).unwrap();
        for arguments in [&["merge", &file][..], &["check", "10.0.0.1:80", "--resume", &file]] {
            let (code, stdout, stderr) = run(arguments, "");
            assert_eq!((code, &*stdout, stderr.lines().count()), (Some(2), "", 1), "{stderr}");
            assert!(stderr.contains(words) && stderr.contains(&file), "{stderr}");
        }
    }
}

/// Read to its end, and kept in little: a file of a million lines, one of them wrong.
#[test]
fn a_million_lines_take_little_memory() {
    const LINES: u32 = 1_000_000;
    const MOST_KIB: i64 = 100 * 1024;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("targets").to_str().unwrap().to_owned();
    let mut text = String::new();
    for n in 0..LINES {
        if n == LINES / 2 {
            text.push_str("10.0.0.1:99999\n");
        }
        let _ = writeln!(text, "10.{}.{}.{}:443", n >> 16, n >> 8 & 255, n & 255);
    }
    std::fs::write(&file, text).unwrap();
    assert_refused(&["check", "-f", &file], "", &[&format!("{file}:{}: ", LINES / 2 + 1)]);
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(peak < MOST_KIB, "{peak} KiB");
}
