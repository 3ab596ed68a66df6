//! `tcpshake guard`, each command with each kind of guard.

pub(crate) mod auto;
pub(crate) mod covers;
pub(crate) mod look;
pub(crate) mod run;
pub(crate) mod up;

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::run::{Said, TCPSHAKE, Tables, command, reap};
use crate::world::{ANSWERED, kernel_answers_on};

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
