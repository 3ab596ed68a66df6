//! A TCP option as it is typed: its kind, and its data in hexadecimal.

use std::str::FromStr;

use crate::tcp::Options;
use crate::tcp::options::OptionsTooLong;

/// One option, as it stands in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption(Vec<u8>);

impl RawOption {
    /// A list of them, in order; what is left of the last word is zero.
    pub fn list(options: &[Self]) -> Result<Options, OptionsTooLong> {
        let octets: Vec<u8> = options.iter().flat_map(|option| &option.0).copied().collect();
        Options::from_wire(&octets)
    }
}

impl FromStr for RawOption {
    type Err = String;

    /// `2:05b4`, `4`; kinds 0 and 1 are one octet alone.
    fn from_str(text: &str) -> Result<Self, String> {
        const LAST_SINGLE: u8 = 1;
        const MOST_DATA: usize = Options::MAX_LEN - 2;
        let (kind, data) = text.split_once(':').unwrap_or((text, ""));
        let is_number = kind.bytes().all(|c| c.is_ascii_digit());
        let kind: u8 = kind.parse().ok().filter(|_| is_number).ok_or_else(|| {
            format!("'{kind}' is no option kind (write KIND:HEX, such as 2:05b4, with a kind from 0 to 255)")
        })?;
        let data = octets(data)?;
        match (kind <= LAST_SINGLE, data.len()) {
            (true, 0) => Ok(Self(vec![kind])),
            (true, _) => Err(format!("option kind {kind} is a single octet and has no data")),
            (false, len @ ..=MOST_DATA) => Ok(Self([&[kind, 2 + len as u8][..], &data].concat())),
            (false, len) => {
                Err(format!("{len} octets of data are more than the {MOST_DATA} that fit a tcp header"))
            }
        }
    }
}

/// Pairs of hexadecimal digits.
fn octets(digits: &str) -> Result<Vec<u8>, String> {
    let digits = digits.as_bytes();
    if digits.len() % 2 == 1 {
        return Err("the data is an odd number of hexadecimal digits (two for each octet)".to_owned());
    }
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let octet = |pair: &[u8]| match *pair {
        [high, low] => Some(value(high)? << 4 | value(low)?),
        _ => None,
    };
    let octets: Option<Vec<u8>> = digits.chunks(2).map(octet).collect();
    octets.ok_or_else(|| "the data is not hexadecimal (two digits for each octet)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_as_typed_and_in_order() {
        let typed = ["2:05b4", "1", "3:07", "4", "253:DEADbeef", "0"];
        let options: Vec<RawOption> = typed.iter().map(|text| text.parse().unwrap()).collect();
        let expected = [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 253, 6, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];
        assert_eq!(RawOption::list(&options).unwrap().as_bytes(), expected);
        assert!(RawOption::list(&[]).unwrap().is_empty());
    }

    #[test]
    fn no_more_than_forty_octets() {
        let longest: RawOption = format!("9:{}", "00".repeat(38)).parse().unwrap();
        assert_eq!(RawOption::list(std::slice::from_ref(&longest)).unwrap().as_bytes().len(), 40);
        let error = RawOption::list(&[longest, "1".parse().unwrap()]).unwrap_err();
        assert!(error.to_string().contains("41 octets"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("", "'' is no option kind"),
            ("mss:05b4", "'mss' is no option kind"),
            ("256:00", "'256' is no option kind"),
            ("-1", "'-1' is no option kind"),
            ("+1", "'+1' is no option kind"),
            ("2:5b4", "odd number"),
            ("2:05bg", "not hexadecimal"),
            ("2:05 4", "not hexadecimal"),
            ("2:+5b4", "not hexadecimal"),
            ("2:é", "not hexadecimal"),
            ("2:0x05", "not hexadecimal"),
            ("1:00", "single octet"),
            ("0:00", "single octet"),
            (&format!("9:{}", "00".repeat(39)), "39 octets of data"),
        ] {
            let error = text.parse::<RawOption>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
