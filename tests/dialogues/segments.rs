//! A segment in the notation: read, and shown.

use std::fmt::Write;

use tcpshake::tcp::{Flags, Opt, Options, SackBlocks, Segment, SeqNum};

use crate::words::{Fault, Word, Words};

/// Where the two sequence spaces begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// Our initial sequence number.
    pub(crate) iss: SeqNum,
    /// The peer's.
    pub(crate) irs: SeqNum,
}

/// A sequence number: counted from an initial one, or as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Relative(i64),
    Absolute(u32),
}

impl Number {
    pub(crate) fn from(self, initial: SeqNum) -> SeqNum {
        match self {
            Self::Relative(number) => initial + number as u32,
            Self::Absolute(number) => SeqNum(number),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('=') {
            Some(number) => number.parse().ok().map(Self::Absolute),
            None => text.parse().ok().map(Self::Relative),
        }
    }
}

/// Counted from an initial number: a little before it is negative.
pub(crate) fn relative(number: SeqNum, initial: SeqNum) -> i64 {
    let ahead = number.0.wrapping_sub(initial.0);
    if ahead > u32::MAX - (1 << 28) { i64::from(ahead as i32) } else { i64::from(ahead) }
}

/// One option as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Nop,
    End,
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    /// Our own clock is counted from our ISS, where it begins; the peer's stands as it is.
    Timestamps {
        value: u32,
        echo: u32,
    },
    /// Numbers counted from the initial one of who sent the text.
    Sack(Vec<(i64, i64)>),
    Other {
        kind: u8,
        data: Vec<u8>,
    },
    /// Octets as they are.
    Hex(Vec<u8>),
}

/// A segment with as many of its fields as the line has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) flags: Flags,
    pub(crate) seq: Number,
    pub(crate) text_len: u32,
    pub(crate) ack: Option<Number>,
    pub(crate) window: Option<u16>,
    pub(crate) urgent: Option<u16>,
    pub(crate) options: Option<Vec<Written>>,
}

/// `S.`, `none`: as [`Flags::short`] writes them.
fn flags(text: &str) -> Option<Flags> {
    (0..=0x1ff).map(Flags::from_bits).find(|flags| flags.short() == text)
}

/// `1:11(10)`: first number, the one after the last, octets of text.
pub(crate) fn range(text: &str) -> Option<(Number, u32)> {
    let (numbers, len) = text.strip_suffix(')')?.split_once('(')?;
    let (start, end) = numbers.split_once(':')?;
    let (start, end, len) = (Number::read(start)?, Number::read(end)?, len.parse::<u32>().ok()?);
    let adds_up = match (start, end) {
        (Number::Relative(start), Number::Relative(end)) => start + i64::from(len) == end,
        (Number::Absolute(start), Number::Absolute(end)) => start.wrapping_add(len) == end,
        _ => false,
    };
    adds_up.then_some((start, len))
}

impl Fields {
    /// Flags and numbers; what may follow is read by [`field`](Self::field).
    pub(crate) fn begin(words: &mut Words<'_>, first: Word<'_>) -> Result<Self, Fault> {
        let flags = flags(first.text).ok_or_else(|| words.unknown(first))?;
        let numbers = words.need("the sequence numbers, as in 1:11(10),")?;
        let (seq, text_len) =
            range(numbers.text).ok_or_else(|| words.no(numbers, "a range such as 1:11(10)"))?;
        Ok(Self { flags, seq, text_len, ack: None, window: None, urgent: None, options: None })
    }

    /// Takes a field that may be left out; `false` if the word begins none.
    pub(crate) fn field(&mut self, words: &mut Words<'_>, word: Word<'_>) -> Result<bool, Fault> {
        match word.text {
            "ack" => {
                let number = words.need("the acknowledgment number")?;
                self.ack = Some(Number::read(number.text).ok_or_else(|| words.no(number, "a number"))?);
            }
            "win" => self.window = Some(words.number("a window")?),
            "urg" => self.urgent = Some(words.number("an urgent pointer")?),
            group if group.starts_with('<') => self.options = Some(options(words, word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whoever writes a `.` says what it acknowledges.
    pub(crate) fn check(&self, words: &Words<'_>, first: Word<'_>) -> Result<(), Fault> {
        if self.flags.contains(Flags::ACK) && self.ack.is_none() {
            return Err(words.fault(first.column, "a segment with ACK needs `ack` and its number"));
        }
        Ok(())
    }
}

fn options(words: &Words<'_>, group: Word<'_>) -> Result<Vec<Written>, Fault> {
    let inner = group.text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let inner = inner.ok_or_else(|| words.fault(group.column, "options end with `>`"))?;
    let mut column = group.column + 1;
    let mut all = Vec::new();
    for piece in inner.split(',').filter(|_| !inner.is_empty()) {
        let word = Word { text: piece, column };
        all.push(option(piece.trim()).ok_or_else(|| words.no(word, "an option"))?);
        column += piece.len() + 1;
    }
    Ok(all)
}

fn option(text: &str) -> Option<Written> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    Some(match *parts {
        ["nop"] => Written::Nop,
        ["eol"] => Written::End,
        ["sackOK"] => Written::SackPermitted,
        ["mss", octets] => Written::Mss(octets.parse().ok()?),
        ["wscale", shift] => Written::WindowScale(shift.parse().ok()?),
        ["TS", "val", value, "ecr", echo] => {
            Written::Timestamps { value: value.parse().ok()?, echo: echo.parse().ok()? }
        }
        ["sack", ref blocks @ ..] => {
            let block = |text: &&str| {
                let (start, end) = text.split_once(':')?;
                Some((start.parse().ok()?, end.parse().ok()?))
            };
            Written::Sack(blocks.iter().map(block).collect::<Option<_>>()?)
        }
        ["kind", kind] => Written::Other { kind: kind.parse().ok()?, data: Vec::new() },
        ["kind", kind, data] => Written::Other { kind: kind.parse().ok()?, data: hex(data)? },
        ["hex", octets] => Written::Hex(hex(octets)?),
        _ => return None,
    })
}

pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let octet = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(octet).collect()
}

/// The octets of a list that the peer sends: its SACK blocks are about our text, its echo is of our clock.
pub(crate) fn octets(list: &[Written], place: Placement) -> Vec<u8> {
    let mut octets = Vec::new();
    for option in list {
        match option {
            Written::Nop => octets.push(1),
            Written::End => octets.push(0),
            Written::Mss(mss) => {
                octets.extend([2, 4]);
                octets.extend(mss.to_be_bytes());
            }
            Written::WindowScale(shift) => octets.extend([3, 3, *shift]),
            Written::SackPermitted => octets.extend([4, 2]),
            Written::Timestamps { value, echo } => {
                octets.extend([8, 10]);
                octets.extend(value.to_be_bytes());
                octets.extend((place.iss + *echo).0.to_be_bytes());
            }
            Written::Sack(blocks) => {
                octets.extend([5, 2 + 8 * blocks.len() as u8]);
                for (start, end) in blocks {
                    octets.extend((place.iss + *start as u32).0.to_be_bytes());
                    octets.extend((place.iss + *end as u32).0.to_be_bytes());
                }
            }
            Written::Other { kind, data } => {
                octets.extend([*kind, data.len() as u8 + 2]);
                octets.extend(data);
            }
            Written::Hex(raw) => octets.extend(raw),
        }
    }
    octets
}

/// The list that a line expects of us, as [`show_options`] shows what we sent.
pub(crate) fn show_written(list: &[Written]) -> String {
    let shown = list.iter().map(|option| match option {
        Written::Nop => "nop".to_owned(),
        Written::End => "eol".to_owned(),
        Written::Mss(mss) => format!("mss {mss}"),
        Written::WindowScale(shift) => format!("wscale {shift}"),
        Written::SackPermitted => "sackOK".to_owned(),
        Written::Timestamps { value, echo } => format!("TS val {value} ecr {echo}"),
        Written::Sack(blocks) => {
            blocks.iter().fold("sack".to_owned(), |all, (start, end)| format!("{all} {start}:{end}"))
        }
        Written::Other { kind, data } => format!("kind {kind} {}", show_hex(data)).trim().to_owned(),
        Written::Hex(octets) => format!("hex {}", show_hex(octets)),
    });
    shown.collect::<Vec<_>>().join(",")
}

fn show_hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut all, octet| {
        let _ = write!(all, "{octet:02x}");
        all
    })
}

/// Options of ours; padding is left out, as everywhere in traces.
pub(crate) fn show_options(options: &Options, place: Placement) -> String {
    let blocks = |blocks: SackBlocks<'_>| {
        let block = |(start, end)| (relative(start, place.irs), relative(end, place.irs));
        blocks.iter().map(block).collect()
    };
    let read = options.iter().flatten().filter_map(|option| match option {
        Opt::Nop => None,
        Opt::Mss(mss) => Some(Written::Mss(mss)),
        Opt::WindowScale(shift) => Some(Written::WindowScale(shift)),
        Opt::SackPermitted => Some(Written::SackPermitted),
        Opt::Timestamps { value, echo } => {
            Some(Written::Timestamps { value: value.wrapping_sub(place.iss.0), echo })
        }
        Opt::Sack(sack) => Some(Written::Sack(blocks(sack))),
        Opt::Unknown { kind, data } => Some(Written::Other { kind, data: data.to_vec() }),
    });
    show_written(&read.collect::<Vec<_>>())
}

/// A segment of ours, as a line would have it.
pub(crate) fn show(segment: &Segment, place: Placement) -> String {
    let (seq, len) = (relative(segment.seq, place.iss), segment.text_len);
    let mut shown = format!("{} {seq}:{}({len})", segment.flags.short(), seq + i64::from(len));
    if let Some(ack) = segment.acknowledgment() {
        let _ = write!(shown, " ack {}", relative(ack, place.irs));
    }
    let _ = write!(shown, " win {}", segment.window.0);
    if segment.has(Flags::URG) {
        let _ = write!(shown, " urg {}", segment.urgent);
    }
    if !segment.options.is_empty() {
        let _ = write!(shown, " <{}>", show_options(&segment.options, place));
    }
    shown
}
