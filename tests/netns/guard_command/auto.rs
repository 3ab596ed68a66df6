//! `auto` takes the next kind where one does not work, and nothing else does.

use caps::Capability;
use serde_json::{Value, json};
use tcpshake::lab::{NEAR_V4, NEAR_V6};

use super::{BY_IPTABLES, Case, LISTENER, NFT};
use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{Folder, Running, Said, TCPSHAKE, command};
use crate::world::{World, alone, bound_to, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("a_guard_asked_for_is_never_replaced", never_replaced),
    ("a_guard_by_iptables_asked_for_is_never_replaced", never_replaced_by_iptables),
    ("auto_takes_nft_where_no_listener_works", auto_takes_nft),
    ("auto_by_iptables_where_nothing_else_works", auto_takes_iptables),
    ("auto_says_why_no_guard_works", auto_takes_none),
];

/// P-06: asked for by name it is that kind or none, and without one nothing is sent.
fn never_replaced() {
    let world = World::new();
    let no_iptables = Case { kind: "iptables", ..LISTENER };
    let refused = |case: &Case, words: &str| {
        let connect = [&["10.99.0.2:80"][..], &["--guard", case.kind]].concat();
        bound_to(&[Capability::CAP_NET_RAW], || {
            for command in ["run --port 40000 true", "up --port 40000"] {
                let (first, rest) = command.split_once(' ').unwrap();
                let said = case.guard(&format!("{first} --guard {} {rest}", case.kind));
                said.assert_complaint(8, &format!("tcpshake: the {} guard does not work here: ", case.kind));
                said.assert_complaint(8, words);
            }
            Running::connect_in(&case.tables.environment(), &connect).finish().assert_error(8, words);
        });
        case.assert_nothing_is_left();
    };
    refused(&NFT, "needs CAP_NET_ADMIN");
    refused(&no_iptables, "there is no /nonexistent here");
    assert_eq!(world.capture.segments(), []);
    let said = bound_to(&[Capability::CAP_NET_RAW], || LISTENER.guard("run --port 40000 true"));
    let expected = "tcpshake: guard on port 40000: listener (tcp-md5), proven\n";
    assert_eq!((said.code, &*said.stderr), (Some(0), expected));
}

fn never_replaced_by_iptables() {
    for case in &BY_IPTABLES {
        alone();
        let said =
            bound_to(&[Capability::CAP_NET_RAW], || case.guard("run --port 40000 --guard iptables true"));
        said.assert_complaint(8, "tcpshake: the iptables guard does not work here: iptables-");
        said.assert_complaint(8, "(run it as root)");
        case.assert_nothing_is_left();
    }
}

/// A kernel that refuses what a kind of guard needs: the program's calls go through this first.
const REFUSING: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refused(const char *what) {
    return getenv(what) && strcmp(program_invocation_short_name, "tcpshake") == 0;
}

static int fail(int error) {
    errno = error;
    return -1;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
    enum { MD5SIG_EXT = 32 };
    int type = 0;
    socklen_t type_len = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len);
    if (type == SOCK_STREAM && refused("REFUSE_LISTENER")) {
        if (level == SOL_SOCKET && name == SO_ATTACH_FILTER) return fail(EPERM);
        if (level == IPPROTO_TCP && name == MD5SIG_EXT) return fail(ENOPROTOOPT);
    }
    return syscall(SYS_setsockopt, fd, level, name, value, len);
}

int socket(int family, int type, int protocol) {
    if (family == AF_NETLINK && protocol == NETLINK_NETFILTER && refused("REFUSE_NFT")) return fail(EPROTONOSUPPORT);
    return syscall(SYS_socket, family, type, protocol);
}
"#;

const WHY_NO_LISTENER: &str = "socket filter: operation not permitted; tcp-md5: protocol not available";
const WHY_NO_NFT: &str =
    "this kernel has no nf_tables, or lacks a part of it: protocol not supported (try: modprobe nf_tables)";

/// Where the kinds in `refused` do not work: `auto` takes `case`'s, says why, and it holds.
fn auto_falls_to(case: &Case, refused: &[(&str, &str)]) {
    let folder = Folder::new();
    let (source, library) = (folder.file("refusing.c"), folder.file("refusing.so"));
    std::fs::write(&source, REFUSING).unwrap();
    Said::by(&mut command("cc", &["-shared", "-fPIC", "-o", &library, &source])).assert_well();
    let switches: Vec<String> =
        refused.iter().map(|(kind, _)| format!("REFUSE_{}", kind.to_uppercase())).collect();
    let mut environment = case.tables.environment().to_vec();
    environment.push(("LD_PRELOAD", &library));
    environment.extend(switches.iter().map(|switch| (&**switch, "1")));

    let world = World::new();
    let server = world.server(close_after_client);
    let guard = |arguments: &str| {
        let mut guard = case.command(arguments, &[]);
        Said::by(guard.envs(environment.iter().copied()))
    };
    if case.kind == "none" {
        let reasons: Vec<String> = refused.iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
        let words = format!(
            "tcpshake: no guard works here: {}; iptables: there is no /nonexistent here",
            reasons.join("; ")
        );
        guard("run --port 40000 true").assert_complaint(8, &words);
        let words = words.trim_start_matches("tcpshake: ");
        Running::connect_in(&environment, &[&server.v4()]).finish().assert_error(8, words);
        assert_eq!(world.capture.segments(), []);
        return;
    }
    for (target, near) in [(server.v4(), NEAR_V4.into()), (server.v6(), NEAR_V6.into())] {
        let run = Running::connect_in(&environment, &[&target]).finish();
        run.assert_ended(0, "completed");
        let begin = &run.lines[0];
        assert_eq!((&begin["guard"], &begin["guard_proven"]), (&case.kind.into(), &true.into()), "{begin}");
        let passed_over: Vec<Value> =
            refused.iter().map(|(kind, why)| json!({"guard": kind, "why": why})).collect();
        assert_eq!(begin["guard_passed_over"], Value::Array(passed_over));
        assert_eq!(run.end()["held_back"], 3);
        let captured = world.capture.segments();
        assert_eq!(resets_from(&captured, near), 0);
        assert_told_as_captured(&run, &captured);

        let mut connect = command(TCPSHAKE, &["connect", "-v", "--linger", "0", &target]);
        let shown = Said::by(connect.envs(environment.iter().copied())).assert_well().stdout;
        let unwrapped = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for (kind, why) in refused {
            assert!(unwrapped.contains(&format!("not {kind}: {why} ")), "{kind}: {shown}");
        }
        assert_eq!(resets_from(&world.capture.segments(), near), 0);
    }
    let said = guard("run --port 40000 true");
    let passed_over: String = refused.iter().map(|(kind, why)| format!("; not {kind}: {why}")).collect();
    let expected = format!("tcpshake: guard on port 40000: {}, proven{passed_over}\n", case.kind);
    assert_eq!((said.code, said.stderr), (Some(0), expected));
    case.assert_nothing_is_left();
}

fn auto_takes_nft() {
    auto_falls_to(&NFT, &[("listener", WHY_NO_LISTENER)]);
}

fn auto_takes_iptables() {
    for case in &BY_IPTABLES {
        auto_falls_to(case, &[("listener", WHY_NO_LISTENER), ("nft", WHY_NO_NFT)]);
    }
}

fn auto_takes_none() {
    let case = Case { kind: "none", ..LISTENER };
    auto_falls_to(&case, &[("listener", WHY_NO_LISTENER), ("nft", WHY_NO_NFT)]);
}
