//! What a SYN offers, and what of it both sides have agreed on.

use std::ops::BitOr;

/// A set of the extensions that a SYN can offer. Each is in force only if both SYNs carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer(u8);

impl Offer {
    /// None at all: a bare SYN.
    pub const NOTHING: Self = Self(0);
    /// The maximum segment size (RFC 9293 section 3.7.1), an announcement rather than an offer.
    pub const MSS: Self = Self(1);
    /// Selective acknowledgments (RFC 2018).
    pub const SACK: Self = Self(1 << 1);
    /// Window scaling (RFC 7323 section 2).
    pub const WINDOW_SCALE: Self = Self(1 << 2);
    /// Timestamps (RFC 7323 section 3).
    pub const TIMESTAMPS: Self = Self(1 << 3);
    /// Explicit congestion notification (RFC 3168 section 6.1.1), by two flags instead of an option.
    pub const ECN: Self = Self(1 << 4);
    /// What some networks insist on (a bare SYN is dropped there), and nothing that shows on later segments.
    pub const USUAL: Self = Self(Self::MSS.0 | Self::SACK.0 | Self::WINDOW_SCALE.0);

    /// Whether all of `other` is in here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All but `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// All of it if `wanted`, nothing otherwise.
    pub const fn only_if(self, wanted: bool) -> Self {
        if wanted { self } else { Self::NOTHING }
    }
}

impl BitOr for Offer {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self::USUAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_sets() {
        const SACK: Offer = Offer::SACK;
        assert_eq!(Offer::USUAL | SACK, Offer::USUAL);
        assert_eq!(Offer::USUAL.without(SACK | Offer::TIMESTAMPS) | SACK, Offer::USUAL);
        assert!(!Offer::USUAL.without(SACK).has(SACK));
    }
}
