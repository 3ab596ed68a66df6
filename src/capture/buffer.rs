//! A file's octets, a buffer's worth at a time.

use std::io::{ErrorKind, Read};

use super::error::CaptureError;

/// A record of more octets is refused: no packet is longer, and its block has little beside it.
pub(super) const MOST_OCTETS: usize = 256 * 1024;

/// Octets that were read and not taken yet; never more than [`MOST_OCTETS`].
pub(super) struct Buffer<R> {
    input: R,
    octets: Vec<u8>,
    filled: usize,
    taken: usize,
}

/// What a read has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    More,
    AtEnd,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, octets: vec![0; MOST_OCTETS], filled: 0, taken: 0 }
    }

    /// What is there.
    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(self.taken..self.filled).unwrap_or_default()
    }

    /// All but the last `left` octets have been taken.
    pub(super) const fn leave(&mut self, left: usize) {
        self.taken = self.filled.saturating_sub(left);
    }

    /// Reads more behind what is there.
    pub(super) fn fill(&mut self) -> Result<Filled, CaptureError> {
        if self.taken > 0 {
            self.octets.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        let room = self.octets.get_mut(self.filled..).unwrap_or_default();
        if room.is_empty() {
            return Err(CaptureError::TooLong);
        }
        let read = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.filled += read;
        Ok(if read == 0 { Filled::AtEnd } else { Filled::More })
    }
}
