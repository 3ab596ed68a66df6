//! Errors: one line that says what was being done, what went wrong and what to do, and an exit code.

use std::fmt;
use std::io;

use anyhow::anyhow;

use super::exit::Exit;
use crate::cause::cause;
use crate::driver::DriveError;
use crate::guard::{GuardError, LeaseError};
use crate::lab::LabError;
use crate::net::names::NameError;
use crate::net::route::RouteError;
use crate::wire::SendError;
use crate::wire::raw::OpenError;

/// A command that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    /// The exit code it brings.
    pub exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// A failure with its cause.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// A command line that asks for what cannot be.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, anyhow!("{message}"))
    }

    /// A call to the system that failed: "cannot" and what it was for.
    pub fn cannot(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::not_possible(format_args!("cannot {what}: {}", cause(error)))
    }

    /// Something that this machine does not allow or have.
    pub fn not_possible(message: impl fmt::Display) -> Self {
        Self::new(Exit::NotPossible, anyhow!("{message}"))
    }
}

impl fmt::Display for Failure {
    /// One line, safe for a terminal: names from the command line stand in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.error.to_string(); // our errors carry their causes in their own text
        f.write_str(&crate::report::text::clean(&text))
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::new(Exit::NameNotResolved, error)
    }
}

impl From<RouteError> for Failure {
    fn from(error: RouteError) -> Self {
        let exit = match &error {
            RouteError::NoRoute(_) | RouteError::Refused(_) => Exit::Unreachable,
            RouteError::Netlink { .. } => Exit::NotPossible,
        };
        Self::new(exit, error)
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        let exit = match &error {
            DriveError::Send(SendError::Unreachable(_)) => Exit::Unreachable,
            DriveError::Send(SendError::LocalFirewall | SendError::Other(_))
            | DriveError::Emit(_)
            | DriveError::Receive(_)
            | DriveError::Families => Exit::NotPossible,
        };
        Self::new(exit, error)
    }
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        let remedy = match &error {
            LeaseError::Taken { .. } => "choose another with --source-port, or none to get a free one",
            LeaseError::NotOurs { .. } => return Self::not_possible(format_args!("source {error}")),
            LeaseError::Privileged(_) => "choose one from 1024 on, or none",
            LeaseError::Io { .. } => "choose another --source or --source-port",
        };
        Self::not_possible(format_args!("source {error} ({remedy})"))
    }
}

macro_rules! not_possible {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(Exit::NotPossible, error)
            }
        })*
    };
}

not_possible!(GuardError, OpenError, LabError);

/// What became of output: a closed pipe is no reason to fail, a full disk is.
pub(super) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::cannot("write the output", &error))
        }
        _ => Ok(()),
    }
}

/// clap's answer: help and version are no errors, the rest becomes one line.
pub(super) fn usage(error: &clap::Error) -> Result<Exit, Failure> {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return written(error.print()).map(|()| Exit::Success);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return written(error.print()).map(|()| Exit::Usage);
    }
    let text = error.render().to_string();
    let said: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let line = said.join(" ").replace(" tip: ", "; ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    Err(Failure::usage(format_args!("{line} (see tcpshake --help)")))
}
