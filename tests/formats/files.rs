//! The program writes them where it is told to, and says what can be wrong with that.

use std::fs;
use std::process::{Command, Output};

use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use tempfile::TempDir;

use crate::snapshots::assert_snapshot;

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpshake"));
    command.args(["demo", "--simulate", "--quiet"]).args(arguments).output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

#[test]
fn all_of_them_in_one_run() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [svg, mermaid, html, pcap] = ["x.svg", "x.mmd", "x.html", "x.pcapng"].map(path);
    fs::write(&svg, "what was there before ".repeat(4096)).unwrap();
    let output = demo(&["--svg", &svg, "--mermaid", &mermaid, "--html", &html, "--pcap", &pcap]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(text(&output.stdout).starts_with("10.99.0.2:7: opened and closed"));
    assert_snapshot("demo.svg", &fs::read(&svg).unwrap());
    assert_snapshot("demo.mmd", &fs::read(&mermaid).unwrap());
    let octets = fs::read(&pcap).unwrap();
    let mut reader = PcapNgReader::new(&octets[..]).unwrap();
    let [SectionHeaderOption::Comment(command)] = &reader.section().options[..] else { panic!("a comment") };
    let typed = format!(
        "tcpshake demo --simulate --quiet --svg {svg} --mermaid {mermaid} --html {html} --pcap {pcap}"
    );
    assert_eq!(*command, typed);
    let page = fs::read_to_string(&html).unwrap();
    assert!(page.contains("10.99.0.1:40000 → 10.99.0.2:7") && page.contains("4321 + 1 = 4322"));
    let mut packets = 0;
    while let Some(block) = reader.next_block() {
        packets += u32::from(matches!(block.unwrap(), Block::EnhancedPacket(_)));
    }
    assert_eq!(packets, 11);
}

#[test]
fn a_file_on_standard_output_moves_the_report() {
    let output = demo(&["--svg", "-"]);
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot("demo.svg", &output.stdout);
    assert!(text(&output.stderr).starts_with("10.99.0.2:7: opened and closed"));
}

#[test]
fn the_picture_is_as_asked() {
    let output = demo(&["--svg", "-", "--svg-spacing", "time", "--svg-theme", "dark"]);
    assert_snapshot("demo-time-dark.svg", &output.stdout);
}

#[test]
fn a_full_disk_is_told_and_changes_the_exit_code() {
    for option in ["--svg", "--mermaid", "--html", "--pcap"] {
        let output = demo(&[option, "/dev/full"]);
        assert_eq!(output.status.code(), Some(8), "{option}");
        assert_eq!(
            text(&output.stderr),
            "tcpshake: cannot write to '/dev/full': no space left on device\n",
            "{option}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_is_told_before_anything_is_done() {
    let output = demo(&["--svg", "/nonexistent/x.svg"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(8), ""));
    assert_eq!(
        text(&output.stderr),
        "tcpshake: cannot write to '/nonexistent/x.svg': no such file or directory\n"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let run =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_tcpshake")).args(arguments).output().unwrap();
    for (arguments, words) in [
        (&["connect", "127.0.0.1:1", "--count", "3", "--svg", "x"][..], "--svg shows one exchange"),
        (&["listen", "9", "--mermaid", "x"], "--mermaid shows one connection (add --count 1)"),
        (&["demo", "--svg", "x", "--pcap", "x"], "--svg and --pcap cannot both write to 'x'"),
        (&["connect", "127.0.0.1:1", "--output", "-", "--svg", "-"], "--output and --svg cannot both"),
        (&["demo", "--svg-theme", "dark"], "--svg"),
    ] {
        let output = run(arguments);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
        assert!(!fs::exists("x").unwrap(), "{arguments:?}");
    }
}

/// What the user wants sent is still there afterwards.
#[test]
fn a_file_that_is_sent_is_not_written_over() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.txt").to_str().unwrap().to_owned();
    fs::write(&file, "precious").unwrap();
    let send = format!("@{file}");
    let output = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .args(["connect", "127.0.0.1:1", "--send", &send, "--svg", &file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot be sent and written at once"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

/// The lines of a real run keep to the schema that is kept with the program.
#[test]
fn the_json_report_keeps_to_its_schema() {
    let schema = include_str!("../../docs/tcpshake-exchange.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .args(["demo", "--simulate", "--format", "json"])
        .output()
        .unwrap();
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 14, "{lines}");
    for line in lines.lines() {
        let value = serde_json::from_str(line).unwrap();
        schema.validate(&value).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}
