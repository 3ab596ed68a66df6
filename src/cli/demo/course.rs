//! `demo --all --html DIR`: every scenario, simulated, as a page, and a page that leads to them.

use std::fs;
use std::io;
use std::path::Path;

use super::simulated;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::driver::Observer;
use crate::driver::observe::Kept;
use crate::lesson::{self, Scenario};
use crate::record::exchange::Exchange;
use crate::record::{Negotiation, Opening, Step, Summary};
use crate::wire::paced::Rest;
use page::{Course, Entry, Link, Page, Shown};

const INDEX: &str = "index.html";
const TITLE: &str = "How TCP connections open and close";

/// Writes them all into `folder`.
pub(super) fn write(folder: &Path) -> Result<Exit, Failure> {
    let cannot = |error: &io::Error| Failure::cannot(format_args!("write into {}", folder.display()), error);
    fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    for (at, scenario) in Scenario::ALL.into_iter().enumerate() {
        let neighbour = |at: Option<usize>| at.and_then(|at| Scenario::ALL.get(at)).copied();
        let (previous, next) = (neighbour(at.checked_sub(1)), neighbour(at.checked_add(1)));
        let text = lesson_page(scenario, previous, next)?;
        fs::write(folder.join(file(scenario)), text).map_err(|error| cannot(&error))?;
    }
    fs::write(folder.join(INDEX), index()).map_err(|error| cannot(&error))?;
    Ok(Exit::Success)
}

fn lesson_page(
    scenario: Scenario,
    previous: Option<Scenario>,
    next: Option<Scenario>,
) -> Result<String, Failure> {
    let mut album = Album::default();
    simulated::run(scenario, &mut album, |_| Rest::Over, &mut || None)?;
    let told: Vec<(Exchange, Vec<Option<String>>)> = album.into_exchanges().map(told).collect();
    let shown: Vec<_> = told.iter().map(|(exchange, sentences)| Shown { exchange, sentences }).collect();
    let introduction: Vec<String> = scenario.introduction().iter().copied().map(str::to_owned).collect();
    let files = [previous, next].map(|scenario| scenario.map(|scenario| (scenario, file(scenario))));
    let [previous, next] =
        files.each_ref().map(|to| to.as_ref().map(|(scenario, href)| Link { href, title: scenario.title() }));
    let course = Some(Course { index: INDEX, previous, next });
    Ok(page::render(&Page { title: scenario.title(), introduction: &introduction, shown: &shown, course }))
}

/// An exchange with a sentence for each step.
fn told(exchange: Exchange) -> (Exchange, Vec<Option<String>>) {
    let role = exchange.opening.role;
    let sentences = exchange.steps.iter().map(|step| Some(lesson::sentence(role, step))).collect();
    (exchange, sentences)
}

fn index() -> String {
    let files = Scenario::ALL.map(|scenario| (scenario, file(scenario)));
    let entries = files.each_ref().map(|(scenario, href)| Entry {
        href,
        title: scenario.title(),
        summary: scenario.introduction().first().copied().unwrap_or_default(),
    });
    page::index(TITLE, &entries)
}

fn file(scenario: Scenario) -> String {
    format!("{}.html", scenario.name())
}

/// Keeps the exchanges of a scenario, one after the other.
#[derive(Default)]
struct Album(Vec<Kept>);

impl Album {
    fn into_exchanges(self) -> impl Iterator<Item = Exchange> {
        self.0.into_iter().filter_map(Kept::into_exchange)
    }
}

impl Observer for Album {
    fn begin(&mut self, opening: &Opening) {
        let mut kept = Kept::default();
        kept.begin(opening);
        self.0.push(kept);
    }

    fn step(&mut self, step: &Step) {
        self.0.iter_mut().last().into_iter().for_each(|kept| kept.step(step));
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.0.iter_mut().last().into_iter().for_each(|kept| kept.opened(negotiation));
    }

    fn end(&mut self, summary: &Summary) {
        self.0.iter_mut().last().into_iter().for_each(|kept| kept.end(summary));
    }
}

/// PROVISIONAL, until `report::page` is here: take this module away and write `use crate::report::page;`.
mod page {
    use std::fmt::Write;

    use crate::record::exchange::Exchange;

    pub(super) struct Page<'p> {
        pub(super) title: &'p str,
        pub(super) introduction: &'p [String],
        pub(super) shown: &'p [Shown<'p>],
        pub(super) course: Option<Course<'p>>,
    }

    pub(super) struct Shown<'p> {
        pub(super) exchange: &'p Exchange,
        pub(super) sentences: &'p [Option<String>],
    }

    pub(super) struct Course<'p> {
        pub(super) index: &'p str,
        pub(super) previous: Option<Link<'p>>,
        pub(super) next: Option<Link<'p>>,
    }

    pub(super) struct Link<'p> {
        pub(super) href: &'p str,
        pub(super) title: &'p str,
    }

    pub(super) struct Entry<'p> {
        pub(super) href: &'p str,
        pub(super) title: &'p str,
        pub(super) summary: &'p str,
    }

    pub(super) fn render(page: &Page<'_>) -> String {
        let mut out = format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>{}</title>\n", page.title);
        for paragraph in page.introduction {
            let _ = writeln!(out, "<p>{paragraph}</p>");
        }
        for Shown { exchange, sentences } in page.shown {
            out += "<ol>\n";
            for (step, sentence) in exchange.steps.iter().zip(*sentences) {
                let _ = writeln!(out, "<li>{}: {}</li>", step.state, sentence.as_deref().unwrap_or_default());
            }
            out += "</ol>\n";
        }
        if let Some(Course { index, previous, next }) = &page.course {
            let _ = writeln!(out, "<a href=\"{index}\">all</a>");
            for Link { href, title } in [previous, next].into_iter().flatten() {
                let _ = writeln!(out, "<a href=\"{href}\">{title}</a>");
            }
        }
        out
    }

    pub(super) fn index(title: &str, entries: &[Entry<'_>]) -> String {
        let entry = |Entry { href, title, summary }: &Entry<'_>| {
            format!("<li><a href=\"{href}\">{title}</a>: {summary}</li>\n")
        };
        let entries: String = entries.iter().map(entry).collect();
        format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<ol>\n{entries}</ol>\n")
    }
}
