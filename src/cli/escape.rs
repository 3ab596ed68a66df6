//! Octets as they are typed: text with the escapes of C.

/// What `text` stands for: as it is in UTF-8, but for `\n \r \t \0 \\ \" \'`, `\xHH`, and up to three octal digits.
/// The error names the escape and where it stands, in characters from 1.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        octets.extend(before.as_bytes());
        let at = text.chars().count() - behind.chars().count();
        let (octet, len) = escaped(behind).map_err(|why| format!("{why}, at character {at}"))?;
        octets.push(octet);
        rest = behind.get(len..).unwrap_or_default();
    }
    octets.extend(rest.as_bytes());
    Ok(octets)
}

/// The octet for what stands behind a backslash, and how much of that belongs to it.
fn escaped(behind: &str) -> Result<(u8, usize), String> {
    let letter = behind.chars().next().ok_or("a backslash ends the text (write \\\\ for one)")?;
    let octet = match letter {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '\\' | '"' | '\'' => letter as u8,
        'x' => return hexadecimal(behind),
        '0'..='7' => return octal(behind),
        other => {
            return Err(format!(
                "'\\{other}' is no escape (there are \\n \\r \\t \\0 \\\\ \\\" \\' \\xHH \\ooo)"
            ));
        }
    };
    Ok((octet, 1))
}

fn hexadecimal(behind: &str) -> Result<(u8, usize), String> {
    const LEN: usize = 3;
    let digits = behind.get(1..LEN).filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
    let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    octet.map(|octet| (octet, LEN)).ok_or_else(|| "'\\x' needs two hexadecimal digits".to_owned())
}

fn octal(behind: &str) -> Result<(u8, usize), String> {
    const MOST_DIGITS: usize = 3;
    let len = behind.bytes().take(MOST_DIGITS).take_while(|c| matches!(c, b'0'..=b'7')).count();
    let digits = behind.get(..len).unwrap_or_default();
    let octet = u8::from_str_radix(digits, 8);
    octet.map(|octet| (octet, len)).map_err(|_| format!("'\\{digits}' is more than an octet (at most \\377)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_c() {
        for (text, octets) in [
            ("", &b""[..]),
            ("GET / HTTP/1.0\\r\\n\\r\\n", b"GET / HTTP/1.0\r\n\r\n"),
            ("\\t\\0\\\\\\\"\\'", b"\t\0\\\"'"),
            ("\\x00\\xfF\\x40", b"\x00\xff@"),
            ("\\1\\12\\1234\\377\\08", b"\x01\x0a\x534\xff\x008"),
            ("gr\u{fc}n\\n", b"gr\xc3\xbcn\n"),
            ("\\\\n", b"\\n"),
            ("\u{1b}[2J", b"\x1b[2J"),
        ] {
            assert_eq!(unescape(text).unwrap(), octets, "{text:?}");
        }
    }

    #[test]
    fn a_bad_escape_is_named_with_its_place() {
        for (text, words) in [
            (
                "ab\\q",
                "'\\q' is no escape (there are \\n \\r \\t \\0 \\\\ \\\" \\' \\xHH \\ooo), at character 3",
            ),
            ("\\", "a backslash ends the text (write \\\\ for one), at character 1"),
            ("\u{fc}\\x", "'\\x' needs two hexadecimal digits, at character 2"),
            ("\\x1", "'\\x' needs two hexadecimal digits, at character 1"),
            ("\\x1g", "'\\x' needs two hexadecimal digits, at character 1"),
            ("\\x+1", "'\\x' needs two hexadecimal digits, at character 1"),
            ("\\x\u{fc}", "'\\x' needs two hexadecimal digits, at character 1"),
            ("\\n\\400", "'\\400' is more than an octet (at most \\377), at character 3"),
            ("\\8", "'\\8' is no escape"),
            ("\\\u{202e}", "is no escape"),
        ] {
            let error = unescape(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
