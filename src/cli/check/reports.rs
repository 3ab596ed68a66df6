//! The reports of a check: opened before anything is sent, written as findings come or at the end.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;

use crate::cause::cause;
use crate::cli::args::{ReportKind, ReportTo};
use crate::cli::error::Failure;
use crate::record::check::{Finding, Plan, Summary, Verdict};
use crate::report::check::html::Html;
use crate::report::check::junit::Junit;
use crate::report::check::markdown::Markdown;
use crate::report::check::ndjson::Ndjson;
use crate::report::check::prometheus::Prometheus;
use crate::report::check::summary::Text;
use crate::report::check::tap::Tap;
use crate::report::check::{Closing, Findings, Stream};

/// All reports of a run.
pub(in crate::cli) struct Reports {
    plan: Plan,
    streams: Vec<Sink<Box<dyn Stream>>>,
    closings: Vec<Sink<Box<dyn Closing>>>,
    spool: Spool,
    /// Whether findings that are as expected are wanted at the end.
    keeps: Keeps,
    unmet: u64,
}

/// What the reports that are written at the end tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Nothing,
    /// What is not as expected, and of that few ladders.
    Unmet,
    All,
}

/// A report and where it goes.
struct Sink<R> {
    report: R,
    path: PathBuf,
    out: Box<dyn Write + Send>,
    /// The first error of writing; from then on nothing is written.
    error: Option<io::Error>,
}

impl<R> Sink<R> {
    fn write(&mut self, write: impl FnOnce(&mut R, &mut dyn Write) -> io::Result<()>) {
        if self.error.is_none() {
            self.error = write(&mut self.report, &mut self.out).err();
        }
    }

    /// What became of it. A reader that went away is no reason to fail.
    fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        match self.error.map_or(flushed, Err) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::cannot(format_args!("write the report {}", self.path.display()), &error))
            }
            _ => Ok(()),
        }
    }
}

impl Reports {
    /// Opens them all; one, at most, is standard output's.
    pub(in crate::cli) fn open(wanted: &[ReportTo], color: bool) -> Result<Self, Failure> {
        if wanted.iter().filter(|report| is_standard_output(&report.file)).count() > 1 {
            return Err(Failure::usage("only one report can go to standard output (give the others files)"));
        }
        let (mut streams, mut closings) = (Vec::new(), Vec::new());
        let mut keeps = Keeps::Nothing;
        for ReportTo { kind, file } in wanted {
            let (path, out) = (file.clone(), open(file)?);
            if let Some(report) = stream(*kind) {
                streams.push(Sink { report, path, out, error: None });
                continue;
            }
            let report = closing(*kind, color && is_standard_output(file));
            closings.push(Sink { report, path, out, error: None });
            let needs = if *kind == ReportKind::Summary { Keeps::Unmet } else { Keeps::All };
            keeps = if keeps == Keeps::All { keeps } else { needs };
        }
        Ok(Self { plan: Plan::default(), streams, closings, spool: Spool::new(), keeps, unmet: 0 })
    }

    pub(in crate::cli) fn begin(&mut self, plan: &Plan) {
        self.plan = plan.clone();
        for sink in &mut self.streams {
            sink.write(|report, out| report.begin(plan, out).and_then(|()| out.flush()));
        }
    }

    pub(in crate::cli) fn finding(&mut self, mut finding: Finding) -> Result<(), Failure> {
        for sink in &mut self.streams {
            sink.write(|report, out| report.finding(&finding, out));
        }
        self.unmet += u64::from(finding.verdict == Verdict::Unmet);
        match self.keeps {
            Keeps::Nothing => return Ok(()),
            Keeps::Unmet if finding.verdict != Verdict::Unmet => return Ok(()),
            Keeps::Unmet => {
                const LADDERS_TOLD: u64 = 100; // by a summary, at most
                if self.unmet > LADDERS_TOLD {
                    finding.ladder.clear();
                }
            }
            Keeps::All => {}
        }
        self.spool.put(&finding)
    }

    /// What has been written so far reaches its readers.
    pub(super) fn flush(&mut self) {
        for sink in &mut self.streams {
            sink.write(|_, out| out.flush());
        }
    }

    /// Ends them all; the first that could not be written is the error.
    pub(in crate::cli) fn end(mut self, summary: &Summary) -> Result<(), Failure> {
        for sink in &mut self.streams {
            sink.write(|report, out| report.end(summary, out));
        }
        let (plan, spool) = (&self.plan, &self.spool);
        for sink in &mut self.closings {
            sink.write(|report, out| report.write(plan, summary, spool, out));
        }
        let streams = self.streams.into_iter().map(Sink::finish);
        let closings = self.closings.into_iter().map(Sink::finish);
        streams.chain(closings).fold(Ok(()), Result::and)
    }
}

/// Whether a file is named that means standard output.
pub(super) fn is_standard_output(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn open(file: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    if is_standard_output(file) {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let opened = File::create(file)
        .map_err(|error| Failure::cannot(format_args!("open the report {}", file.display()), &error))?;
    Ok(Box::new(BufWriter::new(opened)))
}

fn stream(kind: ReportKind) -> Option<Box<dyn Stream>> {
    match kind {
        ReportKind::Ndjson => Some(Box::new(Ndjson)),
        ReportKind::Tap => Some(Box::<Tap>::default()),
        ReportKind::Summary
        | ReportKind::Junit
        | ReportKind::Prometheus
        | ReportKind::Markdown
        | ReportKind::Html => None,
    }
}

fn closing(kind: ReportKind, color: bool) -> Box<dyn Closing> {
    match kind {
        ReportKind::Junit => Box::new(Junit),
        ReportKind::Prometheus => Box::new(Prometheus),
        ReportKind::Markdown => Box::new(Markdown),
        ReportKind::Html => Box::new(Html),
        ReportKind::Summary | ReportKind::Ndjson | ReportKind::Tap => Box::new(Text { color }),
    }
}

/// Findings that wait for the end: in memory while they are few, then in a file without a name.
pub(in crate::cli) struct Spool(RefCell<SpooledTempFile>);

impl Spool {
    const IN_MEMORY: usize = 4 << 20;

    pub(in crate::cli) fn new() -> Self {
        Self(RefCell::new(SpooledTempFile::new(Self::IN_MEMORY)))
    }

    pub(in crate::cli) fn put(&self, finding: &Finding) -> Result<(), Failure> {
        let mut file = self.0.borrow_mut();
        let mut line = serde_json::to_vec(finding).unwrap_or_default(); // plain values: it cannot fail
        line.push(b'\n');
        file.write_all(&line).map_err(|error| {
            let folder = std::env::temp_dir();
            Failure::not_possible(format_args!(
                "cannot keep findings for the reports in {}: {} (set TMPDIR to where there is room)",
                folder.display(),
                cause(&error)
            ))
        })
    }

    /// Tells each, up to the first that cannot be told.
    pub(in crate::cli) fn tell(
        &self,
        mut tell: impl FnMut(Finding) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut failed = None;
        let told = self.each(&mut |finding| {
            if failed.is_none() {
                failed = tell(finding.clone()).err();
            }
            Ok(())
        });
        told.map_err(|error| Failure::cannot("read what was found", &error))?;
        failed.map_or(Ok(()), Err)
    }
}

impl Findings for Spool {
    fn each(&self, visit: &mut dyn FnMut(&Finding) -> io::Result<()>) -> io::Result<()> {
        let mut file = self.0.borrow_mut();
        file.rewind()?;
        let mut lines = BufReader::new(&mut *file as &mut dyn Read);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            visit(&serde_json::from_slice(&line)?)?;
            line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_told_as_often_as_asked() {
        let spool = Spool::new();
        let finding = |n: u32| Finding {
            target: format!("10.0.0.{n}:80"),
            ladder: vec!["│ \u{202e}".to_owned(); 100],
            ..Finding::default()
        };
        const MANY: u32 = 10_000; // beyond what is kept in memory
        (0..MANY).for_each(|n| spool.put(&finding(n)).unwrap());
        for _ in 0..2 {
            let mut next = 0;
            spool
                .each(&mut |found| {
                    assert_eq!(*found, finding(next));
                    next += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(next, MANY);
        }
    }

    #[test]
    fn standard_output_is_for_one() {
        let to = |kind, file: &str| ReportTo { kind, file: file.into() };
        let two = [to(ReportKind::Tap, "-"), to(ReportKind::Summary, "-")];
        assert!(Reports::open(&two, false).is_err_and(|error| error.to_string().contains("only one report")));
        let missing = [to(ReportKind::Html, "/nowhere/report.html")];
        let error = Reports::open(&missing, false).err().unwrap().to_string();
        assert_eq!(error, "cannot open the report /nowhere/report.html: no such file or directory");
    }
}
