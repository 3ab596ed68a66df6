//! Control bits as they are typed: letters, a number, or none.

use super::number::number;
use crate::tcp::Flags;

/// Letters of tcpdump and hping, and N for AE, which was NS once.
const LETTERS: [(char, Flags); 11] = [
    ('F', Flags::FIN),
    ('S', Flags::SYN),
    ('R', Flags::RST),
    ('P', Flags::PSH),
    ('A', Flags::ACK),
    ('.', Flags::ACK),
    ('U', Flags::URG),
    ('E', Flags::ECE),
    ('C', Flags::CWR),
    ('W', Flags::CWR),
    ('N', Flags::AE),
];

/// `SA`, `fpu`, `0x12`, `none`.
pub(super) fn flags(text: &str) -> Result<Flags, String> {
    const MOST: u16 = 0x1ff;
    if text.eq_ignore_ascii_case("none") {
        return Ok(Flags::NONE);
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let bits = number(text).ok().filter(|bits| *bits <= MOST);
        return bits.map(Flags::from_bits).ok_or_else(|| "nine bits are at most 0x1ff".to_owned());
    }
    if text.is_empty() {
        return Err("letters are needed, a number such as 0x12, or none".to_owned());
    }
    text.chars().try_fold(Flags::NONE, |all, letter| {
        let found = LETTERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&letter));
        let (_, flag) = found.ok_or_else(|| {
            format!("'{letter}' is none of the letters F S R P A U E C N (or write a number such as 0x12, or none)")
        })?;
        Ok(all | *flag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_numbers_and_none() {
        for (text, bits) in [
            ("S", 0x002),
            ("SA", 0x012),
            ("sa", 0x012),
            ("S.", 0x012),
            ("FSRPAUECN", 0x1ff),
            ("fsrpauewn", 0x1ff),
            ("SS", 0x002),
            ("none", 0),
            ("NONE", 0),
            ("0x12", 0x012),
            ("0", 0),
            ("511", 0x1ff),
        ] {
            assert_eq!(flags(text), Ok(Flags::from_bits(bits)), "{text}");
        }
        for (text, words) in [
            ("SYN", "'Y' is none"),
            ("0x200", "at most 0x1ff"),
            ("1x", "at most 0x1ff"),
            ("", "letters are needed"),
            ("S A", "' ' is none"),
        ] {
            assert!(flags(text).unwrap_err().contains(words), "{text}");
        }
    }

    /// N alone is a letter, `none` a word: both begin alike.
    #[test]
    fn n_is_accurate_ecn() {
        assert_eq!(flags("N"), Ok(Flags::AE));
        assert_eq!(flags("nS"), Ok(Flags::AE | Flags::SYN));
    }
}
