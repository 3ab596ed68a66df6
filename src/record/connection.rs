//! A connection that others had: what a capture shows of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::tcp::State;

/// Where what is told of an exchange comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// We were one of its ends.
    #[default]
    Ourselves,
    /// A capture of others' packets: the states of both ends are inferred.
    Capture,
}

impl Source {
    /// For machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ourselves => "ourselves",
            Self::Capture => "capture",
        }
    }
}

/// What shows of a step to who was not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The state of the remote end after it; `None` as long as nothing of it has been seen.
    pub remote: Option<State>,
    /// What is out of the ordinary about the segment.
    pub remark: Option<Remark>,
}

/// What sets a segment of a capture apart, by the numbers before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// All of it was seen before, in another packet.
    Retransmission,
    /// The very packet was seen before.
    Duplicate,
    /// It stands before what was seen last, and was not seen yet.
    OutOfOrder,
    /// Numbers before it have not been seen.
    Gap {
        /// How many.
        octets: u32,
    },
    /// It acknowledges what has not been seen.
    AcknowledgesUnseen {
        /// How many numbers of it.
        octets: u32,
    },
    /// It acknowledges once more what was acknowledged, while more is under way.
    RepeatedAck,
    /// It repeats the last number acknowledged, for an answer that shows that the other end lives.
    KeepAlive,
    /// It offers room for nothing.
    WindowClosed,
    /// It ends the connection at once.
    Reset,
}

impl Remark {
    /// One word, or two, for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retransmission => "retransmission",
            Self::Duplicate => "duplicate",
            Self::OutOfOrder => "out-of-order",
            Self::Gap { .. } => "gap",
            Self::AcknowledgesUnseen { .. } => "acknowledges-unseen",
            Self::RepeatedAck => "repeated-ack",
            Self::KeepAlive => "keep-alive",
            Self::WindowClosed => "window-closed",
            Self::Reset => "reset",
        }
    }

    /// How many numbers it is about, where it is about some.
    pub const fn octets(self) -> Option<u32> {
        match self {
            Self::Gap { octets } | Self::AcknowledgesUnseen { octets } => Some(octets),
            Self::Retransmission
            | Self::Duplicate
            | Self::OutOfOrder
            | Self::RepeatedAck
            | Self::KeepAlive
            | Self::WindowClosed
            | Self::Reset => None,
        }
    }

    /// What [`name`](Self::name) and [`octets`](Self::octets) stand for.
    pub fn named(name: &str, octets: Option<u32>) -> Option<Self> {
        let octets = octets.unwrap_or_default();
        [
            Self::Retransmission,
            Self::Duplicate,
            Self::OutOfOrder,
            Self::Gap { octets },
            Self::AcknowledgesUnseen { octets },
            Self::RepeatedAck,
            Self::KeepAlive,
            Self::WindowClosed,
            Self::Reset,
        ]
        .into_iter()
        .find(|remark| remark.name() == name)
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retransmission => f.write_str("retransmission: it begins with what was sent before"),
            Self::Duplicate => {
                f.write_str("duplicate: the same packet again, captured twice or doubled on its way")
            }
            Self::OutOfOrder => {
                f.write_str("out of order: it belongs before what was sent after it, late or sent again")
            }
            Self::Gap { octets } => {
                write!(f, "gap: {octets} sequence numbers before it are late, lost or not in the capture")
            }
            Self::AcknowledgesUnseen { octets } => {
                write!(f, "missing: it acknowledges {octets} sequence numbers that are not in the capture")
            }
            Self::RepeatedAck => f.write_str("repeated ACK: more came, but not what it asks for"),
            Self::KeepAlive => {
                f.write_str("keep-alive: an old number, to be answered if the other end still lives")
            }
            Self::WindowClosed => f.write_str("window closed: the other end has to wait"),
            Self::Reset => {
                f.write_str("reset: it ends the connection at once, or answers where there is none")
            }
        }
    }
}

/// One of the two ends of a connection, or who sends from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one drawn on the left.
    Local,
    /// The one drawn on the right.
    Remote,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

/// A connection of a capture, or of a recording, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which of the file it is, from 1.
    pub number: u32,
    /// The end that is drawn on the left: who opened it, as far as that shows.
    pub local: SocketAddr,
    /// The other.
    pub remote: SocketAddr,
    /// When its first segment was seen, since 1970.
    pub at: Duration,
    /// From its first segment to its last.
    pub lasted: Duration,
    /// What the local end has sent.
    pub sent: Traffic,
    /// What the remote end has sent.
    pub received: Traffic,
    /// How it began.
    pub beginning: Beginning,
    /// How it stood when the last segment was seen.
    pub finish: Finish,
}

/// What one end has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Segments, all of them.
    pub segments: u64,
    /// Octets of text, what was sent twice counted twice.
    pub octets: u64,
}

/// How a connection begins in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// SYN and SYN,ACK were seen.
    Opened,
    /// Only one SYN was seen.
    OneSyn,
    /// It is older than the capture.
    Unseen,
}

impl Beginning {
    /// For machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::OneSyn => "one-syn",
            Self::Unseen => "unseen",
        }
    }

    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::OneSyn => "one SYN",
            Self::Unseen => "beginning not seen",
        }
    }
}

/// How a connection ends in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Both FINs were seen.
    Closed,
    /// One FIN was seen.
    HalfClosed,
    /// A RST was seen, in answer to the SYN.
    Refused,
    /// A RST was seen.
    Reset,
    /// None of these.
    Unseen,
}

impl Finish {
    /// For machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfClosed => "half-closed",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Unseen => "unseen",
        }
    }

    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfClosed => "half closed",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Unseen => "end not seen",
        }
    }
}

impl Connection {
    /// The same, with the other end on the left.
    pub fn reversed(&self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
            sent: self.received,
            received: self.sent,
            ..self.clone()
        }
    }

    /// Whether it can be followed from its beginning to its end.
    pub fn is_whole(&self) -> bool {
        self.beginning == Beginning::Opened && matches!(self.finish, Finish::Closed | Finish::Reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_known_again_by_its_name() {
        let remark = Remark::AcknowledgesUnseen { octets: 7 };
        assert_eq!(Remark::named(remark.name(), remark.octets()), Some(remark));
        assert_eq!(Remark::named("reset", None), Some(Remark::Reset));
        assert_eq!(Remark::named("nothing", None), None);
    }
}
