//! Octets as people read them: offset, hexadecimal, and what is plain ASCII.

use std::fmt::Write;

/// Octets on one line.
const ROW: usize = 16;

/// Lines such as `0010  0a 63 00 01 0a 63 00 02  .c...c..`, 71 columns at most.
pub fn dump(octets: &[u8]) -> Vec<String> {
    octets.chunks(ROW).enumerate().map(|(n, row)| line(n * ROW, row)).collect()
}

fn line(offset: usize, row: &[u8]) -> String {
    let mut line = format!("{offset:04x}  ");
    for octet in row {
        let _ = write!(line, "{octet:02x} ");
    }
    line += &"   ".repeat(ROW - row.len());
    line.push(' ');
    line.extend(row.iter().map(|octet| if matches!(octet, b' '..=b'~') { char::from(*octet) } else { '.' }));
    line
}

/// `4500002c`.
pub fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_the_octets_and_harmless() {
        let octets: Vec<u8> = (0..=255).collect();
        let dump = dump(&octets);
        assert_eq!(dump.len(), 16);
        assert!(dump.iter().all(|line| line.len() == 71 && line.bytes().all(|c| matches!(c, b' '..=b'~'))));
        let expected = "0040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO";
        assert_eq!(dump[4], expected);
        let read = dump.iter().flat_map(|line| line[6..53].split(' '));
        let read: Vec<u8> = read.map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
        assert_eq!(read, octets);
    }

    #[test]
    fn the_last_line_keeps_its_columns() {
        assert_eq!(dump(b"\x1b[2J"), [format!("0000  1b 5b 32 4a{}.[2J", " ".repeat(38))]);
        assert!(dump(b"").is_empty());
        assert_eq!(digits(&[0x45, 0, 0xff]), "4500ff");
    }
}
