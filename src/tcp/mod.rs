//! RFC 9293 as code, and nothing else: no sockets, no clock, no randomness, no printing, no serde.
//!
//! Time comes in as an argument, effects go out as a [`Reaction`]. The vocabulary is in [`seq`],
//! [`flags`], [`options`] and [`segment`]; the machine is a [`Tcb`], whose methods stand where the RFC
//! has them: `calls` (3.10.1 to 6), `arrives` and `checks` (3.10.7), `timeouts` (3.10.8). Every segment
//! it sends is formed in `form`.

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
pub use reaction::{AcceptedText, Arrows, Deadline, Reaction, Timer};
pub use segment::Segment;
pub use seq::{Mss, SeqNum, UnscaledWindow, WindowScale, WindowSize};
pub use state::{Arrow, State};
pub use stream::Stream;
pub use tcb::{Origin, Parameters, Rcv, Retries, Snd, Tcb};
pub use transfer::Nagle;
pub use watched::{Shown, Watched};
