//! What can be typed about a check of many targets.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{TypedValueParser, ValueParser};

use super::{ColorWhen, HoldKind, retries, seconds};
use crate::cli::targets::Shard;
use crate::driver::fleet::Rate;
use crate::tcp::Retries;

/// Arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// What to check
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Which of it
    #[command(flatten)]
    pub chosen: ChosenArgs,

    /// How fast
    #[command(flatten)]
    pub fleet: FleetArgs,

    /// What to write
    #[command(flatten)]
    pub reports: ReportArgs,
}

/// Targets, and what is expected of them.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// Targets as they are typed.
    #[arg(
        value_name = "TARGET",
        required_unless_present = "file",
        help = "Targets: HOST:PORTS, [IPV6]:PORTS or BLOCK:PORTS, as in 10.0.0.0/24:22,80,8000-8010"
    )]
    pub targets: Vec<String>,

    /// Read targets from a file, one a line, or tables if its name ends in .toml; '-' is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,

    /// What is expected of each target that does not say so itself, as often as you like: open, refused, silent,
    /// unreachable, closes-cleanly, 'rtt<20ms', 'loss<1%', 'mss>=1400', option:sack, 'banner~REGEX', stays-open:500ms
    /// [default: open]
    #[arg(short, long, value_name = "EXPECTATION")]
    pub expect: Vec<String>,

    /// Leave out these addresses, blocks or names
    #[arg(long, value_name = "BLOCK")]
    pub exclude: Vec<String>,

    /// Leave out what this file lists, one a line
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,

    /// Use IPv4 addresses of names only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 addresses of names only
    #[arg(short = '6', long)]
    pub ipv6: bool,
}

/// A part of the targets, and their order.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Which of them")]
pub struct ChosenArgs {
    /// Check only part I of N, which together are all: by the target's text, whatever the order of the list
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Leave out what this NDJSON report of an earlier run has checked, and take its findings over
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// Check in an order made from this seed [default without a value: a random one, which is told]
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub randomize: Option<Option<u64>>,

    /// Begin no more exchanges once a target is not as expected
    #[arg(long)]
    pub fail_fast: bool,
}

/// How fast, how often, how patiently.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Pace")]
pub struct FleetArgs {
    /// Exchanges with each target; all of them must be as expected
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,

    /// Exchanges to begin in a second, at most; 0 is as fast as can be
    #[arg(long, value_name = "N", default_value = "1000", value_parser = rate, allow_negative_numbers = true)]
    pub rate: Limit,

    /// The same with one address
    #[arg(long, value_name = "N", default_value = "20", value_parser = rate, allow_negative_numbers = true)]
    pub per_host_rate: Limit,

    /// Exchanges under way at a time, at most, up to 1000000
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_in_flight: u32,

    /// Threads that make exchanges, each from ports of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,

    /// Seconds to wait: for the open, for a banner, and for the close, each
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub timeout: Duration,

    /// How often to send an unanswered segment again, or 'unlimited'
    #[arg(long, value_name = "N", default_value = "2", value_parser = retries)]
    pub retries: Retries,

    /// Send from this address of this machine [default: what the route says]
    #[arg(long, value_name = "ADDR")]
    pub source: Option<IpAddr>,

    /// What keeps the kernel's RST in
    #[arg(long, value_enum, default_value_t, value_name = "GUARD")]
    pub guard: HoldKind,

    /// Send all as the kernel routes it, through this machine's own firewall. Otherwise what has a known next hop
    /// goes to it straight, which costs less
    #[arg(long)]
    pub routed: bool,
}

/// What to write, and where.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct ReportArgs {
    /// Write a report of this kind to a file, or with '-' to standard output, as often as you like: summary, ndjson,
    /// junit, tap, prometheus, markdown, html [default: summary=-]
    #[arg(long, value_name = "KIND=FILE", value_parser = ValueParser::new(clap::builder::OsStringValueParser::new().try_map(|text| report(&text))))]
    pub report: Vec<ReportTo>,

    /// Write the HTML report: the same as --report html=FILE
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Keep the packets of exchanges that were not as expected, as pcapng
    #[arg(long, value_name = "FILE")]
    pub pcap_failures: Option<PathBuf>,

    /// When to use colours; NO_COLOR in the environment turns auto off
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Say nothing while it runs, and write no summary unless asked for
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `merge`.
#[derive(Clone, Debug, clap::Args)]
pub struct MergeArgs {
    /// NDJSON reports of check; '-' is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Write a report of this kind to a file, or with '-' to standard output, as often as you like: summary, ndjson,
    /// junit, tap, prometheus, markdown, html [default: summary=-]
    #[arg(long, value_name = "KIND=FILE", value_parser = ValueParser::new(clap::builder::OsStringValueParser::new().try_map(|text| report(&text))))]
    pub report: Vec<ReportTo>,

    /// When to use colours; NO_COLOR in the environment turns auto off
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,
}

/// A limit on a rate; `None` is none.
type Limit = Option<Rate>;

fn rate(text: &str) -> Result<Limit, String> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(None),
        Ok(number) => Rate::per_second(number).map(Some).ok_or(()),
        Err(_) => Err(()),
    }
    .map_err(|()| "a number of exchanges a second is needed, or 0 for no limit".to_owned())
}

/// Kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// For people.
    Summary,
    /// A JSON object a line, written as findings come; `merge` and `--resume` read it.
    Ndjson,
    /// JUnit XML.
    Junit,
    /// TAP 14, written as findings come.
    Tap,
    /// Prometheus text, for a textfile collector.
    Prometheus,
    /// For job summaries.
    Markdown,
    /// A page with a picture.
    Html,
}

impl ReportKind {
    const ALL: [(&'static str, Self); 7] = [
        ("summary", Self::Summary),
        ("ndjson", Self::Ndjson),
        ("junit", Self::Junit),
        ("tap", Self::Tap),
        ("prometheus", Self::Prometheus),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
    ];
}

/// A report to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTo {
    /// Its kind.
    pub kind: ReportKind,
    /// Its file; `-` is standard output.
    pub file: PathBuf,
}

fn report(text: &OsString) -> Result<ReportTo, String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let octets = text.as_bytes();
    let names = ReportKind::ALL.map(|(name, _)| name).join(", ");
    let wrong = || format!("a report is written KIND=FILE, where KIND is one of {names}");
    let at = octets.iter().position(|octet| *octet == b'=').ok_or_else(wrong)?;
    let (name, file) = octets.split_at(at);
    let kind = ReportKind::ALL.iter().find(|(known, _)| known.as_bytes() == name).ok_or_else(wrong)?.1;
    match file.get(1..) {
        Some(file @ [_, ..]) => Ok(ReportTo { kind, file: OsString::from_vec(file.to_vec()).into() }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_a_kind_and_a_file() {
        let read = |text: &str| report(&text.into());
        assert_eq!(
            read("junit=a=b.xml").unwrap(),
            ReportTo { kind: ReportKind::Junit, file: "a=b.xml".into() }
        );
        for wrong in ["junit", "junit=", "=x", "xml=x", ""] {
            assert!(read(wrong).unwrap_err().contains("KIND=FILE"), "{wrong}");
        }
    }

    #[test]
    fn rates_are_numbers_and_zero_is_no_limit() {
        assert_eq!(rate("0").unwrap(), None);
        assert_eq!(rate("2.5").unwrap(), Rate::per_second(2.5));
        for wrong in ["-1", "fast", "", "nan", "inf"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
