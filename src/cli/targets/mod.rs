//! The targets of a check: what was typed and what files hold, as one list without duplicates.
//!
//! A target is `HOST:PORTS`: an address, a block of addresses, or a name; a port, or several: `10.0.0.0/24:22,80`,
//! `[fd99::/120]:8000-8010`, `example.org:443`. In a file of lines what is expected follows, separated by spaces; a
//! file whose name ends in `.toml` has tables:
//!
//! ```toml
//! expect = ["open"] # of those below that say nothing
//!
//! [[target]]
//! address = "10.0.0.0/24:22"
//! expect = ["rtt<20ms", "banner~^SSH-2"]
//! ```
//!
//! What a line expects takes the place of the default. A target that is named twice is one target, of which
//! everything is expected that any place expects: a block can expect `open`, and one of its hosts a banner besides.
//! What cannot both be so is an error.

mod exclude;
mod gather;
mod lines;
mod list;
mod ports;
#[cfg(test)]
mod properties;
mod seen;
mod sets;
mod shard;
mod tables;
#[cfg(test)]
mod tests;
mod trouble;
mod written;

pub use exclude::Exclude;
pub use gather::{Asked, Gathered, gather};
pub use list::{Entry, Host, List};
pub use shard::Shard;
pub use trouble::Trouble;
