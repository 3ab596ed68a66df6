//! `check` and very many exchanges: their round trips, their RSTs, their memory, and a wire that loses a third.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tcpshake::lab::{LINK, NEAR_V4, NEAR_V6};

use crate::Named;
use crate::capture::{Capture, Seen};
use crate::check::{CLOSED, Net};
use crate::run::{Folder, Run, Running, check, sh};
use crate::world::{Server, World, one_segment_a_packet};

pub(crate) const TESTS: &[Named] = &[
    ("check_round_trips_are_those_on_the_wire", || round_trips(&[], 5)),
    ("check_round_trips_are_those_on_the_wire_without_a_limit", || {
        round_trips(&["--rate", "0", "--per-host-rate", "0"], 500);
    }),
    ("check_thirty_thousand_exchanges_and_no_reset", || many_exchanges(30_000)),
    ("check_a_hundred_thousand_exchanges_and_no_reset_at_length", || many_exchanges(100_000)),
    ("check_with_a_third_lost_each_way_by_nft_v4", || a_third_lost(Net::V4)),
    ("check_with_a_third_lost_each_way_by_nft_v6", || a_third_lost(Net::V6)),
    ("check_of_twenty_thousand_targets_takes_little_memory", || memory(20_000, 5_000, 40)),
    ("check_of_two_hundred_thousand_targets_at_length", || memory(200_000, 20_000, 64)),
];

fn accept_and_close(client: std::net::TcpStream) {
    drop(client);
}

/// Three hundred hosts, each once. What is told is what a tap beside the program saw, but for what the call took on
/// its way to the tap: some microseconds, and more on a machine that has other things to do.
fn round_trips(arguments: &[&str], most_off_us: i128) {
    const EXCHANGES: usize = 300;
    let world = World::new();
    world.far_is_all_of(IpAddr::from([10, 98, 0, 0]), 16);
    let port = Server::start(world.far_listener(), accept_and_close).port;
    let tape = Capture::start(LINK).tape();
    let targets = [format!("10.98.1.0/24:{port}"), format!("10.98.2.0/26:{port}")];
    let run = check(&[&[&*targets[0], &targets[1]], arguments].concat());
    assert_eq!(run.code, Some(0), "{:#?}", run.summary());
    let mut syns = HashMap::new();
    let mut answers = HashMap::new();
    for (at, seen) in tape.segments() {
        match &*seen.flags {
            "SYN" => drop(syns.insert(seen.destination, at)),
            "SYN,ACK" => drop(answers.insert(seen.source, at)),
            _ => {}
        }
    }
    let mut off: Vec<i128> = Vec::new();
    for finding in run.findings() {
        let rtt = finding["totals"]["rtt"]["avg_ns"].as_u64().unwrap();
        let peer: SocketAddr = finding["address"].as_str().unwrap().parse().unwrap();
        let on_the_wire = answers[&peer].abs_diff(syns[&peer]);
        off.push(i128::from(rtt) - on_the_wire.as_nanos() as i128);
    }
    assert!(off.len() >= EXCHANGES, "{}", off.len());
    off.sort_unstable();
    let part = |hundredths: usize| off[(off.len() - 1) * hundredths / 100];
    let parts = [0, 5, 50, 95, 100].map(part);
    assert!(
        parts[2].abs() <= most_off_us * 1000,
        "told less captured, in ns, at 0, 5, 50, 95 and 100 %: {parts:?}"
    );
}

/// Each is completed; no RST is on the wire, neither ours nor the kernel's; the peer has nothing left. It sends nothing
/// again for being answered late on a busy machine: what comes twice may come when its connection is gone, and be reset.
fn many_exchanges(exchanges: u32) {
    const TARGETS: u32 = 8;
    let world = World::new();
    world.far_is_all_of(IpAddr::from([10, 98, 0, 0]), 16);
    let port = Server::start(world.far_listener(), accept_and_close).port;
    world.far_sends_again_after(IpAddr::V4(NEAR_V4), Duration::from_secs(10));
    let resets = Capture::of_resets(LINK);
    let far_resets = world.lab.far.run(|| Ok(Capture::of_resets(LINK))).unwrap();
    let count = (exchanges / TARGETS).to_string();
    let hosts = format!(
        "10.98.0.1:{port} 10.98.0.2:{port} 10.98.0.3:{port} 10.98.0.4:{port} \
        10.98.0.5:{port} 10.98.0.6:{port} 10.98.0.7:{port} 10.98.0.8:{port}"
    );
    let hosts: Vec<&str> = hosts.split_whitespace().collect();
    let fast = ["--count", &count, "--rate", "0", "--per-host-rate", "0"];
    let run = check(&[&hosts, &fast[..]].concat());
    let summary = run.summary();
    assert_eq!(summary["ends"], serde_json::json!({ "completed": exchanges }), "{summary:#?}");
    assert_eq!((run.code, &summary["met"], &summary["kernel_resets"]), (Some(0), &TARGETS.into(), &0.into()));
    for finding in run.findings() {
        assert_eq!(finding["totals"]["exchanges"], exchanges / TARGETS);
    }
    for resets in [resets, far_resets] {
        // The peer's ACK of our FIN can be overtaken by its own FIN; to what we say to that its kernel says RST.
        let resets_of_ours: Vec<Seen> =
            resets.segments().into_iter().filter(|seen| seen.source.ip() == NEAR_V4).collect();
        assert_eq!((resets_of_ours, resets.lost()), (vec![], 0));
    }
    world.nothing_is_left_at_far(Duration::from_secs(10));
}

/// What comes to the far host is lost three times in ten, and so is what it sends.
fn lossy(net: Net) -> World {
    let world = net.world();
    let load = || {
        one_segment_a_packet();
        sh("nft 'table inet lossy {
                chain in {
                    type filter hook prerouting priority 0;
                    iifname shake0 meta l4proto tcp numgen random mod 100 < 30 counter drop
                }
                chain out {
                    type route hook output priority 0;
                    ip daddr 10.99.0.1 meta l4proto tcp numgen random mod 100 < 30 counter ip daddr set 10.99.0.255
                    ip6 daddr fd99::1 meta l4proto tcp numgen random mod 100 < 30 counter ip6 daddr set ff02::99
                }
            }'");
        Ok(())
    };
    world.lab.far.run(load).expect("nft");
    world.far_sysctl("ipv4/tcp_orphan_retries", "5");
    world.far_sysctl("ipv4/tcp_synack_retries", "3");
    world
}

/// Half of the ports are closed. Whatever was lost, each verdict is one that a capture beside the program bears out.
fn a_third_lost(net: Net) {
    const HOSTS: u8 = 250;
    let world = lossy(net);
    let port = Server::start(world.far_listener(), accept_and_close).port;
    let tape = Capture::start(LINK).tape();
    let folder = Folder::new();
    let file = folder.file("targets");
    let lines: Vec<String> = (1..=HOSTS)
        .flat_map(|n| [net.at(0, n, port) + " closes-cleanly\n", net.at(0, n, CLOSED) + " refused\n"])
        .collect();
    std::fs::write(&file, lines.concat()).unwrap();
    let patient = ["--retries", "10", "--timeout", "30", "--rate", "0", "--per-host-rate", "0"];
    let run = check(&[&["-f", &*file], &patient[..]].concat());
    let all: HashSet<&str> = run.findings().map(|finding| finding["target"].as_str().unwrap()).collect();
    assert_eq!((run.findings().count(), all.len()), (lines.len(), lines.len()), "none lost, none twice");
    let mut seen: BTreeMap<SocketAddr, Vec<Seen>> = BTreeMap::new();
    let near: IpAddr = if net == Net::V4 { NEAR_V4.into() } else { NEAR_V6.into() };
    for (_, segment) in tape.segments() {
        if ![segment.source.ip(), segment.destination.ip()].contains(&near) {
            continue; // led astray, which is lost
        }
        let peer = if segment.source.port() == port || segment.source.port() == CLOSED {
            segment.source
        } else {
            segment.destination
        };
        seen.entry(peer).or_default().push(segment);
    }
    for finding in run.findings() {
        let peer: SocketAddr = finding["address"].as_str().unwrap().parse().unwrap();
        let segments = &seen[&peer];
        let came = |flags: &str| segments.iter().any(|seen| seen.source == peer && seen.flags == flags);
        let syns = segments.iter().filter(|seen| seen.flags == "SYN").count();
        let told = |field: &str| finding["totals"]["ends"][field].as_u64().unwrap();
        let opened = told("completed") + told("reset") + told("close_incomplete") == 1;
        assert_eq!(opened, came("SYN,ACK"), "{finding:#?}\n{segments:#?}");
        assert_eq!(told("refused") == 1, came("RST,ACK") && !opened, "{finding:#?}\n{segments:#?}");
        assert_eq!(told("silent") == 1, segments.iter().all(|seen| seen.destination == peer), "{finding:#?}");
        assert_eq!(finding["totals"]["syns"], syns, "{finding:#?}\n{segments:#?}");
        let our_fins =
            segments.iter().filter(|seen| seen.destination == peer && seen.flags.contains("FIN")).count();
        let again = syns.saturating_sub(1) + our_fins.saturating_sub(1);
        assert!(
            finding["totals"]["retransmissions"].as_u64().unwrap() as usize <= again,
            "{finding:#?}\n{segments:#?}"
        );
    }
    assert_eq!(run.summary()["kernel_resets"], 0);
    // What it sends again, it sends for half a minute at the longest; for a FIN of ours of which every copy was lost it
    // waits a minute (tcp_fin_timeout).
    world.nothing_is_left_at_far(Duration::from_secs(70));
}

/// KiB that a process had in memory at the most, as far as can be seen before its end.
fn peak(pid: u32) -> u64 {
    let mut peak = 0;
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
        peak = line.trim().trim_end_matches(" kB").parse().unwrap();
        const LOOK_AGAIN: u8 = 5; // milliseconds
        nix::poll::poll(&mut [], LOOK_AGAIN).unwrap();
    }
    peak
}

/// All of them refuse, as they should.
fn memory(targets: u32, in_flight: u32, most_mib: u64) {
    let world = World::new();
    world.far_is_all_of(IpAddr::from([10, 112, 0, 0]), 12);
    let folder = Folder::new();
    let file = folder.file("targets");
    let first = u32::from(Ipv4Addr::new(10, 112, 0, 0));
    let lines: String = (0..targets).map(|n| format!("{}:9\n", Ipv4Addr::from(first + n))).collect();
    std::fs::write(&file, lines).unwrap();
    let in_flight = in_flight.to_string();
    let running = Running::check(&[
        "-f",
        &file,
        "-e",
        "refused",
        "--rate",
        "0",
        "--per-host-rate",
        "0",
        "--max-in-flight",
        &in_flight,
    ]);
    let pid = running.pid();
    let (run, peak): (Run, u64) = std::thread::scope(|scope| {
        let looking = scope.spawn(move || peak(pid));
        (running.finish(), looking.join().unwrap())
    });
    let told: &Value = run.summary();
    assert_eq!((&told["met"], &told["not_checked"]), (&targets.into(), &0.into()), "{told:#?}");
    assert!(peak < most_mib * 1024, "{peak} KiB");
    drop(world);
}
