//! The text of a segment: typed, or in a file.

use std::fs::File;
use std::io::Read;

use super::error::Failure;
use super::escape::unescape;
use crate::cause::cause;

/// No packet is longer, so no text is.
const MOST: usize = 65_535;

/// Reads `TEXT` with its escapes, or `@FILE` as it is, up to what one segment can carry.
pub(super) fn read(typed: &str) -> Result<Vec<u8>, Failure> {
    let text = match typed.strip_prefix('@') {
        Some(path) => file(path)?,
        None => unescape(typed).map_err(|why| Failure::usage(format_args!("cannot read --data: {why}")))?,
    };
    if text.len() > MOST {
        return Err(Failure::usage(format_args!(
            "--data is longer than the {MOST} octets of the longest packet"
        )));
    }
    Ok(text)
}

/// What a file holds; of one that is too long, or never ends, no more than shows it.
fn file(path: &str) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST as u64 + 1).read_to_end(&mut octets));
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
        read(typed).unwrap_err().to_string()
    }

    #[test]
    fn text_or_a_file() {
        assert_eq!(read("a\\x40b\\n").unwrap(), b"a@b\n");
        assert_eq!(read("\\x40b").unwrap(), b"@b");
        assert_eq!(read("@/dev/null").unwrap(), b"");
        assert!(read("@Cargo.toml").unwrap().starts_with(b"[package]"));
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
