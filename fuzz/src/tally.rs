//! How many segments were handed in, and how fast.

use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use nix::time::ClockId;

/// Where the number of segments stands after which a run ends.
const LIMIT: &str = "FUZZ_SEGMENTS";
/// Times are this process's on its processor: the machine may have other work.
const EVERY: Duration = Duration::from_secs(10);
/// To ask for the time costs more than a segment.
const LOOK_EVERY: u64 = 1 << 14;

struct Tally {
    segments: u64,
    limit: Option<u64>,
    begun: Duration,
    told: Duration,
}

static TALLY: Mutex<Option<Tally>> = Mutex::new(None);

/// Counts the segments of one input. Tells how it goes every ten seconds, and at the end, which is once there were
/// as many as asked for: libFuzzer takes the signal for a request to leave in good order.
pub fn count(segments: u64) {
    let mut tally = TALLY.lock().unwrap();
    let tally = tally.get_or_insert_with(Tally::begin);
    let look = tally.segments / LOOK_EVERY != (tally.segments + segments) / LOOK_EVERY;
    tally.segments += segments;
    let is_over = tally.limit.is_some_and(|limit| tally.segments >= limit);
    if is_over || (look && time_used().saturating_sub(tally.told) >= EVERY) {
        tally.tell();
    }
    if is_over {
        tally.limit = None;
        raise(Signal::SIGUSR1).expect("a signal to ourselves");
    }
}

fn time_used() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().expect("a clock that every process has").into()
}

impl Tally {
    fn begin() -> Self {
        let limit = std::env::var(LIMIT).ok();
        let limit =
            limit.map(|limit| limit.parse().unwrap_or_else(|_| panic!("{LIMIT}: no number: {limit}")));
        let now = time_used();
        Self { segments: 0, limit, begun: now, told: now }
    }

    fn tell(&mut self) {
        self.told = time_used();
        let seconds = self.told.saturating_sub(self.begun).as_secs_f64();
        let rate = self.segments as f64 / seconds / 1e6;
        eprintln!("segments: {} in {seconds:.0} s of a core, {rate:.2} million a second", self.segments);
    }
}
