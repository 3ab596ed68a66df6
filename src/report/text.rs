//! What the text formats share: cleaning, wrapping, durations.

use std::time::Duration;

/// Text that came from outside, safe for a terminal: control characters, and the characters that change
/// the direction or are invisible, are escaped (CWE-150).
pub fn clean(text: &str) -> String {
    text.chars().fold(String::new(), |mut clean, c| {
        if is_unsafe(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
        clean
    })
}

/// Whether a character steers a terminal, changes the direction, or cannot be seen.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Characters that text may be made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// All.
    #[default]
    Unicode,
    /// Seven bits each; column by column the same as before.
    Ascii,
}

impl Charset {
    /// Leaves nothing else in `text`.
    pub fn apply(self, text: &mut String) {
        if self == Self::Ascii && !text.is_ascii() {
            *text = text.chars().map(ascii).collect();
        }
    }
}

/// What comes closest.
const fn ascii(c: char) -> char {
    match c {
        '│' => '|',
        '─' | '–' => '-',
        '▶' | '→' => '>',
        '◀' | '←' => '<',
        '·' => '*',
        '…' | '✓' => '+',
        '✗' => 'x',
        _ if c.is_ascii() => c,
        _ => '?',
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word is broken.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    fill(text.split(' '), " ", width)
}

/// Sets `items` into lines of at most `width` characters, `separator` between those on one line.
pub fn fill<'t>(items: impl IntoIterator<Item = &'t str>, separator: &str, width: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        if length(item) > width && item.contains(' ') {
            lines.extend(wrap(item, width));
            continue;
        }
        if length(item) > width {
            let letters: Vec<char> = item.chars().collect();
            lines.extend(letters.chunks(width.max(1)).map(String::from_iter));
            continue;
        }
        match lines.last_mut() {
            Some(line) if length(line) + length(separator) + length(item) <= width => {
                line.push_str(separator);
                line.push_str(item);
            }
            _ => lines.push(item.to_owned()),
        }
    }
    lines
}

/// Milliseconds with three decimals: `0.121`.
pub fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// A time people chose: `250 ms`, `1.5 s`, `240 s`.
pub fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_millis() as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-01.
    #[test]
    fn p01_nothing_that_moves_the_cursor_gets_through() {
        let hostile = "a\x1b[2Jb\u{9b}c\u{202e}d\u{200b}e\r\n\x07\x7f";
        let clean = clean(hostile);
        assert!(clean.chars().all(|c| c.is_ascii_graphic()), "{clean}");
        assert!(clean.starts_with("a\\u{1b}[2Jb"));
        assert_eq!(super::clean("grüße.example"), "grüße.example");
    }

    #[test]
    fn ascii_takes_as_many_columns() {
        let mut text = "  1  0.000  SYN-SENT  │── SYN ───▶│ a → b · \"x\"… ü".to_owned();
        let columns = text.chars().count();
        Charset::Unicode.apply(&mut text);
        assert_eq!(text.chars().count(), columns);
        Charset::Ascii.apply(&mut text);
        assert_eq!(text, "  1  0.000  SYN-SENT  |-- SYN --->| a > b * \"x\"+ ?");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible it is", 5), ["incom", "prehe", "nsibl", "e it", "is"]);
        assert_eq!(fill(["one", "two three four", "five"], " · ", 9), ["one", "two three", "four", "five"]);
    }

    #[test]
    fn durations() {
        assert_eq!(millis(Duration::from_nanos(1_234_567)), "1.234");
        assert_eq!(short(Duration::from_millis(250)), "250 ms");
        assert_eq!(short(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(short(Duration::from_secs(240)), "240 s");
    }
}
