//! The ladder as a picture that needs nothing else: two lifelines, beside each the states of its end, and an arrow for
//! each segment. It stands in a README as it is, in light and dark.

mod layout;

use askama::Template;

use self::layout::{Band, Gap, LEFT, Layout, MIDDLE, Placed, RIGHT, TIME, Text, WIDTH};
use super::verdict;
use crate::record::exchange::Exchange;

/// How the picture is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// How far steps are apart.
    pub spacing: Spacing,
    /// Its colours.
    pub theme: Theme,
}

/// How far one step is below the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// As far as its words need.
    #[default]
    Even,
    /// Farther, in proportion to the time between them.
    Time,
}

/// The colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system has it.
    #[default]
    Auto,
    /// On white.
    Light,
    /// On black.
    Dark,
}

#[derive(Template)]
#[template(path = "svg/exchange.svg")]
struct Picture {
    title: String,
    theme: Theme,
    width: i32,
    height: i32,
    time: i32,
    left: i32,
    middle: i32,
    right: i32,
    top: i32,
    bottom: i32,
    texts: Vec<Text>,
    bands: Vec<Band>,
    gaps: Vec<Gap>,
    steps: Vec<Placed>,
}

/// The picture of one exchange.
pub fn render(exchange: &Exchange, style: Style) -> String {
    let title = verdict::title(&exchange.opening);
    let Layout { texts, bands, gaps, steps, top, bottom, height } =
        Layout::of(exchange, &title, style.spacing);
    let picture = Picture {
        title,
        theme: style.theme,
        width: WIDTH,
        height,
        time: TIME,
        left: LEFT,
        middle: MIDDLE,
        right: RIGHT,
        top,
        bottom,
        texts,
        bands,
        gaps,
        steps,
    };
    // Strings and numbers into a string: there is nothing in it that could fail.
    printable(&picture.render().unwrap_or_default())
}

/// XML has no place for two characters that are none.
fn printable(xml: &str) -> String {
    xml.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
