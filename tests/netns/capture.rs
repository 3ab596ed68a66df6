//! A capture beside the program, read by a parser that shares no code with it.

use std::collections::VecDeque;
use std::io::{IoSliceMut, PipeWriter, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::thread::JoinHandle;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use nix::sys::time::TimeSpec;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tcpshake::net::interfaces::Interface;
use tcpshake::time::Clock;
use tcpshake::wire::filter;
use tcpshake::wire::sys::{self, Switch};

use crate::run::Run;
use crate::world::PATIENCE;

/// A packet socket on one interface.
pub(crate) struct Capture(Socket);

/// A segment as the capture saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) flags: String,
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) len: usize,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) checksum_verifies: bool,
}

impl Capture {
    /// Starts at once: from the return on nothing is missed. To be called in the namespace to capture in.
    pub(crate) fn start(interface: &str) -> Self {
        Self::with(interface, &[])
    }

    /// On loopback each segment leaves and arrives: this sees it once.
    pub(crate) fn of_arrivals(interface: &str) -> Self {
        Self::with(interface, &[Switch::PacketIgnoreOutgoing])
    }

    /// Of the segments that pass, those with RST alone: it is never too slow for them, however many others pass.
    pub(crate) fn of_resets(interface: &str) -> Self {
        let capture = Self::with(interface, &[]);
        let statement = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
        let jump = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
        const LOAD_OCTET: u16 = 0x30;
        const LOAD_OCTET_AT_X: u16 = 0x50;
        const LOAD_IHL: u16 = 0xb1;
        const SHIFT_RIGHT: u16 = 0x74;
        const GO_ON: u16 = 0x05;
        const IF_EQUAL: u16 = 0x15;
        const IF_SET: u16 = 0x45;
        const RETURN: u16 = 0x06;
        const TCP: u32 = 6;
        const RST: u32 = 4;
        let program = [
            statement(LOAD_OCTET, 0),
            statement(SHIFT_RIGHT, 4),
            jump(IF_EQUAL, 4, 0, 5),
            statement(LOAD_OCTET, 9),
            jump(IF_EQUAL, TCP, 0, 8),
            statement(LOAD_IHL, 0),
            statement(LOAD_OCTET_AT_X, 13),
            statement(GO_ON, 3),
            statement(LOAD_OCTET, 6),
            jump(IF_EQUAL, TCP, 0, 3),
            statement(LOAD_OCTET, 40 + 13),
            jump(IF_SET, RST, 0, 1),
            statement(RETURN, 65_535),
            statement(RETURN, 0),
        ];
        filter::attach(&capture.0, &program).unwrap();
        capture.packets();
        capture
    }

    /// Reads it from now on in a thread of its own, so that it holds more than the kernel keeps for it.
    pub(crate) fn tape(self) -> Tape {
        setsockopt(&self.0, ReceiveTimestampns, &true).unwrap();
        let (mut is_over, over) = std::io::pipe().unwrap();
        let reader = std::thread::spawn(move || {
            let mut taped = Vec::new();
            loop {
                let mut ready = [&self.0 as &dyn AsFd, &is_over]
                    .map(|source| PollFd::new(source.as_fd(), PollFlags::POLLIN));
                poll(&mut ready, PollTimeout::NONE).unwrap();
                let last = ready[1].any() == Some(true);
                self.read_on(&mut taped);
                if last {
                    let _ = is_over.read(&mut [0]);
                    assert_eq!(self.lost(), 0, "the capture was too slow");
                    return taped;
                }
            }
        });
        Tape { over, reader }
    }

    fn read_on(&self, taped: &mut Vec<Taped>) {
        let mut buffer = vec![0; 65_536];
        loop {
            let mut control = nix::cmsg_space!(TimeSpec);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let read = recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty());
            let Ok(read) = read else { return };
            let at = read.cmsgs().unwrap().find_map(|message| {
                if let ControlMessageOwned::ScmTimestampns(at) = message { Some(at.into()) } else { None }
            });
            let (len, at) = (read.bytes, at.expect("a time stamp"));
            taped.push(Taped { at, octets: buffer[..len].to_vec() });
        }
    }

    fn with(interface: &str, switches: &[Switch]) -> Self {
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(8 << 20).unwrap();
        socket.set_nonblocking(true).unwrap();
        for switch in switches {
            sys::switch_on(&socket, *switch).unwrap();
        }
        let index = Interface::by_name(interface).unwrap().index;
        socket.bind(&sys::packet_address(index, libc::ETH_P_ALL as u16)).unwrap();
        Self(socket)
    }

    /// All segments since the last look, in order.
    pub(crate) fn segments(&self) -> Vec<Seen> {
        self.packets().iter().filter_map(|packet| read(packet)).collect()
    }

    /// All segments and, as type and code, all ICMP errors since the last look.
    pub(crate) fn segments_and_icmp(&self) -> (Vec<Seen>, Vec<(u8, u8)>) {
        let packets = self.packets();
        let segments = packets.iter().filter_map(|packet| read(packet)).collect();
        (segments, packets.iter().filter_map(|packet| read_icmp_error(packet)).collect())
    }

    /// Waits for a segment that is `wanted`; those before it are passed over.
    #[track_caller]
    pub(crate) fn until(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let clock = Clock::new();
        let deadline = clock.now() + PATIENCE;
        let mut buffer = vec![0; 65_536];
        loop {
            let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let patience = PollTimeout::try_from(deadline - clock.now()).unwrap();
            assert_ne!(poll(&mut ready, patience).unwrap(), 0, "no such segment was captured");
            let len = (&self.0).read(&mut buffer).unwrap();
            if let Some(seen) = read(&buffer[..len]).filter(&wanted) {
                return seen;
            }
        }
    }

    /// Packets since the last call that it was too slow for.
    pub(crate) fn lost(&self) -> u32 {
        sys::packets_dropped(&self.0)
    }

    /// All packets since the last look, of every protocol, from the IP header on.
    pub(crate) fn packets(&self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        let mut packets = Vec::new();
        while let Ok(len) = (&self.0).read(&mut buffer) {
            packets.push(buffer[..len].to_vec());
        }
        packets
    }
}

/// A capture that is being read.
pub(crate) struct Tape {
    over: PipeWriter,
    reader: JoinHandle<Vec<Taped>>,
}

/// A packet from the IP header on, and when the kernel saw it.
#[derive(Clone, Debug)]
pub(crate) struct Taped {
    pub(crate) at: Duration,
    pub(crate) octets: Vec<u8>,
}

impl Tape {
    /// All packets up to now.
    #[track_caller]
    pub(crate) fn end(self) -> Vec<Taped> {
        drop(self.over);
        self.reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// All segments up to now, and when.
    #[track_caller]
    pub(crate) fn segments(self) -> Vec<(Duration, Seen)> {
        let taped = self.end();
        taped.iter().filter_map(|taped| Some((taped.at, read(&taped.octets)?))).collect()
    }
}

fn read_icmp_error(octets: &[u8]) -> Option<(u8, u8)> {
    match SlicedPacket::from_ip(octets).ok()?.transport? {
        TransportSlice::Icmpv4(icmp) => Some((icmp.type_u8(), icmp.code_u8())).filter(|(kind, _)| *kind == 3),
        TransportSlice::Icmpv6(icmp) => {
            Some((icmp.type_u8(), icmp.code_u8())).filter(|(kind, _)| *kind < 128)
        }
        TransportSlice::Tcp(_) | TransportSlice::Udp(_) | TransportSlice::Igmp(_) => None,
    }
}

/// A segment; `None` for anything else, and what cannot be read.
pub(crate) fn read(octets: &[u8]) -> Option<Seen> {
    let packet = SlicedPacket::from_ip(octets).ok()?;
    let TransportSlice::Tcp(tcp) = packet.transport? else { return None };
    let (source, destination, (ttl, tos), checksum) = match packet.net? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            let checksum = tcp.calc_checksum_ipv4(header.source(), header.destination());
            let tos = header.dcp().value() << 2 | header.ecn().value();
            let ends = (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()));
            (ends.0, ends.1, (header.ttl(), tos), checksum)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let checksum = tcp.calc_checksum_ipv6(header.source(), header.destination());
            (
                IpAddr::V6(header.source_addr()),
                IpAddr::V6(header.destination_addr()),
                (header.hop_limit(), header.traffic_class()),
                checksum,
            )
        }
        NetSlice::Arp(_) => return None,
    };
    let bits = [
        (tcp.syn(), "SYN"),
        (tcp.fin(), "FIN"),
        (tcp.rst(), "RST"),
        (tcp.psh(), "PSH"),
        (tcp.ack(), "ACK"),
        (tcp.urg(), "URG"),
        (tcp.ece(), "ECE"),
        (tcp.cwr(), "CWR"),
        (tcp.ns(), "AE"),
    ];
    let flags: Vec<&str> = bits.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    Some(Seen {
        source: (source, tcp.source_port()).into(),
        destination: (destination, tcp.destination_port()).into(),
        ttl,
        tos,
        flags: flags.join(","),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        len: tcp.payload().len(),
        window: tcp.window_size(),
        urgent: tcp.urgent_pointer(),
        options: tcp.options().to_vec(),
        checksum_verifies: checksum.ok() == Some(tcp.checksum()),
    })
}

fn hexadecimal(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Two NOPs and timestamps, two NOPs and blocks of a selective acknowledgment: what alone may stand on any segment.
fn may_stand_anywhere(options: &[u8]) -> bool {
    match options {
        [] => true,
        [1, 1, 8, 10, rest @ ..] => rest.len() >= 8 && may_stand_anywhere(&rest[8..]),
        [1, 1, 5, len, blocks @ ..] => usize::from(*len) == 2 + blocks.len() && len % 8 == 2,
        _ => false,
    }
}

/// The options of a printed step, written again as octets, from their JSON alone.
fn written(options: &Value) -> Vec<u8> {
    let mut octets = Vec::new();
    let number = |option: &Value, field: &str| option[field].as_u64().unwrap();
    for option in options.as_array().unwrap() {
        match option["name"].as_str().unwrap() {
            "nop" => octets.push(1),
            "mss" => octets.extend([&[2, 4][..], &(number(option, "value") as u16).to_be_bytes()].concat()),
            "window-scale" => octets.extend([3, 3, number(option, "value") as u8]),
            "sack-permitted" => octets.extend([4, 2]),
            "timestamps" => {
                octets.extend([8, 10]);
                for field in ["value", "echo"] {
                    octets.extend((number(option, field) as u32).to_be_bytes());
                }
            }
            "sack" => {
                let blocks = option["blocks"].as_array().unwrap().iter();
                let edges: Vec<u8> = blocks
                    .flat_map(|block| block.as_array().unwrap())
                    .flat_map(|edge| (edge.as_u64().unwrap() as u32).to_be_bytes())
                    .collect();
                octets.extend([&[5, 2 + edges.len() as u8][..], &edges].concat());
            }
            "unknown" => {
                let data = hexadecimal(option["data"].as_str().unwrap());
                octets.extend([&[number(option, "kind") as u8, 2 + data.len() as u8][..], &data].concat());
            }
            other => panic!("no test sends {other}"),
        }
    }
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// Compares every printed number of every segment of every exchange with the capture, each direction by
/// itself: the two sides of a wire may see segments cross in another order. And the kernel of the near host
/// sent no RST: all that was captured is ours.
#[track_caller]
pub(crate) fn assert_told_as_captured(run: &Run, captured: &[Seen]) {
    let begins: Vec<&Value> = run.lines.iter().filter(|line| line["type"] == "begin").collect();
    assert!(!begins.is_empty(), "{run:#?}");
    for begin in begins {
        let [near, far]: [SocketAddr; 2] =
            ["local", "remote"].map(|end| begin[end].as_str().unwrap().parse().unwrap());
        let between = |from, to| move |seen: &&Seen| seen.source == from && seen.destination == to;
        let steps: Vec<&Value> = run.steps().filter(|step| step["exchange"] == begin["exchange"]).collect();
        let sent: Vec<&Seen> = captured.iter().filter(between(near, far)).collect();
        let received: Vec<&Seen> = captured.iter().filter(between(far, near)).collect();
        compare("sent", &steps, &sent, &received);
        compare("received", &steps, &received, &sent);
        for seen in sent {
            assert!(seen.checksum_verifies, "MUST-2: {seen:?}");
            // MUST-65: MSS, and every other option but those two, only on SYN.
            assert!(may_stand_anywhere(&seen.options) || seen.flags.contains("SYN"), "{seen:?}");
        }
    }
}

/// Segments among which the next may be, for one can overtake another: each leaves by the queue of the processor it
/// was sent on, the kernel's ACK by this and its server's FIN by that.
const NEXT_AMONG: usize = 3;

/// What of a segment is told.
fn fields_of(seen: &Seen) -> (&str, u32, Option<u32>, usize, u16, Vec<u8>) {
    (&seen.flags, seen.seq, seen.ack, seen.len, seen.window, seen.options.clone())
}

#[track_caller]
fn compare(direction: &str, steps: &[&Value], these: &[&Seen], others: &[&Seen]) {
    let told: Vec<&&Value> =
        steps.iter().filter(|step| step["direction"] == direction && step["flags"].is_string()).collect();
    assert_eq!(told.len(), these.len(), "segments {direction}:\n{told:#?}\n{these:#?}");
    let initial = |seen: &[&Seen]| seen.iter().find(|seen| seen.flags.contains("SYN")).map(|syn| syn.seq);
    let mut left: VecDeque<&Seen> = these.iter().copied().collect();
    for told in told {
        let told_fields = (
            told["flags"].as_str().unwrap(),
            told["seq"].as_u64().unwrap() as u32,
            told["ack"].as_u64().map(|ack| ack as u32),
            told["len"].as_u64().unwrap() as usize,
            told["window"].as_u64().unwrap() as u16,
            written(&told["options"]),
        );
        let place = left.iter().take(NEXT_AMONG).position(|seen| fields_of(seen) == told_fields);
        let seen = left.remove(place.unwrap_or(0)).unwrap();
        assert_eq!(told_fields, fields_of(seen), "{direction} {}", told["n"]);
        // Before the open the peer's initial number is not known to be one.
        let settled = direction == "sent" || told["rel_seq"] != Value::Null;
        assert!(settled || told["state"] == "SYN-SENT" || seen.flags == "RST,ACK", "{told:#?}");
        if let Some(first) = initial(these).filter(|_| settled) {
            assert_eq!(told["rel_seq"], seen.seq.wrapping_sub(first), "{direction} {}", told["n"]);
        }
        if let (Some(ack), Some(first)) = (seen.ack, initial(others)) {
            assert_eq!(told["rel_ack"], ack.wrapping_sub(first), "{direction} {}", told["n"]);
        }
        if direction == "received" {
            assert_eq!(told["ttl"], seen.ttl);
        }
    }
}

/// RSTs that left the near host.
pub(crate) fn resets_from(captured: &[Seen], near: IpAddr) -> usize {
    captured.iter().filter(|seen| seen.source.ip() == near && seen.flags.contains("RST")).count()
}
