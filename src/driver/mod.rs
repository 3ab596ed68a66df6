//! Joins the machine, the packets, a wire and time: one exchange, from the first SYN to the verdict.
//!
//! The loop in [`single`] hands one event (a packet, a deadline, a signal) to a flow, which carries out the whole
//! [`Reaction`](crate::tcp::Reaction), then records it, and only then waits for the next. Segments leave
//! before anything is told to the [`Observer`], so that telling cannot delay them.
//!
//! One event after the other. Only a mere acknowledgment waits until all that has arrived with its segment is dealt
//! with, and the last of them is enough for all (MUST-58, MUST-59).

pub mod fleet;
mod flow;
mod hear;
pub mod observe;
pub mod plan;
pub mod sending;
pub mod serve;
pub mod single;
mod story;
pub mod talk;
mod verdict;

pub use observe::Observer;
pub use plan::{Close, Linger, Open, Plan};
pub use serve::{Host, Service, serve};
pub use single::{DriveError, Ended, converse, run};
pub use talk::{Recital, Say, Talk};
