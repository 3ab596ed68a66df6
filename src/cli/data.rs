//! A text that is whole before anything begins: typed, or in a file.

use std::fs::File;
use std::io::Read;

use super::error::Failure;
use super::escape::unescape;
use crate::cause::cause;

/// What a text is for, and so how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One segment: no packet is longer.
    Segment,
    /// An answer, kept in memory for every client.
    Answer,
}

impl Purpose {
    const fn option(self) -> &'static str {
        match self {
            Self::Segment => "--data",
            Self::Answer => "--respond",
        }
    }

    /// Octets.
    const fn most(self) -> usize {
        match self {
            Self::Segment => 65_535,
            Self::Answer => 64 << 20,
        }
    }
}

/// Reads `TEXT` with its escapes, or `@FILE` as it is.
pub(super) fn read(typed: &str, purpose: Purpose) -> Result<Vec<u8>, Failure> {
    let (option, most) = (purpose.option(), purpose.most());
    let text = match typed.strip_prefix('@') {
        Some(path) => file(path, most)?,
        None => unescape(typed).map_err(|why| Failure::usage(format_args!("cannot read {option}: {why}")))?,
    };
    if text.len() > most {
        return Err(Failure::usage(format_args!(
            "{option} is longer than the {most} octets there is room for"
        )));
    }
    Ok(text)
}

/// What a file holds; of one that is too long, or never ends, no more than shows it.
fn file(path: &str, most: usize) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut octets));
    read.map_err(|error| {
        let cause = cause(&error);
        Failure::usage(format_args!(
            "cannot read the data from '{path}': {cause} (a text that begins with @ is written \\x40)"
        ))
    })?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(typed: &str) -> String {
        read(typed, Purpose::Segment).unwrap_err().to_string()
    }

    #[test]
    fn text_or_a_file() {
        assert_eq!(read("a\\x40b\\n", Purpose::Segment).unwrap(), b"a@b\n");
        assert_eq!(read("\\x40b", Purpose::Segment).unwrap(), b"@b");
        assert_eq!(read("@/dev/null", Purpose::Segment).unwrap(), b"");
        assert!(read("@Cargo.toml", Purpose::Segment).unwrap().starts_with(b"[package]"));
    }

    /// Missing, a folder, endless, no name at all.
    #[test]
    fn what_cannot_be_read_is_named() {
        for (typed, words) in [
            ("@/nonexistent", "'/nonexistent': no such file or directory"),
            ("@src", "'src': is a directory"),
            ("@", "'': no such file"),
            ("@a\0b", "cannot read the data from"),
            ("@/dev/zero", "longer than the 65535 octets"),
            ("a\\q", "cannot read --data: '\\q' is no escape"),
        ] {
            assert!(error(typed).contains(words), "{typed}: {}", error(typed));
        }
        assert!(error(&"x".repeat(65_536)).contains("longer than"));
    }
}
