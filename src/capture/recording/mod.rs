//! Recordings of our own: what `--format json` has written, a line for each thing that was told.
//!
//! An exchange is drawn as it was told; nothing is inferred anew. Lines of kinds and with fields that we do not know
//! are of a later version, and passed over.

mod line;
mod rebuild;
mod segment;

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::time::Duration;

use self::line::Line;
use self::rebuild::Origin;
use super::error::CaptureError;
use super::table::{Contents, Entry, MOST_CONNECTIONS};
use super::tracing::{Told, TraceError};
use crate::record::Event;
use crate::record::connection::{Connection, Side};

/// A line of a recording has no more octets; a step has some two thousand.
const LONGEST: u64 = 64 * 1024;

/// The first octet of a recording, and of no capture.
pub(super) const FIRST: u8 = b'{';

/// The exchanges of a recording.
pub(super) fn survey(input: impl BufRead) -> Result<Contents, CaptureError> {
    let mut contents = Contents::default();
    let mut entries: Vec<Entry> = Vec::new();
    let mut lines = Lines::new(input);
    loop {
        match lines.next_told() {
            Ok(Some((_, Told::Begin(opening)))) => {
                let at = Duration::from_secs(opening.unix_seconds);
                entries.push(Entry::between(opening.local, opening.remote, at));
            }
            Ok(Some((number, Told::Step(step)))) => {
                let received = matches!(step.event, Event::Received { .. });
                let from = if received { Side::Remote } else { Side::Local };
                let entry = (number as usize).checked_sub(1).and_then(|index| entries.get_mut(index));
                if let (Some(entry), Some(segment)) = (entry, step.event.segment()) {
                    entry.count_after(from, segment, step.at);
                }
            }
            Ok(Some((_, Told::Opened(_) | Told::End(_)))) => {}
            Ok(None) => break,
            Err(error) if entries.is_empty() => return Err(error),
            Err(error) => {
                contents.damage = Some(error);
                break;
            }
        }
    }
    contents.passed_over.beyond = lines.beyond;
    contents.connections = (1..).zip(&entries).map(|(number, entry)| entry.connection(number)).collect();
    Ok(contents)
}

/// Tells one of them.
pub(super) fn trace(
    input: impl BufRead,
    connection: &Connection,
    mut tell: impl FnMut(Told) -> std::io::Result<()>,
) -> Result<(), TraceError> {
    let mut lines = Lines::new(input);
    while let Some((number, told)) = lines.next_told()? {
        if number == connection.number {
            tell(told)?;
        }
    }
    Ok(())
}

/// Reads line by line.
struct Lines<R> {
    input: R,
    line: Vec<u8>,
    count: u64,
    /// Exchanges that have begun.
    begun: u32,
    /// Which connection an exchange's number stands for: the last that began with it, and whence it comes.
    current: HashMap<u32, (u32, Origin)>,
    /// Lines of exchanges beyond the most that are told apart.
    beyond: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, line: Vec::new(), count: 0, begun: 0, current: HashMap::new(), beyond: 0 }
    }

    /// The next thing told, and of which connection, from 1.
    fn next_told(&mut self) -> Result<Option<(u32, Told)>, CaptureError> {
        while self.read()? {
            let line: Line = serde_json::from_slice(&self.line)
                .map_err(|error| self.malformed(format!("column {}, {}", error.column(), kind(&error))))?;
            if let Line::Begin(begin) = &line {
                begin.check_version().map_err(|fault| self.malformed(fault))?;
                if self.begun as usize >= MOST_CONNECTIONS {
                    self.current.remove(&begin.exchange);
                } else {
                    self.begun += 1;
                    let begun = Duration::from_secs(begin.unix_seconds);
                    let origin = Origin { source: begin.source(), begun };
                    self.current.insert(begin.exchange, (self.begun, origin));
                }
            }
            let Some(exchange) = line.exchange() else { continue };
            let Some(&(number, origin)) = self.current.get(&exchange) else {
                self.beyond += 1;
                continue;
            };
            match rebuild::told(line, origin) {
                Ok(Some(told)) => return Ok(Some((number, told))),
                Ok(None) => {}
                Err(fault) => return Err(self.malformed(fault.to_owned())),
            }
        }
        Ok(None)
    }

    /// Reads a line that says something; whether there was one.
    fn read(&mut self) -> Result<bool, CaptureError> {
        loop {
            self.line.clear();
            self.count += 1;
            let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.line)?;
            if read as u64 == LONGEST && !self.line.ends_with(b"\n") {
                return Err(self.malformed(format!("longer than {LONGEST} octets")));
            }
            if read == 0 || !self.line.trim_ascii().is_empty() {
                return Ok(read > 0);
            }
        }
    }

    fn malformed(&self, fault: String) -> CaptureError {
        CaptureError::Line { line: self.count, fault }
    }
}

/// What is wrong, without a word of the file.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data | serde_json::error::Category::Io => "not what tcpshake writes",
    }
}
