//! Command lines of every sort, most of them wrong: each is understood or refused, in one line, with exit code 2 (P-15).
//!
//! Lines that are understood are not carried out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tcpshake::cli::args::Args;
use tcpshake::cli::{self, Exit};

/// Words that have hurt programs.
fn hostile() -> Vec<OsString> {
    let words = [
        "",
        "-",
        "--",
        "-1",
        "0",
        "65535",
        "65536",
        "4294967296",
        "99999999999999999999",
        "1e400",
        "NaN",
        "-0",
        "0x10",
        "10.0.0.1:80",
        "[::1]:80",
        "fe80::1%lo",
        "[fe80::1%nowhere]:80",
        "::ffff:10.0.0.1",
        "[::ffff:1.2.3.4]:1",
        "a:b:c",
        "255.255.255.255:1",
        "1.2.3.4:0",
        ":80",
        "host:",
        "[",
        "]",
        "[]",
        "[]:1",
        "%",
        "a=b",
        "=",
        ",",
        "1,,2",
        "10.0.0.0/33",
        "1..2",
        "2-1",
        "\u{1b}[2J",
        "\u{202e}",
        "\n",
        "\r\n",
        "\u{9b}",
        "S.",
        "SFRPAUEW",
        "mss",
        "mss=",
        "mss=70000",
        "hex=f",
    ];
    let mut hostile: Vec<OsString> = words.iter().map(OsString::from).collect();
    hostile.push(OsString::from_vec(vec![0xff, 0xfe, 0x80]));
    hostile.push(OsString::from_vec(b"10.0.0.1:8\xff".to_vec()));
    hostile.push(OsString::from("9".repeat(1 << 16)));
    hostile.push(OsString::from("a:".repeat(1 << 15)));
    hostile
}

/// The commands, and below each the options it has.
fn vocabulary(command: &clap::Command, path: &[OsString], found: &mut Vec<(Vec<OsString>, Vec<OsString>)>) {
    let options = command.get_arguments().flat_map(|argument| {
        let long = argument.get_long().map(|long| OsString::from(format!("--{long}")));
        let short = argument.get_short().map(|short| OsString::from(format!("-{short}")));
        let values = argument.get_possible_values();
        let values = values.into_iter().map(|value| OsString::from(value.get_name()));
        long.into_iter().chain(short).chain(values).collect::<Vec<_>>()
    });
    found.push((path.to_vec(), options.collect()));
    for below in command.get_subcommands() {
        vocabulary(below, &[path, &[OsString::from(below.get_name())]].concat(), found);
    }
}

fn line(
    random: &mut ChaCha8Rng,
    known: &[(Vec<OsString>, Vec<OsString>)],
    hostile: &[OsString],
) -> Vec<OsString> {
    let (path, options) = known.choose(random).unwrap();
    let mut line = path.clone();
    for _ in 0..random.random_range(0..6) {
        let option = options.choose(random).filter(|_| random.random_bool(0.6));
        let mut word = option.unwrap_or_else(|| hostile.choose(random).unwrap()).clone();
        if random.random_bool(0.2) {
            word.push("=");
            word.push(hostile.choose(random).unwrap());
        }
        line.push(word);
    }
    line
}

/// P-15: nothing that can be typed is a panic. A thousand lines, or as many as `INPUTS` says: `.ci/prove inputs`.
#[test]
fn p15_every_command_line_is_understood_or_refused_in_a_line() {
    let (hostile, mut known) = (hostile(), Vec::new());
    vocabulary(&Args::command(), &[OsString::from("tcpshake")], &mut known);
    let mut random = ChaCha8Rng::seed_from_u64(15);
    let lines = std::env::var("INPUTS").map_or(1_000, |lines| lines.parse().unwrap());
    let mut refused = 0;
    for _ in 0..lines {
        let line = line(&mut random, &known, &hostile);
        let Err(error) = Args::try_parse_from(&line) else { continue };
        let is_help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        if is_help {
            continue;
        }
        refused += 1;
        let failure = cli::run(line.clone()).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.exit, Exit::Usage, "{text}");
        assert!(
            !text.is_empty() && !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "{line:?}: {text:?}"
        );
    }
    assert!(refused > lines / 2, "{refused} of {lines} were refused: few are wrong");
}
