//! What shows one exchange as a whole: it is kept until its end, as far as a picture has room for it, and drawn then.

use std::io::Write;

use crate::cli::error::Failure;
use crate::cli::sink::Place;
use crate::driver::Observer;
use crate::driver::observe::Kept;
use crate::lesson;
use crate::record::exchange::Exchange;
use crate::record::{Negotiation, Opening, Step, Summary};
use crate::report::page::{self, Page, Shown};
use crate::report::{mermaid, svg, verdict};

/// Nobody looks at more steps in one picture; a transfer can have millions.
const MOST_STEPS: usize = 500;

/// A kind of picture.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Svg(svg::Style),
    Mermaid,
    Page,
}

impl Kind {
    fn draw(self, exchange: &Exchange) -> String {
        match self {
            Self::Svg(style) => svg::render(exchange, style),
            Self::Mermaid => mermaid::render(exchange),
            Self::Page => page(exchange),
        }
    }
}

/// The page of one exchange that is no part of a course.
fn page(exchange: &Exchange) -> String {
    let sentences: Vec<_> = exchange.steps.iter().map(lesson::sentence).collect();
    let left_out =
        (exchange.left_out > 0).then(|| format!("{} later steps are left out.", exchange.left_out));
    page::render(&Page {
        title: &verdict::title(&exchange.opening),
        introduction: left_out.as_slice(),
        shown: &[Shown { exchange, sentences: &sentences }],
        course: None,
    })
}

/// Pictures to be drawn, and the exchange that they show.
#[derive(Default)]
pub(super) struct Pictures {
    wanted: Vec<(Kind, Place)>,
    kept: Kept,
    left_out: u64,
}

impl Pictures {
    pub(super) fn new(wanted: Vec<(Kind, Place)>) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub(super) const fn are_none(&self) -> bool {
        self.wanted.is_empty()
    }

    fn shows(&self, exchange: u32) -> bool {
        self.kept.opening.as_ref().is_some_and(|opening| opening.number == exchange)
    }

    /// Draws them all, if there was an exchange.
    pub(super) fn draw(self) -> Result<(), Failure> {
        let Some(exchange) = self.kept.into_exchange() else { return Ok(()) };
        let exchange = Exchange { left_out: self.left_out, ..exchange };
        let drawn = self.wanted.iter().map(|(kind, place)| {
            let picture = kind.draw(&exchange);
            place.written(place.emptied().and_then(|mut file| file.write_all(picture.as_bytes())))
        });
        drawn.fold(Ok(()), Result::and) // the others are drawn, whatever became of one
    }
}

impl Observer for Pictures {
    /// A client that never opened its connection gives way to the next.
    fn begin(&mut self, opening: &Opening) {
        if !self.are_none() && self.kept.negotiation.is_none() {
            self.kept = Kept::default();
            self.kept.begin(opening);
            self.left_out = 0;
        }
    }

    fn step(&mut self, step: &Step) {
        if !self.shows(step.exchange) {
            return;
        }
        if self.kept.steps.len() < MOST_STEPS {
            self.kept.step(step);
        } else {
            self.left_out += 1;
        }
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        if self.shows(negotiation.exchange) {
            self.kept.opened(negotiation);
        }
    }

    fn end(&mut self, summary: &Summary) {
        if self.shows(summary.exchange) {
            self.kept.end(summary);
        }
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

    /// Pictures of nothing in particular, to be told things.
    fn pictures() -> Pictures {
        let place = Place::open(std::path::Path::new("/dev/null"), None).unwrap();
        Pictures::new(vec![(Kind::Mermaid, place)])
    }

    fn of(step: &Step, exchange: u32) -> Step {
        Step { exchange, ..step.clone() }
    }

    /// However long it is, no more is kept than a picture has room for.
    #[test]
    fn a_transfer_of_many_steps_does_not_fill_the_memory() {
        let (seen, mut pictures) = (exchange(), pictures());
        pictures.begin(seen.opening.as_ref().unwrap());
        for _ in 0..MOST_STEPS + 100 {
            pictures.step(&seen.steps[2]);
        }
        assert_eq!((pictures.kept.steps.len(), pictures.left_out), (MOST_STEPS, 100));
    }

    /// A client that never opened its connection gives way to one that does, and that to none.
    #[test]
    fn of_several_the_first_that_opens_is_shown() {
        let (seen, mut pictures) = (exchange(), pictures());
        let opening = seen.opening.unwrap();
        let negotiation = seen.negotiation.unwrap();
        for number in [1, 2, 3] {
            pictures.begin(&Opening { number, ..opening.clone() });
            pictures.step(&of(&seen.steps[0], number));
            if number > 1 {
                pictures.opened(&Negotiation { exchange: number, ..negotiation });
            }
        }
        pictures.step(&of(&seen.steps[2], 2));
        let shown = pictures.kept.into_exchange().unwrap();
        assert_eq!((shown.opening.number, shown.steps.len()), (2, 2));
    }
}
