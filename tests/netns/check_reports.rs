//! What `check` and `merge` write: the same as a capture saw, whole, and each target once.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::sys::signal::Signal;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;
use tcpshake::lab::LINK;

use crate::Named;
use crate::capture::{Capture, Seen, Taped, read};
use crate::check::{CLOSED, Net, reset_soon};
use crate::run::{Dialogue, Folder, Run, Running, Said, TCPSHAKE, check, command};
use crate::world::{World, close_with_client, greet, keep_open};

pub(crate) const TESTS: &[Named] = &[
    ("check_ladders_and_packets_are_what_the_capture_saw_v4", || as_captured(Net::V4)),
    ("check_ladders_and_packets_are_what_the_capture_saw_v6", || as_captured(Net::V6)),
    ("check_shards_merged_are_the_whole", shards_merged_are_the_whole),
    ("check_resumes_into_the_file_it_reads", resumes_into_the_file_it_reads),
    ("check_report_that_was_cut_is_merged_and_resumed", a_report_that_was_cut),
    ("merge_may_write_over_what_it_reads", merge_may_write_over_what_it_reads),
    ("check_writes_all_reports_in_one_run", all_reports_in_one_run),
    ("check_reports_that_cannot_be_written_are_errors_before_a_syn", errors_before_a_syn),
    ("check_a_full_disk_is_told_and_the_rest_is_whole", a_full_disk),
    ("check_goes_on_when_nobody_listens", goes_on_when_nobody_listens),
];

/// A segment as both a ladder and a capture tell it: flags, number, what it acknowledges, text.
type Rung = (String, u32, Option<u32>, usize);

/// The segments of a ladder, those sent and those received.
fn rungs(ladder: &Value) -> [Vec<Rung>; 2] {
    let lines: Vec<&str> = ladder.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let mut rungs = [Vec::new(), Vec::new()];
    for (line, below) in lines.iter().zip(&lines[1..]) {
        let direction = match (line.contains("▶│"), line.contains("│◀")) {
            (true, _) => 0,
            (_, true) => 1,
            _ => continue,
        };
        let words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || "│─◀▶".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let number_behind = |words: &[&str], name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1)?.parse::<u32>().ok()
        };
        let is_flags =
            |word: &&&str| word.split(',').all(|flag| ["SYN", "ACK", "FIN", "RST", "PSH"].contains(&flag));
        let Some(flags) = words.iter().find(is_flags) else { continue };
        let len = number_behind(&words, "len").unwrap() as usize;
        let below: Vec<&str> = below.split_whitespace().collect();
        let seq = number_behind(&below, "seq").unwrap();
        rungs[direction].push(((*flags).to_owned(), seq, number_behind(&below, "ack"), len));
    }
    rungs
}

fn rung_of(seen: &Seen) -> Rung {
    (seen.flags.clone(), seen.seq, seen.ack, seen.len)
}

/// In no order: one segment can overtake another.
fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// Packets of a pcapng file: when, octets, whether we sent it, and comment.
fn packets_in(file: &str) -> Vec<(Duration, Vec<u8>, bool, Option<String>)> {
    let mut reader = PcapNgReader::new(File::open(file).unwrap()).unwrap();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        assert_eq!(packet.original_len as usize, packet.data.len());
        let sent = packet.options.iter().any(|option| matches!(option, EnhancedPacketOption::Flags(2)));
        let comment = packet.options.iter().find_map(|option| {
            if let EnhancedPacketOption::Comment(text) = option { Some(text.to_string()) } else { None }
        });
        packets.push((packet.timestamp, packet.data.to_vec(), sent, comment));
    }
    packets
}

/// One exchange each of many kinds that fail, and one that does not.
fn as_captured(net: Net) {
    let world = net.world();
    let port = |serve| world.crowd_server(serve);
    let fails = [
        net.at(0, 1, CLOSED),
        net.at(1, 1, 80),
        net.at(3, 1, 80),
        net.at(0, 2, port(reset_soon)),
        net.at(0, 3, port(keep_open)),
        net.at(0, 4, port(greet)),
    ];
    let fine = net.at(
        0,
        5,
        port(|client| {
            greet(client);
        }),
    );
    let folder = Folder::new();
    let (file, pcap) = (folder.file("targets"), folder.file("failures.pcapng"));
    let lines: Vec<String> =
        fails.iter().map(|target| format!("{target} closes-cleanly banner~^500\n")).collect();
    std::fs::write(&file, lines.concat() + &fine + " banner~^220\n").unwrap();
    let tape = world.lab.far.run(|| Ok(Capture::start(LINK))).unwrap().tape();
    let run = check(&["-f", &file, "--pcap-failures", &pcap, "--timeout", "1.3", "--retries", "1"]);
    let taped = tape.end();
    assert_eq!((run.code, &run.summary()["unmet"]), (Some(1), &fails.len().into()), "{run:#?}");
    let kept = packets_in(&pcap);
    let mut accounted_for = 0;
    for target in &fails {
        let finding = run.finding(target);
        let far: SocketAddr = finding["address"].as_str().unwrap().parse().unwrap();
        let is_from =
            |ip: IpAddr| move |taped: &&Taped| read(&taped.octets).is_some_and(|seen| seen.source.ip() == ip);
        let is_to = |ip: IpAddr| {
            move |taped: &&Taped| read(&taped.octets).is_some_and(|seen| seen.destination.ip() == ip)
        };
        let sent: Vec<&Taped> = taped.iter().filter(is_to(far.ip())).collect();
        let received: Vec<&Taped> = taped.iter().filter(is_from(far.ip())).collect();
        let seen = |taped: &[&Taped]| taped.iter().map(|one| read(&one.octets).unwrap()).collect::<Vec<_>>();

        let [told_sent, told_received] = rungs(&finding["ladder"]);
        let captured = [&sent, &received].map(|taped| sorted(seen(taped).iter().map(rung_of).collect()));
        assert_eq!([sorted(told_sent), sorted(told_received)], captured, "{finding:#?}");
        let syns = seen(&sent).iter().filter(|seen| seen.flags == "SYN").count();
        assert_eq!(finding["totals"]["syns"], syns, "{finding:#?}");
        assert_eq!(finding["totals"]["exchanges"], 1);

        let of_target = |octets: &[u8]| {
            read(octets).is_some_and(|seen| seen.source.ip() == far.ip() || seen.destination.ip() == far.ip())
        };
        let these: Vec<_> = kept.iter().filter(|(_, octets, ..)| of_target(octets)).collect();
        accounted_for += these.len();
        for (we, taped) in [(true, &sent), (false, &received)] {
            let ours =
                these.iter().filter(|(_, _, sent, _)| *sent == we).map(|(_, octets, ..)| octets.clone());
            let theirs = taped.iter().map(|taped| taped.octets.clone());
            assert_eq!(
                sorted(ours.collect()),
                sorted(theirs.collect::<Vec<_>>()),
                "{target}: sent by us: {we}"
            );
        }
        let comment = these[0].3.as_deref().unwrap_or_default();
        assert!(comment.starts_with(&format!("{target}: expected ")), "{comment}");
        assert!(these[1..].iter().all(|(.., comment)| comment.is_none()));
        for (kept_at, octets, ..) in &these {
            let same = taped.iter().filter(|taped| taped.octets == *octets);
            let off = same.map(|taped| kept_at.abs_diff(taped.at)).min().unwrap();
            assert!(off < Duration::from_millis(500), "{off:?}");
        }
    }
    // Beside the segments there is what ICMP says of one of them.
    let others: Vec<_> = kept.iter().filter(|(_, octets, ..)| read(octets).is_none()).collect();
    assert_eq!(accounted_for + others.len(), kept.len(), "nothing of {fine}");
    assert!(others.len() == 1 && taped.iter().any(|taped| taped.octets == others[0].1), "{others:?}");
}

/// Sixty targets, each address open and closed; all of them in a file.
fn sixty(world: &World, folder: &Folder) -> String {
    let open = world.crowd_server(close_with_client);
    let file = folder.file("targets");
    let lines: Vec<String> =
        (1..=30).map(|n| format!("{}\n{}\n", Net::V4.at(0, n, open), Net::V4.at(0, n, CLOSED))).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    file
}

const FAST: [&str; 4] = ["--rate", "0", "--per-host-rate", "0"];

fn labels(run: &Run) -> Vec<String> {
    sorted(run.findings().map(|finding| finding["target"].as_str().unwrap().to_owned()).collect())
}

/// `tcpshake merge --report ndjson=- ...`.
fn merge(files: &[&str]) -> Run {
    let said = Said::by(&mut command(TCPSHAKE, &[&["merge", "--report", "ndjson=-"], files].concat()));
    let lines = said.json();
    Run { code: said.code, lines, stderr: said.stderr }
}

/// The lines of a report.
fn report(file: &str) -> Run {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Run { code: None, lines, stderr: String::new() }
}

/// Counts of a summary.
fn counts(run: &Run) -> [u64; 4] {
    ["met", "unmet", "not_checked", "exchanges"].map(|field| run.summary()[field].as_u64().unwrap())
}

fn shards_merged_are_the_whole() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let file = sixty(&world, &folder);
    let whole = check(&[&["-f", &*file], &FAST[..]].concat());
    assert_eq!(counts(&whole), [30, 30, 0, 60]);
    let mut parts = Vec::new();
    let mut sum = 0;
    for shard in 1..=3 {
        let part = folder.file(&format!("part-{shard}"));
        let of = format!("{shard}/3");
        let run = check(
            &[&["-f", &*file, "--shard", &of, "--report", &format!("ndjson={part}")], &FAST[..]].concat(),
        );
        assert_eq!(run.lines[0]["shard"], serde_json::json!([shard, 3]));
        assert!((5..=35).contains(&labels(&run).len()), "a third, more or less: {run:#?}");
        sum += labels(&run).len();
        parts.push(part);
    }
    assert_eq!(sum, 60, "none is in two parts");
    let merged = merge(&[&*parts[0], &parts[1], &parts[2]]);
    assert_eq!(labels(&merged), labels(&whole));
    assert_eq!((merged.code, counts(&merged)), (Some(1), counts(&whole)), "{merged:#?}");
    let findings: Vec<Value> =
        parts.iter().flat_map(|part| report(part).findings().cloned().collect::<Vec<_>>()).collect();
    assert!(merged.findings().all(|finding| findings.contains(finding)), "as they were told");
    // Later reports count: with the whole behind the parts each target is there once, still.
    let file = folder.file("whole");
    let lines: Vec<String> = whole.lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    assert_eq!(counts(&merge(&[&*parts[0], &parts[1], &parts[2], &file])), counts(&whole));
    // Only what is as expected.
    let good = folder.file("good");
    let lines: Vec<String> = whole
        .lines
        .iter()
        .filter(|line| line["verdict"] != "unmet")
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&good, lines.concat()).unwrap();
    assert_eq!((merge(&[&good]).code, counts(&merge(&[&good]))), (Some(0), [30, 0, 0, 30]));
}

/// Ended by SIGINT and taken up again, by the same file.
fn resumes_into_the_file_it_reads() {
    const BEFORE: usize = 10;
    let (world, folder) = (Net::V4.world(), Folder::new());
    let (file, kept) = (sixty(&world, &folder), folder.file("report"));
    let to = format!("ndjson={kept}");
    let mut running = Running::check(&["-f", &file, "--rate", "40", "--report", &to]);
    (0..BEFORE).for_each(|_| running.until(|line| line["type"] == "target"));
    running.signal(Signal::SIGINT);
    let first = running.finish();
    assert_eq!(
        (first.code, &first.summary()["signal"]),
        (Some(130), &"interrupted".into()),
        "{:?}",
        first.summary()
    );
    assert_eq!(report(&kept).lines, first.lines, "both reports are the same");
    let checked: HashSet<String> = first
        .findings()
        .filter(|finding| finding["verdict"] != "not-checked")
        .map(|finding| finding["target"].as_str().unwrap().to_owned())
        .collect();
    let [met, unmet, not_checked, _] = counts(&first);
    assert_eq!((met + unmet, not_checked), (checked.len() as u64, 60 - checked.len() as u64));
    assert!((BEFORE..50).contains(&checked.len()), "in the middle: {}", checked.len());

    world.capture.segments();
    let second = check(&[&["-f", &*file, "--resume", &kept, "--report", &to], &FAST[..]].concat());
    let spoken_to: Vec<String> = world
        .capture
        .segments()
        .iter()
        .filter(|seen| seen.flags == "SYN")
        .map(|seen| seen.destination.to_string())
        .collect();
    assert_eq!(spoken_to.len(), 60 - checked.len());
    assert!(!spoken_to.iter().any(|target| checked.contains(target)), "only the rest");
    assert_eq!((second.code, counts(&second)), (Some(1), [30, 30, 0, 60]));
    assert_eq!(second.lines[0]["resumed"], checked.len());
    assert_eq!(labels(&second), labels(&first));
    assert_eq!(report(&kept).lines, second.lines);
    // There is nothing left to do: nothing is sent, and the report is the same again.
    world.capture.segments();
    let third = check(&["-f", &file, "--resume", &kept, "--report", &to]);
    assert_eq!((third.code, counts(&third), world.capture.segments().len()), (Some(1), [30, 30, 0, 60], 0));
    assert_eq!(labels(&report(&kept)), labels(&first));
}

/// As after a kill, or a full disk.
fn a_report_that_was_cut() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let (file, kept) = (sixty(&world, &folder), folder.file("report"));
    let whole = check(&[&["-f", &*file, "--report", &format!("ndjson={kept}")], &FAST[..]].concat());
    let text = std::fs::read_to_string(&kept).unwrap();
    const LINES: usize = 21; // the first is of the check itself
    let end: usize = text.lines().take(LINES).map(|line| line.len() + 1).sum();
    std::fs::write(&kept, &text[..end + 100]).unwrap();
    let merged = merge(&[&kept]);
    assert_eq!(merged.findings().count(), LINES - 1, "{merged:#?}");
    let resumed = check(&[&["-f", &*file, "--resume", &kept], &FAST[..]].concat());
    assert_eq!(resumed.lines[0]["resumed"], LINES - 1);
    assert_eq!((labels(&resumed), counts(&resumed)), (labels(&whole), counts(&whole)));
}

fn merge_may_write_over_what_it_reads() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let (file, kept) = (sixty(&world, &folder), folder.file("report"));
    let to = format!("ndjson={kept}");
    let whole = check(&[&["-f", &*file, "--report", &to], &FAST[..]].concat());
    let said = Said::by(&mut command(TCPSHAKE, &["merge", &kept, "--report", &to]));
    assert_eq!((said.code, &*said.stderr), (Some(1), ""));
    assert_eq!((labels(&report(&kept)), counts(&report(&kept))), (labels(&whole), counts(&whole)));
}

const KINDS: [&str; 7] = ["summary", "ndjson", "junit", "tap", "prometheus", "markdown", "html"];

/// Each to a file, and each in its turn to standard output as well.
fn all_reports_in_one_run() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let file = sixty(&world, &folder);
    for to_stdout in KINDS {
        let paths: BTreeMap<&str, String> = KINDS.iter().map(|kind| (*kind, folder.file(kind))).collect();
        let mut arguments: Vec<String> =
            paths.iter().map(|(kind, path)| format!("--report={kind}={path}")).collect();
        arguments.push(format!("--report={to_stdout}=-"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = Said::by(&mut command(
            TCPSHAKE,
            &[&["check", "-f", &file, "-q"], &FAST[..], &arguments].concat(),
        ));
        assert_eq!((said.code, &*said.stderr), (Some(1), ""));
        let told: BTreeMap<&str, String> =
            paths.iter().map(|(kind, path)| (*kind, std::fs::read_to_string(path).unwrap())).collect();
        assert_eq!(told[to_stdout], said.stdout, "{to_stdout}");
        for (kind, words) in [
            ("summary", "30 of 60 targets not as expected"),
            ("ndjson", "\"met\":30,\"unmet\":30"),
            ("junit", "tests=\"60\""),
            ("tap", "1..60"),
            ("prometheus", "tcpshake_"),
            ("markdown", "| "),
            ("html", "</html>"),
        ] {
            assert!(told[kind].contains(words), "{kind}: {}", told[kind]);
        }
        assert_eq!(told["tap"].lines().filter(|line| line.starts_with("not ok ")).count(), 30);
        assert_eq!(told["junit"].matches("<testcase").count(), 60);
        assert_eq!(told["junit"].matches("<failure").count(), 30);
    }
}

fn errors_before_a_syn() {
    let world = World::new();
    let target = world.server(close_with_client).v4();
    for (reports, code, words) in [
        (["--report=tap=-", "--report=junit=-"], 2, "only one report can go to standard output"),
        (["--report=tap=-", "--report=junit=/nowhere/report.xml"], 8, "/nowhere/report.xml"),
        (["--html", "/"], 8, "the report /: "),
        (["--pcap-failures", "/nowhere/failures.pcapng"], 8, "/nowhere/failures.pcapng"),
        (["--resume", "/nowhere/report"], 2, "/nowhere/report"),
    ] {
        let said = Said::by(&mut command(TCPSHAKE, &[&["check", &*target], &reports[..]].concat()));
        said.assert_complaint(code, words);
    }
    assert_eq!(world.capture.segments(), []);
}

fn a_full_disk() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let file = sixty(&world, &folder);
    for kind in KINDS {
        let full = format!("--report={kind}=/dev/full");
        let run = check(&[&["-f", &*file, &full, "-q"], &FAST[..]].concat());
        assert_eq!((run.code, counts(&run)), (Some(8), [30, 30, 0, 60]), "{kind}: {}", run.stderr);
        assert_eq!(
            run.stderr, "tcpshake: cannot write the report /dev/full: no space left on device\n",
            "{kind}"
        );
    }
    let run = check(&[&["-f", &*file, "-q", "--pcap-failures", "/dev/full"], &FAST[..]].concat());
    assert_eq!((run.code, counts(&run)), (Some(8), [30, 30, 0, 60]), "{}", run.stderr);
    assert_eq!(run.stderr, "tcpshake: cannot write the capture /dev/full: no space left on device\n");
}

fn goes_on_when_nobody_listens() {
    let (world, folder) = (Net::V4.world(), Folder::new());
    let (file, kept) = (sixty(&world, &folder), folder.file("report"));
    let to = format!("ndjson={kept}");
    for kind in KINDS {
        let to_stdout = format!("{kind}=-");
        let arguments =
            ["check", "-f", &file, "-q", "--report", &to_stdout, "--report", &to, "--rate", "500"];
        let mut program = Dialogue::start(&mut command(TCPSHAKE, &arguments));
        program.stop_listening();
        let said = program.end();
        assert_eq!(
            (said.code, &*said.stderr, counts(&report(&kept))),
            (Some(1), "", [30, 30, 0, 60]),
            "{kind}"
        );
    }
}
