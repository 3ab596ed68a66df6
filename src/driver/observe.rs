//! Who is told what happens.

use super::remote;
use crate::record::exchange::Exchange;
use crate::record::{Listening, Negotiation, Opening, Step, Summary};

/// Is told each thing as it happens, in order. It must not take long: the next segment waits.
pub trait Observer {
    /// A service waits for clients.
    fn listening(&mut self, _listening: &Listening) {}
    /// An exchange begins.
    fn begin(&mut self, opening: &Opening);
    /// Something happened.
    fn step(&mut self, step: &Step);
    /// It is open: this was agreed on.
    fn opened(&mut self, _negotiation: &Negotiation) {}
    /// The verdict. Late steps may follow.
    fn end(&mut self, summary: &Summary);
}

/// Keeps all it is told; for tests and for whoever wants the exchange as a value.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// How it began.
    pub opening: Option<Opening>,
    /// What happened.
    pub steps: Vec<Step>,
    /// What was agreed on.
    pub negotiation: Option<Negotiation>,
    /// How it ended.
    pub summary: Option<Summary>,
}

impl Kept {
    /// The exchange as a value, with what can be inferred of the remote end; `None` if none was begun.
    pub fn into_exchange(self) -> Option<Exchange> {
        let Self { opening, steps, negotiation, summary } = self;
        let opening = opening?;
        let remote = remote::states(opening.role, &steps);
        Some(Exchange { opening, steps, remote, negotiation, summary, left_out: 0 })
    }
}

impl Observer for Kept {
    fn begin(&mut self, opening: &Opening) {
        self.opening = Some(opening.clone());
    }

    fn step(&mut self, step: &Step) {
        self.steps.push(step.clone());
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.negotiation = Some(*negotiation);
    }

    fn end(&mut self, summary: &Summary) {
        self.summary = Some(summary.clone());
    }
}
