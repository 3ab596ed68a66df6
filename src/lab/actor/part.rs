//! What a far end does, as a value.

use std::net::SocketAddr;
use std::time::Duration;

use crate::tcp::{Flags, Parameters, SeqNum};

/// A part to play.
#[derive(Clone, Debug)]
pub struct Part {
    /// The initial sequence number of the first connection.
    pub iss: SeqNum,
    /// How its connections behave.
    pub parameters: Parameters,
    /// Who begins.
    pub begins: Begins,
    /// What becomes of text that was read.
    pub answers: Answers,
    /// When text is read.
    pub reads: Reads,
    /// What the peer's FIN leads to.
    pub closes: Closes,
    /// What else is done, and when.
    pub cues: Vec<Cue>,
}

impl Part {
    /// An echo server that closes when its client has.
    pub const fn echo(iss: SeqNum, parameters: Parameters) -> Self {
        Self {
            iss,
            parameters,
            begins: Begins::Waits,
            answers: Answers::Echo,
            reads: Reads::AtOnce,
            closes: Closes::AfterPeer,
            cues: Vec::new(),
        }
    }
}

/// Who begins a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begins {
    /// The other end: this one listens.
    Waits,
    /// This one, at once.
    Opens {
        /// To where.
        peer: SocketAddr,
    },
    /// Nobody: the port is closed.
    Refuses,
    /// Nobody: whatever comes is dropped.
    Never,
}

/// What becomes of text that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It is sent back.
    Echo,
    /// It is sent back once the peer has no more of it.
    OnceClosed,
    /// Nothing.
    Nothing,
}

/// When text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As it comes.
    AtOnce,
    /// From [`Act::Read`] on.
    OnCue,
}

/// What the peer's FIN leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// An ACK, and once nothing else is to be done a FIN of its own.
    AfterPeer,
    /// A FIN of its own that is the ACK, too.
    WithPeer,
}

/// Something to be done at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// In which connection, from 1; `None` for each.
    pub connection: Option<u32>,
    /// How long after it was open.
    pub after: Duration,
    /// What.
    pub act: Act,
}

impl Cue {
    /// In each connection.
    pub const fn new(after: Duration, act: Act) -> Self {
        Self { connection: None, after, act }
    }

    pub(super) fn is_for(&self, number: u32) -> bool {
        self.connection.is_none_or(|only| only == number)
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send this text.
    Say(&'static [u8]),
    /// Have no more to send.
    Close,
    /// Begin to read.
    Read,
    /// Forget everything, and tell nobody.
    Crash,
    /// Send a bare segment, as somebody would who guesses at the numbers.
    Forge {
        /// Its control bits.
        flags: Flags,
        /// How far its number is beyond the next.
        ahead: u32,
    },
}
