//! Files besides the report: pictures, drawn at the end, and a recording, written packet by packet. All are made before
//! the first segment leaves, and written by the thread that writes the report.

mod album;
mod pictures;
mod recording;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

pub(super) use self::album::Album;
use self::pictures::{Kind, Pictures};
pub(super) use self::pictures::{Words, page};
use self::recording::Recording;
use super::args::{FilesArgs, PictureArgs};
use super::error::Failure;
use super::look::Reports;
use super::output::News;
use super::sink::{Place, is_standard_output};
use crate::driver::Observer;
use crate::record::{Listening, Negotiation, Opening, Step, Summary};

/// What is to be written, found to be writable.
#[derive(Default)]
pub(super) struct Files {
    pictures: Pictures,
    recording: Option<Recording>,
    /// Whether one of them is standard output.
    take_standard_output: bool,
}

/// Files that the exchange is about: nothing else is to be written there.
#[derive(Clone, Copy, Default)]
pub(super) struct Others<'o> {
    /// What is written to, and by which option.
    pub(super) written: Option<(&'static str, &'o Path)>,
    /// What is read.
    pub(super) read: Option<&'o File>,
}

impl Files {
    /// Makes the files that were asked for.
    pub(super) fn open(args: &FilesArgs, others: &Others<'_>) -> Result<Self, Failure> {
        let given: Vec<_> = others.written.into_iter().chain(args.given()).collect();
        check(&given)?;
        let place = |path: &PathBuf| Place::open(path, others.read);
        let PictureArgs { svg, mermaid, html, .. } = &args.pictures;
        let wanted =
            [(Kind::Svg(args.pictures.svg_style()), svg), (Kind::Mermaid, mermaid), (Kind::Page, html)];
        let wanted = wanted.into_iter().filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
        let pictures: Result<Vec<_>, Failure> = wanted.map(|(kind, path)| Ok((kind, place(path)?))).collect();
        Ok(Self {
            pictures: Pictures::new(pictures?),
            recording: args.pcap.as_ref().map(place).transpose()?.map(Recording::new),
            take_standard_output: args.given().any(|(_, path)| is_standard_output(path)),
        })
    }

    /// Where the report goes, if nothing else has standard output.
    pub(super) const fn reports(&self) -> Reports {
        if self.take_standard_output { Reports::ToStandardError } else { Reports::ToStandardOutput }
    }

    /// Whether steps need not be told for their sake.
    pub(super) const fn are_none(&self) -> bool {
        self.pictures.are_none() && self.recording.is_none()
    }

    /// Whether each packet is kept as a whole.
    pub(super) const fn take_whole_packets(&self) -> bool {
        self.recording.is_some()
    }

    /// Takes what happened, and writes what can be written at once.
    pub(super) fn take(&mut self, news: &News) {
        match news {
            News::Listening(listening) => self.listening(listening),
            News::Begin(opening) => self.begin(opening),
            News::Step(step) => self.step(step),
            News::Opened(negotiation) => self.opened(negotiation),
            News::End(summary) => self.end(summary),
            News::Words(words) => self.pictures.words = Some(*words),
            News::Number(_) | News::Statistics(_) | News::Served(_) | News::Failed(_) | News::Prompt(_) => {}
        }
    }

    fn picture(&mut self, tell: impl FnOnce(&mut Album)) {
        if let Some(album) = self.pictures.album() {
            tell(album);
        }
    }

    fn record(&mut self, record: impl FnOnce(&mut Recording)) {
        if let Some(recording) = &mut self.recording {
            record(recording);
        }
    }

    /// Writes the rest. Yields the first thing that went wrong with any of them.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let drawn = self.pictures.draw();
        self.recording.map_or(Ok(()), Recording::finish).and(drawn)
    }
}

impl Observer for Files {
    fn listening(&mut self, _: &Listening) {
        self.record(Recording::listening);
    }

    fn begin(&mut self, opening: &Opening) {
        self.picture(|album| album.begin(opening));
        self.record(|recording| recording.begin(opening));
    }

    fn step(&mut self, step: &Step) {
        self.picture(|album| album.step(step));
        self.record(|recording| recording.step(step));
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.picture(|album| album.opened(negotiation));
    }

    fn end(&mut self, summary: &Summary) {
        self.picture(|album| album.end(summary));
    }
}

/// Each is written to a file of its own, and no packet to a terminal.
fn check(given: &[(&'static str, &Path)]) -> Result<(), Failure> {
    let full = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    for (n, (option, path)) in given.iter().enumerate() {
        let is_same =
            |other: &Path| other == *path || full(other).is_some_and(|other| full(path) == Some(other));
        if let Some((earlier, _)) = given.iter().take(n).find(|(_, other)| is_same(other)) {
            return Err(Failure::usage(format_args!(
                "{earlier} and {option} cannot both write to '{}' (give each a file of its own)",
                path.display()
            )));
        }
        if *option == "--pcap" && is_standard_output(path) && io::stdout().is_terminal() {
            return Err(Failure::usage(
                "--pcap is not written to a terminal (give it a file, or pipe standard output)",
            ));
        }
    }
    Ok(())
}
