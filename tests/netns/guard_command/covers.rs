//! What a guard covers: ports, addresses, families; and what it lets pass.

use tcpshake::guard::Proof;
use tcpshake::packet::Ports;
use tcpshake::tcp::Flags;

use super::{BY_IPTABLES, Case, LISTENER, NFT, PORT, WITH_NOTHING};
use crate::Named;
use crate::run::{Said, TCPSHAKE, Tables};
use crate::world::{
    ANSWERED, LOOPBACKS, SILENT, World, alone, kernel_answers_on, remove_v6_loopback, send_to_ourselves,
};

pub(crate) const TESTS: &[Named] = &[
    ("guards_of_many_ports", || WITH_NOTHING.iter().for_each(many_ports)),
    ("guards_by_iptables_of_many_ports", || BY_IPTABLES.iter().for_each(many_ports)),
    ("guards_of_all_ephemeral_ports", || ephemeral_ports(&NFT)),
    ("guards_by_iptables_of_all_ephemeral_ports", || BY_IPTABLES.iter().for_each(ephemeral_ports)),
    ("a_guard_of_every_port_has_none_to_compare_with", every_port),
    ("guards_let_marked_rsts_pass", || marked(&NFT)),
    ("guards_by_iptables_let_marked_rsts_pass", || BY_IPTABLES.iter().for_each(marked)),
    ("guards_of_one_address", || WITH_NOTHING.iter().for_each(one_address)),
    ("guards_by_iptables_of_one_address", || BY_IPTABLES.iter().for_each(one_address)),
    ("a_guard_of_long_lists_of_ports", long_list),
    ("a_listener_covers_ipv6_without_its_loopback", without_v6_loopback),
    ("guards_without_ipv6", || WITH_NOTHING.iter().for_each(without_ipv6)),
    ("guards_by_iptables_without_ipv6", || BY_IPTABLES.iter().for_each(without_ipv6)),
    ("guards_by_iptables_without_ip6tables", without_ip6tables),
];

fn many_ports(case: &Case) {
    alone();
    let holder = case.up("--port 40010,40000-40002,40003");
    for port in [40_000, 40_001, 40_003, 40_010] {
        assert_eq!(kernel_answers_on(port), SILENT, "{} {port}", case.kind);
    }
    for port in [39_999, 40_004, 40_009, 40_011] {
        assert_eq!(kernel_answers_on(port), ANSWERED, "{} {port}", case.kind);
    }
    // However they are written, they are the same.
    let down = case.guard("down --port 40000-40003,40010").assert_well().stdout;
    assert_eq!(down, "guard on ports 40000-40003,40010: down\n");
    holder.ended();
    case.assert_nothing_is_left();
}

/// The ports that the kernel gives to whoever asks for any are all guarded: others must do to compare with.
fn ephemeral_ports(case: &Case) {
    alone();
    let holder = case.up("--port 32768-60999");
    for port in [32_768, 50_000, 60_999] {
        assert_eq!(kernel_answers_on(port), SILENT, "{} {port}", case.kind);
        let said = case.guard(&format!("test {port}"));
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    for port in [32_767, 61_000] {
        assert_eq!(kernel_answers_on(port), ANSWERED, "{} {port}", case.kind);
    }
    case.guard("down --port 32768-60999").assert_well();
    holder.ended();
    case.assert_nothing_is_left();
}

fn every_port() {
    alone();
    let said =
        Said::by(&mut NFT.command("run --port 1-65535 --guard nft", &[TCPSHAKE, "guard", "test", "7"]));
    let untested = "guard on ports 1-65535: nft, not tested: no port is free to compare with\n";
    assert_eq!((said.code, said.stderr), (Some(8), format!("tcpshake: {untested}")), "{}", said.stdout);
    NFT.assert_nothing_is_left();
}

/// Nothing but RSTs is dropped, and of those none that has the mark: another program's own.
fn marked(case: &Case) {
    alone();
    let dropped = |flags: Flags, source: u16, mark: u32| {
        LOOPBACKS.map(|ip| send_to_ourselves(ip, Ports { source, destination: 2 }, flags, mark).is_err())
    };
    for (argument, mark) in [("", 0x53), (" --mark 7", 7), (" --mark 0xffffffff", u32::MAX)] {
        let holder = case.up(&format!("--port 40000{argument}"));
        assert_eq!(dropped(Flags::RST, PORT, mark), [false; 2], "{argument}");
        for other in [0, 8, mark ^ 0x100] {
            assert_eq!(dropped(Flags::RST, PORT, other), [true; 2], "{argument}, but marked {other}");
            assert_eq!(dropped(Flags::RST | Flags::ACK, PORT, other), [true; 2], "{argument}");
            assert_eq!(dropped(Flags::FIN | Flags::ACK, PORT, other), [false; 2], "{argument}");
            assert_eq!(dropped(Flags::RST, PORT + 1, other), [false; 2], "{argument}");
        }
        case.guard("down --port 40000").assert_well();
        holder.ended();
    }
    assert_eq!(dropped(Flags::RST, PORT, 0), [false; 2]);
}

fn one_address(case: &Case) {
    let _world = World::new();
    for (address, expected) in [
        ("127.0.0.1", [Proof::Silent, Proof::Answered]),
        ("::1", [Proof::Answered, Proof::Silent]),
        ("::ffff:127.0.0.1", [Proof::Silent, Proof::Answered]),
        ("10.99.0.1", ANSWERED),
    ] {
        let holder = case.up(&format!("--port 40000 --address {address}"));
        assert_eq!(kernel_answers_on(PORT), expected, "{} {address}", case.kind);
        let said = case.guard(&format!("test 40000 --address {}", address.trim_start_matches("::ffff:")));
        assert_eq!(said.code, Some(0), "{said:?}");
        case.guard(&format!("down --port 40000 --address {address}")).assert_well();
        holder.ended();
        case.assert_nothing_is_left();
    }
    let said = case.guard(&format!("up --port 40000 --guard {} --address 192.0.2.1", case.kind));
    said.assert_complaint(8, "address 192.0.2.1 is not one of this machine's (it has 127.0.0.1, 10.99.0.1)");
}

fn without_ipv6(case: &Case) {
    alone();
    std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
    let holder = case.up("--port 40000");
    let said = case.guard("test 40000").assert_well();
    assert_eq!(said.stdout, "port 40000 of 127.0.0.1: the kernel keeps silent: it is guarded\n");
    case.guard("down --port 40000").assert_well();
    holder.ended();
    assert_eq!(case.guard("test 40000").code, Some(1));
}

/// Longer than the name of a socket, or the comment of a table.
fn long_list() {
    alone();
    let ports: Vec<String> = (0..100).map(|n| (40_000 + 2 * n).to_string()).collect();
    let ports = ports.join(",");
    let holder = NFT.up(&format!("--port {ports}"));
    assert_eq!(kernel_answers_on(40_198), SILENT);
    assert_eq!(kernel_answers_on(40_199), ANSWERED);
    assert_eq!(NFT.found()[0]["ports"], "40000..40198 (100 of them)");
    NFT.guard(&format!("down --port {ports}")).assert_well();
    holder.ended();
    NFT.assert_nothing_is_left();
}

/// It cannot be tested there, but other IPv6 addresses may be in use.
fn without_v6_loopback() {
    let _world = World::new();
    remove_v6_loopback();
    let holder = LISTENER.up("--port 40000");
    let test = |address: &str| LISTENER.guard(&format!("test 40000 --address {address}")).code;
    assert_eq!((test("127.0.0.1"), test("fd99::1")), (Some(0), Some(0)));
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
    assert_eq!((test("127.0.0.1"), test("fd99::1")), (Some(1), Some(1)));
}

/// What is not guarded is not called guarded.
fn without_ip6tables() {
    for Case { kind, tables } in BY_IPTABLES {
        alone();
        let case = Case { kind, tables: Tables { v6: Tables::NOWHERE.v6, ..tables } };
        let said = case.guard("run --port 40000 --guard iptables true");
        said.assert_complaint(8, "it stands, but the kernel still answers on [::1]:40000 with RST");
        assert_eq!(case.guard("run -q --port 40000 --address 127.0.0.1 --guard iptables true").code, Some(0));
        assert_eq!(tables.rules(), [] as [&str; 0]);
    }
}
