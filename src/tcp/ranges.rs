//! Stretches of the sequence space: what arrived behind a gap, at our end or at the peer's.

use super::seq::SeqNum;

/// From the first number to the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Range {
    pub(super) start: SeqNum,
    pub(super) end: SeqNum,
}

impl Range {
    /// `None` if it would hold nothing.
    pub(super) fn new(start: SeqNum, end: SeqNum) -> Option<Self> {
        start.before(end).then_some(Self { start, end })
    }

    pub(super) fn len(self) -> u32 {
        (self.end - self.start) as u32
    }
}

/// Ranges in order, apart from each other, and no more than so many: what would be one too many is refused,
/// so that a peer cannot make us remember without bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ranges {
    ranges: Vec<Range>,
    most: usize,
}

impl Ranges {
    /// Holds up to `most`; with 0, nothing is ever kept.
    pub(super) const fn at_most(most: usize) -> Self {
        Self { ranges: Vec::new(), most }
    }

    /// Adds a range, joined with those it meets. `false` if there is no room for it.
    pub(super) fn insert(&mut self, new: Range) -> bool {
        let first = self.ranges.partition_point(|range| range.end.before(new.start));
        let last = self.ranges.partition_point(|range| range.start.at_or_before(new.end));
        if first == last && self.ranges.len() >= self.most {
            return false;
        }
        let met = self.ranges.get(first..last).unwrap_or_default();
        let joined = met.iter().fold(new, |joined, range| Range {
            start: if range.start.before(joined.start) { range.start } else { joined.start },
            end: if range.end.after(joined.end) { range.end } else { joined.end },
        });
        self.ranges.splice(first..last, [joined]);
        true
    }

    /// Forgets what lies before `number`.
    pub(super) fn remove_before(&mut self, number: SeqNum) {
        let gone = self.ranges.partition_point(|range| range.end.at_or_before(number));
        self.ranges.drain(..gone);
        if let Some(first) = self.ranges.first_mut().filter(|first| first.start.before(number)) {
            first.start = number;
        }
    }

    pub(super) fn clear(&mut self) {
        self.ranges.clear();
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Range> + '_ {
        self.ranges.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The range that `number` lies in.
    pub(super) fn holding(&self, number: SeqNum) -> Option<Range> {
        self.iter().find(|range| range.start.at_or_before(number) && range.end.after(number))
    }

    /// Numbers held between `start` and `end`.
    pub(super) fn count(&self, start: SeqNum, end: SeqNum) -> u32 {
        let part = |range: Range| {
            let start = if range.start.after(start) { range.start } else { start };
            let end = if range.end.before(end) { range.end } else { end };
            Range::new(start, end).map_or(0, Range::len)
        };
        self.iter().map(part).sum()
    }

    /// The first stretch between `start` and `end` that is not held.
    pub(super) fn first_gap(&self, start: SeqNum, end: SeqNum) -> Option<Range> {
        let start = self.holding(start).map_or(start, |range| range.end);
        let next = self.iter().find(|range| range.start.after(start)).map(|range| range.start);
        Range::new(start, next.filter(|next| next.before(end)).unwrap_or(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(start: u32, end: u32) -> Range {
        Range { start: SeqNum(start), end: SeqNum(end) }
    }

    proptest! {
        /// Against a plain list of numbers, wherever the sequence space begins.
        #[test]
        fn ranges_are_what_a_set_would_be(
            origin in any::<u32>(),
            inserts in proptest::collection::vec((0_u32..200, 1_u32..20), 1..40),
            cut in 0_u32..220,
        ) {
            let at = |offset: u32| SeqNum(origin) + offset;
            let mut ranges = Ranges::at_most(1000);
            let mut set = [false; 220];
            for (start, len) in inserts {
                let inserted = ranges.insert(Range { start: at(start), end: at(start + len) });
                prop_assert!(inserted);
                set[start as usize..(start + len) as usize].fill(true);
            }
            ranges.remove_before(at(cut));
            set[..cut as usize].fill(false);
            let mut listed = [false; 220];
            let mut before = None;
            for range in ranges.iter() {
                let (start, end) = ((range.start - at(0)) as usize, (range.end - at(0)) as usize);
                prop_assert!(start < end && before.is_none_or(|before| before < start), "apart, in order");
                listed[start..end].fill(true);
                before = Some(end);
            }
            prop_assert_eq!(set, listed);
            let held = set.iter().filter(|held| **held).count() as u32;
            prop_assert_eq!(ranges.count(at(0), at(220)), held);
            let gap = ranges.first_gap(at(cut), at(220)).map(|gap| (gap.start - at(0)) as usize);
            prop_assert_eq!(gap, set[cut as usize..].iter().position(|held| !held).map(|n| n + cut as usize));
        }
    }

    #[test]
    fn no_more_than_there_is_room_for() {
        let mut ranges = Ranges::at_most(2);
        assert!(ranges.insert(range(10, 20)) && ranges.insert(range(30, 40)));
        assert!(!ranges.insert(range(50, 60)), "a third");
        assert!(ranges.insert(range(20, 30)), "what joins two needs no room");
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [range(10, 40)]);
        assert!(!Ranges::at_most(0).insert(range(1, 2)));
    }
}
