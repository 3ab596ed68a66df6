//! Holds what happened against a line, field by field, and says where the two differ.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use tcpshake::packet::{IpPacket, Ports};
use tcpshake::report::verdict::remarks;
use tcpshake::tcp::{Clause, Segment};
use tcpshake::time::Instant;

use crate::notation::{Expectation, Line, Sent, Side};
use crate::packets::text;
use crate::play::Player;
use crate::segments::{Number, Placement, relative, show_options, show_written};

/// Where a dialogue and the endpoint differ.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) line: usize,
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
    pub(crate) place: Option<Placement>,
    pub(crate) transcript: Vec<String>,
}

impl Failure {
    pub(crate) fn of(field: &str, expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        Self {
            line: 0,
            field: field.to_owned(),
            expected: expected.to_string(),
            actual: actual.to_string(),
            place: None,
            transcript: Vec::new(),
        }
    }

    /// The endpoint did not send what it should have.
    pub(crate) fn missing(line: &Line) -> Self {
        Self::of("segment", &line.source, "nothing was sent")
    }

    /// It sent something although it was not its turn.
    pub(crate) fn unexpected(line: &str, shown: &str) -> Self {
        Self::of("segment", line, format!("> {shown}"))
    }

    /// The message, for the file it is about.
    pub(crate) fn message(&self, file: &str) -> String {
        let Self { line, field, expected, actual, .. } = self;
        let mut message = format!("{file}:{line}: {field}: expected {expected}, actual {actual}");
        if let Some(Placement { iss, irs }) = self.place {
            let _ = write!(message, "\nwith ISS {iss} and IRS {irs}; so far:");
        }
        const MOST: usize = 200;
        let left_out = self.transcript.len().saturating_sub(MOST);
        if left_out > 0 {
            let _ = write!(message, "\n# {left_out} lines before");
        }
        self.transcript.iter().skip(left_out).fold(message, |all, line| format!("{all}\n{line}"))
    }
}

/// A packet of ours, read.
pub(crate) struct Ours<'p> {
    pub(crate) ip: IpPacket<'p>,
    pub(crate) ports: Ports,
    pub(crate) segment: Segment,
    pub(crate) text: &'p [u8],
}

/// Seconds since the beginning, as a line has them.
pub(crate) fn seconds(at: Instant) -> String {
    let nanos = at.as_nanos();
    let shown = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    let mut shown = shown.as_str();
    while shown.ends_with('0') && shown.len() - shown.find('.').unwrap_or_default() > 4 {
        shown = &shown[..shown.len() - 1];
    }
    shown.to_owned()
}

/// The fields that differ; the first of them is told.
#[derive(Default)]
struct Comparison(Option<Failure>);

impl Comparison {
    fn field<T: PartialEq + fmt::Display>(&mut self, name: &str, expected: T, actual: T) {
        if expected != actual {
            self.0.get_or_insert_with(|| Failure::of(name, expected, actual));
        }
    }

    /// One that the line may leave out.
    fn stated<T: PartialEq + fmt::Display>(&mut self, name: &str, expected: Option<T>, actual: T) {
        if let Some(expected) = expected {
            self.field(name, expected, actual);
        }
    }
}

impl Player<'_> {
    /// A segment of ours, with the line whose turn it is.
    pub(crate) fn compare(&self, at: Instant, sent: &Sent, packet: &Ours<'_>) -> Option<Failure> {
        let (place, segment, fields) = (self.place, &packet.segment, &sent.fields);
        let of = |number: Number, initial| relative(number.from(initial), initial);
        let seq = relative(segment.seq, place.iss);
        let (ends, addresses) = (self.dialogue.setup.ends(), packet.ip.addresses);
        let mut compared = Comparison::default();
        compared.field("flags", fields.flags.short(), segment.flags.short());
        compared.field("sequence number", of(fields.seq, place.iss), seq);
        compared.field("length", fields.text_len, segment.text_len);
        compared.stated(
            "acknowledgment",
            fields.ack.map(|ack| of(ack, place.irs)),
            relative(segment.ack, place.irs),
        );
        compared.stated("window", fields.window, segment.window.0);
        compared.stated("urgent pointer", fields.urgent, segment.urgent);
        compared.stated(
            "options",
            fields.options.as_deref().map(show_written),
            show_options(&segment.options, place),
        );
        let from = SocketAddr::new(addresses.source(), packet.ports.source);
        let to = SocketAddr::new(addresses.destination(), packet.ports.destination);
        compared.field("source", ends.local, from);
        compared.field("destination", sent.to.unwrap_or(ends.remote), to);
        compared.field("time", seconds(at), seconds(self.now));
        let is_right = packet.text == text(relative(segment.text_seq(), place.iss) - 1, packet.text.len());
        compared.field("text", "what was given", if is_right { "what was given" } else { "other octets" });
        compared.0
    }

    pub(crate) fn check(&mut self, expectation: &Expectation) {
        let mut compared = Comparison::default();
        match expectation {
            Expectation::Silence => {}
            Expectation::State(state) => compared.field("state", state.name(), self.state.name()),
            Expectation::Delivered(octets) => compared.field("delivered", *octets, self.user.delivered()),
            Expectation::Clause(clause) => {
                let decided: Vec<Clause> = self.told.iter().filter_map(|told| told.clause).collect();
                if !decided.contains(clause) {
                    let names: Vec<_> = decided.iter().map(|clause| clause.name()).collect();
                    compared.field("clause", clause.name().to_owned(), names.join(", "));
                }
            }
            Expectation::Told(text) => {
                let all: Vec<&str> = self.told.iter().map(|told| told.words.as_str()).collect();
                let is_told = all.iter().any(|line| line.starts_with(text));
                if !(is_told || (all.is_empty() && text == "nothing")) {
                    compared.field("told", text.clone(), all.join("; "));
                }
            }
            Expectation::Verdict(text) => {
                let verdict = self.summary.as_ref().map(|summary| summary.outcome.to_string());
                let verdict = verdict.unwrap_or_else(|| "none yet".to_owned());
                if !verdict.starts_with(text) {
                    compared.field("verdict", text.clone(), verdict);
                }
            }
            Expectation::Remark(text) => {
                let remarks = self.summary.as_ref().map(remarks).unwrap_or_default();
                if !remarks.iter().any(|remark| remark.starts_with(text)) {
                    compared.field("remark", text.clone(), remarks.join("; "));
                }
            }
            Expectation::Window(Side::Send, octets) => {
                compared.field("snd.wnd", *octets, self.snd.wnd.get());
            }
            Expectation::Window(Side::Receive, octets) => {
                compared.field("rcv.wnd", *octets, self.rcv.wnd.get());
            }
            Expectation::UrgentPointer(at) => {
                compared.field("rcv.up", *at, relative(self.rcv.up, self.place.irs));
            }
        }
        self.judge(compared.0);
    }
}
