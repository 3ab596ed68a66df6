//! What can be typed behind `guard`.

use std::ffi::OsString;
use std::fmt;
use std::net::{AddrParseError, IpAddr};

use clap::{Subcommand, ValueEnum};

use super::ListFormat;
use super::number::number;
use crate::cli::exit::Exit;
use crate::guard::{Choice, Kind, PortSet};

/// What `guard` can do.
#[derive(Debug, Subcommand)]
pub enum GuardCommand {
    /// Hold a guard while a command runs
    ///
    /// The guard stands before the command starts and ends after it. The exit code is the command's, 128 and
    /// the number of the signal that ended it, 127 if it is not found or 126 if it cannot be run. Should this
    /// program be killed, the command goes on without the guard.
    ///
    /// Example:
    ///
    ///   tcpshake guard run --port 40000 -- python3 exercise.py
    #[command(after_help = Exit::table())]
    Run(RunArgs),
    /// Hold a guard in the background, until guard down
    ///
    /// A process without any privilege holds it. The guard ends with it, however that ends.
    #[command(after_help = Exit::table())]
    Up(HoldArgs),
    /// End a guard that guard up has put up
    ///
    /// None there is no error: what is asked for is so.
    #[command(after_help = Exit::table())]
    Down(DownArgs),
    /// List the guards on this machine: of what kind, whose, and whether the owner lives
    #[command(after_help = Exit::table())]
    Status(StatusArgs),
    /// Find out whether the kernel would answer on a port
    ///
    /// Sends a stray ACK to the port over loopback, and another to a port without a guard. The exit code is 0
    /// if the kernel keeps silent, 1 if it answers with RST, 8 if it cannot be asked.
    #[command(after_help = Exit::table())]
    Test(TestArgs),
    /// Remove what dead owners of iptables guards have left
    #[command(after_help = Exit::table())]
    Clean,
    /// What guard up leaves in the background
    #[command(hide = true)]
    Hold(HoldArgs),
}

/// What a guard for other programs covers.
#[derive(Clone, Debug, clap::Args)]
pub struct CoverArgs {
    /// One port, a range (40000-40010), or several of both with commas
    #[arg(short, long, value_name = "PORTS")]
    pub port: PortSet,

    /// The ports of this address of this machine alone [default: of all, IPv4 and IPv6]
    #[arg(short, long, value_name = "ADDR", value_parser = address)]
    pub address: Option<IpAddr>,
}

impl CoverArgs {
    /// As it is typed.
    pub fn typed(&self) -> String {
        let address = self.address.map_or_else(String::new, |address| format!(" --address {address}"));
        format!("--port {}{address}", self.port)
    }
}

impl fmt::Display for CoverArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = if self.port.count() == 1 { "port" } else { "ports" };
        write!(f, "{ports} {}", self.port)?;
        self.address.map_or(Ok(()), |address| write!(f, " of {address}"))
    }
}

/// A guard for other programs.
#[derive(Clone, Debug, clap::Args)]
pub struct HoldArgs {
    /// What it covers
    #[command(flatten)]
    pub covers: CoverArgs,

    /// What keeps the kernel's RST in
    #[arg(long, value_enum, default_value_t, value_name = "GUARD")]
    pub guard: HoldKind,

    /// RSTs that carry this mark (SO_MARK) are let through by nft and iptables
    #[arg(long, value_name = "N", default_value = "0x53", value_parser = mark)]
    pub mark: u32,
}

/// Which guard holds the kernel back for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HoldKind {
    /// The first that works
    #[default]
    Auto,
    /// Listening sockets on the ports that discard all they are sent: nobody else can bind the ports
    Listener,
    /// A private nf_tables table that drops the RST; needs CAP_NET_ADMIN
    Nft,
    /// Rules of iptables that drop the RST, by the script rst-guard; needs root
    Iptables,
}

impl HoldKind {
    /// The kind asked for; `None` for whichever works.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Auto => None,
            Self::Listener => Some(Kind::Listener),
            Self::Nft => Some(Kind::Nft),
            Self::Iptables => Some(Kind::Iptables),
        }
    }
}

impl From<HoldKind> for Choice {
    fn from(kind: HoldKind) -> Self {
        kind.kind().map_or(Self::Auto, Self::Only)
    }
}

/// Arguments of `guard run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// What to guard
    #[command(flatten)]
    pub hold: HoldArgs,

    /// Do not say on standard error which guard stands
    #[arg(short, long)]
    pub quiet: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Arguments of `guard down`.
#[derive(Clone, Debug, clap::Args)]
pub struct DownArgs {
    /// What was given to guard up
    #[command(flatten)]
    pub covers: CoverArgs,
}

/// Arguments of `guard status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// How to write it down
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ListFormat,
}

/// Arguments of `guard test`.
#[derive(Clone, Debug, clap::Args)]
pub struct TestArgs {
    /// The port
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,

    /// An address of this machine to ask at [default: loopback, IPv4 and IPv6]
    #[arg(short, long, value_name = "ADDR")]
    pub address: Option<IpAddr>,

    /// How to write it down
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ListFormat,
}

fn address(text: &str) -> Result<IpAddr, AddrParseError> {
    text.parse().map(|address: IpAddr| address.to_canonical())
}

fn mark(text: &str) -> Result<u32, String> {
    let not_one = || "a mark is a number above 0, such as 83 or 0x53".to_owned();
    number(text).ok().filter(|mark| *mark != 0).ok_or_else(not_one)
}
