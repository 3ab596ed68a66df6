//! Runs the program in the namespace of the calling thread.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::PATIENCE;

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

/// The program under test.
pub(crate) const TCPSHAKE: &str = env!("CARGO_BIN_EXE_tcpshake");

/// Any program, with nothing to read and its output for the test.
#[expect(clippy::disallowed_methods, reason = "a test runs the program it tests, and makes its surroundings")]
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // iptables locks out others by a file below /run, which is of all namespaces and only root's.
    command.env("XTABLES_LOCKFILE", "/dev/null");
    command
}

/// A shell script that must succeed; yields what it prints.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    Said::by(&mut command("sh", &["-ec", script])).assert_well().stdout
}

fn program(arguments: &[&str]) -> Command {
    command(TCPSHAKE, arguments)
}

/// `tcpshake connect --format json ...`, to its end. Short lingering keeps the tests fast.
pub(crate) fn connect(arguments: &[&str]) -> Run {
    Running::connect(arguments).finish()
}

/// `tcpshake send --format json -x ...`, to its end.
pub(crate) fn send(arguments: &[&str]) -> Run {
    Running::send(arguments).finish()
}

/// `tcpshake check --report ndjson=- ...`, to its end.
pub(crate) fn check(arguments: &[&str]) -> Run {
    Running::check(arguments).finish()
}

/// The program as it stands on the command line, its output as text.
pub(crate) fn text(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Said { code, stdout, stderr } = Said::by(&mut program(arguments));
    (code, stdout, stderr)
}

/// What a program said, to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn by(command: &mut Command) -> Self {
        Dialogue::spawn(command).wait()
    }

    /// Asserts that all went well and there was nothing to complain about.
    #[track_caller]
    pub(crate) fn assert_well(self) -> Self {
        assert_eq!((self.code, &*self.stderr), (Some(0), ""), "{self:?}");
        self
    }

    /// Asserts this exit code, and not a word.
    #[track_caller]
    pub(crate) fn assert_silent(&self, code: i32) {
        assert_eq!((self.code, &*self.stdout, &*self.stderr), (Some(code), "", ""));
    }

    /// Asserts a failure: this exit code, no output, and one line on standard error with `words` in it.
    #[track_caller]
    pub(crate) fn assert_complaint(&self, code: i32, words: &str) {
        assert_eq!((self.code, &*self.stdout), (Some(code), ""), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.contains(words), "{words}: {self:?}");
    }

    /// Its output, a JSON object a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// A program that is talked with, each answer awaited for no longer than [`PATIENCE`]. It is killed if the
/// test ends before it.
pub(crate) struct Dialogue {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    errors: ChildStderr,
}

impl Dialogue {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::piped()))
    }

    /// With whatever it has for an input.
    pub(crate) fn with_input(command: &mut Command) -> Self {
        Self::spawn(command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let errors = child.stderr.take().unwrap();
        Self { child, input, output, errors }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Its next line, empty at the end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let output = self.output.as_mut().unwrap();
        if output.buffer().is_empty() {
            await_octets(output.get_ref());
        }
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Says an empty line and takes the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self) -> String {
        self.say();
        self.line()
    }

    pub(crate) fn say(&mut self) {
        self.say_octets(b"\n");
    }

    pub(crate) fn say_octets(&mut self, octets: &[u8]) {
        self.input.as_mut().unwrap().write_all(octets).unwrap();
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn stop_listening(&mut self) {
        drop(self.output.take());
    }

    /// Closes its input.
    pub(crate) fn stop_talking(&mut self) {
        drop(self.input.take());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Kills it, and returns once it is dead; what it has started may live.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
        waitid(Id::Pid(self.pid()), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    }

    /// All that it complains of up to its end.
    pub(crate) fn complaints(&mut self) -> String {
        rest(BufReader::new(&mut self.errors))
    }

    /// Closes its input and waits for its end.
    pub(crate) fn end(mut self) -> Said {
        self.stop_talking();
        self.wait()
    }

    /// Waits for its end, and that of all that has its output.
    pub(crate) fn wait(mut self) -> Said {
        let stdout = self.output.take().map(rest).unwrap_or_default();
        let stderr = self.complaints();
        Said { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is something to read, or the end.
#[track_caller]
pub(crate) fn await_octets(source: &impl AsFd) {
    let mut ready = [PollFd::new(source.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut ready, timeout), Ok(1), "nothing came");
}

/// All that comes up to the end.
fn rest<T: Read + AsFd>(mut source: BufReader<T>) -> String {
    let mut octets = source.buffer().to_vec();
    loop {
        await_octets(source.get_ref());
        let mut buffer = [0; 4096];
        match source.get_mut().read(&mut buffer).unwrap() {
            0 => return String::from_utf8(octets).expect("UTF-8"),
            len => octets.extend(&buffer[..len]),
        }
    }
}

/// A kind of iptables. Both put their rules where the other does not look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    pub(crate) v4: &'static str,
    pub(crate) v6: &'static str,
}

impl Tables {
    pub(crate) const BOTH: [Self; 2] = [
        Self { v4: "iptables-legacy", v6: "ip6tables-legacy" },
        Self { v4: "iptables-nft", v6: "ip6tables-nft" },
    ];

    /// As on a machine that has neither.
    pub(crate) const NOWHERE: Self = Self { v4: "/nonexistent", v6: "/nonexistent" };

    /// As rst-guard takes them.
    pub(crate) const fn environment(self) -> [(&'static str, &'static str); 2] {
        [("IPTABLES", self.v4), ("IP6TABLES", self.v6)]
    }

    /// Changes the raw table of both families.
    #[track_caller]
    pub(crate) fn change(self, arguments: &[&str]) {
        for program in [self.v4, self.v6] {
            Said::by(&mut command(program, &[&["-t", "raw"], arguments].concat())).assert_well();
        }
    }

    /// All rules of all tables, each behind the name of its table, IPv4 before IPv6.
    pub(crate) fn rules(self) -> Vec<String> {
        let mut rules = Vec::new();
        for program in [self.v4, self.v6] {
            let said = Said::by(&mut command(format!("{program}-save"), &[]));
            assert_eq!(said.code, Some(0), "{said:?}"); // on standard error may be a word on the other kind
            let mut table = "";
            for line in said.stdout.lines() {
                match line.strip_prefix('*') {
                    Some(name) => table = name,
                    None if line.starts_with("-A") => rules.push(format!("{table}: {line}")),
                    None => {}
                }
            }
        }
        rules
    }
}

/// A process by the name that the script gives an owner.
pub(crate) fn owner_tag(pid: Pid) -> String {
    format!("tcpshake:{pid}.{}@{}", start_time(pid), pid_namespace())
}

/// The number of our pid namespace.
pub(crate) fn pid_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap();
    link.to_str().unwrap().trim_start_matches("pid:[").trim_end_matches(']').to_owned()
}

/// Whether we are root in the first of all namespaces, as their numbers tell.
pub(crate) fn sees_all_processes() -> bool {
    let is = |kind, number| {
        let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        link.to_str() == Some(&format!("{kind}:[{number}]"))
    };
    is("user", 4_026_531_837_u32) && is("pid", 4_026_531_836_u32) && nix::unistd::geteuid().is_root()
}

/// Field 22 of `/proc/PID/stat`.
pub(crate) fn start_time(pid: Pid) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_the_name) = stat.rsplit_once(") ").unwrap();
    behind_the_name.split(' ').nth(19).unwrap().parse().unwrap()
}

/// Text as one line, however it was wrapped.
pub(crate) fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    lines: Vec<Value>,
}

impl Running {
    pub(crate) fn connect(arguments: &[&str]) -> Self {
        Self::connect_in(&[], arguments)
    }

    /// With these variables in its environment.
    pub(crate) fn connect_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let all = [&["connect", "--format", "json", "--linger", "10"], arguments].concat();
        Self::start(program(&all).envs(environment.iter().copied()))
    }

    /// `tcpshake send --format json -x ...`; what answers at once is heard however short the wait is.
    pub(crate) fn send(arguments: &[&str]) -> Self {
        let all = [&["send", "--format", "json", "--hex", "--timeout", "0.2"], arguments].concat();
        Self::start(&mut program(&all))
    }

    /// `tcpshake check --report ndjson=- ...`.
    pub(crate) fn check(arguments: &[&str]) -> Self {
        Self::start(&mut program(&[&["check", "--report", "ndjson=-"], arguments].concat()))
    }

    /// A shell command that runs the program.
    pub(crate) fn shell(script: &str) -> Self {
        Self::start(&mut command("sh", &["-c", script]))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, lines: Vec::new() }
    }

    /// Exit code and standard output as they are.
    pub(crate) fn raw(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }

    /// Reads one more line; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<&Value> {
        let mut line = String::new();
        let len = self.stdout.read_line(&mut line).unwrap();
        if len == 0 {
            return None;
        }
        self.lines.push(serde_json::from_str(&line).expect("JSON"));
        self.lines.last()
    }

    /// Reads up to the first line that is `wanted`.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        while let Some(line) = self.line() {
            if wanted(line) {
                return;
            }
        }
        panic!("the output ended: {:#?}", self.lines);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for its end without reading on.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn hang_up(self) -> Option<i32> {
        let Self { mut child, stdout, .. } = self;
        drop(stdout);
        child.wait().unwrap().code()
    }

    pub(crate) fn finish(mut self) -> Run {
        while self.line().is_some() {}
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Run { code: self.child.wait().unwrap().code(), lines: self.lines, stderr }
    }
}

impl Run {
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line["type"] == "step")
    }

    /// What a check has found, target by target.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line["type"] == "target")
    }

    /// What a check has found of one target.
    #[track_caller]
    pub(crate) fn finding(&self, target: &str) -> &Value {
        let mut these = self.findings().filter(|finding| finding["target"] == target);
        let (one, other) = (these.next(), these.next());
        assert!(other.is_none(), "{target} is there twice");
        one.unwrap_or_else(|| panic!("no {target}: {self:#?}"))
    }

    /// What a whole check came to: its last line.
    #[track_caller]
    pub(crate) fn summary(&self) -> &Value {
        let last = self.lines.last().unwrap_or_else(|| panic!("not a line: {self:#?}"));
        assert_eq!(last["type"], "summary", "{last:#?}");
        last
    }

    /// The last `end` line.
    pub(crate) fn end(&self) -> &Value {
        self.lines.iter().rfind(|line| line["type"] == "end").unwrap_or_else(|| panic!("no end: {self:#?}"))
    }

    /// Flags and direction of every segment: `> SYN`, `< SYN,ACK`.
    pub(crate) fn flags(&self) -> Vec<String> {
        let arrow = |step: &Value| if step["direction"] == "sent" { '>' } else { '<' };
        let segments = self.steps().filter(|step| step["flags"].is_string());
        segments.map(|step| format!("{} {}", arrow(step), step["flags"].as_str().unwrap())).collect()
    }

    /// The states walked.
    pub(crate) fn states(&self) -> Vec<&str> {
        let arrows = self.steps().flat_map(|step| step["arrows"].as_array().unwrap());
        arrows.map(|arrow| arrow["to"].as_str().unwrap()).collect()
    }

    /// Asserts exit code and outcome together: they tell the same.
    #[track_caller]
    pub(crate) fn assert_ended(&self, code: i32, outcome: &str) {
        assert_eq!((self.code, self.end()["outcome"].as_str()), (Some(code), Some(outcome)), "{self:#?}");
    }

    /// Asserts an error before anything was sent: one line, in lower case, and this exit code.
    #[track_caller]
    pub(crate) fn assert_error(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("tcpshake: ") && self.stderr.contains(words), "{}", self.stderr);
        assert!(!self.stderr.contains("os error"), "{}", self.stderr);
        for part in self.stderr.split(": ") {
            let sentence = part.chars().nth(1).is_some_and(char::is_lowercase);
            assert!(!(sentence && part.starts_with(char::is_uppercase)), "lower case: {}", self.stderr);
        }
        assert_eq!(self.steps().count(), 0);
    }
}

/// Waits for the end of a child, or of what a child has left behind: that is ours, too.
#[track_caller]
pub(crate) fn reap(pid: Pid) -> WaitStatus {
    let (ended, is_ended) = channel();
    std::thread::spawn(move || ended.send(waitpid(pid, None)));
    is_ended.recv_timeout(PATIENCE).expect("it ends").unwrap()
}

/// The children of a process, whichever of its threads has them.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// Whether our user namespace has other users than us.
pub(crate) fn has_other_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().last() != Some("1") // how many from the first on
}

/// Ends what tests that failed have left in the background.
pub(crate) fn end_what_is_left() {
    while let Some(child) = children(Pid::this()).first() {
        let _ = kill(*child, Signal::SIGKILL);
        let _ = waitpid(*child, None);
    }
}

/// A folder for the time of a test. Its name has not the program's in it: other tests look for that.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("netns-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
