//! `tcpshake demo`: scenarios between two hosts of our own, with a sentence for each step.

mod course;
mod play;
mod private;
mod scene;
mod simulated;

use std::io::Write;
use std::time::Duration;

use super::args::{DemoArgs, TellArgs};
use super::error::{Failure, written};
use super::exit::Exit;
use super::files::{Files, Others, Words};
use super::output::Output;
use super::signals::Signals;
use super::sink::is_standard_output;
use super::step::{self, Peer, Stepper};
use crate::lesson::Scenario;
use crate::wire::paced::Rest;

pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    if args.list {
        return list();
    }
    if let (true, Some(folder)) = (args.all, &args.files.pictures.html) {
        if is_standard_output(folder) {
            return Err(Failure::usage("--all writes many pages (give --html a folder)"));
        }
        return course::write(folder);
    }
    step::check(args.step, &args.output)?;
    let files = Files::open(&args.files, &Others::default())?;
    if !args.simulate {
        private::run(args, files)
    } else if args.pace.is_none() && !args.step {
        simulate(args, files)
    } else {
        simulate_slowly(args, files)
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

/// What is said of a scenario before it is played.
const fn words(scenario: Scenario) -> Words {
    Words { title: scenario.title(), paragraphs: scenario.introduction() }
}

/// As fast as it goes.
fn simulate(args: &DemoArgs, files: Files) -> Result<Exit, Failure> {
    let mut output = start(args, files)?;
    let exit =
        simulated::run(args.scenario, args.files.keep(), None, &mut output, |_| Rest::Over, &mut || None);
    output.finish(None)?;
    exit
}

/// So that it can be followed, and ended.
fn simulate_slowly(args: &DemoArgs, files: Files) -> Result<Exit, Failure> {
    let signals = Signals::watch()?;
    let mut output = start(args, files)?;
    let rest = |passed: Duration| {
        let wait = args.pace.map_or(Duration::ZERO, |pace| pace.wait(passed));
        if signals.is_due_within(wait) { Rest::Disturbed } else { Rest::Over }
    };
    let mut stepper = Stepper::new(args.step, Peer::Simulated, &output, &signals)?;
    let (keep, asking) = (args.files.keep(), stepper.as_mut());
    let exit = simulated::run(args.scenario, keep, asking, &mut output, rest, &mut || signals.pending());
    drop(stepper);
    let exit = exit.or_else(|failure| unless_ended(failure, &signals));
    output.conclude(exit, &signals)
}

/// What a signal has kept from leaving is no failure.
fn unless_ended(failure: Failure, signals: &Signals) -> Result<Exit, Failure> {
    signals.pending().map_or(Err(failure), |signal| Ok(signal.into()))
}

/// The output, with what is said of the scenario.
fn start(args: &DemoArgs, files: Files) -> Result<Output, Failure> {
    let mut output = Output::start(&args.output, files, TellArgs { explain: true, hex: args.hex })?;
    output.words(words(args.scenario));
    Ok(output)
}
