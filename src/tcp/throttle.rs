//! Not more challenge ACKs than RFC 5961 section 7 recommends.

use std::time::Duration;

use crate::time::Instant;

/// Ten challenges, then none until five seconds have passed since the last of them: so there are no more than ten in
/// any five seconds. Were the seconds counted from the first, a burst before their end and a burst behind it would be
/// twenty at once.
///
/// Each connection counts by itself: a counter shared by all would let a stranger learn of one connection by what
/// happens on another (CVE-2016-5696).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Throttle {
    /// When the latest of `sent` left, in milliseconds: they come round in fifty days.
    latest: u32,
    sent: u8,
}

impl Throttle {
    const MOST: u8 = 10;
    const SPAN: Duration = Duration::from_secs(5);

    /// Whether one more may be sent now; counts it if so.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let millis = now.low_millis();
        let since = millis.wrapping_sub(self.latest);
        if u128::from(since) > Self::SPAN.as_millis() {
            self.sent = 0;
        }
        let admitted = self.sent < Self::MOST;
        if admitted {
            *self = Self { latest: millis, sent: self.sent + 1 };
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
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

    /// However long nobody asked before.
    #[test]
    fn after_any_silence_there_are_ten_again() {
        for hours in [1, 2, 24 * 49] {
            let later = hours * 3_600_000;
            assert_eq!(sent((0..20).chain(later..later + 20)).len(), 20, "{hours} h");
        }
    }
}
