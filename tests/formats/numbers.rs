//! What each format tells, read back: all of them tell the same.

use std::process::Command;
use std::time::Duration;

use etherparse::{SlicedPacket, TransportSlice};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use regex::Regex;
use serde_json::Value;
use tcpshake::report::{mermaid, svg};

use crate::written::{page, recorded, written};

/// A segment's numbers, absolute and counted from the initial ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    seq: u32,
    ack: Option<u32>,
    relative: (u32, Option<u32>),
}

fn of_json(lines: &str) -> Vec<Numbers> {
    let number = |line: &Value, name: &str| Some(line[name].as_u64()? as u32);
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| {
            Some(Numbers {
                seq: number(&line, "seq")?,
                ack: number(&line, "ack"),
                relative: (number(&line, "rel_seq")?, number(&line, "rel_ack")),
            })
        })
        .collect()
}

/// From whatever has `seq N (n) ... ack M (m)` on a line.
fn of_text(text: &str) -> Vec<Numbers> {
    let numbers = Regex::new(r"seq (\d+) \((\d+)\)(?:[ ·]+ack (\d+) \((\d+)\))?").unwrap();
    numbers
        .captures_iter(text)
        .map(|found| {
            let number = |n: usize| Some(found.get(n)?.as_str().parse().unwrap());
            Numbers { seq: number(1).unwrap(), ack: number(3), relative: (number(2).unwrap(), number(4)) }
        })
        .collect()
}

/// A packet of a recording: when, its numbers, what is said of it.
struct Recorded {
    at: Duration,
    seq: u32,
    ack: Option<u32>,
    comment: String,
}

fn of_capture(octets: &[u8]) -> Vec<Recorded> {
    let mut reader = PcapNgReader::new(octets).unwrap();
    let mut recorded = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(block) = block.unwrap() else { continue };
        let packet = SlicedPacket::from_ip(&block.data).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("TCP") };
        let comment = block.options.iter().find_map(|option| {
            let EnhancedPacketOption::Comment(comment) = option else { return None };
            Some(comment.to_string())
        });
        recorded.push(Recorded {
            at: block.timestamp,
            seq: tcp.sequence_number(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            comment: comment.unwrap(),
        });
    }
    recorded
}

#[test]
fn every_format_tells_the_same_numbers() {
    let written = written();
    let told = of_json(&written.json);
    assert_eq!(told.len(), 11, "{}", written.json);
    assert_eq!(of_text(&written.ladder), told, "ladder");
    assert_eq!(of_text(&svg::render(&written.exchange, svg::Style::default())), told, "SVG");
    assert_eq!(of_text(&mermaid::render(&written.exchange)), told, "Mermaid");
    assert_eq!(of_text(&page(&written.exchange)), told, "the lesson page");
    let recorded = of_capture(&recorded(&written.exchange));
    let on_the_wire: Vec<_> = recorded.iter().map(|packet| (packet.seq, packet.ack)).collect();
    assert_eq!(on_the_wire, told.iter().map(|told| (told.seq, told.ack)).collect::<Vec<_>>(), "pcapng");
}

#[test]
fn every_format_tells_the_same_times() {
    let written = written();
    let steps = &written.exchange.steps;
    let times: Vec<Duration> = steps.iter().map(|step| step.at).collect();
    let of = |text: &str, pattern: &str| -> Vec<Duration> {
        let found: Vec<String> = Regex::new(pattern)
            .unwrap()
            .captures_iter(text)
            .map(|found| format!("{}{}", &found[1], &found[2]))
            .collect();
        found.iter().map(|micros| Duration::from_micros(micros.parse().unwrap())).collect()
    };
    assert_eq!(of(&written.json, r#""at_us":()(\d+)"#), times, "JSON");
    assert_eq!(of(&written.ladder, r"(?m)^ *\d+ +(\d+)\.(\d{3})  "), times, "ladder");
    let picture = svg::render(&written.exchange, svg::Style::default());
    assert_eq!(of(&picture, r#"class="time"[^>]*>(\d+)\.(\d{3})<"#), times, "SVG");
    let recorded = of_capture(&recorded(&written.exchange));
    let begun = steps[0].since_1970;
    assert_eq!(
        recorded.iter().map(|packet| packet.at.saturating_sub(begun)).collect::<Vec<_>>(),
        times,
        "pcapng"
    );
}

/// What was recorded, drawn as anybody's capture.
#[test]
fn a_recording_that_is_drawn_tells_the_same_numbers() {
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/demo.pcapng");
    for option in ["--svg", "--mermaid"] {
        let output = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
            .args(["draw", recording, "--quiet", option, "-"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let drawn = String::from_utf8(output.stdout).unwrap();
        assert_eq!(of_text(&drawn), of_json(&written().json), "{option}");
        assert!(drawn.contains("inferred"), "{option}");
    }
}

/// The step, the state and what it means, with each packet.
#[test]
fn a_recording_explains_each_packet() {
    let exchange = written().exchange;
    let comments: Vec<String> =
        of_capture(&recorded(&exchange)).into_iter().map(|packet| packet.comment).collect();
    assert_eq!(
        comments[1],
        "step 2, SYN-SENT to ESTABLISHED: The server agrees. Its own initial number is 9000. It acknowledges 4321 + 1 = 4322, because our SYN took one number."
    );
    for (n, (comment, step)) in (1..).zip(comments.iter().zip(&exchange.steps)) {
        assert!(comment.starts_with(&format!("step {n}, ")), "{comment}");
        assert!(comment.contains(step.state.name()), "{comment}");
    }
}
