//! What is expected of a target, and whether it is so.
//!
//! On the command line each expectation has an option of its own (`--expect open --expect 'rtt<20ms'`); in a
//! line of a target file they are separated by spaces, and `banner~` takes the rest of the line. A comma
//! separates nothing: a pattern may hold one.

mod judge;
mod notation;
mod number;
#[cfg(test)]
mod properties;

use std::fmt;
use std::time::Duration;

pub use judge::Exchange;

use super::pattern::Pattern;

/// One thing that is expected. The order is the canonical one; a pattern comes last, as it must in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expectation {
    /// The open succeeds, however the close goes.
    Open,
    /// The SYN is answered with RST.
    Refused,
    /// Nothing answers.
    Silent,
    /// The network says that nobody can be reached.
    Unreachable,
    /// Both FINs are acknowledged.
    ClosesCleanly,
    /// How the mean of the round trips compares with this.
    Rtt(Comparison, Duration),
    /// How the share of SYNs that nothing answered compares with so many millionths.
    Loss(Comparison, u32),
    /// How the announced MSS compares with this.
    Mss(Comparison, u16),
    /// The peer announces this option.
    Option(PeerOption),
    /// The peer neither closes nor resets for so long.
    StaysOpen(Duration),
    /// What the peer says first matches.
    Banner(Pattern),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
}

impl Comparison {
    fn holds<T: Ord + Copy>(self, found: T, expected: T) -> bool {
        match self {
            Self::Less => found < expected,
            Self::AtMost => found <= expected,
            Self::More => found > expected,
            Self::AtLeast => found >= expected,
            Self::Equal => found == expected,
        }
    }

    /// Whether it bounds from above, from below.
    const fn bounds(self) -> (bool, bool) {
        match self {
            Self::Less | Self::AtMost => (true, false),
            Self::More | Self::AtLeast => (false, true),
            Self::Equal => (true, true),
        }
    }
}

/// What a peer's SYN may announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerOption {
    /// The largest segment it takes.
    Mss,
    /// Selective acknowledgments.
    Sack,
    /// A shift for its windows.
    WindowScale,
    /// Timestamps.
    Timestamps,
    /// Explicit congestion notification, which is two control bits.
    Ecn,
}

impl PeerOption {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Mss, Self::Sack, Self::WindowScale, Self::Timestamps, Self::Ecn];

    /// As in [`Announced::options`](super::check::Announced::options).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mss => "mss",
            Self::Sack => "sack",
            Self::WindowScale => "window-scale",
            Self::Timestamps => "timestamps",
            Self::Ecn => "ecn",
        }
    }
}

/// Everything that is expected of one target: never nothing, and nothing that contradicts itself.
///
/// Whatever needs an open connection implies `open`, which then stands with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations(Vec<Expectation>);

impl Default for Expectations {
    /// `open`.
    fn default() -> Self {
        Self(vec![Expectation::Open])
    }
}

impl Expectations {
    /// All of `wanted` together; [`Self::default`] if there is none. The error names two that exclude each other.
    pub fn new(wanted: impl IntoIterator<Item = Expectation>) -> Result<Self, String> {
        let mut all: Vec<Expectation> = wanted.into_iter().collect();
        if all.iter().all(needs_open) {
            all.push(Expectation::Open);
        }
        all.sort_unstable();
        all.dedup();
        let mut rest = all.as_slice();
        while let [one, others @ ..] = rest {
            if let Some(other) = others.iter().find(|other| !go_together(one, other)) {
                return Err(format!("'{one}' and '{other}' cannot both be so (leave one out)"));
            }
            rest = others;
        }
        Ok(Self(all))
    }

    /// Reads each of `words`, as on the command line: one expectation each.
    pub fn read<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Self, String> {
        let read: Result<Vec<Expectation>, String> = words.into_iter().map(str::parse).collect();
        Self::new(read?)
    }

    /// Reads a line of a file: separated by spaces, a word that begins with `#` ends it, `banner~` takes the rest.
    pub fn read_line(line: &str) -> Result<Self, String> {
        let mut words = Vec::new();
        let mut rest = line.trim();
        while !rest.is_empty() && !rest.starts_with('#') {
            let end = if rest.starts_with("banner~") { None } else { rest.find(char::is_whitespace) };
            let (word, behind) = end.and_then(|end| rest.split_at_checked(end)).unwrap_or((rest, ""));
            words.push(word);
            rest = behind.trim_start();
        }
        Self::read(words)
    }

    /// What is expected here or there.
    pub fn and(&self, other: &Self) -> Result<Self, String> {
        Self::new(self.0.iter().chain(&other.0).cloned())
    }

    /// In canonical order.
    pub fn iter(&self) -> impl Iterator<Item = &Expectation> {
        self.0.iter()
    }

    /// Each in its notation, as a [`Finding`](super::check::Finding) keeps them.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(Expectation::to_string).collect()
    }

    /// What the peer is expected to say.
    pub fn banner(&self) -> Option<&Pattern> {
        self.0
            .iter()
            .find_map(|one| if let Expectation::Banner(pattern) = one { Some(pattern) } else { None })
    }

    /// How long the peer is expected to keep the connection.
    pub fn stays_open(&self) -> Option<Duration> {
        self.0.iter().find_map(|one| if let Expectation::StaysOpen(time) = one { Some(*time) } else { None })
    }

    /// Whether the connection is expected to open.
    pub fn wants_open(&self) -> bool {
        self.0.contains(&Expectation::Open)
    }
}

impl fmt::Display for Expectations {
    /// As in a line of a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

const fn needs_open(one: &Expectation) -> bool {
    !matches!(one, Expectation::Refused | Expectation::Silent | Expectation::Unreachable)
}

/// Whether two different expectations can be met by one target.
fn go_together(one: &Expectation, other: &Expectation) -> bool {
    use Expectation::{Banner, Loss, Mss, Rtt, StaysOpen};
    match (one, other) {
        (Rtt(a, x), Rtt(b, y)) => is_range((*a, *x), (*b, *y)),
        (Mss(a, x), Mss(b, y)) => is_range((*a, *x), (*b, *y)),
        (Loss(..), Loss(..)) | (StaysOpen(_), StaysOpen(_)) | (Banner(_), Banner(_)) => false,
        _ => needs_open(one) && needs_open(other),
    }
}

/// Whether one bounds from above and the other from below, and something is between.
fn is_range<T: Ord>(one: (Comparison, T), other: (Comparison, T)) -> bool {
    let (upper, lower) = match (one.0.bounds(), other.0.bounds()) {
        ((true, false), (false, true)) => (one, other),
        ((false, true), (true, false)) => (other, one),
        _ => return false,
    };
    let both_included = upper.0 == Comparison::AtMost && lower.0 == Comparison::AtLeast;
    lower.1 < upper.1 || (both_included && lower.1 == upper.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<String, String> {
        Expectations::read_line(line).map(|all| all.to_string())
    }

    #[test]
    fn a_line_is_read_up_to_its_comment_or_its_banner() {
        for (line, canonical) in [
            ("", "open"),
            ("# rtt<1ms", "open"),
            ("rtt<20ms", "open rtt<20ms"),
            ("  rtt<20ms\topen # why", "open rtt<20ms"),
            ("open open", "open"),
            ("banner~^SSH-2.0 # a, b  ", "open banner~^SSH-2.0 # a, b"),
            ("mss>=1200 mss<=1460 option:sack option:ecn", "open mss<=1460 mss>=1200 option:sack option:ecn"),
            ("rtt>=1ms rtt<=1ms", "open rtt<=1ms rtt>=1ms"),
            ("silent", "silent"),
        ] {
            assert_eq!(read(line).unwrap(), canonical, "{line}");
        }
    }

    #[test]
    fn on_the_command_line_a_word_is_an_expectation() {
        let all = Expectations::read(["banner~a, b", "open"]).unwrap();
        assert_eq!(all.names(), ["open", "banner~a, b"]);
        assert_eq!(all.banner().unwrap().as_str(), "a, b");
        assert!(
            Expectations::read(["open,refused"]).unwrap_err().contains("'open,refused' is no expectation")
        );
        assert_eq!(Expectations::read([]).unwrap(), Expectations::default());
    }

    #[test]
    fn what_excludes_each_other_is_named() {
        for (line, one, other) in [
            ("silent refused", "refused", "silent"),
            ("open unreachable", "open", "unreachable"),
            ("rtt<1ms silent", "silent", "rtt<1ms"),
            ("loss<1% refused", "refused", "loss<1%"),
            ("rtt<1ms rtt<=2ms", "rtt<1ms", "rtt<=2ms"),
            ("rtt<1ms rtt>=1ms", "rtt<1ms", "rtt>=1ms"),
            ("mss=1400 mss>=1000", "mss>=1000", "mss=1400"),
            ("mss>=1400 mss<=1399", "mss<=1399", "mss>=1400"),
            ("loss<1% loss<=2%", "loss<1%", "loss<=2%"),
            ("stays-open:1s stays-open:2s", "stays-open:1s", "stays-open:2s"),
        ] {
            let expected = format!("'{one}' and '{other}' cannot both be so (leave one out)");
            assert_eq!(read(line).unwrap_err(), expected);
        }
        assert!(Expectations::read(["banner~a", "banner~b"]).is_err());
    }

    #[test]
    fn two_places_expect_together() {
        let both = |one: &str, other: &str| {
            let read = |line| Expectations::read_line(line).unwrap();
            read(one).and(&read(other)).map(|all| all.to_string())
        };
        assert_eq!(both("open", "rtt<20ms").unwrap(), "open rtt<20ms");
        assert_eq!(both("refused", "refused").unwrap(), "refused");
        assert!(both("open", "refused").is_err());
    }

    #[test]
    fn the_engine_asks() {
        let all = Expectations::read_line("stays-open:500ms").unwrap();
        assert_eq!(
            (all.stays_open(), all.banner(), all.wants_open()),
            (Some(Duration::from_millis(500)), None, true)
        );
        let silent = Expectations::read_line("silent").unwrap();
        assert_eq!((silent.stays_open(), silent.wants_open()), (None, false));
    }
}
