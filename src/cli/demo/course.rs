//! `demo --all --html DIR`: every scenario, simulated, as a page, and a page that leads to them.

use std::fs;
use std::io;
use std::path::Path;

use super::{simulated, words};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files::{self, Album};
use crate::lesson::Scenario;
use crate::record::Keep;
use crate::report::page::{self, Course, Entry, Link};
use crate::wire::paced::Rest;

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
    simulated::run(scenario, Keep::Headers, None, &mut album, |_| Rest::Over, &mut || None)?;
    let files = [previous, next].map(|scenario| scenario.map(|scenario| (scenario, file(scenario))));
    let [previous, next] =
        files.each_ref().map(|to| to.as_ref().map(|(scenario, href)| Link { href, title: scenario.title() }));
    let course = Course { index: INDEX, previous, next };
    Ok(files::page(Some(words(scenario)), &album.into_exchanges(), Some(course)))
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
