//! The seed of what runs just now: if it fails, how it is run alone.

use std::thread;

/// Alive while something runs.
pub struct Seed {
    seed: u64,
    test: &'static str,
}

impl Seed {
    pub fn under_way(seed: u64, test: &'static str) -> Self {
        Self { seed, test }
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { seed, test } = self;
            eprintln!("to see it alone: {VARIABLE}={seed} cargo test --test simulator {test} -- --nocapture");
        }
    }
}

const VARIABLE: &str = "TCPSHAKE_SEED";

/// The one seed to be run, all its packets shown.
pub fn asked_for() -> Option<u64> {
    let seed = std::env::var(VARIABLE).ok()?;
    Some(seed.parse().unwrap_or_else(|_| panic!("{VARIABLE} is a number, not {seed:?}")))
}
