//! The demo as an ordinary user, and where ordinary users may not.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use caps::Capability;
use tcpshake::lab;

use crate::Named;
use crate::privileges::bound_to;

pub(crate) const TESTS: &[Named] = &[
    ("the_demo_runs_as_an_ordinary_user", the_demo_runs_as_an_ordinary_user),
    (
        "the_demo_leaves_the_namespace_it_was_started_in_alone",
        the_demo_leaves_the_namespace_it_was_started_in_alone,
    ),
    ("the_demo_is_the_textbooks_exchange", the_demo_is_the_textbooks_exchange),
    ("without_user_namespaces_the_demo_says_why", without_user_namespaces_the_demo_says_why),
];

/// Whether user ids other than our own exist here: in a user namespace of one they do not.
fn all_users_exist() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2) == Some("4294967295")
}

/// Runs the demo with no privilege at all: as nobody, or else without any capability that counts.
#[expect(clippy::disallowed_methods, reason = "a test runs the program it tests")]
fn demo_without_privilege() -> Output {
    const NOBODY: u32 = 65_534;
    if !all_users_exist() {
        // Our user is called 0 here, and only with this may 0 be mapped on (user_namespaces(7)).
        bound_to(&[Capability::CAP_SETFCAP]);
        return Command::new(env!("CARGO_BIN_EXE_tcpshake")).arg("demo").output().unwrap();
    }
    // Where nobody may look, whatever the modes of the folders the tests were built in.
    let folder = std::env::temp_dir().join(format!("demo-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.join("tcpshake");
    std::fs::copy(env!("CARGO_BIN_EXE_tcpshake"), &program).unwrap();
    let output = Command::new(&program).arg("demo").current_dir("/").uid(NOBODY).gid(NOBODY).output();
    std::fs::remove_dir_all(&folder).unwrap();
    output.unwrap()
}

fn the_demo_runs_as_an_ordinary_user() {
    let output = demo_without_privilege();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for words in [
        "seq 4321 (0)",
        "4321 + 1 = 4322",
        "\"hello\"",
        "listener (socket filter), proven",
        "opened and closed, both FINs acknowledged",
        "0 retransmitted",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for state in ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"] {
        assert!(text.lines().any(|line| line.contains(state)), "{state}: {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// As root no user namespace is needed; and the network the demo was started in sees nothing of it.
fn the_demo_leaves_the_namespace_it_was_started_in_alone() {
    lab::unshare_network().unwrap();
    let devices = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let before = devices();
    let (code, text, _) = crate::run::text(&["demo"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(devices(), before);
}

/// The textbook: three segments to open, four to close.
fn the_demo_is_the_textbooks_exchange() {
    let (_, text, _) = crate::run::text(&["demo", "--format", "json"]);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let flags: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(format!("{} {}", line["direction"].as_str()?, line["flags"].as_str()?)))
        .collect();
    assert_eq!(flags[..3], ["sent SYN", "received SYN,ACK", "sent ACK"]);
    assert_eq!(flags[flags.len() - 4..], ["sent FIN,ACK", "received ACK", "received FIN,ACK", "sent ACK"]);
}

/// In a user namespace of its own that allows no further one, without any capability.
#[expect(clippy::disallowed_methods, reason = "util-linux makes the surroundings")]
fn without_user_namespaces_the_demo_says_why() {
    let program = env!("CARGO_BIN_EXE_tcpshake");
    let script = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all {program} demo"
    );
    let output =
        Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", &script]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{error}");
    assert_eq!(
        error,
        "tcpshake: cannot make a private network for the demo: the limit on namespaces is 0 \
         (user.max_user_namespaces) (raise it with sysctl as root, or use --simulate: both ends inside this process)\n"
    );
}
