//! SYN cookies: what a half-open connection would remember, in the number of our SYN,ACK (RFC 4987 section
//! 3.6).

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use siphasher::sip::SipHasher24;

use super::seq::{Mss, SeqNum};
use crate::time::Instant;

/// Makes cookies and knows its own again.
///
/// A cookie is five bits of a slow clock, three for the client's MSS, and 24 of a keyed hash over both, the two
/// ends and the client's initial number. Who has not seen the SYN,ACK finds one in sixteen million tries.
pub struct Cookies {
    key: [u8; 16],
}

/// What a cookie brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The client's MSS, rounded down to one of a few.
    pub mss: Mss,
}

/// The sizes in use, from the least to that of jumbo frames.
const SIZES: [u16; 8] = [48, 536, 1220, 1340, 1400, 1440, 1460, 8940];

impl Cookies {
    /// A cookie is good for one to two of these.
    pub const PERIOD: Duration = Duration::from_secs(64);
    const HASH_BITS: u32 = 24;
    const SIZE_BITS: u32 = 3;
    const CLOCK_MASK: u32 = 0x1f;

    /// Cookies with this secret.
    pub const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The number for the SYN,ACK to `remote`, whose SYN had the number `irs` and announced `mss`.
    pub fn make(&self, local: SocketAddr, remote: SocketAddr, irs: SeqNum, mss: Mss, now: Instant) -> SeqNum {
        let size = SIZES.iter().rposition(|size| *size <= mss.get()).unwrap_or(0) as u32;
        self.cookie(local, remote, irs, clock(now), size)
    }

    /// What the client's ACK brings back, if it acknowledges a cookie of ours that is not too old. `irs` is one
    /// less than the number of that ACK.
    pub fn recall(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        irs: SeqNum,
        cookie: SeqNum,
        now: Instant,
    ) -> Option<Remembered> {
        let size = (cookie.0 >> Self::HASH_BITS) & ((1 << Self::SIZE_BITS) - 1);
        let made = [clock(now), clock(now).wrapping_sub(1)]
            .into_iter()
            .any(|clock| self.cookie(local, remote, irs, clock, size) == cookie);
        let mss = SIZES.get(size as usize).and_then(|size| Mss::new(*size))?;
        made.then_some(Remembered { mss })
    }

    fn cookie(&self, local: SocketAddr, remote: SocketAddr, irs: SeqNum, clock: u32, size: u32) -> SeqNum {
        let mut hash = SipHasher24::new_with_key(&self.key);
        for end in [local, remote] {
            match end.ip() {
                IpAddr::V4(ip) => hash.write(&ip.octets()),
                IpAddr::V6(ip) => hash.write(&ip.octets()),
            }
            hash.write_u16(end.port());
        }
        hash.write_u32(irs.0);
        hash.write_u32(clock);
        hash.write_u32(size);
        let hash = hash.finish() as u32 & ((1 << Self::HASH_BITS) - 1);
        SeqNum(
            (clock & Self::CLOCK_MASK) << (Self::HASH_BITS + Self::SIZE_BITS)
                | size << Self::HASH_BITS
                | hash,
        )
    }
}

fn clock(now: Instant) -> u32 {
    (now.as_nanos() / Cookies::PERIOD.as_nanos() as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (SocketAddr, SocketAddr) {
        ("10.0.0.1:80".parse().unwrap(), "10.0.0.2:40000".parse().unwrap())
    }

    /// D-09: what comes back is the greatest size that is no larger, for one period at least and two at most.
    #[test]
    fn d09_a_cookie_comes_back_in_time() {
        let (local, remote) = ends();
        let cookies = Cookies::new([7; 16]);
        let (irs, now) = (SeqNum(u32::MAX), Instant::ORIGIN + Cookies::PERIOD * 1000);
        for (mss, remembered) in [(1460, 1460), (1459, 1440), (65_495, 8940), (536, 536), (50, 48)] {
            let cookie = cookies.make(local, remote, irs, Mss::new(mss).unwrap(), now);
            let recall = |now| cookies.recall(local, remote, irs, cookie, now).map(|it| it.mss.get());
            assert_eq!(recall(now), Some(remembered));
            assert_eq!(recall(now + Cookies::PERIOD), Some(remembered));
            assert_eq!(recall(now + Cookies::PERIOD * 2), None, "too old");
        }
    }

    /// RFC 4987 section 3.6: numbers go on with time, as those of RFC 9293 section 3.4.1 do, so that a connection that
    /// is opened again begins beyond the one before.
    #[test]
    fn d09_cookies_go_on_with_time() {
        let (local, remote) = ends();
        let cookies = Cookies::new([7; 16]);
        let make = |periods| {
            let now = Instant::ORIGIN + Cookies::PERIOD * periods;
            cookies.make(local, remote, SeqNum(4321), Mss::DEFAULT_IPV4, now).0
        };
        for periods in 0..100 {
            assert_eq!(make(periods) >> (Cookies::HASH_BITS + Cookies::SIZE_BITS), periods % 32);
        }
    }

    /// D-09: a cookie is of one client, one SYN and one key, and every bit of it counts.
    #[test]
    fn d09_a_cookie_is_nobody_elses() {
        let (local, remote) = ends();
        let cookies = Cookies::new([7; 16]);
        let (irs, now) = (SeqNum(4321), Instant::ORIGIN);
        let cookie = cookies.make(local, remote, irs, Mss::new(1460).unwrap(), now);
        let stranger = "10.0.0.3:40000".parse().unwrap();
        assert_eq!(cookies.recall(local, stranger, irs, cookie, now), None);
        assert_eq!(cookies.recall(remote, local, irs, cookie, now), None);
        assert_eq!(cookies.recall(local, remote, irs + 1, cookie, now), None);
        assert_eq!(Cookies::new([8; 16]).recall(local, remote, irs, cookie, now), None);
        for bit in 0..32 {
            assert_eq!(cookies.recall(local, remote, irs, SeqNum(cookie.0 ^ (1 << bit)), now), None);
        }
    }
}
