//! A capture beside the program, read by a parser that shares no code with it.

use std::io::Read;
use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tcpshake::net::interfaces::Interface;
use tcpshake::wire::sys;

use crate::run::Run;

/// A packet socket on one interface.
pub(crate) struct Capture(Socket);

/// A segment as the capture saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: IpAddr,
    pub(crate) ttl: u8,
    pub(crate) flags: String,
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) len: usize,
    pub(crate) window: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) checksum_verifies: bool,
}

impl Capture {
    /// Starts at once: from the return on nothing is missed. To be called in the namespace to capture in.
    pub(crate) fn start(interface: &str) -> Self {
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(8 << 20).unwrap();
        socket.set_nonblocking(true).unwrap();
        let index = Interface::by_name(interface).unwrap().index;
        socket.bind(&sys::packet_address(index, libc::ETH_P_ALL as u16)).unwrap();
        Self(socket)
    }

    /// All segments so far, in order. On loopback each is seen leaving and arriving: twice.
    pub(crate) fn segments(&self) -> Vec<Seen> {
        let mut buffer = vec![0; 65_536];
        let mut seen = Vec::new();
        while let Ok(len) = (&self.0).read(&mut buffer) {
            seen.extend(read(&buffer[..len]));
        }
        seen
    }
}

fn read(octets: &[u8]) -> Option<Seen> {
    let packet = SlicedPacket::from_ip(octets).ok()?;
    let TransportSlice::Tcp(tcp) = packet.transport? else { return None };
    let (source, ttl, checksum) = match packet.net? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            let checksum = tcp.calc_checksum_ipv4(header.source(), header.destination());
            (IpAddr::V4(header.source_addr()), header.ttl(), checksum)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let checksum = tcp.calc_checksum_ipv6(header.source(), header.destination());
            (IpAddr::V6(header.source_addr()), header.hop_limit(), checksum)
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
        source,
        ttl,
        flags: flags.join(","),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        len: tcp.payload().len(),
        window: tcp.window_size(),
        options: tcp.options().to_vec(),
        checksum_verifies: checksum.ok() == Some(tcp.checksum()),
    })
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
            other => panic!("no test sends {other}"),
        }
    }
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// Compares every printed number of every segment with the capture, each direction by itself: the two
/// sides of a wire may see segments cross in another order. Yields what was captured.
pub(crate) fn assert_told_as_captured(run: &Run, captured: &[Seen], near: IpAddr) {
    for (direction, from_near) in [("sent", true), ("received", false)] {
        let told: Vec<&Value> = run
            .steps()
            .filter(|step| {
                step["direction"] == direction
                    && (step["event"] == "segment" || step["event"] == "kernel-reset")
            })
            .collect();
        let seen: Vec<&Seen> = captured.iter().filter(|seen| (seen.source == near) == from_near).collect();
        assert_eq!(told.len(), seen.len(), "segments {direction}:\n{told:#?}\n{seen:#?}");
        let initial = |from_near: bool| {
            captured.iter().find(|seen| (seen.source == near) == from_near && seen.flags.contains("SYN"))
        };
        for (told, seen) in told.into_iter().zip(seen) {
            let told_fields = (
                told["flags"].as_str().unwrap(),
                told["seq"].as_u64().unwrap() as u32,
                told["ack"].as_u64().map(|ack| ack as u32),
                told["len"].as_u64().unwrap() as usize,
                told["window"].as_u64().unwrap() as u16,
                written(&told["options"]),
            );
            let seen_fields =
                (seen.flags.as_str(), seen.seq, seen.ack, seen.len, seen.window, seen.options.clone());
            assert_eq!(told_fields, seen_fields, "{direction} {}", told["n"]);
            // Before the open the peer's initial number is not known to be one.
            let settled = from_near || told["state"] != "SYN-SENT";
            if let Some(syn) = initial(from_near).filter(|_| settled) {
                assert_eq!(told["rel_seq"], seen.seq.wrapping_sub(syn.seq), "{direction} {}", told["n"]);
            }
            if let (Some(ack), Some(syn)) = (seen.ack, initial(!from_near)) {
                assert_eq!(told["rel_ack"], ack.wrapping_sub(syn.seq), "{direction} {}", told["n"]);
            }
            if from_near {
                assert!(seen.checksum_verifies, "MUST-2: {seen:?}");
            } else {
                assert_eq!(told["ttl"], seen.ttl);
            }
            // MUST-65: MSS only on SYN; SHLD-5, MAY-3: and there always, unless we were told not to.
            assert!(seen.options.is_empty() || seen.flags.contains("SYN"), "{seen:?}");
        }
    }
}

/// RSTs that left the near host.
pub(crate) fn resets_from(captured: &[Seen], near: IpAddr) -> usize {
    captured.iter().filter(|seen| seen.source == near && seen.flags.contains("RST")).count()
}
