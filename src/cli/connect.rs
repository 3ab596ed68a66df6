//! `tcpshake connect`.

use std::net::SocketAddr;
use std::time::Duration;

use super::args::{CloseKind, ConnectArgs, Sending};
use super::conversation::Conversation;
use super::error::Failure;
use super::exit::Exit;
use super::files::{Files, Others};
use super::look::Reports;
use super::output::Output;
use super::path::Equipment;
use super::queue::Bell;
use super::signals::Signals;
use super::sink::{self, Place, Sink};
use super::source::{Opened, Source};
use super::step::{self, Peer, Stepper};
use super::way::Way;
use crate::driver::{self, Ended, Linger, Open, Plan};
use crate::net::privileges;
use crate::record::{Outcome, Signal, Statistics};
use crate::tcp::{IssGenerator, Nagle, SeqNum};

pub(super) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let mut prepared = Connection::prepare(args);
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let files = prepared.as_mut().map(|connection| std::mem::take(&mut connection.files)).unwrap_or_default();
    let text_on_stdout = args.data.output.as_deref().is_some_and(sink::is_standard_output);
    let reports = if text_on_stdout { Reports::ToStandardError } else { files.reports() };
    let mut output = Output::start_on(reports, &args.output, files, args.tell)?;
    let result = prepared.and_then(|connection| connection.run(&signals, &mut output));
    if let Err(failure) = &result {
        output.failed(failure);
    }
    output.conclude(result, &signals)
}

/// Everything that is the same for each exchange of a run.
struct Connection<'a> {
    args: &'a ConnectArgs,
    ways: Vec<Way<'a>>,
    iss: IssGenerator,
    /// What is to be sent, until an exchange takes it.
    opened: Option<Opened>,
    /// Where what comes goes, until it is written there.
    place: Option<Place>,
    /// Files besides the report, until the report begins.
    files: Files,
    bell: Bell,
}

impl<'a> Connection<'a> {
    fn prepare(args: &'a ConnectArgs) -> Result<Self, Failure> {
        check(args)?;
        let opened = args.data.send.as_ref().map(Opened::open).transpose()?;
        let ways = Way::all(args)?;
        let are_many = args.pace.count > 1 || ways.len() > 1;
        if are_many && opened.as_ref().is_some_and(Opened::can_be_read_but_once) {
            return Err(Failure::usage(
                "what --send reads comes but once (leave out --count and --all-addresses)",
            ));
        }
        if let Some(option) = args.files.pictures.first().filter(|_| are_many) {
            return Err(Failure::usage(format_args!(
                "{option} shows one exchange (leave out --count and --all-addresses)"
            )));
        }
        // Last, for it makes files.
        let read = opened.as_ref().and_then(Opened::file);
        let place = args.data.output.as_deref().map(|file| Place::open(file, read)).transpose()?;
        let written = args.data.output.as_deref().map(|file| ("--output", file));
        let files = Files::open(&args.files, &Others { written, read })?;
        let iss = IssGenerator::new(rand::random());
        Ok(Self { iss, bell: Bell::new()?, args, ways, opened, place, files })
    }

    /// The exchanges, and all that came written.
    fn run(mut self, signals: &Signals, output: &mut Output) -> Result<Exit, Failure> {
        const PATIENCE: Duration = Duration::from_millis(500); // for what a signal has ended
        let sink = self.place.take().map(|place| place.start(&self.bell)).transpose()?;
        let result = self.go_all_ways(sink.as_ref(), signals, output);
        let Some(sink) = sink else { return result };
        let by_signal = matches!(result, Ok(Exit::Interrupted | Exit::Terminated | Exit::HungUp));
        let written = sink.finish(signals, by_signal.then_some(PATIENCE));
        match (result?, written) {
            (exit @ (Exit::Interrupted | Exit::Terminated | Exit::HungUp | Exit::NotPossible), _) => Ok(exit),
            (exit, Ok(signal)) => Ok(signal.map_or(exit, Exit::from)),
            (_, Err(failure)) => Err(failure),
        }
    }

    /// One way after the other; the exit code is that of the first exchange that did not end as asked.
    fn go_all_ways(
        &mut self,
        sink: Option<&Sink>,
        signals: &Signals,
        output: &mut Output,
    ) -> Result<Exit, Failure> {
        let ways = std::mem::take(&mut self.ways);
        let mut equipments: Vec<Equipment> = ways.iter().map(|way| way.path.equipment()).collect();
        let many = ways.len() > 1;
        for (way, equipment) in
            ways.iter().zip(&mut equipments).filter(|(way, _)| many && !way.path.keeps_its_port())
        {
            way.path.equip_early(equipment, signals)?;
        }
        let mut exit = Exit::Success;
        let mut left = ways.len() as u32;
        for (way, equipment) in ways.iter().zip(equipments) {
            let first = (ways.len() as u32 - left) * self.args.pace.count + 1;
            left -= 1;
            let turn = Turn { way, first, left, sink, signals };
            match self.repeat(turn, equipment, &mut exit, output) {
                Ok(()) => {}
                Err(End::Trouble) => break,
                Err(End::Signal(signal)) => return Ok(signal.into()),
                Err(End::Failure(failure)) => return Err(failure),
            }
        }
        Ok(exit)
    }

    /// The exchanges of one way, one after the other.
    fn repeat(
        &mut self,
        turn: Turn<'_>,
        mut equipment: Equipment,
        exit: &mut Exit,
        output: &mut Output,
    ) -> Result<(), End> {
        let (count, interval, clock) = (self.args.pace.count, self.args.pace.interval, turn.way.path.clock);
        let mut statistics = Statistics::default();
        let result = (0..count).try_for_each(|nth| {
            let begun = clock.now();
            statistics.exchanges += 1;
            let Ended { summary, cut_short } = self.exchange(turn, nth, &mut equipment, output)?;
            statistics.add(&summary);
            if *exit == Exit::Success {
                *exit = Exit::from(&summary);
            }
            if summary.trouble.is_some() {
                return Err(End::Trouble);
            }
            let is_last = nth + 1 == count;
            let signal = match (summary.outcome, cut_short) {
                (Outcome::Interrupted(signal), _) | (_, Some(signal)) => Some(signal),
                _ if is_last => None,
                _ => turn.signals.wait(interval.saturating_sub(clock.now() - begun)),
            };
            signal.map_or(Ok(()), |signal| Err(End::Signal(signal)))
        });
        if count > 1 {
            output.statistics(&statistics);
        }
        result
    }

    /// The `nth` exchange of one way, from 0.
    fn exchange(
        &mut self,
        turn: Turn<'_>,
        nth: u32,
        equipment: &mut Equipment,
        output: &mut Output,
    ) -> Result<Ended, End> {
        let (Turn { way, sink, signals, .. }, number) = (turn, turn.first + nth);
        output.number(number);
        let source = self.source()?;
        let (guard, wire) = way.path.equip(equipment, signals)?;
        if nth == 0 {
            wire.wake_on(self.bell.descriptor()?);
        }
        if self.needs_no_more(turn, nth) || (turn.are_equipped() && way.path.needs_no_more(&guard)) {
            privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
        }
        if let Some(sink) = sink.filter(|_| number == 1) {
            sink.empty()?;
        }
        let plan = self.plan(way, number, guard.local());
        let mut talk = Conversation::new(source, sink, &self.args.data);
        let mut pending = || {
            self.bell.still();
            signals.pending()
        };
        let mut stepper = Stepper::new(self.args.step, Peer::Real, output, signals)?;
        let ended = step::asking(stepper.as_mut(), wire, |wire| {
            driver::converse(&guard, wire, &plan, &mut talk, output, &mut pending)
        });
        // Before the first SYN there is nothing to end.
        let ended = ended.map_err(|error| match signals.pending().filter(|_| self.args.step) {
            Some(signal) => End::Signal(signal),
            None => End::Failure(error.into()),
        })?;
        way.path.hand_back(equipment, guard);
        Ok(ended)
    }

    /// Whether nothing is to be opened after this exchange's.
    const fn needs_no_more(&self, turn: Turn<'_>, nth: u32) -> bool {
        let is_last = nth + 1 == self.args.pace.count && turn.left == 0;
        is_last || (self.args.pace.count == 1 && turn.are_equipped())
    }

    /// What to say, from its beginning.
    fn source(&mut self) -> Result<Source, Failure> {
        let Some(sending) = &self.args.data.send else { return Ok(Source::default()) };
        let opened = self.opened.take().map_or_else(|| Opened::open(sending), Ok)?;
        opened.start(&self.bell)
    }

    fn plan(&self, way: &Way<'_>, number: u32, local: SocketAddr) -> Plan {
        let ConnectArgs { opening, segments, pace, data, .. } = self.args;
        let chosen = segments.isn.map(SeqNum);
        let remote = way.path.remote;
        let iss = chosen.unwrap_or_else(|| self.iss.iss(local, remote, way.path.clock.now()));
        Plan {
            number,
            host: way.path.host.clone(),
            among: way.path.among,
            parameters: way.parameters,
            ttl: segments.ttl,
            tos: segments.tos,
            open: if opening.simultaneous { Open::Simultaneous } else { Open::Usual },
            syn_options: way.syn_options,
            text_on_syn: opening.syn_data,
            nagle: nagle(segments.no_nagle),
            close: segments.close.into(),
            half_close: data.half_close,
            wait_after_open: data.wait_after_open,
            timeout: pace.timeout,
            linger: pace.linger.map_or(Linger::Enough, |millis| Linger::For(Duration::from_millis(millis))),
            keep: self.args.files.keep(),
            ..Plan::new(remote, iss)
        }
    }
}

/// The turn of one way.
#[derive(Clone, Copy)]
struct Turn<'t> {
    way: &'t Way<'t>,
    /// The number of its first exchange.
    first: u32,
    /// How many ways come after it.
    left: u32,
    sink: Option<&'t Sink>,
    signals: &'t Signals,
}

impl Turn<'_> {
    /// Whether the ways after it have all they need. A port that was asked for goes from one to the next.
    const fn are_equipped(&self) -> bool {
        self.left == 0 || !self.way.path.keeps_its_port()
    }
}

/// What cannot be asked for together.
fn check(args: &ConnectArgs) -> Result<(), Failure> {
    step::check(args.step, &args.output)?;
    if args.data.half_close && args.segments.close != CloseKind::Active {
        return Err(Failure::usage("--half-close is a way to close by itself (leave out --close)"));
    }
    if args.step && args.data.send == Some(Sending::Input) {
        return Err(Failure::usage("--step reads Enter from standard input (give --send a text or @FILE)"));
    }
    if args.opening.syn_data && args.data.send == Some(Sending::Input) {
        return Err(Failure::usage(
            "--syn-data cannot wait for standard input (give --send a text or @FILE)",
        ));
    }
    Ok(())
}

/// What ends a run of exchanges before its last.
enum End {
    /// Told in the verdict.
    Trouble,
    Signal(Signal),
    Failure(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

const fn nagle(off: bool) -> Nagle {
    if off { Nagle::Off } else { Nagle::On }
}
