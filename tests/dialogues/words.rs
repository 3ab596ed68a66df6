//! The words of a line, and where each of them stands.

use std::str::FromStr;
use std::time::Duration;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: String,
}

/// A word, and its column from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'l> {
    pub(crate) text: &'l str,
    pub(crate) column: usize,
}

/// Takes the words off a line, one after the other. A comment ends it.
#[derive(Clone, Debug)]
pub(crate) struct Words<'l> {
    line: &'l str,
    number: usize,
    at: usize,
}

impl<'l> Words<'l> {
    pub(crate) fn of(line: &'l str, number: usize) -> Self {
        Self { line: line.split('#').next().unwrap_or_default(), number, at: 0 }
    }

    /// The next word; options between angle brackets are one. A `<` by itself is a word like any other.
    pub(crate) fn next(&mut self) -> Option<Word<'l>> {
        let rest = &self.line[self.at..];
        let start = self.at + rest.find(|c: char| !c.is_whitespace())?;
        let rest = &self.line[start..];
        let is_group = rest.starts_with('<') && !rest[1..].starts_with(char::is_whitespace);
        let end = if is_group { rest.find('>').map(|at| at + 1) } else { rest.find(char::is_whitespace) };
        let text = &rest[..end.unwrap_or(rest.len())];
        self.at = start + text.len();
        Some(Word { text, column: start + 1 })
    }

    /// The same, where there must be one.
    pub(crate) fn need(&mut self, what: &str) -> Result<Word<'l>, Fault> {
        self.next().ok_or_else(|| self.fault(self.at + 1, format!("{what} is missing")))
    }

    /// A number behind a word.
    pub(crate) fn number<N: FromStr>(&mut self, what: &str) -> Result<N, Fault> {
        let word = self.need(what)?;
        self.parse(word, what)
    }

    pub(crate) fn parse<N: FromStr>(&self, word: Word<'_>, what: &str) -> Result<N, Fault> {
        word.text.parse().map_err(|_| self.no(word, what))
    }

    /// Seconds, with up to nine decimals.
    pub(crate) fn seconds(&self, word: Word<'_>) -> Result<Duration, Fault> {
        seconds(word.text).ok_or_else(|| self.no(word, "a time in seconds"))
    }

    /// All that is left of the line.
    pub(crate) fn rest(&mut self) -> &'l str {
        let rest = self.line[self.at..].trim();
        self.at = self.line.len();
        rest
    }

    /// Nothing may be left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.next().map_or(Ok(()), |word| Err(self.unknown(word)))
    }

    pub(crate) fn unknown(&self, word: Word<'_>) -> Fault {
        self.fault(word.column, format!("unknown word `{}`", word.text))
    }

    pub(crate) fn no(&self, word: Word<'_>, what: &str) -> Fault {
        self.fault(word.column, format!("`{}` is not {what}", word.text))
    }

    pub(crate) fn fault(&self, column: usize, text: impl Into<String>) -> Fault {
        Fault { line: self.number, column, text: text.into() }
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 9 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let nanos: u32 = format!("{fraction:0<9}").parse().ok().filter(|_| digits)?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}
