//! What one option is.

use std::fmt;

use crate::tcp::seq::SeqNum;

/// One option as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt<'o> {
    /// Kind 1, padding between options.
    Nop,
    /// Kind 2, octets of text the sender takes in one segment.
    Mss(u16),
    /// Kind 3, the shift count as sent; more than 14 counts as 14.
    WindowScale(u8),
    /// Kind 4.
    SackPermitted,
    /// Kind 8 (RFC 7323 section 3.2).
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The latest clock value the sender had of us.
        echo: u32,
    },
    /// Kind 5 (RFC 2018 section 3).
    Sack(SackBlocks<'o>),
    /// Any other kind, or a known kind of an unusual length: a value, not an error (MUST-6). The signatures of
    /// TCP-MD5 and TCP-AO (19, 29) are among them: there is no key to hold them against, so a SYN with one is
    /// answered as one without (K-15).
    Unknown {
        /// The kind octet.
        kind: u8,
        /// The octets behind kind and length.
        data: &'o [u8],
    },
}

impl fmt::Display for Opt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nop => f.write_str("nop"),
            Self::Mss(octets) => write!(f, "mss {octets}"),
            Self::WindowScale(shift) => write!(f, "wscale {shift}"),
            Self::SackPermitted => f.write_str("sackOK"),
            Self::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            Self::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(start, end)| write!(f, " {start}:{end}"))
            }
            Self::Unknown { kind, data } => {
                write!(f, "kind {kind}")?;
                data.iter().enumerate().try_for_each(|(at, octet)| {
                    let colon = if at == 0 { ":" } else { "" };
                    write!(f, "{colon}{octet:02x}")
                })
            }
        }
    }
}

/// The blocks of a SACK option, one to four of them, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlocks<'o>(pub(super) &'o [u8]);

impl<'o> SackBlocks<'o> {
    /// Octets of one.
    pub(super) const BLOCK: usize = 8;
    /// A header has room for no more.
    pub const MOST: usize = 4;

    /// Each block: its first number, and the one after its last.
    pub fn iter(self) -> impl Iterator<Item = (SeqNum, SeqNum)> + 'o {
        let number = |octets: &[u8]| SeqNum(octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)));
        self.0.chunks_exact(Self::BLOCK).map(move |block| {
            let (start, end) = block.split_at(Self::BLOCK / 2);
            (number(start), number(end))
        })
    }
}
