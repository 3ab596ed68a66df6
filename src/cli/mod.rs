//! The command line: what was typed, what to do about it, and how it ends.

mod answers;
pub mod args;
mod check;
mod connect;
mod conversation;
mod data;
mod demo;
mod doctor;
mod draw;
mod error;
mod escape;
pub mod exit;
mod files;
mod guard;
mod listen;
mod look;
pub mod manual;
mod merge;
mod output;
mod path;
mod queue;
mod rewound;
mod send;
mod signals;
mod sink;
mod source;
mod step;
mod target;
pub mod targets;
mod way;

use std::ffi::OsString;

use clap::Parser;

use args::{Args, Command};
pub use error::Failure;
pub use exit::Exit;

/// Runs the program with these arguments, the first being its name, and yields its exit code: one of
/// [`Exit`], or that of a command it ran. Reports go to standard output; an error is returned, to be printed
/// by the caller.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<u8, Failure> {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return error::usage(&error).map(Exit::code),
    };
    let exit = match args.command {
        Command::Connect(args) => connect::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Listen(args) => listen::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Draw(args) => draw::run(&args),
        Command::Guard { command } => return guard::run(&command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Man(args) => manual::run(&args),
    };
    exit.map(Exit::code)
}
