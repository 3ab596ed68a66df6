//! `scripts/rst-guard` by itself, as people run it by hand, with both kinds of iptables; and `connect` with
//! the guard it makes.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tcpshake::guard::Proof;
use tcpshake::lab::{NEAR_V4, NEAR_V6};

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{
    Dialogue, Folder, Running, Said, Tables, command, owner_tag, pid_namespace, sees_all_processes,
    start_time,
};
use crate::world::{
    ANSWERED, SILENT, World, alone, bound_to, close_after_client, draw_answers_from, kernel_answers_on,
};

pub(crate) const TESTS: &[Named] = &[
    ("rst_guard_says_in_one_line_what_is_wrong_with_its_arguments", wrong_arguments),
    ("rst_guard_says_how_it_is_used", help),
    ("rst_guard_without_iptables_is_an_error", without_iptables),
    ("rst_guard_says_if_it_could_not_take_down", cannot_tell),
    ("rst_guard_by_iptables_looks_without_a_lock", locks),
    ("rst_guard_by_iptables_in_every_shell", in_every_shell),
    ("rst_guard_by_iptables_writes_the_rules_it_was_asked_for", rules_asked_for),
    ("rst_guard_by_iptables_leaves_rules_of_others_alone", rules_of_others),
    ("rst_guard_by_iptables_cleans_up_after_dead_owners_only", dead_owners),
    ("rst_guard_by_iptables_takes_no_other_process_for_the_owner", not_the_owner),
    ("rst_guard_by_iptables_counts_what_it_holds", counts),
    ("rst_guard_by_iptables_survives_a_closed_pipe", closed_pipe),
    ("rst_guard_by_iptables_ended_while_it_starts", ended_while_it_starts),
    ("rst_guard_by_iptables_goes_without_ip6tables", without_ip6tables),
    ("rst_guard_by_iptables_needs_root", without_root),
    ("rst_guard_by_iptables_many_at_the_same_time", many_at_once),
    ("connect_by_iptables_in_every_kind", connect_by_iptables),
    ("rst_guard_by_shellcheck_is_sound", shellcheck),
];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/rst-guard");
/// Shells that may be a system's `sh`, each with its arguments.
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "sh"]];
/// An owner that never lived: above the highest process id there can be.
const NOBODY: &str = "4194305";

/// The script in a shell, the first word of `arguments` its command.
fn script_in(shell: &[&str], tables: Tables, arguments: &str) -> Command {
    let words: Vec<&str> = arguments.split(' ').collect();
    let mut command = command(shell[0], &[&shell[1..], &[SCRIPT], &words].concat());
    command.envs(tables.environment());
    command
}

fn script(tables: Tables, arguments: &str) -> Command {
    script_in(&["sh"], tables, arguments)
}

fn rst_guard(tables: Tables, arguments: &str) -> Said {
    Said::by(&mut script(tables, arguments))
}

/// A hold that stands.
#[track_caller]
fn hold(command: &mut Command) -> Dialogue {
    let mut hold = Dialogue::start(command);
    assert_eq!(hold.line(), "up");
    hold
}

/// A rule of ours as the tables list it: what was asked for between `-A OUTPUT` and the rest.
fn rule(addresses: &str, ports: &str, mark: &str, tag: &str) -> String {
    format!(
        "raw: -A OUTPUT {addresses}-p tcp -m tcp --sport {ports} --tcp-flags RST RST -m mark ! --mark {mark} \
         -m comment --comment \"{tag}\" -j DROP"
    )
}

/// The same rule, IPv4 and IPv6.
fn both(ports: &str, tag: &str) -> Vec<String> {
    vec![rule("", ports, "0x53", tag); 2]
}

fn nothing() -> Vec<String> {
    Vec::new()
}

fn wrong_arguments() {
    alone();
    for (arguments, words) in [
        ("", "up, down, hold, status or clean?"),
        ("frobnicate", "'frobnicate' is not up"),
        ("--port 7", "'--port' is not up"),
        ("up", "up needs --port"),
        ("down --mark 1", "down needs --port"),
        ("hold", "hold needs --port"),
        ("up --port", "--port needs a value"),
        ("up --port 0", "'0' is no port"),
        ("up --port 65536", "'65536' is no port"),
        ("up --port 00000000007", "'00000000007' is no port"),
        ("up --port 9-8", "'9-8' is no port"),
        ("up --port -8", "'-8' is no port"),
        ("up --port 8-", "'8-' is no port"),
        ("up --port 7,,8", "'7,,8' is no port"),
        ("up --port 7,", "'7,' is no port"),
        ("up --port=", "'' is no port"),
        ("up --port 7:8", "'7:8' is no port"),
        ("up --port *", "'*' is no port"),
        ("up --port http", "'http' is no port"),
        ("up --port 7 8", "unknown argument '8'"),
        ("up --port 7 --colour red", "unknown argument '--colour'"),
        ("up --port 7 --local localhost", "'localhost' is no address"),
        ("up --port 7 --local example.org.", "'example.org.' is no address"),
        ("up --port 7 --local -j.A.C.C", "'-j.A.C.C' is no address"),
        ("up --port 7 --peer fd99::g", "'fd99::g' is no address"),
        ("up --port 7 --local 10.0.0.1 --peer fd99::1", "are of two families"),
        ("up --port 7 --local fd99::1 --peer 10.0.0.1", "are of two families"),
        ("up --port 7 --mark 0x", "'0x' is no mark"),
        ("up --port 7 --mark 0x123456789", "'0x123456789' is no mark"),
        ("up --port 7 --mark -1", "'-1' is no mark"),
        ("up --port 7 --mark 0x53/0xff", "'0x53/0xff' is no mark"),
        ("up --port 7 --owner me", "'me' is no process id"),
        ("up --port 07", "'07' is no port"),
        ("up --port 7 --mark 0", "'0' is no mark"),
        ("up --port 7 --mark 0x00", "'0x00' is no mark"),
        ("up --port 7 --mark 010", "'010' is no mark"),
        ("status --port x", "'x' is no port"),
        ("clean up", "unknown argument 'up'"),
    ] {
        rst_guard(Tables::NOWHERE, arguments).assert_complaint(2, words);
    }
    for nobody in ["0", "4194305"] {
        let up = rst_guard(Tables::NOWHERE, &format!("up --port 7 --owner {nobody}"));
        up.assert_complaint(1, &format!("there is no process {nobody}"));
    }
}

fn help() {
    for arguments in ["--help", "-h", "up --help", "hold --port 7 -h"] {
        let said = rst_guard(Tables::NOWHERE, arguments).assert_well();
        for word in
            ["up", "down", "hold", "status", "clean", "--port", "--local", "--peer", "--mark", "--owner"]
        {
            assert!(said.stdout.contains(word), "{word}: {said:?}");
        }
    }
}

/// An iptables that cannot say whether there is a rule, as one that others keep locked.
fn cannot_tell() {
    let folder = Folder::new();
    let locked = folder.file("locked");
    program(&locked, "echo 'Another app is currently holding the xtables lock' >&2; exit 4");
    alone();
    let mut down = script(Tables::NOWHERE, "down --port 7 --local 127.0.0.1");
    Said::by(down.env("IPTABLES", &locked)).assert_complaint(1, "is currently holding the xtables lock");
}

/// Anybody can lock what the script locks: to look, it does not ask for that.
fn locks() {
    let folder = Folder::new();
    let asked = folder.file("asked");
    program(&folder.file("flock"), &format!("echo asked >>{asked}"));
    let path = format!("{}:{}", folder.0.display(), std::env::var("PATH").unwrap());
    for tables in Tables::BOTH {
        alone();
        for (arguments, locks) in
            [("status", false), ("up --port 7", true), ("status", false), ("clean", true)]
        {
            let _ = std::fs::remove_file(&asked);
            Said::by(script(tables, arguments).env("PATH", &path));
            assert_eq!(std::fs::exists(&asked).unwrap(), locks, "{arguments}");
        }
        rst_guard(tables, "down --port 7").assert_well();
    }
}

/// Writes a program in the shell's language. Not by ourselves: what another thread starts meanwhile would have
/// it open, and a program that is open for writing cannot be run.
fn program(path: &str, text: &str) {
    const WRITE: &str = "printf '%s\\n' '#!/bin/sh' \"$2\" >\"$1\" && chmod 755 \"$1\"";
    Said::by(&mut command("sh", &["-c", WRITE, "sh", path, text])).assert_well();
}

fn without_iptables() {
    alone();
    for arguments in ["up --port 7", "hold --port 7", "up --port 7 --local ::1", "clean", "status"] {
        rst_guard(Tables::NOWHERE, arguments).assert_complaint(1, "there is no /nonexistent here");
    }
}

/// The whole life of a guard, as --help tells it, in each shell alike.
fn in_every_shell() {
    for (tables, shell) in Tables::BOTH.into_iter().flat_map(|tables| SHELLS.map(|shell| (tables, shell))) {
        alone();
        let run = |arguments: &str| Said::by(&mut script_in(shell, tables, arguments));
        run("status").assert_silent(1);
        for _ in 0..2 {
            assert_eq!(run("up --port 40000").assert_well().stdout, "");
            assert_eq!(tables.rules(), both("40000", "tcpshake:kept"), "{shell:?}");
        }
        draw_answers_from(40000);
        let dropped = "local=any peer=any mark=0x53 owner=kept lives=kept dropped=1";
        let status = format!("family=ipv4 port=40000 {dropped}\nfamily=ipv6 port=40000 {dropped}\n");
        assert_eq!(run("status").assert_well().stdout, status);
        assert_eq!(run("status --port 40000").assert_well().stdout, status);
        run("status --port 40001").assert_silent(1);
        assert_eq!(kernel_answers_on(40000), SILENT);
        assert_eq!(run("clean").assert_well().stdout, "removed 0\n");
        assert_eq!(
            tables.rules(),
            both("40000", "tcpshake:kept"),
            "clean removes none that stand until down"
        );
        for _ in 0..2 {
            assert_eq!(run("down --port 40000").assert_well().stdout, "");
            assert_eq!(tables.rules(), nothing(), "{shell:?}");
        }
        assert_eq!(kernel_answers_on(40000), ANSWERED);

        // A shell cannot trap what was ignored when it was started, as it is in the background of another.
        let shell = [&["env", "--default-signal=INT,HUP,TERM"], shell].concat();
        let start = || hold(&mut script_in(&shell, tables, "hold --port 40000,40002-40005"));
        let mut held = start();
        draw_answers_from(40004);
        assert_eq!(held.ask(), "held 2");
        assert_eq!(held.ask(), "held 2");
        held.end().assert_well();
        assert_eq!(tables.rules(), nothing(), "{shell:?}");
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let held = start();
            held.signal(signal);
            held.wait().assert_well();
            assert_eq!(tables.rules(), nothing(), "{shell:?} {signal}");
        }
    }
}

fn rules_asked_for() {
    const KEPT: &str = "tcpshake:kept";
    let ours = Pid::this();
    for tables in Tables::BOTH {
        alone();
        for (arguments, expected) in [
            ("--port 65535".to_owned(), both("65535", KEPT)),
            ("--port 7-7".into(), both("7", KEPT)),
            ("--port=7,40010-40020".into(), {
                let (one, range) = (rule("", "7", "0x53", KEPT), rule("", "40010:40020", "0x53", KEPT));
                vec![range.clone(), one.clone(), range, one]
            }),
            ("--port 7 --peer 10.1.2.3".into(), vec![rule("-d 10.1.2.3/32 ", "7", "0x53", KEPT)]),
            ("--port 7 --local fd99::1".into(), vec![rule("-s fd99::1/128 ", "7", "0x53", KEPT)]),
            (
                "--port 7 --local 10.0.0.1 --peer=10.1.2.3".into(),
                vec![rule("-s 10.0.0.1/32 -d 10.1.2.3/32 ", "7", "0x53", KEPT)],
            ),
            ("--port 7 --local ::1 --mark 10".into(), vec![rule("-s ::1/128 ", "7", "0xa", KEPT)]),
            ("--port 7 --mark 0xffffffff".into(), vec![rule("", "7", "0xffffffff", KEPT); 2]),
            (format!("--port 7 --owner {ours}"), both("7", &owner_tag(ours))),
        ] {
            rst_guard(tables, &format!("up {arguments}")).assert_well();
            assert_eq!(tables.rules(), expected, "{arguments}");
            rst_guard(tables, "down --port 8").assert_well();
            rst_guard(tables, "down --port 7 --mark 9").assert_well();
            assert_eq!(tables.rules(), expected, "only what was asked for is taken down");
            rst_guard(tables, &format!("up {arguments}")).assert_well();
            assert_eq!(tables.rules(), expected, "a second time: {arguments}");
            rst_guard(tables, &format!("down {arguments}")).assert_well();
            assert_eq!(tables.rules(), nothing(), "{arguments}");
        }
    }
}

/// What others have put into the same chain, some of it looking much like ours.
fn rules_of_others() {
    let ours = owner_tag(Pid::this());
    let dead = dead_tag();
    let (word_of_ours, dead_and_more) = (format!("of --comment {dead}"), format!("{dead} and more"));
    let looks_like_ours = |comment| [&WITHOUT_COMMENT[..], &["-m", "comment", "--comment", comment]].concat();
    let comments = ["tcpshake", "tcpshake:", "tcpshakeX:kept", "my tcpshake:kept", "tcpshake:kept too"];
    let comments = comments.into_iter().chain([&*word_of_ours, &dead_and_more]);
    let mut others = vec![
        WITHOUT_COMMENT.to_vec(),
        vec!["-A", "OUTPUT", "-p", "tcp", "--sport", "40000"],
        vec!["-A", "PREROUTING", "-p", "tcp", "-m", "comment", "--comment", "tcpshake:kept"],
    ];
    others.extend(comments.map(looks_like_ours));
    for tables in Tables::BOTH {
        alone();
        for other in &others {
            tables.change(&[other, &["-j", "DROP"][..]].concat());
        }
        let before = tables.rules();
        assert_eq!(before.len(), 2 * others.len());
        let assert_ours_are = |count: usize, ours: &str, when: &str| {
            let ours = rule("", "40000", "0x53", ours);
            let (found, rest): (Vec<_>, Vec<_>) = tables.rules().into_iter().partition(|rule| *rule == ours);
            assert_eq!((found.len(), &rest), (count, &before), "{when}");
        };
        for (tag, owner) in [("tcpshake:kept", String::new()), (&ours, format!(" --owner {}", Pid::this()))] {
            rst_guard(tables, &format!("up --port 40000{owner}")).assert_well();
            assert_ours_are(2, tag, "up");
            if !owner.is_empty() {
                let mut held = hold(&mut script(tables, &format!("hold --port 40000{owner}")));
                assert_ours_are(2, tag, "hold");
                assert_eq!(held.ask(), "held 0");
                held.end().assert_well();
                assert_ours_are(0, tag, "end of hold");
            }
            rst_guard(tables, &format!("down --port 40000{owner}")).assert_well();
            assert_ours_are(0, tag, "down");
        }
        assert_eq!(rst_guard(tables, "clean").stdout, "removed 0\n");
        assert_ours_are(0, &dead, "clean");
        let status = rst_guard(tables, "status").stdout;
        assert!(!status.contains("owner=tcpshake") && !status.contains("owner=my"), "{status}");
    }
}

const WITHOUT_COMMENT: [&str; 14] = [
    "-A",
    "OUTPUT",
    "-p",
    "tcp",
    "--sport",
    "40000",
    "--tcp-flags",
    "RST",
    "RST",
    "-m",
    "mark",
    "!",
    "--mark",
    "0x53",
];

/// The name of an owner that does not live.
fn dead_tag() -> String {
    format!("tcpshake:{NOBODY}.1@{}", pid_namespace())
}

/// Puts a rule in place as the script would have done for another owner, in both families.
fn put_rule(tables: Tables, port: &str, tag: &str) {
    let what = ["-A", "OUTPUT", "-p", "tcp", "--sport", port, "--tcp-flags", "RST", "RST"];
    let whose = ["-m", "mark", "!", "--mark", "0x53", "-m", "comment", "--comment", tag, "-j", "DROP"];
    tables.change(&[&what[..], &whose].concat());
}

/// A process that has ended is dead although its parent has not asked after it yet; its name may look like
/// anything.
fn dead_owners() {
    let folder = Folder::new();
    for (tables, name) in
        Tables::BOTH.into_iter().flat_map(|tables| ["cat", "x) Z 1 (y"].map(|name| (tables, name)))
    {
        alone();
        let program = folder.file(name);
        let _ = symlink("/bin/cat", &program); // for the second of the tables it is there
        let mut owner = Dialogue::start(&mut command(&program, &[]));
        let (pid, tag, own) = (owner.pid(), owner_tag(owner.pid()), owner_tag(Pid::this()));
        rst_guard(tables, &format!("up --port 40000 --owner {pid}")).assert_well();
        rst_guard(tables, &format!("up --port 40000 --owner {}", Pid::this())).assert_well();
        let line = |tag: &str| rule("", "40000", "0x53", tag);
        assert_eq!(tables.rules(), [line(&own), line(&tag), line(&own), line(&tag)]);
        let lives = || {
            let said = rst_guard(tables, "status").assert_well().stdout;
            let of_owner = format!(" owner={pid} ");
            let lines = said.lines().filter(|line| line.contains(&of_owner));
            lines.map(|line| line.split(' ').nth(6).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(lives(), ["lives=yes"; 2], "{name}");
        assert_eq!(rst_guard(tables, "clean").assert_well().stdout, "removed 0\n", "{name}");
        owner.stop_talking();
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert_eq!(lives(), ["lives=no"; 2], "{name}");
        assert_eq!(rst_guard(tables, "clean").assert_well().stdout, "removed 2\n", "{name}");
        assert_eq!(tables.rules(), both("40000", &own));
        for command in ["up --port 40001", "hold --port 40001"] {
            put_rule(tables, "40000", &tag);
            assert_eq!(tables.rules().len(), 4);
            rst_guard(tables, command);
            rst_guard(tables, "down --port 40001").assert_well();
            assert_eq!(tables.rules(), both("40000", &own), "{command} cleans up first");
        }
    }
}

fn not_the_owner() {
    let (pid, namespace) = (Pid::this(), pid_namespace());
    let start = start_time(pid);
    // Root of the first pid namespace sees all processes, so he knows that nobody is in the one of number 1.
    let elsewhere = if sees_all_processes() { "no" } else { "unknown" };
    let tags = [
        (format!("tcpshake:{pid}.{start}@{namespace}"), format!("owner={pid} lives=yes")),
        (format!("tcpshake:{pid}.{}@{namespace}", start + 1), format!("owner={pid} lives=no")),
        (format!("tcpshake:{pid}.{start}@1"), format!("owner={pid} lives={elsewhere}")),
        (format!("tcpshake:{NOBODY}.1@1"), format!("owner={NOBODY} lives={elsewhere}")),
        (format!("tcpshake:{NOBODY}.1@{namespace}"), format!("owner={NOBODY} lives=no")),
        (format!("tcpshake:{NOBODY}@{namespace}"), format!("owner={NOBODY}@{namespace} lives=unknown")),
    ];
    for tables in Tables::BOTH {
        alone();
        for (tag, _) in &tags {
            put_rule(tables, "7", tag);
        }
        let said = rst_guard(tables, "status").assert_well().stdout;
        for (line, (_, owner)) in said.lines().zip(tags.iter().chain(&tags)) {
            assert!(line.contains(owner), "{owner}: {line}");
        }
        assert_eq!(said.lines().count(), 2 * tags.len());
        let dead = tags.iter().filter(|(_, owner)| owner.ends_with("lives=no")).count();
        let removed = format!("removed {}\n", 2 * dead);
        assert_eq!(rst_guard(tables, "clean").assert_well().stdout, removed);
        let left = tags.iter().filter(|(_, owner)| !owner.ends_with("lives=no"));
        let left: Vec<String> = left.map(|(tag, _)| rule("", "7", "0x53", tag)).collect();
        assert_eq!(tables.rules(), [&left[..], &left].concat());
    }
}

fn counts() {
    for tables in Tables::BOTH {
        alone();
        let start = || hold(&mut script(tables, "hold --port 40000,41000-41002"));
        let mut held = start();
        assert_eq!(held.ask(), "held 0");
        for count in 1..=3 {
            draw_answers_from(40000);
            draw_answers_from(41001);
            assert_eq!(held.ask(), format!("held {}", 4 * count));
        }
        draw_answers_from(41003);
        assert_eq!(held.ask(), "held 12");
        assert_eq!((kernel_answers_on(40000), kernel_answers_on(41003)), (SILENT, ANSWERED));
        tables.change(&["-F"]);
        assert_eq!(held.ask(), "lost");
        held.end().assert_well();

        let mut held = start();
        let last_of_v6 = ["-t", "raw", "-D", "OUTPUT", "2"];
        Said::by(&mut command(tables.v6, &last_of_v6)).assert_well();
        assert_eq!(held.ask(), "lost", "one is enough");
        held.end().assert_well();
        assert_eq!(tables.rules(), nothing());
    }
}

fn closed_pipe() {
    for (tables, shell) in Tables::BOTH.into_iter().flat_map(|tables| SHELLS.map(|shell| (tables, shell))) {
        alone();
        let mut held = hold(&mut script_in(shell, tables, "hold --port 40000"));
        held.stop_listening();
        held.say();
        held.say();
        let said = held.end();
        assert_eq!((said.code, tables.rules()), (Some(0), nothing()), "{shell:?}: {said:?}");
    }
}

/// Ended by a signal after the first rule, before it says that it is up.
fn ended_while_it_starts() {
    // A process of its own writes the wrapper: while one of ours had it open, it could not be run.
    const WRITE: &str = "printf '%s\n' '#!/bin/sh' \"$1 \\\"\\$@\\\"; code=\\$?\" 'trap \"\" TERM' \
                         'case $* in *-I*) kill -TERM 0 ;; esac' 'exit $code' >\"$0\" && chmod +x \"$0\"";
    let folder = Folder::new();
    for tables in Tables::BOTH {
        alone();
        let wrapper = folder.file(tables.v4);
        Said::by(&mut command("sh", &["-c", WRITE, &wrapper, tables.v4])).assert_well();
        let mut hold = script(tables, "hold --port 40000");
        let said = Said::by(hold.env("IPTABLES", &wrapper).process_group(0));
        assert_eq!((said.code, &*said.stdout), (Some(0), ""), "{said:?}");
        assert_eq!(tables.rules(), nothing());
    }
}

fn without_ip6tables() {
    const NOT_THERE: &str = "there is no /nonexistent here";
    for tables in Tables::BOTH {
        alone();
        let lacking = Tables { v6: "/nonexistent", ..tables };
        let only_v4 = [rule("", "40000", "0x53", "tcpshake:kept")];
        rst_guard(lacking, "up --port 40000")
            .assert_complaint(0, &format!("{NOT_THERE}: IPv6 is not guarded"));
        assert_eq!(tables.rules(), only_v4);
        assert_eq!(kernel_answers_on(40000), [Proof::Silent, Proof::Answered]);
        rst_guard(lacking, "down --port 40000").assert_well();
        let mut held = hold(&mut script(lacking, "hold --port 40000"));
        assert_eq!(tables.rules(), [rule("", "40000", "0x53", &owner_tag(held.pid()))], "its own");
        assert_eq!(held.ask(), "held 0");
        held.end().assert_complaint(0, &format!("{NOT_THERE}: IPv6 is not guarded"));
        assert_eq!(tables.rules(), nothing());
        rst_guard(lacking, "up --port 40000 --local 127.0.0.1").assert_well();
        rst_guard(lacking, "down --port 40000 --local 127.0.0.1").assert_well();
        for address in ["--local ::1", "--peer ::1"] {
            rst_guard(lacking, &format!("up --port 40000 {address}")).assert_complaint(1, NOT_THERE);
        }
        let lacking = Tables { v4: "/nonexistent", ..tables };
        rst_guard(lacking, "up --port 40000").assert_complaint(1, NOT_THERE);
        assert_eq!(tables.rules(), nothing());
    }
}

fn without_root() {
    for tables in Tables::BOTH {
        alone();
        put_rule(tables, "40000", &dead_tag());
        rst_guard(tables, "up --port 40001").assert_well();
        let before = tables.rules();
        for arguments in ["up --port 40000", "hold --port 40000", "down --port 40001", "clean", "status"] {
            let said = bound_to(&[], || rst_guard(tables, arguments));
            assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{arguments}: {said:?}");
            for line in said.stderr.lines() {
                assert!(line.starts_with("rst-guard: ") && line.ends_with("(run it as root)"), "{said:?}");
            }
            assert!(!said.stderr.is_empty(), "{arguments}");
            assert_eq!(tables.rules(), before, "{arguments}");
        }
    }
}

/// With flock the script takes turns; without, iptables itself has to keep order.
fn many_at_once() {
    const MANY: u16 = 8;
    let folder = Folder::new();
    for name in ["cat", "readlink", "grep", "head", "tr"] {
        symlink(format!("/bin/{name}"), folder.file(name)).unwrap();
    }
    let no_flock = folder.file("");
    let with_flock = std::env::var("PATH").unwrap();
    for (tables, path) in
        Tables::BOTH.into_iter().flat_map(|tables| [&with_flock, &no_flock].map(|path| (tables, path)))
    {
        alone();
        let script = |arguments: &str| {
            let mut script = script_in(&["/bin/sh"], tables, arguments);
            script.env("PATH", path);
            script
        };
        let up: Vec<Dialogue> =
            (0..MANY).map(|_| Dialogue::start(&mut script("up --port 40000,40002-40003"))).collect();
        for up in up {
            up.wait().assert_well();
        }
        let rules = tables.rules().len();
        assert!(if path == &with_flock { rules == 4 } else { rules >= 4 }, "{rules} rules");
        Said::by(&mut script("down --port 40000,40002-40003")).assert_well();
        assert_eq!(tables.rules(), nothing());

        let start = |n: u16| Dialogue::start(&mut script(&format!("hold --port {}", 40_000 + n)));
        let mut held: Vec<Dialogue> = (0..MANY).map(start).collect();
        for held in &mut held {
            assert_eq!(held.line(), "up");
        }
        for (n, held) in (0..MANY).zip(&mut held) {
            for _ in 0..n {
                draw_answers_from(40_000 + n);
            }
            assert_eq!(held.ask(), format!("held {}", 2 * n));
        }
        held.iter_mut().for_each(Dialogue::stop_talking);
        for held in held {
            held.wait().assert_well();
        }
        assert_eq!(tables.rules(), nothing());
    }
}

/// No RST of the kernel's leaves, each that it wanted to send was counted, our own passes, and nothing is
/// left: neither of ours, nor of one that died before.
fn connect_by_iptables() {
    for tables in Tables::BOTH {
        let world = World::new();
        let server = world.server(close_after_client);
        for (target, near) in [(server.v4(), NEAR_V4.into()), (server.v6(), NEAR_V6.into())] {
            put_rule(tables, "40000", &dead_tag());
            let connect = |more: &[&str]| {
                let arguments = [&[&*target, "--guard", "iptables"], more].concat();
                Running::connect_in(&tables.environment(), &arguments).finish()
            };
            let run = connect(&[]);
            run.assert_ended(0, "completed");
            let begin = &run.lines[0];
            assert_eq!((&begin["guard"], &begin["guard_proven"]), (&"iptables".into(), &true.into()));
            assert_eq!(run.end()["held_back"], 3, "SYN,ACK, ACK and FIN,ACK");
            let captured = world.capture.segments();
            assert_eq!(resets_from(&captured, near), 0);
            assert_told_as_captured(&run, &captured);
            assert_eq!(tables.rules(), nothing());

            let run = connect(&["--close", "reset"]);
            run.assert_ended(0, "completed");
            let captured = world.capture.segments();
            assert_eq!((resets_from(&captured, near), &run.end()["held_back"]), (1, &1.into()));
            assert_told_as_captured(&run, &captured);
        }
        assert_eq!(tables.rules(), nothing());
    }
}

fn shellcheck() {
    Said::by(&mut command("shellcheck", &["-s", "sh", SCRIPT])).assert_well();
}
