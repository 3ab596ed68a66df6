//! After SIGKILL the machine is as it was (P-02).

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;
use tcpshake::lab::NEAR_V4;

use crate::Named;
use crate::run::{Running, connect};
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[("p02_sigkill_at_ten_points", p02_sigkill_at_ten_points)];

/// Begin, seven segments, the verdict, and TIME-WAIT's waiting: an exchange has ten points to be killed at.
const POINTS: usize = 10;

fn p02_sigkill_at_ten_points() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    // A first exchange brings neighbours and routes into the caches that any host keeps.
    connect(&[&target]).assert_ended(0, "completed");
    let before = snapshot();
    for lines in 0..POINTS {
        let mut running = Running::connect(&[&target, "--linger", "20000", "--source-port", "40000"]);
        for _ in 0..lines {
            running.line().expect("ten lines");
        }
        running.signal(Signal::SIGKILL);
        let run = running.finish();
        assert_eq!(run.code, None, "killed at {lines}");
        assert_eq!(snapshot(), before, "killed after {lines} lines");
    }
    // The port is free again, and the next exchange starts from SYN.
    let next = connect(&[&target, "--source", &NEAR_V4.to_string()]);
    next.assert_ended(0, "completed");
}

/// Sockets, addresses, routes, neighbours' interfaces and rules of this namespace, and the files a program
/// might leave.
fn snapshot() -> BTreeMap<String, String> {
    const TABLES: [&str; 12] = [
        "tcp",
        "tcp6",
        "udp",
        "udp6",
        "raw",
        "raw6",
        "packet",
        "route",
        "ipv6_route",
        "if_inet6",
        "fib_trie",
        "ip_tables_names",
    ];
    let mut snapshot: BTreeMap<String, String> = TABLES
        .into_iter()
        .filter_map(|table| {
            let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?;
            Some((table.to_owned(), without_counters(table, &text)))
        })
        .collect();
    let devices = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names: Vec<&str> =
        devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    snapshot.insert("devices".into(), names.join("\n"));
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("tcpshake");
    let files = ["/tmp", "/run", "/var/tmp", "."].into_iter().flat_map(fs::read_dir).flatten().flatten();
    let mut files: Vec<_> = files.filter(ours).map(|entry| entry.path().display().to_string()).collect();
    files.sort();
    snapshot.insert("files".into(), files.join("\n"));
    snapshot
}

/// Routes count their uses, which is no trace of ours.
fn without_counters(table: &str, text: &str) -> String {
    match table {
        "ipv6_route" => text
            .lines()
            .map(|line| line.split_whitespace().take(6).collect::<Vec<_>>().join(" ") + "\n")
            .collect(),
        _ => text.to_owned(),
    }
}
