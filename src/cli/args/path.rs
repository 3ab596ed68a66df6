//! From where to where: what can be typed about the two ends.

use std::net::IpAddr;

use super::GuardKind;

/// The target, our end, and what keeps the kernel from it.
#[derive(Clone, Debug, clap::Args)]
pub struct PathArgs {
    /// The target: a host name or an address, with or without its port
    #[arg(
        value_name = "HOST[:PORT]",
        help = "Host and port: HOST:PORT, [IPV6]:PORT, or the host alone with the port behind it"
    )]
    pub host: String,

    /// The port, if it does not stand behind the host
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,

    /// Send from this address of this machine [default: what the route says]
    #[arg(long, value_name = "ADDR")]
    pub source: Option<IpAddr>,

    /// Send from this port [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub source_port: Option<u16>,

    /// Send and listen on this interface [default: what the route says]
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,

    /// What keeps the kernel's RST in
    #[arg(long, value_enum, default_value_t, value_name = "GUARD")]
    pub guard: GuardKind,
}
