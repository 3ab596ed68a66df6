//! The Internet checksum (RFC 1071) over text, header and pseudo-header.

use super::ip::Addresses;

/// A ones'-complement sum under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets; an odd last one counts as if a zero followed. Only the last of several calls may
    /// bring an odd number.
    pub fn octets(mut self, octets: &[u8]) -> Self {
        // Thirty-two bits at a time, in the order of this machine: folded, and turned round once, the sum is the same
        // (section 2 (B) and (C)).
        let (doubles, rest) = octets.as_chunks::<4>();
        let mut last = [0; 4];
        last.iter_mut().zip(rest).for_each(|(padded, octet)| *padded = *octet);
        let sum = doubles.iter().chain([&last]).map(|double| u64::from(u32::from_ne_bytes(*double))).sum();
        self.0 += u64::from(u16::from_be(Self(sum).folded()));
        self
    }

    /// Adds the pseudo-header of RFC 9293 section 3.1 (IPv4) or RFC 8200 section 8.1 (IPv6).
    pub fn pseudo_header(self, addresses: Addresses, protocol: u8, len: usize) -> Self {
        let sum = match addresses {
            Addresses::V4 { source, destination } => {
                self.0 + u64::from(source.to_bits()) + u64::from(destination.to_bits())
            }
            Addresses::V6 { source, destination } => {
                self.octets(&source.octets()).octets(&destination.octets()).0
            }
        };
        Self(sum + u64::from(protocol) + len as u64)
    }

    /// The folded sum: 0xffff over data whose checksum is right.
    pub const fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    /// The checksum to put into a header whose checksum field was zero while summing.
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }

    /// Whether data summed with its checksum is intact.
    pub const fn verifies(self) -> bool {
        self.folded() == 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
    #[test]
    fn the_example_of_rfc_1071() {
        let sum = Sum::default().octets(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
        assert_eq!(sum.checksum(), !0xddf2);
    }

    #[test]
    fn an_odd_octet_is_padded_with_zero() {
        assert_eq!(Sum::default().octets(&[1, 2, 3]).folded(), Sum::default().octets(&[1, 2, 3, 0]).folded());
    }

    #[test]
    fn many_carries_fold() {
        assert_eq!(Sum::default().octets(&vec![0xff; 131_072]).folded(), 0xffff);
    }
}
