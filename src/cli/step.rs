//! `--step`: each segment of ours waits for Enter.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::args::{FormatKind, OutputArgs};
use super::error::Failure;
use super::output::{Output, Prompter};
use super::signals::Signals;
use crate::packet::{TransportChecksum, ip, tcp};
use crate::tcp::{Flags, Segment};
use crate::wire::Wire;
use crate::wire::stepping::{Leave, Stepping};

/// Said first.
const MEANWHILE: &str = "\
Each segment of ours waits for Enter, and our clock with it. The peer's goes on:
what it waits for it sends again, first after about a second, and after a minute
or two it gives up. What comes meanwhile is shown next.
";

/// The same, where the peer's clock is ours.
const MEANWHILE_SIMULATED: &str = "Each segment of ours waits for Enter, and all clocks with it.\n";

/// Whose clock the peer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Its own.
    Real,
    /// Ours: it is simulated.
    Simulated,
}

/// Asks at the terminal, or whatever standard input is.
pub(super) struct Stepper {
    prompter: Prompter,
    signals: OwnedFd,
    answers: Answers,
    peer: Peer,
}

/// What is to be expected of standard input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    NotAsked,
    Come,
    /// It has ended: nobody is asked any more.
    HaveEnded,
    /// A signal ends it all: nothing leaves but the RST that says so.
    AreCutOff,
}

impl Stepper {
    /// For what `output` shows, if it is `wanted`.
    pub(super) fn new(
        wanted: bool,
        peer: Peer,
        output: &Output,
        signals: &Signals,
    ) -> Result<Option<Self>, Failure> {
        let new = || -> Result<Self, Failure> {
            Ok(Self {
                prompter: output.prompter(),
                signals: signals.descriptor()?,
                answers: Answers::NotAsked,
                peer,
            })
        };
        wanted.then(new).transpose()
    }

    /// Returns when `packet` may leave, or that it may not.
    fn ask(&mut self, packet: &[u8]) -> Leave {
        if self.answers == Answers::NotAsked {
            self.answers = Answers::Come;
            let meanwhile = if self.peer == Peer::Real { MEANWHILE } else { MEANWHILE_SIMULATED };
            self.prompter.say(meanwhile.to_owned());
        }
        if self.answers == Answers::Come {
            self.question(packet);
        }
        let is_reset = || segment(packet).is_some_and(|segment| segment.has(Flags::RST));
        if self.answers == Answers::AreCutOff && !is_reset() { Leave::Refused } else { Leave::Granted }
    }

    fn question(&mut self, packet: &[u8]) {
        // Who types Enter ends the line on the terminal, too.
        let is_terminal = io::stdin().is_terminal();
        let end = if is_terminal { " " } else { "\n" };
        self.prompter.say(format!("next: {} · Enter{end}", words(packet)));
        self.answers = self.wait();
        if is_terminal && self.answers != Answers::Come {
            self.prompter.say("\n".to_owned());
        }
    }

    /// Waits for the end of a line.
    fn wait(&self) -> Answers {
        let stdin = io::stdin();
        loop {
            let mut fds = [self.signals.as_fd(), stdin.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                Ok(_) if !fds[0].any().unwrap_or(false) => {}
                _ => return Answers::AreCutOff,
            }
            let mut octet = [0];
            match nix::unistd::read(&stdin, &mut octet) {
                Ok(1..) if octet != *b"\n" => {}
                Ok(1..) => return Answers::Come,
                Ok(0) | Err(_) => return Answers::HaveEnded,
            }
        }
    }
}

/// Whether there is a ladder to ask beside.
pub(super) fn check(wanted: bool, shown: &OutputArgs) -> Result<(), Failure> {
    if wanted && shown.format == FormatKind::Json {
        return Err(Failure::usage("--step is for who watches the ladder (leave out --format json)"));
    }
    Ok(())
}

/// Lets `run` send by `wire`, each packet after `stepper` has asked, if there is one.
pub(super) fn asking<R>(
    stepper: Option<&mut Stepper>,
    wire: &mut dyn Wire,
    run: impl FnOnce(&mut dyn Wire) -> R,
) -> R {
    match stepper {
        Some(stepper) => run(&mut Stepping::new(wire, |packet| stepper.ask(packet))),
        None => run(wire),
    }
}

/// What `packet` carries.
fn segment(packet: &[u8]) -> Option<Segment> {
    let packet = ip::parse(packet).ok()?;
    let read = tcp::parse(packet.payload, packet.addresses, TransportChecksum::LeftToCard);
    read.ok().map(|read| read.segment)
}

/// `ACK  seq 4322  ack 9001`.
fn words(packet: &[u8]) -> String {
    let Some(segment) = segment(packet) else { return "a packet".to_owned() };
    let ack = segment.acknowledgment().map_or(String::new(), |ack| format!("  ack {ack}"));
    format!("{}  seq {}{ack}  len {}", segment.flags, segment.seq, segment.text_len)
}
