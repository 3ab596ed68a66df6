//! Lines of a file, whatever is in it.

use std::io::{self, BufRead, Read};

/// A line has no more octets than this.
const MOST_OCTETS: usize = 4_096;

/// What has no line end for so long is no list.
const MOST_SKIPPED: u64 = 16 << 20;

/// Tells every line that says something, with its number, or why it cannot be read. Blank lines and comments say
/// nothing.
pub(super) fn read(
    input: &mut impl BufRead,
    mut tell: impl FnMut(u64, Result<&str, String>),
) -> io::Result<()> {
    let mut octets = Vec::with_capacity(MOST_OCTETS + 2);
    for number in 1.. {
        octets.clear();
        let most = MOST_OCTETS + 2; // the end of the line, CRLF at most
        if input.by_ref().take(most as u64).read_until(b'\n', &mut octets)? == 0 {
            break;
        }
        let is_whole = octets.ends_with(b"\n") || octets.len() < most;
        let line = octets.strip_suffix(b"\n").unwrap_or(&octets);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if !is_whole || line.len() > MOST_OCTETS {
            tell(
                number,
                Err(format!("the line is longer than {MOST_OCTETS} octets (write one target a line)")),
            );
            if !is_whole && input.by_ref().take(MOST_SKIPPED).skip_until(b'\n')? as u64 == MOST_SKIPPED {
                break;
            }
            continue;
        }
        match text(line).map(str::trim) {
            Ok(said) if said.is_empty() || said.starts_with('#') => {}
            read => tell(number, read),
        }
    }
    Ok(())
}

fn text(line: &[u8]) -> Result<&str, String> {
    if let Some(at) = line.iter().position(|octet| *octet == 0) {
        return Err(format!("octet {} is zero (write plain text)", at + 1));
    }
    std::str::from_utf8(line)
        .map_err(|error| format!("octet {} is not utf-8 (write utf-8)", error.valid_up_to() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mut octets: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let mut told = Vec::new();
        read(&mut octets, |number, line| told.push((number, line.map(str::to_owned)))).unwrap();
        told
    }

    #[test]
    fn what_says_nothing_is_passed_over() {
        let octets = b"\xef\xbb\xbfone\r\n\r\n  # comment\n\t two \n\xc3\xbc";
        let lines =
            [(1, "one"), (4, "two"), (5, "\u{fc}")].map(|(number, line)| (number, Ok(line.to_owned())));
        assert_eq!(told(octets), lines);
        assert_eq!(told(b""), []);
        assert_eq!(told(b"\xef\xbb\xbf"), []);
    }

    #[test]
    fn what_is_no_text_is_named() {
        let lines = told(b"a\0b\nx\xff\n\xef\xbb\xbfok\nlast");
        let error = |at: usize| lines[at].1.as_ref().unwrap_err().as_str();
        assert_eq!(error(0), "octet 2 is zero (write plain text)");
        assert_eq!(error(1), "octet 2 is not utf-8 (write utf-8)");
        assert_eq!(lines[2].1.as_deref(), Ok("\u{feff}ok"), "only the first line can begin with a mark");
        assert_eq!(lines[3], (4, Ok("last".into())));
    }

    #[test]
    fn a_long_line_is_one_error_and_the_next_is_read() {
        let just = "x".repeat(MOST_OCTETS);
        for end in ["\n", "\r\n", ""] {
            assert!(told(format!("{just}{end}").as_bytes())[0].1.is_ok(), "{end:?}");
            for more in [1, 2, 3, 100_000] {
                let lines = told(format!("{just}{}{end}", "y".repeat(more)).as_bytes());
                assert!(lines.len() == 1 && lines[0].1.is_err(), "{more} {end:?}");
            }
        }
        let lines = told(format!("{just}yyyy\nnext\n").as_bytes());
        assert_eq!(lines[1], (2, Ok("next".into())));
    }

    #[test]
    fn what_never_ends_a_line_is_given_up() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        let mut told = 0;
        read(&mut endless, |_, line| told += usize::from(line.is_err())).unwrap();
        assert_eq!(told, 1);
    }
}
