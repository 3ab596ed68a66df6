//! Captures that were made to harm.

use pcap_file::DataLink;
use tcpshake::capture::{self, MOST_CONNECTIONS, Perspective};
use tcpshake::driver::Close;
use tcpshake::driver::observe::{Kept, Observer};
use tcpshake::lesson;
use tcpshake::report::Format;
use tcpshake::report::json::Json;
use tcpshake::report::ladder::{Ladder, Style};
use tcpshake::report::page::{self, Page, Shown};
use tcpshake::report::{mermaid, svg};

use crate::inference::exchange;
use crate::recording::written;
use crate::support::{ACK, From, Packets, SYN, packet, survey};

/// A small generator whose numbers are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn originals() -> Vec<Vec<u8>> {
    let mut packets = Packets::default();
    packets.open().send(From::Client, ACK, 1, 1, b"hello").send(From::Server, ACK, 1, 6, b"world");
    packets.send(From::Server, ACK, 1, 6, b"world").close(5, 5);
    let ethernet = [&[2; 12][..], &[0x81, 0, 0, 7, 8, 0]].concat();
    let mut v6 = Packets::between("[fd00::1]:4".parse().unwrap(), "[fd00::2]:80".parse().unwrap());
    v6.open().close(0, 0);
    vec![
        packets.pcap(),
        packets.pcap_of(DataLink::ETHERNET, &ethernet),
        packets.pcapng(DataLink::ETHERNET, &ethernet),
        packets.pcapng(DataLink::LINUX_SLL, &[&[0; 14][..], &[8, 0]].concat()),
        v6.pcap(),
        written(&mut Json::default(), &exchange(Close::Active)).into_bytes(),
    ]
}

/// Everything that can be drawn of a file is drawn.
/// As pictures, and as a page whose every header has fields.
fn picture(kept: Kept) {
    let Some(mut exchange) = kept.into_exchange() else { return };
    exchange.steps.truncate(200);
    exchange.remote.truncate(200);
    let _ = svg::render(&exchange, svg::Style::default());
    let _ = mermaid::render(&exchange);
    let role = exchange.opening.role;
    let sentences: Vec<_> = exchange.steps.iter().map(|step| Some(lesson::sentence(role, step))).collect();
    let shown = [Shown { exchange: &exchange, sentences: &sentences }];
    let page = page::render(&Page { title: "", introduction: &[], shown: &shown, course: None });
    assert!(!page.contains("\"fields\":[]"), "a header without fields: the script has nothing to draw");
}

/// Whether pages are made, too: they take much longer than all else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pictures {
    Drawn,
    LeftOut,
}

fn draw_all(file: &[u8], pictures: Pictures) {
    let Ok(contents) = capture::survey(file) else { return };
    let style = Style { verbose: true, hex: true, explain: Some(lesson::sentence), ..Style::default() };
    for connection in &contents.connections {
        for from in [Perspective::Client, Perspective::Server] {
            let (mut ladder, mut json) = (Ladder::new(style), Json::default());
            let (mut out, mut lines) = (String::new(), String::new());
            let mut kept = Kept::default();
            let _ = capture::trace(file, connection, from, |told| {
                match &told {
                    capture::Told::Begin(opening) => {
                        kept.begin(opening);
                        ladder.begin(opening, &mut out);
                        json.begin(opening, &mut lines);
                    }
                    capture::Told::Step(step) => {
                        kept.step(step);
                        ladder.step(step, &mut out);
                        json.step(step, &mut lines);
                    }
                    capture::Told::Opened(negotiation) => ladder.opened(negotiation, &mut out),
                    capture::Told::End(summary) => ladder.end(summary, &mut out),
                }
                Ok(())
            });
            ladder.connection(connection, &mut out);
            if pictures == Pictures::Drawn {
                picture(kept);
            }
            let safe = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
            assert!(out.chars().all(safe), "a control character reaches the terminal");
            assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        }
    }
}

/// P-13: captures with some octets changed, taken out, doubled, or cut off; ten thousand, or as many as `INPUTS` says:
/// `.ci/prove inputs`.
#[test]
fn mutated_captures_are_drawn_without_a_panic() {
    let mutations = std::env::var("INPUTS").map_or(10_000, |captures| captures.parse().unwrap());
    let originals = originals();
    let mut random = Random(0x5eed);
    for n in 0..mutations {
        let mut file = originals[n % originals.len()].clone();
        for _ in 0..=random.below(8) {
            let at = random.below(file.len());
            match random.below(6) {
                0 => file.truncate(at.max(1)),
                1 => drop(file.drain(at..(at + random.below(40)).min(file.len()))),
                2 => {
                    let copy = file[at..(at + random.below(80)).min(file.len())].to_vec();
                    file.splice(at..at, copy);
                }
                3 => file[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
                _ => file[at] ^= 1 << random.below(8),
            }
            if file.is_empty() {
                break;
            }
        }
        const EACH: usize = 19; // prime to the number of originals
        let pictures = if n % EACH == 0 { Pictures::Drawn } else { Pictures::LeftOut };
        draw_all(&file, pictures);
    }
}

/// P-13: a scan of more pairs than are told apart: those beyond are counted, and cost nothing.
#[test]
fn connections_are_bounded() {
    let mut packets = Packets::default();
    for n in 0..MOST_CONNECTIONS as u32 + 10 {
        let client = (std::net::Ipv4Addr::from(0x0a00_0000 + n / 50_000), (n % 50_000) as u16 + 1).into();
        packets.client = client;
        packets.identification = 0;
        packets.send(From::Client, SYN, 0, 0, b"");
    }
    let contents = survey(&packets.pcap());
    assert_eq!(contents.connections.len(), MOST_CONNECTIONS);
    assert_eq!(contents.passed_over.beyond, 10);
}

/// Interfaces without end would be kept without end.
#[test]
fn descriptions_of_interfaces_are_bounded() {
    let mut file = Packets::default().pcapng(DataLink::RAW, &[]);
    let interface =
        [&1_u32.to_le_bytes()[..], &20_u32.to_le_bytes(), &[101, 0, 0, 0, 0, 0, 0, 0], &20_u32.to_le_bytes()]
            .concat();
    for _ in 0..100_000 {
        file.extend(&interface);
    }
    let damage = survey(&file).damage.unwrap().to_string();
    assert!(damage.contains("interfaces"), "{damage}");
}

/// Nothing of a text beyond its beginning is kept, and no octet of it steers a terminal.
#[test]
fn text_is_escaped_and_cut() {
    let mut packets = Packets::default();
    packets.open().send(From::Server, ACK, 1, 1, &b"\x1b[2J\x07\xc2\x9b".repeat(100));
    draw_all(&packets.pcap(), Pictures::Drawn);
    let steps = crate::support::steps(&packets.pcap(), 1);
    assert_eq!(steps[3].packet.len(), 40, "headers alone");
}

/// A chain of segments, each behind another gap, and one packet that claims to be long.
#[test]
fn gaps_and_false_lengths_cost_nothing() {
    let mut packets = Packets::default();
    packets.open();
    for n in 0..10_000 {
        packets.identification = 0;
        packets.send(From::Server, ACK, 1000 + n * 10, 1, b"x");
    }
    let mut long = packet(packets.client, packets.server, &tcpshake::tcp::Segment::default(), b"", 1);
    long[2..4].copy_from_slice(&[0xff, 0xff]);
    let at = packets.seen[0].at;
    packets.seen.push(crate::support::Seen { at, octets: long, original_len: 0xffff });
    draw_all(&packets.pcap(), Pictures::Drawn);
}

/// A recording may have been written by anybody: its words are escaped wherever they are shown.
#[test]
fn the_words_of_a_recording_steer_no_terminal() {
    const STEERS: &str = "\"\\u001b[2J\\u009b\\u202e\"";
    let mut recording = written(&mut Json::default(), &exchange(Close::Active));
    for field in ["host", "guard_untested_because", "fault", "expected", "trouble"] {
        recording = recording.replace(&format!("\"{field}\":null"), &format!("\"{field}\":{STEERS}"));
    }
    let passed_over = format!("\"guard_passed_over\":[{{\"guard\":{STEERS},\"why\":{STEERS}}}]");
    recording = recording.replace("\"guard_passed_over\":[]", &passed_over);
    recording = recording.replacen(
        "\"event\":\"segment\",\"direction\":\"sent\"",
        "\"event\":\"unsent\",\"direction\":\"sent\"",
        1,
    );
    let contents = capture::survey(recording.as_bytes()).unwrap();
    assert!(contents.damage.is_none(), "{:?}", contents.damage);
    draw_all(recording.as_bytes(), Pictures::Drawn);
}
