//! Arguments of `draw`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::{OutputArgs, PictureArgs, TellArgs};
use crate::capture::Perspective;

/// Arguments of `draw`.
#[derive(Clone, Debug, clap::Args)]
pub struct DrawArgs {
    /// A capture, pcap or pcapng, or a recording: what --format json has written; '-' is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// List the connections of the file instead of drawing one
    #[arg(short, long, conflicts_with_all = ["connection", "from", "svg", "mermaid", "html"])]
    pub list: bool,

    /// Draw this connection: its number in the list, or one of its ends, as ADDRESS:PORT [default: the first that is
    /// whole]
    #[arg(short, long, value_name = "WHICH")]
    pub connection: Option<Which>,

    /// Draw it from this end, if it is of a capture
    #[arg(long, value_enum, default_value_t, value_name = "END")]
    pub from: FromEnd,

    /// How much is told of each step
    #[command(flatten)]
    pub tell: TellArgs,

    /// How results are shown
    #[command(flatten)]
    pub output: OutputArgs,

    /// Files besides
    #[command(flatten)]
    pub pictures: PictureArgs,
}

/// Which connection of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its number.
    Number(u32),
    /// The first that has this end.
    End(SocketAddr),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| *number > 0).map(Self::Number);
        number.or_else(|| text.parse().ok().map(Self::End)).ok_or_else(|| {
            "a number from 1 on, or an end such as 10.0.0.5:80 or [fd00::5]:80, is needed".to_owned()
        })
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FromEnd {
    /// Who opened it
    #[default]
    Client,
    /// Who was called
    Server,
}

impl From<FromEnd> for Perspective {
    fn from(end: FromEnd) -> Self {
        match end {
            FromEnd::Client => Self::Client,
            FromEnd::Server => Self::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_chosen_by_number_or_end() {
        assert_eq!("7".parse(), Ok(Which::Number(7)));
        assert_eq!("[::1]:80".parse(), Ok(Which::End("[::1]:80".parse().unwrap())));
        for wrong in ["", "0", "-1", "10.0.0.1", "example.org:80"] {
            assert!(wrong.parse::<Which>().is_err(), "{wrong}");
        }
    }
}
