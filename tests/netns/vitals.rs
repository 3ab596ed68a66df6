//! How a process does: the memory it takes, and whether the machine lets it run.

use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tcpshake::time::{Clock, Instant};

/// How a process was at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    at: Instant,
    /// KiB it had in memory at the most, without pages of its file: those the system could drop.
    own: u64,
    /// How long it was ready to run, and did not, all together.
    pub(crate) kept_waiting: Duration,
}

impl Vitals {
    fn of(pid: u32, clock: Clock) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let (status, schedule) = (read("status"), read("schedstat"));
        let kib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
        };
        let own = kib("VmHWM:").saturating_sub(kib("RssFile:"));
        let kept_waiting = schedule.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self { at: clock.now(), own, kept_waiting: Duration::from_nanos(kept_waiting) }
    }

    /// Looks at a process again and again, until it `is_over`.
    pub(crate) fn until(pid: u32, mut is_over: impl FnMut() -> bool) -> Vec<Self> {
        const LOOK_AGAIN: u8 = 20; // milliseconds
        const MOST_PATIENCE: Duration = Duration::from_secs(60);
        let (clock, mut vitals) = (Clock::new(), Vec::new());
        let begun = clock.now();
        loop {
            let over = is_over();
            assert!(clock.now() < begun + MOST_PATIENCE, "it does not end");
            if over || !is_still_ours(pid) {
                vitals.push(Self::of(pid, clock));
            }
            if over {
                return vitals;
            }
            nix::poll::poll(&mut [], LOOK_AGAIN).unwrap();
        }
    }

    /// How long it was kept waiting in its first second, from which its patience is counted, and around its end. Between
    /// them it may wait as long as it must.
    pub(crate) fn kept_waiting(vitals: &[Self]) -> Duration {
        const FIRST: Duration = Duration::from_secs(1);
        const LAST: Duration = Duration::from_millis(200);
        let (first, end) = (&vitals[0], vitals.last().unwrap());
        let begun = vitals.iter().find(|vitals| vitals.at >= first.at + FIRST).unwrap_or(end);
        let before = vitals.iter().rfind(|vitals| vitals.at + LAST <= end.at).unwrap_or(first);
        begun.kept_waiting + end.kept_waiting.saturating_sub(before.kept_waiting)
    }

    pub(crate) fn peak(vitals: &[Self]) -> u64 {
        vitals.iter().map(|vitals| vitals.own).max().unwrap()
    }
}

/// Whether a child just spawned has our memory yet, not its own: Linux lets go on who waits in vfork shortly before it
/// gives the child another.
fn is_still_ours(pid: u32) -> bool {
    let program = |process: &str| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    program(&pid.to_string()) == program("self")
}

/// Whether a child has ended; it is still to be waited for.
pub(crate) fn has_ended(pid: u32) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid as i32)), look).unwrap() != WaitStatus::StillAlive
}

/// Of 16 MiB, what the pages of the program's file may take: 6 MiB of a release build, more of one for tests.
const OF_THE_FILE: u64 = 6 * 1024 + 512;
pub(crate) const MOST_KIB: u64 = 16 * 1024 - OF_THE_FILE;

/// How late a verdict may be.
pub(crate) const LATE: Duration = Duration::from_millis(100);
