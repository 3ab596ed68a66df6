//! The packets of exchanges that were not as expected, as pcapng.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};

use crate::cli::error::Failure;
use crate::driver::fleet::replay::Recorded;
use crate::driver::fleet::{Direction, KeptPacket};
use crate::report::text::clean;
use crate::time::Reading;

/// A capture that is being written.
pub(super) struct Packets {
    writer: PcapNgWriter<BufWriter<File>>,
    path: PathBuf,
    /// Between the clock of the exchanges and the date.
    reading: Reading,
}

impl Packets {
    pub(super) fn create(path: &Path, reading: Reading) -> Result<Self, Failure> {
        let cannot = |error: &std::io::Error| {
            Failure::cannot(format_args!("open the capture {}", path.display()), error)
        };
        let file = File::create(path).map_err(|error| cannot(&error))?;
        let writer = PcapNgWriter::new(BufWriter::new(file));
        let mut packets =
            Self { writer: writer.map_err(|error| cannot(&plain(error)))?, path: path.to_owned(), reading };
        const NANOSECONDS: u8 = 9; // ten to the power of minus this
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
        };
        packets.write(|writer| writer.write_pcapng_block(interface).map(drop))?;
        Ok(packets)
    }

    /// All packets of an exchange, the first with why it is kept.
    pub(super) fn keep(&mut self, target: &str, why: &str, recorded: &Recorded) -> Result<(), Failure> {
        let comment = clean(&format!("{target}: {why}"));
        let seen = recorded.kept.packets.iter().filter(|packet| packet.direction != Direction::Unsent);
        for (n, packet) in seen.enumerate() {
            let comment = (n == 0).then_some(comment.as_str());
            let block = self.block(packet, comment);
            self.write(|writer| writer.write_pcapng_block(block).map(drop))?;
        }
        Ok(())
    }

    fn block<'p>(&self, packet: &'p KeptPacket, comment: Option<&'p str>) -> EnhancedPacketBlock<'p> {
        const INBOUND: u32 = 1;
        const OUTBOUND: u32 = 2;
        let direction = match packet.direction {
            Direction::Received => INBOUND,
            Direction::Sent | Direction::Unsent => OUTBOUND,
        };
        let mut options = vec![EnhancedPacketOption::Flags(direction)];
        options.extend(comment.map(|text| EnhancedPacketOption::Comment(Cow::Borrowed(text))));
        EnhancedPacketBlock {
            interface_id: 0,
            timestamp: self.reading.since_1970(packet.at),
            original_len: packet.octets.len() as u32,
            data: Cow::Borrowed(&packet.octets),
            options,
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut PcapNgWriter<BufWriter<File>>) -> Result<(), pcap_file::PcapError>,
    ) -> Result<(), Failure> {
        write(&mut self.writer).map_err(|error| {
            Failure::cannot(format_args!("write the capture {}", self.path.display()), &plain(error))
        })
    }

    /// All of it reaches the file.
    pub(super) fn finish(self) -> Result<(), Failure> {
        use std::io::Write;
        let (mut out, path) = (self.writer.into_inner(), self.path);
        out.flush()
            .map_err(|error| Failure::cannot(format_args!("write the capture {}", path.display()), &error))
    }
}

fn plain(error: pcap_file::PcapError) -> std::io::Error {
    if let pcap_file::PcapError::IoError(error) = error {
        return error;
    }
    std::io::Error::other(error.to_string())
}
