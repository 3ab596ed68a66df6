//! The lesson page: one HTML file that needs nothing else, with exchanges to be played, stepped through and looked
//! into bit by bit.
//!
//! Ladder, sentences and numbers are plain HTML, and stay where no script runs and on paper. What the script draws
//! stands beside them as JSON: the packets, their fields, the way through the states.

mod data;
mod diagram;
mod numbers;
mod rung;
mod section;

use askama::Template;

use self::diagram::{Edge, Node};
use self::section::Section;
use super::text;
use crate::record::exchange::Exchange;

/// What is on the page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'p> {
    /// Its heading.
    pub title: &'p str,
    /// Paragraphs below the heading.
    pub introduction: &'p [String],
    /// The exchanges, the first of which is seen first.
    pub shown: &'p [Shown<'p>],
    /// Its place in a course, if it is part of one.
    pub course: Option<Course<'p>>,
}

/// An exchange and the words for it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'p> {
    /// What happened.
    pub exchange: &'p Exchange,
    /// A sentence for each step that has one, in the steps' order.
    pub sentences: &'p [Option<String>],
}

/// A page's place in a course.
#[derive(Clone, Copy, Debug)]
pub struct Course<'p> {
    /// Where the list of all its pages is.
    pub index: &'p str,
    /// The page before.
    pub previous: Option<Link<'p>>,
    /// The page after.
    pub next: Option<Link<'p>>,
}

/// A link to another page.
#[derive(Clone, Copy, Debug)]
pub struct Link<'p> {
    /// Where it is, from this page.
    pub href: &'p str,
    /// What it is called.
    pub title: &'p str,
}

/// A page in the list of a course.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    /// Where it is, from the list.
    pub href: &'e str,
    /// What it is called.
    pub title: &'e str,
    /// What is learnt there, in a sentence.
    pub summary: &'e str,
}

#[derive(Template)]
#[template(path = "page/page.html")]
struct Lesson<'p> {
    page: &'p Page<'p>,
    sections: Vec<Section>,
    nodes: &'static [Node],
    edges: Vec<Edge>,
}

#[derive(Template)]
#[template(path = "page/index.html")]
struct Index<'e> {
    title: &'e str,
    entries: &'e [Entry<'e>],
}

/// The page as one HTML file.
pub fn render(page: &Page<'_>) -> String {
    let sections = page.shown.iter().zip(1..).map(|(shown, number)| Section::of(shown, number)).collect();
    written(&Lesson { page, sections, nodes: &diagram::NODES, edges: diagram::edges() })
}

/// The list of a course's pages as one HTML file.
pub fn index(title: &str, entries: &[Entry<'_>]) -> String {
    written(&Index { title, entries })
}

fn written(template: &impl Template) -> String {
    template.render().unwrap_or_default() // writing to a string cannot fail
}

#[cfg(test)]
mod tests;
