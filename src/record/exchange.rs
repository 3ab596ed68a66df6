//! One exchange as a value: what a picture, a page or a recording is made of.

use super::{Negotiation, Opening, Step, Summary};
use crate::tcp::State;

/// All that was told of an exchange, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How it began.
    pub opening: Opening,
    /// What happened.
    pub steps: Vec<Step>,
    /// After each step, the state of the remote end as far as segments let infer it: one for each step, `None` where
    /// nothing of it has been seen.
    pub remote: Vec<Option<State>>,
    /// What was agreed on, if it opened.
    pub negotiation: Option<Negotiation>,
    /// How it ended; `None` if that is not known.
    pub summary: Option<Summary>,
    /// Steps that came after these, and were too many to be kept.
    pub left_out: u64,
}
