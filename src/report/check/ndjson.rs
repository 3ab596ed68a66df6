//! One JSON object a line: `check`, a `target` for each, and `summary`; and the reader of it.
//!
//! The fields are those of [`record::check`](crate::record::check). Times are numbers whose names end in their
//! unit; `round_trips` are pairs of microseconds and how many exchanges had them. If there are very many pairs,
//! the first of them come before the summary, in lines of type `round-trips`, for no line is longer than
//! [`LONGEST`].

mod read;

use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::ser::Formatter;

pub use read::{Line, Lines, ReadError, read};

use super::Stream;
use crate::record::check::{Finding, Plan, Summary};

/// Version of the format: the first number changes when a field changes its meaning or goes.
pub const VERSION: &str = "1.0";

/// Octets that a line may have.
pub const LONGEST: usize = 1 << 20;

/// Pairs of round trips on one line: of 42 octets each, at most.
const PAIRS: usize = 16_384;

/// Writes JSON lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ndjson;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Written<'l> {
    Check {
        version: &'static str,
        program: &'static str,
        #[serde(flatten)]
        plan: &'l Plan,
    },
    Target(&'l Finding),
    RoundTrips(RoundTrips),
    Summary(#[serde(with = "SummaryLine")] Summary),
}

#[derive(Serialize, Deserialize)]
struct RoundTrips {
    round_trips: Vec<(u64, u64)>,
}

/// [`Summary`], with its duration as a number.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Summary")]
struct SummaryLine {
    met: u64,
    unmet: u64,
    not_checked: u64,
    exchanges: u64,
    ends: std::collections::BTreeMap<String, u64>,
    retransmissions: u64,
    #[serde(rename = "duration_ms", serialize_with = "as_millis", deserialize_with = "from_millis")]
    duration: Duration,
    round_trips: Vec<(u64, u64)>,
    packets_lost: u64,
    backed_off: u32,
    kernel_resets: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
}

fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_nanos() as f64 / 1e6)
}

/// The nanoseconds are whole again: a fraction of 53 bits tells them apart for as long as 52 days.
fn from_millis<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    Ok(Duration::from_nanos((millis * 1e6).round() as u64))
}

/// JSON without a character that a terminal would obey, or that turns the direction of a text.
struct Tame;

impl Formatter for Tame {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            let shown = super::words::line(c.encode_utf8(&mut [0; 4]));
            if shown.starts_with(c) {
                out.write_all(shown.as_bytes())?;
                continue;
            }
            for unit in c.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

fn write(line: &Written<'_>, out: &mut dyn Write) -> io::Result<()> {
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Tame))?;
    out.write_all(b"\n")
}

impl Stream for Ndjson {
    fn begin(&mut self, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
        let program = concat!("tcpshake ", env!("CARGO_PKG_VERSION"));
        write(&Written::Check { version: VERSION, program, plan }, out)
    }

    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        write(&Written::Target(finding), out)
    }

    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = summary.round_trips.chunks(PAIRS).map(<[_]>::to_vec);
        let last = pairs.next_back().unwrap_or_default();
        pairs.try_for_each(|round_trips| write(&Written::RoundTrips(RoundTrips { round_trips }), out))?;
        write(&Written::Summary(Summary { round_trips: last, ..summary.clone() }), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;

    fn ndjson(summary: &Summary, findings: &[Finding]) -> String {
        fixture::stream(&mut Ndjson, &fixture::plan(), summary, findings)
    }

    #[test]
    fn the_lines_are_these() {
        let written = ndjson(&fixture::summary(), &[fixture::not_checked()]);
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"type":"check","version":"1.0","program":"tcpshake 0.1.0","targets":3,"duplicates":2,"excluded":1,"resumed":0,"count":2,"rate":100.5,"per_host_rate":null,"max_in_flight":64,"seed":42,"shard":[1,4],"unix_seconds":1767323045}"#
        );
        assert!(
            lines[1].starts_with(
                r#"{"type":"target","target":"[2001:db8::1]:80","expected":["closed"],"verdict":"not-checked","totals":{"exchanges":0,"ends":{"completed":0,"#
            ),
            "{}",
            lines[1]
        );
        assert_eq!(
            lines[2],
            r#"{"type":"summary","met":1,"unmet":1,"not_checked":1,"exchanges":4,"ends":{"completed":2,"refused":2},"retransmissions":1,"duration_ms":1234.567891,"round_trips":[[120,1],[250,1]],"packets_lost":0,"backed_off":0,"kernel_resets":0}"#
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn no_text_from_outside_steers_the_terminal_and_all_is_valid() {
        let findings = fixture::hostile();
        let written = ndjson(&fixture::summed(&findings), &findings);
        fixture::assert_tame(&written);
        for line in written.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        assert_eq!(written.lines().count(), 6);
    }
}
