//! Wireshark's opinion of the same captures, and captures that it has written.

use std::io::Write as _;
use std::process::Command;

use tcpshake::record::connection::Remark;
use tcpshake::tcp::{Segment, UnscaledWindow};
use tempfile::NamedTempFile;

use crate::support::{
    ACK, CLIENT_ISS, From, Packets, RST, SERVER_ISS, client, remarks, server, steps, survey,
};

const TEXT: &[u8] = &[b'x'; 100];

/// Its fields, and what we call them.
const FIELDS: [(&str, &str); 7] = [
    ("tcp.analysis.retransmission", "retransmission"),
    ("tcp.analysis.lost_segment", "gap"),
    ("tcp.analysis.duplicate_ack", "repeated-ack"),
    ("tcp.analysis.ack_lost_segment", "acknowledges-unseen"),
    ("tcp.analysis.keep_alive", "keep-alive"),
    ("tcp.analysis.zero_window", "window-closed"),
    ("tcp.analysis.out_of_order", "out-of-order"),
];

fn tshark(arguments: &[&str]) -> String {
    let output = Command::new("tshark").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn on_disk(file: &[u8]) -> NamedTempFile {
    let mut on_disk = NamedTempFile::new().unwrap();
    on_disk.write_all(file).unwrap();
    on_disk
}

/// A connection with one of everything.
fn troubled() -> Packets {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, ACK, 1, 1, TEXT);
    packets.send(From::Server, ACK, 1, 101, b"");
    packets.send(From::Client, ACK, 201, 1, TEXT); // 100 octets before it are late
    packets.send(From::Client, ACK, 101, 1, TEXT);
    packets.send(From::Server, ACK, 1, 301, b"");
    packets.send(From::Client, ACK, 300, 1, b""); // alive?
    packets.send(From::Server, ACK, 1, 401, b""); // of 100 octets that were not captured
    packets.send(From::Client, ACK, 501, 1, TEXT); // before it, 100 are lost
    packets.send(From::Server, ACK, 1, 401, b"");
    let shut = Segment {
        seq: SERVER_ISS + 1,
        ack: CLIENT_ISS + 401,
        flags: ACK,
        window: UnscaledWindow(0),
        ..Segment::default()
    };
    packets.segment(server(), client(), &shut, b"");
    packets.send(From::Server, RST, 1, 401, b"");
    packets
}

#[test]
#[ignore = "needs tshark"]
fn tshark_remarks_what_we_do() {
    let packets = troubled();
    let file = on_disk(&packets.pcap());
    let mut arguments = vec!["-r", file.path().to_str().unwrap(), "-T", "fields", "-E", "separator=,"];
    for (field, _) in FIELDS {
        arguments.extend(["-e", field]);
    }
    let found = tshark(&arguments);
    let theirs: Vec<Option<&str>> = found
        .lines()
        .map(|line| {
            line.split(',').zip(FIELDS).find(|(value, _)| !value.is_empty()).map(|(_, (_, name))| name)
        })
        .collect();
    let steps = steps(&packets.pcap(), 1);
    let of_numbers = |remark: Remark| (remark != Remark::Reset).then_some(remark.name());
    let ours: Vec<Option<&str>> =
        remarks(&steps).into_iter().map(|remark| remark.and_then(of_numbers)).collect();
    assert_eq!(ours, theirs);
}

#[test]
#[ignore = "needs tshark"]
fn what_tshark_writes_is_read() {
    let packets = troubled();
    let file = on_disk(&packets.pcap());
    let from = file.path().to_str().unwrap();
    for format in ["pcap", "nsecpcap", "pcapng"] {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("written");
        tshark(&["-r", from, "-F", format, "-w", to.to_str().unwrap()]);
        let written = std::fs::read(&to).unwrap();
        assert_eq!(survey(&written).connections, survey(&packets.pcap()).connections, "{format}");
        assert_eq!(steps(&written, 1), steps(&packets.pcap(), 1), "{format}");
    }
}
