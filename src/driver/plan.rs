//! What one exchange is to do.

use std::net::SocketAddr;
use std::time::Duration;

use crate::record::{Among, Keep, Role};
use crate::tcp::{Nagle, Options, Parameters, SeqNum, Stream};
use crate::time::Instant;

/// An exchange, decided in all its parts before the first segment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which exchange of a run it is, from 1.
    pub number: u32,
    /// The moment that times are counted from, if not from the first step.
    pub begun: Option<Instant>,
    /// Whether we begin or wait.
    pub role: Role,
    /// The other end.
    pub remote: SocketAddr,
    /// The name the user gave for it.
    pub host: Option<String>,
    /// Which of that name's addresses it is, if there are several.
    pub among: Option<Among>,
    /// Our initial sequence number.
    pub iss: SeqNum,
    /// How the connection behaves.
    pub parameters: Parameters,
    /// Time to live, or hop limit, of our packets (MUST-49).
    pub ttl: u8,
    /// Type of service, or traffic class, of our packets (MUST-48): handed to IP as it is, on each of them
    /// (SHLD-22). It stays what it is (SHLD-23); who wants another opens another connection (SHLD-21).
    pub tos: u8,
    /// How to open.
    pub open: Open,
    /// Options of our SYN behind those of the parameters, as on the wire.
    pub syn_options: Options,
    /// Whether the first of the text goes out on the SYN.
    pub text_on_syn: bool,
    /// How long to say nothing once open.
    pub wait_after_open: Duration,
    /// Whether small text waits for an acknowledgment.
    pub nagle: Nagle,
    /// Octets that may wait to be sent or acknowledged; no more than [`Stream::QUEUE`].
    pub queue: usize,
    /// Text to send once open.
    pub text: Vec<u8>,
    /// Octets to wait for before an active close.
    pub await_text: u64,
    /// How to end.
    pub close: Close,
    /// Whether our FIN goes out behind our last text, whatever the peer still has to say.
    pub half_close: bool,
    /// How long the open may take, how long to wait for the peer once open, and how long the close may
    /// take: each of them.
    pub timeout: Duration,
    /// How much of TIME-WAIT to keep.
    pub linger: Linger,
    /// How much of each packet is kept with its step.
    pub keep: Keep,
    /// Whether both ends run inside the process.
    pub simulated: bool,
}

impl Plan {
    /// An open and an active close as usual, with nothing between them.
    pub fn new(remote: SocketAddr, iss: SeqNum) -> Self {
        Self {
            number: 1,
            begun: None,
            role: Role::Active,
            remote,
            host: None,
            among: None,
            iss,
            parameters: Parameters::default(),
            ttl: 64,
            tos: 0,
            open: Open::Usual,
            syn_options: Options::NONE,
            text_on_syn: false,
            wait_after_open: Duration::ZERO,
            nagle: Nagle::On,
            queue: Stream::QUEUE,
            text: Vec::new(),
            await_text: 0,
            close: Close::Active,
            half_close: false,
            timeout: Duration::from_secs(10),
            linger: Linger::Enough,
            keep: Keep::Headers,
            simulated: false,
        }
    }
}

/// How to open a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// As everyone does: a SYN, or a SYN,ACK in answer to one.
    #[default]
    Usual,
    /// Both ends send a SYN (RFC 9293 section 3.5, figure 7): a refusal means that the peer is not there yet,
    /// and its SYN is met with one of ours.
    Simultaneous,
    /// A SYN is answered in two segments, an ACK and a SYN.
    Split,
}

/// How to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Our FIN first.
    Active,
    /// The peer's FIN first, then ours.
    Passive,
    /// A RST.
    Reset,
    /// Not at all.
    None,
}

/// How much of TIME-WAIT to keep. The machine knows all of it (MUST-13); a program that is to end does not wait four
/// minutes, but long enough to answer a FIN that comes again; it can be told to wait longer, and says what it left out
/// (I-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// Long enough to answer a repeated FIN: a quarter of a second, or three round trips if that is more.
    Enough,
    /// This long.
    For(Duration),
}

impl Linger {
    /// The time to keep after a round trip of `rtt`, at most `full`.
    pub fn after(self, rtt: Option<Duration>, full: Duration) -> Duration {
        const LEAST: Duration = Duration::from_millis(250);
        let wanted = match self {
            Self::Enough => LEAST.max(rtt.unwrap_or_default() * 3),
            Self::For(time) => time,
        };
        wanted.min(full)
    }
}
