//! Time as a value: the only file that asks the system for it.
//!
//! Everything below the driver is given an [`Instant`]; the simulator invents them, [`Clock`] reads them.

use std::ops::{Add, AddAssign, Sub};
use std::time::{Duration, SystemTime};

/// A moment on a monotonic clock, in nanoseconds since an origin of no meaning.
///
/// Two instants of one clock can be subtracted; there is no way to a calendar date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin, where virtual clocks start.
    pub const ORIGIN: Self = Self(0);
    /// Later than any other: a deadline that is never reached.
    pub const FAR: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The low 32 bits of the microseconds since the origin: enough to tell instants less than an hour
    /// apart, in half the room. See [`since_low_micros`](Self::since_low_micros).
    pub const fn low_micros(self) -> u32 {
        (self.0 / 1_000) as u32
    }

    /// The low 32 bits of the milliseconds since the origin: they come round in seven weeks.
    pub const fn low_millis(self) -> u32 {
        (self.0 / 1_000_000) as u32
    }

    /// The low 32 bits of the seconds since the origin: they come round in a lifetime.
    pub const fn low_seconds(self) -> u32 {
        (self.0 / 1_000_000_000) as u32
    }

    /// Time since the instant, at most 35 minutes ago, whose [`low_micros`](Self::low_micros) are given; zero
    /// if that instant is in fact later.
    pub const fn since_low_micros(self, earlier: u32) -> Duration {
        let micros = self.low_micros().wrapping_sub(earlier) as i32;
        Duration::from_micros(if micros < 0 { 0 } else { micros as u64 })
    }

    /// Time since `earlier`; zero if `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates: a deadline too far to express is never reached, which is what it means.
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, after: Duration) {
        *self = *self + after;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// The system's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock whose origin is one hour ago, so that instants before "now" can be expressed too.
    #[expect(clippy::disallowed_methods, reason = "this is the file that may")]
    pub fn new() -> Self {
        let now = std::time::Instant::now();
        Self { origin: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now) }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// Translates a kernel time stamp (real time) that was taken between `earliest` and now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that may")]
    pub fn at(&self, stamp: SystemTime, earliest: Instant) -> Instant {
        let age = SystemTime::now().duration_since(stamp).unwrap_or_default();
        self.now().before(age, earliest)
    }

    /// Both clocks, read once for the time stamps of a whole batch.
    pub fn reading(&self) -> Reading {
        Reading::just_after(self.now())
    }
}

/// What both clocks showed at one moment; by default, where virtual clocks start, and 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// The monotonic one.
    pub now: Instant,
    /// The system's date, since 1970.
    real: Duration,
}

impl Reading {
    /// The date that belongs to an instant that was read just now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that may")]
    pub fn just_after(now: Instant) -> Self {
        Self { now, real: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() }
    }

    /// The date of an instant, since 1970.
    pub fn since_1970(&self, at: Instant) -> Duration {
        if at <= self.now { self.real.saturating_sub(self.now - at) } else { self.real + (at - self.now) }
    }

    /// Translates a kernel time stamp, since 1970, that was taken between `earliest` and the reading.
    pub fn at(&self, stamp: Duration, earliest: Instant) -> Instant {
        self.now.before(self.real.saturating_sub(stamp), earliest)
    }
}

impl Instant {
    /// The instant `age` before this one. The system's date may be set while we run; an age that would lead out
    /// of the span since `earliest` leads to the nearest end of it.
    pub fn before(self, age: Duration, earliest: Self) -> Self {
        let at = Self(self.0.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)));
        at.clamp(earliest.min(self), self)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Whole seconds since 1970, for the begin line of a report.
#[expect(clippy::disallowed_methods, reason = "this is the file that may")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_beyond_the_clock_saturates() {
        assert_eq!(Instant::ORIGIN + Duration::MAX, Instant(u64::MAX));
    }

    /// J-14: the date may be set back or forward while an exchange runs.
    #[test]
    fn j14_a_stamp_outside_its_span_moves_to_the_nearest_end() {
        let clock = Clock::new();
        let earliest = clock.now();
        let hour = Duration::from_secs(3600);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds());
        assert_eq!(clock.at(now - hour * 24, earliest), earliest);
        let late = clock.at(now + hour, earliest);
        assert!(late >= earliest && late <= clock.now());
    }
}
