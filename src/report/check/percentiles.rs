//! Percentiles of round trips, by nearest rank: each is a round trip that was measured.

use std::time::Duration;

/// The percentiles that are told, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// How many round trips there are.
    pub count: u64,
    /// The least.
    pub min: u64,
    /// The median.
    pub p50: u64,
    /// Nine of ten are not longer.
    pub p90: u64,
    /// 95 of 100 are not longer.
    pub p95: u64,
    /// 99 of 100 are not longer.
    pub p99: u64,
    /// The most.
    pub max: u64,
}

impl Percentiles {
    /// Of these microseconds and counts, ascending; `None` if there are none.
    pub fn of(round_trips: &[(u64, u64)]) -> Option<Self> {
        Some(Self {
            count: u64::try_from(count(round_trips)).unwrap_or(u64::MAX),
            min: percentile(round_trips, 0)?,
            p50: percentile(round_trips, 50)?,
            p90: percentile(round_trips, 90)?,
            p95: percentile(round_trips, 95)?,
            p99: percentile(round_trips, 99)?,
            max: percentile(round_trips, 100)?,
        })
    }

    /// The names and microseconds, in the order in which they are told.
    pub const fn all(&self) -> [(&'static str, u64); 6] {
        [
            ("min", self.min),
            ("p50", self.p50),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p99", self.p99),
            ("max", self.max),
        ]
    }

    /// The same, with milliseconds for people.
    pub(super) fn millis(&self) -> [(&'static str, String); 6] {
        self.all().map(|(name, micros)| (name, crate::report::text::millis(Duration::from_micros(micros))))
    }
}

fn count(round_trips: &[(u64, u64)]) -> u128 {
    round_trips.iter().map(|&(_, count)| u128::from(count)).sum()
}

/// The least round trip that `percent` of all do not exceed.
fn percentile(round_trips: &[(u64, u64)], percent: u128) -> Option<u64> {
    let rank = (count(round_trips) * percent).div_ceil(100).max(1);
    let mut seen = 0;
    let reached = |&&(_, count): &&(u64, u64)| {
        seen += u128::from(count);
        seen >= rank
    };
    round_trips.iter().find(reached).map(|&(micros, _)| micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_round_trip_of_the_nearest_rank() {
        let hundred: Vec<(u64, u64)> = (1..=100).map(|micros| (micros * 10, 1)).collect();
        let named = Percentiles::of(&hundred).unwrap().all();
        let expected = [("min", 10), ("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990), ("max", 1000)];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_count_weighs() {
        let Percentiles { count, p50, p90, p95, max, .. } =
            Percentiles::of(&[(100, 90), (200, 9), (5000, 1)]).unwrap();
        assert_eq!((count, p50, p90, p95, max), (100, 100, 100, 200, 5000));
    }

    #[test]
    fn one_round_trip_is_all_of_them() {
        assert!(Percentiles::of(&[(7, 1)]).unwrap().all().iter().all(|&(_, micros)| micros == 7));
        assert_eq!(Percentiles::of(&[(7, 0), (8, 1)]).unwrap().min, 8, "a count of none is no round trip");
    }

    #[test]
    fn of_none_there_are_none() {
        assert_eq!(Percentiles::of(&[]), None);
        assert_eq!(Percentiles::of(&[(7, 0)]), None);
    }

    #[test]
    fn counts_do_not_overflow() {
        let huge = Percentiles::of(&[(1, u64::MAX), (2, u64::MAX)]).unwrap();
        assert_eq!((huge.count, huge.p50, huge.p90), (u64::MAX, 1, 2));
    }
}
