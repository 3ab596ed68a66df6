//! What it costs to put up a guard, the self-test included, beside the programs that people run for it.
//!
//! `cargo bench --bench guard` prints medians, 90th percentiles, and how the two compare. The rivals are the
//! `nft` and `iptables` programs, each making the one rule that the guard makes, untested.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs programs, reads the clock and prints"
)]

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tcpshake::guard::{Choice, Guard, Kind, PortLease, PortSet, Scope, SelfTest, Standing};
use tcpshake::lab;
use tcpshake::time::Clock;
use tcpshake::wire::raw::MARK;

mod compare;

const RUNS: usize = 200;

fn main() {
    lab::enter_private().expect("a private network");
    lab::loopback_up().expect("loopback");
    let mut test = SelfTest::new(Clock::new());

    compare::print_heading(RUNS);
    let iptables = "-t raw -I OUTPUT -p tcp --sport 40000 --tcp-flags RST RST -m mark ! --mark 0x53 -j DROP";
    compare(
        RUNS,
        "listener guard",
        "iptables",
        || one(Kind::Listener, &mut test),
        || iptables_rule(iptables),
    );
    compare(RUNS, "nft guard", "nft", || one(Kind::Nft, &mut test), || nft_table("40000"));
    compare(20, "iptables guard", "iptables", || one(Kind::Iptables, &mut test), || iptables_rule(iptables));

    // As a set: a range would be two comparisons.
    let every_other: PortSet = (0..28_000).map(|n| 1025 + 2 * n).map(|port| port..=port).collect();
    let scope = Scope { address: None, ports: every_other.clone(), mark: MARK };
    let set = format!("{{ {every_other} }}");
    let many = format!("nft guard, {} ports", every_other.count());
    compare(10, &many, "nft", || standing(&scope, &mut test), || nft_table(&set));
}

fn one(kind: Kind, test: &mut SelfTest) -> Duration {
    let lease = PortLease::take((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let begun = Instant::now();
    let guard = Guard::stand(Choice::Only(kind), lease, test).unwrap();
    let took = begun.elapsed();
    drop(guard);
    took
}

fn standing(scope: &Scope, test: &mut SelfTest) -> Duration {
    let begun = Instant::now();
    let guard = Standing::stand(Choice::Only(Kind::Nft), scope, test).unwrap();
    let took = begun.elapsed();
    drop(guard);
    took
}

fn iptables_rule(arguments: &str) -> Duration {
    let begun = Instant::now();
    run(Command::new("iptables").args(arguments.split(' ')), "");
    let took = begun.elapsed();
    run(Command::new("iptables").args(["-t", "raw", "-F"]), "");
    took
}

fn nft_table(ports: &str) -> Duration {
    let rules = format!(
        "table inet rival {{\nchain out {{\ntype filter hook output priority -300;\n\
         tcp flags & rst == rst tcp sport {ports} meta mark != 0x53 counter drop\n}}\n}}\n"
    );
    let begun = Instant::now();
    run(Command::new("nft").args(["-f", "-"]), &rules);
    let took = begun.elapsed();
    run(Command::new("nft").args(["delete", "table", "inet", "rival"]), "");
    took
}

fn run(command: &mut Command, input: &str) {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("the rivals are nftables and iptables: apt-get install nftables iptables");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
}

fn compare(
    runs: usize,
    name: &str,
    rival_name: &str,
    mut ours: impl FnMut() -> Duration,
    mut rival: impl FnMut() -> Duration,
) {
    let (ours, rival) = (0..runs).map(|_| (ours(), rival())).unzip();
    compare::print(name, &format!("the program {rival_name}"), ours, rival);
}
