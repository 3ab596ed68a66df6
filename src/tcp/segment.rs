//! A segment as RFC 9293 speaks of it: SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND, SEG.UP and its control bits.

use std::fmt;

use super::flags::Flags;
use super::options::Options;
use super::seq::{SeqNum, UnscaledWindow};

/// The current segment's variables (RFC 9293 section 3.3.1).
///
/// The text itself is not here, only its length: the state machine decides by numbers alone, and the
/// octets stay where they arrived or are queued. Ports are not here either: they say which
/// connection, not what happens in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Segment {
    /// SEG.SEQ: the sequence number of the first octet, or of the SYN.
    pub seq: SeqNum,
    /// The acknowledgment field as it stands, significant or not; see [`acknowledgment`](Self::acknowledgment).
    pub ack: SeqNum,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND, not yet scaled.
    pub window: UnscaledWindow,
    /// SEG.UP: offset from `seq` to the octet after the urgent data, if URG is set.
    pub urgent: u16,
    /// The options, as on the wire.
    pub options: Options,
    /// Octets of text.
    pub text_len: u32,
}

impl Segment {
    /// SEG.ACK: the acknowledgment number, if the ACK bit says that it means something.
    pub fn acknowledgment(&self) -> Option<SeqNum> {
        self.has(Flags::ACK).then_some(self.ack)
    }

    /// SEG.LEN: sequence numbers the segment occupies, text, SYN and FIN counted.
    pub fn len(&self) -> u32 {
        let bits = u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN));
        self.text_len.saturating_add(bits)
    }

    /// Whether the segment occupies no sequence number, as a pure ACK does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequence number after the segment: SEG.SEQ + SEG.LEN.
    pub fn end(&self) -> SeqNum {
        self.seq + self.len()
    }

    /// The sequence number of the first octet of text: a SYN comes before it.
    pub fn text_seq(&self) -> SeqNum {
        self.seq + u32::from(self.has(Flags::SYN))
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: Flags) -> bool {
        self.flags.contains(flags)
    }
}

impl fmt::Display for Segment {
    /// The trace notation: `S. 9:9(0) ack 5 win 64240 <mss 1460>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}({})", self.flags.short(), self.seq, self.seq + self.text_len, self.text_len)?;
        if let Some(ack) = self.acknowledgment() {
            write!(f, " ack {ack}")?;
        }
        write!(f, " win {}", self.window.0)?;
        if self.has(Flags::URG) {
            write!(f, " urg {}", self.urgent)?;
        }
        if !self.options.is_empty() {
            write!(f, " <{}>", self.options)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syn_and_fin_take_a_number_each() {
        let segment = Segment {
            seq: SeqNum(u32::MAX),
            flags: Flags::SYN | Flags::FIN,
            text_len: 3,
            ..Segment::default()
        };
        assert_eq!(segment.len(), 5);
        assert_eq!(segment.end(), SeqNum(4));
        assert_eq!(segment.text_seq(), SeqNum(0));
        assert_eq!(segment.acknowledgment(), None);
    }

    #[test]
    fn the_trace_notation() {
        let segment =
            Segment { seq: SeqNum(9), ack: SeqNum(5), text_len: 3, urgent: 2, ..Segment::default() };
        assert_eq!(Segment { flags: Flags::SYN, ..segment }.to_string(), "S 9:12(3) win 0");
        assert_eq!(
            Segment { flags: Flags::ACK | Flags::URG, ..segment }.to_string(),
            ".U 9:12(3) ack 5 win 0 urg 2"
        );
        let options = Options::from_wire(&[2, 4, 5, 180]).unwrap();
        assert_eq!(Segment { options, ..Segment::default() }.to_string(), "none 0:0(0) win 0 <mss 1460>");
    }
}
