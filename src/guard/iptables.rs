//! The iptables guard: rules in the raw table, put there and taken away by `scripts/rst-guard`, the same
//! script that people run by hand.
//!
//! The script stays for as long as the guard does and takes the rules away at the end of its input. So it
//! keeps the privilege that this process gives up, and if this process is killed, it cleans up. If it is
//! killed itself, rules stay, with a comment that says whose they were; once that process has ended, the next
//! guard of this kind, and `tcpshake guard clean`, remove them.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SIGHUP, SIGINT, SIGTERM};
use nix::unistd::geteuid;

use super::Scope;
use super::hold::Count;
use crate::cause::cause;
use crate::wire::sys;

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
    #[error("{SCRIPT} does not answer (is iptables locked by somebody?)")]
    Silent,
}

/// Rules that stand for as long as the value lives.
#[derive(Debug)]
pub(super) struct Rules(Mutex<Script>);

impl Rules {
    /// Puts the rules in their place.
    pub(super) fn set(scope: &Scope) -> Result<Self, IptablesError> {
        let mut command = script("hold");
        command.args(["--port", &scope.ports.to_string(), "--mark", &format!("{:#x}", scope.mark)]);
        command.args(["--owner", &std::process::id().to_string()]);
        if let Some(address) = scope.address {
            command.args(["--local", &address.to_string()]);
        }
        let mut script = Script::start(&mut command)?;
        match script.line(PATIENCE) {
            Some(line) if line == "up" => Ok(Self(Mutex::new(script))),
            Some(_) => Err(IptablesError::Refused(script.complaint().unwrap_or_else(|| NO_REASON.into()))),
            None => Err(IptablesError::Silent),
        }
    }

    /// What they have dropped: asked of the script.
    pub(super) fn count(&self) -> Count {
        let Ok(mut script) = self.0.lock() else { return Count::Unknown };
        match script.ask().as_deref() {
            Some("lost" | "") => Count::Lost, // the rules are gone, or what would take them away
            Some(line) => line
                .strip_prefix("held ")
                .and_then(|count| count.parse().ok())
                .map_or(Count::Unknown, Count::Answers),
            None => Count::Unknown,
        }
    }
}

/// Longer than the script itself waits for the lock of iptables.
const PATIENCE: Duration = Duration::from_secs(30);
/// A count is only to be looked up.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// A script that runs.
#[derive(Debug)]
struct Script {
    process: Child,
    /// Its end is the order to take the rules away.
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Whether it has answered each time; if not, no more is asked, lest a late answer be taken for another.
    answers: bool,
}

const NO_REASON: &str = "rst-guard gave up and did not say why";

impl Script {
    fn start(command: &mut Command) -> Result<Self, IptablesError> {
        // Ctrl-C at the terminal is for us alone: the rules must stand until the exchange has ended.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // We may have them blocked, to read them; the script is to end by them.
        sys::start_with_unblocked(command, [SIGINT, SIGTERM, SIGHUP].into_iter().collect());
        let mut process = command.spawn().map_err(IptablesError::Start)?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or(IptablesError::Silent)?;
        Ok(Self { process, input, output, answers: true })
    }

    fn ask(&mut self) -> Option<String> {
        let input = self.input.as_mut().filter(|_| self.answers)?;
        let _ = input.write_all(b"\n"); // if that cannot be, its output has ended, too
        let answer = self.line(SHORT_PATIENCE);
        self.answers = answer.is_some();
        answer
    }

    /// One line, empty at the end of the output; `None` if none comes in time.
    fn line(&mut self, patience: Duration) -> Option<String> {
        const LONGEST: usize = 512;
        let mut line = Vec::new();
        while line.len() < LONGEST {
            let timeout = PollTimeout::try_from(patience).ok()?;
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

    /// The first thing it complained about, once it has ended: without its name.
    fn complaint(&mut self) -> Option<String> {
        let mut said = String::new();
        self.process.stderr.take()?.read_to_string(&mut said).ok()?;
        said.lines().next().map(|line| line.strip_prefix("rst-guard: ").unwrap_or(line).to_owned())
    }
}

impl Drop for Script {
    /// The end of its input is what it waits for; that of its output tells that it is done. One that hangs is
    /// killed: its rules are found by the next.
    fn drop(&mut self) {
        const MOST_LATE_ANSWERS: usize = 2; // before the end, which is empty
        drop(self.input.take());
        let patience = if self.answers { PATIENCE } else { SHORT_PATIENCE };
        let mut lines = (0..=MOST_LATE_ANSWERS).map_while(|_| self.line(patience));
        if !lines.any(|line| line.is_empty()) {
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
    let places = [folder.join(SCRIPT), folder.join("../share/tcpshake").join(SCRIPT)];
    places.into_iter().find(|path| path.is_file() && is_safe(path))
}

/// Whether nobody but root and the user we run as can have put the file there, or can change it.
fn is_safe(path: &Path) -> bool {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let ours = |path: &Path| {
        path.metadata().is_ok_and(|of| {
            [0, geteuid().as_raw()].contains(&of.uid()) && of.mode() & WRITABLE_BY_OTHERS == 0
        })
    };
    ours(path) && path.parent().is_some_and(ours)
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
pub(super) fn run(action: &str) -> Result<Said, IptablesError> {
    let mut script = Script::start(&mut script(action))?;
    let mut output = String::new();
    loop {
        match script.line(PATIENCE) {
            Some(end) if end.is_empty() => break,
            Some(line) => output += &(line + "\n"),
            None => return Err(IptablesError::Silent),
        }
    }
    Ok(Said { output, complaint: script.complaint() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
        // Where others may write, anybody may have put it.
        let sticky = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(&bin, sticky).unwrap();
        let found = installed(&program).unwrap();
        assert_eq!(found.canonicalize().unwrap(), share.join(SCRIPT).canonicalize().unwrap());
        std::fs::remove_dir_all(root).unwrap();
    }
}
