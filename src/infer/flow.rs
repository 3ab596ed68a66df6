//! What one end has been seen to send: which of its numbers, and what that makes of the next segment.

use std::time::Duration;

use crate::record::connection::Remark;
use crate::tcp::{Flags, Segment, SeqNum, UnscaledWindow};

/// The numbers of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// The number after the highest seen.
    end: Option<SeqNum>,
    /// Below it, what has not been seen, in order: from the first number to the one after the last.
    gaps: Vec<(SeqNum, SeqNum)>,
    /// What the latest segment looked like.
    latest: Option<Face>,
    /// The latest acknowledgment it has sent, and with which window.
    acknowledged: Option<(SeqNum, UnscaledWindow)>,
    /// The oldest number sent again, and how often.
    again: Option<(SeqNum, u8)>,
}

/// By what a packet is known again.
#[derive(Clone, Copy, Debug)]
struct Face {
    segment: Segment,
    /// Zero, where the field has no use, is none (RFC 6864).
    identification: Option<u16>,
    at: Duration,
}

impl Face {
    /// No timer, and no acknowledgment of what came behind, has a segment sent again sooner.
    const SOON: Duration = Duration::from_millis(1);

    /// Whether this is the very packet that was seen `before`. An ACK may well be repeated at once.
    fn is_again(&self, before: &Self) -> bool {
        let at_once = !self.segment.is_empty() && self.at.saturating_sub(before.at) < Self::SOON;
        self.segment == before.segment
            && self.identification == before.identification
            && (self.identification.is_some() || at_once)
    }
}

impl Flow {
    /// Gaps beyond this number are forgotten, the oldest first: a capture with so many has lost its thread.
    const MOST_GAPS: usize = 64;

    /// Takes a segment of this end, and says what is out of the ordinary about its numbers.
    pub(super) fn sends(
        &mut self,
        segment: &Segment,
        identification: Option<u16>,
        at: Duration,
    ) -> Option<Remark> {
        let identification = identification.filter(|identification| *identification != 0);
        let face = Face { segment: *segment, identification, at };
        let same = self.latest.replace(face).is_some_and(|before| face.is_again(&before));
        if segment.has(Flags::RST) {
            return Some(if same { Remark::Duplicate } else { Remark::Reset });
        }
        let placed = self.place(segment);
        if same { Some(Remark::Duplicate) } else { placed }
    }

    /// Where it stands among what was seen.
    fn place(&mut self, segment: &Segment) -> Option<Remark> {
        let Some(end) = self.end else {
            self.end = Some(segment.end());
            return None;
        };
        if segment.seq.after(end) {
            let octets = (segment.seq - end) as u32;
            self.gaps.push((end, segment.seq));
            if self.gaps.len() > Self::MOST_GAPS {
                self.gaps.remove(0);
            }
            self.end = Some(segment.end());
            return Some(Remark::Gap { octets });
        }
        let moves_on = segment.end().after(end);
        if moves_on {
            self.end = Some(segment.end());
        }
        if segment.seq == end {
            return None;
        }
        if segment.text_len <= 1 && segment.seq + 1 == end && is_bare(segment) {
            return Some(Remark::KeepAlive);
        }
        if segment.is_empty() {
            return None; // an old ACK, overtaken
        }
        if self.fill(segment) {
            return Some(Remark::OutOfOrder);
        }
        self.count_again(segment.seq);
        Some(Remark::Retransmission)
    }

    /// Whether it fills a gap, all or in part.
    fn fill(&mut self, segment: &Segment) -> bool {
        let (start, end) = (segment.seq, segment.end());
        let apart = |gap: &(SeqNum, SeqNum)| end.at_or_before(gap.0) || start.at_or_after(gap.1);
        if self.gaps.iter().all(apart) {
            return false;
        }
        let left = |gap: &(SeqNum, SeqNum)| {
            if apart(gap) {
                return [Some(*gap), None];
            }
            let (before, after) = ((gap.0, start), (end, gap.1));
            [before, after].map(|(from, to)| from.before(to).then_some((from, to)))
        };
        self.gaps = self.gaps.iter().flat_map(left).flatten().collect();
        true
    }

    fn count_again(&mut self, seq: SeqNum) {
        let times = match self.again {
            Some((of, times)) if of == seq => times.saturating_add(1),
            _ => 1,
        };
        self.again = Some((seq, times));
    }

    /// How often the segment was sent before, if it is the one that was sent again last.
    pub(super) fn times_again(&self, segment: &Segment) -> u8 {
        self.again.filter(|(seq, _)| *seq == segment.seq).map_or(1, |(_, times)| times)
    }

    /// The other end acknowledges all before `ack`; says so if some of it was not seen.
    pub(super) fn is_acknowledged(&mut self, ack: SeqNum) -> Option<Remark> {
        let Some(end) = self.end else {
            self.end = Some(ack);
            return None;
        };
        let beyond = if ack.after(end) { (ack - end) as u32 } else { 0 };
        let until = |gap: &(SeqNum, SeqNum)| {
            let to = if ack.before(gap.1) { ack } else { gap.1 };
            (to - gap.0).max(0) as u32
        };
        let within: u32 = self.gaps.iter().map(until).fold(0, u32::wrapping_add);
        self.gaps.retain(|gap| ack.before(gap.1));
        if let Some(first) = self.gaps.first_mut().filter(|gap| gap.0.before(ack)) {
            first.0 = ack;
        }
        if beyond > 0 {
            self.end = Some(ack);
        }
        let octets = beyond.wrapping_add(within);
        (octets > 0).then_some(Remark::AcknowledgesUnseen { octets })
    }

    /// Whether an acknowledgment of this end only repeats the one before it, while `other` has more under way: a
    /// duplicate by RFC 5681 section 2.
    pub(super) fn repeats_ack(&mut self, segment: &Segment, other: &Self) -> bool {
        let Some(ack) = segment.acknowledgment() else { return false };
        let latest = Some((ack, segment.window));
        let again = std::mem::replace(&mut self.acknowledged, latest) == latest;
        let again = again && segment.is_empty() && is_bare(segment);
        again && other.end.is_some_and(|end| end.after(ack))
    }
}

fn is_bare(segment: &Segment) -> bool {
    ![Flags::SYN, Flags::FIN, Flags::RST].iter().any(|flag| segment.has(*flag))
}

/// Whether the window of a segment that is no SYN and no RST is shut.
pub(super) fn closes_window(segment: &Segment) -> bool {
    segment.window == UnscaledWindow(0) && is_bare(segment) && segment.has(Flags::ACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LATER: Duration = Duration::from_secs(1);

    fn text(seq: u32, len: u32) -> Segment {
        Segment { seq: SeqNum(seq), flags: Flags::ACK, text_len: len, ..Segment::default() }
    }

    #[test]
    fn numbers_tell_what_a_segment_is() {
        let mut flow = Flow::default();
        let unseen = |octets| Some(Remark::AcknowledgesUnseen { octets });
        assert_eq!(flow.sends(&text(u32::MAX, 100), None, NOW), None);
        assert_eq!(flow.sends(&text(99, 100), None, NOW), None);
        assert_eq!(flow.sends(&text(99, 100), None, LATER), Some(Remark::Retransmission));
        assert_eq!(flow.sends(&text(99, 100), None, LATER * 3), Some(Remark::Retransmission));
        assert_eq!(flow.times_again(&text(99, 100)), 2);
        assert_eq!(flow.sends(&text(399, 100), None, NOW), Some(Remark::Gap { octets: 200 }));
        assert_eq!(flow.sends(&text(199, 100), None, NOW), Some(Remark::OutOfOrder));
        assert_eq!(flow.is_acknowledged(SeqNum(199)), None);
        assert_eq!(flow.is_acknowledged(SeqNum(499)), unseen(100), "299 to 398");
        assert_eq!(flow.is_acknowledged(SeqNum(599)), unseen(100), "499 to 598");
        assert_eq!(flow.sends(&text(598, 0), None, NOW), Some(Remark::KeepAlive));
    }

    #[test]
    fn the_same_packet_is_no_retransmission() {
        let mut flow = Flow::default();
        assert_eq!(flow.sends(&text(1, 100), Some(7), NOW), None);
        assert_eq!(flow.sends(&text(1, 100), Some(7), LATER), Some(Remark::Duplicate));
        assert_eq!(flow.sends(&text(1, 100), Some(8), NOW), Some(Remark::Retransmission));
        assert_eq!(flow.sends(&text(101, 0), Some(0), NOW), None);
        assert_eq!(flow.sends(&text(101, 0), Some(0), NOW), None, "zero identifies nothing");
        assert_eq!(flow.sends(&text(101, 50), None, NOW), None);
        assert_eq!(flow.sends(&text(101, 50), None, NOW), Some(Remark::Duplicate), "no timer is so fast");
    }

    #[test]
    fn an_ack_that_repeats_itself_asks_for_something() {
        let (mut flow, mut other) = (Flow::default(), Flow::default());
        other.sends(&text(1, 100), None, NOW);
        let ack = Segment { ack: SeqNum(1), ..text(1, 0) };
        assert!(!flow.repeats_ack(&ack, &other));
        assert!(flow.repeats_ack(&ack, &other));
        assert!(!flow.repeats_ack(&Segment { ack: SeqNum(101), ..ack }, &other));
        assert!(!flow.repeats_ack(&Segment { ack: SeqNum(101), ..ack }, &other), "nothing is under way");
    }

    #[test]
    fn gaps_are_bounded() {
        let mut flow = Flow::default();
        for n in 0..1000 {
            flow.sends(&text(n * 10, 1), None, NOW);
        }
        assert_eq!(flow.gaps.len(), Flow::MOST_GAPS);
    }
}
