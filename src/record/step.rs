//! A rung, and all that it tells.

use std::fmt;
use std::time::Duration;

use super::connection::Seen;
use crate::packet::{DecodeError, IcmpError, ip};
use crate::tcp::{Arrows, Clause, Rcv, Segment, Snd, State};

/// One rung: something that happened, in the order it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which exchange of the run it belongs to.
    pub exchange: u32,
    /// Its number, from 1.
    pub n: u32,
    /// When, since the exchange began; for what arrives, when the kernel took it.
    pub at: Duration,
    /// When, since 1970; simulated time begins there.
    pub since_1970: Duration,
    /// What.
    pub event: Event,
    /// The arrows it walked.
    pub arrows: Arrows,
    /// The state after it.
    pub state: State,
    /// The rule that decided.
    pub clause: Option<Clause>,
    /// The connection's variables after it.
    pub view: View,
    /// State and variables before it.
    pub before: Standing,
    /// The packet it was seen in, from the IP header on, as far as it is kept; empty if there was none.
    pub packet: Box<[u8]>,
    /// Whether it came after the verdict, in what is kept of TIME-WAIT.
    pub late: bool,
    /// What shows of it to who was not part of it; `None` where we were.
    pub seen: Option<Seen>,
}

/// What a rung is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// We sent a segment.
    Sent {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// The beginning of its text.
        text: Excerpt,
        /// How often it was sent before.
        retransmission: u8,
    },
    /// A segment arrived.
    Received {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// The beginning of its text.
        text: Excerpt,
        /// Time to live, or hop limit, left.
        ttl: u8,
    },
    /// We would have sent a segment, but it did not leave; it counts as lost.
    Unsent {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// Why it did not leave.
        why: String,
    },
    /// A packet of this exchange arrived that could not be read, and changed nothing.
    Unreadable(DecodeError),
    /// An ICMP error that quotes a segment of ours.
    Icmp {
        /// The error.
        error: IcmpError,
        /// What it meant for the exchange.
        effect: IcmpEffect,
    },
    /// The kernel of this machine sent a RST of its own: no guard held it back.
    KernelReset(Segment, Relative),
    /// Nothing came, or nothing was sent: a timer, a limit, or a call without a segment.
    Quiet,
}

impl Event {
    /// The segment it is about, if it is about one that could be read.
    pub const fn segment(&self) -> Option<&Segment> {
        match self {
            Self::Sent { segment, .. }
            | Self::Received { segment, .. }
            | Self::Unsent { segment, .. }
            | Self::KernelReset(segment, _) => Some(segment),
            Self::Unreadable(_) | Self::Icmp { .. } | Self::Quiet => None,
        }
    }
}

/// What an ICMP error did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpEffect {
    /// It ended the attempt.
    Fatal,
    /// It was noted, and told (MUST-47, SHLD-25); the attempt goes on.
    Noted,
    /// It quotes a number that is not under way, so somebody may have made it up.
    NotOurs,
}

/// Sequence and acknowledgment number, counted from the initial numbers; `None` where those are not
/// known, or there is no acknowledgment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relative {
    /// From the sender's initial number.
    pub seq: Option<u32>,
    /// From the receiver's initial number.
    pub ack: Option<u32>,
}

/// The beginning of a segment's text.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Excerpt {
    octets: [u8; Self::LEN],
    len: u8,
}

impl Excerpt {
    /// No more than this is kept.
    pub const LEN: usize = 32;

    /// The first octets of `text`.
    pub fn of(text: &[u8]) -> Self {
        let mut excerpt = Self::default();
        for (kept, octet) in excerpt.octets.iter_mut().zip(text) {
            *kept = *octet;
            excerpt.len += 1;
        }
        excerpt
    }

    /// The octets kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// The connection's variables (RFC 9293 section 3.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// SND.UNA, SND.NXT, SND.WND, ...
    pub snd: Snd,
    /// RCV.NXT, RCV.WND, ...
    pub rcv: Rcv,
    /// Shift applied to the windows the peer announces.
    pub snd_scale: u8,
    /// The retransmission timeout in force.
    pub rto: Duration,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Its variables.
    pub view: View,
}

/// How much of each packet is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What stands before the text; of what is no segment, the beginning.
    #[default]
    Headers,
    /// All of it.
    Whole,
}

impl Keep {
    /// What is kept of `packet`, which holds `segment` if it could be read. What a card has padded it with is not.
    pub fn of<'p>(self, packet: &'p [u8], segment: Option<&Segment>) -> &'p [u8] {
        const BEGINNING: usize = 128;
        let packet = ip::within(packet);
        let headers = segment.map(|segment| packet.len().saturating_sub(segment.text_len as usize));
        let len = match self {
            Self::Headers => headers.unwrap_or(BEGINNING).min(packet.len()),
            Self::Whole => packet.len(),
        };
        packet.get(..len).unwrap_or_default()
    }
}
