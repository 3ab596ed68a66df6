//! Hand-built segments, written down.

mod json;
mod ladder;
mod verdict;

pub use json::{Json, Lines};
pub use ladder::Ladder;
pub use verdict::Closing;

use crate::record::sending::News;

/// A way to write it down; each call appends to `out`, whole lines only.
pub trait Format: Send {
    /// What there is to tell.
    fn write(&mut self, news: &News, out: &mut String);
}
