//! How fast exchanges begin: so many a second in all, so many with one host, and fewer while this machine loses
//! what comes back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Instant;

/// Exchanges a second, more than none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// `None` for what is no rate: zero, and what is below it.
    pub fn per_second(exchanges: f64) -> Option<Self> {
        (exchanges.is_finite() && exchanges > 0.0).then_some(Self(exchanges))
    }

    /// Exchanges a second.
    pub const fn get(self) -> f64 {
        self.0
    }

    fn interval(self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.0).unwrap_or(Duration::MAX)
    }
}

/// Admits beginnings at a rate, evenly: no more at a time than ten milliseconds' worth.
#[derive(Debug)]
pub(super) struct Pacer {
    limit: Option<Rate>,
    /// The limit in force: lower than the user's while packets are lost here.
    now_at: Option<Rate>,
    /// When the next may begin, were they evenly spread.
    next: Instant,
    backed_off: u32,
}

impl Pacer {
    const BURST: Duration = Duration::from_millis(10);
    /// Below this nothing is gained by going slower.
    const LEAST: f64 = 10.0;

    pub(super) const fn new(limit: Option<Rate>, now: Instant) -> Self {
        Self { limit, now_at: limit, next: now, backed_off: 0 }
    }

    /// Whether one may begin now; then it counts.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let Some(rate) = self.now_at else { return true };
        if self.next > now + Self::BURST {
            return false;
        }
        self.next = self.next.max(now) + rate.interval(); // time that was not used is lost
        true
    }

    /// Until when nothing is admitted; `None` if there is no limit.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        self.now_at
            .map(|_| Instant::from_nanos(self.next.as_nanos().saturating_sub(Self::BURST.as_nanos() as u64)))
    }

    /// Packets were lost while exchanges began at `actual` a second: half of that from now on.
    pub(super) fn slow_down(&mut self, actual: f64) {
        let at = self.now_at.map_or(actual, |rate| rate.get().min(actual));
        self.now_at = Rate::per_second((at / 2.0).max(Self::LEAST));
        self.backed_off += 1;
    }

    /// Nothing was lost for a while: a little faster, up to the limit.
    pub(super) fn speed_up(&mut self) {
        const FASTER: f64 = 1.1;
        if self.now_at == self.limit {
            return;
        }
        let Some(rate) = self.now_at else { return };
        self.now_at = match self.limit {
            Some(limit) if rate.get() * FASTER >= limit.get() => Some(limit),
            Some(_) | None => Rate::per_second(rate.get() * FASTER),
        };
    }

    /// How often it was slowed down.
    pub(super) const fn backed_off(&self) -> u32 {
        self.backed_off
    }
}

/// When each host may be spoken to next.
#[derive(Debug)]
pub(super) struct HostPacer {
    interval: Option<Duration>,
    next: HashMap<IpAddr, Instant>,
    /// Hosts to remember before those are forgotten whose time has come.
    sweep_at: usize,
}

impl HostPacer {
    const SWEEP_AT: usize = 1024;

    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { interval: rate.map(Rate::interval), next: HashMap::new(), sweep_at: Self::SWEEP_AT }
    }

    /// When the next exchange with `host` may begin, which is taken: now, or later.
    pub(super) fn reserve(&mut self, host: IpAddr, now: Instant) -> Instant {
        let Some(interval) = self.interval else { return now };
        if self.next.len() >= self.sweep_at {
            self.next.retain(|_, next| *next > now);
            self.sweep_at = (self.next.len() * 2).max(Self::SWEEP_AT);
        }
        let next = self.next.entry(host).or_insert(now);
        let at = (*next).max(now);
        *next = at + interval;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn millis(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(n)
    }

    fn rate(exchanges: f64) -> Option<Rate> {
        Rate::per_second(exchanges)
    }

    #[test]
    fn so_many_a_second_whatever_happens_between() {
        for step in [1, 7, 100, 2000] {
            let mut pacer = Pacer::new(rate(100.0), millis(0));
            let (mut begun, mut now) = (0, 0);
            while now <= 10_000 {
                while pacer.admits(millis(now)) {
                    begun += 1;
                }
                now += step;
            }
            assert!(begun <= 1002, "{begun} in ten seconds, looking each {step} ms");
            assert!(step > 10 || begun >= 1000, "{begun} in ten seconds, looking each {step} ms");
        }
    }

    #[test]
    fn no_limit_is_none() {
        let mut pacer = Pacer::new(None, millis(0));
        assert!((0..100_000).all(|_| pacer.admits(millis(0))));
        assert_eq!((rate(0.0), rate(-1.0), rate(f64::NAN)), (None, None, None));
    }

    #[test]
    fn losses_halve_the_rate_and_quiet_brings_it_back() {
        let mut pacer = Pacer::new(rate(1000.0), millis(0));
        pacer.slow_down(800.0);
        assert_eq!(pacer.now_at, rate(400.0));
        pacer.slow_down(600.0);
        assert_eq!((pacer.now_at, pacer.backed_off()), (rate(200.0), 2));
        (0..17).for_each(|_| pacer.speed_up());
        assert_eq!(pacer.now_at, rate(1000.0));
        let mut unlimited = Pacer::new(None, millis(0));
        unlimited.speed_up();
        assert_eq!(unlimited.now_at, None);
        unlimited.slow_down(30_000.0);
        assert_eq!(unlimited.now_at, rate(15_000.0));
    }

    #[test]
    fn each_host_has_a_pace_of_its_own() {
        let mut hosts = HostPacer::new(rate(10.0));
        let host = |n| IpAddr::from(Ipv4Addr::new(10, 0, 0, n));
        let at: Vec<_> = (0..3).map(|_| hosts.reserve(host(1), millis(5))).collect();
        assert_eq!(at, [millis(5), millis(105), millis(205)]);
        assert_eq!(hosts.reserve(host(2), millis(5)), millis(5));
        assert_eq!(hosts.reserve(host(1), millis(900)), millis(900));
    }

    #[test]
    fn hosts_whose_time_has_come_are_forgotten() {
        let mut hosts = HostPacer::new(rate(10.0));
        for n in 0..100_000_u32 {
            hosts.reserve(Ipv4Addr::from(n).into(), millis(u64::from(n)));
        }
        assert!(hosts.next.len() <= HostPacer::SWEEP_AT, "{}", hosts.next.len());
    }
}
