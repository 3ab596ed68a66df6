//! `tcpshake demo`: scenarios between two hosts of our own, with a sentence for each step.

mod course;
mod play;
mod private;
mod scene;
mod simulated;

use std::io::Write;
use std::time::Duration;

use super::args::{DemoArgs, Pace};
use super::error::{Failure, written};
use super::exit::Exit;
use super::output::Output;
use super::signals::Signals;
use crate::lesson::{self, Scenario};
use crate::wire::paced::Rest;

pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    if args.list {
        return list();
    }
    if let (true, Some(folder)) = (args.all, &args.html) {
        return course::write(folder);
    }
    match (args.simulate, args.pace) {
        (false, _) => private::run(args),
        (true, None) => simulate(args),
        (true, Some(pace)) => simulate_slowly(args, pace),
    }
}

/// Each scenario's name and title, a line each.
fn list() -> Result<Exit, Failure> {
    let width = Scenario::ALL.iter().map(|scenario| scenario.name().len()).max().unwrap_or_default();
    let line = |scenario: Scenario| format!("{:width$}  {}\n", scenario.name(), scenario.title());
    let lines: String = Scenario::ALL.into_iter().map(line).collect();
    written(std::io::stdout().write_all(lines.as_bytes()))?;
    Ok(Exit::Success)
}

/// As fast as it goes.
fn simulate(args: &DemoArgs) -> Result<Exit, Failure> {
    let mut output = start(args)?;
    let exit = simulated::run(args.scenario, &mut output, |_| Rest::Over, &mut || None);
    output.finish(None)?;
    exit
}

/// So that it can be followed, and ended.
fn simulate_slowly(args: &DemoArgs, pace: Pace) -> Result<Exit, Failure> {
    let signals = Signals::watch()?;
    let mut output = start(args)?;
    let rest = |passed: Duration| {
        if signals.is_due_within(pace.wait(passed)) { Rest::Disturbed } else { Rest::Over }
    };
    let exit = simulated::run(args.scenario, &mut output, rest, &mut || signals.pending());
    output.conclude(exit, &signals)
}

/// The output, with what is said of the scenario.
fn start(args: &DemoArgs) -> Result<Output, Failure> {
    let mut output = Output::start(&args.output, Some(lesson::sentence))?;
    output.words(args.scenario.title(), args.scenario.introduction());
    Ok(output)
}
