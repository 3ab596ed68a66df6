//! `draw`, on captures of what really was on a wire.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use serde_json::Value;
use socket2::SockRef;
use tcpshake::lab::{FAR_V4, LINK};
use tcpshake::tcp::Clause;

use crate::Named;
use crate::capture::{Capture, Taped};
use crate::check::CLOSED;
use crate::run::{Folder, check, connect, text};
use crate::world::{PATIENCE, World, close_after_client, close_before_client, on_one_processor};

pub(crate) const TESTS: &[Named] = &[
    ("draw_tells_of_a_capture_what_we_told", draw_tells_of_a_capture_what_we_told),
    ("draw_tells_what_check_has_kept", draw_tells_what_check_has_kept),
    ("draw_follows_a_transfer_of_the_kernels", draw_follows_a_transfer_of_the_kernels),
];

fn write(file: &str, taped: &[Taped]) {
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(File::create(file).unwrap(), header).unwrap();
    for Taped { at, octets } in taped {
        let at = Duration::from_micros(at.as_micros() as u64);
        writer.write_packet(&PcapPacket::new(at, octets.len() as u32, octets)).unwrap();
    }
}

/// The lines of a drawing in JSON.
fn drawn(file: &str, arguments: &[&str]) -> Vec<Value> {
    let (code, out, error) = text(&[&["draw", file, "--format", "json"], arguments].concat());
    assert_eq!(code, Some(0), "{error}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is the same, whether told by who took part or by who watched.
const SAME: [&str; 9] =
    ["direction", "flags", "seq", "ack", "rel_seq", "rel_ack", "options", "arrows", "state"];

/// Against the kernel's own end, by each close: our states as inferred are those that we had.
fn draw_tells_of_a_capture_what_we_told() {
    let folder = Folder::new();
    for (close, server) in [
        ("active", close_after_client as fn(TcpStream)),
        ("passive", close_before_client),
        ("reset", close_after_client),
    ] {
        let world = World::new();
        let tape = Capture::start(LINK).tape();
        let run = connect(&[&world.server(server).v4(), "--close", close]);
        run.assert_ended(0, "completed");
        let file = folder.file(close);
        write(&file, &tape.end());
        let lines = drawn(&file, &[]);
        let inferred: Vec<&Value> = lines.iter().filter(|line| line["type"] == "step").collect();
        let told: Vec<&Value> = run.steps().filter(|step| step["event"] == "segment").collect();
        assert_eq!(inferred.len(), told.len(), "{close}: {inferred:#?}");
        for (inferred, told) in inferred.iter().zip(&told) {
            for field in SAME {
                assert_eq!(inferred[field], told[field], "{close}, {field}: {inferred:#}");
            }
        }
        let last = lines.last().unwrap();
        let finish = if close == "reset" { "reset" } else { "closed" };
        assert_eq!((&last["beginning"], &last["finish"]), (&"opened".into(), &finish.into()), "{close}");
    }
}

/// `check --pcap-failures` writes what `draw` reads.
fn draw_tells_what_check_has_kept() {
    let _world = World::new();
    let refused = format!("{FAR_V4}:{CLOSED}");
    let folder = Folder::new();
    let pcap = folder.file("failures.pcapng");
    let run = check(&[&refused, "--pcap-failures", &pcap]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let lines = drawn(&pcap, &["--list"]);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["remote"], &lines[0]["finish"]), (&refused.into(), &"refused".into()));
    let steps = drawn(&pcap, &["--connection", "1"]);
    assert_eq!(steps.iter().filter(|line| line["clause"]["name"] == "SynSentRefused").count(), 1);
}

/// A transfer between two kernels, with scaled windows, timestamps and segments larger than packets: nothing of it is
/// missing or outside a window, and both ends are followed to their ends.
fn draw_follows_a_transfer_of_the_kernels() {
    const OCTETS: usize = 1 << 20;
    on_one_processor();
    let world = World::new();
    let server = world.server(|mut client| {
        let _ = client.write_all(&vec![b'x'; OCTETS]);
    });
    let tape = Capture::start(LINK).tape();
    let mut client = TcpStream::connect(server.v4()).unwrap();
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), OCTETS);
    SockRef::from(&client).set_linger(Some(PATIENCE)).unwrap(); // closing waits until its FIN is acknowledged
    drop(client);
    let folder = Folder::new();
    let file = folder.file("transfer");
    write(&file, &tape.end());
    for from in ["client", "server"] {
        let lines = drawn(&file, &["--from", from]);
        let steps: Vec<&Value> = lines.iter().filter(|line| line["type"] == "step").collect();
        for step in &steps {
            let name = step["clause"]["name"].as_str();
            let clause = name.map(|name| Clause::ALL.iter().find(|clause| clause.name() == name).unwrap());
            let again = step["remark"] == "retransmission"; // a loaded machine is slow to acknowledge
            assert!(again || clause.is_none_or(|clause| clause.is_routine()), "{from}: {step:#}");
            let missing = ["gap", "out-of-order", "acknowledges-unseen", "duplicate"];
            assert!(missing.iter().all(|remark| step["remark"] != **remark), "{from}: {step:#}");
        }
        let (last, end) = (steps.last().unwrap(), lines.last().unwrap());
        let octets = ["text_sent", "text_received"].map(|field| end[field].as_u64().unwrap());
        assert_eq!(octets.iter().sum::<u64>(), OCTETS as u64);
        let mut states = [&last["state"], &last["remote_state"]].map(|state| state.as_str().unwrap());
        states.sort_unstable();
        assert_eq!(states, ["CLOSED", "TIME-WAIT"], "{from}");
    }
}
