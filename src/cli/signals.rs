//! Signals as something to read: the exchange is ended properly, not torn down.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;

use super::error::Failure;
use crate::record::Signal;

const WATCHED: [(Number, Signal); 3] = [
    (Number::SIGINT, Signal::Interrupt),
    (Number::SIGTERM, Signal::Terminate),
    (Number::SIGHUP, Signal::HangUp),
];

/// A signal, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caught {
    pub(super) signal: Signal,
    pub(super) sender: Sender,
}

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The kernel, for a terminal: to all that run there.
    Kernel,
    /// A process: to us.
    Process,
}

/// Collects signals until they are asked for.
#[derive(Debug)]
pub(super) struct Signals {
    descriptor: SignalFd,
    watched: SigSet,
}

impl Signals {
    /// From here on the watched signals no longer end the process. To be called before any thread is
    /// started: threads inherit it. A signal that was ignored when we were started (nohup) stays so.
    pub(super) fn watch() -> Result<Self, Failure> {
        let ignored = ignored();
        let watched = WATCHED.iter().map(|(number, _)| *number);
        let set: SigSet = watched.filter(|number| ignored & bit(*number) == 0).collect();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let descriptor = set.thread_block().and_then(|()| SignalFd::with_flags(&set, flags));
        let descriptor = descriptor.map_err(|error| Failure::cannot("watch signals", &error.into()))?;
        Ok(Self { descriptor, watched: set })
    }

    /// A descriptor that is readable while a signal waits.
    pub(super) fn descriptor(&self) -> Result<OwnedFd, Failure> {
        self.descriptor.as_fd().try_clone_to_owned().map_err(|error| Failure::cannot("watch signals", &error))
    }

    /// Those that no longer end this process, but are to end what it starts.
    pub(super) const fn watched(&self) -> SigSet {
        self.watched
    }

    /// The signal that waits, if one does.
    pub(super) fn pending(&self) -> Option<Signal> {
        self.caught().map(|caught| caught.signal)
    }

    fn caught(&self) -> Option<Caught> {
        let info = self.descriptor.read_signal().ok()??;
        let (_, signal) = WATCHED.iter().find(|(number, _)| *number as u32 == info.ssi_signo)?;
        // Codes above zero are the kernel's own, such as those for Ctrl-C at a terminal.
        let sender = if info.ssi_code > 0 { Sender::Kernel } else { Sender::Process };
        Some(Caught { signal: *signal, sender })
    }

    /// Waits until `descriptor` is readable, for a signal, or no longer than `most` if that is given.
    pub(super) fn wait_for(&self, descriptor: BorrowedFd<'_>, most: Option<Duration>) -> Option<Caught> {
        loop {
            let mut fds = [descriptor, self.descriptor.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let ended = matches!(ppoll(&mut fds, most.map(TimeSpec::from), None), Ok(0));
            if ended || fds[0].any().unwrap_or(false) {
                return None;
            }
            if let Some(caught) = self.caught() {
                return Some(caught);
            }
        }
    }

    /// Waits for `time`, or for a signal.
    pub(super) fn wait(&self, time: Duration) -> Option<Signal> {
        self.is_due_within(time);
        self.pending()
    }

    /// Waits for `time`, or until a signal waits to be asked for.
    pub(super) fn is_due_within(&self, time: Duration) -> bool {
        let mut fds = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        let _ = ppoll(&mut fds, Some(TimeSpec::from(time)), None);
        fds[0].any().unwrap_or(false)
    }
}

/// The signals this process ignores, a bit each, as `/proc` tells; none if it does not.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

const fn bit(signal: Number) -> u64 {
    1 << (signal as u32 - 1)
}
