//! TCP options: kind, length, value.

use super::{OCTET, Reader, WORD, opaque, plain, plural};

const END: u32 = 0;
const NO_OPERATION: u32 = 1;
const MSS: u32 = 2;
const WINDOW_SCALE: u32 = 3;
const SACK_PERMITTED: u32 = 4;
const SACK: u32 = 5;
const TIMESTAMPS: u32 = 8;
const FAST_OPEN: u32 = 34;
/// Kind and length.
const PREFIX: usize = 2;

impl Reader<'_> {
    /// Options as far as the bit `end`; if the packet ends before, as far as it goes.
    pub(super) fn options(&mut self, end: usize) -> Option<()> {
        let end = end.min(self.packet.len() * OCTET);
        while self.at < end {
            match self.peek(OCTET)? {
                END => {
                    self.kind()?;
                    let padding = (end - self.at) / OCTET;
                    self.octets(
                        padding,
                        "Padding",
                        opaque,
                        "Fills the header up to whole words of 32 bits.",
                    )?;
                }
                NO_OPERATION => self.kind()?,
                _ => self.option(end)?,
            }
        }
        Some(())
    }

    fn kind(&mut self) -> Option<()> {
        let kind = self.peek(OCTET)?;
        self.number(OCTET, "Kind", named, note(kind)).map(drop)
    }

    fn option(&mut self, end: usize) -> Option<()> {
        let room = (end - self.at) / OCTET;
        let kind = self.peek(OCTET)?;
        let length = self.peek(2 * OCTET).map_or(0, |both| (both & 0xff) as usize);
        if !(PREFIX..=room).contains(&length) {
            return self.octets(room, "Malformed", opaque, MALFORMED).map(drop);
        }
        self.kind()?;
        self.number(
            OCTET,
            "Length",
            |octets| plural(octets as usize, "octet"),
            "The whole option, kind and length counted.",
        )?;
        let data = length - PREFIX;
        match (kind, data) {
            (MSS, 2) => self.number(16, "MSS", plain, note(MSS)).map(drop),
            (WINDOW_SCALE, 1) => self.number(8, "Shift", plain, note(WINDOW_SCALE)).map(drop),
            (TIMESTAMPS, 8) => {
                self.number(WORD, "Timestamp value", plain, "The sender's clock, in ticks of its own.")?;
                self.number(
                    WORD,
                    "Timestamp echo",
                    plain,
                    "The value last heard from the other end: it measures the round trip.",
                )
                .map(drop)
            }
            (SACK, 8 | 16 | 24 | 32) => (0..data / 8).try_for_each(|_| {
                self.number(WORD, "Left edge", plain, "The first number of a block that has arrived.")?;
                self.number(WORD, "Right edge", plain, "The number after that block's last.").map(drop)
            }),
            _ => self.octets(data, "Value", opaque, note(kind)).map(drop),
        }
    }
}

fn named(kind: u32) -> String {
    let name = match kind {
        END => "end",
        NO_OPERATION => "NOP",
        MSS => "MSS",
        WINDOW_SCALE => "scale",
        SACK_PERMITTED => "SACK ok",
        SACK => "SACK",
        TIMESTAMPS => "times",
        FAST_OPEN => "fast open",
        _ => return kind.to_string(),
    };
    format!("{kind}, {name}")
}

const fn note(kind: u32) -> &'static str {
    match kind {
        END => "End of the options.",
        NO_OPERATION => "No operation: moves the next option to where its sender likes it.",
        MSS => "Maximum segment size: octets of text the sender takes in one segment. Only on a SYN.",
        WINDOW_SCALE => {
            "Window scale (RFC 7323): the windows of later segments count in units of 2 to this power, if both ends offer it. Only on a SYN."
        }
        SACK_PERMITTED => "The sender understands selective acknowledgments (RFC 2018). Only on a SYN.",
        SACK => "Selective acknowledgment (RFC 2018): blocks that have arrived behind a gap.",
        TIMESTAMPS => {
            "Timestamps (RFC 7323): for measuring the round trip, and for telling old segments from new."
        }
        FAST_OPEN => "A cookie (RFC 7413) that lets a SYN carry text.",
        _ => "An option this program does not decode.",
    }
}

const MALFORMED: &str = "An option whose length cannot be: what follows it cannot be read.";
