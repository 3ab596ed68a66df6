//! Exit codes: one list for the program, its help, its manual page and its tests.

use crate::record::sending::Verdict;
use crate::record::{NotOpened, Outcome, Signal, Summary};

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// How the program ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit { $(#[doc = $text] $name = $code),* }

        impl Exit {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it means: one line, for help and manual.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

exits! {
    Success = 0, "ended as asked";
    ExpectationFailed = 1, "an expectation was not met";
    Usage = 2, "the command line is wrong";
    Refused = 3, "refused: RST in answer to our SYN";
    Silent = 4, "silent: no answer in time";
    Unreachable = 5, "unreachable: an ICMP error, or no route";
    Reset = 6, "reset by the peer after opening, or in answer to what was no SYN";
    CloseIncomplete = 7, "opened, but the close did not complete";
    NotPossible = 8, "not possible here: permission, guard, interface, source address or port";
    NameNotResolved = 9, "the host name was not resolved";
    HungUp = 129, "the terminal hung up";
    Interrupted = 130, "interrupted with Ctrl-C";
    Terminated = 143, "terminated with SIGTERM";
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The list, a line each, for help.
    pub fn table() -> String {
        let lines = Self::ALL.iter().map(|exit| format!("{:>5}  {}", exit.code(), exit.text()));
        format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
            Signal::HangUp => Self::HungUp,
        }
    }
}

impl From<&Summary> for Exit {
    /// What went wrong here comes first; what was expected counts where all else went well.
    fn from(summary: &Summary) -> Self {
        match (Self::from(&summary.outcome), &summary.trouble, summary.as_expected) {
            (exit @ (Self::Interrupted | Self::Terminated | Self::HungUp), ..) => exit,
            (_, Some(_), _) => Self::NotPossible,
            (Self::Success, None, Some(false)) => Self::ExpectationFailed,
            (exit, ..) => exit,
        }
    }
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Success,
            Outcome::Refused | Outcome::NotOpened(NotOpened::Reset) => Self::Refused,
            Outcome::Silent { .. } | Outcome::NotOpened(NotOpened::NoAnswer) => Self::Silent,
            Outcome::Unreachable(_) => Self::Unreachable,
            Outcome::ResetAfterOpening { .. } => Self::Reset,
            Outcome::CloseIncomplete { .. } => Self::CloseIncomplete,
            Outcome::Interrupted(signal) => (*signal).into(),
        }
    }
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Answered(..) | Verdict::RightlySilent(_) => Self::Success,
            Verdict::Refused(_) => Self::Refused,
            Verdict::Reset(_) => Self::Reset,
            Verdict::Unreachable(_) => Self::Unreachable,
            Verdict::Silent(_) => Self::Silent,
            Verdict::Interrupted(signal) => (*signal).into(),
        }
    }
}
