//! What can be typed behind `listen`.

use std::net::IpAddr;
use std::time::Duration;

use clap::ValueEnum;

use super::{FilesArgs, HoldKind, OutputArgs, TellArgs, retries, seconds};
use crate::driver::Close;
use crate::tcp::{Parameters, Retries};

/// Arguments of `listen`.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenArgs {
    /// The port to listen on
    #[arg(value_name = "PORT", value_parser = port)]
    pub port: u16,

    /// Listen on this address of this machine alone [default: on all, IPv4 and IPv6]
    #[arg(long, value_name = "ADDR")]
    pub bind: Option<IpAddr>,

    /// End after this many connections [default: serve until interrupted]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,

    /// What keeps the kernel's RST in
    #[arg(long, value_enum, default_value_t, value_name = "GUARD")]
    pub guard: HoldKind,

    /// What clients are told
    #[command(flatten)]
    pub answer: AnswerArgs,

    /// How clients are treated
    #[command(flatten)]
    pub service: ServiceArgs,

    /// How much is told of each step
    #[command(flatten)]
    pub tell: TellArgs,

    /// How results are shown
    #[command(flatten)]
    pub output: OutputArgs,

    /// Files besides
    #[command(flatten)]
    pub files: FilesArgs,
}

/// What clients are told.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Answer")]
pub struct AnswerArgs {
    /// Send back what comes
    #[arg(long, group = "answer")]
    pub echo: bool,

    /// Send this once the client has said something, or that it has nothing to say: text with the escapes of C
    /// (\r \n \t \xHH ...), or @FILE
    #[arg(long, group = "answer", value_name = "TEXT|@FILE")]
    pub respond: Option<String>,

    /// Take what comes, say nothing (the default)
    #[arg(long, group = "answer")]
    pub discard: bool,

    /// How to end a connection [default: active behind --respond, otherwise passive]
    #[arg(long, value_enum, value_name = "HOW")]
    pub close: Option<EndKind>,
}

/// How to end a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EndKind {
    /// Our FIN first
    Active,
    /// Wait for the client's FIN, then send ours
    Passive,
    /// Send a RST
    Reset,
}

impl From<EndKind> for Close {
    fn from(kind: EndKind) -> Self {
        match kind {
            EndKind::Active => Self::Active,
            EndKind::Passive => Self::Passive,
            EndKind::Reset => Self::Reset,
        }
    }
}

/// How clients are treated.
#[expect(clippy::struct_excessive_bools, reason = "switches, as they are typed")]
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceArgs {
    /// The initial sequence number of every connection [default: random, RFC 6528]
    #[arg(long, value_name = "N")]
    pub isn: Option<u32>,

    /// Time to live, or hop limit, of our packets
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    pub ttl: u8,

    /// The maximum segment size we announce, at most [default: the MTU less 40, or 60 for IPv6]
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u16).range(1..))]
    pub mss: Option<u16>,

    /// The receive window we announce; above 65535 it is scaled
    #[arg(long, value_name = "OCTETS", default_value_t = Parameters::WINDOW, value_parser = clap::value_parser!(u32).range(..=1_073_725_440))]
    pub window: u32,

    /// Grant nothing that clients offer, and announce no MSS
    #[arg(long, conflicts_with = "mss")]
    pub no_options: bool,

    /// Grant timestamps to clients that offer them; they stand on every segment then
    #[arg(long)]
    pub timestamps: bool,

    /// Grant ECN to clients that ask for it
    #[arg(long)]
    pub ecn: bool,

    /// Milliseconds to keep each SYN waiting for its SYN,ACK
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay_synack: u64,

    /// Pass over the first N SYNs of each client, as if they had been lost
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub drop_first_syn: u32,

    /// Answer a SYN in two segments, an ACK and a SYN of our own: to the client that is a simultaneous open
    #[arg(long)]
    pub split: bool,

    /// Connections that may be half-open at a time; beyond it SYN cookies carry them: without options but MSS, in one
    /// segment, and with a number that --isn does not choose
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub half_open: usize,

    /// Seconds to wait for a client: for the end of its open, for anything to happen, and for its close, each
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout: Duration,

    /// How often to send an unanswered segment again, or 'unlimited'
    #[arg(long, value_name = "N", default_value = "5", value_parser = retries)]
    pub retries: Retries,

    /// Milliseconds of TIME-WAIT to keep [default: 250, or three round trips if that is more]
    #[arg(long, value_name = "MS")]
    pub linger: Option<u64>,
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}
