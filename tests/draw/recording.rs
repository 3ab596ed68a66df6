//! Recordings of our own are drawn as they were told.

use serde_json::Value;
use tcpshake::capture::{self, CaptureError, Perspective, Told};
use tcpshake::driver::Close;
use tcpshake::record::exchange::Exchange;
use tcpshake::report::Format;
use tcpshake::report::json::Json;
use tcpshake::report::ladder::{Ladder, Style};

use crate::inference::exchange;
use crate::support::{ACK, Packets};

/// An exchange as a format writes it.
pub(crate) fn written(format: &mut dyn Format, exchange: &Exchange) -> String {
    let mut out = String::new();
    format.begin(&exchange.opening, &mut out);
    for step in &exchange.steps {
        format.step(step, &mut out);
        if let Some(negotiation) = exchange.negotiation.filter(|_| step.n == 2) {
            format.opened(&negotiation, &mut out);
        }
    }
    if let Some(summary) = &exchange.summary {
        format.end(summary, &mut out);
    }
    out
}

/// What a format writes of a connection of a file.
fn redrawn(format: &mut dyn Format, file: &[u8], number: usize) -> String {
    let contents = capture::survey(file).unwrap();
    let mut out = String::new();
    capture::trace(file, &contents.connections[number - 1], Perspective::Client, |told| {
        match told {
            Told::Begin(opening) => format.begin(&opening, &mut out),
            Told::Step(step) => format.step(&step, &mut out),
            Told::Opened(negotiation) => format.opened(&negotiation, &mut out),
            Told::End(summary) => format.end(&summary, &mut out),
        }
        Ok(())
    })
    .unwrap();
    out
}

fn ladder(verbose: bool) -> Ladder {
    Ladder::new(Style { verbose, ..Style::default() })
}

#[test]
fn a_recording_is_drawn_as_the_exchange_was() {
    for close in [Close::Active, Close::Passive, Close::Reset, Close::None] {
        let exchange = exchange(close);
        let recording = written(&mut Json::default(), &exchange);
        let told = written(&mut ladder(true), &exchange);
        assert_eq!(redrawn(&mut ladder(true), recording.as_bytes(), 1), told, "{close:?}");
        assert_eq!(redrawn(&mut Json::default(), recording.as_bytes(), 1), recording, "{close:?}");
    }
}

/// Version 1.2 had no packets, and nothing of what stood before a step.
#[test]
fn an_older_recording_is_drawn_from_its_fields() {
    let exchange = exchange(Close::Active);
    let recording = written(&mut Json::default(), &exchange);
    let older = recording.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        for later in ["packet", "before", "snd_scale", "rto_us", "source", "remark", "remote_state"] {
            fields.remove(later);
        }
        if fields.contains_key("version") {
            fields.insert("version".into(), "1.2".into());
        }
        format!("{line}\n")
    });
    let older: String = older.collect();
    let told = written(&mut ladder(false), &exchange);
    assert_eq!(redrawn(&mut ladder(false), older.as_bytes(), 1), told);
}

/// Of two runs in one file, and of exchanges told at once, each is found.
#[test]
fn each_exchange_of_a_file_is_its_own() {
    let (first, second) = (exchange(Close::Active), exchange(Close::Reset));
    let runs = [&first, &second].map(|exchange| written(&mut Json::default(), exchange));
    let contents = capture::survey(runs.concat().as_bytes()).unwrap();
    assert_eq!(contents.connections.len(), 2);
    assert_eq!(contents.connections[0].sent.octets, 5);
    let told = written(&mut ladder(false), &second);
    assert_eq!(redrawn(&mut ladder(false), runs.concat().as_bytes(), 2), told);

    let renumbered = runs[1].replace("\"exchange\":1,", "\"exchange\":2,");
    let mut lines: Vec<&str> = Vec::new();
    for (one, other) in runs[0].lines().zip(renumbered.lines()) {
        lines.extend([one, other]);
    }
    let file = lines.join("\n");
    let steps = |number| redrawn(&mut Json::default(), file.as_bytes(), number).lines().count();
    assert!(steps(1) > 4 && steps(2) > 4);
}

/// What was drawn of a capture and written down is still told as inferred.
#[test]
fn a_drawn_capture_can_be_recorded() {
    let mut packets = Packets::default();
    packets.open().send(crate::support::From::Client, ACK, 1, 1, b"hello").close(5, 0);
    let drawn = redrawn(&mut Json::default(), &packets.pcap(), 1);
    assert_eq!(redrawn(&mut Json::default(), drawn.as_bytes(), 1), drawn);
    let told = redrawn(&mut ladder(true), &packets.pcap(), 1);
    assert_eq!(redrawn(&mut ladder(true), drawn.as_bytes(), 1), told);
    assert!(told.contains("inferred"), "{told}");
}

#[test]
fn what_we_did_not_write_is_refused_with_its_line() {
    let good = written(&mut Json::default(), &exchange(Close::Active));
    let begin = good.lines().next().unwrap();
    for (file, line) in [
        ("{\"type\":1}\n".to_owned(), 1),
        (begin.replace("\"1.4\"", "\"2.0\""), 1),
        (begin.replace("10.99.0.2:7", "example.org"), 1),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)), 1),
    ] {
        let error = capture::survey(file.as_bytes()).unwrap_err();
        assert!(matches!(error, CaptureError::Line { line: found, .. } if found == line), "{error}");
        assert!(error.to_string().lines().count() == 1, "{error}");
    }
    let by_hand = good.replace("\"state\":\"SYN-SENT\"", "\"state\":null");
    let damage = capture::survey(by_hand.as_bytes()).unwrap().damage.unwrap().to_string();
    assert!(damage.contains("line 2: a segment sent by hand"), "{damage}");
    let cut = capture::survey(&good.as_bytes()[..good.len() - 10]).unwrap();
    assert!(cut.damage.is_some() && cut.connections.len() == 1);
    let other = capture::survey(&b"{\"type\":\"check\",\"version\":\"3\"}\n\n"[..]).unwrap();
    assert!(other.connections.is_empty() && other.damage.is_none());
}

/// One of many connections of a service, drawn by itself.
#[test]
fn a_clients_exchange_begins_in_listen() {
    let recording = written(&mut Json::default(), &exchange(Close::Active));
    let recording = recording.replace("\"role\":\"active\"", "\"role\":\"passive\"");
    let told = redrawn(&mut ladder(false), recording.as_bytes(), 1);
    assert!(told.contains("LISTEN       │") && told.contains("  1     0.000"), "{told}");
}
