//! Hand-built segments against the kernel: what is told is what a capture on the far side saw, octet for octet.

use std::net::{IpAddr, SocketAddr};

use nix::sys::signal::Signal;
use serde_json::Value;
use tcpshake::lab::{self, NEAR_V4};
use tcpshake::report::hex;

use crate::Named;
use crate::capture::{Seen, read};
use crate::counters::Counters;
use crate::refusals::{BEHIND_V4, BEHIND_V6, routed_to, world_where_nothing_comes_back};
use crate::run::{Run, Running, connect, send, text};
use crate::world::{Route, Server, World, alone, keep_open};

pub(crate) const TESTS: &[Named] = &[
    ("send_syn_to_an_open_port", send_syn_to_an_open_port),
    ("send_syn_to_a_closed_port", send_syn_to_a_closed_port),
    ("send_hears_a_repeated_syn_ack", send_hears_a_repeated_syn_ack),
    ("send_ack_to_nothing", send_ack_to_nothing),
    ("send_what_listen_drops", send_what_listen_drops),
    ("send_into_a_connection", send_into_a_connection),
    ("send_rst_is_not_answered", send_rst_is_not_answered),
    ("send_every_field", send_every_field),
    ("send_every_flag", send_every_flag),
    ("send_fields_without_their_bit", send_fields_without_their_bit),
    ("send_bad_checksum", send_bad_checksum),
    ("send_data_offset", send_data_offset),
    ("send_silence", send_silence),
    ("send_icmp_errors", send_icmp_errors),
    ("send_count_repeats_the_same_segment", send_count_repeats_the_same_segment),
    ("send_without_a_guard_hears_our_kernel", send_without_a_guard_hears_our_kernel),
    ("send_over_loopback", send_over_loopback),
    ("send_hex_and_text_are_what_was_sent", send_hex_and_text_are_what_was_sent),
    ("send_quiet_is_one_line", send_quiet_is_one_line),
    ("send_ends_at_a_signal", send_ends_at_a_signal),
    ("send_keeps_no_capability", send_keeps_no_capability),
];

/// The segments that were captured, from the IP header on.
fn captured(world: &World) -> Vec<Vec<u8>> {
    const TCP: u8 = 6;
    let is_tcp = |packet: &Vec<u8>| packet[if packet[0] >> 4 == 4 { 9 } else { 6 }] == TCP;
    world.capture.packets().into_iter().filter(is_tcp).collect()
}

/// Whether the near host sent it.
fn is_ours(packet: &[u8]) -> bool {
    match packet[0] >> 4 {
        4 => packet[12..16] == NEAR_V4.octets(),
        _ => packet[8..24] == lab::NEAR_V6.octets(),
    }
}

/// Every packet that was told is one that was captured, and the other way round; and the numbers told are
/// those that a stranger reads in it.
#[track_caller]
fn assert_told_as_captured(run: &Run, captured: &[Vec<u8>]) {
    for (direction, ours) in [("sent", true), ("received", false)] {
        let told: Vec<&Value> = run.steps().filter(|step| step["direction"] == direction).collect();
        let told: Vec<&Value> = told.into_iter().filter(|step| step["flags"].is_string()).collect();
        let seen: Vec<&Vec<u8>> = captured.iter().filter(|packet| is_ours(packet) == ours).collect();
        let octets: Vec<String> = seen.iter().map(|packet| hex::digits(packet)).collect();
        let packets: Vec<&str> = told.iter().map(|step| step["packet"].as_str().unwrap()).collect();
        assert_eq!(packets, octets, "{direction} {run:#?}");
        for (step, packet) in told.into_iter().zip(seen) {
            if let Some(seen) = read(packet) {
                assert_reads(step, &seen);
            }
        }
    }
}

#[track_caller]
fn assert_reads(step: &Value, seen: &Seen) {
    let number = |field: &str| step[field].as_u64().map(|number| number as u32);
    assert_eq!(step["flags"], if seen.flags.is_empty() { "none" } else { &*seen.flags });
    for (field, value) in [("seq", seen.seq), ("len", seen.len as u32), ("window", u32::from(seen.window))] {
        assert_eq!(number(field), Some(value), "{field} {step:#?}");
    }
    assert_eq!(number("ack"), seen.ack);
    if step["event"] == "kernel-reset" {
        return; // not ours: no more is told of it
    }
    for (field, value) in
        [("ttl", u32::from(seen.ttl)), ("tos", u32::from(seen.tos)), ("urgent_field", u32::from(seen.urgent))]
    {
        assert_eq!(number(field), Some(value), "{field} {step:#?}");
    }
}

/// The rule told for each answer.
fn meanings(run: &Run) -> Vec<&str> {
    run.steps().filter_map(|step| step["clause"]["name"].as_str()).collect()
}

fn targets(server: &Server) -> [String; 2] {
    [server.v4(), server.v6()]
}

const CLOSED: [&str; 2] = ["10.99.0.2:9", "[fd99::2]:9"];

/// RFC 9293 3.10.7.2 third. The peer is left with a half-open connection: nothing else leaves this machine.
fn send_syn_to_an_open_port() {
    let world = World::new();
    for target in targets(&world.server(keep_open)) {
        let run = send(&[&target, "--seq", "4321"]);
        run.assert_ended(0, "answered");
        assert_eq!(run.flags(), ["> SYN", "< SYN,ACK"]);
        assert_eq!(meanings(&run), ["PortListens"]);
        let steps: Vec<_> = run.steps().collect();
        assert_eq!((&steps[0]["seq"], &steps[0]["rel_seq"]), (&4321.into(), &0.into()));
        assert_eq!((&steps[1]["ack"], &steps[1]["rel_ack"]), (&4322.into(), &1.into()));
        assert_eq!(steps[1]["clause"]["section"], "RFC 9293 3.10.7.2 third");
        assert_eq!((&run.end()["sent"], &run.end()["answers"]), (&1.into(), &1.into()));
        assert_eq!(run.end()["held_back"], 1, "the kernel would have reset it");
        assert_told_as_captured(&run, &captured(&world));
    }
}

/// RFC 9293 3.10.7.1.
fn send_syn_to_a_closed_port() {
    let world = World::new();
    for target in CLOSED {
        let run = send(&[target, "--tos", "0xb8"]);
        run.assert_ended(3, "refused");
        assert_eq!(run.flags(), ["> SYN", "< RST,ACK"]);
        assert_eq!(
            run.steps().last().unwrap()["tos"],
            0xb8,
            "a RST has the type of service of what it answers"
        );
        assert_eq!(meanings(&run), ["PortClosed"]);
        assert_eq!(run.end()["clause"]["section"], "RFC 9293 3.10.7.1");
        assert_told_as_captured(&run, &captured(&world));
    }
}

/// RFC 9293 3.8.1, and the whole of --timeout is listened.
fn send_hears_a_repeated_syn_ack() {
    let world = World::new();
    let run = send(&[&world.server(keep_open).v4(), "--timeout", "1.6"]);
    run.assert_ended(0, "answered");
    assert_eq!(meanings(&run), ["PortListens", "Repeated"]);
    assert_told_as_captured(&run, &captured(&world));
}

/// RFC 9293 3.10.7.1 and 3.10.7.2 second: a listener answers as a closed port does.
fn send_ack_to_nothing() {
    let world = World::new();
    let open = targets(&world.server(keep_open));
    for target in open.iter().map(String::as_str).chain(CLOSED) {
        for flags in ["A", "SA", "FA", "PA"] {
            let run = send(&[target, "--flags", flags, "--ack-number", "0xfffffff0"]);
            run.assert_ended(6, "reset");
            assert_eq!(run.flags()[1..], ["< RST"]);
            assert_eq!(meanings(&run), ["NoConnection"]);
            assert_eq!(run.steps().last().unwrap()["seq"], 0xffff_fff0_u32);
            assert_told_as_captured(&run, &captured(&world));
        }
    }
}

/// RFC 9293 3.10.7.2 fourth: what a port scanner goes by.
fn send_what_listen_drops() {
    let world = World::new();
    let open = targets(&world.server(keep_open));
    for (open, closed) in open.iter().zip(CLOSED) {
        for (flags, rel_ack) in [("FPU", 1), ("none", 0), ("F", 1), ("PU", 0)] {
            let run = send(&[open, "--flags", flags]);
            run.assert_ended(4, "silent");
            assert_eq!(run.end()["clause"]["name"], "SilentToOther");
            assert_told_as_captured(&run, &captured(&world));
            let run = send(&[closed, "--flags", flags]);
            run.assert_ended(6, "reset");
            assert_eq!(meanings(&run), ["NothingThere"]);
            assert_eq!(run.steps().last().unwrap()["rel_ack"], rel_ack);
            assert_told_as_captured(&run, &captured(&world));
        }
    }
}

/// RFC 5961 3.2 and 4.2, RFC 9293 3.10.7.4. The connection is one that `connect` has left open.
fn send_into_a_connection() {
    let world = World::new();
    // Ten challenge ACKs would be too many for some kernels: each is wanted.
    world.far_sysctl("ipv4/tcp_invalid_ratelimit", "0");
    for target in targets(&world.server(keep_open)) {
        let run = connect(&[&target, "--close", "none", "--source-port", "40000", "--isn", "4294967290"]);
        run.assert_ended(0, "completed");
        let their_next = run.steps().nth(2).unwrap()["ack"].to_string();
        captured(&world);
        let inside = |arguments: &[&str], meaning: &str, flags: &[&str]| {
            let run = send(&[&[&*target, "--source-port", "40000"], arguments].concat());
            run.assert_ended(0, if meaning.is_empty() { "unanswered" } else { "answered" });
            assert_eq!(run.flags()[1..], *flags);
            assert_eq!(meanings(&run).join(" "), meaning);
            assert_told_as_captured(&run, &captured(&world));
        };
        let ack = ["--ack", "--ack-number", &their_next];
        inside(&["--syn"], "SynChallenged", &["< ACK"]);
        inside(&["--syn", "--ack"], "SynChallenged", &["< ACK"]);
        inside(&["--rst", "--seq", "104"], "RstChallenged", &["< ACK"]);
        inside(&[&ack[..], &["--seq", "4000000000"]].concat(), "NotAcceptable", &["< ACK"]);
        let text = ["--seq", "4294967291", "--psh", "--data", "0123456789"];
        inside(&[&ack[..], &text].concat(), "Taken", &["< ACK"]);
        inside(&["--rst", "--seq", "5"], "", &[]);
        let gone = send(&[&[&*target, "--source-port", "40000", "--seq", "5"], &ack[..]].concat());
        gone.assert_ended(6, "reset");
        captured(&world);
    }
}

/// RFC 9293 3.10.7.1 and 3.10.7.2 first: silence is right, and no failure.
fn send_rst_is_not_answered() {
    let world = World::new();
    for target in targets(&world.server(keep_open)).iter().map(String::as_str).chain(CLOSED) {
        for flags in ["R", "RA", "SR"] {
            let run = send(&[target, "--flags", flags]);
            run.assert_ended(0, "unanswered");
            assert_eq!(run.end()["clause"]["name"], "SilentToRst");
            assert_eq!(run.end()["kernel_resets"], 0, "it was ours");
            assert_told_as_captured(&run, &captured(&world));
        }
    }
}

/// Every field as asked for, read by a stranger.
fn send_every_field() {
    let world = World::new();
    for target in CLOSED {
        let options = ["--option", "1", "--option", "253:deadbeef", "--option", "2:05b4", "--option", "4"];
        let fields = [
            "--seq",
            "4294967295",
            "--ack-number",
            "0x1234",
            "--window",
            "1",
            "--urgent",
            "513",
            "--flags",
            "0x1ff",
            "--ttl",
            "7",
            "--tos",
            "0xb9",
            "--data",
            "a\\0\\xff\\n",
            "--source-port",
            "40001",
        ];
        let run = send(&[&[target][..], &options, &fields].concat());
        let packets = captured(&world);
        let seen = read(&packets[0]).unwrap();
        let text = packets[0].len() - seen.len;
        assert_eq!(packets[0][text..], *b"a\0\xff\n");
        let [source, destination] = [seen.source, seen.destination].map(|end: SocketAddr| end.port());
        assert_eq!((source, destination, seen.ttl, seen.tos), (40_001, 9, 7, 0xb9));
        assert_eq!(seen.flags, "SYN,FIN,RST,PSH,ACK,URG,ECE,CWR,AE");
        assert_eq!((seen.seq, seen.ack), (u32::MAX, Some(0x1234)));
        assert_eq!((seen.window, seen.urgent), (1, 513));
        assert_eq!(seen.options, [1, 253, 6, 0xde, 0xad, 0xbe, 0xef, 2, 4, 5, 0xb4, 4, 2, 0, 0, 0]);
        assert!(seen.checksum_verifies);
        assert_told_as_captured(&run, &packets);
        let told = run.steps().next().unwrap();
        assert_eq!((&told["urgent"], &told["text"]), (&513.into(), &"a\\x00\\xff\\n".into()));
        let names: Vec<_> =
            told["options"].as_array().unwrap().iter().map(|option| &option["name"]).collect();
        assert_eq!(names, ["nop", "unknown", "mss", "sack-permitted"]);
    }
}

/// Each of the nine bits alone, by its switch and by its letter.
fn send_every_flag() {
    let world = World::new();
    for (switch, letter, name) in [
        ("--fin", "f", "FIN"),
        ("--syn", "s", "SYN"),
        ("--rst", "r", "RST"),
        ("--psh", "p", "PSH"),
        ("--ack", "a", "ACK"),
        ("--urg", "u", "URG"),
        ("--ece", "e", "ECE"),
        ("--cwr", "c", "CWR"),
        ("--ae", "n", "AE"),
    ] {
        for arguments in [&[switch][..], &["--flags", letter]] {
            let run = send(&[&[CLOSED[0], "--timeout", "0.02"], arguments].concat());
            let packets = captured(&world);
            assert_eq!(read(&packets[0]).unwrap().flags, name);
            assert_eq!(run.steps().next().unwrap()["flags"], name);
        }
    }
}

/// A crafting tool sets what it is told to, and tells it.
fn send_fields_without_their_bit() {
    let world = World::new();
    let arguments = [CLOSED[0], "--ack-number", "77", "--urgent", "9", "--timeout", "0.02"];
    let run = send(&arguments);
    let told = run.steps().next().unwrap();
    assert_eq!((&told["ack"], &told["ack_field"]), (&Value::Null, &77.into()));
    assert_eq!((&told["urgent"], &told["urgent_field"]), (&Value::Null, &9.into()));
    let packets = captured(&world);
    assert_eq!(packets[0][28..32], 77_u32.to_be_bytes());
    assert_told_as_captured(&run, &packets);
    let (_, shown, _) = text(&[&["send"], &arguments[..]].concat());
    assert!(shown.contains("ack 77 without ACK  urg 9 without URG"), "{shown}");
}

/// How many segments the far kernel has dropped for their checksum.
fn far_checksum_errors(world: &World) -> u64 {
    world.lab.far.run(Counters::read).unwrap().of("TcpInCsumErrors")
}

/// MUST-3, seen from the other side.
fn send_bad_checksum() {
    let world = World::new();
    for target in CLOSED {
        let before = far_checksum_errors(&world);
        let run = send(&[target, "--bad-checksum", "--data", "abc"]);
        run.assert_ended(4, "silent");
        assert_eq!(run.end()["clause"]["name"], "SilentToUnreadable");
        assert_eq!(far_checksum_errors(&world) - before, 1);
        let packets = captured(&world);
        assert!(!read(&packets[0]).unwrap().checksum_verifies);
        assert_told_as_captured(&run, &packets);
        let told = run.steps().next().unwrap();
        assert_eq!((&told["checksum_wrong"], &told["data_offset"]), (&true.into(), &Value::Null));
    }
}

/// The field alone: the rest of the segment is where it was, and the checksum is right.
fn send_data_offset() {
    let world = World::new();
    let field = |packet: &[u8]| packet[if packet[0] >> 4 == 4 { 32 } else { 52 }] >> 4;
    for target in CLOSED {
        for offset in [0_u8, 4, 15] {
            let run = send(&[target, "--data-offset", &offset.to_string()]);
            run.assert_ended(4, "silent");
            assert_eq!(run.end()["clause"]["name"], "SilentToUnreadable");
            let packets = captured(&world);
            assert_eq!(field(&packets[0]), offset);
            assert_told_as_captured(&run, &packets);
            assert!(run.steps().next().unwrap()["fault"].is_string());
        }
        // A word of the text becomes options: the peer acknowledges the rest.
        let run = send(&[target, "--data-offset", "6", "--data", "\\x02\\x04\\x05\\xb4rest"]);
        run.assert_ended(3, "refused");
        let packets = captured(&world);
        let seen = read(&packets[0]).unwrap();
        assert_eq!((field(&packets[0]), seen.len, seen.checksum_verifies), (6, 4, true));
        assert_told_as_captured(&run, &packets);
        let steps: Vec<_> = run.steps().collect();
        assert_eq!((&steps[0]["len"], &steps[0]["options"][0]["value"]), (&4.into(), &1460.into()));
        assert_eq!(steps[1]["rel_ack"], 5);
    }
}

fn send_silence() {
    let world = world_where_nothing_comes_back();
    for (flags, meaning) in
        [("S", "SilentToSyn"), ("SF", "SilentToSynFin"), ("A", "SilentToAck"), ("none", "SilentToOther")]
    {
        let run = send(&[CLOSED[0], "--flags", flags]);
        run.assert_ended(4, "silent");
        assert_eq!(run.end()["clause"]["name"], meaning);
        assert_told_as_captured(&run, &captured(&world));
    }
}

fn send_icmp_errors() {
    for (kind, behind, expected, meaning) in [
        (Route::Prohibit, IpAddr::V4(BEHIND_V4), (3, 13), "IcmpRefuses"),
        (Route::Prohibit, IpAddr::V6(BEHIND_V6), (1, 1), "IcmpRefuses"),
        (Route::Unreachable, IpAddr::V4(BEHIND_V4), (3, 1), "IcmpMayPass"),
    ] {
        let _world = routed_to(kind, behind);
        let run = send(&[&SocketAddr::new(behind, 80).to_string()]);
        run.assert_ended(5, "unreachable");
        assert_eq!(meanings(&run), [meaning]);
        let icmp = &run.end()["icmp"];
        assert_eq!((icmp["type"].as_u64(), icmp["code"].as_u64()), (Some(expected.0), Some(expected.1)));
    }
}

fn send_count_repeats_the_same_segment() {
    let world = World::new();
    let run = send(&[CLOSED[0], "--count", "3", "--interval", "0.05", "--flags", "F"]);
    run.assert_ended(6, "reset");
    assert_eq!(run.flags(), ["> FIN", "< RST,ACK"].repeat(3));
    assert_eq!((&run.end()["sent"], &run.end()["answers"]), (&3.into(), &3.into()));
    let packets = captured(&world);
    assert_told_as_captured(&run, &packets);
    assert!(packets[0] == packets[2] && packets[0] == packets[4]);
    let times: Vec<u64> = run.steps().step_by(2).map(|step| step["at_us"].as_u64().unwrap()).collect();
    assert!(times[1] >= 50_000 && times[2] >= 100_000, "{times:?}");
}

/// RFC 9293 3.10.7.1, on this side: the kernel knows nothing of the SYN.
fn send_without_a_guard_hears_our_kernel() {
    let world = World::new();
    for target in targets(&world.server(keep_open)) {
        let run = send(&[&target, "--guard", "none"]);
        run.assert_ended(0, "answered");
        assert_eq!(run.end()["kernel_resets"], 1);
        assert!(meanings(&run).contains(&"KernelKnowsNothing"), "{run:#?}");
        assert_told_as_captured(&run, &captured(&world));
    }
}

fn send_over_loopback() {
    alone();
    for target in ["127.0.0.1:9", "[::1]:9"] {
        send(&[target]).assert_ended(3, "refused");
        send(&[target, "--ack"]).assert_ended(6, "reset");
    }
}

/// The dump is the packet; the payload reaches the terminal escaped; 80 columns are enough.
fn send_hex_and_text_are_what_was_sent() {
    let world = World::new();
    let data = format!("\\x1b[2J\\x9b\\u{}", "y".repeat(60)).replace("\\u", "\u{202e}");
    let (code, shown, _) = text(&["send", CLOSED[0], "--data", &data, "-x", "-v", "--timeout", "0.2"]);
    assert_eq!(code, Some(3));
    assert!(shown.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{shown:?}");
    assert!(shown.contains("\"\\x1b[2J\\x9b\\xe2\\x80\\xaeyyy"), "{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let packets = captured(&world);
    let dumped: Vec<String> = packets.iter().flat_map(|packet| hex::dump(packet)).collect();
    let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| dumped.iter().any(|row| row == line)).collect();
    assert_eq!(lines, dumped);
    assert!(shown.contains("9293 3.10.7.1)"), "{shown}");
}

fn send_quiet_is_one_line() {
    let _world = World::new();
    let (code, shown, _) = text(&["send", CLOSED[0], "-q", "--timeout", "0.2"]);
    assert_eq!((code, shown.lines().count()), (Some(3), 1), "{shown}");
    assert!(shown.starts_with("10.99.0.2:9: refused: the peer answered our SYN with RST · first"), "{shown}");
    let run = send(&[CLOSED[0], "-q"]);
    assert_eq!((run.lines.len(), run.code), (1, Some(3)));
}

fn send_ends_at_a_signal() {
    let _world = World::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        for arguments in [["--timeout", "60"], ["--interval", "60"]] {
            let mut running = Running::send(&[&[CLOSED[0], "--count", "2"], &arguments[..]].concat());
            running.until(|line| line["direction"] == "received");
            running.signal(signal);
            let run = running.finish();
            run.assert_ended(code, "interrupted");
        }
    }
}

fn send_keeps_no_capability() {
    let _world = World::new();
    let mut running = Running::send(&[CLOSED[0], "--timeout", "60"]);
    running.until(|line| line["direction"] == "received");
    for task in std::fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let held = status.lines().find_map(|line| line.strip_prefix("CapPrm:")).unwrap();
        assert_eq!(held.trim(), "0000000000000000");
    }
    running.signal(Signal::SIGINT);
    running.finish().assert_ended(130, "interrupted");
}
