//! A guard held for as long as a command runs.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use nix::sys::signal::{self, Signal as Number};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::{describe, give_up, program, stand, warn};
use crate::cause::cause;
use crate::cli::args::RunArgs;
use crate::cli::error::Failure;
use crate::cli::signals::{Caught, Sender, Signals};
use crate::net::privileges;
use crate::record::Signal;
use crate::wire::sys;

/// What a shell says of a command that is not there, and of one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Runs a command inside a guard, and yields its exit code.
pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let signals = Signals::watch()?;
    let standing = stand(&args.hold)?;
    if !args.quiet {
        warn(&describe(&args.hold, &standing));
    }
    let [name, arguments @ ..] = &*args.command else { return Err(Failure::usage("no command")) };
    let mut command = program(name);
    sys::start_with_unblocked(command.args(arguments), signals.watched());
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            warn(&format!("cannot run {}: {}", name.display(), cause(&error)));
            return Ok(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE });
        }
    };
    let status = attend(child, &signals)?;
    if standing.stands() == Some(false) {
        warn("the guard was taken away while the command ran (a firewall reload?)");
    }
    Ok(code(status))
}

/// Waits for the command to end, and passes signals on to it. A command that cannot be attended is killed: it
/// would go on without the guard.
fn attend(mut child: Child, signals: &Signals) -> Result<ExitStatus, Failure> {
    let attended = give_up() // the command has what it needs
        .and_then(|()| until_ended(&child, signals).map_err(|error| Failure::cannot(WAIT, &error)));
    if attended.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| Failure::cannot(WAIT, &error));
    attended.and(status)
}

const WAIT: &str = "wait for the command";

/// A thread waits for the end and hangs up, so that we can wait for signals too. It leaves the process to be
/// reaped, so that its id is nobody else's while we may still send it a signal.
fn until_ended(child: &Child, signals: &Signals) -> io::Result<()> {
    let pid = Pid::from_raw(child.id() as i32);
    let (ended, open_while_running) = io::pipe()?;
    privileges::thread("command", move || {
        let _open = open_while_running;
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    })?;
    while let Some(caught) = signals.wait_for(ended.as_fd(), None) {
        pass_on(caught, pid);
    }
    Ok(())
}

/// Ctrl-C reaches the command by itself, from the terminal; what a process sent to us is meant for both.
fn pass_on(caught: Caught, to: Pid) {
    let number = match (caught.signal, caught.sender) {
        (Signal::Interrupt, Sender::Kernel) => return,
        (Signal::Interrupt, Sender::Process) => Number::SIGINT,
        (Signal::Terminate, _) => Number::SIGTERM,
        (Signal::HangUp, _) => Number::SIGHUP,
    };
    if let Err(error) = signal::kill(to, number) {
        warn(&format!("cannot pass {number} on to the command: {}", cause(&error.into()))); // another user's
    }
}

/// As a shell would say it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(0);
    u8::try_from(code).unwrap_or(u8::MAX)
}
