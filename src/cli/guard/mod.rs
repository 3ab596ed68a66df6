//! `tcpshake guard`: guards held for other programs, and a look at those that stand.

mod around;
mod background;
mod look;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::Command;

use super::args::{CoverArgs, GuardCommand, HoldArgs};
use super::error::{Failure, written};
use super::exit::Exit;
use crate::guard::{LeaseError, Proof, Scope, SelfTest, Standing};
use crate::net::{privileges, route};
use crate::time::Clock;

pub(super) fn run(command: &GuardCommand) -> Result<u8, Failure> {
    let exit = match command {
        GuardCommand::Run(args) => return around::run(args),
        GuardCommand::Up(args) => background::up(args),
        GuardCommand::Down(args) => background::down(args),
        GuardCommand::Hold(args) => background::hold(args),
        GuardCommand::Status(args) => look::status(args),
        GuardCommand::Test(args) => look::test(args),
        GuardCommand::Clean => look::clean_up(),
    };
    exit.map(Exit::code)
}

/// The guard that the arguments ask for.
fn stand(args: &HoldArgs) -> Result<Standing, Failure> {
    let CoverArgs { address, port } = args.covers.clone();
    address.map(own).transpose()?;
    let scope = Scope { address, ports: port, mark: args.mark };
    Ok(Standing::stand(args.guard.into(), &scope, &mut SelfTest::new(Clock::new()))?)
}

/// An address, if it is one of this machine's.
pub(super) fn own(address: IpAddr) -> Result<IpAddr, Failure> {
    let is_own = route::is_own(address).then_some(address);
    is_own.ok_or_else(|| Failure::not_possible(LeaseError::not_ours(address)))
}

/// `guard on port 40000: listener (tcp-md5), proven`.
fn describe(args: &HoldArgs, standing: &Standing) -> String {
    let mut text = format!("guard on {}: {}", args.covers, standing.name());
    if let Some(discard) = standing.discard() {
        let _ = write!(text, " ({})", discard.name());
    }
    let _ = match standing.proof() {
        Proof::Silent => write!(text, ", proven"),
        Proof::Untestable(why) => write!(text, ", not tested: {why}"),
        Proof::Answered | Proof::NotAsked => Ok(()),
    };
    for passed in standing.passed_over() {
        let _ = write!(text, "; not {}: {}", passed.kind, passed.why);
    }
    text
}

fn give_up() -> Result<(), Failure> {
    privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))
}

pub(super) fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(text.as_bytes()))
}

fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "tcpshake: {text}");
}

/// A line of JSON.
pub(super) fn json(line: &impl serde::Serialize) -> String {
    // Plain structs of strings and numbers: there is nothing in them that could fail to serialize.
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

/// A program to run: what a guard is held for, or this one again.
#[expect(clippy::disallowed_methods, reason = "one of the two places; see .clippy.toml")]
pub(super) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}

/// What this program said on standard error when it failed, without its name.
pub(super) fn complaint(errors: &[u8]) -> String {
    let said = String::from_utf8_lossy(errors);
    said.trim_end().strip_prefix("tcpshake: ").unwrap_or(&said).to_owned()
}
