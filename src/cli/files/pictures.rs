//! What shows exchanges as a whole: they are kept until their end, and drawn then.

use std::io::Write;

use super::album::Album;
use crate::cli::error::Failure;
use crate::cli::sink::Place;
use crate::lesson;
use crate::record::exchange::Exchange;
use crate::report::page::{self, Course, Page, Shown};
use crate::report::{mermaid, svg, verdict};

/// A kind of picture.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Svg(svg::Style),
    Mermaid,
    Page,
}

/// What stands above a page.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Words {
    pub(in crate::cli) title: &'static str,
    pub(in crate::cli) paragraphs: &'static [&'static str],
}

/// The page of exchanges that belong together.
pub(in crate::cli) fn page(
    words: Option<Words>,
    exchanges: &[Exchange],
    course: Option<Course<'_>>,
) -> String {
    let told: Vec<Vec<Option<String>>> = exchanges.iter().map(sentences).collect();
    let shown: Vec<Shown<'_>> =
        exchanges.iter().zip(&told).map(|(exchange, sentences)| Shown { exchange, sentences }).collect();
    let first = exchanges.first().map(|exchange| verdict::title(&exchange.opening));
    let title = words.map(|words| words.title.to_owned()).or(first).unwrap_or_default();
    let left_out: u64 = exchanges.iter().map(|exchange| exchange.left_out).sum();
    let left_out = (left_out > 0).then(|| format!("{left_out} later steps are left out."));
    let paragraphs = words.unwrap_or_default().paragraphs.iter().map(|text| (*text).to_owned());
    let introduction: Vec<String> = paragraphs.chain(left_out).collect();
    page::render(&Page { title: &title, introduction: &introduction, shown: &shown, course })
}

/// A sentence for each step.
fn sentences(exchange: &Exchange) -> Vec<Option<String>> {
    let role = exchange.opening.role;
    exchange.steps.iter().map(|step| Some(lesson::sentence(role, step))).collect()
}

/// Pictures to be drawn, and what they show.
#[derive(Default)]
pub(super) struct Pictures {
    wanted: Vec<(Kind, Place)>,
    pub(super) words: Option<Words>,
    album: Album,
}

impl Pictures {
    pub(super) fn new(wanted: Vec<(Kind, Place)>) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub(super) const fn are_none(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whom to tell what happens; nobody, if there is nothing to draw.
    pub(super) fn album(&mut self) -> Option<&mut Album> {
        (!self.are_none()).then_some(&mut self.album)
    }

    /// Draws them all, if there was an exchange. A page shows several, a picture the first.
    pub(super) fn draw(self) -> Result<(), Failure> {
        let Self { wanted, words, album } = self;
        let exchanges = album.into_exchanges();
        let Some(first) = exchanges.first() else { return Ok(()) };
        let draw = |kind: &Kind| match kind {
            Kind::Svg(style) => svg::render(first, *style),
            Kind::Mermaid => mermaid::render(first),
            Kind::Page => page(words, &exchanges, None),
        };
        let drawn = wanted.iter().map(|(kind, place)| {
            let picture = draw(kind);
            place.written(place.emptied().and_then(|mut file| file.write_all(picture.as_bytes())))
        });
        drawn.fold(Ok(()), Result::and) // the others are drawn, whatever became of one
    }
}
