//! After SIGKILL the machine is as it was (P-02).

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use tcpshake::lab::NEAR_V4;
use tcpshake::net::netlink::{Message, Netlink};
use tcpshake::tcp::{Flags, Segment};

use crate::Named;
use crate::run::{Dialogue, Running, TCPSHAKE, Tables, children, command, connect, reap};
use crate::scripted::{IRS, Scripted, segment, syn_ack};
use crate::world::{World, close_after_client, keep_open};

pub(crate) const TESTS: &[Named] = &[
    ("p02_sigkill_at_ten_points", p02_sigkill_at_ten_points),
    ("p02_sigkill_by_iptables_leaves_no_rule", p02_sigkill_by_iptables_leaves_no_rule),
];

const ACK: Flags = Flags::ACK;

/// Brings an exchange to a point, with a peer that answers one segment at a time.
type Reach = fn(&mut Scripted, &mut Running);

/// The points, and what the program is started with to reach them.
const POINTS: [(&str, &[&str], Reach); 10] = [
    ("started", &[], |_, _| {}),
    ("SYN-SENT", &[], |peer, _| assert_eq!(peer.hear().flags, Flags::SYN)),
    ("SYN-SENT, our RST to a wrong acknowledgment sent", &[], |peer, _| {
        let syn = peer.hear();
        peer.say(&Segment { ack: syn.seq, ..syn_ack(&syn) });
        assert_eq!(peer.hear().flags, Flags::RST);
    }),
    ("ESTABLISHED", &["--close", "passive"], |peer, _| assert_eq!(peer.open().flags, ACK)),
    ("ESTABLISHED, text taken", &["--close", "passive"], |peer, _| {
        let ack = peer.open();
        peer.say(&Segment { seq: IRS + 1, ack: ack.seq, flags: ACK, text_len: 9, ..segment() });
        assert_eq!(peer.hear().ack, IRS + 10);
    }),
    ("FIN-WAIT-1", &[], |peer, _| {
        peer.open();
        assert_eq!(peer.hear().flags, Flags::FIN | ACK);
    }),
    ("FIN-WAIT-2", &[], |peer, running| {
        peer.open();
        let fin = peer.hear();
        peer.say(&Segment { seq: IRS + 1, ack: fin.end(), flags: ACK, ..segment() });
        running.until(|line| line["state"] == "FIN-WAIT-2");
    }),
    ("CLOSING", &[], |peer, running| {
        peer.open();
        let fin = peer.hear();
        peer.say(&Segment { seq: IRS + 1, ack: fin.seq, flags: Flags::FIN | ACK, ..segment() });
        running.until(|line| line["state"] == "CLOSING");
    }),
    ("LAST-ACK", &["--close", "passive"], |peer, _| {
        let ack = peer.open();
        peer.say(&Segment { seq: IRS + 1, ack: ack.seq, flags: Flags::FIN | ACK, ..segment() });
        assert_eq!(peer.hear().flags, ACK);
        assert_eq!(peer.hear().flags, Flags::FIN | ACK);
    }),
    ("TIME-WAIT", &["--linger", "20000"], |peer, running| {
        peer.open();
        let fin = peer.hear();
        peer.say(&Segment { seq: IRS + 1, ack: fin.end(), flags: Flags::FIN | ACK, ..segment() });
        assert_eq!(peer.hear().flags, ACK);
        running.until(|line| line["type"] == "end");
    }),
];

fn p02_sigkill_at_ten_points() {
    let world = World::new();
    let server = world.server(close_after_client).v4();
    // A first exchange brings neighbours and routes into the caches that any host keeps.
    connect(&[&server]).assert_ended(0, "completed");
    let before = snapshot();
    for (point, arguments, reach) in POINTS {
        let mut peer = Scripted::start(&world, SocketAddr::from((NEAR_V4, 40_000)));
        let target = peer.address.to_string();
        let mut running = Running::connect(&[&[&*target, "--source-port", "40000"], arguments].concat());
        reach(&mut peer, &mut running);
        running.signal(Signal::SIGKILL);
        assert_eq!(running.finish().code, None, "killed at {point}");
        assert_eq!(snapshot(), before, "killed at {point}");
    }
    // The port is free again, and the next exchange starts from SYN.
    connect(&[&server, "--source-port", "40000"]).assert_ended(0, "completed");
}

/// The script that put the rules there outlives the program for as long as it takes to remove them.
fn p02_sigkill_by_iptables_leaves_no_rule() {
    for tables in Tables::BOTH {
        let world = World::new();
        let target = world.server(keep_open).v4();
        let connect = ["connect", "--format", "json", "--guard", "iptables", "--close", "passive", &target];
        let mut connect = Dialogue::start(command(TCPSHAKE, &connect).envs(tables.environment()));
        let lines = std::iter::from_fn(|| Some(connect.line()).filter(|line| !line.is_empty()));
        assert!(lines.into_iter().any(|line| line.contains("\"state\":\"ESTABLISHED\"")));
        assert_eq!(tables.rules().len(), 1);
        let script = children(connect.pid());
        connect.kill();
        assert_eq!(connect.end().code, None);
        assert_eq!(reap(script[0]), WaitStatus::Exited(script[0], 0));
        assert_eq!((script.len(), tables.rules()), (1, Vec::new()));
    }
}

/// Sockets, addresses, routes, interfaces, policy rules and firewall tables of this namespace, and the files
/// a program might leave.
pub(crate) fn snapshot() -> BTreeMap<String, String> {
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
    snapshot.insert("policy rules".into(), policy_rules());
    snapshot.insert("nft tables".into(), nft_tables());
    let ours = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.contains("tcpshake") && !is_in_use(&name)
    };
    let files = ["/tmp", "/run", "/var/tmp", "."].into_iter().flat_map(fs::read_dir).flatten().flatten();
    let mut files: Vec<_> = files.filter(ours).map(|entry| entry.path().display().to_string()).collect();
    files.sort();
    snapshot.insert("files".into(), files.join("\n"));
    snapshot
}

/// Files that end with the number of a process which lives: other tests may have some just now.
fn is_in_use(name: &str) -> bool {
    let process = name.rsplit('-').next().and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|process| fs::exists(format!("/proc/{process}")).unwrap())
}

/// Routes count their uses, which is no trace of ours.
fn without_counters(table: &str, text: &str) -> String {
    let first_six = |line: &str| line.split_whitespace().take(6).collect::<Vec<_>>().join(" ") + "\n";
    if table == "ipv6_route" { text.lines().map(first_six).collect() } else { text.to_owned() }
}

/// What `ip rule` lists, both families.
fn policy_rules() -> String {
    let request = Message::new(libc::RTM_GETRULE, libc::NLM_F_DUMP, &[0; 12]);
    let rules = Netlink::route().unwrap().request(request).unwrap();
    assert!(!rules.is_empty(), "there are always some");
    format!("{rules:?}")
}

/// What `nft list tables` lists.
fn nft_tables() -> String {
    const GET_TABLE: u16 = (libc::NFNL_SUBSYS_NFTABLES << 8) as u16 | libc::NFT_MSG_GETTABLE as u16;
    const HEADER: usize = 4; // struct nfgenmsg, in which the kernel counts all changes ever made
    let request = Message::new(GET_TABLE, libc::NLM_F_DUMP, &[0; HEADER]);
    let answers = Netlink::open(libc::NETLINK_NETFILTER).unwrap().request(request);
    let tables = answers.map(|all| all.iter().map(|table| table[HEADER..].to_vec()).collect::<Vec<_>>());
    format!("{tables:?}")
}
