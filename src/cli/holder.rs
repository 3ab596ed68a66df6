//! Holding a guard for others: around a command, or in the background until it is told to end.
//!
//! What holds it in the background leaves no file: it is found by the name of a socket in the abstract
//! namespace, which is one of the network namespace that the guard is in, and goes with the process.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use clap::ValueEnum;
use nix::sys::signal::{self, Signal as Number};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{self, Pid};

use super::args::{HoldArgs, RunArgs};
use super::error::Failure;
use super::exit::Exit;
use super::guard::{describe, print, stand};
use super::signals::Signals;
use crate::guard::{PortSet, Standing};
use crate::net::privileges;
use crate::record::Signal;
use crate::wire::sys;

/// Runs a command inside a guard, and yields its exit code.
pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let signals = Signals::watch()?;
    let standing = stand(&args.hold)?;
    if !args.quiet {
        warn(&describe(&args.hold, &standing));
    }
    let [command, arguments @ ..] = &*args.command else { return Err(Failure::usage("no command")) };
    let mut other = other_program(command);
    sys::start_with_unblocked(other.args(arguments), signals.watched());
    let mut child =
        other.spawn().map_err(|error| Failure::cannot(format_args!("run {}", command.display()), &error))?;
    let pid = Pid::from_raw(child.id() as i32);
    give_up()?; // the command has what it needs

    // A thread waits for the command and hangs up when it has ended, so that we can wait for signals too.
    let ended = io::pipe().and_then(|(ended, open_while_running)| {
        let wait = move || {
            let _open = open_while_running;
            child.wait()
        };
        Ok((ended, std::thread::Builder::new().name("command".into()).spawn(wait)?))
    });
    let (ended, waiter) = ended.map_err(|error| Failure::cannot("wait for the command", &error))?;
    while let Some(signal) = signals.wait_for(ended.as_fd(), None) {
        pass_on(signal, pid);
    }
    let status = waiter.join().unwrap_or_else(|_| Err(io::Error::other("the waiting thread panicked")));
    let status = status.map_err(|error| Failure::cannot("wait for the command", &error))?;
    if standing.is_lost() {
        warn("somebody removed the guard's rule while the command ran (a firewall reload?)");
    }
    Ok(code(status))
}

#[expect(clippy::disallowed_methods, reason = "what a guard is held for; see .clippy.toml")]
fn other_program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(name)
}

fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "tcpshake: {text}");
}

fn give_up() -> Result<(), Failure> {
    privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))
}

/// Ctrl-C reaches the command by itself, from the terminal; other signals are meant for both of us.
fn pass_on(signal: Signal, to: Pid) {
    let number = match signal {
        Signal::Interrupt => return,
        Signal::Terminate => Number::SIGTERM,
        Signal::HangUp => Number::SIGHUP,
    };
    let _ = signal::kill(to, number);
}

/// As a shell would say it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(0);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Where the holder of a guard on these ports is to be reached.
fn name_of(ports: &PortSet) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("tcpshake-guard:{ports}"))
}

/// Starts a holder and waits until its guard stands.
pub(super) fn up(args: &HoldArgs) -> Result<Exit, Failure> {
    let already = || -> Result<Exit, Failure> {
        print(&format!("guard on port {}: up already\n", args.port))?;
        Ok(Exit::Success)
    };
    if stands(&args.port) {
        return already();
    }
    let start = || -> io::Result<(String, String, Option<ExitStatus>)> {
        let mut command = other_program(std::env::current_exe()?);
        command.args(["guard", "hold"]).args(typed(args));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn()?;
        let (mut said, mut complaint) = (String::new(), String::new());
        // Both end when the holder lets go of them: once its guard stands, or because it has failed.
        holder.stdout.take().map(|mut output| output.read_to_string(&mut said)).transpose()?;
        holder.stderr.take().map(|mut errors| errors.read_to_string(&mut complaint)).transpose()?;
        let ended = if said.is_empty() { Some(holder.wait()?) } else { None };
        Ok((said, complaint, ended))
    };
    let (said, complaint, ended) =
        start().map_err(|error| Failure::cannot("start what holds the guard", &error))?;
    if ended.is_some() {
        if stands(&args.port) {
            return already(); // somebody else was faster
        }
        let complaint = complaint.trim_end();
        return Err(Failure::not_possible(complaint.strip_prefix("tcpshake: ").unwrap_or(complaint)));
    }
    print(&said)?;
    Ok(Exit::Success)
}

/// The arguments as they could have been typed.
fn typed(args: &HoldArgs) -> Vec<String> {
    let HoldArgs { port, address, guard, mark } = args;
    let guard = guard.to_possible_value().map(|value| value.get_name().to_owned());
    let address = address.iter().map(|address| format!("--address={address}"));
    let guard = guard.iter().map(|guard| format!("--guard={guard}"));
    [format!("--port={port}"), format!("--mark={mark}")].into_iter().chain(address).chain(guard).collect()
}

const DOWN: &[u8] = b"down";
const STAY: &[u8] = b"stay";
const STANDS: &[u8] = b"stands";
const NOT_YOURS: &[u8] = b"not yours";

/// Holds the guard until it is told to end.
pub(super) fn hold(args: &HoldArgs) -> Result<Exit, Failure> {
    let cannot = |error: io::Error| Failure::cannot("hold the guard in the background", &error);
    let signals = Signals::watch()?;
    let _ = unistd::setsid(); // a terminal's Ctrl-C and hanging up are not for us
    let listener = name_of(&args.port).and_then(|name| UnixListener::bind_addr(&name)).map_err(cannot)?;
    let standing = stand(args)?;
    give_up()?;
    print(&format!("{}\n", describe(args, &standing)))?;
    let let_go = || -> io::Result<()> {
        std::env::set_current_dir("/")?;
        let nowhere = std::fs::File::options().read(true).write(true).open("/dev/null")?;
        unistd::dup2_stdout(&nowhere)?;
        unistd::dup2_stderr(&nowhere)?;
        Ok(())
    };
    let_go().map_err(cannot)?;
    while signals.wait_for(listener.as_fd(), None).is_none() {
        if let Ok((caller, _)) = listener.accept()
            && is_to_end(&caller)
        {
            end(standing, listener);
            drop(caller); // which tells him that it is done
            break;
        }
    }
    Ok(Exit::Success)
}

/// The guard first, then the name: whoever finds no name finds no guard.
fn end(standing: Standing, listener: UnixListener) {
    drop(standing);
    drop(listener);
}

/// Whether the caller asks for the end, and may: root, and whoever the holder runs as.
fn is_to_end(mut caller: &UnixStream) -> bool {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
    let mut asked = [0; DOWN.len()];
    let read = caller.set_read_timeout(Some(PATIENCE)).and_then(|()| caller.read_exact(&mut asked));
    if read.is_ok() && asked == *STAY {
        let _ = caller.write_all(STANDS);
    }
    if read.is_err() || asked != *DOWN {
        return false;
    }
    let allowed = [0, unistd::geteuid().as_raw()];
    let may = getsockopt(&caller, sockopt::PeerCredentials).is_ok_and(|peer| allowed.contains(&peer.uid()));
    if !may {
        let _ = caller.write_all(NOT_YOURS);
    }
    may
}

/// Says something to a holder and takes the answer, for which it may have to wait: a holder whose guard does
/// not stand yet listens later. `None` if there is no holder, or it ended before it listened.
fn ask(ports: &PortSet, what: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let ask = || -> io::Result<Vec<u8>> {
        let mut holder = UnixStream::connect_addr(&name_of(ports)?)?;
        holder.write_all(what)?;
        let mut answer = Vec::new();
        holder.read_to_end(&mut answer)?;
        Ok(answer)
    };
    match ask().map_err(|error| (error.kind(), error)) {
        Ok(answer) => Ok(Some(answer)),
        Err((ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _)) => {
            Ok(None)
        }
        Err((_, error)) => Err(error),
    }
}

fn stands(ports: &PortSet) -> bool {
    ask(ports, STAY).is_ok_and(|answer| answer.as_deref() == Some(STANDS))
}

/// Tells a holder to end, and waits until it has.
pub(super) fn down(ports: &PortSet) -> Result<Exit, Failure> {
    let answer = ask(ports, DOWN).map_err(|error| Failure::cannot("reach what holds the guard", &error))?;
    print(&match answer.as_deref() {
        Some(NOT_YOURS) => {
            return Err(Failure::not_possible(format_args!(
                "the guard on port {ports} is another user's (run it with sudo)"
            )));
        }
        Some(_) => format!("guard on port {ports}: down\n"),
        None => format!("guard on port {ports}: there is none that guard up put up\n"),
    })?;
    Ok(Exit::Success)
}
