//! One expectation, read and written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::number::{decimal, duration, trimmed, written};
use super::{Comparison, Expectation, PeerOption};

/// What there is to write, for errors.
const ALL: &str = "open, refused, silent, unreachable, closes-cleanly, rtt<20ms, loss<1%, mss>=1400, option:sack, \
                   stays-open:500ms, banner~REGEX";

impl FromStr for Expectation {
    type Err = String;

    /// The error is one line: what is wrong, and what to write.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "open" => return Ok(Self::Open),
            "refused" => return Ok(Self::Refused),
            "silent" => return Ok(Self::Silent),
            "unreachable" => return Ok(Self::Unreachable),
            "closes-cleanly" => return Ok(Self::ClosesCleanly),
            _ => {}
        }
        let end = text.find([':', '<', '>', '=', '~']).unwrap_or(text.len());
        let (kind, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let read = match kind {
            "rtt" => rtt(rest),
            "loss" => loss(rest),
            "mss" => mss(rest),
            "option" => option(rest),
            "stays-open" => stays_open(rest),
            "banner" => banner(rest),
            _ => return Err(format!("'{text}' is no expectation (write one of {ALL})")),
        };
        read.map_err(|why| format!("'{text}': {why}"))
    }
}

fn rtt(rest: &str) -> Result<Expectation, String> {
    const WRITE: &str = "write rtt<20ms, rtt<=20ms, rtt>20ms or rtt>=20ms";
    let (comparison, value) =
        compared(rest).filter(|(comparison, _)| *comparison != Comparison::Equal).ok_or(WRITE)?;
    Ok(Expectation::Rtt(comparison, duration(value)?))
}

/// A share is kept in millionths.
fn loss(rest: &str) -> Result<Expectation, String> {
    const WRITE: &str =
        "write loss<1% or loss<=0.5%: more than 0%, or exactly loss<=0%, up to 100%, at most 4 decimals";
    const HUNDRED: u64 = 1_000_000;
    let (comparison, value) = compared(rest).ok_or(WRITE)?;
    let share = value.strip_suffix('%').and_then(|number| decimal(number, 4)).ok_or(WRITE)?;
    match (comparison, share) {
        (Comparison::Less, 1..=HUNDRED) | (Comparison::AtMost, 0..=HUNDRED) => {
            Ok(Expectation::Loss(comparison, share as u32))
        }
        _ => Err(WRITE.to_owned()),
    }
}

fn mss(rest: &str) -> Result<Expectation, String> {
    const WRITE: &str = "write mss>=1400, mss<=1400 or mss=1400: octets from 1 to 65535";
    let (comparison, value) = compared(rest).ok_or(WRITE)?;
    match (comparison, decimal(value, 0)) {
        (Comparison::AtLeast | Comparison::AtMost | Comparison::Equal, Some(octets @ 1..=65_535)) => {
            Ok(Expectation::Mss(comparison, octets as u16))
        }
        _ => Err(WRITE.to_owned()),
    }
}

fn option(rest: &str) -> Result<Expectation, String> {
    let name = rest.strip_prefix(':').unwrap_or_default();
    let found = PeerOption::ALL.into_iter().find(|option| option.name() == name);
    found.map(Expectation::Option).ok_or_else(|| {
        let names: Vec<String> = PeerOption::ALL.map(|option| format!("option:{}", option.name())).into();
        format!("no option a peer announces (write {})", names.join(", "))
    })
}

fn stays_open(rest: &str) -> Result<Expectation, String> {
    let time = rest.strip_prefix(':').ok_or("write stays-open:500ms")?;
    Ok(Expectation::StaysOpen(duration(time)?))
}

fn banner(rest: &str) -> Result<Expectation, String> {
    rest.strip_prefix('~').ok_or("write banner~REGEX")?.parse().map(Expectation::Banner)
}

/// `<=20ms` as its sign and what is behind it.
fn compared(rest: &str) -> Option<(Comparison, &str)> {
    // the longer signs first: `<` begins `<=`
    let mut signs = Comparison::ALL.into_iter();
    signs.find_map(|comparison| Some((comparison, rest.strip_prefix(comparison.sign())?)))
}

impl Comparison {
    const ALL: [Self; 5] = [Self::AtMost, Self::AtLeast, Self::Less, Self::More, Self::Equal];

    const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
        }
    }
}

impl fmt::Display for Expectation {
    /// In the notation it is read from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Refused => f.write_str("refused"),
            Self::Silent => f.write_str("silent"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::ClosesCleanly => f.write_str("closes-cleanly"),
            Self::Rtt(comparison, time) => write!(f, "rtt{}{}", comparison.sign(), written(*time)),
            Self::Loss(comparison, share) => {
                write!(f, "loss{}{}%", comparison.sign(), trimmed(u64::from(*share), 4))
            }
            Self::Mss(comparison, octets) => write!(f, "mss{}{octets}", comparison.sign()),
            Self::Option(option) => write!(f, "option:{}", option.name()),
            Self::StaysOpen(time) => write!(f, "stays-open:{}", written(*time)),
            Self::Banner(pattern) => write!(f, "banner~{pattern}"),
        }
    }
}

/// For reasons: what a mean or a share came to.
pub(super) fn measured_time(nanos: u64) -> String {
    written(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expectation_in_its_canonical_form() {
        for (typed, canonical) in [
            ("open", "open"),
            ("refused", "refused"),
            ("silent", "silent"),
            ("unreachable", "unreachable"),
            ("closes-cleanly", "closes-cleanly"),
            ("rtt<20ms", "rtt<20ms"),
            ("rtt<=1500ms", "rtt<=1.5s"),
            ("rtt>0.5ms", "rtt>500us"),
            ("rtt>=0.25us", "rtt>=0.25us"),
            ("loss<1%", "loss<1%"),
            ("loss<=0.50%", "loss<=0.5%"),
            ("loss<=0%", "loss<=0%"),
            ("mss>=1400", "mss>=1400"),
            ("mss<=536", "mss<=536"),
            ("mss=1460", "mss=1460"),
            ("option:window-scale", "option:window-scale"),
            ("option:ecn", "option:ecn"),
            ("stays-open:0.5s", "stays-open:500ms"),
            ("banner~^SSH-2[.]0, a,b # ~", "banner~^SSH-2[.]0, a,b # ~"),
        ] {
            assert_eq!(typed.parse::<Expectation>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        for (typed, words) in [
            ("", "'' is no expectation (write one of open, refused"),
            ("Open", "'Open' is no expectation"),
            ("open:", "is no expectation"),
            ("rtt", "'rtt': write rtt<20ms"),
            ("rtt=20ms", "write rtt<20ms"),
            ("rtt<20", "no time"),
            ("rtt<0ms", "no time"),
            ("rtt<-1ms", "no time"),
            ("rtt<1.2345us", "no time"),
            ("rtt<99999999999999999999s", "no time"),
            ("loss<0%", "write loss<1%"),
            ("loss<101%", "write loss<1%"),
            ("loss>1%", "write loss<1%"),
            ("loss<1", "write loss<1%"),
            ("mss>1400", "write mss>=1400"),
            ("mss>=0", "write mss>=1400"),
            ("mss>=65536", "write mss>=1400"),
            ("option:tfo", "option:mss, option:sack, option:window-scale, option:timestamps, option:ecn"),
            ("stays-open", "write stays-open:500ms"),
            ("stays-open:2d", "no time"),
            ("stays-open:86401s", "no time"),
            ("banner", "write banner~REGEX"),
            ("banner~", "empty pattern"),
            ("banner~(", "unclosed group"),
        ] {
            let error = typed.parse::<Expectation>().unwrap_err();
            assert!(error.contains(words) && error.lines().count() == 1, "{typed}: {error}");
        }
    }
}
