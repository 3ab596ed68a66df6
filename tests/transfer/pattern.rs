//! What is sent: octets that tell by themselves where in the stream they belong, and a source of chance.

use std::sync::LazyLock;

/// A prime, so that text shifted by a segment or a power of two is never mistaken for the right one.
const PERIOD: usize = 65_521;
const LONGEST: usize = 1 << 17;

static OCTETS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut chance = Chance::new(1);
    let period: Vec<u8> = (0..PERIOD).map(|_| chance.next() as u8).collect();
    period.iter().copied().cycle().take(PERIOD + LONGEST).collect()
});

/// `len` octets from the `at`-th of the stream on.
pub fn pattern(at: u64, len: usize) -> &'static [u8] {
    let start = (at % PERIOD as u64) as usize;
    &OCTETS[start..start + len]
}

/// Takes `octets` for what stands at `at`, or fails.
#[track_caller]
pub fn check(at: u64, octets: &[u8]) {
    let mut at = at;
    for piece in octets.chunks(LONGEST) {
        assert!(piece == pattern(at, piece.len()), "other octets arrive than were sent, from {at} on");
        at += piece.len() as u64;
    }
}

/// SplitMix64: the same seed, the same story.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Happens `n` times in a thousand.
    pub fn permille(&mut self, n: u64) -> bool {
        n > 0 && self.next() % 1000 < n
    }
}
