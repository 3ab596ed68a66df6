//! Choosing the initial send sequence number.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use siphasher::sip::SipHasher24;

use super::seq::SeqNum;
use crate::time::Instant;

/// The generator of RFC 6528 section 3: ISS = M + F(local, remote, secret key).
///
/// M is a clock that ticks every 4 microseconds (MUST-8), so that a tuple used again starts above where
/// it ended; F is a keyed hash (SHLD-1, MUST-9), so that nobody else can tell the number of a tuple from
/// the numbers of others. The key comes from outside, is never printed and never leaves.
pub struct IssGenerator {
    key: [u8; 16],
}

impl IssGenerator {
    /// Length of a tick of M.
    const TICK_NANOS: u64 = 4_000;

    /// A generator with this secret.
    pub const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The number for a connection opened now.
    pub fn iss(&self, local: SocketAddr, remote: SocketAddr, now: Instant) -> SeqNum {
        let mut hash = SipHasher24::new_with_key(&self.key);
        for end in [local, remote] {
            match end.ip() {
                IpAddr::V4(ip) => hash.write(&ip.octets()),
                IpAddr::V6(ip) => hash.write(&ip.octets()),
            }
            hash.write(&end.port().to_be_bytes());
        }
        SeqNum((now.as_nanos() / Self::TICK_NANOS) as u32) + hash.finish() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// MUST-8: one tuple, opened twice, t apart: the numbers are t / 4 µs apart.
    #[test]
    fn must_8_the_clock_ticks_every_4_microseconds() {
        let generator = IssGenerator::new([7; 16]);
        let (local, remote) = (socket("10.0.0.1:40000"), socket("[fd99::2]:80"));
        let first = generator.iss(local, remote, Instant::ORIGIN);
        let later = generator.iss(local, remote, Instant::ORIGIN + Duration::from_secs(3));
        assert_eq!(later - first, 750_000);
    }

    /// SHLD-1, MUST-9: every part of the tuple and the key decide, and numbers spread over the space.
    #[test]
    fn must_9_shld_1_numbers_spread_and_depend_on_tuple_and_key() {
        let generator = IssGenerator::new([7; 16]);
        let (local, remote) = (socket("10.0.0.1:40000"), socket("10.0.0.2:80"));
        let base = generator.iss(local, remote, Instant::ORIGIN);
        for (local, remote) in [
            (socket("10.0.0.3:40000"), remote),
            (socket("10.0.0.1:40001"), remote),
            (local, socket("10.0.0.4:80")),
            (local, socket("10.0.0.2:81")),
            (remote, local),
        ] {
            assert_ne!(generator.iss(local, remote, Instant::ORIGIN), base);
        }
        assert_ne!(IssGenerator::new([8; 16]).iss(local, remote, Instant::ORIGIN), base);

        // A chi-square test over 256 buckets of the top octet: 255 degrees of freedom, 360 is p < 0.00002.
        const DRAWS: u32 = 1 << 18;
        let mut buckets = [0_u32; 256];
        for draw in 0..DRAWS {
            let local = SocketAddr::from(([10, 0, (draw >> 16) as u8, 1], draw as u16));
            buckets[(generator.iss(local, remote, Instant::ORIGIN).0 >> 24) as usize] += 1;
        }
        let expected = f64::from(DRAWS) / 256.0;
        let chi: f64 = buckets.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        assert!(chi < 360.0, "chi-square {chi}");
    }
}
