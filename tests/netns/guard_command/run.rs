//! `guard run`: a guard held while a command runs.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;

use super::{BY_IPTABLES, Case, PORT, WITH_NOTHING, assert_no_privileges, privileges};
use crate::Named;
use crate::run::{Dialogue, Said, TCPSHAKE, children, reap};
use crate::world::{SILENT, alone, kernel_answers_on};

pub(crate) const TESTS: &[Named] = &[
    ("guard_run_holds_while_the_command_runs", || WITH_NOTHING.iter().for_each(run_holds)),
    ("guard_run_by_iptables_holds_while_the_command_runs", || BY_IPTABLES.iter().for_each(run_holds)),
    ("guard_run_passes_signals_on_and_keeps_no_privilege", || WITH_NOTHING.iter().for_each(run_and_signals)),
    ("guard_run_by_iptables_passes_signals_on_and_keeps_no_privilege", || {
        BY_IPTABLES.iter().for_each(run_and_signals);
    }),
    ("a_guard_ends_with_guard_run", || WITH_NOTHING.iter().for_each(run_killed)),
    ("a_guard_by_iptables_ends_with_guard_run", || BY_IPTABLES.iter().for_each(run_killed)),
    ("guard_run_by_iptables_tells_that_the_rules_were_removed", lost),
    ("guard_run_by_iptables_tells_that_its_script_was_killed", script_killed),
];

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

/// Nobody is there to take the rules away: that is told, and the next run does it.
fn script_killed() {
    for case in &BY_IPTABLES {
        alone();
        let mut run = Dialogue::start(&mut case.around(&["cat"]));
        assert_eq!(run.ask(), ""); // so the command runs
        let script = children(run.pid()).into_iter().min().unwrap(); // started before the command
        kill(script, Signal::SIGKILL).unwrap();
        let said = run.end();
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stderr.contains("the guard was taken away while the command ran"), "{said:?}");
        case.guard("run -q --port 50000 --guard iptables true").assert_silent(0);
        case.assert_nothing_is_left();
    }
}
