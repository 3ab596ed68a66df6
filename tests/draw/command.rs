//! The command itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use pcap_file::DataLink;
use tempfile::NamedTempFile;

use crate::support::{ACK, From, Packets, RST_ACK, SYN};

/// Exit code, standard output, standard error.
fn run(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input); // not all of it may be wanted
    let output = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(crate) fn draw(file: &[u8], arguments: &[&str]) -> (i32, String, String) {
    let mut on_disk = NamedTempFile::new().unwrap();
    on_disk.write_all(file).unwrap();
    let path = on_disk.path().to_str().unwrap().to_owned();
    run(&[&["draw", &path], arguments].concat(), b"")
}

/// A refusal, then a whole connection of another port.
fn two() -> Packets {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"").send(From::Server, RST_ACK, 0, 1, b"");
    packets.client.set_port(40_001);
    packets.open().send(From::Client, ACK, 1, 1, b"hello").send(From::Client, ACK, 1, 1, b"hello");
    packets.close(5, 0);
    packets
}

#[test]
fn the_first_whole_connection_is_drawn_and_that_is_said() {
    let (code, ladder, notes) = draw(&two().pcap(), &[]);
    assert_eq!(code, 0, "{notes}");
    assert!(ladder.starts_with("10.0.0.1:40001 → 10.0.0.2:80\n"), "{ladder}");
    for part in [
        "drawn from a capture: the states of both ends are inferred",
        "SYN-SENT     │── SYN ──",
        "ESTABLISHED │",
        "ACK again",
        "retransmission: it begins with what was sent",
        "opened, closed · segments: 6 out, 3 in · octets: 10 out, 0 in",
    ] {
        assert!(ladder.contains(part), "{part}: {ladder}");
    }
    assert!(!ladder.contains("no answer yet"), "{ladder}");
    assert!(notes.contains("of 2 connections number 2 is drawn"), "{notes}");
    let (_, by_end, notes) = draw(&two().pcap(), &["--connection", "10.0.0.2:80"]);
    assert!(by_end.starts_with("10.0.0.1:40001 → 10.0.0.2:80\n"), "{by_end}");
    assert!(notes.contains("of 2 connections with that end number 2 is drawn"), "{notes}");
    assert!(ladder.lines().all(|line| line.chars().count() <= 80), "{ladder}");
}

#[test]
fn connections_are_listed_in_text_and_json() {
    let (code, list, notes) = draw(&two().pcapng(DataLink::RAW, &[]), &["--list"]);
    assert_eq!((code, &*notes), (0, ""));
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[1].contains("10.0.0.1:40000 → 10.0.0.2:80") && lines[1].ends_with("one SYN, refused"));
    assert!(lines[2].contains("10.0.0.1:40001 → 10.0.0.2:80") && lines[2].ends_with("opened, closed"));
    let (_, json, _) = draw(&two().pcap(), &["--list", "--format", "json"]);
    let second: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["type"], "connection");
    assert_eq!((&second["exchange"], &second["text_sent"]), (&2.into(), &10.into()));
    assert_eq!(second["finish"], "closed");
}

#[test]
fn a_connection_is_chosen_by_number_or_end() {
    for which in ["1", "10.0.0.1:40000"] {
        let (code, ladder, notes) = draw(&two().pcap(), &["--connection", which]);
        assert_eq!((code, &*notes), (0, ""));
        assert!(ladder.starts_with("10.0.0.1:40000 → "), "{ladder}");
    }
    let (code, out, error) = draw(&two().pcap(), &["--connection", "3"]);
    assert_eq!((code, &*out), (2, ""));
    assert!(error.contains("no such connection among the 2") && error.lines().count() == 1, "{error}");
    let (_, ladder, _) = draw(&two().pcap(), &["--connection", "2", "--from", "server"]);
    assert!(ladder.starts_with("10.0.0.2:80 → 10.0.0.1:40001\n"), "{ladder}");
    assert!(ladder.contains("LISTEN       │"), "{ladder}");
}

#[test]
fn json_says_what_is_inferred() {
    let (_, json, _) = draw(&two().pcap(), &["-c", "2", "--format", "json"]);
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["type"], &lines[0]["source"]), (&"begin".into(), &"capture".into()));
    let steps: Vec<_> = lines.iter().filter(|line| line["type"] == "step").collect();
    assert_eq!(steps.len(), 9);
    assert_eq!(steps[1]["remote_state"], "SYN-RECEIVED");
    assert_eq!(steps[4]["remark"], "retransmission");
    assert_eq!(lines.last().unwrap()["type"], "connection");
    assert!(lines.iter().any(|line| line["type"] == "opened"), "{json}");
}

#[test]
fn standard_input_and_a_closing_line_alone() {
    let (code, out, notes) = run(&["draw", "-", "-q", "-c", "1"], &two().pcap());
    assert_eq!((code, &*notes), (0, ""));
    let line = "10.0.0.1:40000 → 10.0.0.2:80: one SYN, refused · segments: 1 out, 1 in";
    assert!(out.starts_with(line) && out.lines().count() == 1, "{out}");
}

#[test]
fn what_cannot_be_read_is_one_line() {
    let (code, out, error) = run(&["draw", "/nowhere/at.all"], b"");
    assert_eq!((code, &*out), (8, ""));
    assert!(error.contains("cannot read '/nowhere/at.all'"), "{error}");
    let empty = Packets::default().pcap();
    for (file, expected) in [
        (b"GIF89a".as_slice(), "it is neither pcap nor pcapng nor a recording of tcpshake"),
        (b"".as_slice(), "it is neither pcap nor pcapng nor a recording of tcpshake"),
        (empty.as_slice(), "no TCP connection in"),
    ] {
        let (code, out, error) = draw(file, &[]);
        assert_eq!((code, &*out), (8, ""), "{error}");
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_damaged_file_is_drawn_as_far_as_it_goes() {
    let whole = two().pcap();
    let (code, ladder, notes) = draw(&whole[..whole.len() - 1], &["-c", "2"]);
    assert_eq!(code, 0);
    assert!(ladder.contains("LAST-ACK") && notes.contains("ends in the midst of a packet"), "{notes}");
    let mut broken = two().pcapng(DataLink::RAW, &[]);
    let len = broken.len();
    broken[len - 1] ^= 0x80;
    let (code, ladder, error) = draw(&broken, &["-c", "2"]);
    assert_eq!(code, 8);
    assert!(ladder.contains("LAST-ACK") && error.contains("cannot read all of"), "{error}");
}

#[test]
fn a_beginning_that_was_not_captured_is_told() {
    let mut packets = Packets::default();
    packets.send(From::Client, ACK, 7001, 5001, b"text").send(From::Server, ACK, 5001, 7005, b"");
    let (code, ladder, _) = draw(&packets.pcap(), &[]);
    assert_eq!(code, 0);
    assert!(ladder.contains("not captured from its beginning: taken for open"), "{ladder}");
    assert!(ladder.contains("  ESTABLISHED  │") && !ladder.contains("CLOSED"), "{ladder}");
    assert!(ladder.contains("beginning not seen, end not seen"), "{ladder}");
}
