//! TCP options: kind, length, value.

use super::{OCTET, Reader, WORD, opaque, plain, plural};
use crate::lesson::fields;

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
                    self.octets(padding, "Padding", opaque, fields::PADDING)?;
                }
                NO_OPERATION => self.kind()?,
                _ => self.option(end)?,
            }
        }
        Some(())
    }

    fn kind(&mut self) -> Option<()> {
        let kind = self.peek(OCTET)?;
        self.number(OCTET, "Kind", named, fields::option(kind)).map(drop)
    }

    fn option(&mut self, end: usize) -> Option<()> {
        let room = (end - self.at) / OCTET;
        let kind = self.peek(OCTET)?;
        let length = self.peek(2 * OCTET).map_or(0, |both| (both & 0xff) as usize);
        if !(PREFIX..=room).contains(&length) {
            return self.octets(room, "Malformed", opaque, fields::MALFORMED_OPTION).map(drop);
        }
        self.kind()?;
        self.number(OCTET, "Length", |octets| plural(octets as usize, "octet"), fields::OPTION_LENGTH)?;
        let data = length - PREFIX;
        match (kind, data) {
            (MSS, 2) => self.number(16, "MSS", plain, fields::option(MSS)).map(drop),
            (WINDOW_SCALE, 1) => self.number(8, "Shift", plain, fields::option(WINDOW_SCALE)).map(drop),
            (TIMESTAMPS, 8) => {
                self.number(WORD, "Timestamp value", plain, fields::TIMESTAMP_VALUE)?;
                self.number(WORD, "Timestamp echo", plain, fields::TIMESTAMP_ECHO).map(drop)
            }
            (SACK, 8 | 16 | 24 | 32) => (0..data / 8).try_for_each(|_| {
                self.number(WORD, "Left edge", plain, fields::LEFT_EDGE)?;
                self.number(WORD, "Right edge", plain, fields::RIGHT_EDGE).map(drop)
            }),
            _ => self.octets(data, "Value", opaque, fields::option(kind)).map(drop),
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
