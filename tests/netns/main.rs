//! The program against the Linux kernel, in network namespaces of its own: nothing leaves this machine.
//!
//! Each trial runs in a thread that has its own private network, with a far host whose kernel is the
//! peer. What the program prints is compared with what a capture on the far side saw. No root needed
//! where ordinary users may make user namespaces; where they may not, every trial says `ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and says why it ignores"
)]

mod bulk;
mod capture;
mod check;
mod check_many;
mod check_reports;
mod check_runs;
mod closes;
mod conntrack;
mod counters;
mod crowd;
mod data;
mod deaths;
mod demo;
mod doctor;
mod draw;
#[path = "../hostile/mod.rs"]
mod enemies;
mod frames;
mod guard_command;
mod guards;
mod hostile;
mod hostile_peers;
mod judged;
mod judges;
mod killed;
mod knocks;
mod listen;
mod near;
mod opens;
mod ourselves;
mod peers;
mod privileges;
mod recording;
mod refusals;
mod reload;
mod routes;
mod run;
mod scenarios;
mod scripted;
mod scripts;
mod send;
mod send_refused;
#[path = "../smoltcp_device/mod.rs"]
mod smoltcp_device;
mod step;
mod storms;
mod strangers;
mod thousand;
mod together;
#[path = "../transcript/mod.rs"]
mod transcript;
mod trouble;
mod vitals;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// In the name of a test that needs a program which a fresh machine may lack, and so is ignored unless asked
/// for. `.ci/run` installs them all.
const NEEDS_A_PROGRAM: [&str; 10] = [
    "_by_nft_",
    "_by_iptables_",
    "_by_shellcheck_",
    "_by_curl_",
    "_by_nc_",
    "_by_python3_",
    "_by_iperf3_",
    "_by_dropbear_",
    "_by_tshark_",
    "_by_lwip_", // a library, and a C compiler for the program around it
];

/// In the name of a test that takes long or much memory, and so is ignored unless asked for.
const TAKES_MUCH: &str = "_at_length";

/// In the name of a test that needs a user beside ours: a user namespace that we made has none.
const NEEDS_ANOTHER_USER: &str = "another_user";

/// A test by name.
type Named = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(plan) = deaths::from_environment() {
        return deaths::die(plan);
    }
    // Before any thread exists: a user namespace can be entered only then.
    let private = tcpshake::lab::enter_private();
    if let Err(error) = &private {
        eprintln!("ignored: {error}");
        assert!(std::env::var_os("CI").is_none(), "these tests must not be ignored in CI");
    }
    // What the program leaves in the background becomes a child of ours: its end can be waited for.
    nix::sys::prctl::set_child_subreaper(true).expect("a kernel since 3.4");
    let tests = [
        demo::TESTS,
        draw::TESTS,
        scenarios::TESTS,
        doctor::TESTS,
        guards::TESTS,
        closes::TESTS,
        data::TESTS,
        recording::TESTS,
        bulk::TESTS,
        opens::TESTS,
        refusals::TESTS,
        trouble::TESTS,
        hostile::TESTS,
        hostile_peers::TESTS,
        storms::TESTS,
        judges::TESTS,
        killed::TESTS,
        privileges::TESTS,
        thousand::TESTS,
        conntrack::TESTS,
        deaths::TESTS,
        reload::TESTS,
        routes::TESTS,
        together::TESTS,
        scripts::TESTS,
        send::TESTS,
        send_refused::TESTS,
        step::TESTS,
        listen::TESTS,
        knocks::TESTS,
        crowd::TESTS,
        ourselves::TESTS,
        peers::TESTS,
        strangers::TESTS,
        check::TESTS,
        check_reports::TESTS,
        check_runs::TESTS,
        check_many::TESTS,
        guard_command::run::TESTS,
        guard_command::up::TESTS,
        guard_command::covers::TESTS,
        guard_command::look::TESTS,
        guard_command::auto::TESTS,
    ];
    let others = run::has_other_users();
    let trial = |(name, test): &Named| {
        let test = *test;
        let run = move || {
            // A thread of its own: its namespace and its capabilities end with it.
            let ended = std::thread::spawn(test).join();
            ended.map_err(|panic| {
                let said = panic.downcast_ref::<String>().cloned();
                said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                    .unwrap_or_default()
                    .into()
            })
        };
        let lacks_a_program = NEEDS_A_PROGRAM.iter().any(|marker| name.contains(marker));
        let takes_much = name.contains(TAKES_MUCH);
        let lacks_a_user = name.contains(NEEDS_ANOTHER_USER) && !others;
        Trial::test(*name, run)
            .with_ignored_flag(private.is_err() || lacks_a_program || takes_much || lacks_a_user)
    };
    let trials = tests.into_iter().flatten().map(trial).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    run::end_what_is_left();
    conclusion.exit_code()
}
