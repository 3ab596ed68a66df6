//! The packets of exchanges that were not as expected, as pcapng.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::cli::error::Failure;
use crate::driver::fleet::replay::Recorded;
use crate::driver::fleet::{Direction, KeptPacket};
use crate::report::pcapng::{self, Capture, Packet};
use crate::time::Reading;

/// A capture that is being written.
pub(super) struct Packets {
    capture: Capture<BufWriter<File>>,
    path: PathBuf,
    /// Between the clock of the exchanges and the date.
    reading: Reading,
}

impl Packets {
    pub(super) fn create(path: &Path, reading: Reading) -> Result<Self, Failure> {
        let capture = File::create(path).and_then(|file| Capture::begin(BufWriter::new(file), None));
        match capture {
            Ok(capture) => Ok(Self { capture, path: path.to_owned(), reading }),
            Err(error) => Err(Failure::cannot(format_args!("open the capture {}", path.display()), &error)),
        }
    }

    /// All packets of an exchange, the first with why it is kept.
    pub(super) fn keep(&mut self, target: &str, why: &str, recorded: &Recorded) -> Result<(), Failure> {
        let comment = format!("{target}: {why}");
        let reading = self.reading;
        let seen = recorded.kept.packets.iter().filter_map(|packet| seen(packet, reading));
        let mut commented = seen
            .enumerate()
            .map(|(n, packet)| Packet { comment: (n == 0).then_some(comment.as_str()), ..packet });
        let written = commented.try_for_each(|packet| self.capture.packet(&packet));
        written.map_err(|error| self.cannot_write(&error))
    }

    /// All of it reaches the file.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.capture.flush().map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        Failure::cannot(format_args!("write the capture {}", self.path.display()), error)
    }
}

/// A packet that was on the way.
fn seen(packet: &KeptPacket, reading: Reading) -> Option<Packet<'_>> {
    let direction = match packet.direction {
        Direction::Received => pcapng::Direction::Inbound,
        Direction::Sent => pcapng::Direction::Outbound,
        Direction::Unsent => return None,
    };
    Some(Packet { at: reading.since_1970(packet.at), direction, octets: &packet.octets, comment: None })
}
