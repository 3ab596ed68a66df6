//! Runs the program in the namespace of the calling thread.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

fn program(arguments: &[&str]) -> Command {
    other(env!("CARGO_BIN_EXE_tcpshake"), arguments)
}

/// Another program than ours.
#[expect(clippy::disallowed_methods, reason = "tests run the program they test, and the tools of its users")]
pub(crate) fn other(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A shell script that must succeed; yields what it prints.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    let output = other("sh", &["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// `tcpshake connect --format json ...`, to its end. Short lingering keeps the tests fast.
pub(crate) fn connect(arguments: &[&str]) -> Run {
    Running::connect(arguments).finish()
}

/// The program as it stands on the command line, its output as text.
pub(crate) fn text(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
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
        let mut all = vec!["connect", "--format", "json", "--linger", "10"];
        all.extend(arguments);
        let mut child = program(&all).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, lines: Vec::new() }
    }

    /// A shell command that runs the program.
    pub(crate) fn shell(script: &str) -> Self {
        let mut child = other("sh", &["-c", script]).spawn().unwrap();
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
