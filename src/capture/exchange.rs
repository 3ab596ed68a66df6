//! A connection as a value, for pictures, which need all of it at once.

use std::io::Read;

use super::tracing::{Perspective, Told, TraceError, trace};
use crate::infer::remote;
use crate::record::connection::{Connection, Source};
use crate::record::exchange::Exchange;

/// Reads a connection, but no more than `most` of its steps: a picture of more is none.
pub fn exchange(
    input: impl Read,
    connection: &Connection,
    from: Perspective,
    most: usize,
) -> Result<Option<Exchange>, TraceError> {
    let (mut opening, mut negotiation, mut summary) = (None, None, None);
    let mut steps = Vec::new();
    trace(input, connection, from, |told| {
        match told {
            Told::Begin(begun) => opening = Some(*begun),
            Told::Step(step) if steps.len() < most => steps.push(*step),
            Told::Step(_) => {}
            Told::Opened(opened) => negotiation = Some(opened),
            Told::End(ended) => summary = Some(*ended),
        }
        Ok(())
    })?;
    Ok(opening.map(|opening| {
        let remote = match opening.source {
            Source::Ourselves => remote::states(opening.role, &steps),
            Source::Capture => steps.iter().map(|step| step.seen?.remote).collect(),
        };
        Exchange { opening, steps, remote, negotiation, summary }
    }))
}
