//! Not more challenge ACKs than RFC 5961 section 7 recommends.

use std::time::Duration;

use crate::time::Instant;

/// Ten challenges in five seconds, counted for each connection by itself: a counter shared by all would
/// let a stranger learn of one connection by what happens on another (CVE-2016-5696).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Throttle {
    /// When the first of `sent` left: [`Instant::low_micros`].
    since: u32,
    sent: u8,
}

impl Throttle {
    const MOST: u8 = 10;
    const SPAN: Duration = Duration::from_secs(5);

    /// Whether one more may be sent now; counts it if so.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        if self.sent == 0 || now.since_low_micros(self.since) >= Self::SPAN {
            *self = Self { since: now.low_micros(), sent: 0 };
        }
        let admitted = self.sent < Self::MOST;
        self.sent += u8::from(admitted);
        admitted
    }
}
