//! What the doctor finds, and that it is so.

use serde_json::Value;
use tcpshake::lab::{Lab, unshare_network};
use tcpshake::net::netlink::Netlink;
use tcpshake::net::nf_tables::{PRIORITY_RAW, Policy, new_output_chain, new_table, tables};

use crate::Named;
use crate::privileges::bound_to;
use crate::run::{Running, text};

pub(crate) const TESTS: &[Named] = &[
    ("doctor_finds_nothing_wrong", doctor_finds_nothing_wrong),
    ("doctor_without_loopback", doctor_without_loopback),
    ("doctor_without_privileges", doctor_without_privileges),
    ("doctor_finds_a_firewall_in_the_way", doctor_finds_a_firewall_in_the_way),
    ("doctor_prescribes_by_nft_what_helps", doctor_prescribes_what_helps),
    ("doctor_finds_settings_out_of_the_ordinary", doctor_finds_settings_out_of_the_ordinary),
    ("doctor_fits_80_columns", doctor_fits_80_columns),
];

/// Exit code, and level, text and remedy of each finding by its topic.
struct Findings(Option<i32>, Vec<Value>);

fn doctor() -> Findings {
    let (code, output, errors) = text(&["doctor", "--format", "json"]);
    assert_eq!(errors, "");
    let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let verdict = lines.last().unwrap();
    assert_eq!((&verdict["type"], &verdict["connect_works"]), (&"verdict".into(), &(code == Some(0)).into()));
    Findings(code, lines)
}

impl Findings {
    /// There is one such finding, and what is not good comes with a command.
    #[track_caller]
    fn assert(&self, topic: &str, level: &str, words: &str, remedy: &str) {
        let found = |line: &&Value| {
            line["topic"] == topic
                && line["level"] == level
                && line["text"].as_str().unwrap().contains(words)
                && line["remedy"].as_str().unwrap_or_default().contains(remedy)
                && line["remedy"].is_string() != remedy.is_empty()
        };
        assert_eq!(self.1.iter().filter(found).count(), 1, "{topic} {level} {words} {remedy}: {:#?}", self.1);
    }
}

fn doctor_finds_nothing_wrong() {
    unshare_network().unwrap();
    let _lab = Lab::build().unwrap();
    let before = format!("{:?}", tables());
    let findings = doctor();
    assert_eq!(findings.0, Some(0), "{:#?}", findings.1);
    for (topic, words) in [
        ("kernel", "Linux"),
        ("cap_net_raw", "all that connect needs"),
        ("cap_net_admin", "nft and iptables"),
        ("namespaces", "the demo works"),
        ("listener guard", "IPv4: stands by socket filter, proven; IPv6: stands by socket filter, proven"),
        ("nft guard", "IPv4: stands, proven; IPv6: stands, proven"),
        ("exchange", "IPv4 over loopback: opened and closed"),
        ("exchange", "IPv6 over loopback: opened and closed"),
        ("rp_filter", "may come by another way"),
        ("conntrack", ""),
        ("ports", "local ports are taken from"),
    ] {
        findings.assert(topic, "good", words, "");
    }
    assert!(!format!("{:?}", tables()).contains("tcpshake"), "before: {before}");
}

/// Nothing can be tried, and nothing says that it would not work.
fn doctor_without_loopback() {
    unshare_network().unwrap();
    let findings = doctor();
    assert_eq!(findings.0, Some(0));
    findings.assert("exchange", "note", "loopback interface is down", "sudo ip link set lo up");
    findings.assert("listener guard", "good", "not tested", "");
}

fn doctor_without_privileges() {
    unshare_network().unwrap();
    let _lab = Lab::build().unwrap();
    bound_to(&[]);
    let findings = doctor();
    assert_eq!(findings.0, Some(8), "{:#?}", findings.1);
    findings.assert("cap_net_raw", "bad", "no raw socket", "sudo setcap cap_net_raw=ep /");
    findings.assert("cap_net_admin", "note", "no nft or iptables guard", "tcpshake connect");
    findings.assert("listener guard", "good", "stands by tcp-md5, not tested", "");
    findings.assert("nft guard", "note", "needs CAP_NET_ADMIN", " doctor");
    findings.assert("firewall", "note", "cannot be looked at", " doctor");
    findings.assert("left behind", "note", "cannot be looked for", " guard status");
}

/// A table that drops whatever leaves, loopback or not.
fn doctor_finds_a_firewall_in_the_way() {
    unshare_network().unwrap();
    let _lab = Lab::build().unwrap();
    let chain = new_output_chain("strict", "out", PRIORITY_RAW, Policy::Drop);
    let table = vec![new_table("strict", 0, ""), chain];
    Netlink::open(libc::NETLINK_NETFILTER).unwrap().transaction(libc::NFNL_SUBSYS_NFTABLES, table).unwrap();
    let findings = doctor();
    assert_eq!(findings.0, Some(8));
    let accept = "sudo nft insert rule inet strict out meta mark 0x53 accept";
    findings.assert("firewall", "note", "chain out of table inet strict drops what no rule accepts", accept);
    findings.assert("exchange", "bad", "IPv4 over loopback: this machine's own firewall dropped", "");
    findings.assert("listener guard", "good", "not tested: operation not permitted", "");
}

/// A firewall as people have them, and the command that the doctor gives against it.
fn doctor_prescribes_what_helps() {
    unshare_network().unwrap();
    let _lab = Lab::build().unwrap();
    let rules = "table inet f { chain out { type filter hook output priority 0; policy drop
        ct state invalid drop
        ct state established,related accept
        tcp dport 443 accept
    }
    }";
    assert_eq!(Running::shell(&format!("nft '{rules}'")).raw().0, Some(0));
    let findings = doctor();
    assert_eq!(findings.0, Some(8));
    let command = "sudo nft insert rule inet f out meta mark 0x53 accept";
    findings.assert("firewall", "note", "policy drop", command);
    findings.assert("firewall", "note", "decides by connection state", command);
    // The demo's own answers and the kernel server's are not marked; those the firewall must let pass by itself.
    let mended =
        format!("nft insert rule inet f out ct state new,established oif lo accept; {}", &command[5..]);
    assert_eq!(Running::shell(&mended).raw().0, Some(0));
    assert_eq!(doctor().0, Some(0));
}

fn doctor_finds_settings_out_of_the_ordinary() {
    unshare_network().unwrap();
    let _lab = Lab::build().unwrap();
    for (setting, value) in [("conf/shake0/rp_filter", "1"), ("ip_local_port_range", "40000 40010")] {
        std::fs::write(format!("/proc/sys/net/ipv4/{setting}"), value).unwrap();
    }
    let findings = doctor();
    assert_eq!(findings.0, Some(0), "{:#?}", findings.1);
    findings.assert("rp_filter", "note", "dropped on shake0", "sudo sysctl net.ipv4.conf.all.rp_filter=2");
    findings.assert("ports", "note", "from 40000 to 40010: few", "sudo sysctl net.ipv4.ip_local_port_range=");
}

/// But for commands, which are to be copied.
fn doctor_fits_80_columns() {
    unshare_network().unwrap();
    let (code, output, _) = text(&["doctor"]);
    assert_eq!(code, Some(0));
    assert!(output.ends_with("\nconnect works here\n"), "{output}");
    for line in output.lines().filter(|line| !line.trim_start().starts_with("mend it: ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
