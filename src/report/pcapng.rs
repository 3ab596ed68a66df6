//! Packets as pcapng, for Wireshark and tshark: one interface of raw IP, nanoseconds, a comment where there is one.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use super::text::clean;
use super::words;
use crate::record::{Event, Role, Step};

/// A capture that is being written.
pub struct Capture<W: Write> {
    writer: PcapNgWriter<W>,
}

/// One packet, from its IP header on.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'p> {
    /// When, since 1970.
    pub at: Duration,
    /// Which way it went.
    pub direction: Direction,
    /// Its octets.
    pub octets: &'p [u8],
    /// What is to be said about it.
    pub comment: Option<&'p str>,
}

/// Which way a packet went, as pcapng numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Direction {
    /// To us.
    Inbound = 1,
    /// From us.
    Outbound = 2,
}

impl Direction {
    /// Of a packet that a step is about; `None` if none was on the way.
    const fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Sent { .. } | Event::KernelReset(..) => Some(Self::Outbound),
            Event::Received { .. } | Event::Unreadable(_) | Event::Icmp { .. } => Some(Self::Inbound),
            Event::Unsent { .. } | Event::Quiet => None,
        }
    }
}

impl<W: Write> Capture<W> {
    /// A capture with nothing in it but what `comment` says of it all.
    pub fn begin(out: W, comment: Option<&str>) -> io::Result<Self> {
        let options = comment.map(|comment| SectionHeaderOption::Comment(said(comment).into()));
        let section = SectionHeaderBlock {
            endianness: Endianness::Little, // everywhere the same octets
            options: options.into_iter().collect(),
            ..SectionHeaderBlock::default()
        };
        const NANOSECONDS: u8 = 9; // ten to the power of minus this
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
        };
        let mut writer = PcapNgWriter::with_section_header(out, section).map_err(plain)?;
        writer.write_pcapng_block(interface).map_err(plain)?;
        Ok(Self { writer })
    }

    /// One more packet.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let mut options = vec![EnhancedPacketOption::Flags(packet.direction as u32)];
        options.extend(packet.comment.map(|comment| EnhancedPacketOption::Comment(said(comment).into())));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: packet.at,
            original_len: packet.octets.len() as u32,
            data: Cow::Borrowed(packet.octets),
            options,
        };
        self.writer.write_pcapng_block(block).map(drop).map_err(plain)
    }

    /// The packet of a step, if one was on the way, with what the step is and what `explanation` adds.
    pub fn step(&mut self, role: Role, step: &Step, explanation: Option<&str>) -> io::Result<()> {
        let Some(direction) = Direction::of(&step.event).filter(|_| !step.packet.is_empty()) else {
            return Ok(());
        };
        let comment = remark(role, step, explanation);
        self.packet(&Packet { at: step.since_1970, direction, octets: &step.packet, comment: Some(&comment) })
    }

    /// All so far reaches the reader.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }
}

/// `step 2, SYN-SENT to ESTABLISHED: ...`, and first which exchange it is, if it is one of several.
fn remark(role: Role, step: &Step, explanation: Option<&str>) -> String {
    let name = match role {
        Role::Active if step.exchange > 1 => format!("exchange {}, ", step.exchange),
        Role::Active => String::new(),
        Role::Passive => format!("connection {}, ", Role::name_of(step.exchange)),
    };
    let states = words::states(step);
    let words = explanation.map(str::to_owned).or_else(|| words::remark(step)).or_else(|| words::rule(step));
    match words {
        Some(words) => format!("{name}step {}, {states}: {words}", step.n),
        None => format!("{name}step {}, {states}", step.n),
    }
}

/// A comment as it is written: safe for whatever shows it, and no longer than an option may be.
fn said(comment: &str) -> String {
    const MOST: usize = 4096; // characters
    clean(comment).chars().take(MOST).collect()
}

fn plain(error: PcapError) -> io::Error {
    if let PcapError::IoError(error) = error { error } else { io::Error::other(error.to_string()) }
}
