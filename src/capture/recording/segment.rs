//! A segment from the fields of its line, for recordings that have no packets.

use super::line::{OptionLine, StepLine};
use crate::tcp::{Flags, Opt, Options, OptionsBuilder, Segment, SeqNum, UnscaledWindow};

/// `None` if a number is missing.
pub(super) fn from_fields(line: &StepLine) -> Option<Segment> {
    Some(Segment {
        seq: SeqNum(line.seq?),
        ack: SeqNum(line.ack.unwrap_or_default()),
        flags: Flags::named(line.flags.as_deref()?)?,
        window: UnscaledWindow(line.window?),
        urgent: line.urgent.unwrap_or_default(),
        options: options(line.options.as_deref().unwrap_or_default()),
        text_len: line.len?,
    })
}

/// As far as they fit.
fn options(lines: &[OptionLine]) -> Options {
    let push = |options: OptionsBuilder, line: &OptionLine| match line {
        OptionLine::Nop => options.push(Opt::Nop),
        OptionLine::Mss { value } => options.push(Opt::Mss(*value)),
        OptionLine::WindowScale { value } => options.push(Opt::WindowScale(*value)),
        OptionLine::SackPermitted => options.push(Opt::SackPermitted),
        OptionLine::Timestamps { value, echo } => {
            options.push(Opt::Timestamps { value: *value, echo: *echo })
        }
        OptionLine::Sack { blocks } => {
            options.push_sack(blocks.iter().map(|[start, end]| (SeqNum(*start), SeqNum(*end))))
        }
        OptionLine::Unknown { kind, data } => {
            options.push(Opt::Unknown { kind: *kind, data: &octets(data).unwrap_or_default() })
        }
        OptionLine::Malformed => Ok(options),
    };
    let all = lines.iter().fold(OptionsBuilder::default(), |all, line| push(all, line).unwrap_or(all));
    all.build()
}

/// Octets from hexadecimal.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    const DIGITS: usize = 2;
    let octet = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    if !text.len().is_multiple_of(DIGITS) {
        return None;
    }
    text.as_bytes().chunks_exact(DIGITS).map(octet).collect()
}

/// Octets from what `escape_ascii` has made of them.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (octet, after) = match (first, after) {
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let octet = std::str::from_utf8(&digits).ok().and_then(|it| u8::from_str_radix(it, 16).ok());
                (octet.unwrap_or(b'?'), after)
            }
            (b'\\', [same, after @ ..]) => (*same, after),
            _ => (first, after),
        };
        octets.push(octet);
        rest = after;
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_comes_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(unescaped(&all.escape_ascii().to_string()), all);
        assert_eq!(unescaped("\\"), b"\\");
        assert_eq!(unescaped("\\xzz"), b"?");
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(octets("00ff7F"), Some(vec![0, 255, 127]));
        assert_eq!(octets("0"), None);
        assert_eq!(octets("zz"), None);
    }
}
