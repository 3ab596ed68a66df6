//! Why a file could not be read, or not to its end.

use std::io;

use crate::cause::cause;

/// A file that is no capture, or is damaged. What stood before the damage has been read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file could not be read.
    #[error("{}", cause(.0))]
    Io(#[from] io::Error),
    /// Neither pcap nor pcapng.
    #[error("it is neither pcap nor pcapng nor a recording of tcpshake")]
    Unknown,
    /// It ends in the midst of something.
    #[error("it ends in the midst of a packet")]
    CutShort,
    /// A packet, or a block around one, of more octets than any link carries.
    #[error("a block of more than {} octets", super::buffer::MOST_OCTETS)]
    TooLong,
    /// Interfaces take up too much of it.
    #[error("descriptions of interfaces of more than {} octets", super::pcapng::MOST_DESCRIPTIONS)]
    TooManyInterfaces,
    /// A line of a recording that is not as we write it.
    #[error("line {line}: {fault}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        fault: String,
    },
    /// The format is broken.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}
