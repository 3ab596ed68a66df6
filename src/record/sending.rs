//! What happened to hand-built segments: what was sent, every answer, how it ended.

use std::fmt;
use std::time::Duration;

use super::{Excerpt, Opening, Relative, Signal};
use crate::packet::{DecodeError, Defects, IcmpError};
use crate::tcp::{Flags, Meaning, Segment};

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It begins.
    Begin(Opening),
    /// Something happened.
    Rung(Box<Rung>),
    /// It has ended.
    End(Box<Sum>),
    /// It could not be begun or carried on, for a reason on this machine.
    Failed(String),
}

/// Something that happened, in the order it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its number, from 1.
    pub n: u32,
    /// When, since the first segment left; for what arrives, when the kernel took it.
    pub at: Duration,
    /// What.
    pub event: Event,
    /// What it tells about the peer.
    pub meaning: Option<Meaning>,
    /// The whole packet, if it is to be shown.
    pub packet: Option<Vec<u8>>,
}

/// What a rung is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Our segment left.
    Sent {
        /// It.
        shown: Shown,
        /// What is wrong with it, as asked.
        defects: Defects,
        /// Why nobody can read it, if nobody can.
        fault: Option<DecodeError>,
    },
    /// Our segment did not leave.
    Unsent {
        /// It.
        shown: Shown,
        /// Why not.
        why: String,
    },
    /// A segment arrived.
    Received(Shown),
    /// A packet of the peer's that cannot be read.
    Unreadable(DecodeError),
    /// An ICMP error about a segment between our port and the target's.
    Icmp(IcmpError),
    /// The kernel of this machine sent a RST of its own.
    KernelReset(Segment, Relative),
}

/// A segment and the header it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The numbers, as they stand in the header.
    pub segment: Segment,
    /// The sequence number counted from ours, if it is ours; the acknowledgment, if it is theirs.
    pub relative: Relative,
    /// The beginning of its text.
    pub text: Excerpt,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
}

/// How it ended. The first answer decides; an ICMP error, which anybody can make up, only without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A segment that is no RST answered.
    Answered(Flags, Meaning),
    /// RST to our SYN.
    Refused(Meaning),
    /// RST to anything else.
    Reset(Meaning),
    /// No segment, but an ICMP error.
    Unreachable(IcmpError),
    /// Nothing.
    Silent(Meaning),
    /// Nothing, and nothing should: a RST was sent.
    RightlySilent(Meaning),
    /// The user ended it.
    Interrupted(Signal),
}

impl Verdict {
    /// One word for machines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answered(..) => "answered",
            Self::Refused(_) => "refused",
            Self::Reset(_) => "reset",
            Self::Unreachable(_) => "unreachable",
            Self::Silent(_) => "silent",
            Self::RightlySilent(_) => "unanswered",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// The rule behind it.
    pub const fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Answered(_, meaning)
            | Self::Refused(meaning)
            | Self::Reset(meaning)
            | Self::Silent(meaning)
            | Self::RightlySilent(meaning) => Some(*meaning),
            Self::Unreachable(_) | Self::Interrupted(_) => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(flags, _) => write!(f, "answered: {flags}"),
            Self::Refused(_) => f.write_str("refused: the peer answered our SYN with RST"),
            Self::Reset(_) => f.write_str("reset: the peer answered with RST"),
            Self::Unreachable(error) => write!(f, "unreachable: {error}"),
            Self::Silent(_) => f.write_str("silent: no answer in time"),
            Self::RightlySilent(_) => f.write_str("sent, and not answered: nothing answers a RST"),
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

/// How it ended, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The verdict.
    pub verdict: Verdict,
    /// Segments that left.
    pub sent: u32,
    /// Segments that came.
    pub answers: u32,
    /// From the last segment before it to the first answer.
    pub first_answer: Option<Duration>,
    /// Answers of the kernel that the guard held back; `None` where it could not count them.
    pub held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    pub guard_lost: bool,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u32,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u32,
    /// The last ICMP error that decided nothing.
    pub noted: Option<IcmpError>,
}
