//! The TCP header (RFC 9293 section 3.1), and the text behind it.

use super::{OCTET, Reader, WORD, hexadecimal, opaque, plain, plural};

const FIXED_WORDS: usize = 5;

/// The control bits in the header's order, and what each says.
const CONTROL_BITS: [(&str, &str); 9] = [
    ("AE", "Accurate ECN (RFC 9768): tells more of congestion than a single bit can."),
    ("CWR", "Congestion window reduced (RFC 3168): the sender has heard of the congestion."),
    (
        "ECE",
        "ECN echo (RFC 3168): a packet came marked by a congested router. On a SYN, an offer to use this.",
    ),
    ("URG", "The urgent pointer means something."),
    (
        "ACK",
        "The acknowledgment number means something: set on every segment but the first SYN, and some RSTs.",
    ),
    ("PSH", "Push: the receiver should hand the text to its user without waiting for more."),
    ("RST", "Reset: there is no such connection, or no longer."),
    ("SYN", "Synchronize: the sequence number is the initial one. Takes one number itself."),
    ("FIN", "No more text from the sender. Takes one number itself, so that it can be acknowledged."),
];

impl Reader<'_> {
    /// A segment, from its header to the end of the packet.
    pub(super) fn tcp(&mut self) -> Option<()> {
        self.begin("TCP header");
        let first = self.at;
        self.number(
            16,
            "Source port",
            plain,
            "The port it comes from; with the three others it names the connection.",
        )?;
        self.number(16, "Destination port", plain, "The port it is for.")?;
        self.number(WORD, "Sequence number", plain, SEQUENCE)?;
        self.number(WORD, "Acknowledgment number", plain, ACKNOWLEDGMENT)?;
        let words = self.number(4, "Offset", |words| format!("{words} words"), OFFSET)? as usize;
        self.number(3, "Reserved", plain, "Sent as zero, ignored when received.")?;
        for (name, note) in CONTROL_BITS {
            self.number(1, name, plain, note)?;
        }
        self.number(16, "Window", plain, WINDOW)?;
        self.number(16, "Checksum", hexadecimal, CHECKSUM)?;
        self.number(
            16,
            "Urgent pointer",
            plain,
            "Where urgent text ends, if URG is set. New programs should not use it.",
        )?;
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
                TEXT,
            )?;
        }
        Some(())
    }
}

const SEQUENCE: &str = "The number of the first octet of text. With SYN it is the initial number, and the text begins one later.";
const ACKNOWLEDGMENT: &str = "The number the sender expects next: everything before it has arrived. Without the ACK bit it means nothing.";
const OFFSET: &str =
    "Where the text begins, in words of 32 bits: the length of this header with its options.";
const WINDOW: &str = "How many octets the sender is ready to take beyond those it acknowledges; shifted by the window scale, except on a SYN.";
const CHECKSUM: &str = "Over this header, the text, and the addresses of the IP header: what is damaged or misdelivered is dropped.";
const TEXT: &str = "What the program on the other end reads. Each octet takes one sequence number.";
