//! Exchanges kept until they are drawn, as far as a picture has room for them.

use crate::driver::Observer;
use crate::driver::observe::Kept;
use crate::record::exchange::Exchange;
use crate::record::{Negotiation, Opening, Role, Step, Summary};

/// Nobody looks at more steps in one picture; a transfer can have millions.
const MOST_STEPS: usize = 500;
/// A scenario has three at most.
const MOST_EXCHANGES: usize = 8;

/// The exchanges of a run that we began, or the first connection of a service that was opened.
#[derive(Default)]
pub(in crate::cli) struct Album {
    pages: Vec<Leaf>,
}

#[derive(Default)]
struct Leaf {
    kept: Kept,
    left_out: u64,
}

impl Album {
    /// All of them, in their order.
    pub(in crate::cli) fn into_exchanges(self) -> Vec<Exchange> {
        let exchange = |Leaf { kept, left_out }| Some(Exchange { left_out, ..kept.into_exchange()? });
        self.pages.into_iter().filter_map(exchange).collect()
    }

    fn leaf(&mut self, exchange: u32) -> Option<&mut Leaf> {
        let is_it = |leaf: &&mut Leaf| leaf.kept.opening.as_ref().is_some_and(|it| it.number == exchange);
        self.pages.iter_mut().rev().find(is_it)
    }
}

impl Observer for Album {
    /// A client that never opened its connection gives way to the next.
    fn begin(&mut self, opening: &Opening) {
        if opening.role == Role::Passive {
            self.pages.retain(|leaf| leaf.kept.negotiation.is_some());
        }
        let most = if opening.role == Role::Passive { 1 } else { MOST_EXCHANGES };
        if self.pages.len() < most {
            let mut leaf = Leaf::default();
            leaf.kept.begin(opening);
            self.pages.push(leaf);
        }
    }

    fn step(&mut self, step: &Step) {
        let Some(leaf) = self.leaf(step.exchange) else { return };
        if leaf.kept.steps.len() < MOST_STEPS {
            leaf.kept.step(step);
        } else {
            leaf.left_out += 1;
        }
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.leaf(negotiation.exchange).into_iter().for_each(|leaf| leaf.kept.opened(negotiation));
    }

    fn end(&mut self, summary: &Summary) {
        self.leaf(summary.exchange).into_iter().for_each(|leaf| leaf.kept.end(summary));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::{self, Plan};
    use crate::guard::Guard;
    use crate::lab::simulated::{SimulatedServer, server_address};
    use crate::tcp::SeqNum;
    use crate::wire::memory::MemoryWire;

    fn exchange() -> Kept {
        let remote = server_address(7);
        let plan = Plan { simulated: true, ..Plan::new(remote, SeqNum(4321)) };
        let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
        let mut wire = MemoryWire::new(server, Duration::from_millis(10));
        let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
        let mut kept = Kept::default();
        driver::run(&guard, &mut wire, &plan, &mut kept, &mut || None).unwrap();
        kept
    }

    fn of(step: &Step, exchange: u32) -> Step {
        Step { exchange, ..step.clone() }
    }

    /// However long it is, no more is kept than a picture has room for.
    #[test]
    fn a_transfer_of_many_steps_does_not_fill_the_memory() {
        let (seen, mut album) = (exchange(), Album::default());
        album.begin(seen.opening.as_ref().unwrap());
        for _ in 0..MOST_STEPS + 100 {
            album.step(&seen.steps[2]);
        }
        let shown = album.into_exchanges().remove(0);
        assert_eq!((shown.steps.len(), shown.left_out), (MOST_STEPS, 100));
    }

    /// A client that never opened its connection gives way to one that does, and that to none.
    #[test]
    fn of_several_the_first_that_opens_is_shown() {
        let (seen, mut album) = (exchange(), Album::default());
        let opening = seen.opening.unwrap();
        let negotiation = seen.negotiation.unwrap();
        for number in [1, 2, 3] {
            album.begin(&Opening { number, role: Role::Passive, ..opening.clone() });
            album.step(&of(&seen.steps[0], number));
            if number > 1 {
                album.opened(&Negotiation { exchange: number, ..negotiation });
            }
        }
        album.step(&of(&seen.steps[2], 2));
        let shown = album.into_exchanges();
        assert_eq!((shown.len(), shown[0].opening.number, shown[0].steps.len()), (1, 2, 2));
    }

    /// Exchanges of our own are all kept, within bounds.
    #[test]
    fn what_we_began_is_shown_together() {
        let (seen, mut album) = (exchange(), Album::default());
        let opening = seen.opening.unwrap();
        for number in 1..=MOST_EXCHANGES as u32 + 1 {
            album.begin(&Opening { number, ..opening.clone() });
            album.step(&of(&seen.steps[0], number));
        }
        let steps: Vec<_> = album.into_exchanges().iter().map(|exchange| exchange.steps.len()).collect();
        assert_eq!(steps, [1; MOST_EXCHANGES]);
    }
}
