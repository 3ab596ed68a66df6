//! How a connection is opened, and what our SYN offers: what can be typed about it.

use super::RawOption;

/// The open, and our SYN.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
#[command(next_help_heading = "Open")]
pub struct OpeningArgs {
    /// Open with a peer that opens towards --source-port at the same time: a refusal means that it is not there
    /// yet, and its SYN is met with ours
    #[arg(long, requires = "source_port")]
    pub simultaneous: bool,

    /// Make the exchange with every address of the name that has a route, in the system's order, instead of with
    /// the first
    #[arg(long)]
    pub all_addresses: bool,

    /// Put the beginning of the text on the SYN, as far as it is known by then
    #[arg(long, requires = "send")]
    pub syn_data: bool,

    /// Ask for a fast open cookie with the empty option 34 (RFC 7413)
    #[arg(long)]
    pub tfo_request: bool,

    /// Ask for explicit congestion notification with the flags ECE and CWR (RFC 3168)
    #[arg(long)]
    pub ecn: bool,

    /// Offer timestamps (RFC 7323); not by default, for they would stand on every rung
    #[arg(long, overrides_with = "no_timestamps")]
    pub timestamps: bool,

    /// Offer no timestamps, the default
    #[arg(long)]
    pub no_timestamps: bool,

    /// Offer selective acknowledgments (RFC 2018), the default
    #[arg(long, overrides_with = "no_sack")]
    pub sack: bool,

    /// Offer no selective acknowledgments
    #[arg(long)]
    pub no_sack: bool,

    /// The shift of our windows that we announce [default: the least with which --window fits]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=14))]
    pub wscale: Option<u8>,

    /// Send a bare SYN: no MSS, SACK-permitted, timestamps, window scale or fast open
    #[arg(long, conflicts_with_all = ["mss", "timestamps", "sack", "wscale", "tfo_request"])]
    pub no_options: bool,

    /// Put this option on our SYN too, its data in hexadecimal; may be given again. The order is always MSS,
    /// SACK-permitted, timestamps, window scale, fast open, then these as typed: 40 octets in all
    #[arg(long, value_name = "KIND:HEX")]
    pub option: Vec<RawOption>,
}
