//! The states of ends that we are not, told by the segments that are seen of them.
//!
//! The machine is the one that drives our own connections, as [`Watched`](crate::tcp::Watched): [`remote`] follows
//! the other end of an exchange of ours, [`watch`] both ends of a connection of others. What they tell is inferred,
//! and marked as inferred wherever it is shown.

mod flow;
pub mod remote;
pub mod watch;

pub use watch::{Moment, Sight, Watch};
