//! Everything that is wrong with what was typed, not only the first.

use std::fmt;

use crate::report::text::clean;

/// Lines for the user, each `PLACE: what is wrong (what to write)`, safe for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    kept: Vec<String>,
    more: u64,
}

impl Trouble {
    /// Nobody mends more at once, and a file of gigabytes may be wrong in every line.
    const MOST_KEPT: usize = 1_000;

    /// Whether all is well.
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.kept.len() as u64 + self.more
    }

    /// What to print: if there are too many, the last line says so.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.kept.iter().cloned().chain(more)
    }

    pub(super) fn add(&mut self, place: impl fmt::Display, what: impl fmt::Display) {
        if self.kept.len() < Self::MOST_KEPT {
            self.kept.push(shortened(&clean(&format!("{place}: {what}"))));
        } else {
            self.more += 1;
        }
    }
}

/// A long line without its middle: what it is about stands at the beginning, what to write at the end.
fn shortened(line: &str) -> String {
    const HALF: usize = 200;
    let length = line.chars().count();
    if length <= 2 * HALF {
        return line.to_owned();
    }
    let begin: String = line.chars().take(HALF).collect();
    let end: String = line.chars().skip(length - HALF).collect();
    format!("{begin} ... {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_are_kept_and_the_rest_is_counted() {
        let mut trouble = Trouble::default();
        assert!(trouble.is_empty());
        for line in 1..=1_000 {
            trouble.add(line, "wrong");
        }
        assert_eq!(trouble.lines().last().unwrap(), "1000: wrong");
        trouble.add("f", "wrong");
        trouble.add("f", "wrong");
        assert_eq!((trouble.lines().count(), trouble.count()), (1_001, 1_002));
        assert_eq!(trouble.lines().last().unwrap(), "and 2 more");
    }

    #[test]
    fn a_line_is_short_and_moves_no_cursor() {
        let mut trouble = Trouble::default();
        trouble.add("f\n:1", format_args!("'{}\x1b[2J' is wrong (write it)", "x".repeat(5_000)));
        let line = trouble.lines().next().unwrap();
        assert!(
            line.starts_with("f\\u{a}:1: 'xx") && line.ends_with("\\u{1b}[2J' is wrong (write it)"),
            "{line}"
        );
        assert!(line.len() < 500);
    }
}
