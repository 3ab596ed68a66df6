//! How much may be under way, and what of it is lost: RFC 5681, 6582, 6675, 6928 (MUST-19).
//!
//! One way of counting serves peers with and without SACK: what is in the network (RFC 6675's pipe) is what
//! was sent, less what is known to have arrived, less what is known to be lost and was not sent again. With
//! SACK the peer says what has arrived; without, each duplicate acknowledgment stands for one segment.

use super::clause::Clause;
use super::ranges::{Range, Ranges};
use super::seq::SeqNum;

/// The outstanding part of the send sequence space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) una: SeqNum,
    pub(super) nxt: SeqNum,
}

impl Flight {
    fn len(self) -> u32 {
        (self.nxt - self.una).max(0) as u32
    }
}

/// What a loss has led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Recovery {
    /// Nothing is known to be lost.
    #[default]
    None,
    /// Fast recovery, until all that was outstanding when it began is acknowledged.
    Fast { until: SeqNum },
    /// All that was outstanding counts as lost: by a timeout, or because the path has no room for it.
    Timeout { until: SeqNum },
}

/// The congestion state of one connection.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Congestion {
    /// SMSS; 0 until the connection is open.
    smss: u32,
    /// Whether the peer reports by SACK blocks what it has.
    selective: bool,
    cwnd: u32,
    ssthresh: u32,
    recovery: Recovery,
    /// What is missing before this was sent again in this recovery or the one before (HighRxt of RFC 6675).
    resent: SeqNum,
    /// The oldest segment is to be sent again whatever is under way, and why.
    at_once: Option<Clause>,
    /// SND.NXT when the oldest segment was last sent again: what the peer reports from beyond left later.
    oldest_resent_at: SeqNum,
    duplicates: u32,
    /// Where the latest recovery ended, while nothing beyond it is acknowledged (recover of RFC 6582).
    recovered: Option<SeqNum>,
    /// What the peer has behind a gap.
    sacked: Ranges,
    /// Octets acknowledged since congestion avoidance last widened the window.
    credit: u32,
    /// A probe was sent since the last progress.
    probed: bool,
    /// A window that opened was answered with the oldest segment, and since then there was neither progress nor a
    /// timeout.
    answered_opening: bool,
}

impl Congestion {
    /// DupThresh: so many segments behind a gap mean that it is a loss (RFC 5681 section 3.2).
    const LOSS_AFTER: u32 = 3;
    /// Ranges remembered of the peer's SACK blocks.
    const MOST_SACKED: usize = 64;

    pub(super) fn new() -> Self {
        Self { ssthresh: u32::MAX, sacked: Ranges::at_most(Self::MOST_SACKED), ..Self::default() }
    }

    /// For a connection that sends little: so many octets may always be under way, and only a timeout finds a loss.
    pub(super) fn fixed(octets: u32) -> Self {
        Self { cwnd: octets, ..Self::default() }
    }

    /// Once the segment size is known. Ten segments may leave at once (RFC 6928 section 2), or one if the open
    /// itself has lost a segment (RFC 5681 section 3.1).
    pub(super) fn begin(&mut self, smss: u32, lost_syn: bool, selective: bool, una: SeqNum) {
        self.smss = smss;
        self.selective = selective;
        self.resent = una;
        self.cwnd = if lost_syn { smss } else { self.initial_window() };
    }

    fn initial_window(&self) -> u32 {
        const OCTETS: u32 = 14_600;
        (10 * self.smss).min(OCTETS.max(2 * self.smss))
    }

    /// After so long a silence the network is not what it was (RFC 5681 section 4.1).
    pub(super) fn restart(&mut self) {
        self.cwnd = self.cwnd.min(self.initial_window());
    }

    /// Octets that may be sent now beyond what is in the network.
    pub(super) fn allowance(&self, flight: Flight) -> u32 {
        self.cwnd.saturating_sub(self.pipe(flight))
    }

    fn pipe(&self, flight: Flight) -> u32 {
        let lost = self.lost(flight).map_or(0, |lost| lost.len() - self.sacked.count(lost.start, lost.end));
        flight.len().saturating_sub(self.arrived(flight)).saturating_sub(lost)
    }

    /// Octets the peer has behind a gap.
    fn arrived(&self, flight: Flight) -> u32 {
        match self.recovery {
            // What is sent again after a timeout may be there already: its duplicates tell of no segment.
            _ if !self.sacked.is_empty() => self.sacked.count(flight.una, flight.nxt),
            Recovery::Timeout { .. } => 0,
            // Limited transmit: two segments at most, unless the third duplicate shows a loss (RFC 3042).
            Recovery::None => self.segments(self.duplicates.min(Self::LOSS_AFTER - 1), flight),
            Recovery::Fast { .. } => self.segments(self.duplicates, flight),
        }
    }

    /// Octets of so many segments; the oldest is not among them.
    fn segments(&self, count: u32, flight: Flight) -> u32 {
        count.saturating_mul(self.smss).min(flight.len().saturating_sub(self.smss))
    }

    /// Where what is lost and not sent again lies; there may be stretches in it that the peer has.
    fn lost(&self, flight: Flight) -> Option<Range> {
        let end = match self.recovery {
            Recovery::None => return None,
            Recovery::Timeout { until } => until,
            // Nothing has arrived beyond what is missing: it may be on its way.
            Recovery::Fast { .. } if self.selective && self.sacked.is_empty() => return None,
            Recovery::Fast { .. } => {
                let oldest = flight.una + self.smss.min(flight.len());
                self.sure_loss().filter(|edge| edge.after(oldest)).unwrap_or(oldest)
            }
        };
        let start = if self.resent.after(flight.una) { self.resent } else { flight.una };
        Range::new(start, end)
    }

    /// Gaps before this are losses: more than two segments were received beyond it (RFC 6675's IsLost).
    fn sure_loss(&self) -> Option<SeqNum> {
        let mut beyond = 0;
        self.sacked.iter().rev().find_map(|range| {
            beyond += range.len();
            (beyond > (Self::LOSS_AFTER - 1) * self.smss).then_some(range.start)
        })
    }

    /// The next stretch to send again, at most a segment of it, if there is one and the network has room.
    pub(super) fn next_lost(&self, flight: Flight) -> Option<Range> {
        if self.at_once.is_some() {
            let gap = self.sacked.first_gap(flight.una, flight.nxt)?;
            return Range::new(gap.start, gap.start + gap.len().min(self.smss));
        }
        let lost = self.lost(flight)?;
        let gap = self.sacked.first_gap(lost.start, lost.end)?;
        let segment = gap.len().min(self.smss);
        (self.allowance(flight) >= segment).then_some(Range { start: gap.start, end: gap.start + segment })
    }

    /// Why the next segment is sent again.
    pub(super) const fn resends_by(&self) -> Clause {
        match self.at_once {
            Some(clause) => clause,
            None => Clause::LossRecovery,
        }
    }

    /// A peer that had closed its window, and has not taken what a probe carried, opens it: no timer is needed to
    /// send that again. Once: a peer that closes and opens it a thousand times a second would draw as many segments.
    pub(super) fn on_window_opens(&mut self) {
        if !self.answered_opening {
            self.answered_opening = true;
            self.at_once = Some(Clause::Send);
        }
    }

    /// `range` was sent again.
    pub(super) fn sent_again(&mut self, range: Range, flight: Flight) {
        self.at_once = None;
        if range.start == flight.una {
            self.oldest_resent_at = flight.nxt;
        }
        if range.end.after(self.resent) {
            self.resent = range.end;
        }
    }

    /// Takes the peer's SACK blocks; yields whether they told of anything new. Blocks that make no sense are
    /// passed over (K-14).
    pub(super) fn take_sack(
        &mut self,
        blocks: impl Iterator<Item = (SeqNum, SeqNum)>,
        flight: Flight,
    ) -> bool {
        let before = self.sacked.count(flight.una, flight.nxt);
        for (start, end) in blocks {
            // By distances: on a circle, a block of half of it would pass for one within any two numbers.
            let (from, to) = ((start - flight.una) as u32, (end - flight.una) as u32);
            if 0 < from && from < to && to <= flight.len() {
                self.sacked.insert(Range { start, end });
            }
        }
        self.sacked.count(flight.una, flight.nxt) > before
    }

    /// `octets` more were acknowledged; `flight` is what is left.
    pub(super) fn on_progress(&mut self, octets: u32, flight: Flight) {
        self.probed = false;
        self.answered_opening = false;
        self.sacked.remove_before(flight.una);
        if flight.una.after(self.resent) {
            self.resent = flight.una;
        }
        match self.recovery {
            Recovery::None => {
                self.duplicates = 0;
                self.recovered = None;
                self.at_once = None;
                self.widen(octets);
            }
            Recovery::Fast { until } | Recovery::Timeout { until } if flight.una.at_or_after(until) => {
                if matches!(self.recovery, Recovery::Fast { .. }) {
                    self.cwnd = self.ssthresh;
                } else {
                    self.widen(octets);
                }
                self.recovery = Recovery::None;
                self.recovered = Some(until);
                self.at_once = None;
                self.duplicates = 0;
            }
            // A partial acknowledgment (RFC 6582 section 3.2 step 3): one segment of it was the one sent again,
            // the others had drawn duplicates; the next that is missing is lost, too, and without SACK goes out
            // whatever is under way.
            Recovery::Fast { .. } => {
                let others = (octets / self.smss.max(1)).saturating_sub(1);
                self.duplicates = self.duplicates.saturating_sub(others);
                if !self.selective && !self.resent.after(flight.una) {
                    self.at_once = Some(Clause::LossRecovery);
                }
            }
            Recovery::Timeout { .. } => self.widen(octets),
        }
    }

    /// Slow start or congestion avoidance (RFC 5681 section 3.1).
    fn widen(&mut self, octets: u32) {
        if self.cwnd < self.ssthresh {
            self.cwnd = self.cwnd.saturating_add(octets.min(self.smss));
            return;
        }
        self.credit = self.credit.saturating_add(octets);
        if self.credit >= self.cwnd {
            self.credit -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(self.smss);
        }
    }

    /// A duplicate acknowledgment. The third begins fast recovery (RFC 5681 section 3.2), and so does a gap that
    /// the peer's SACK blocks show to be a loss.
    pub(super) fn on_duplicate(&mut self, flight: Flight) {
        self.duplicates = self.duplicates.saturating_add(1);
        let is_loss = self.duplicates >= Self::LOSS_AFTER
            || self.sure_loss().is_some_and(|edge| edge.after(flight.una));
        let later = self.sacked.count(self.oldest_resent_at, flight.nxt);
        let was_resent = self.resent.after(flight.una);
        let lost_again = was_resent && later > (Self::LOSS_AFTER - 1) * self.smss;
        // What was sent again without need draws duplicates, too (RFC 6582 section 3.2 step 1).
        let is_echo = !self.selective && self.recovered == Some(flight.una);
        match self.recovery {
            Recovery::None if is_loss && !is_echo => {
                self.halve(flight);
                self.cwnd = self.ssthresh;
                self.recovery = Recovery::Fast { until: flight.nxt };
                // The recovery before may have sent it again already.
                if !was_resent || lost_again {
                    self.at_once = Some(Clause::FastRetransmit);
                }
            }
            // What left after the oldest was sent again has arrived: that was lost again.
            Recovery::Fast { .. } | Recovery::Timeout { .. } => {
                if lost_again {
                    self.at_once = Some(Clause::FastRetransmit);
                }
            }
            Recovery::None => {}
        }
    }

    /// Segments are smaller from now on: all that is under way counts as lost, but not to congestion, so neither
    /// window shrinks (RFC 1191 section 6.5).
    pub(super) fn on_narrow_path(&mut self, smss: u32, flight: Flight) {
        self.smss = smss;
        self.recovery = Recovery::Timeout { until: flight.nxt };
        self.resent = flight.una;
        self.duplicates = 0;
        self.at_once = Some(Clause::PathNarrow);
    }

    /// A retransmission timeout; `oldest` is sent again now (RFC 5681 section 3.1, RFC 2018 section 8).
    pub(super) fn on_timeout(&mut self, oldest: Range, flight: Flight) {
        if self.smss == 0 {
            return; // not open yet
        }
        self.answered_opening = false;
        self.halve(flight); // the same again while nothing is acknowledged: nothing new leaves either
        self.cwnd = self.smss;
        self.recovery = Recovery::Timeout { until: flight.nxt };
        self.duplicates = 0;
        self.credit = 0;
        self.sacked.clear(); // the peer may have thrown away what it had not acknowledged
        self.resent = oldest.end;
        self.oldest_resent_at = flight.nxt;
        self.at_once = None;
    }

    /// Whether nothing but the timer would find a loss at the end of this flight: more than a segment is under way,
    /// and since the last progress no probe was sent.
    pub(super) fn wants_probe(&self, flight: Flight) -> bool {
        let by_timer = matches!(self.recovery, Recovery::Timeout { .. });
        !self.probed && !by_timer && flight.len() > self.smss
    }

    /// The oldest is sent again by a probe. What had to be probed for counts as lost at once: without D-SACK
    /// nothing would ever show that it was not (RFC 8985 section 7.4 waits for that).
    pub(super) fn on_probe(&mut self, oldest: Range, flight: Flight) {
        if self.recovery == Recovery::None {
            self.halve(flight);
            self.cwnd = self.ssthresh;
            self.recovery = Recovery::Fast { until: flight.nxt };
            self.resent = flight.una;
        }
        self.sent_again(oldest, flight);
        self.probed = true;
    }

    /// ssthresh: half of what is under way, at least two segments (RFC 5681 equation 4).
    fn halve(&mut self, flight: Flight) {
        self.ssthresh = (flight.len() / 2).max(2 * self.smss);
    }
}
