//! Not more challenge ACKs than RFC 5961 section 7 recommends.

use crate::time::Instant;

/// Ten challenges in the present second and the five before it, so in any five seconds no more than that. Were they
/// counted from the first of them, a burst before the end of the five and a burst behind it would be twenty at once;
/// and who is asked once a second, by keep-alive probes for one, answers each time.
///
/// Each connection counts by itself: a counter shared by all would let a stranger learn of one connection by what
/// happens on another (CVE-2016-5696).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Throttle {
    /// The second of the latest challenge.
    latest: u32,
    /// How many there were in that second, in the one before it, and so on: four bits each, the latest lowest.
    counts: u32,
}

impl Throttle {
    const MOST: u32 = 10;
    const BITS: u32 = 4;
    /// Five seconds that begin within a second end within the sixth.
    const SECONDS: u32 = 6;

    /// Whether one more may be sent now; counts it if so.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let second = now.low_seconds();
        let passed = second.wrapping_sub(self.latest);
        let counts = self.counts.checked_shl(passed.saturating_mul(Self::BITS)).unwrap_or(0);
        let of = |age: u32| counts >> (age * Self::BITS) & ((1 << Self::BITS) - 1);
        let admitted = (0..Self::SECONDS).map(of).sum::<u32>() < Self::MOST;
        if admitted {
            *self = Self { latest: second, counts: counts + 1 };
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// When each of the challenges that are asked for at these milliseconds is sent.
    fn sent(asked: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut throttle = Throttle::default();
        let at = |millis| Instant::ORIGIN + Duration::from_millis(millis);
        asked.into_iter().filter(|millis| throttle.admits(at(*millis))).collect()
    }

    /// G-14: in any five seconds, wherever they begin, there are at most ten.
    #[test]
    fn g14_any_five_seconds_see_at_most_ten() {
        for pace in [1, 10, 100, 499, 500, 501, 1_000, 4_999, 5_000, 5_001] {
            let late_burst = [0].into_iter().chain((4_900..20_000).step_by(pace as usize));
            for asked in [(0..100_000).step_by(pace as usize).collect::<Vec<_>>(), late_burst.collect()] {
                let sent = sent(asked);
                let crowded = sent.windows(11).find(|eleven| eleven[10] - eleven[0] <= 5_000);
                assert_eq!(crowded, None, "asked every {pace} ms");
                assert!(sent.len() > 10 || pace > 1_000, "it goes on: {sent:?}");
            }
        }
    }

    /// J-12: who asks once a second, as keep-alive probes may, is answered each time.
    #[test]
    fn j12_once_a_second_is_never_too_often() {
        assert_eq!(sent((0..100_000).step_by(1000)).len(), 100);
    }

    /// However long nobody asked before.
    #[test]
    fn after_any_silence_there_are_ten_again() {
        for hours in [1, 2, 24 * 49] {
            let later = hours * 3_600_000;
            assert_eq!(sent((0..20).chain(later..later + 20)).len(), 20, "{hours} h");
        }
    }
}
