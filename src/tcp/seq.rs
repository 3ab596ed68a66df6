//! Numbers of the sequence space, and windows over it: each a type of its own, with only its lawful
//! conversions.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::{Add, AddAssign, Shl, Shr, Sub};

/// A sequence number: 32 bits, arithmetic modulo 2^32 (RFC 9293 section 3.4).
///
/// There is no `Ord`: "less than" on a circle is not transitive, so sorting or `max` would be wrong.
/// Ask [`before`](Self::before) and [`after`](Self::after), which hold for numbers less than 2^31 apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// SELF < OTHER.
    pub fn before(self, other: Self) -> bool {
        self - other < 0
    }

    /// SELF > OTHER.
    pub fn after(self, other: Self) -> bool {
        self - other > 0
    }

    /// SELF =< OTHER.
    pub fn at_or_before(self, other: Self) -> bool {
        !self.after(other)
    }

    /// SELF >= OTHER.
    pub fn at_or_after(self, other: Self) -> bool {
        !self.before(other)
    }

    /// START =< SELF < START + SIZE.
    pub fn in_window(self, start: Self, size: WindowSize) -> bool {
        self.0.wrapping_sub(start.0) < size.get()
    }
}

impl Add<u32> for SeqNum {
    type Output = Self;
    fn add(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }
}

impl AddAssign<u32> for SeqNum {
    fn add_assign(&mut self, count: u32) {
        *self = *self + count;
    }
}

impl Sub<u32> for SeqNum {
    type Output = Self;
    fn sub(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }
}

impl Sub for SeqNum {
    type Output = i32;
    /// The signed distance from `other` to `self`, the shorter way around the circle.
    fn sub(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A window in octets, below 2^30: 65,535 shifted by at most 14 (RFC 7323 section 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowSize(u32);

impl WindowSize {
    /// The largest window that can be announced: 32 bits hold it (REC-1), and none is negative (MUST-1).
    pub const MAX: Self = Self(0xffff << WindowScale::MAX_SHIFT);

    /// A window of `octets`, at most [`MAX`](Self::MAX).
    pub fn new(octets: u32) -> Self {
        Self(octets.min(Self::MAX.0))
    }

    /// Octets.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The shift count of the window scale option, 0 to 14 (RFC 7323 section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowScale(u8);

impl WindowScale {
    const MAX_SHIFT: u8 = 14;
    /// The largest shift there is.
    pub const LARGEST: Self = Self(Self::MAX_SHIFT);

    /// A shift count as received: more than 14 counts as 14 (RFC 7323 section 2.3).
    pub fn new(shift: u8) -> Self {
        Self(shift.min(Self::MAX_SHIFT))
    }

    /// The shift count.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The smallest shift with which `window` fits the header's 16 bits.
    pub fn fitting(window: WindowSize) -> Self {
        let bits = u32::BITS - window.get().leading_zeros();
        Self::new(bits.saturating_sub(16) as u8)
    }
}

/// SEG.WND as it stands in the header: 16 bits, not yet scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnscaledWindow(pub u16);

impl Shl<WindowScale> for UnscaledWindow {
    type Output = WindowSize;
    fn shl(self, scale: WindowScale) -> WindowSize {
        WindowSize(u32::from(self.0) << scale.0)
    }
}

impl Shr<WindowScale> for WindowSize {
    type Output = UnscaledWindow;
    /// The header's value for this window; what does not fit 16 bits is announced as 65,535.
    fn shr(self, scale: WindowScale) -> UnscaledWindow {
        UnscaledWindow(u16::try_from(self.0 >> scale.0).unwrap_or(u16::MAX))
    }
}

/// A maximum segment size in octets of text, never zero (RFC 9293 section 3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mss(NonZeroU16);

impl Mss {
    /// What must be assumed of an IPv4 peer that sends no MSS option (MUST-15).
    pub const DEFAULT_IPV4: Self = Self::of(536);
    /// What must be assumed of an IPv6 peer that sends no MSS option (MUST-15).
    pub const DEFAULT_IPV6: Self = Self::of(1220);
    /// The most that can be said.
    pub const LARGEST: Self = Self::of(u16::MAX);
    /// The least we let a peer talk us into, the option space of a header and a little text: a peer that
    /// announces 1 would otherwise make us send a segment an octet (K-03). Linux's floor is the same.
    pub const FLOOR: Self = Self::of(48);

    const fn of(octets: u16) -> Self {
        match NonZeroU16::new(octets) {
            Some(octets) => Self(octets),
            None => panic!("a segment size is not zero"),
        }
    }

    /// `None` for zero.
    pub fn new(octets: u16) -> Option<Self> {
        NonZeroU16::new(octets).map(Self)
    }

    /// What must be assumed of a peer there that sends no MSS option (MUST-15).
    pub const fn default_of(peer: IpAddr) -> Self {
        match peer {
            IpAddr::V4(_) => Self::DEFAULT_IPV4,
            IpAddr::V6(_) => Self::DEFAULT_IPV6,
        }
    }

    /// What a packet of `mtu` octets to `peer` has room for beside the headers of IP and TCP (MUST-67); the
    /// default if that is nothing.
    pub fn fitting(mtu: u32, peer: IpAddr) -> Self {
        let headers = if peer.is_ipv4() { 40 } else { 60 };
        let packet = u16::try_from(mtu).unwrap_or(u16::MAX);
        Self::new(packet.saturating_sub(headers)).unwrap_or(Self::default_of(peer))
    }

    /// Octets of text.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        let last = SeqNum(u32::MAX);
        assert!(last.before(last + 1) && (last + 1).after(last));
        assert_eq!(last + 1, SeqNum(0));
        assert_eq!(SeqNum(5) - last, 6);
        assert_eq!(last - SeqNum(5), -6);
        assert!(last.at_or_before(last) && last.at_or_after(last));
    }

    #[test]
    fn a_window_includes_its_left_edge_and_not_its_right() {
        let (start, size) = (SeqNum(u32::MAX - 1), WindowSize::new(4));
        for (offset, inside) in [(-1_i32, false), (0, true), (1, true), (3, true), (4, false)] {
            let number = SeqNum(start.0.wrapping_add_signed(offset));
            assert_eq!(number.in_window(start, size), inside, "offset {offset}");
        }
        assert!(!start.in_window(start, WindowSize::new(0)));
    }

    /// MUST-1, REC-1: the largest window is no negative number.
    #[test]
    fn must_1_the_largest_window_is_positive() {
        let window = UnscaledWindow(65_535) << WindowScale::new(14);
        assert_eq!(window.get(), 1_073_725_440);
        assert_eq!(window, WindowSize::MAX);
    }

    /// K-09.
    #[test]
    fn k09_a_shift_above_14_counts_as_14() {
        for shift in [14, 15, 255] {
            assert_eq!(WindowScale::new(shift).get(), 14);
        }
    }

    /// MUST-15, MUST-67.
    #[test]
    fn must_15_must_67_sizes_by_family_and_mtu() {
        let (v4, v6) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([0xfd99, 0, 0, 0, 0, 0, 0, 1]));
        for (mtu, on_v4, on_v6) in
            [(1500, 1460, 1440), (65_536, 65_495, 65_475), (41, 1, 1220), (40, 536, 1220), (0, 536, 1220)]
        {
            assert_eq!([v4, v6].map(|peer| Mss::fitting(mtu, peer).get()), [on_v4, on_v6], "{mtu}");
        }
    }

    #[test]
    fn the_fitting_scale_is_the_smallest() {
        for (window, shift) in
            [(0, 0), (65_535, 0), (65_536, 1), (131_071, 1), (131_072, 2), (0x3fff_ffff, 14)]
        {
            assert_eq!(WindowScale::fitting(WindowSize::new(window)).get(), shift, "{window}");
        }
    }
}
