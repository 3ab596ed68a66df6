//! A list of options is read, as far as it can be.

use super::{Opt, SackBlocks, kind};

/// Why the rest of an option list could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionFault {
    /// The last octet is a kind that needs a length.
    #[error("option kind {kind} without a length")]
    NoLength {
        /// The kind octet.
        kind: u8,
    },
    /// A length of 0 or 1, less than kind and length themselves take.
    #[error("option kind {kind} of length {length}")]
    TooShort {
        /// The kind octet.
        kind: u8,
        /// The length octet.
        length: u8,
    },
    /// A length that reaches past the header.
    #[error("option kind {kind} of length {length} past the header's end")]
    PastEnd {
        /// The kind octet.
        kind: u8,
        /// The length octet.
        length: u8,
    },
}

/// Reads options; see [`Options::iter`](super::Options::iter).
#[derive(Clone, Debug)]
pub struct OptionIter<'o> {
    rest: &'o [u8],
}

impl<'o> OptionIter<'o> {
    pub(super) const fn over(octets: &'o [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'o> Iterator for OptionIter<'o> {
    type Item = Result<Opt<'o>, OptionFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest); // a fault ends the list: nothing is put back
        let (&kind, after) = rest.split_first()?;
        match kind {
            kind::END => return None,
            kind::NOP => {
                self.rest = after;
                return Some(Ok(Opt::Nop));
            }
            _ => {}
        }
        let Some((&length, after)) = after.split_first() else {
            return Some(Err(OptionFault::NoLength { kind }));
        };
        let Some(data_len) = usize::from(length).checked_sub(2) else {
            return Some(Err(OptionFault::TooShort { kind, length }));
        };
        let Some((data, after)) = after.split_at_checked(data_len) else {
            return Some(Err(OptionFault::PastEnd { kind, length }));
        };
        self.rest = after;
        Some(Ok(match (kind, data) {
            (kind::MSS, &[a, b]) => Opt::Mss(u16::from_be_bytes([a, b])),
            (kind::WINDOW_SCALE, &[shift]) => Opt::WindowScale(shift),
            (kind::SACK_PERMITTED, &[]) => Opt::SackPermitted,
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => Opt::Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            },
            (kind::SACK, blocks) if is_sack(blocks) => Opt::Sack(SackBlocks(blocks)),
            _ => Opt::Unknown { kind, data },
        }))
    }
}

/// Whether the data of a SACK option are whole blocks, and no more than fit.
fn is_sack(data: &[u8]) -> bool {
    !data.is_empty() && data.len().is_multiple_of(SackBlocks::BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::Options;

    fn read(octets: &[u8]) -> Vec<Result<Opt<'_>, OptionFault>> {
        OptionIter::over(octets).collect()
    }

    /// MUST-4, MUST-64: EOL, NOP and MSS, at any alignment.
    #[test]
    fn must_4_must_64_known_options_at_any_alignment() {
        for pads in 0..4 {
            let mut octets = vec![1; pads];
            octets.extend([2, 4, 5, 180, 0, 9, 9]);
            let read = read(&octets);
            assert_eq!(read.len(), pads + 1, "nothing behind End of Option List");
            assert_eq!(read.last(), Some(&Ok(Opt::Mss(1460))));
        }
    }

    /// MUST-6: all kinds we do not know, of every length, are skipped and kept.
    #[test]
    fn must_6_unknown_kinds_are_values() {
        for kind in (0..=255).filter(|kind| ![0, 1].contains(kind)) {
            for length in 2..=38_u8 {
                let mut octets = vec![kind, length];
                octets.resize(usize::from(length), 0xee);
                octets.extend([2, 4, 0, 99]);
                let read = read(&octets);
                assert_eq!(read.last(), Some(&Ok(Opt::Mss(99))), "kind {kind} length {length}");
            }
        }
    }

    /// MUST-7, L-07, L-08: every two-octet prefix at every position ends the list or goes on, and never loops.
    #[test]
    fn must_7_l07_l08_every_prefix_at_every_position() {
        for prefix in 0..=u16::MAX {
            for at in [0, 1, 2, 37, 38] {
                let mut octets = [1; Options::MAX_LEN];
                octets[at..at + 2].copy_from_slice(&prefix.to_be_bytes());
                let read = read(&octets);
                assert!(read.len() <= Options::MAX_LEN);
                let faults = read.iter().filter(|item| item.is_err()).count();
                assert!(faults == 0 || (faults == 1 && read.last().is_some_and(Result::is_err)));
            }
        }
    }

    #[test]
    fn faults_are_named() {
        for (octets, text) in [
            (&[2][..], "option kind 2 without a length"),
            (&[2, 0, 1], "option kind 2 of length 0"),
            (&[3, 1], "option kind 3 of length 1"),
            (&[8, 10, 1], "option kind 8 of length 10 past the header's end"),
        ] {
            let read = read(octets);
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].unwrap_err().to_string(), text);
        }
    }
}
