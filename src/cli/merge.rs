//! `tcpshake merge`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::args::{MergeArgs, ReportKind, ReportTo};
use super::check::{Reports, Spool, Tally, exit, hash};
use super::error::Failure;
use super::exit::Exit;
use super::rewound;
use crate::driver::fleet::Done;
use crate::record::check::{Finding, Plan, Summary};
use crate::report::check::ndjson::{self, Line};

pub(super) fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let mut inputs = args.files.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut whole = Whole::default();
    for (number, input) in (0..).zip(&mut inputs) {
        whole.read(number, input)?;
    }
    // Kept before any report is opened: one may be written over what is read.
    let kept = Spool::new();
    for (number, input) in (0..).zip(&mut inputs) {
        input.each(|place, line| match line {
            Line::Target(finding) if whole.last.get(&hash(&finding.target)) == Some(&(number, place)) => {
                whole.add(number, &finding);
                kept.put(&finding)
            }
            Line::Target(_) | Line::Check(_) | Line::Summary(_) => Ok(()),
        })?;
    }
    let summary_to_stdout = ReportTo { kind: ReportKind::Summary, file: "-".into() };
    let wanted = if args.report.is_empty() { vec![summary_to_stdout] } else { args.report.clone() };
    let mut reports = Reports::open(&wanted, super::look::wants_color_on_stdout(args.color))?;
    reports.begin(&whole.plan());
    kept.tell(|finding| reports.finding(finding))?;
    let summary = whole.summary();
    reports.end(&summary)?;
    let missing = whole.missing_parts();
    if !missing.is_empty() {
        let parts =
            missing.iter().map(|(number, of)| format!("{number}/{of}")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(io::stderr(), "tcpshake: no report of part {parts} was given");
        return Ok(Exit::ExpectationFailed);
    }
    Ok(exit(&summary, None))
}

/// A report to read twice.
struct Input {
    path: PathBuf,
    file: File,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = rewound::open(path).map_err(|error| cannot(path, &crate::cause::cause(&error)))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Goes through its lines, from the first on.
    fn each(&mut self, mut visit: impl FnMut(u32, Line) -> Result<(), Failure>) -> Result<(), Failure> {
        let path = &self.path;
        self.file.rewind().map_err(|error| cannot(path, &crate::cause::cause(&error)))?;
        let lines = ndjson::read(BufReader::new(&mut self.file as &mut dyn Read));
        for (place, line) in (0..).zip(lines) {
            visit(place, line.map_err(|error| cannot(path, &error))?)?;
        }
        Ok(())
    }
}

fn cannot(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format_args!("cannot read the report {}: {error}", path.display()))
}

/// What all reports say together.
#[derive(Default)]
struct Whole {
    plans: Vec<Plan>,
    summaries: Vec<Summary>,
    /// Where each target's last finding stands: which report, which line.
    last: HashMap<u128, (u32, u32)>,
    /// Which reports have their summary.
    summarized: Vec<bool>,
    /// Targets that a report says it would tell of, and does not.
    untold: u64,
    tally: Tally,
}

impl Whole {
    fn read(&mut self, number: u32, input: &mut Input) -> Result<(), Failure> {
        let before = self.summaries.len();
        let (mut planned, mut told) = (0, 0);
        input.each(|place, line| {
            match line {
                Line::Check(plan) => {
                    planned += plan.targets;
                    self.plans.push(plan);
                }
                Line::Summary(summary) => self.summaries.push(summary),
                Line::Target(finding) => {
                    told += 1;
                    self.last.insert(hash(&finding.target), (number, place));
                }
            }
            Ok(())
        })?;
        self.untold += planned.saturating_sub(told);
        self.summarized.push(self.summaries.len() > before);
        Ok(())
    }

    /// A run that was killed has left no summary: of its round trips only the means are known.
    fn add(&mut self, number: u32, finding: &Finding) {
        self.tally.add_known(finding);
        if self.summarized.get(number as usize) == Some(&false) {
            self.tally.add_mean_round_trip(finding);
        }
    }

    /// Parts of which no report was given, where others of as many were.
    fn missing_parts(&self) -> Vec<(u32, u32)> {
        let given: HashSet<(u32, u32)> = self.plans.iter().filter_map(|plan| plan.shard).collect();
        let kinds: BTreeSet<u32> = given.iter().map(|(_, of)| *of).collect();
        let all = kinds.into_iter().flat_map(|of| (1..=of).map(move |number| (number, of)));
        all.filter(|part| !given.contains(part)).collect()
    }

    /// What was asked for, all together. Limits were those of each part.
    fn plan(&self) -> Plan {
        let first = self.plans.first().cloned().unwrap_or_default();
        let first = if self.plans.len() > 1 {
            Plan { rate: None, per_host_rate: None, seed: None, ..first }
        } else {
            first
        };
        let sum = |of: fn(&Plan) -> u64| self.plans.iter().map(of).sum();
        Plan {
            targets: self.last.len() as u64 + self.untold,
            duplicates: sum(|plan| plan.duplicates),
            excluded: sum(|plan| plan.excluded),
            resumed: 0,
            count: self.plans.iter().map(|plan| plan.count).max().unwrap_or(1),
            unix_seconds: self.plans.iter().map(|plan| plan.unix_seconds).min().unwrap_or(0),
            shard: None,
            ..first
        }
    }

    fn summary(&mut self) -> Summary {
        for (micros, count) in self.summaries.iter().flat_map(|summary| &summary.round_trips) {
            self.tally.add_round_trips(*micros, *count);
        }
        let done = Done {
            duration: self.summaries.iter().map(|summary| summary.duration).max().unwrap_or_default(),
            packets_lost: self.summaries.iter().map(|summary| summary.packets_lost).sum(),
            backed_off: self.summaries.iter().map(|summary| summary.backed_off).sum(),
            kernel_resets: self.summaries.iter().map(|summary| summary.kernel_resets).sum(),
            signal: None,
        };
        let signal = self.summaries.iter().find_map(|summary| summary.signal.clone());
        let summary = self.tally.summary(&done);
        Summary { signal, not_checked: summary.not_checked + self.untold, ..summary }
    }
}
