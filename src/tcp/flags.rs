//! The control bits of a segment: nine of them, in any combination.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Control bits (RFC 9293 section 3.1; AE is RFC 9768's, once NS).
///
/// Any combination can be held: a tool that crafts segments must send, and show, SYN with FIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u16);

/// How no bit at all is written.
const NO_BIT: &str = "none";

impl Flags {
    /// No bit at all.
    pub const NONE: Self = Self(0);
    /// No more data from the sender.
    pub const FIN: Self = Self(0x001);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x002);
    /// Reset the connection.
    pub const RST: Self = Self(0x004);
    /// Push function.
    pub const PSH: Self = Self(0x008);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x010);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x020);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x040);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x080);
    /// Accurate ECN (RFC 9768).
    pub const AE: Self = Self(0x100);

    /// Bit, name and letter, in the order people say them: "SYN,ACK", "FIN,ACK", "RST,ACK".
    const NAMES: [(Self, &'static str, char); 9] = [
        (Self::SYN, "SYN", 'S'),
        (Self::FIN, "FIN", 'F'),
        (Self::RST, "RST", 'R'),
        (Self::PSH, "PSH", 'P'),
        (Self::ACK, "ACK", '.'),
        (Self::URG, "URG", 'U'),
        (Self::ECE, "ECE", 'E'),
        (Self::CWR, "CWR", 'W'),
        (Self::AE, "AE", 'A'),
    ];

    /// The low nine bits of `bits`.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x1ff)
    }

    /// The nine bits as they stand in the header's 13th and 14th octet.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The bits with these names, as they are displayed: `SYN,ACK`, or `none`.
    pub fn named(names: &str) -> Option<Self> {
        if names == NO_BIT {
            return Some(Self::NONE);
        }
        let bit = |name: &str| Self::NAMES.iter().find(|(_, known, _)| *known == name).map(|(bit, ..)| *bit);
        names.split(',').try_fold(Self::NONE, |all, name| Some(all | bit(name)?))
    }

    /// Whether every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The trace notation: `S.` for SYN,ACK; `none` for no bit.
    pub fn short(self) -> String {
        if self.0 == 0 {
            return NO_BIT.into();
        }
        Self::NAMES.iter().filter(|(bit, ..)| self.contains(*bit)).map(|(_, _, letter)| letter).collect()
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES.iter().filter(|(bit, ..)| self.contains(*bit)).map(|(_, name, _)| *name);
        let Some(first) = names.next() else {
            return f.pad(NO_BIT);
        };
        f.pad(&names.fold(first.to_owned(), |all, name| all + "," + name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        assert_eq!((Flags::SYN | Flags::ACK).to_string(), "SYN,ACK");
        assert_eq!((Flags::SYN | Flags::ACK).short(), "S.");
        assert_eq!((Flags::FIN | Flags::SYN | Flags::URG).to_string(), "SYN,FIN,URG");
        assert_eq!((Flags::SYN | Flags::SYN | Flags::ACK).short(), "S.", "what is set stays set");
        assert_eq!(Flags::NONE.to_string(), "none");
        assert_eq!(Flags::from_bits(0xffff).bits(), 0x1ff);
        for bits in 0..0x200 {
            let flags = Flags::from_bits(bits);
            assert_eq!(Flags::named(&flags.to_string()), Some(flags));
        }
        assert_eq!(Flags::named("SYN,NAK"), None);
    }
}
