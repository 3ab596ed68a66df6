//! What it takes to read a capture of 100,000 segments: its list, and a ladder of them all.
//!
//! `cargo bench --bench draw` prints times and the most memory that the process ever held.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs the program, reads the clock and prints"
)]

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, emit};
use tcpshake::tcp::{Flags, Segment, SeqNum, UnscaledWindow};
use tempfile::NamedTempFile;

const SEGMENTS: u32 = 100_000;
/// Octets of text in each segment of the client's.
const TEXT: usize = 1000;
/// What all of it must stay within.
const LIMIT: Duration = Duration::from_secs(2);
const LIMIT_KIB: i64 = 64 * 1024;

fn main() {
    let one = capture(1);
    let many = capture(SEGMENTS / 10);
    println!("{SEGMENTS} segments each; the limit is {LIMIT:?} and {LIMIT_KIB} KiB");
    println!("{:34}  {:>9}  {:>12}", "", "seconds", "peak KiB");
    measure("--list, 1 connection", &one, &["--list"]);
    measure("--list, 10,000 connections", &many, &["--list"]);
    measure("ladder, 1 connection", &one, &[]);
    measure("ladder -v, 1 connection", &one, &["-v"]);
    measure("JSON, 1 connection", &one, &["--format", "json"]);
    measure("ladder of the last of 10,000", &many, &["--connection", "10000"]);
}

/// Runs the program; the peak is the largest of all runs so far, as the system counts children.
fn measure(what: &str, file: &NamedTempFile, arguments: &[&str]) {
    let begun = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_tcpshake"))
        .arg("draw")
        .arg(file.path())
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let took = begun.elapsed();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    let verdict = if status.success() && took < LIMIT && peak < LIMIT_KIB { "" } else { "  TOO MUCH" };
    println!("{what:34}  {:>9.3}  {peak:>12}{verdict}", took.as_secs_f64());
}

/// A capture with so many connections, each of which opens and sends text that is acknowledged.
fn capture(connections: u32) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(std::io::BufWriter::new(file.as_file_mut()), header).unwrap();
    let (syn, ack) = (Flags::SYN, Flags::ACK);
    let server: SocketAddr = "10.0.0.1:80".parse().unwrap();
    let (own, other) = (SeqNum(4321), SeqNum(9000));
    let rounds = (SEGMENTS / connections).saturating_sub(3) / 2;
    let mut written = 0;
    for connection in 0..connections {
        let client = SocketAddr::new(
            [10, 0, 1 + (connection >> 14) as u8, 2].into(),
            40_000 + (connection & 0x3fff) as u16,
        );
        let mut write = |from_client: bool, flags, seq, ack, text: &[u8]| {
            let (source, destination) = if from_client { (client, server) } else { (server, client) };
            let window = UnscaledWindow(u16::MAX);
            let segment =
                Segment { seq, ack, flags, window, text_len: text.len() as u32, ..Segment::default() };
            let mut packet = [0; 40 + TEXT];
            let ip = IpFields::new(Addresses::new(source.ip(), destination.ip()).unwrap());
            let ports = Ports { source: source.port(), destination: destination.port() };
            let len = emit(&ip, ports, &segment, text, &mut packet).unwrap();
            let at = Duration::from_micros(10) * written;
            writer.write_packet(&PcapPacket::new(at, len as u32, packet.get(..len).unwrap())).unwrap();
            written += 1;
        };
        write(true, syn, own, SeqNum(0), &[]);
        write(false, syn | ack, other, own + 1, &[]);
        write(true, ack, own + 1, other + 1, &[]);
        for round in 0..rounds {
            let seq = own + 1 + round * TEXT as u32;
            write(true, ack, seq, other + 1, &[b'x'; TEXT]);
            write(false, ack, other + 1, seq + TEXT as u32, &[]);
        }
    }
    writer.into_writer().flush().unwrap();
    file
}
