//! However our process dies, and wherever, the guard goes with it.
//!
//! The process that dies is this one, run again: it makes a whole exchange through the library and ends
//! itself at an exact point of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdout, ExitCode, ExitStatus};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::{Pid, dup, getpid};
use tcpshake::driver::Close;
use tcpshake::driver::observe::Observer;
use tcpshake::guard::{Choice, Kind};
use tcpshake::record::{Opening, Step, Summary};

use crate::Named;
use crate::killed::snapshot;
use crate::near::{Near, Way};
use crate::run::{command, connect, sh, text};
use crate::world::{PATIENCE, World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("p02_forty_deaths_leave_nothing_of_the_listener", || forty_deaths(Kind::Listener)),
    ("p02_forty_deaths_leave_nothing_of_nft", || forty_deaths(Kind::Nft)),
    ("p02_forty_deaths_leave_no_rules_set_by_iptables_behind", || forty_deaths(Kind::Iptables)),
    ("p02_rules_left_by_iptables_and_its_dead_script_are_removed", rules_of_the_dead_are_removed),
];

/// In the environment of a process that is to die: a plan in words.
const VARIABLE: &str = "TCPSHAKE_TEST_DEATH";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Kill,
    /// The script that holds the rules is killed as well.
    KillWithScript,
    Segfault,
    Abort,
    Panic,
}

const ALL_DEATHS: [Death; 5] =
    [Death::Kill, Death::KillWithScript, Death::Segfault, Death::Abort, Death::Panic];

/// Points to die at (P-02, P-04): once the guard stands, as the exchange begins, at each of its seven steps, at its end.
const STANDS: u32 = 0;
const BEGIN: u32 = 1;
const END: u32 = 9;
const NEVER: u32 = END + 1;

/// Who is to die, when and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    kind: Kind,
    death: Death,
    point: u32,
    remote: SocketAddr,
}

/// What this process is to die of, if it is.
pub(crate) fn from_environment() -> Option<Plan> {
    let words = std::env::var(VARIABLE).ok()?;
    let words: Vec<&str> = words.split(' ').collect();
    Some(Plan {
        kind: Kind::ALL.into_iter().find(|kind| kind.name() == words[0])?,
        death: ALL_DEATHS.into_iter().find(|death| format!("{death:?}") == words[1])?,
        point: words[2].parse().ok()?,
        remote: words[3].parse().ok()?,
    })
}

/// Makes an exchange, and survives it only if the point in the plan does not come.
pub(crate) fn die(plan: Plan) -> ExitCode {
    // The script inherits this end of the pipe: whoever reads the other end learns when both have ended.
    let _inherited = dup(std::io::stdout()).unwrap();
    let mut near = Near::new(Way::CABLE_V4, plan.remote, Some(Choice::Only(plan.kind)));
    let mut dying = Dying(plan);
    dying.pass(STANDS);
    near.exchange(Close::Active, &mut dying);
    ExitCode::SUCCESS
}

struct Dying(Plan);

impl Dying {
    fn pass(&self, point: u32) {
        if point == self.0.point {
            self.0.death.happen();
        }
    }
}

impl Observer for Dying {
    fn begin(&mut self, _opening: &Opening) {
        self.pass(BEGIN);
    }

    fn step(&mut self, step: &Step) {
        self.pass((BEGIN + step.n).min(END - 1));
    }

    /// Also for a step that did not come: where the peer's FIN overtakes its ACK there is one less.
    fn end(&mut self, _summary: &Summary) {
        self.pass(self.0.point.min(END));
    }
}

impl Death {
    fn happen(self) {
        if self == Self::KillWithScript {
            let children = fs::read_to_string("/proc/thread-self/children").unwrap();
            for child in children.split_whitespace() {
                kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL).unwrap();
            }
        }
        prctl::set_dumpable(false).unwrap(); // no core is left behind
        match self {
            Self::Kill | Self::KillWithScript => kill(getpid(), Signal::SIGKILL).unwrap(),
            Self::Segfault => {
                // At the first, the handler of std, which looks for overflown stacks, puts the default back.
                raise(Signal::SIGSEGV).unwrap();
                raise(Signal::SIGSEGV).unwrap();
            }
            Self::Abort => std::process::abort(),
            Self::Panic => panic!("as planned"),
        }
    }

    fn is_cause_of(self, status: ExitStatus) -> bool {
        const PANICKED: i32 = 101;
        match self {
            Self::Kill | Self::KillWithScript => status.signal() == Some(Signal::SIGKILL as i32),
            Self::Segfault => status.signal() == Some(Signal::SIGSEGV as i32),
            Self::Abort => status.signal() == Some(Signal::SIGABRT as i32),
            Self::Panic => status.code() == Some(PANICKED),
        }
    }
}

impl Plan {
    /// Has a process carry it out; yields its status and a pipe that ends with the last of its children.
    fn carry_out(&self) -> (ExitStatus, ChildStdout) {
        let Self { kind, death, point, remote } = self;
        let program = std::env::current_exe().unwrap();
        let mut command = command(program, &[]);
        command.env(VARIABLE, format!("{kind} {death:?} {point} {remote}")).env("RUST_BACKTRACE", "0");
        let mut child = command.spawn().unwrap();
        let status = child.wait().unwrap();
        (status, child.stdout.take().unwrap())
    }

    /// The same for a point that comes.
    #[track_caller]
    fn die_of_it(&self) -> ChildStdout {
        let (status, open_while_running) = self.carry_out();
        assert!(self.death.is_cause_of(status), "{self:?}: {status}");
        open_while_running
    }
}

/// Waits for the end of all who have the other end.
#[track_caller]
fn wait_for_the_end(mut pipe: ChildStdout) {
    let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    assert_ne!(poll(&mut ready, PollTimeout::try_from(PATIENCE).unwrap()).unwrap(), 0, "still running");
    assert_eq!(pipe.read(&mut [0]).unwrap(), 0, "nobody prints");
}

/// A client that died keeps no other waiting.
fn close_after_each(client: TcpStream) {
    std::thread::spawn(move || close_after_client(client));
}

/// A world with a server, and a plan in which nobody dies, carried out once: it brings neighbours, routes and
/// empty firewall tables, which stay on any host.
fn prepare(kind: Kind) -> (World, Plan) {
    let world = World::new();
    let remote = Way::CABLE_V4.server(&world, close_after_each);
    let plan = Plan { kind, death: Death::Kill, point: NEVER, remote };
    let (status, _) = plan.carry_out();
    assert!(status.success(), "{status}: nothing was to happen");
    (world, plan)
}

fn machine(kind: Kind) -> BTreeMap<String, String> {
    let rules = if kind == Kind::Iptables { rules() } else { String::new() };
    let mut machine = snapshot();
    machine.insert("rules".into(), rules);
    machine
}

fn rules() -> String {
    sh("iptables -t raw -S; ip6tables -t raw -S")
}

/// P-02, and by a panic or an abort the same: P-04.
fn forty_deaths(kind: Kind) {
    let (_world, plan) = prepare(kind);
    let before = machine(kind);
    for death in [Death::Kill, Death::Segfault, Death::Abort, Death::Panic] {
        for point in STANDS..=END {
            let plan = Plan { death, point, ..plan };
            let script = plan.die_of_it();
            if kind == Kind::Iptables {
                wait_for_the_end(script); // it removes the rules; the others need nobody for that
            }
            assert_eq!(machine(kind), before, "{plan:?}");
        }
    }
}

/// When both are killed the rules stay. They can be found, and removed; the next guard does so by itself.
fn rules_of_the_dead_are_removed() {
    let (_world, plan) = prepare(Kind::Iptables);
    let plan = Plan { death: Death::KillWithScript, point: END, ..plan };
    let before = rules();
    let leave_rules = || {
        wait_for_the_end(plan.die_of_it());
        assert_eq!(rules().matches("tcpshake:").count(), 1, "{}", rules());
    };
    leave_rules();
    let (_, status, _) = text(&["guard", "status"]);
    assert!(status.contains("dead)") && status.contains("tcpshake guard clean"), "{status}");
    let (code, cleaned, _) = text(&["guard", "clean"]);
    assert_eq!((code, &*cleaned), (Some(0), "rules of dead owners removed: 1\n"));
    assert_eq!(rules(), before);

    leave_rules();
    connect(&[&plan.remote.to_string(), "--guard", "iptables"]).assert_ended(0, "completed");
    assert_eq!(rules(), before);
}
