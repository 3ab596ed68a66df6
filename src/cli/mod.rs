//! The command line: what was typed, what to do about it, and how it ends.

pub mod args;
mod connect;
mod demo;
mod error;
pub mod exit;
pub mod manual;
mod output;
mod signals;
mod target;

use std::ffi::OsString;

use clap::Parser;

use args::{Args, Command};
pub use error::Failure;
pub use exit::Exit;

/// Runs the program with these arguments, the first being its name, and yields how it ended. Reports go
/// to standard output; an error is returned, to be printed by the caller.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<Exit, Failure> {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return error::usage(&error),
    };
    match args.command {
        Command::Connect(args) => connect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Man(args) => manual::run(&args),
    }
}
