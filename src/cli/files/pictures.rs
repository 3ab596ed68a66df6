//! What shows one exchange as a whole: it is kept until its end, as far as a picture has room for it, and drawn then.

use std::io::Write;

use super::News;
use crate::cli::error::Failure;
use crate::cli::sink::Place;
use crate::driver::Observer;
use crate::driver::observe::Kept;
use crate::record::exchange::Exchange;
use crate::report::{mermaid, svg};

/// Nobody looks at more steps in one picture; a transfer can have millions.
const MOST_STEPS: usize = 500;

/// A kind of picture.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Svg(svg::Style),
    Mermaid,
}

impl Kind {
    fn draw(self, exchange: &Exchange) -> String {
        match self {
            Self::Svg(style) => svg::render(exchange, style),
            Self::Mermaid => mermaid::render(exchange),
        }
    }
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

    pub(super) fn take(&mut self, news: &News) {
        if self.are_none() {
            return;
        }
        match news {
            News::Begin(opening) if self.kept.negotiation.is_none() => {
                // A client that never opened its connection is not the one to show.
                self.kept = Kept::default();
                self.kept.begin(opening);
                self.left_out = 0;
            }
            News::Step(step) if self.shows(step.exchange) => {
                if self.kept.steps.len() < MOST_STEPS {
                    self.kept.step(step);
                } else {
                    self.left_out += 1;
                }
            }
            News::Opened(negotiation) if self.shows(negotiation.exchange) => self.kept.opened(negotiation),
            News::End(summary) if self.shows(summary.exchange) => self.kept.end(summary),
            News::Number(_)
            | News::Listening(_)
            | News::Begin(_)
            | News::Step(_)
            | News::Opened(_)
            | News::End(_)
            | News::Statistics(_)
            | News::Served(_)
            | News::Failed(_)
            | News::Prompt(_) => {}
        }
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
