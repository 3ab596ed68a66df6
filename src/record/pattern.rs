//! A pattern that what a peer says is held against.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression on octets. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Octets that a compiled pattern may take, and as many again for what it learns while it searches.
    const MOST_OCTETS: usize = 1 << 20;

    /// Whether it matches somewhere in `text`.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// The error is one line.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern matches everything (write . for any octet)".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("a pattern is one line of text (write \\n, \\t or \\xHH)".to_owned());
        }
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(Self::MOST_OCTETS).dfa_size_limit(Self::MOST_OCTETS);
        builder.build().map(Self).map_err(|error| {
            if let regex::Error::CompiledTooBig(_) = error {
                return "the regular expression takes too much memory (write fewer repetitions)".to_owned();
            }
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            let why = last.strip_prefix("error: ").unwrap_or(last).to_lowercase();
            format!("no regular expression: {why} (a special character is written with a backslash)")
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_no_text_can_be_matched() {
        let pattern: Pattern = r"(?-u)^\xff\xfb".parse().unwrap();
        assert!(pattern.is_in(b"\xff\xfb\x01") && !pattern.is_in(b"x\xff\xfb"));
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_one_line() {
        for (typed, words) in [
            ("", "an empty pattern matches everything"),
            ("(", "unclosed group"),
            ("*", "repetition operator missing"),
            ("a\nb", "a pattern is one line of text"),
            ("\\w{500}", "takes too much memory (write fewer repetitions)"),
        ] {
            let error = typed.parse::<Pattern>().unwrap_err();
            assert!(error.contains(words) && error.lines().count() == 1, "{error}");
        }
    }
}
