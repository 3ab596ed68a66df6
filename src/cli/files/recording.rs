//! The packets of what happens, as they are told: whoever reads the file sees all of them up to the last, even if we are
//! killed.

use std::fs::File;
use std::io::{self, BufWriter};

use crate::cli::error::Failure;
use crate::cli::sink::Place;
use crate::lesson;
use crate::record::{Opening, Role, Step};
use crate::report::pcapng::Capture;

type Packets = Capture<BufWriter<File>>;

/// A capture that is being written.
pub(super) struct Recording {
    place: Place,
    /// Once something has begun.
    capture: Option<Packets>,
    role: Role,
    /// What went wrong first; from then on nothing is written.
    written: io::Result<()>,
}

impl Recording {
    pub(super) const fn new(place: Place) -> Self {
        Self { place, capture: None, role: Role::Active, written: Ok(()) }
    }

    /// A service waits: there may be a client, or none.
    pub(super) fn listening(&mut self) {
        self.go_on(|_| Ok(()));
    }

    pub(super) fn begin(&mut self, opening: &Opening) {
        self.role = opening.role;
        self.go_on(|_| Ok(()));
    }

    pub(super) fn step(&mut self, step: &Step) {
        let role = self.role;
        self.go_on(|capture| capture.step(role, step, Some(&lesson::sentence(role, step))));
    }

    /// Writes, and lets whoever reads along see it.
    fn go_on(&mut self, write: impl FnOnce(&mut Packets) -> io::Result<()>) {
        if self.written.is_ok() {
            self.written = self.begun().and_then(|capture| {
                write(capture)?;
                capture.flush()
            });
        }
    }

    /// The capture, begun if it is not.
    fn begun(&mut self) -> io::Result<&mut Packets> {
        if self.capture.is_none() {
            let file = self.place.emptied()?.try_clone()?;
            self.capture = Some(Capture::begin(BufWriter::new(file), Some(&command()))?);
        }
        self.capture.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What became of it.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.place.written(self.written)
    }
}

/// The command as it was typed, so that a shell would take it again.
fn command() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(&argument.to_string_lossy()));
    arguments.fold("tcpshake".to_owned(), |command, argument| command + " " + &argument)
}

fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_would_take_it_again() {
        assert_eq!(quoted("10.0.0.5:80"), "10.0.0.5:80");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(r"GET /\r\n"), r"'GET /\r\n'");
    }
}
