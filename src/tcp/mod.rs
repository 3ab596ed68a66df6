//! RFC 9293 as code, and nothing else: no sockets, no clock, no randomness, no printing, no serde.
//!
//! Time comes in as an argument, effects go out as a [`Reaction`]. The vocabulary is in [`seq`],
//! [`flags`], [`options`] and [`segment`]; the machine is a [`Tcb`], made with [`Parameters`], whose methods stand
//! where the RFC has them: `calls` (3.10.1 to 6), `arrives` and `checks` (3.10.7), `timeouts` (3.10.8). Every segment
//! it sends is formed in `form`.
//!
//! # What is left out
//!
//! RFC 9293 leaves choices; where the answer is no, it is here, with the reason.
//!
//! * Keep-alives (MAY-5, MAY-6): what they are for, a connection that is idle for hours, is nothing that this
//!   program has; its user's patience ends one before. So nothing is sent while idle, and there is nothing to
//!   switch, to time or to misread (MUST-24, MUST-25, MUST-26, MUST-27, MUST-28, MUST-29, SHLD-12). A peer's are
//!   answered (J-12).
//! * A close of both directions at once (MAY-1, SHLD-3): CLOSE ends ours alone, and what the peer still sends is
//!   taken. Who wants none of it aborts.
//! * A SYN that reopens from TIME-WAIT (MAY-2), by timestamps (SHLD-4): whoever stands in TIME-WAIT here is a
//!   client, and takes another port. The SYN is challenged like any other.
//! * Delayed acknowledgments (SHLD-18): the machine answers each segment with text, which shows who answers what. The
//!   driver sends one answer to all that has arrived together (MUST-58, MUST-59), and waits for nothing more: none is
//!   late (MUST-40), and whatever comes alone is answered, so every second segment is (SHLD-19).
//! * PUSH and FLUSH as calls (MAY-15, MAY-14): text leaves as soon as it may, so there is nothing to push. A PSH
//!   that comes is shown with its segment and means nothing more (MAY-17): text is handed over as it arrives.
//! * Other congestion control than `congestion`'s (MAY-18).

pub mod answer;
mod arrives;
mod calls;
mod checks;
pub mod clause;
mod congestion;
pub mod cookie;
pub mod flags;
mod form;
pub mod iss;
mod octets;
pub mod offer;
pub mod options;
mod parameters;
mod ranges;
pub mod reaction;
pub mod rto;
mod rules;
pub mod segment;
pub mod seq;
pub mod state;
pub mod stream;
mod tcb;
mod throttle;
mod timeouts;
mod timestamps;
mod transfer;
mod watched;

pub use answer::Meaning;
pub use arrives::answer_in_closed;
pub use calls::CallError;
pub use clause::Clause;
pub use cookie::Cookies;
pub use flags::Flags;
pub use form::reset_answering;
pub use iss::IssGenerator;
pub use offer::Offer;
pub use options::{Opt, Options, OptionsBuilder, SackBlocks, SynOptions, Timestamps};
pub use parameters::{Origin, Parameters, Retries};
pub use reaction::{AcceptedText, Arrows, Deadline, Reaction, Timer};
pub use segment::Segment;
pub use seq::{Mss, SeqNum, UnscaledWindow, WindowScale, WindowSize};
pub use state::{Arrow, State};
pub use stream::Stream;
pub use tcb::{Rcv, Snd, Tcb};
pub use transfer::Nagle;
pub use watched::{Shown, Watched};
