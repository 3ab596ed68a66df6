//! How the threads that make exchanges learn of signals.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::record::Signal;

/// Signals, for the threads that make exchanges.
#[derive(Default)]
pub(super) struct Ending {
    /// How many came.
    count: AtomicU8,
    /// The last, by its place in [`Self::SIGNALS`].
    last: AtomicU8,
}

impl Ending {
    const SIGNALS: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::HangUp];

    pub(super) fn note(&self, signal: Signal) {
        let place = Self::SIGNALS.iter().position(|known| *known == signal).unwrap_or(0);
        self.last.store(place as u8, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// The last signal, if there are more than were `seen`.
    pub(super) fn newer(&self, seen: &mut u8) -> Option<Signal> {
        let count = self.count.load(Ordering::Acquire);
        if count == *seen {
            return None;
        }
        *seen = count;
        Self::SIGNALS.get(usize::from(self.last.load(Ordering::Relaxed))).copied()
    }
}
