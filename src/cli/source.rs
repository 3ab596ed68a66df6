//! Where the text to send comes from: the command line, a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use super::args::Sending;
use super::error::Failure;
use super::queue::{Bell, Queue, Taken, uninterrupted};
use crate::cause::cause;
use crate::driver::{Recital, Say, Talk};
use crate::net::privileges;

/// As much is read, and said, in one piece.
const PIECE: usize = 64 * 1024;

/// What is to be sent, found to be there; nothing waits for it yet.
#[derive(Debug)]
pub(super) struct Opened {
    /// What is known of it already.
    first: Vec<u8>,
    /// Where it is, if not on the command line.
    file: Option<File>,
    /// Its name in words.
    name: String,
    /// Whether all of it is known.
    is_whole: bool,
    /// Whether it can be read but once.
    only_once: bool,
}

impl Opened {
    pub(super) fn open(sending: &Sending) -> Result<Self, Failure> {
        match sending {
            Sending::Text(text) => Ok(Self {
                first: text.clone(),
                file: None,
                name: String::new(),
                is_whole: true,
                only_once: false,
            }),
            Sending::Input => {
                let input = io::stdin().as_fd().try_clone_to_owned();
                let input = input.map_err(|error| Failure::cannot("read standard input", &error))?;
                Ok(Self {
                    first: Vec::new(),
                    file: Some(input.into()),
                    name: "standard input".into(),
                    is_whole: false,
                    only_once: true,
                })
            }
            Sending::File(path) => open_file(path).map_err(|error| {
                let (path, cause) = (path.display(), cause(&error));
                Failure::usage(format_args!(
                    "cannot read '{path}': {cause} (a text that begins with @ is written \\x40)"
                ))
            }),
        }
    }

    pub(super) const fn can_be_read_but_once(&self) -> bool {
        self.only_once
    }

    /// The file that is read, if one is.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Begins to read what is not known yet.
    pub(super) fn start(self, bell: &Bell) -> Result<Source, Failure> {
        let Self { first, file, name, is_whole, .. } = self;
        let first = Recital::new(first, 0);
        let Some(file) = file.filter(|_| !is_whole) else { return Ok(Source { first, rest: None }) };
        let queue = Queue::new(bell);
        let filled = Arc::clone(&queue);
        privileges::thread("source", move || read_all(file, &name, &filled))
            .map_err(|error| Failure::cannot("start to read", &error))?;
        Ok(Source { first, rest: Some(queue) })
    }
}

/// Of a file proper the beginning is read at once: what is wrong with it shows before the first segment.
fn open_file(path: &Path) -> io::Result<Opened> {
    let mut file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut first = Vec::new();
    if kind.is_file() {
        (&mut file).take(PIECE as u64).read_to_end(&mut first)?;
    }
    let is_whole = kind.is_file() && first.len() < PIECE;
    let name = format!("'{}'", path.display());
    Ok(Opened { first, file: Some(file), name, is_whole, only_once: kind.is_fifo() })
}

fn read_all(mut file: File, name: &str, queue: &Queue) {
    let mut buffer = vec![0; PIECE];
    loop {
        match uninterrupted(|| file.read(&mut buffer)) {
            Ok(0) => return queue.complete(),
            Ok(len) if queue.put(buffer.get(..len).unwrap_or_default()) => {}
            Ok(_) => return,
            Err(error) => return queue.fail(format!("cannot read {name}: {}", cause(&error))),
        }
    }
}

/// Text to send, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Source {
    first: Recital,
    rest: Option<Arc<Queue>>,
}

impl Source {
    /// The next of it, up to `most` octets.
    pub(super) fn say(&mut self, most: usize) -> Say {
        let most = most.min(PIECE);
        let first = self.first.say(most);
        if first != Say::Done {
            return first;
        }
        match self.rest.as_ref().map(|rest| rest.try_take(most)) {
            None | Some(Taken::NoMore) => Say::Done,
            Some(Taken::NothingYet) => Say::Later,
            Some(Taken::Octets(octets)) => Say::Text(octets),
        }
    }

    /// Why it ended before its time.
    pub(super) fn error(&self) -> Option<String> {
        self.rest.as_ref()?.error()
    }
}

impl Drop for Source {
    /// Whoever reads need not go on.
    fn drop(&mut self) {
        if let Some(rest) = &self.rest {
            rest.abandon();
        }
    }
}
