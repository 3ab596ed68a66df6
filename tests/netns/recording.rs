//! Packets as they are recorded beside the report: those that were on the wire, with kernel times, and readable whatever
//! becomes of the program.

use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket};
use nix::sys::signal::Signal;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use tcpshake::lab::LINK;

use crate::Named;
use crate::capture::{Capture, read};
use crate::listen::{SERVICE, Service, client, talk};
use crate::run::{Folder, command, connect};
use crate::scripted;
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("a_recording_is_what_a_capture_beside_it_saw", a_recording_is_what_a_capture_beside_it_saw),
    ("a_recording_of_a_service_names_its_connections", a_recording_of_a_service_names_its_connections),
    ("a_recording_is_whole_up_to_the_last_packet_after_sigkill", whole_after_sigkill),
    ("a_recording_goes_on_through_several_exchanges", goes_on_through_several_exchanges),
    ("a_picture_is_drawn_of_what_was_interrupted", a_picture_of_what_was_interrupted),
    ("a_recording_is_read_by_tshark_with_its_comments", read_by_tshark),
];

const FILE: &str = "x.pcapng";

/// A packet of a recording.
struct Recorded {
    at: Duration,
    octets: Vec<u8>,
    outbound: bool,
    comment: String,
}

fn recorded(folder: &Folder) -> Vec<Recorded> {
    const OUTBOUND: u32 = 2;
    let octets = std::fs::read(folder.file(FILE)).unwrap();
    let mut reader = PcapNgReader::new(&octets[..]).unwrap();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(block) = block.expect("whole blocks") else { continue };
        let comment = block.options.iter().find_map(|option| {
            let EnhancedPacketOption::Comment(comment) = option else { return None };
            Some(comment.to_string())
        });
        packets.push(Recorded {
            at: block.timestamp,
            octets: block.data.to_vec(),
            outbound: block.options.contains(&EnhancedPacketOption::Flags(OUTBOUND)),
            comment: comment.unwrap(),
        });
    }
    packets
}

/// Who sent it, in IPv4.
fn source(octets: &[u8]) -> [u8; 4] {
    let Some(NetSlice::Ipv4(ip)) = SlicedPacket::from_ip(octets).unwrap().net else { panic!("IPv4") };
    ip.header().source()
}

/// Octet for octet, in the order of each side, and when the kernel saw it.
fn a_recording_is_what_a_capture_beside_it_saw() {
    const SLACK: Duration = Duration::from_millis(100); // two clocks are read one after the other
    let (world, folder) = (World::new(), Folder::new());
    let server = world.server(close_after_client).v4();
    let tape = Capture::start(LINK).tape();
    connect(&[&server, "--send", "hello, far host", "--pcap", &folder.file(FILE)])
        .assert_ended(0, "completed");
    let mut recorded = recorded(&folder);
    let mut taped: Vec<_> = tape.end().into_iter().filter(|taped| read(&taped.octets).is_some()).collect();
    recorded.sort_by_key(|packet| source(&packet.octets));
    taped.sort_by_key(|packet| source(&packet.octets));
    assert_eq!(recorded.len(), taped.len());
    for (recorded, taped) in recorded.iter().zip(&taped) {
        assert_eq!(recorded.octets, taped.octets, "{}", recorded.comment);
        assert!(recorded.at.abs_diff(taped.at) < SLACK, "{:?}, seen {:?}", recorded.at, taped.at);
        assert_eq!(recorded.outbound, source(&recorded.octets) == [10, 99, 0, 1]);
    }
    assert!(recorded.iter().any(|packet| packet.octets.ends_with(b"hello, far host")));
}

fn a_recording_of_a_service_names_its_connections() {
    let (world, folder) = (World::new(), Folder::new());
    let service = Service::start(&["--echo", "--count", "2", "--pcap", &folder.file(FILE)]);
    for text in [b"one", b"two"] {
        assert_eq!(talk(client(&world, SERVICE), text), text);
    }
    assert_eq!(service.finish().code, Some(0));
    let recorded = recorded(&folder);
    for name in ["a", "b"] {
        let first = format!("connection {name}, step 1, LISTEN");
        assert!(recorded.iter().any(|packet| packet.comment.starts_with(&first)), "{name}");
    }
}

/// What has been told is in the file: it is written first.
fn whole_after_sigkill() {
    let folder = Folder::new();
    let file = folder.file(FILE);
    let (_world, mut peer, mut running) = scripted::start(&["--close", "passive", "--pcap", &file]);
    peer.open();
    running.until(|line| line["type"] == "step" && line["n"] == 3);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait(), None);
    let flags: Vec<_> = recorded(&folder).iter().map(|packet| read(&packet.octets).unwrap().flags).collect();
    assert_eq!(flags, ["SYN", "SYN,ACK", "ACK"]);
}

fn goes_on_through_several_exchanges() {
    let (world, folder) = (World::new(), Folder::new());
    let server = world.server(close_after_client).v4();
    let run = connect(&[&server, "--count", "2", "--interval", "0", "--pcap", &folder.file(FILE)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let recorded = recorded(&folder);
    let begins = |words| recorded.iter().filter(|packet| packet.comment.starts_with(words)).count();
    assert_eq!((begins("step 1, CLOSED"), begins("exchange 2, step 1, CLOSED")), (1, 1));
}

fn a_picture_of_what_was_interrupted() {
    let folder = Folder::new();
    let file = folder.file("x.svg");
    let (_world, mut peer, mut running) = scripted::start(&["--close", "passive", "--svg", &file]);
    peer.open();
    running.until(|line| line["type"] == "step" && line["n"] == 3);
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait(), Some(130));
    let picture = std::fs::read_to_string(&file).unwrap();
    assert!(picture.contains(">interrupted<") && picture.ends_with("</svg>"), "{picture}");
}

fn read_by_tshark() {
    let (world, folder) = (World::new(), Folder::new());
    let (server, file) = (world.server(close_after_client).v4(), folder.file(FILE));
    let run = connect(&[&server, "--isn", "4321", "--send", "hello", "--pcap", &file]);
    run.assert_ended(0, "completed");
    let fields = ["frame.comment", "tcp.seq_raw", "tcp.len"].map(|field| ["-e", field]).concat();
    let arguments = [&["-r", &file, "-T", "fields"], fields.as_slice()].concat();
    let output = command("tshark", &arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let told: Vec<_> = run.steps().filter(|step| step["seq"].is_u64()).collect();
    assert_eq!(shown.lines().count(), told.len(), "{shown}");
    for (line, step) in shown.lines().zip(told) {
        let shown: Vec<&str> = line.split('\t').collect();
        assert!(shown[0].starts_with(&format!("step {}, ", step["n"])), "{line}");
        assert_eq!((shown[1], shown[2]), (&*step["seq"].to_string(), &*step["len"].to_string()), "{line}");
    }
    assert!(shown.contains("CLOSED to SYN-SENT: We ask to open."), "{shown}");
}
