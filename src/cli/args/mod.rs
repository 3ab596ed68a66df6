//! What can be typed: one definition for parsing, help and manual pages.

mod check;
mod data;
mod demo;
mod draw;
mod files;
mod flags;
mod guard;
mod listen;
mod number;
mod opening;
mod option;
mod output;
mod path;
mod send;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

pub use check::{CheckArgs, ChosenArgs, FleetArgs, MergeArgs, ReportArgs, ReportKind, ReportTo, TargetArgs};
pub use data::{DataArgs, Sending, Until};
pub use demo::{DemoArgs, Pace};
pub use draw::{DrawArgs, FromEnd, Which};
pub use files::{FilesArgs, PictureArgs, SvgSpacing, SvgTheme};
pub use guard::{CoverArgs, DownArgs, GuardCommand, HoldArgs, HoldKind, RunArgs, StatusArgs, TestArgs};
pub use listen::{AnswerArgs, EndKind, ListenArgs, ServiceArgs};
pub use opening::OpeningArgs;
pub use option::RawOption;
pub use output::{ColorWhen, FormatKind, NumbersKind, OutputArgs, TellArgs};
pub use path::PathArgs;
pub use send::{FieldArgs, FlagArgs, SendArgs, SendPaceArgs};

use self::number::number;
use super::exit::Exit;
use crate::driver::Close;
use crate::guard::{Choice, Kind};
use crate::tcp::{Parameters, Retries};

/// Open and close TCP connections by hand, and watch every step
#[derive(Debug, Parser)]
#[command(
    name = "tcpshake",
    version,
    propagate_version = true,
    args_override_self = true, // the last of several counts, so that an alias can be overruled
    after_help = Exit::table(),
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(long_about = "Open and close TCP connections by hand, and watch every step.\n\n\
    tcpshake builds SYN, ACK, FIN and RST segments itself and exchanges them over raw sockets with any host. \
    Meanwhile it keeps the local kernel, which knows nothing of such a connection, from resetting it. \
    However it ends, it leaves nothing behind on the machine.")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open a connection to a remote port, and close it
    ///
    /// Performs the three-way open and the four-way close with segments built here, and prints each with
    /// its sequence and acknowledgment number, absolute and (in parentheses) relative. Before the first
    /// segment leaves, the kernel is kept from answering on our port, and that is tested where it can be. A signal ends
    /// the connection with a RST, reports, and exits.
    ///
    /// Examples:
    ///
    ///   tcpshake connect example.org:80
    ///
    ///   tcpshake connect -6 example.org 443 --close reset --format json
    ///
    ///   tcpshake connect 10.0.0.5:22 --count 5 --timeout 2 --quiet
    ///
    ///   tcpshake connect example.org:80 --send 'GET / HTTP/1.0\r\n\r\n' --half-close --output -
    #[command(after_help = Exit::table())]
    Connect(Box<ConnectArgs>),
    /// Send one hand-built segment, and show every answer
    ///
    /// Any combination of the nine control bits, any value of any field, options and text as given, wrong header
    /// length and checksum included. Nothing is added: no options, no second segment. Each answer is printed with
    /// the rule of the RFCs that the peer must have followed, and so is silence.
    ///
    /// Only the segment asked for is sent. A SYN that is answered leaves a half-open connection at the peer, which
    /// repeats its SYN,ACK for a while and then forgets it. The kernel, which would answer with RST, is held back
    /// unless --guard none lets it.
    ///
    /// The source is always an address of this machine: answers to another would go to a host that asked for
    /// nothing, and could not be shown here.
    ///
    /// The first answer decides the exit code: 0 if it is no RST, 3 for a RST to a SYN, 6 for a RST to anything
    /// else; 5 for an ICMP error where no segment answers, 4 for silence. A RST is rightly met with silence: 0.
    ///
    /// Examples:
    ///
    ///   tcpshake send 10.0.0.5:80
    ///
    ///   tcpshake send 10.0.0.5:80 --flags FPU --count 3
    ///
    ///   tcpshake send 10.0.0.5:80 --option 2:05b4 --option 1 --option 3:07 --tos 0x02 -x
    ///
    ///   tcpshake send 10.0.0.5:80 --psh --ack --seq 4322 --ack-number 9001 --data 'GET / HTTP/1.0\r\n\r\n'
    #[command(after_help = Exit::table())]
    Send(Box<SendArgs>),
    /// Wait for clients on a port, and answer them by hand
    ///
    /// Answers the SYNs of real clients with hand-built SYN,ACKs, many at a time, IPv4 and IPv6, and prints every
    /// step of every connection it remembers, each by a short name; SYNs that it passes over, those it answers with
    /// a cookie, and segments without a connection are counted. The kernel, which has no such listener, is kept from
    /// refusing them. Where more are half-open than can be remembered, SYN cookies carry them. A signal resets
    /// those that are open, reports, and exits.
    ///
    /// Examples:
    ///
    ///   tcpshake listen 8080 --respond 'HTTP/1.0 200 OK\r\n\r\nhello\n'
    ///
    ///   tcpshake listen 7 --echo --count 1 --bind 127.0.0.1
    ///
    ///   tcpshake listen 9000 --delay-synack 1500 --drop-first-syn 1
    #[command(after_help = Exit::table())]
    Listen(Box<ListenArgs>),
    /// Check very many targets against what is expected of them, for people and for CI
    ///
    /// Opens and closes a connection to each target, thousands at a time, and tells which of them are not as
    /// expected: with the ladder of what happened, the round trips, and reports for machines. The exit code is 0 if
    /// all targets are as expected, 1 if any is not.
    ///
    /// A target is HOST:PORTS: a name, an address or a block of addresses, and ports: 10.0.0.0/24:22,80,8000-8010. In
    /// a file it is one a line, with what is expected behind it; a file whose name ends in .toml has tables. The
    /// manual page tells the rest.
    ///
    /// What may be checked: hosts that are yours, or whose owners have agreed. Connections are real and appear in
    /// the logs of the other side; each that was opened is closed. Nothing is sent from an address that is not this
    /// machine's. The rate is limited unless told otherwise.
    ///
    /// Examples:
    ///
    ///   tcpshake check db.example.org:5432 10.0.0.0/28:22
    ///
    ///   tcpshake check -f targets.txt --expect open --expect 'rtt<20ms' --report junit=report.xml
    ///
    ///   tcpshake check 10.0.0.7:25 --expect 'banner~^220 ' --count 10
    #[command(after_help = Exit::table())]
    Check(Box<CheckArgs>),
    /// Make one report of several: what shards of a check have found
    ///
    /// Reads NDJSON reports of check, puts them together and writes reports of any kind. A target that is in several
    /// counts with what was found last. The exit code is that of the whole: 0 if all targets are as expected.
    ///
    /// Example:
    ///
    ///   tcpshake merge shard-*.ndjson --report junit=report.xml
    #[command(after_help = Exit::table())]
    Merge(MergeArgs),
    /// Watch whole exchanges, ordinary and strange, in a private network: no root, no remote host
    ///
    /// Makes two network namespaces joined by a cable, and plays a scenario between them, with a sentence for
    /// each step. Our end is built by hand as always; the other is the kernel's own in the simplest scenarios, and
    /// like ours in the rest. Nothing outside sees anything of it, and nothing is left. Where ordinary
    /// users may not make user namespaces, --simulate runs both ends inside this process, in no time and always
    /// the same.
    ///
    /// A scenario ends with the exit code of its first exchange that did not end in order: that of 'refused' is 3.
    ///
    /// Examples:
    ///
    ///   tcpshake demo
    ///
    ///   tcpshake demo --list
    ///
    ///   tcpshake demo simultaneous-close --simulate --pace human
    ///
    ///   tcpshake demo --all --html course
    #[command(after_help = Exit::table())]
    Demo(DemoArgs),
    /// Draw an exchange that was recorded, or a connection of anybody's capture
    ///
    /// Reads what --format json has written, or a capture: pcap or pcapng, of Ethernet (with VLAN tags), raw IP, Linux
    /// cooked or loopback links, IPv4 and IPv6, packets that were cut included. A recording is drawn as it was told. Of
    /// a capture, the states of both ends are inferred by the same state machine, as far as its segments show them, and
    /// retransmissions, duplicates, what is out of order, and what is missing are named.
    ///
    /// The end that sent the first SYN is drawn on the left; where no SYN was captured, the one with the higher port.
    /// Nothing is sent, and no privilege is needed.
    ///
    /// Examples:
    ///
    ///   tcpshake draw capture.pcapng --list
    ///
    ///   tcpshake draw capture.pcapng --connection 10.0.0.5:443 -v
    ///
    ///   tcpdump -w - -c 100 tcp | tcpshake draw -
    #[command(after_help = Exit::table())]
    Draw(DrawArgs),
    /// Hold the kernel's RST back for other programs; find, test and remove guards
    ///
    /// A program that builds TCP segments by itself (a scapy script, a course's exercise) is reset by the
    /// kernel it runs on, which knows nothing of its connections. A guard keeps that RST in on the ports it is
    /// given, and leaves everything else alone.
    ///
    /// Examples:
    ///
    ///   tcpshake guard run --port 40000 -- python3 exercise.py
    ///
    ///   tcpshake guard up --port 40000-40009 --guard nft
    ///
    ///   tcpshake guard test 40000
    #[command(after_help = Exit::table(), subcommand_required = true, arg_required_else_help = true)]
    Guard {
        /// What to do about guards.
        #[command(subcommand)]
        command: GuardCommand,
    },
    /// Tell whether connections can be made by hand on this machine, and what to do if not
    ///
    /// Looks at the kernel, the privileges, each kind of guard, namespaces, firewall and settings, and makes a
    /// whole exchange over loopback. Each finding that needs something comes with the command that mends it.
    /// The exit code is 0 if connect can work here.
    #[command(after_help = Exit::table())]
    Doctor(DoctorArgs),
    /// Print the manual pages
    Man(ManArgs),
}

/// Arguments of `doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// How to write it down
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ListFormat,
}

/// Formats of lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A line for each, to be read by people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Which guard holds the kernel back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GuardKind {
    /// The first that works
    #[default]
    Auto,
    /// A listening socket on our port that discards all it is sent
    Listener,
    /// A private nf_tables table that drops the RST, gone with the process; needs CAP_NET_ADMIN
    Nft,
    /// Rules of iptables that drop the RST, by the script rst-guard; needs root
    Iptables,
    /// None: watch the kernel reset the connection
    None,
}

impl GuardKind {
    /// What to ask the guard for; `None` if none is wanted.
    pub const fn choice(self) -> Option<Choice> {
        match self {
            Self::Auto => Some(Choice::Auto),
            Self::Listener => Some(Choice::Only(Kind::Listener)),
            Self::Nft => Some(Choice::Only(Kind::Nft)),
            Self::Iptables => Some(Choice::Only(Kind::Iptables)),
            Self::None => None,
        }
    }
}

/// How to end the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CloseKind {
    /// Our FIN first
    #[default]
    Active,
    /// Wait for the peer's FIN, then send ours
    Passive,
    /// Send a RST
    Reset,
    /// Leave it open
    None,
}

impl From<CloseKind> for Close {
    fn from(kind: CloseKind) -> Self {
        match kind {
            CloseKind::Active => Self::Active,
            CloseKind::Passive => Self::Passive,
            CloseKind::Reset => Self::Reset,
            CloseKind::None => Self::None,
        }
    }
}

/// Arguments of `connect`.
#[derive(Clone, Debug, clap::Args)]
pub struct ConnectArgs {
    /// From where to where
    #[command(flatten)]
    pub path: PathArgs,

    /// How to open
    #[command(flatten)]
    pub opening: OpeningArgs,

    /// What to say and hear
    #[command(flatten)]
    pub data: DataArgs,

    /// How to write our segments
    #[command(flatten)]
    pub segments: SegmentArgs,

    /// How long and how often
    #[command(flatten)]
    pub pace: PaceArgs,

    /// How much is told of each step
    #[command(flatten)]
    pub tell: TellArgs,

    /// Wait for Enter before each segment of ours leaves; times leave the waits out. Where standard input ends, the rest
    /// goes on by itself
    #[arg(long, help_heading = "Output", conflicts_with = "quiet")]
    pub step: bool,

    /// How results are shown
    #[command(flatten)]
    pub output: OutputArgs,

    /// Files besides
    #[command(flatten)]
    pub files: FilesArgs,
}

/// How our segments look.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Segments")]
pub struct SegmentArgs {
    /// Our initial sequence number [default: random, RFC 6528]
    #[arg(long, value_name = "N")]
    pub isn: Option<u32>,

    /// Time to live, or hop limit, of our packets
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    pub ttl: u8,

    /// The maximum segment size we announce [default: the MTU less 40, or 60 for IPv6]
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u16).range(1..))]
    pub mss: Option<u16>,

    /// The receive window we announce; above 65535 it is scaled
    #[arg(long, value_name = "OCTETS", default_value_t = Parameters::WINDOW, value_parser = clap::value_parser!(u32).range(..=1_073_725_440))]
    pub window: u32,

    /// Type of service, or traffic class, of our packets, as in 184 or 0xb8
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = number::<u8>)]
    pub tos: u8,

    /// Send small text without waiting for an acknowledgment (Nagle's algorithm, RFC 9293 section 3.7.4)
    #[arg(long)]
    pub no_nagle: bool,

    /// How to end the connection
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub close: CloseKind,
}

/// How long to wait and how often to try.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Timing")]
pub struct PaceArgs {
    /// Seconds to wait: for the open, for the peer once open, and for the close, each, and anew whenever the peer
    /// has taken some of our text. RFC 9293 would wait minutes; a check wants to know sooner
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,

    /// How often to send an unanswered segment again, or 'unlimited'
    #[arg(long, value_name = "N", default_value = "3", value_parser = retries)]
    pub retries: Retries,

    /// Milliseconds of TIME-WAIT to keep, so that a repeated FIN is still answered; by the book it is 2 MSL,
    /// four minutes [default: 250, or three round trips if that is more]
    #[arg(long, value_name = "MS")]
    pub linger: Option<u64>,

    /// How many exchanges to make, one after the other
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,

    /// Seconds between the starts of two exchanges
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds_or_none)]
    pub interval: Duration,
}

/// Arguments of `man`.
#[derive(Clone, Debug, clap::Args)]
pub struct ManArgs {
    /// Write all pages into this folder instead of printing the main one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match seconds_or_none(text)? {
        Duration::ZERO => Err("it must be more than 0 seconds".into()),
        time => Ok(time),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 86_400.0;
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed, such as 2.5".to_owned())?;
    if !(0.0..=MOST).contains(&seconds) {
        return Err(format!("it must be between 0 and {MOST} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn retries(text: &str) -> Result<Retries, String> {
    match text {
        "unlimited" => Ok(Retries::Unlimited),
        number => number
            .parse()
            .map(Retries::AtMost)
            .map_err(|_| "a number from 0 to 255, or 'unlimited', is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_argument_has_help() {
        fn every_one(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(every_one);
        }
        every_one(&Args::command());
    }
}
