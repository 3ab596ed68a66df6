//! Input that is read more than once.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// Opens a file at its beginning; what can be read but once, as standard input, is copied.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if path.as_os_str() == "-" {
        return copy(&mut io::stdin().lock());
    }
    let mut file = File::open(path)?;
    if file.rewind().is_ok() { Ok(file) } else { copy(&mut file) }
}

fn copy(input: &mut dyn Read) -> io::Result<File> {
    let mut copy = tempfile::tempfile()?;
    io::copy(input, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}
