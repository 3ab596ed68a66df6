//! A timer for each of very many exchanges: a wheel, a spoke a millisecond.
//!
//! Setting, cancelling and firing take the same few instructions however many there are; a heap takes longer the
//! more there are, and keeps those that were set anew. (`cargo bench --bench fleet` compares the two.)

use std::mem::size_of;
use std::time::Duration;

use crate::time::Instant;

/// Milliseconds since an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(u32);

impl Tick {
    const NANOS: u64 = 1_000_000;

    /// The first tick that is not before `at`: nothing fires early.
    pub fn reached_at(at: Instant, origin: Instant) -> Self {
        let nanos = at.as_nanos().saturating_sub(origin.as_nanos());
        Self(u32::try_from(nanos.div_ceil(Self::NANOS)).unwrap_or(u32::MAX))
    }

    /// The tick that has come at `now`.
    pub fn come(now: Instant, origin: Instant) -> Self {
        Self(u32::try_from((now - origin).as_millis()).unwrap_or(u32::MAX))
    }

    /// So many milliseconds later.
    pub const fn after(self, millis: u32) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// So many milliseconds before.
    pub const fn before(self, millis: u32) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// When it comes.
    pub fn instant(self, origin: Instant) -> Instant {
        origin + Duration::from_millis(u64::from(self.0))
    }
}

/// Timers by number, at most one for each.
#[derive(Debug)]
pub struct Wheel {
    /// First the spokes, then the timers. Each spoke is in a ring with the timers that stand there.
    links: Vec<Link>,
    /// Which spokes may have timers, a bit each.
    marked: [u64; SPOKES / 64],
    /// The first tick whose spoke was not emptied.
    cursor: u32,
}

/// Spokes, so milliseconds: what fires later than that is visited on the way.
const SPOKES: usize = 4096;

/// The neighbours in a ring.
#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    before: u32,
}

impl Wheel {
    /// Octets for each timer.
    pub const OCTETS: usize = size_of::<Link>();

    /// A wheel for numbers below `most`.
    pub fn new(most: usize) -> Self {
        let mut links = Vec::with_capacity(SPOKES + most);
        links.extend((0..SPOKES as u32).map(|spoke| Link { next: spoke, before: spoke }));
        Self { links, marked: [0; SPOKES / 64], cursor: 0 }
    }

    /// Sets the timer of `number`, whatever it was before.
    pub fn set(&mut self, number: u32, at: Tick) {
        let timer = number + SPOKES as u32;
        while self.links.len() <= timer as usize {
            let alone = self.links.len() as u32;
            self.links.push(Link { next: alone, before: alone });
        }
        self.cancel(number);
        let ahead = at.0.saturating_sub(self.cursor).min(SPOKES as u32 - 1);
        let spoke = (self.cursor + ahead) % SPOKES as u32;
        if let Some(marks) = self.marked.get_mut(spoke as usize / 64) {
            *marks |= 1 << (spoke % 64);
        }
        let last = self.link(spoke).before; // first set, first fired
        self.join(last, timer);
        self.join(timer, spoke);
    }

    /// Forgets the timer of `number`, if there is one.
    pub fn cancel(&mut self, number: u32) {
        let timer = number + SPOKES as u32;
        let Link { next, before } = self.link(timer);
        self.join(before, next);
        self.join(timer, timer);
    }

    /// Takes a timer that is due, or is only visited: who knows when it is due sets it anew.
    pub fn pop(&mut self, now: Tick) -> Option<u32> {
        while self.cursor <= now.0 {
            let spoke = self.cursor % SPOKES as u32;
            let first = self.link(spoke).next;
            if first != spoke {
                let number = first.checked_sub(SPOKES as u32)?;
                self.cancel(number);
                return Some(number);
            }
            if let Some(marks) = self.marked.get_mut(spoke as usize / 64) {
                *marks &= !(1 << (spoke % 64));
            }
            let beyond = Tick(now.0.saturating_add(1));
            self.cursor = self.next().map_or(beyond, |next| next.min(beyond)).0;
        }
        None
    }

    /// When to look again, at the latest.
    pub fn next(&self) -> Option<Tick> {
        let start = self.cursor as usize % SPOKES;
        let words = self.marked.len();
        (0..=words).find_map(|turn| {
            let word = (start / 64 + turn) % words;
            let here = u64::MAX << (start % 64);
            let marks = self.marked.get(word)?
                & match turn {
                    0 => here,
                    _ if turn == words => !here, // once around
                    _ => u64::MAX,
                };
            let spoke = (marks != 0).then(|| word * 64 + marks.trailing_zeros() as usize)?;
            let ahead = (spoke + SPOKES - start) % SPOKES;
            Some(Tick(self.cursor.saturating_add(ahead as u32)))
        })
    }

    /// A timer that was never set stands alone.
    fn link(&self, at: u32) -> Link {
        self.links.get(at as usize).copied().unwrap_or(Link { next: at, before: at })
    }

    fn join(&mut self, before: u32, next: u32) {
        if let Some(link) = self.links.get_mut(before as usize) {
            link.next = next;
        }
        if let Some(link) = self.links.get_mut(next as usize) {
            link.before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn popped(wheel: &mut Wheel, now: u32) -> Vec<u32> {
        std::iter::from_fn(|| wheel.pop(Tick(now))).collect()
    }

    #[test]
    fn each_fires_at_its_tick_and_not_before() {
        let mut wheel = Wheel::new(4);
        wheel.set(0, Tick(5));
        wheel.set(1, Tick(3));
        wheel.set(2, Tick(5));
        assert_eq!(wheel.next(), Some(Tick(3)));
        assert_eq!(popped(&mut wheel, 2), [0; 0]);
        assert_eq!(popped(&mut wheel, 4), [1]);
        wheel.set(0, Tick(9));
        wheel.cancel(7);
        assert_eq!(popped(&mut wheel, 8), [2]);
        assert_eq!(popped(&mut wheel, 9), [0]);
        assert_eq!((wheel.next(), popped(&mut wheel, 20)), (None, vec![]));
    }

    /// The tick of an instant is the first that is not before it.
    #[test]
    fn ticks_are_never_early() {
        let origin = Instant::from_nanos(500);
        for (nanos, tick) in [(0, 0), (500, 0), (501, 1), (1_000_500, 1), (1_000_501, 2)] {
            let at = Instant::from_nanos(nanos);
            let reached = Tick::reached_at(at, origin);
            assert_eq!(reached, Tick(tick));
            assert!(reached.instant(origin) >= at);
            assert!(Tick::come(reached.instant(origin), origin) == reached);
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Set(u32, u32),
        Cancel(u32),
        Pass(u32),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..8_u32, 0..10_000_u32).prop_map(|(number, after)| Act::Set(number, after)),
            (0..8_u32).prop_map(Act::Cancel),
            (0..6_000_u32).prop_map(Act::Pass),
        ]
    }

    proptest! {
        /// As a sorted map would have it, for whoever sets anew what was only visited.
        #[test]
        fn fires_what_a_map_would(acts in proptest::collection::vec(act(), 1..200)) {
            let (mut wheel, mut model, mut now) = (Wheel::new(0), BTreeMap::new(), 0);
            for act in acts {
                match act {
                    Act::Set(number, after) => {
                        wheel.set(number, Tick(now + after));
                        model.insert(number, now + after);
                    }
                    Act::Cancel(number) => {
                        wheel.cancel(number);
                        model.remove(&number);
                    }
                    Act::Pass(time) => {
                        now += time;
                        while let Some(number) = wheel.pop(Tick(now)) {
                            let due = model[&number];
                            if due > now {
                                wheel.set(number, Tick(due));
                            } else {
                                model.remove(&number);
                            }
                        }
                        prop_assert!(model.values().all(|due| *due > now), "{model:?} {now}");
                    }
                }
                let first = model.values().min();
                // What is set for a tick that has passed comes with the next.
                let late = |due: &u32| (*due).max(now + 1);
                prop_assert!(first.is_none_or(|due| wheel.next().is_some_and(|next| next.0 <= late(due))));
            }
        }
    }
}
