//! Sequence-number lines: which numbers SYN, text and FIN of one direction take, and when they are acknowledged.

use crate::record::{Event, Step};
use crate::tcp::{Flags, Segment, SeqNum};

/// The numbers one end takes.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) spans: Vec<Span>,
}

/// Numbers that one thing takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) takes: Takes,
    pub(super) first: SeqNum,
    /// The number after its last.
    pub(super) end: SeqNum,
    /// The step that sent it, the first of a list being 0.
    pub(super) sent: usize,
    /// The step that acknowledged it.
    pub(super) acknowledged: Option<usize>,
}

/// What takes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Syn,
    Text,
    Fin,
}

/// Most spans of text on a line; neighbours are joined where there would be more.
const MOST_TEXTS: usize = 8;
/// Most segments that are kept because one before them has not been seen.
const MOST_WAITING: usize = 256;

impl Takes {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::Text => "text",
            Self::Fin => "FIN",
        }
    }
}

impl Span {
    /// How many numbers it takes.
    pub(super) fn count(&self) -> u32 {
        (self.end - self.first).max(0) as u32
    }

    /// The last of its numbers.
    pub(super) fn last(&self) -> SeqNum {
        self.end - 1
    }
}

/// The local end's line, and the remote end's.
pub(super) fn lines(steps: &[Step]) -> [Line; 2] {
    let (mut local, mut remote) = (Writer::default(), Writer::default());
    for (at, step) in steps.iter().enumerate() {
        let (sender, receiver, segment) = match &step.event {
            Event::Sent { segment, .. } => (&mut local, &mut remote, segment),
            Event::Received { segment, .. } => (&mut remote, &mut local, segment),
            Event::Unsent { .. }
            | Event::Unreadable(_)
            | Event::Icmp { .. }
            | Event::KernelReset(..)
            | Event::Quiet => continue,
        };
        sender.sends(at, segment);
        if let Some(ack) = segment.acknowledgment() {
            receiver.is_acknowledged(at, ack);
        }
    }
    [local, remote].map(|writer| Line { spans: joined(writer.spans) })
}

/// Follows one end's numbers.
#[derive(Default)]
struct Writer {
    /// The number after all that has been seen without a gap.
    next: Option<SeqNum>,
    spans: Vec<Span>,
    /// Segments behind a gap, and their steps.
    waiting: Vec<(usize, Segment)>,
}

impl Writer {
    fn sends(&mut self, at: usize, segment: &Segment) {
        if segment.has(Flags::RST) || segment.is_empty() || self.waiting.len() >= MOST_WAITING {
            return;
        }
        self.waiting.push((at, *segment));
        while let Some(found) = self.waiting.iter().position(|(_, segment)| self.continues(segment)) {
            let (at, segment) = self.waiting.swap_remove(found);
            self.take(at, &segment);
        }
    }

    /// Whether a segment brings the next number.
    fn continues(&self, segment: &Segment) -> bool {
        self.next.is_none_or(|next| segment.seq.at_or_before(next) && segment.end().after(next))
    }

    fn take(&mut self, at: usize, segment: &Segment) {
        let (begin, text, end) = (segment.seq, segment.text_seq(), segment.end());
        let fin = text + segment.text_len;
        let next = self.next.unwrap_or(begin);
        for (takes, first, end) in
            [(Takes::Syn, begin, text), (Takes::Text, text, fin), (Takes::Fin, fin, end)]
        {
            let first = if first.before(next) { next } else { first };
            if end.after(first) {
                self.spans.push(Span { takes, first, end, sent: at, acknowledged: None });
            }
        }
        self.next = Some(end);
    }

    fn is_acknowledged(&mut self, at: usize, ack: SeqNum) {
        if self.next.is_none_or(|next| ack.after(next)) {
            return;
        }
        let unacknowledged = self.spans.iter_mut().rev().take_while(|span| span.acknowledged.is_none());
        for span in unacknowledged.filter(|span| ack.at_or_after(span.end)) {
            span.acknowledged = Some(at);
        }
    }
}

/// The same numbers in fewer spans: each is sent with its first part, and acknowledged with its last.
fn joined(spans: Vec<Span>) -> Vec<Span> {
    let texts = spans.iter().filter(|span| span.takes == Takes::Text).count();
    let together = texts.div_ceil(MOST_TEXTS).max(1);
    let mut in_last = 0;
    spans.into_iter().fold(Vec::new(), |mut joined, span| {
        match joined.last_mut() {
            Some(last) if last.takes == Takes::Text && span.takes == Takes::Text && in_last < together => {
                last.end = span.end;
                last.acknowledged = span.acknowledged;
                in_last += 1;
            }
            _ => {
                joined.push(span);
                in_last = 1;
            }
        }
        joined
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(seq: u32) -> Segment {
        Segment { seq: SeqNum(seq), flags: Flags::SYN, ..Segment::default() }
    }

    fn text(seq: u32, text_len: u32) -> Segment {
        Segment { seq: SeqNum(seq), text_len, flags: Flags::ACK, ..Segment::default() }
    }

    fn numbers(writer: &Writer) -> Vec<(Takes, u32, u32)> {
        writer.spans.iter().map(|span| (span.takes, span.first.0, span.last().0)).collect()
    }

    #[test]
    fn syn_and_fin_take_a_number_and_text_one_an_octet() {
        let mut writer = Writer::default();
        let fin = Segment { flags: Flags::FIN | Flags::ACK, ..text(4322, 5) };
        writer.sends(0, &syn(4321));
        writer.sends(1, &text(4322, 0)); // takes none
        writer.sends(2, &fin);
        let expected = [(Takes::Syn, 4321, 4321), (Takes::Text, 4322, 4326), (Takes::Fin, 4327, 4327)];
        assert_eq!(numbers(&writer), expected);
        writer.is_acknowledged(3, SeqNum(4327));
        writer.is_acknowledged(4, SeqNum(4328));
        let acknowledged: Vec<_> = writer.spans.iter().map(|span| span.acknowledged).collect();
        assert_eq!(acknowledged, [Some(3), Some(3), Some(4)]);
    }

    #[test]
    fn what_was_sent_before_or_behind_a_gap_is_drawn_once_and_in_order() {
        let mut writer = Writer::default();
        writer.sends(0, &syn(u32::MAX)); // the text begins at 0
        writer.sends(1, &text(10, 10));
        writer.sends(2, &text(0, 10));
        writer.sends(3, &text(5, 20));
        writer.sends(4, &text(1_000_000, 1)); // nobody knows what came before
        writer.is_acknowledged(5, SeqNum(500)); // acknowledges what was never sent
        let expected = [
            (Takes::Syn, u32::MAX, u32::MAX),
            (Takes::Text, 0, 9),
            (Takes::Text, 10, 19),
            (Takes::Text, 20, 24),
        ];
        assert_eq!(numbers(&writer), expected);
        assert!(writer.spans.iter().all(|span| span.acknowledged.is_none()));
    }

    #[test]
    fn a_long_transfer_is_a_short_line() {
        let mut writer = Writer::default();
        writer.sends(0, &syn(0));
        (0..100).for_each(|n| writer.sends(n, &text(1 + n as u32 * 10, 10)));
        let spans = joined(writer.spans);
        assert_eq!(spans.len(), 1 + MOST_TEXTS);
        assert_eq!(spans.iter().map(Span::count).sum::<u32>(), 1001);
    }
}
