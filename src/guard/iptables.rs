//! The iptables guard: rules in the raw table, put there and taken away by `scripts/rst-guard`, the same
//! script that people run by hand.
//!
//! The script stays for as long as the guard does and takes the rules away at the end of its input. So it
//! keeps the privilege that this process gives up, and if this process is killed, it cleans up. Only if
//! both are killed do rules stay, with a comment that says whose they were; the next guard of this kind, and
//! `tcpshake guard clean`, remove them.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Scope;
use crate::cause::cause;

/// The name of the script, beside the program and in the share folder.
const SCRIPT: &str = "rst-guard";
/// And itself, in case it was not installed.
const EMBEDDED: &str = include_str!("../../scripts/rst-guard");

/// Why there are no such rules.
#[derive(Debug, thiserror::Error)]
pub enum IptablesError {
    /// The script could not be started.
    #[error("cannot run {SCRIPT} by sh: {}", cause(.0))]
    Start(#[source] io::Error),
    /// It says why itself.
    #[error("{0}")]
    Refused(String),
    /// It did not answer in time.
    #[error("{SCRIPT} does not answer")]
    Silent,
}

/// Rules that stand for as long as the value lives.
#[derive(Debug)]
pub(super) struct Rules(Mutex<Script>);

/// A script that holds rules.
#[derive(Debug)]
struct Script {
    process: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

/// What the rules have to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// They stand, and have dropped so many RSTs.
    Held(u32),
    /// Somebody has removed at least one.
    Lost,
    /// It could not be found out.
    Unknown,
}

/// Longer than the script itself waits for the lock of iptables.
const PATIENCE: Duration = Duration::from_secs(15);

impl Rules {
    /// Puts the rules in their place.
    pub(super) fn set(scope: &Scope) -> Result<Self, IptablesError> {
        let mut command = script("hold");
        command.args(["--port", &scope.ports.to_string(), "--mark", &format!("{:#x}", scope.mark)]);
        command.args(["--owner", &std::process::id().to_string()]);
        if let Some(address) = scope.address {
            command.args(["--local", &address.to_string()]);
        }
        // Ctrl-C at the terminal is for us alone: the rules must stand until the exchange has ended.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(IptablesError::Start)?;
        let (Some(output), input) = (process.stdout.take(), process.stdin.take()) else {
            return Err(IptablesError::Silent);
        };
        let mut script = Script { process, input, output };
        match script.line() {
            Some(line) if line == "up" => Ok(Self(Mutex::new(script))),
            Some(_) => Err(IptablesError::Refused(script.complaint())),
            None => Err(IptablesError::Silent),
        }
    }

    /// Asks the script.
    pub(super) fn report(&self) -> Report {
        let Ok(mut script) = self.0.lock() else { return Report::Unknown };
        match script.ask().as_deref() {
            Some("lost") => Report::Lost,
            Some(line) => line
                .strip_prefix("held ")
                .and_then(|count| count.parse().ok())
                .map_or(Report::Unknown, Report::Held),
            None => Report::Unknown,
        }
    }
}

impl Script {
    fn ask(&mut self) -> Option<String> {
        self.input.as_mut()?.write_all(b"\n").ok()?;
        self.line()
    }

    /// One line, empty at the end of the output; `None` if none comes in time.
    fn line(&mut self) -> Option<String> {
        const LONGEST: usize = 80;
        let mut line = Vec::new();
        while line.len() < LONGEST {
            let timeout = PollTimeout::try_from(PATIENCE).ok()?;
            let mut ready = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, timeout).ok()? == 0 {
                return None;
            }
            let mut octet = [0];
            match self.output.read(&mut octet).ok()? {
                0 => break,
                _ if octet == *b"\n" => break,
                _ => line.extend(octet),
            }
        }
        String::from_utf8(line).ok()
    }

    /// What it said when it gave up.
    fn complaint(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut errors) = self.process.stderr.take() {
            let _ = errors.read_to_string(&mut said);
        }
        first_complaint(&said).unwrap_or_else(|| format!("{SCRIPT} gave up and did not say why"))
    }
}

impl Drop for Script {
    /// The end of its input is what it waits for; that of its output tells that it is done. One that hangs is
    /// killed: its rules are found by the next.
    fn drop(&mut self) {
        drop(self.input.take());
        if self.line().is_none() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The script, with its first argument: beside the program, in the share folder of where that was installed,
/// or embedded.
fn script(action: &str) -> Command {
    let program = std::env::current_exe().unwrap_or_default();
    let mut command = shell();
    match installed(&program) {
        Some(path) => command.arg(path),
        None => command.args(["-c", EMBEDDED, SCRIPT]),
    };
    command.arg(action);
    command
}

#[expect(clippy::disallowed_methods, reason = "runs the script; see .clippy.toml")]
fn shell() -> Command {
    Command::new("sh")
}

/// Where the script lies if it was installed together with `program`.
fn installed(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    [folder.join(SCRIPT), folder.join("../share/tcpshake").join(SCRIPT)]
        .into_iter()
        .find(|path| path.is_file())
}

/// What the script said when it was run to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Its output.
    pub(super) output: String,
    /// Its first complaint.
    pub(super) complaint: Option<String>,
}

/// Runs the script to its end.
pub(super) fn run(action: &str, arguments: &[&str]) -> Result<Said, IptablesError> {
    let mut command = script(action);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(IptablesError::Start)?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Ok(Said { output: text(&output.stdout), complaint: first_complaint(&text(&output.stderr)) })
}

/// The first line, without the name of who says it.
fn first_complaint(said: &str) -> Option<String> {
    said.lines().next().map(|line| line.trim_start_matches("rst-guard: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_found_beside_the_program_or_in_the_share_folder() {
        let root = std::env::temp_dir().join(format!("tcpshake-script-{}", std::process::id()));
        let (bin, share) = (root.join("bin"), root.join("share/tcpshake"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&share).unwrap();
        let program = bin.join("tcpshake");
        assert_eq!(installed(&program), None, "then it is the embedded one");
        std::fs::write(share.join(SCRIPT), "").unwrap();
        let found = installed(&program).unwrap();
        assert_eq!(found.canonicalize().unwrap(), share.join(SCRIPT).canonicalize().unwrap());
        std::fs::write(bin.join(SCRIPT), "").unwrap();
        assert_eq!(installed(&program), Some(bin.join(SCRIPT)));
        std::fs::remove_dir_all(root).unwrap();
    }
}
