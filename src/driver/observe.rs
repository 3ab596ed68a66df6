//! Who is told what happens.

use crate::infer::remote;
use crate::record::connection::Source;
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
        let remote = match opening.source {
            Source::Ourselves => remote::states(opening.role, &steps),
            Source::Capture => steps.iter().map(|step| step.seen?.remote).collect(),
        };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::{Plan, run};
    use crate::guard::Guard;
    use crate::lab::simulated::{SimulatedServer, server_address};
    use crate::tcp::{SeqNum, State};
    use crate::wire::memory::MemoryWire;

    /// The server of the textbook, seen from its client.
    #[test]
    fn a_server_is_inferred_from_its_segments() {
        let remote = server_address(7);
        let plan = Plan { simulated: true, ..Plan::new(remote, SeqNum(4321)) };
        let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
        let mut wire = MemoryWire::new(server, Duration::from_millis(10));
        let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
        let mut kept = Kept::default();
        run(&guard, &mut wire, &plan, &mut kept, &mut || None).unwrap();
        let exchange = kept.into_exchange().unwrap();
        let states: Vec<_> = exchange.remote.iter().map(|state| state.map(State::name)).collect();
        let (open, closing) = (Some("ESTABLISHED"), Some("CLOSE-WAIT"));
        assert_eq!(
            states,
            [None, Some("SYN-RECEIVED"), open, closing, closing, Some("LAST-ACK"), Some("CLOSED")]
        );
        assert!(exchange.steps.iter().all(|step| step.packet.len() >= 40));
        let before: Vec<_> = exchange.steps.iter().map(|step| step.before.state).collect();
        let after: Vec<_> = exchange.steps.iter().map(|step| step.state).collect();
        assert_eq!(before.get(1..), after.get(..after.len() - 1));
    }
}
