//! What is said and heard: what can be typed about the text of a connection.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use regex::bytes::Regex;

use crate::cli::escape::unescape;

/// What to say, how long to listen, and what to do with what is heard.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Send this once open: a text with the escapes of C (\n \r \t \0 \\ \xHH), the content of @FILE, or with -
    /// all that standard input brings, as it comes. Unless --until says otherwise, our FIN follows at once; what still comes
    /// is taken until the peer's
    #[arg(long, value_name = "TEXT|@FILE|-")]
    pub send: Option<Sending>,

    /// Write what the peer sends to this file, every octet as it is; with - to standard output, and the report to
    /// standard error. On a terminal all but printable ASCII is escaped. Who reads slowly closes our window
    #[arg(long, value_name = "FILE|-")]
    pub output: Option<PathBuf>,

    /// What comes back must match this somewhere, or the exit code is 1. It is waited for until the peer closes or
    /// --timeout is over, unless --until says when to close; and looked for in the first 1048576 octets
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub expect: Option<Regex>,

    /// Close only when so many octets have come, when what has come (of its first 1048576 octets) matches, or with
    /// 'fin' when the peer has closed
    #[arg(long, value_name = "BYTES|REGEX|fin")]
    pub until: Option<Until>,

    /// Send our FIN behind our last octet, then listen to the peer's FIN, for as long as something comes
    #[arg(long, conflicts_with = "until")]
    pub half_close: bool,

    /// Say nothing for so many milliseconds once open: a listener stays, a proxy that answers for a dead one resets
    #[arg(long, value_name = "MS", default_value = "0", hide_default_value = true, value_parser = millis)]
    pub wait_after_open: Duration,
}

/// Where the text to send is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// On the command line.
    Text(Vec<u8>),
    /// In a file.
    File(PathBuf),
    /// Behind standard input.
    Input,
}

impl FromStr for Sending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix('@')) {
            ("-", _) => Ok(Self::Input),
            (_, Some("")) => {
                Err("the name of the file is missing (write @FILE, or \\x40 for a single @)".into())
            }
            (_, Some(path)) => Ok(Self::File(path.into())),
            (text, None) => unescape(text).map(Self::Text),
        }
    }
}

/// What has to come before we close.
#[derive(Clone, Debug)]
pub enum Until {
    /// So many octets.
    Octets(u64),
    /// A match.
    Match(Regex),
    /// The peer's FIN.
    Fin,
}

impl FromStr for Until {
    type Err = String;

    /// A number is a number of octets; a pattern of digits alone is written `(?:123)`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fin" => Ok(Self::Fin),
            number if !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) => number
                .parse()
                .map(Self::Octets)
                .map_err(|_| "that is more octets than can be counted (at most 2^64 - 1)".to_owned()),
            text => pattern(text).map(Self::Match),
        }
    }
}

/// A pattern for octets; the error is one line.
fn pattern(text: &str) -> Result<Regex, String> {
    if text.is_empty() {
        return Err("an empty pattern matches everything (write . for any octet)".to_owned());
    }
    Regex::new(text).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        let why = last.strip_prefix("error: ").unwrap_or(last).to_lowercase();
        format!("no regular expression: {why} (a special character is written with a backslash)")
    })
}

/// A day is as long as anything here lasts.
fn millis(text: &str) -> Result<Duration, String> {
    const MOST: u64 = 86_400_000;
    match text.parse() {
        Ok(millis @ 0..=MOST) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("a number of milliseconds up to {MOST} is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_file_or_input() {
        for (typed, expected) in [
            ("GET\\r\\n", Sending::Text(b"GET\r\n".to_vec())),
            ("", Sending::Text(Vec::new())),
            ("\\x40home", Sending::Text(b"@home".to_vec())),
            ("@a b", Sending::File("a b".into())),
            ("-", Sending::Input),
            ("--", Sending::Text(b"--".to_vec())),
        ] {
            assert_eq!(typed.parse::<Sending>().unwrap(), expected, "{typed}");
        }
        assert!("a\\q".parse::<Sending>().unwrap_err().contains("at character 2"));
        assert!("@".parse::<Sending>().unwrap_err().contains("name of the file is missing"));
    }

    #[test]
    fn octets_pattern_or_fin() {
        assert!(matches!("100".parse(), Ok(Until::Octets(100))));
        assert!(matches!("fin".parse(), Ok(Until::Fin)));
        assert!(matches!("^220 ".parse(), Ok(Until::Match(_))));
        assert!(matches!("(?:123)".parse(), Ok(Until::Match(_))));
        assert!("99999999999999999999".parse::<Until>().unwrap_err().contains("more octets"));
        assert!("".parse::<Until>().unwrap_err().contains("empty pattern"));
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_one_line() {
        for (typed, words) in
            [("(", "unclosed group"), ("*", "repetition operator missing"), ("a{999999999}", "")]
        {
            let error = pattern(typed).unwrap_err();
            assert!(error.contains(words) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn milliseconds_have_a_bound() {
        assert_eq!(millis("250"), Ok(Duration::from_millis(250)));
        for typed in ["-1", "1.5", "x", "", "86400001"] {
            assert!(millis(typed).is_err(), "{typed}");
        }
    }
}
