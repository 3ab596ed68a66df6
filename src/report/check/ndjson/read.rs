//! Reads what [`Ndjson`](super::Ndjson) wrote, a killed run's file and that of a later version included.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use thiserror::Error;

use super::{LONGEST, RoundTrips, SummaryLine, VERSION};
use crate::record::check::{Finding, Plan, Summary};
use crate::report::text::clean;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The check begins.
    Check(Plan),
    /// One target is done.
    Target(Finding),
    /// The check is over.
    Summary(Summary),
}

/// Why a line cannot be read. Lines are counted from one.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file itself cannot be read any further.
    #[error("line {line}: {}", crate::cause::cause(source))]
    Io {
        /// Where.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// There is no end of it within [`LONGEST`] octets; nothing behind it is read.
    #[error("line {line} is longer than {LONGEST} octets")]
    TooLong {
        /// Where.
        line: u64,
    },
    /// It is not JSON, or lacks what its type must have.
    #[error("line {line}, column {column}: {fault}")]
    Malformed {
        /// Where.
        line: u64,
        /// And at which octet of it.
        column: usize,
        /// What is wrong.
        fault: String,
    },
    /// Its fields mean something else.
    #[error("line {line}: version {version}, and only {VERSION} can be read")]
    Version {
        /// Where.
        line: u64,
        /// What it says.
        version: String,
    },
}

/// The lines of a file; those of unknown types are passed over.
pub fn read<R: BufRead>(from: R) -> Lines<R> {
    Lines { from, number: 0, over: false, round_trips: Vec::new() }
}

/// The iterator that [`read`] returns.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    number: u64,
    over: bool,
    /// From lines before the summary they belong to.
    round_trips: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Wrapped(#[serde(with = "SummaryLine")] Summary);

impl<R: BufRead> Lines<R> {
    /// The next line, without its end, and whether it has one.
    fn next_line(&mut self) -> Result<Option<(Vec<u8>, bool)>, ReadError> {
        self.number += 1;
        let line = self.number;
        let mut octets = Vec::new();
        let mut bounded = (&mut self.from).take(LONGEST as u64 + 1);
        bounded.read_until(b'\n', &mut octets).map_err(|source| ReadError::Io { line, source })?;
        let ended = octets.pop_if(|last| *last == b'\n').is_some();
        if octets.len() > LONGEST {
            return Err(ReadError::TooLong { line });
        }
        Ok((ended || !octets.is_empty()).then_some((octets, ended)))
    }

    fn parse(&mut self, line: &[u8]) -> Result<Option<Line>, ReadError> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let Kind { kind, version } = self.object(line)?;
        Ok(match kind.as_str() {
            "check" => {
                self.readable(version.as_deref().unwrap_or_default())?;
                Some(Line::Check(self.object(line)?))
            }
            "target" => Some(Line::Target(self.object(line)?)),
            "round-trips" => {
                let RoundTrips { round_trips } = self.object(line)?;
                self.round_trips.extend(round_trips);
                None
            }
            "summary" => {
                let Wrapped(mut summary) = self.object(line)?;
                self.round_trips.append(&mut summary.round_trips);
                Some(Line::Summary(Summary { round_trips: std::mem::take(&mut self.round_trips), ..summary }))
            }
            _ => None,
        })
    }

    fn readable(&self, version: &str) -> Result<(), ReadError> {
        let first = |version: &str| version.split('.').next().map(str::to_owned);
        if first(version) == first(VERSION) {
            return Ok(());
        }
        Err(ReadError::Version { line: self.number, version: clean(version) })
    }

    fn object<'l, T: Deserialize<'l>>(&self, line: &'l [u8]) -> Result<T, ReadError> {
        serde_json::from_slice(line).map_err(|error| {
            let said = error.to_string();
            // It ends with the place, whose line is always the first: ours is the file's.
            let fault = said.rsplit_once(" at line ").map_or(said.as_str(), |(fault, _)| fault);
            ReadError::Malformed { line: self.number, column: error.column(), fault: clean(fault) }
        })
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let (line, ended) = match self.next_line() {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            };
            match self.parse(&line) {
                Ok(None) => {}
                Ok(Some(line)) => return Some(Ok(line)),
                Err(ReadError::Malformed { .. }) if !ended => break, // cut off where the run was killed
                Err(error) => return Some(Err(error)),
            }
        }
        self.over = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::fixture;
    use crate::report::check::ndjson::{Ndjson, PAIRS};

    fn lines(text: &str) -> Vec<Line> {
        read(text.as_bytes()).map(Result::unwrap).collect()
    }

    fn errors(text: &str) -> Vec<String> {
        read(text.as_bytes()).filter_map(Result::err).map(|error| error.to_string()).collect()
    }

    fn written(summary: &Summary, findings: &[Finding]) -> String {
        fixture::stream(&mut Ndjson, &fixture::plan(), summary, findings)
    }

    #[track_caller]
    fn assert_read_back(summary: &Summary, findings: &[Finding]) {
        let mut expected = vec![Line::Check(fixture::plan())];
        expected.extend(findings.iter().cloned().map(Line::Target));
        expected.push(Line::Summary(summary.clone()));
        assert_eq!(lines(&written(summary, findings)), expected);
    }

    #[test]
    fn what_was_written_is_read_back() {
        assert_read_back(&fixture::summary(), &fixture::findings());
        assert_read_back(&fixture::summary(), &fixture::hostile());
        assert_read_back(&fixture::interrupted(), &[]);
    }

    #[test]
    fn numbers_with_a_fraction_are_read_back_to_the_last_bit() {
        for step in 0..1000_u64 {
            let rate = 0.1 + step as f64 / 7.0;
            let plan = Plan { rate: Some(rate), ..fixture::plan() };
            let duration = std::time::Duration::from_nanos(step * 4_000_000_000_123 + 1);
            let summary = Summary { duration, ..Summary::default() };
            let text = fixture::stream(&mut Ndjson, &plan, &summary, &[]);
            assert_eq!(lines(&text), [Line::Check(plan), Line::Summary(summary)]);
        }
    }

    /// As many pairs as would make a line too long.
    #[test]
    fn very_many_round_trips_are_on_lines_that_can_be_read() {
        let base = u64::MAX - 100_000;
        let round_trips: Vec<_> = (0..100_000).map(|n| (base + n, base)).collect();
        let summary = Summary { round_trips, ..fixture::summary() };
        let text = written(&summary, &[]);
        assert!(text.lines().all(|line| line.len() <= LONGEST));
        assert_eq!(text.lines().count(), 1 + 100_000_usize.div_ceil(PAIRS));
        assert_read_back(&summary, &[]);
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        let text = written(&fixture::summary(), &[fixture::met()]);
        let more = text.replace("{\"type\":", "{\"new\":{\"a\":[1]},\"type\":");
        let more = format!("\n{{\"type\":\"news\",\"met\":7}}\r\n{more}");
        assert_eq!(lines(&more), lines(&text));
    }

    #[test]
    fn a_cut_line_is_left_out_wherever_the_cut_is() {
        let text = written(&fixture::summary(), &[fixture::unmet()]);
        let whole = lines(&text);
        for cut in 0..text.len() {
            let before = &text.as_bytes()[..cut];
            let read: Vec<Line> = read(before).map(Result::unwrap).collect();
            // A last line that lacks only its end is whole.
            let complete = (0..=cut).filter(|&at| text.as_bytes()[at] == b'\n').count();
            assert_eq!(read, whole[..complete], "cut at {cut}");
        }
    }

    #[test]
    fn an_error_says_where_and_the_next_line_is_read() {
        let text = written(&fixture::summary(), &[fixture::met()]);
        let spoiled = text.replacen('\n', "\nnonsense\n{\"type\":\"target\"}\n", 1);
        assert_eq!(
            errors(&spoiled),
            ["line 2, column 2: expected ident", "line 3, column 17: missing field `target`"]
        );
        assert_eq!(read(spoiled.as_bytes()).flatten().count(), 3);
    }

    #[test]
    fn an_error_does_not_steer_the_terminal() {
        let text = "{\"type\":\"target\",\"target\":\"a\",\"expected\":[],\"verdict\":\"\\u001b[31m\"}\n";
        let errors = errors(text);
        assert!(errors[0].contains("unknown variant"), "{errors:?}");
        fixture::assert_tame(&errors[0]);
    }

    #[test]
    fn another_version_is_not_guessed_at() {
        let text = written(&fixture::summary(), &[]);
        assert_eq!(
            errors(&text.replace("\"1.0\"", "\"2.0\"")),
            ["line 1: version 2.0, and only 1.0 can be read"]
        );
        assert!(errors(&text.replace("\"1.0\"", "\"1.7\"")).is_empty());
    }

    #[test]
    fn a_line_without_end_is_an_error_and_takes_no_more_memory() {
        const MORE: u64 = 1 << 40;
        let mut endless = io::BufReader::with_capacity(1, io::repeat(b' ').take(MORE));
        let read: Vec<_> = read(&mut endless).collect();
        assert_eq!(MORE - endless.get_ref().limit(), LONGEST as u64 + 1, "octets taken");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].as_ref().unwrap_err().to_string(), "line 1 is longer than 1048576 octets");
    }

    #[test]
    fn the_longest_line_is_read() {
        let line = format!("{{\"type\":\"news\"{}}}\n", " ".repeat(LONGEST - 15));
        assert_eq!(line.len(), LONGEST + 1);
        assert!(errors(&line).is_empty());
        assert_eq!(errors(&format!(" {line}")).len(), 1);
    }

    #[test]
    fn nothing_is_no_line() {
        assert!(lines("").is_empty());
    }
}
