//! `tcpshake guard`: each command, with each kind of guard; and that `auto` takes the next kind where one
//! does not work, and nothing else does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::Command;

use caps::Capability;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tcpshake::guard::Proof;
use tcpshake::lab::{NEAR_V4, NEAR_V6, unshare_network};
use tcpshake::packet::Ports;
use tcpshake::tcp::Flags;

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{
    Dialogue, Folder, Running, Said, TCPSHAKE, Tables, children, command, reap, sees_all_processes,
};
use crate::world::{
    ANSWERED, LOOPBACKS, SILENT, World, alone, bound_to, close_after_client, draw_answers_from,
    kernel_answers_on, send_to_ourselves,
};

pub(crate) const TESTS: &[Named] = &[
    ("guard_run_holds_while_the_command_runs", || WITH_NOTHING.iter().for_each(run_holds)),
    ("guard_run_by_iptables_holds_while_the_command_runs", || BY_IPTABLES.iter().for_each(run_holds)),
    ("guard_run_passes_signals_on_and_keeps_no_privilege", || WITH_NOTHING.iter().for_each(run_and_signals)),
    ("guard_run_by_iptables_passes_signals_on_and_keeps_no_privilege", || {
        BY_IPTABLES.iter().for_each(run_and_signals);
    }),
    ("guard_up_holds_until_guard_down", || WITH_NOTHING.iter().for_each(up_and_down)),
    ("guard_up_by_iptables_holds_until_guard_down", || BY_IPTABLES.iter().for_each(up_and_down)),
    ("guard_up_many_at_the_same_time", || WITH_NOTHING.iter().for_each(many_up)),
    ("guard_up_by_iptables_many_at_the_same_time", || BY_IPTABLES.iter().for_each(many_up)),
    ("guard_up_believes_no_holder_without_a_guard", does_not_stand),
    ("a_guard_ends_with_its_holder", || WITH_NOTHING.iter().for_each(holder_killed)),
    ("a_guard_by_iptables_ends_with_its_holder", || BY_IPTABLES.iter().for_each(holder_killed)),
    ("a_guard_ends_with_guard_run", || WITH_NOTHING.iter().for_each(run_killed)),
    ("a_guard_by_iptables_ends_with_guard_run", || BY_IPTABLES.iter().for_each(run_killed)),
    ("guard_run_by_iptables_tells_that_the_rules_were_removed", lost),
    ("guards_by_iptables_of_dead_owners_are_found_and_removed", dead_owners),
    ("guards_of_many_ports", || WITH_NOTHING.iter().for_each(many_ports)),
    ("guards_by_iptables_of_many_ports", || BY_IPTABLES.iter().for_each(many_ports)),
    ("guards_of_all_ephemeral_ports", || ephemeral_ports(&NFT)),
    ("guards_by_iptables_of_all_ephemeral_ports", || BY_IPTABLES.iter().for_each(ephemeral_ports)),
    ("a_guard_of_every_port_has_none_to_compare_with", every_port),
    ("guards_let_marked_rsts_pass", || marked(&NFT)),
    ("guards_by_iptables_let_marked_rsts_pass", || BY_IPTABLES.iter().for_each(marked)),
    ("guards_of_one_address", || WITH_NOTHING.iter().for_each(one_address)),
    ("guards_by_iptables_of_one_address", || BY_IPTABLES.iter().for_each(one_address)),
    ("guards_without_ipv6", || WITH_NOTHING.iter().for_each(without_ipv6)),
    ("guards_by_iptables_without_ipv6", || BY_IPTABLES.iter().for_each(without_ipv6)),
    ("guards_by_iptables_without_ip6tables", without_ip6tables),
    ("a_guard_on_a_taken_port", taken_port),
    ("strangers_do_not_end_a_guard", strangers),
    ("another_user_does_not_end_a_guard", another_user),
    ("guard_status_lists_guards", status),
    ("guard_status_by_iptables_tells_whose_rules_they_are", status_of_rules),
    ("guard_status_says_what_it_could_not_look_at", status_without_privileges),
    ("guard_test_asks_the_kernel", guard_test),
    ("guard_test_says_when_it_cannot_tell", guard_test_in_the_dark),
    ("guard_clean_needs_iptables", clean_without_iptables),
    ("a_guard_asked_for_is_never_replaced", never_replaced),
    ("a_guard_by_iptables_asked_for_is_never_replaced", never_replaced_by_iptables),
    ("auto_takes_nft_where_no_listener_works", auto_takes_nft),
    ("auto_by_iptables_where_nothing_else_works", auto_takes_iptables),
    ("auto_says_why_no_guard_works", auto_takes_none),
];

/// A kind of guard, and the iptables there are.
struct Case {
    kind: &'static str,
    tables: Tables,
}

const LISTENER: Case = Case { kind: "listener", tables: Tables::NOWHERE };
const NFT: Case = Case { kind: "nft", tables: Tables::NOWHERE };
const WITH_NOTHING: [Case; 2] = [LISTENER, NFT];
const BY_IPTABLES: [Case; 2] =
    [Case { kind: "iptables", tables: Tables::BOTH[0] }, Case { kind: "iptables", tables: Tables::BOTH[1] }];

const PORT: u16 = 40_000;

impl Case {
    /// `tcpshake guard`, its arguments words with a space between, and then as they are.
    fn command(&self, arguments: &str, more: &[&str]) -> Command {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = command(TCPSHAKE, &[&["guard"], &*words, more].concat());
        command.envs(self.tables.environment());
        command
    }

    fn guard(&self, arguments: &str) -> Said {
        Said::by(&mut self.command(arguments, &[]))
    }

    /// A command inside a guard of this kind.
    fn around(&self, inner: &[&str]) -> Command {
        self.command(&format!("run --port {PORT} --guard {} --", self.kind), inner)
    }

    /// `guard up` with a guard of this kind.
    #[track_caller]
    fn up(&self, arguments: &str) -> Holder {
        let said = self.guard(&format!("up --guard {} {arguments}", self.kind)).assert_well().stdout;
        let kind = said.split(": ").nth(1).unwrap();
        assert!(kind.starts_with(self.kind) && said.ends_with(", proven\n"), "{said}");
        self.holder()
    }

    #[track_caller]
    fn holder(&self) -> Holder {
        Holder(Some(self.holding()))
    }

    /// Who holds the guards there are.
    #[track_caller]
    fn holding(&self) -> Pid {
        let found = self.found();
        let pid = found[0]["pid"].as_i64().unwrap();
        for found in &found {
            assert_eq!((&found["guard"], &found["owner"]), (&self.kind.into(), &"lives".into()), "{found}");
            assert_eq!((&found["pid"], &found["command"]), (&pid.into(), &"tcpshake".into()), "{found}");
        }
        Pid::from_raw(pid as i32)
    }

    /// What `guard status` finds.
    fn found(&self) -> Vec<Value> {
        let lines = self.guard("status --format json").assert_well().json();
        lines.into_iter().filter(|line| line["type"] == "guard").collect()
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        // The kernel first: the program would wait its turn behind a script that still cleans up.
        assert_eq!(kernel_answers_on(PORT), ANSWERED, "{}", self.kind);
        if self.tables.v4 != Tables::NOWHERE.v4 {
            assert_eq!(self.tables.rules(), [] as [&str; 0]);
        }
        assert_eq!(self.found(), [] as [Value; 0]);
    }
}

/// What `guard up` has left in the background: a child of ours since its parent ended.
struct Holder(Option<Pid>);

impl Holder {
    fn pid(&self) -> Pid {
        self.0.unwrap()
    }

    /// Its end, for which it must have a reason.
    fn ended(mut self) -> WaitStatus {
        reap(self.0.take().unwrap())
    }

    fn killed(self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        self.ended();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// What `/proc` says about privileges, without the names.
fn privileges(status: &str) -> Vec<String> {
    let text = std::fs::read_to_string(status).unwrap();
    let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    ["CapEff:", "CapPrm:", "NoNewPrivs:"].map(of).to_vec()
}

#[track_caller]
fn assert_no_privileges(pid: Pid) {
    const NONE: &str = "0000000000000000";
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = task.unwrap().path().join("status");
        assert_eq!(privileges(status.to_str().unwrap()), [NONE, NONE, "1"], "{}", status.display());
    }
}

fn run_holds(case: &Case) {
    alone();
    let run = |inner: &[&str]| Said::by(&mut case.around(inner));
    let said = run(&[TCPSHAKE, "guard", "test", "40000"]);
    let silent = |ip| format!("port 40000 of {ip}: the kernel keeps silent: it is guarded\n");
    assert_eq!((said.code, said.stdout), (Some(0), silent("127.0.0.1") + &silent("::1")));
    let described = said.stderr.strip_prefix(&format!("tcpshake: guard on port 40000: {}", case.kind));
    assert!(described.unwrap().ends_with(", proven\n"), "{}", said.stderr);
    assert_eq!(said.stderr.lines().count(), 1);
    case.assert_nothing_is_left();

    for (script, code) in [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("exit 0", 0)] {
        assert_eq!(run(&["sh", "-c", script]).code, Some(code), "{script}");
        case.assert_nothing_is_left();
    }
    let quiet = |inner: &str| case.guard(&format!("run -q --port 40000 --guard {} {inner}", case.kind));
    quiet("true").assert_silent(0);
    quiet("/nonexistent").assert_complaint(127, "tcpshake: cannot run /nonexistent: no such file");
    case.assert_nothing_is_left();

    // Only a listener keeps the port for itself.
    let inner = run(&[TCPSHAKE, "guard", "run", "-q", "--port", "40000", "--guard", "listener", "true"]);
    if case.kind == "listener" {
        assert_eq!(inner.code, Some(8));
        assert!(inner.stderr.contains("port 40000 is taken by tcpshake (pid "), "{inner:?}");
    } else {
        assert_eq!(inner.code, Some(0));
    }
    case.assert_nothing_is_left();
}

/// The command has the privileges we were started with; we keep none. That the signal arrived tells that we
/// have given them up: we wait for signals only then.
fn run_and_signals(case: &Case) {
    const COMMAND: &str = "trap 'echo passed; read line; exit 5' TERM HUP
        trap 'echo passed; read line; exit 6' INT
        grep -e CapEff: -e CapPrm: -e NoNewPrivs: /proc/self/status | tr '\\t\\n' '  '; echo
        read line; exit 7";
    alone();
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut run = Dialogue::start(&mut case.around(&["sh", "-c", COMMAND]));
        let ours = privileges("/proc/thread-self/status");
        let line = run.line();
        let theirs: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(theirs, ["CapPrm:", &ours[1], "CapEff:", &ours[0], "NoNewPrivs:", &ours[2]]);
        run.signal(signal);
        assert_eq!(run.line(), "passed", "{signal}");
        assert_no_privileges(run.pid());
        assert_eq!(kernel_answers_on(PORT), SILENT);
        assert_eq!(run.end().code, Some(5), "{signal}");
        case.assert_nothing_is_left();
    }
    // From a terminal it comes to the command by itself; what a process sends is for both.
    let mut run = Dialogue::start(&mut case.around(&["sh", "-c", COMMAND]));
    run.line();
    run.signal(Signal::SIGINT);
    assert_eq!(run.line(), "passed");
    assert_eq!(run.end().code, Some(6));
    case.assert_nothing_is_left();
}

fn up_and_down(case: &Case) {
    alone();
    let down = |said: &str| {
        let expected = format!("guard on port 40000: {said}\n");
        assert_eq!(case.guard("down --port 40000").assert_well().stdout, expected);
    };
    down("there is none that guard up put up");
    let holder = case.up("--port 40000");
    assert_no_privileges(holder.pid());
    assert_eq!(kernel_answers_on(PORT), SILENT);
    let again = case.guard(&format!("up --guard {} --port 40000", case.kind)).assert_well();
    assert_eq!(again.stdout, "guard on port 40000: up already\n");
    assert_eq!(case.holding(), holder.pid());
    assert_eq!(kernel_answers_on(PORT), SILENT);
    down("down");
    case.assert_nothing_is_left();
    let pid = holder.pid();
    assert_eq!(holder.ended(), WaitStatus::Exited(pid, 0));
    down("there is none that guard up put up");

    // A signal ends it as well.
    let holder = case.up("--port 40000");
    let pid = holder.pid();
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(holder.ended(), WaitStatus::Exited(pid, 0));
    case.assert_nothing_is_left();
}

/// All find it up, whoever of them was the first, and one `down` is enough.
fn many_up(case: &Case) {
    alone();
    let up = || Dialogue::start(&mut case.command(&format!("up --port 40000 --guard {}", case.kind), &[]));
    let many: Vec<Dialogue> = (0..8).map(|_| up()).collect();
    let said: Vec<Said> = many.into_iter().map(|up| up.wait().assert_well()).collect();
    assert_eq!(said.iter().filter(|said| said.stdout.ends_with(", proven\n")).count(), 1, "{said:?}");
    let holder = case.holder();
    case.guard("down --port 40000").assert_well();
    holder.ended();
    case.assert_nothing_is_left();
}

/// A holder that has the name but no guard yet, and then fails to get one.
fn does_not_stand() {
    alone();
    let holder = LISTENER.up("--port 40000");
    let name = name_of_the_holder();
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
    let listener = UnixListener::bind_addr(&name).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                let _ = listener.accept().unwrap().0.read(&mut [0; 4]);
            }
        });
        let up = LISTENER.guard("up --port 40000");
        let _so_that_the_thread_ends = [(); 2].map(|()| UnixStream::connect_addr(&name));
        up.assert_complaint(8, "tcpshake: cannot hold the guard in the background: address already in use");
    });
    drop(listener);
    LISTENER.assert_nothing_is_left();
}

/// Where the one holder of this namespace is to be reached.
fn name_of_the_holder() -> SocketAddr {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/unix").unwrap();
    let name = sockets.split_whitespace().find_map(|word| word.strip_prefix("@tcpshake-guard-"));
    SocketAddr::from_abstract_name(format!("tcpshake-guard-{}", name.unwrap())).unwrap()
}

/// With iptables its script, which was its child, cleans up.
fn holder_killed(case: &Case) {
    alone();
    let holder = case.up("--port 40000");
    let scripts = children(holder.pid());
    assert_eq!(scripts.len(), usize::from(case.kind == "iptables"));
    holder.killed();
    for script in scripts {
        assert_eq!(reap(script), WaitStatus::Exited(script, 0));
    }
    case.assert_nothing_is_left();
    let holder = case.up("--port 40000");
    case.guard("down --port 40000").assert_well();
    holder.ended();
}

/// What it was held for goes on without it.
fn run_killed(case: &Case) {
    alone();
    let mut run = Dialogue::start(&mut case.around(&["cat"]));
    assert_eq!(run.ask(), ""); // so the command runs
    assert_eq!(kernel_answers_on(PORT), SILENT);
    let children = children(run.pid());
    assert_eq!(children.len(), 1 + usize::from(case.kind == "iptables"));
    run.kill();
    assert_eq!(run.end().code, None);
    for child in children {
        assert_eq!(reap(child), WaitStatus::Exited(child, 0), "the command, and with iptables the script");
    }
    case.assert_nothing_is_left();
}

/// Somebody empties the table while the guard is needed.
fn lost() {
    for case in &BY_IPTABLES {
        alone();
        let said = Said::by(&mut case.around(&["sh", "-c", "$IPTABLES -t raw -F; exit 3"]));
        assert_eq!(said.code, Some(3), "{said:?}");
        let words = "\ntcpshake: the guard was taken away while the command ran (a firewall reload?)\n";
        assert!(said.stderr.ends_with(words), "{said:?}");
        case.assert_nothing_is_left();
    }
}

fn dead_owners() {
    for case in &BY_IPTABLES {
        alone();
        let leave = || {
            let holder = case.up("--port 40000");
            for script in children(holder.pid()) {
                kill(script, Signal::SIGKILL).unwrap();
            }
            holder.killed();
            assert_eq!(kernel_answers_on(PORT), SILENT, "the rules stand yet");
        };
        leave();
        for found in case.found() {
            assert_eq!((&found["owner"], &found["command"]), (&"dead".into(), &Value::Null), "{found}");
        }
        let said = case.guard("status").assert_well().stdout;
        assert!(said.contains(", dead)") && said.contains("sudo tcpshake guard clean\n"), "{said}");
        assert_eq!(case.guard("clean").assert_well().stdout, "rules of dead owners removed: 2\n");
        case.assert_nothing_is_left();
        assert_eq!(case.guard("clean").assert_well().stdout, "rules of dead owners removed: 0\n");
        leave();
        case.guard("run -q --port 50000 --guard iptables true").assert_silent(0);
        case.assert_nothing_is_left();
    }
}

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

fn taken_port() {
    alone();
    let _others = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).unwrap();
    let by = "port 40000 is taken by netns-";
    let pid = format!("(pid {})", std::process::id());
    for command in ["up --port 40000 --guard listener", "run --port 40000 --guard listener true"] {
        let said = LISTENER.guard(command);
        said.assert_complaint(8, by);
        said.assert_complaint(8, &pid);
    }
    let down = LISTENER.guard("down --port 40000").assert_well().stdout;
    assert_eq!(down, "guard on port 40000: there is none that guard up put up\n");
    // The firewall's guards leave the port to others; the listener whose answers it drops is one of them.
    let said = NFT.guard("up --port 40000").assert_well().stdout;
    assert!(
        said.starts_with("guard on port 40000: nft, proven; not listener: port 40000 is taken"),
        "{said}"
    );
    let holder = NFT.holder();
    assert_eq!(kernel_answers_on(PORT), SILENT);
    NFT.guard("down --port 40000").assert_well();
    holder.ended();
    NFT.assert_nothing_is_left();
}

fn strangers() {
    alone();
    let holder = LISTENER.up("--port 40000");
    let name = name_of_the_holder();
    let call = || UnixStream::connect_addr(&name).unwrap();
    let mute = call();
    let long = vec![b'x'; 100_000];
    for words in [&b""[..], b"d", b"dawn", b"stay", b"DOWN", &long, b"\0\0\0\0"] {
        let _ = call().write_all(words); // it may have hung up before we are through
    }
    let again = LISTENER.guard("up --guard listener --port 40000").assert_well().stdout;
    assert_eq!(again, "guard on port 40000: up already\n");
    assert_eq!(kernel_answers_on(PORT), SILENT);
    let also_mute = call();
    let down = LISTENER.guard("down --port 40000").assert_well().stdout;
    assert_eq!(down, "guard on port 40000: down\n");
    holder.ended();
    LISTENER.assert_nothing_is_left();
    drop((mute, also_mute));
}

fn another_user() {
    const NOBODY: &str = "65534";
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().last() == Some("1") {
        eprintln!("not tested: another user, for this user namespace has but one");
        return;
    }
    alone();
    let holder = LISTENER.up("--port 40000");
    // By descriptor: the path to the program may be closed to others.
    let mut other = command(
        "setpriv",
        &[
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
            "/proc/self/fd/0",
            "guard",
            "down",
            "--port",
        ],
    );
    let other = other.arg("40000").stdin(std::fs::File::open(TCPSHAKE).unwrap());
    Said::by(other)
        .assert_complaint(8, "what holds port 40000 is another user's (see: sudo tcpshake guard status)");
    assert_eq!(kernel_answers_on(PORT), SILENT);
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
}

fn status() {
    const NO_IPTABLES: &str = "cannot look for iptables guards: there is no /nonexistent here\n";
    alone();
    let text = || LISTENER.guard("status").assert_well().stdout;
    assert_eq!(text(), format!("no guard found\n{NO_IPTABLES}"));
    let others = LOOPBACKS.map(|ip| TcpListener::bind((ip, 50_000)).unwrap());
    assert_eq!(LISTENER.found(), [] as [Value; 0], "a listener of another program is no guard");
    drop(others);

    let holder = LISTENER.up("--port 40000");
    let pid = holder.pid();
    let line = |covers: &str| format!("listener  {covers}  (tcpshake (pid {pid}), lives)\n");
    assert_eq!(text(), line("port 40000, ipv4") + &line("port 40000, ipv6") + NO_IPTABLES);
    let found = |family: &str| {
        json!({"type": "guard", "guard": "listener", "ports": "40000", "family": family, "address": null,
               "peer": null, "pid": pid.as_raw(), "command": "tcpshake", "owner": "lives", "held_back": null})
    };
    let unseen = json!({"type": "unseen", "guard": "iptables", "why": "there is no /nonexistent here"});
    let lines = LISTENER.guard("status --format json").assert_well().json();
    assert_eq!(lines, [found("ipv4"), found("ipv6"), unseen]);
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();

    let holder = NFT.up("--port 40000-40009,7 --address 127.0.0.1");
    let expected = format!(
        "nft       port 7,40000-40009 of 127.0.0.1  (tcpshake (pid {}), lives)  2 held back\n",
        holder.pid()
    );
    assert_eq!(text(), expected + NO_IPTABLES, "the self-test's own, at the lowest and the highest port");
    NFT.guard("down --port 7,40000-40009 --address 127.0.0.1").assert_well();
    holder.ended();
}

fn status_of_rules() {
    for case in &BY_IPTABLES {
        alone();
        let holder = case.up("--port 40000 --address 127.0.0.1");
        let (pid, program) = (holder.pid(), case.tables.v4);
        let by_hand = ["-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "8:9", "-d", "10.1.2.3"];
        for tag in ["tcpshake:kept", "tcpshake:7.8@9"] {
            let rest = ["-m", "comment", "--comment", tag, "-j", "DROP"];
            Said::by(&mut command(program, &[&by_hand[..], &rest].concat())).assert_well();
        }
        let before = case.found()[0]["held_back"].as_i64().unwrap(); // the self-test's own
        draw_answers_from(PORT);
        let held = before + 1;
        // Root of the first namespaces knows that nobody is in another.
        let (elsewhere, owner) = if sees_all_processes() {
            (", dead", "dead")
        } else {
            (" of another pid namespace", "elsewhere")
        };
        let expected = format!(
            "iptables  port 40000 of 127.0.0.1/32  (tcpshake (pid {pid}), lives)  {held} held back\n\
             iptables  port 8-9, ipv4, to 10.1.2.3/32  (nobody: put up by hand)  0 held back\n\
             iptables  port 8-9, ipv4, to 10.1.2.3/32  (pid 7{elsewhere})  0 held back\n"
        );
        let status = case.guard("status").assert_well().stdout;
        assert!(status.starts_with(&expected), "{expected}{status}");
        let told: Vec<Value> = case
            .found()
            .iter()
            .map(|found| json!([found["owner"], found["pid"], found["held_back"]]))
            .collect();
        assert_eq!(
            told,
            [json!(["lives", pid.as_raw(), held]), json!(["nobody", null, 0]), json!([owner, 7, 0])]
        );
        let said = bound_to(&[], || case.guard("status")).assert_well().stdout;
        assert!(said.contains("cannot look for iptables guards: iptables-"), "{said}");
        assert!(said.ends_with("(run it as root)\n"), "{said}");
        case.guard("down --port 40000 --address 127.0.0.1").assert_well();
        holder.ended();
    }
}

fn status_without_privileges() {
    alone();
    let holder = LISTENER.up("--port 40000");
    let [text, json] =
        ["status", "status --format json"].map(|status| bound_to(&[], || LISTENER.guard(status)));
    let text = text.assert_well().stdout;
    assert!(
        text.contains(&format!("listener  port 40000, ipv4  (tcpshake (pid {}), lives)\n", holder.pid())),
        "{text}"
    );
    assert!(text.contains("cannot look for nft guards: operation not permitted"), "{text}");
    let unseen: Vec<Value> =
        json.assert_well().json().into_iter().filter(|line| line["type"] == "unseen").collect();
    assert_eq!((&unseen[0]["guard"], &unseen[1]["guard"]), (&"nft".into(), &"iptables".into()));
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
}

fn guard_test() {
    let _world = World::new();
    let test = |arguments: &str| LISTENER.guard(&format!("test {arguments}"));
    let answers =
        |ip| format!("port 40000 of {ip}: the kernel answers with RST: nothing holds it back here\n");
    let said = test("40000");
    assert_eq!(
        (said.code, said.stdout, &*said.stderr),
        (Some(1), answers("127.0.0.1") + &answers("::1"), "")
    );
    let said = test("40000 --address fd99::1");
    assert_eq!((said.code, said.stdout), (Some(1), answers("fd99::1")));

    let holder = LISTENER.up("--port 40000 --address 127.0.0.1");
    assert_eq!(test("40000 --address 127.0.0.1").code, Some(0));
    let said = test("40000 --format json");
    let line = |address: &str, kernel: &str| json!({"type": "test", "address": address, "port": 40000, "kernel": kernel, "why": null});
    assert_eq!(
        (said.code, said.json()),
        (Some(1), vec![line("127.0.0.1", "silent"), line("::1", "answers")])
    );
    LISTENER.guard("down --port 40000 --address 127.0.0.1").assert_well();
    holder.ended();
    // One that cannot be asked does not hide another that answers.
    let mut around = NFT.command("run -q --port 1-65535 --address ::1 --guard nft", &[TCPSHAKE]);
    let said = Said::by(around.args(["guard", "test", "40000"]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("of ::1: the kernel cannot be asked"), "{said:?}");
    test("40000 --address 192.0.2.1").assert_complaint(8, "192.0.2.1 is not one of this machine's");
    for wrong in ["0", "65536", "40000-40001", "http", ""] {
        assert_eq!(test(wrong).code, Some(2), "{wrong}");
    }
}

fn guard_test_in_the_dark() {
    unshare_network().unwrap(); // its loopback is down
    let said = NFT.guard("test 40000");
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stdout.starts_with("port 40000 of 127.0.0.1: the kernel cannot be asked: "), "{said:?}");
    let said = NFT.guard("test 40000 --format json");
    let line = &said.json()[0];
    assert_eq!((said.code, &line["kernel"], line["why"].is_string()), (Some(8), &"unknown".into(), true));
    // A guard stands all the same, and says that it is not proven.
    let said = NFT.guard("run --port 40000 --guard nft true");
    assert_eq!(said.code, Some(0));
    assert!(said.stderr.starts_with("tcpshake: guard on port 40000: nft, not tested: "), "{said:?}");
    alone();
    let said = bound_to(&[], || NFT.guard("test 40000"));
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stdout.contains("needs CAP_NET_RAW"), "{said:?}");
}

fn clean_without_iptables() {
    alone();
    NFT.guard("clean").assert_complaint(8, "cannot remove rules: there is no /nonexistent here");
}

/// Asked for by name: that kind or none.
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
