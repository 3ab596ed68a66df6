//! A guard held in the background until it is told to end.
//!
//! What holds it leaves no file: it is found by the name of a socket in the abstract namespace, which is one of
//! the network namespace that the guard is in, and goes with the process. Anybody can take such a name, so
//! neither side believes, or waits for, anyone but root and its own user.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd;
use siphasher::sip::SipHasher13;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{complaint, describe, give_up, print, program, stand};
use crate::cli::args::{CoverArgs, DownArgs, HoldArgs};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::guard::{Kind, Standing};
use crate::time::Clock;

/// Starts a holder and waits until its guard stands.
pub(super) fn up(args: &HoldArgs) -> Result<Exit, Failure> {
    if let Some(answer) = what_stands(&args.covers)? {
        return already(args, &answer);
    }
    let cannot = |error: io::Error| Failure::cannot("start what holds the guard", &error);
    let mut command = program(std::env::current_exe().map_err(cannot)?);
    command.args(["guard", "hold"]).args(typed(args));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut holder = command.spawn().map_err(cannot)?;
    // Both end when the holder lets go of them: once its guard stands, or because it has failed.
    let (mut said, mut errors) = (String::new(), Vec::new());
    holder.stdout.take().map(|mut output| output.read_to_string(&mut said)).transpose().map_err(cannot)?;
    holder.stderr.take().map(|mut stderr| stderr.read_to_end(&mut errors)).transpose().map_err(cannot)?;
    if !said.is_empty() {
        print(&said)?;
        return Ok(Exit::Success);
    }
    holder.wait().map_err(cannot)?;
    match what_stands(&args.covers)? {
        Some(answer) => already(args, &answer), // somebody else was faster
        None => Err(Failure::not_possible(complaint(&errors))),
    }
}

/// The arguments as they could have been typed.
fn typed(args: &HoldArgs) -> Vec<String> {
    let HoldArgs { covers: CoverArgs { port, address }, guard, mark } = args;
    let guard = guard.to_possible_value().map(|value| format!("--guard={}", value.get_name()));
    let address = address.map(|address| format!("--address={address}"));
    [format!("--port={port}"), format!("--mark={mark}")].into_iter().chain(address).chain(guard).collect()
}

/// A guard stands there. It will do if it is what was asked for.
fn already(args: &HoldArgs, answer: &str) -> Result<Exit, Failure> {
    let covers = &args.covers;
    let is_wanted = |kind: Kind| args.guard.kind().is_none_or(|wanted| wanted == kind);
    let is_it = |kind: &Kind| is_wanted(*kind) && answer == state(*kind, args.mark, Some(true));
    if Kind::ALL.iter().any(is_it) {
        print(&format!("guard on {covers}: up already\n"))?;
        return Ok(Exit::Success);
    }
    Err(Failure::not_possible(format_args!(
        "on {covers} is up already: {answer} (take it down first: tcpshake guard down {})",
        covers.typed()
    )))
}

/// What a holder says of its guard: `nft, mark 0x53`. A listener knows no mark.
fn state(kind: Kind, mark: u32, stands: Option<bool>) -> String {
    let mark = if kind == Kind::Listener { String::new() } else { format!(", mark {mark:#x}") };
    let but = match stands {
        Some(true) => "",
        Some(false) => ", its rule removed by somebody",
        None => ", and whether its rules stand cannot be found out",
    };
    format!("{kind}{mark}{but}")
}

const WHAT: &[u8] = b"what";
const DOWN: &[u8] = b"down";
const NOT_YOURS: &[u8] = b"not yours";
/// How long either side waits for the other's words.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a holder may take to put its guard up: iptables waits for a lock.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// Holds the guard until it is told to end.
pub(super) fn hold(args: &HoldArgs) -> Result<Exit, Failure> {
    let cannot = |error: io::Error| Failure::cannot("hold the guard in the background", &error);
    close_inherited();
    let signals = Signals::watch()?;
    let _ = unistd::setsid(); // a terminal's Ctrl-C and hanging up are not for us
    let listener = listen(&args.covers).map_err(cannot)?;
    let standing = stand(args)?;
    give_up()?;
    // If nobody is there any more to hear it, nobody wants the guard.
    io::stdout().write_all(format!("{}\n", describe(args, &standing)).as_bytes()).map_err(cannot)?;
    let_go().map_err(cannot)?;
    while signals.pending().is_none() && signals.wait_for(listener.as_fd(), None).is_none() {
        let Ok((caller, _)) = listener.accept() else { continue };
        if answer(&caller, args, &standing).is_ok_and(|request| request == DOWN) {
            // The guard first, then the name: whoever finds no name finds no guard. The caller hears it last.
            drop(standing);
            drop(listener);
            drop(caller);
            break;
        }
    }
    Ok(Exit::Success)
}

/// Files of whoever started us, who may wait for their end.
fn close_inherited() {
    const STANDARD_ERROR: i32 = 2;
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > STANDARD_ERROR) {
        let _ = unistd::close(number); // nothing of ours is open yet
    }
}

/// Whoever started us waits for the end of our output, and may want to remove the folder it is in.
fn let_go() -> io::Result<()> {
    std::env::set_current_dir("/")?;
    let nowhere = fs::File::options().read(true).write(true).open("/dev/null")?;
    unistd::dup2_stdout(&nowhere)?;
    unistd::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Answers a caller, unless he asks for the end, and yields what he asks for.
fn answer(mut caller: &UnixStream, args: &HoldArgs, standing: &Standing) -> io::Result<[u8; WHAT.len()]> {
    caller.set_write_timeout(Some(PATIENCE))?;
    if !Trust::RootAndUs.extends_to(caller) {
        caller.write_all(NOT_YOURS)?;
        return Err(ErrorKind::PermissionDenied.into());
    }
    caller.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; WHAT.len()];
    caller.read_exact(&mut request)?;
    if request == WHAT {
        let state = standing.kind().map(|kind| state(kind, args.mark, standing.stands()));
        caller.write_all(state.unwrap_or_default().as_bytes())?;
    }
    Ok(request)
}

/// Tells a holder to end, and waits until it has.
pub(super) fn down(args: &DownArgs) -> Result<Exit, Failure> {
    let covers = &args.covers;
    let done = match ask(covers, DOWN, Trust::Anybody)? {
        Some(_) => format!("guard on {covers}: down\n"),
        None => format!("guard on {covers}: there is none that guard up put up\n"),
    };
    print(&done)?;
    Ok(Exit::Success)
}

/// What a holder says of its guard, once that stands. One that gets none says nothing and ends.
fn what_stands(covers: &CoverArgs) -> Result<Option<String>, Failure> {
    Ok(ask(covers, WHAT, Trust::RootAndUs)?.filter(|answer| !answer.is_empty()))
}

/// Whose word is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    RootAndUs,
    /// Asking for the end does no harm, whoever it is.
    Anybody,
}

impl Trust {
    fn extends_to(self, peer: &UnixStream) -> bool {
        let trusted = [0, unistd::geteuid().as_raw()];
        let is_trusted =
            || getsockopt(peer, sockopt::PeerCredentials).is_ok_and(|peer| trusted.contains(&peer.uid()));
        self == Self::Anybody || is_trusted()
    }
}

/// Asks the holder of a guard and takes its answer; `None` if there is no holder.
fn ask(covers: &CoverArgs, what: &[u8], trust: Trust) -> Result<Option<String>, Failure> {
    let another_users = || {
        Failure::not_possible(format_args!(
            "what holds {covers} is another user's (see: sudo tcpshake guard status)"
        ))
    };
    let mut holder = match connect(covers) {
        Ok(holder) if trust.extends_to(&holder) => holder,
        Ok(_) => return Err(another_users()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(None),
        // Nobody takes calls there: ours would.
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(another_users()),
        Err(error) => return Err(Failure::cannot("reach what holds the guard", &error)),
    };
    let patience = if Trust::RootAndUs.extends_to(&holder) { LONG_PATIENCE } else { PATIENCE };
    // Who is not answered may be told so before he has asked: the answer counts, also where asking failed.
    let mut answer = Vec::new();
    let asked = holder.set_write_timeout(Some(PATIENCE)).and_then(|()| holder.write_all(what));
    let read = hear(&holder, patience, &mut answer);
    match asked.and(read).map_err(|error| (error.kind(), error)) {
        _ if answer == NOT_YOURS => Err(another_users()),
        Ok(()) => Ok(Some(String::from_utf8_lossy(&answer).into_owned())),
        Err((ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _)) => Ok(None), // it ended meanwhile
        Err((ErrorKind::WouldBlock | ErrorKind::TimedOut, _)) => Err(Failure::not_possible(format_args!(
            "what holds {covers} does not answer (see: sudo tcpshake guard status)"
        ))),
        Err((_, error)) => Err(Failure::cannot("hear from what holds the guard", &error)),
    }
}

/// Reads to the end, but no more than an answer can be, and no longer than `patience` in all.
fn hear(mut holder: &UnixStream, patience: Duration, answer: &mut Vec<u8>) -> io::Result<()> {
    const LONGEST: usize = 256;
    let clock = Clock::new();
    let deadline = clock.now() + patience;
    let mut buffer = [0; LONGEST];
    while answer.len() <= LONGEST {
        let left = deadline - clock.now();
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        holder.set_read_timeout(Some(left))?;
        match holder.read(&mut buffer)? {
            0 => return Ok(()),
            len => answer.extend(buffer.iter().take(len)),
        }
    }
    Err(ErrorKind::InvalidData.into())
}

fn connect(covers: &CoverArgs) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?; // where nobody accepts, a connect would wait for ever
    socket.connect(&name(covers)?)?;
    socket.set_nonblocking(false)?;
    Ok(OwnedFd::from(socket).into())
}

fn listen(covers: &CoverArgs) -> io::Result<UnixListener> {
    const BACKLOG: i32 = 16;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&name(covers)?)?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

/// Where the holder of a guard is to be reached. A digest, for a list of ports may be longer than a name.
fn name(covers: &CoverArgs) -> io::Result<SockAddr> {
    let digest = SipHasher13::new().hash(covers.typed().as_bytes());
    SockAddr::unix(PathBuf::from(format!("\0tcpshake-guard-{digest:016x}")))
}
