//! Errands that cannot be begun yet: their host's turn has not come, or exchanges with their target are under way by
//! all our ports.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use super::plan::Errand;
use crate::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Until when, and in which order of those until the same moment.
    postponed: BTreeMap<(Instant, u32), Errand>,
    postponements: u32,
    /// Until an exchange with the same target is over.
    parked: HashMap<SocketAddr, VecDeque<Errand>>,
    parked_count: usize,
}

impl Waiting {
    /// No more wait: beyond it those behind them wait, too.
    const MOST: usize = 1 << 16;

    pub(super) fn is_full(&self) -> bool {
        self.postponed.len() + self.parked_count >= Self::MOST
    }

    pub(super) fn is_empty(&self) -> bool {
        self.postponed.is_empty() && self.parked_count == 0
    }

    pub(super) fn postpone(&mut self, errand: Errand, until: Instant) {
        self.postponements = self.postponements.wrapping_add(1);
        self.postponed.insert((until, self.postponements), errand);
    }

    pub(super) fn park(&mut self, errand: Errand) {
        self.parked.entry(errand.remote).or_default().push_back(errand);
        self.parked_count += 1;
    }

    /// An exchange with this target is over: an errand that waits for its port may have it.
    pub(super) fn unpark(&mut self, remote: SocketAddr, now: Instant) {
        if self.parked_count == 0 {
            return;
        }
        let Some(waiting) = self.parked.get_mut(&remote) else { return };
        let Some(errand) = waiting.pop_front() else { return };
        if waiting.is_empty() {
            self.parked.remove(&remote);
        }
        self.parked_count -= 1;
        self.postpone(errand, now);
    }

    /// When the first was postponed until.
    pub(super) fn next(&self) -> Option<Instant> {
        self.postponed.keys().next().map(|(at, _)| *at)
    }

    /// The first whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Errand> {
        let first = self.postponed.first_entry().filter(|first| first.key().0 <= now);
        first.map(std::collections::btree_map::OccupiedEntry::remove)
    }

    /// Nothing is to be begun any more.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}
