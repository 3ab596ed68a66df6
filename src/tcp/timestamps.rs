//! Timestamps, and protection against wrapped sequence numbers by them (RFC 7323 sections 3 to 5).

use std::time::Duration;

use super::flags::Flags;
use super::offer::Offer;
use super::options::Timestamps;
use super::segment::Segment;
use super::seq::SeqNum;
use super::tcb::Tcb;
use crate::time::Instant;

/// What is remembered of the peer's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recent {
    /// TS.Recent.
    pub(super) value: u32,
    /// When it was taken, in seconds: milliseconds would come round in fifty days.
    at: u32,
}

impl Recent {
    /// After so long a peer's clock may have come round half its way (RFC 7323 section 5.5).
    const VALID: Duration = Duration::from_secs(24 * 24 * 3600);

    pub(super) const fn taken(value: u32, now: Instant) -> Self {
        Self { value, at: now.low_seconds() }
    }

    fn is_valid(self, now: Instant) -> bool {
        u64::from(now.low_seconds().wrapping_sub(self.at)) < Self::VALID.as_secs()
    }
}

/// What PAWS says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Good,
    /// Older than what came before: a duplicate from another time.
    Old,
    /// No timestamp, though both sides have agreed on them.
    Unknown,
}

impl Tcb {
    fn uses_timestamps(&self) -> bool {
        self.granted.has(Offer::TIMESTAMPS)
    }

    /// Our clock runs in milliseconds. It begins at the initial sequence number, which is secret and different
    /// for each connection (RFC 7323 section 7.1).
    pub(super) fn tell_time(&mut self, now: Instant) {
        if self.offer.has(Offer::TIMESTAMPS) {
            self.clock = now.low_millis().wrapping_add(self.snd.iss.0);
        }
    }

    /// What our segments carry.
    pub(super) fn timestamps(&self) -> Option<Timestamps> {
        self.uses_timestamps().then_some(Timestamps { value: self.clock, echo: self.recent.value })
    }

    /// Section 5.3, R1. A RST is taken at any age.
    pub(super) fn age_of(&self, segment: &Segment, now: Instant) -> Age {
        if !self.uses_timestamps() || segment.has(Flags::RST) {
            return Age::Good;
        }
        match segment.options.timestamps() {
            None => Age::Unknown,
            // As on the circle of sequence numbers, and modulo 2^32 as they are.
            Some(theirs) if SeqNum(theirs.value).before(SeqNum(self.recent.value)) => {
                if self.recent.is_valid(now) { Age::Old } else { Age::Good }
            }
            Some(_) => Age::Good,
        }
    }

    /// Section 4.3: TS.Recent is what came with the segment that our last acknowledgment answers.
    pub(super) fn note_timestamp(&mut self, segment: &Segment, now: Instant) {
        let in_order = segment.seq.at_or_before(self.rcv.nxt);
        if let Some(theirs) = segment.options.timestamps().filter(|_| self.uses_timestamps() && in_order) {
            self.recent = Recent::taken(theirs.value, now);
        }
    }

    /// The round-trip time that an echo tells, even of a segment that was sent twice (section 4.1). In whole
    /// milliseconds: where our own clock has measured, that is better.
    pub(super) fn echoed_rtt(&self, segment: &Segment) -> Option<Duration> {
        const LONGEST: u32 = 1 << 30; // beyond it, the echo is of no time of ours
        let echo = segment.options.timestamps().filter(|_| self.uses_timestamps())?.echo;
        let age = self.clock.wrapping_sub(echo);
        (age < LONGEST).then(|| Duration::from_millis(u64::from(age)))
    }
}
