//! `guard up` and `guard down`: a guard held in the background, and who may end it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::iter;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{BY_IPTABLES, Case, LISTENER, NFT, PORT, WITH_NOTHING, assert_no_privileges};
use crate::Named;
use crate::run::{Dialogue, Said, TCPSHAKE, children, command, reap};
use crate::world::{SILENT, alone, kernel_answers_on};

pub(crate) const TESTS: &[Named] = &[
    ("guard_up_holds_until_guard_down", || WITH_NOTHING.iter().for_each(up_and_down)),
    ("guard_up_by_iptables_holds_until_guard_down", || BY_IPTABLES.iter().for_each(up_and_down)),
    ("guard_up_many_at_the_same_time", || WITH_NOTHING.iter().for_each(many_up)),
    ("guard_up_by_iptables_many_at_the_same_time", || BY_IPTABLES.iter().for_each(many_up)),
    ("guard_up_believes_no_holder_without_a_guard", does_not_stand),
    ("guard_up_is_not_content_with_another_guard", another_stands),
    ("guard_up_by_iptables_sees_that_its_rules_are_gone", rules_are_gone),
    ("guard_up_by_iptables_leaves_the_rules_of_a_slow_script", slow_script),
    ("guard_up_does_not_wait_where_nobody_answers", nobody_answers),
    ("a_holder_whom_nobody_hears_holds_nothing", nobody_hears),
    ("guard_up_keeps_no_file_of_its_callers", no_file_is_kept),
    ("a_guard_ends_with_its_holder", || WITH_NOTHING.iter().for_each(holder_killed)),
    ("a_guard_by_iptables_ends_with_its_holder", || BY_IPTABLES.iter().for_each(holder_killed)),
    ("a_guard_on_a_taken_port", taken_port),
    ("strangers_do_not_end_a_guard", strangers),
    ("another_user_does_not_end_a_guard", another_user),
];

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
    let name = name_of_a_holder_that_was();
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

/// Where a holder was to be reached that has ended: others can be found there now.
fn name_of_a_holder_that_was() -> SocketAddr {
    let holder = LISTENER.up("--port 40000");
    let name = name_of_the_holder();
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
    name
}

/// Where the one holder of this namespace is to be reached.
fn name_of_the_holder() -> SocketAddr {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/unix").unwrap();
    let name = sockets.split_whitespace().find_map(|word| word.strip_prefix("@tcpshake-guard-"));
    SocketAddr::from_abstract_name(format!("tcpshake-guard-{}", name.unwrap())).unwrap()
}

/// What stands must be of the kind and the mark that are asked for.
fn another_stands() {
    alone();
    let holder = NFT.up("--port 40000");
    let words =
        "on port 40000 is up already: nft, mark 0x53 (take it down first: tcpshake guard down --port 40000)";
    for other in ["--guard listener", "--guard nft --mark 7", "--mark 7"] {
        NFT.guard(&format!("up --port 40000 {other}")).assert_complaint(8, words);
    }
    NFT.guard("up --port 40000").assert_well();
    // Another address is another guard.
    let other = NFT.guard("up --port 40000 --guard nft --address 127.0.0.1").assert_well().stdout;
    assert_eq!(other, "guard on port 40000 of 127.0.0.1: nft, proven\n");
    NFT.guard("down --port 40000").assert_well();
    holder.ended();
    let holder = NFT.holder();
    NFT.guard("down --port 40000 --address 127.0.0.1").assert_well();
    holder.ended();
    NFT.assert_nothing_is_left();
}

fn rules_are_gone() {
    for case in &BY_IPTABLES {
        alone();
        let holder = case.up("--port 40000");
        Said::by(&mut command(case.tables.v4, &["-t", "raw", "-F"])).assert_well();
        let up = case.guard("up --port 40000 --guard iptables");
        up.assert_complaint(8, "is up already: iptables, mark 0x53, its rule removed by somebody");
        case.guard("down --port 40000").assert_well();
        holder.ended();
        case.assert_nothing_is_left();
    }
}

/// A script that does not answer at once, as one that waits for a lock, holds its rules all the same.
fn slow_script() {
    for case in &BY_IPTABLES {
        alone();
        let holder = case.up("--port 40000");
        let script = children(holder.pid())[0];
        kill(script, Signal::SIGSTOP).unwrap();
        let up = case.guard("up --port 40000 --guard iptables");
        up.assert_complaint(8, "iptables, mark 0x53, and whether its rules stand cannot be found out");
        assert!(has_file(holder.pid(), &file(script, "0")), "the end of its input would be its order to end");
        kill(script, Signal::SIGCONT).unwrap();
        assert_eq!(kernel_answers_on(PORT), SILENT);
        case.guard("down --port 40000").assert_well();
        holder.ended();
        case.assert_nothing_is_left();
    }
}

/// What an open file of a process is, such as `pipe:[4711]`.
fn file(pid: Pid, number: &str) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap()
}

fn has_file(pid: Pid, wanted: &Path) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    files.into_iter().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|found| found == wanted))
}

/// As when `guard up` was interrupted before the guard stood.
fn nobody_hears() {
    for case in &WITH_NOTHING {
        alone();
        let (nobody, output) = std::io::pipe().unwrap();
        drop(nobody);
        let hold = format!("hold --port 40000 --guard {}", case.kind);
        let said = Said::by(case.command(&hold, &[]).stdout(output));
        said.assert_complaint(8, "cannot hold the guard in the background: broken pipe");
        case.assert_nothing_is_left();
    }
}

/// Whoever took the name takes no calls.
fn nobody_answers() {
    alone();
    let name = name_of_a_holder_that_was();
    let deaf = UnixListener::bind_addr(&name).unwrap();
    SockRef::from(&deaf).listen(0).unwrap();
    let address =
        SockAddr::unix(Path::new(OsStr::from_bytes(&[b"\0", name.as_abstract_name().unwrap()].concat())));
    let address = address.unwrap();
    let call = || {
        let caller = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        caller.set_nonblocking(true)?;
        caller.connect(&address).map(|()| caller)
    };
    let _callers: Vec<Socket> = iter::repeat_with(call).map_while(std::io::Result::ok).collect();
    for command in ["up --port 40000", "down --port 40000"] {
        LISTENER.guard(command).assert_complaint(8, "what holds port 40000 is another user's");
    }
}

/// A caller that hands its files on waits for their end, which must come before the guard's.
fn no_file_is_kept() {
    alone();
    let script = "exec 3>&1; \"$0\" guard up --port 40000";
    let said = Said::by(&mut command("sh", &["-c", script, TCPSHAKE])).assert_well();
    assert_eq!(said.stdout, "guard on port 40000: listener (socket filter), proven\n");
    let holder = LISTENER.holder();
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
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
