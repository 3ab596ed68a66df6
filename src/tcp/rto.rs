//! The retransmission timeout of RFC 6298, computed from round-trip times.

use std::time::Duration;

/// Smoothed round-trip time, its variation, and the timeout they give; in microseconds, because a
/// control block has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rto {
    /// SRTT; zero before the first measurement.
    srtt: u32,
    /// RTTVAR.
    rttvar: u32,
    /// RTO, backed off.
    timeout: u32,
}

impl Rto {
    /// Before any measurement (RFC 6298 section 2.1).
    pub const INITIAL: Duration = Duration::from_secs(1);
    /// The least (section 2.4).
    pub const MIN: Duration = Duration::from_secs(1);
    /// The most (section 2.5 allows no less than this).
    pub const MAX: Duration = Duration::from_secs(60);
    /// Once open, if our SYN had to be sent again and nothing was measured (section 5.7).
    pub const AFTER_LOST_SYN: Duration = Duration::from_secs(3);
    /// G: what our clock can tell apart.
    const GRANULARITY: u32 = 1;

    /// Nothing measured yet.
    pub const fn new() -> Self {
        Self { srtt: 0, rttvar: 0, timeout: Self::INITIAL.as_micros() as u32 }
    }

    /// How long to wait for an acknowledgment now.
    pub const fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout as u64)
    }

    /// SRTT, once something was measured.
    pub fn smoothed(&self) -> Option<Duration> {
        (self.srtt > 0).then(|| Duration::from_micros(u64::from(self.srtt)))
    }

    /// Takes one measured round-trip time (sections 2.2 and 2.3). By Karn's rule (MUST-18) the caller
    /// measures only what was sent once.
    pub fn sample(&mut self, rtt: Duration) {
        let rtt = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).clamp(1, Self::MAX.as_micros() as u32);
        if self.srtt == 0 {
            self.srtt = rtt;
            self.rttvar = rtt / 2;
        } else {
            // RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R'|, with the SRTT from before; then SRTT = 7/8 SRTT + 1/8 R'.
            self.rttvar = self.rttvar - self.rttvar / 4 + self.srtt.abs_diff(rtt) / 4;
            self.srtt = (self.srtt - self.srtt / 8 + rtt / 8).max(1);
        }
        let timeout = self.srtt.saturating_add(self.rttvar.saturating_mul(4).max(Self::GRANULARITY));
        self.timeout = timeout.clamp(Self::MIN.as_micros() as u32, Self::MAX.as_micros() as u32);
    }

    /// Doubles the timeout after it expired (section 5.5, MUST-19).
    pub fn back_off(&mut self) {
        self.timeout = self.timeout.saturating_mul(2).min(Self::MAX.as_micros() as u32);
    }

    /// Starts over with three seconds if the open needed a second SYN (section 5.7).
    pub fn after_lost_syn(&mut self) {
        if self.srtt == 0 {
            self.timeout = Self::AFTER_LOST_SYN.as_micros() as u32;
        }
    }
}

impl Default for Rto {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// B-02: doubling, and a cap no lower than a minute.
    #[test]
    fn b02_doubles_to_a_minute() {
        let mut rto = Rto::new();
        let waits: Vec<_> = (0..8)
            .map(|_| {
                let wait = rto.timeout().as_secs();
                rto.back_off();
                wait
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        /// J-01: within rounding of the formulae of RFC 6298 section 2, computed in floating point.
        #[test]
        fn j01_follows_the_formulae(rtts in proptest::collection::vec(1_u32..30_000_000, 1..50)) {
            let mut rto = Rto::new();
            let (mut srtt, mut rttvar) = (0_f64, 0_f64);
            for (n, rtt) in rtts.iter().enumerate() {
                rto.sample(Duration::from_micros(u64::from(*rtt)));
                let rtt = f64::from(*rtt);
                if n == 0 {
                    (srtt, rttvar) = (rtt, rtt / 2.0);
                } else {
                    rttvar = 0.75 * rttvar + 0.25 * (srtt - rtt).abs();
                    srtt = 0.875 * srtt + 0.125 * rtt;
                }
                let expected = (srtt + (4.0 * rttvar).max(1.0)).clamp(1e6, 60e6);
                let got = rto.timeout().as_micros() as f64;
                prop_assert!((expected - got).abs() < 100.0, "{expected} {got}");
            }
        }
    }
}
