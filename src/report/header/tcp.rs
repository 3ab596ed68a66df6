//! The TCP header (RFC 9293 section 3.1), and the text behind it.

use super::{OCTET, Reader, WORD, hexadecimal, opaque, plain, plural};
use crate::lesson::fields;

const FIXED_WORDS: usize = 5;

impl Reader<'_> {
    /// A segment, from its header to the end of the packet.
    pub(super) fn tcp(&mut self) -> Option<()> {
        self.begin("TCP header");
        let first = self.at;
        self.number(16, "Source port", plain, fields::SOURCE_PORT)?;
        self.number(16, "Destination port", plain, fields::DESTINATION_PORT)?;
        self.number(WORD, "Sequence number", plain, fields::SEQUENCE_NUMBER)?;
        self.number(WORD, "Acknowledgment number", plain, fields::ACKNOWLEDGMENT_NUMBER)?;
        let words = self.number(4, "Offset", |words| format!("{words} words"), fields::DATA_OFFSET)? as usize;
        self.number(3, "Reserved", plain, fields::RESERVED)?;
        for (name, note) in fields::CONTROL_BITS {
            self.number(1, name, plain, note)?;
        }
        self.number(16, "Window", plain, fields::WINDOW)?;
        self.number(16, "Checksum", hexadecimal, fields::CHECKSUM)?;
        self.number(16, "Urgent pointer", plain, fields::URGENT_POINTER)?;
        words.checked_sub(FIXED_WORDS)?;
        let end = first + words * WORD;
        if end > self.at {
            self.begin("TCP options");
            self.options(end)?;
        }
        self.text()
    }

    fn text(&mut self) -> Option<()> {
        let octets = self.left() / OCTET;
        if octets > 0 {
            self.begin("Text");
            self.octets(
                octets,
                "Text",
                |text| format!("{}: {}", plural(text.len(), "octet"), opaque(text)),
                fields::TEXT,
            )?;
        }
        Some(())
    }
}
