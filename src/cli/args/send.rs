//! What can be typed behind `send`.

use std::time::Duration;

use clap::ArgAction;

use super::flags::flags;
use super::number::number;
use super::option::RawOption;
use super::{OutputArgs, PathArgs, seconds, seconds_or_none};
use crate::packet::{ChecksumField, Defects};
use crate::tcp::{Flags, Parameters};

/// Arguments of `send`.
#[derive(Clone, Debug, clap::Args)]
pub struct SendArgs {
    /// From where to where
    #[command(flatten)]
    pub path: PathArgs,

    /// The control bits
    #[command(flatten)]
    pub flags: FlagArgs,

    /// The other fields
    #[command(flatten)]
    pub fields: FieldArgs,

    /// How long and how often
    #[command(flatten)]
    pub pace: SendPaceArgs,

    /// Show each packet whole, in hexadecimal and ASCII
    #[arg(short = 'x', long, help_heading = "Output")]
    pub hex: bool,

    /// How results are shown
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The control bits of a segment; all that are named are set.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Control bits")]
#[expect(clippy::struct_excessive_bools, reason = "nine bits, nine switches")]
pub struct FlagArgs {
    /// Letters (F S R P A U E C, N for AE), a number such as 0x12, or none [default: S, if no switch is given]
    #[arg(long, value_name = "FLAGS", value_parser = flags)]
    pub flags: Option<Flags>,

    /// Set FIN
    #[arg(long)]
    pub fin: bool,

    /// Set SYN
    #[arg(long)]
    pub syn: bool,

    /// Set RST
    #[arg(long)]
    pub rst: bool,

    /// Set PSH
    #[arg(long)]
    pub psh: bool,

    /// Set ACK
    #[arg(long)]
    pub ack: bool,

    /// Set URG
    #[arg(long)]
    pub urg: bool,

    /// Set ECE (RFC 3168)
    #[arg(long)]
    pub ece: bool,

    /// Set CWR (RFC 3168)
    #[arg(long)]
    pub cwr: bool,

    /// Set AE (RFC 9768), once NS
    #[arg(long)]
    pub ae: bool,
}

impl FlagArgs {
    /// All that are named; SYN if none is.
    pub fn chosen(&self) -> Flags {
        let switches = [
            (self.fin, Flags::FIN),
            (self.syn, Flags::SYN),
            (self.rst, Flags::RST),
            (self.psh, Flags::PSH),
            (self.ack, Flags::ACK),
            (self.urg, Flags::URG),
            (self.ece, Flags::ECE),
            (self.cwr, Flags::CWR),
            (self.ae, Flags::AE),
        ];
        let named = switches.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag);
        self.flags.into_iter().chain(named).reduce(|all, flag| all | flag).unwrap_or(Flags::SYN)
    }
}

/// Every other field of a segment, and of the IP header it travels in.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Fields")]
pub struct FieldArgs {
    /// The sequence number [default: random]
    #[arg(long, value_name = "N", value_parser = number::<u32>)]
    pub seq: Option<u32>,

    /// The acknowledgment number; the ACK bit is not set by it
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::<u32>)]
    pub ack_number: u32,

    /// The window
    #[arg(long, value_name = "N", default_value_t = Parameters::WINDOW as u16, value_parser = number::<u16>)]
    pub window: u16,

    /// The urgent pointer; the URG bit is not set by it
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::<u16>)]
    pub urgent: u16,

    /// An option, such as 2:05b4 or 1; again for more, in this order [default: none]
    #[arg(long = "option", value_name = "KIND[:HEX]", action = ArgAction::Append)]
    pub options: Vec<RawOption>,

    /// The text, with the escapes \n \r \t \0 \\ \" \' \xHH \ooo, or a file behind @ (a text that begins with
    /// @ is written \x40) [default: none]
    #[arg(long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    pub data: Option<String>,

    /// Time to live, or hop limit
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    pub ttl: u8,

    /// Type of service, or traffic class: the whole octet
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::<u8>)]
    pub tos: u8,

    /// Claim this data offset, in words of 32 bits; the header stays as long as it is
    #[arg(long, value_name = "WORDS", value_parser = clap::value_parser!(u8).range(..=15))]
    pub data_offset: Option<u8>,

    /// Send a checksum that does not verify
    #[arg(long)]
    pub bad_checksum: bool,
}

impl FieldArgs {
    /// What is to be wrong.
    pub const fn defects(&self) -> Defects {
        let checksum = if self.bad_checksum { ChecksumField::Wrong } else { ChecksumField::Right };
        Defects { data_offset: self.data_offset, checksum }
    }
}

/// How long to listen and how often to send.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Timing")]
pub struct SendPaceArgs {
    /// Seconds to listen after the last segment, all of them: an answer may come twice
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub timeout: Duration,

    /// How often to send the segment
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,

    /// Seconds from one to the next
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds_or_none)]
    pub interval: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
    use clap::Parser;

    fn chosen(arguments: &[&str]) -> Flags {
        let all = [&["tcpshake", "send", "h:1"], arguments].concat();
        let Command::Send(args) = Args::try_parse_from(all).unwrap().command else { panic!("not send") };
        args.flags.chosen()
    }

    #[test]
    fn switches_and_letters_add_up() {
        assert_eq!(chosen(&[]), Flags::SYN);
        assert_eq!(chosen(&["--syn", "--ack"]), Flags::SYN | Flags::ACK);
        assert_eq!(chosen(&["--flags", "SA", "--psh"]), Flags::SYN | Flags::ACK | Flags::PSH);
        assert_eq!(chosen(&["--flags", "none"]), Flags::NONE);
        assert_eq!(chosen(&["--flags", "none", "--fin"]), Flags::FIN);
        let all = ["--fin", "--syn", "--rst", "--psh", "--ack", "--urg", "--ece", "--cwr", "--ae"];
        assert_eq!(chosen(&all), Flags::from_bits(0x1ff));
        assert_eq!(chosen(&["--ack-number", "5", "--urgent", "6"]), Flags::SYN, "fields set no bits");
    }
}
