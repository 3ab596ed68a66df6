//! The packets of what happens, as they are told: whoever reads the file sees all of them up to the last, even if we are
//! killed.

use std::fs::File;
use std::io::{self, BufWriter};

use super::News;
use crate::cli::error::Failure;
use crate::cli::sink::Place;
use crate::lesson;
use crate::record::Role;
use crate::report::pcapng::Capture;

/// A capture that is being written.
pub(super) struct Recording {
    place: Place,
    /// Once something has begun.
    capture: Option<Capture<BufWriter<File>>>,
    role: Role,
    /// What went wrong first; from then on nothing is written.
    written: io::Result<()>,
}

impl Recording {
    pub(super) const fn new(place: Place) -> Self {
        Self { place, capture: None, role: Role::Active, written: Ok(()) }
    }

    pub(super) fn take(&mut self, news: &News) {
        if self.written.is_ok() {
            self.written = self.write(news);
        }
    }

    fn write(&mut self, news: &News) -> io::Result<()> {
        match news {
            News::Listening(_) => self.begin(),
            News::Begin(opening) => {
                self.role = opening.role;
                self.begin()
            }
            News::Step(step) => {
                let Some(capture) = &mut self.capture else { return Ok(()) };
                capture.step(self.role, step, lesson::sentence(step).as_deref())?;
                capture.flush()
            }
            News::Number(_)
            | News::Opened(_)
            | News::End(_)
            | News::Statistics(_)
            | News::Served(_)
            | News::Failed(_)
            | News::Prompt(_) => Ok(()),
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.capture.is_none() {
            let file = self.place.emptied()?.try_clone()?;
            let capture = self.capture.insert(Capture::begin(BufWriter::new(file), Some(&command()))?);
            capture.flush()?;
        }
        Ok(())
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
