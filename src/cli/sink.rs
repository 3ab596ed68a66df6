//! Where received text goes: a file or standard output, written by a thread of its own.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::Failure;
use super::queue::{Bell, Queue};
use super::signals::Signals;
use crate::cause::cause;
use crate::net::privileges;
use crate::record::Signal;

/// Whether this names standard output.
pub(super) fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A place for text, found to be writable.
#[derive(Debug)]
pub(super) struct Place {
    file: File,
    name: String,
    /// Whether what is in it already is somebody else's.
    is_standard_output: bool,
}

impl Place {
    /// Opens it; one that is `read` meanwhile is refused.
    pub(super) fn open(path: &Path, read: Option<&File>) -> Result<Self, Failure> {
        if is_standard_output(path) {
            let file = io::stdout().as_fd().try_clone_to_owned();
            let file = file.map_err(|error| Failure::cannot("write to standard output", &error))?.into();
            return Ok(Self { file, name: "standard output".into(), is_standard_output: true });
        }
        let name = format!("'{}'", path.display());
        let cannot = |error: io::Error| Failure::cannot(format_args!("write to {name}"), &error);
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(cannot)?;
        if read.is_some_and(|read| are_one(read, &file)) {
            return Err(Failure::usage(format_args!("{name} cannot be sent and written at once")));
        }
        if file.metadata().map_err(cannot)?.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { file, name, is_standard_output: false })
    }

    /// The file, emptied: what was in it is no longer wanted.
    pub(super) fn emptied(&self) -> io::Result<&File> {
        if !self.is_standard_output && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        Ok(&self.file)
    }

    /// What became of writing there: a pipe that nobody reads any more is no reason to fail, a full disk is.
    pub(super) fn written(&self, result: io::Result<()>) -> Result<(), Failure> {
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::cannot(format_args!("write to {}", self.name), &error))
            }
            _ => Ok(()),
        }
    }

    /// Begins to write what will be put.
    pub(super) fn start(self, bell: &Bell) -> Result<Sink, Failure> {
        let queue = Queue::new(bell);
        let emptied = Arc::clone(&queue);
        let start = || -> io::Result<Sink> {
            let (done, open_while_writing) = io::pipe()?;
            let file = self.file.try_clone()?;
            privileges::thread("sink", move || {
                let _open = open_while_writing;
                write_all(&self, &emptied);
            })?;
            Ok(Sink { queue, file, done })
        };
        start().map_err(|error| Failure::cannot("start to write", &error))
    }
}

/// Whether both are the same file on a disk.
fn are_one(one: &File, other: &File) -> bool {
    let identity = |file: &File| {
        let data = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((data.dev(), data.ino()))
    };
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

fn write_all(place: &Place, queue: &Queue) {
    let shown = if place.file.is_terminal() { escaped } else { as_it_is };
    while let Some(octets) = queue.take() {
        if let Err(error) = (&place.file).write_all(&shown(&octets)) {
            return queue.fail(format!("cannot write to {}: {}", place.name, cause(&error)));
        }
    }
}

fn as_it_is(octets: &[u8]) -> Cow<'_, [u8]> {
    octets.into()
}

/// What would steer a terminal does not reach it.
fn escaped(octets: &[u8]) -> Cow<'_, [u8]> {
    let mut escaped = Vec::with_capacity(octets.len());
    for octet in octets {
        match octet {
            b' '..=b'~' | b'\n' | b'\t' => escaped.push(*octet),
            _ => escaped.extend(octet.escape_ascii()),
        }
    }
    escaped.into()
}

/// Takes received text as far as there is room for it.
#[derive(Debug)]
pub(super) struct Sink {
    queue: Arc<Queue>,
    /// What is written to.
    file: File,
    /// Hangs up once the writer has ended, however.
    done: PipeReader,
}

impl Sink {
    /// Empties a file: the first exchange begins, so what was in it is no longer wanted.
    pub(super) fn empty(&self) -> Result<(), Failure> {
        let is_file = self.file.metadata().is_ok_and(|data| data.is_file());
        let emptied = if is_file { self.file.set_len(0) } else { Ok(()) };
        emptied.map_err(|error| Failure::cannot("empty the file of --output", &error))
    }

    /// Takes a part of `text`; yields how much.
    pub(super) fn put(&self, text: &[u8]) -> usize {
        self.queue.try_put(text)
    }

    /// Takes all of `text`.
    pub(super) fn put_rest(&self, text: &[u8]) {
        self.queue.put_rest(text);
    }

    /// Why the writer has ended before its time.
    pub(super) fn error(&self) -> Option<String> {
        self.queue.error()
    }

    /// Waits until all is written, for a signal, or for no longer than `most`. Yields the signal.
    pub(super) fn finish(self, signals: &Signals, most: Option<Duration>) -> Result<Option<Signal>, Failure> {
        self.queue.complete();
        let caught = signals.wait_for(self.done.as_fd(), most);
        match self.error() {
            Some(error) => Err(Failure::not_possible(error)),
            None => Ok(caught.map(|caught| caught.signal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let shown = escaped(&all);
        assert!(shown.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\n' | b'\t')));
        assert_eq!(&*escaped(b"\x1b[2J\r\0\xc2\x9b"), br"\x1b[2J\r\x00\xc2\x9b");
        let plain = b"a \"line\" of C:\\ \t and more\n";
        assert_eq!(&*escaped(plain), plain);
    }
}
