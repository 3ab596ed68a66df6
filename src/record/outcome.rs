//! How an exchange ended, and what it took.

use std::fmt;
use std::time::Duration;

use crate::packet::IcmpError;
use crate::tcp::State;

/// How an exchange ended: what the peer closed is told from what it reset (MUST-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Completed(Ending),
    /// The peer answered our SYN with RST.
    Refused,
    /// Nothing answered in time.
    Silent {
        /// Whether segments came all the same, none of which opened the connection.
        heard: bool,
    },
    /// The network said that the peer cannot be reached.
    Unreachable(IcmpError),
    /// A client's open came to nothing.
    NotOpened(NotOpened),
    /// It was open, and the peer reset it.
    ResetAfterOpening {
        /// The state it was in.
        state: State,
    },
    /// It was open, but the close did not come to its end.
    CloseIncomplete {
        /// The state it was given up in.
        state: State,
        /// What was missing.
        missing: Missing,
    },
    /// The user ended it.
    Interrupted(Signal),
}

/// Why a client's open came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// It answered our SYN,ACK with a RST.
    Reset,
    /// It never answered.
    NoAnswer,
}

/// What an exchange that was opened still lacked when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The acknowledgment of our text.
    TextAcknowledgment,
    /// Room in the peer's window for our text.
    Window,
    /// What we waited for before closing.
    PeerFirst,
    /// The acknowledgment of our FIN.
    FinAcknowledgment,
    /// The acknowledgment of our FIN: a RST came instead.
    FinAcknowledgmentReset,
    /// The peer's FIN.
    PeerFin,
    /// Whatever the peer would have sent: our receive window was 0.
    OurWindow,
}

impl Missing {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TextAcknowledgment => "the peer did not acknowledge our text",
            Self::Window => "the peer's window stayed closed to our text",
            Self::PeerFirst => "the peer neither closed nor sent what was awaited",
            Self::FinAcknowledgment => "the peer did not acknowledge our FIN",
            Self::FinAcknowledgmentReset => "the peer reset it before it acknowledged our FIN",
            Self::PeerFin => "the peer kept its side open",
            Self::OurWindow => "our window of 0 let the peer send nothing",
        }
    }
}

/// The ways an exchange can end as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both FINs were acknowledged.
    Closed,
    /// Our RST ended it.
    ResetByUs,
    /// It was left open: no FIN, no RST.
    LeftOpen,
}

/// Signals that end an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite kill.
    Terminate,
    /// The terminal went away.
    HangUp,
}

impl Outcome {
    /// One word for machines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Refused => "refused",
            Self::Silent { .. } => "silent",
            Self::NotOpened(_) => "not-opened",
            Self::Unreachable(_) => "unreachable",
            Self::ResetAfterOpening { .. } => "reset",
            Self::CloseIncomplete { .. } => "close-incomplete",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(Ending::Closed) => f.write_str("opened and closed, both FINs acknowledged"),
            Self::Completed(Ending::ResetByUs) => f.write_str("opened, and ended by our RST as asked"),
            Self::Completed(Ending::LeftOpen) => f.write_str(
                "opened, and left open as asked: the peer's next segment will draw the kernel's RST",
            ),
            Self::Refused => f.write_str("refused: the peer answered our SYN with RST"),
            Self::Silent { heard: false } => {
                f.write_str("silent: no answer in time (filtered, or nobody there)")
            }
            Self::Silent { heard: true } => {
                f.write_str("silent: something came, but nothing that opened the connection")
            }
            Self::NotOpened(NotOpened::Reset) => f.write_str("not opened: the client reset our SYN,ACK"),
            Self::NotOpened(NotOpened::NoAnswer) => {
                f.write_str("not opened: the client never acknowledged our SYN,ACK")
            }
            Self::Unreachable(error) => write!(f, "unreachable: {error}"),
            Self::ResetAfterOpening { state } => write!(f, "reset by the peer in {state}"),
            Self::CloseIncomplete { state, missing } => {
                write!(f, "opened, but not closed: {} (given up in {state})", missing.text())
            }
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

impl fmt::Display for Signal {
    /// What it did to us.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
            Self::HangUp => "hung up",
        })
    }
}

/// How an exchange ended, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which exchange of the run it was.
    pub exchange: u32,
    /// The verdict.
    pub outcome: Outcome,
    /// From our first SYN to ESTABLISHED.
    pub open_time: Option<Duration>,
    /// From the first FIN to the acknowledgment of the second.
    pub close_time: Option<Duration>,
    /// From a SYN sent once to its answer.
    pub rtt: Option<Duration>,
    /// Segments sent again.
    pub retransmissions: u32,
    /// Answers of the kernel that the guard held back; `None` where it could not count them.
    pub held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    pub guard_lost: bool,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u32,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u32,
    /// Octets of text acknowledged by the peer.
    pub text_sent: u64,
    /// Octets of text taken from the peer.
    pub text_received: u64,
    /// The last ICMP error that ended nothing.
    pub noted: Option<IcmpError>,
    /// What was expected to come, as a pattern; `None` if nothing was.
    pub expected: Option<String>,
    /// Whether what came is what was expected; `None` if nothing was.
    pub as_expected: Option<bool>,
    /// What went wrong on this machine with what was to be said or kept, for which the exchange was closed.
    pub trouble: Option<String>,
    /// If we hold TIME-WAIT: how long it is by the book, and how much of it is kept.
    pub time_wait: Option<TimeWait>,
}

impl Summary {
    /// Whether all went as the user has asked.
    pub fn is_as_asked(&self) -> bool {
        let completed = matches!(self.outcome, Outcome::Completed(_));
        completed && self.as_expected != Some(false) && self.trouble.is_none()
    }
}

/// TIME-WAIT, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWait {
    /// 2 MSL.
    pub full: Duration,
    /// What is kept of it, inside the guard.
    pub kept: Duration,
}
