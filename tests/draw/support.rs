//! Captures, written packet by packet.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, TsResolution};
use tcpshake::capture::{self, Contents, Told};
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, emit};
use tcpshake::record::Step;
use tcpshake::record::connection::Remark;
use tcpshake::tcp::{Flags, Options, Segment, SeqNum, State, UnscaledWindow};

pub(crate) const SYN: Flags = Flags::SYN;
pub(crate) const ACK: Flags = Flags::ACK;
pub(crate) const SYN_ACK: Flags = Flags::from_bits(0x12);
pub(crate) const FIN_ACK: Flags = Flags::from_bits(0x11);
pub(crate) const RST_ACK: Flags = Flags::from_bits(0x14);
pub(crate) const RST: Flags = Flags::RST;

pub(crate) const CLIENT_ISS: SeqNum = SeqNum(u32::MAX - 1); // near the wrap
pub(crate) const SERVER_ISS: SeqNum = SeqNum(9000);
/// What each segment announces, not scaled.
pub(crate) const WINDOW: u16 = 64_240;
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) fn client() -> SocketAddr {
    "10.0.0.1:40000".parse().unwrap()
}

pub(crate) fn server() -> SocketAddr {
    "10.0.0.2:80".parse().unwrap()
}

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// A packet with when it was seen.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) octets: Vec<u8>,
    pub(crate) original_len: usize,
}

/// Packets between a client and a server, a millisecond apart.
#[derive(Clone)]
pub(crate) struct Packets {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) seen: Vec<Seen>,
    pub(crate) identification: u16,
}

impl Default for Packets {
    fn default() -> Self {
        Self::between(client(), server())
    }
}

impl Packets {
    pub(crate) fn between(client: SocketAddr, server: SocketAddr) -> Self {
        Self { client, server, seen: Vec::new(), identification: 0 }
    }

    /// Numbers are counted from the initial ones, of the sender and of the receiver.
    pub(crate) fn send(&mut self, from: From, flags: Flags, seq: u32, ack: u32, text: &[u8]) -> &mut Self {
        self.send_with(Options::NONE, from, flags, seq, ack, text)
    }

    pub(crate) fn send_with(
        &mut self,
        options: Options,
        from: From,
        flags: Flags,
        seq: u32,
        ack: u32,
        text: &[u8],
    ) -> &mut Self {
        let (own, other, source, destination) = match from {
            From::Client => (CLIENT_ISS, SERVER_ISS, self.client, self.server),
            From::Server => (SERVER_ISS, CLIENT_ISS, self.server, self.client),
        };
        let ack = if flags.contains(ACK) { other + ack } else { SeqNum(0) };
        let segment = Segment {
            seq: own + seq,
            ack,
            flags,
            window: UnscaledWindow(WINDOW),
            options,
            text_len: text.len() as u32,
            ..Segment::default()
        };
        self.segment(source, destination, &segment, text)
    }

    pub(crate) fn segment(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        segment: &Segment,
        text: &[u8],
    ) -> &mut Self {
        self.identification += 1;
        let octets = packet(source, destination, segment, text, self.identification);
        let at = Duration::from_secs(1_000_000_000) + MILLISECOND * self.seen.len() as u32;
        let original_len = octets.len();
        self.seen.push(Seen { at, octets, original_len });
        self
    }

    /// The three-way open.
    pub(crate) fn open(&mut self) -> &mut Self {
        self.send(From::Client, SYN, 0, 0, b"");
        self.send(From::Server, SYN_ACK, 0, 1, b"");
        self.send(From::Client, ACK, 1, 1, b"")
    }

    /// The four-way close, the client first, behind so much text.
    pub(crate) fn close(&mut self, client: u32, server: u32) -> &mut Self {
        self.send(From::Client, FIN_ACK, 1 + client, 1 + server, b"");
        self.send(From::Server, ACK, 1 + server, 2 + client, b"");
        self.send(From::Server, FIN_ACK, 1 + server, 2 + client, b"");
        self.send(From::Client, ACK, 2 + client, 2 + server, b"")
    }

    pub(crate) fn pcap(&self) -> Vec<u8> {
        self.pcap_of(DataLink::RAW, &[])
    }

    /// As pcap, with this in front of each packet.
    pub(crate) fn pcap_of(&self, datalink: DataLink, link: &[u8]) -> Vec<u8> {
        let header = PcapHeader {
            datalink,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
        for Seen { at, octets, original_len } in &self.seen {
            let frame = [link, octets].concat();
            let len = (link.len() + original_len) as u32;
            writer.write_packet(&PcapPacket::new(*at, len, &frame)).unwrap();
        }
        writer.into_writer()
    }

    pub(crate) fn pcapng(&self, link: DataLink, in_front: &[u8]) -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
        let mut interface = InterfaceDescriptionBlock::new(link, 0);
        interface.options.push(InterfaceDescriptionOption::IfTsResol(9));
        writer.write_pcapng_block(interface).unwrap();
        for Seen { at, octets, original_len } in &self.seen {
            let block = EnhancedPacketBlock {
                interface_id: 0,
                timestamp: *at,
                original_len: (in_front.len() + original_len) as u32,
                data: Cow::Owned([in_front, octets].concat()),
                options: Vec::new(),
            };
            writer.write_pcapng_block(block).unwrap();
        }
        writer.into_inner()
    }
}

pub(crate) fn packet(
    source: SocketAddr,
    destination: SocketAddr,
    segment: &Segment,
    text: &[u8],
    identification: u16,
) -> Vec<u8> {
    let addresses = Addresses::new(source.ip(), destination.ip()).unwrap();
    let ip = IpFields { identification, ..IpFields::new(addresses) };
    let ports = Ports { source: source.port(), destination: destination.port() };
    let mut buffer = vec![0; 80 + text.len()];
    let len = emit(&ip, ports, segment, text, &mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

/// What a capture is found to hold.
pub(crate) fn survey(file: &[u8]) -> Contents {
    capture::survey(file).unwrap()
}

/// The steps of a connection, as drawn from the client.
pub(crate) fn steps(file: &[u8], number: u32) -> Vec<Step> {
    steps_from(file, number, capture::Perspective::Client)
}

pub(crate) fn steps_from(file: &[u8], number: u32, from: capture::Perspective) -> Vec<Step> {
    let contents = survey(file);
    let connection = contents.connections.iter().find(|it| it.number == number).unwrap();
    let mut steps = Vec::new();
    let keep = |told| {
        if let Told::Step(step) = told {
            steps.push(*step);
        }
        Ok(())
    };
    capture::trace(file, connection, from, keep).unwrap();
    steps
}

/// The state of both ends after each step.
pub(crate) fn states(steps: &[Step]) -> Vec<(State, Option<State>)> {
    steps.iter().map(|step| (step.state, step.seen.unwrap().remote)).collect()
}

pub(crate) fn remarks(steps: &[Step]) -> Vec<Option<Remark>> {
    steps.iter().map(|step| step.seen.unwrap().remark).collect()
}
