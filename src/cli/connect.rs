//! `tcpshake connect`.

use std::net::SocketAddr;
use std::time::Duration;

use super::args::{CloseKind, ConnectArgs, OpeningArgs, RawOption, Sending};
use super::conversation::Conversation;
use super::error::Failure;
use super::exit::Exit;
use super::output::{Output, Reports};
use super::path::{Equipment, Path};
use super::queue::Bell;
use super::signals::Signals;
use super::sink::{self, Place, Sink};
use super::source::{Opened, Source};
use crate::driver::{self, Ended, Linger, Open, Plan};
use crate::net::privileges;
use crate::record::{Outcome, Signal, Statistics};
use crate::tcp::options::OptionsBuilder;
use crate::tcp::{
    IssGenerator, Mss, Nagle, Offer, Options, Origin, Parameters, SeqNum, Stream, WindowScale, WindowSize,
};
use crate::time::Instant;

pub(super) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let prepared = Connection::prepare(args);
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let text_on_stdout = args.data.output.as_deref().is_some_and(sink::is_standard_output);
    let reports = if text_on_stdout { Reports::ToStandardError } else { Reports::ToStandardOutput };
    let mut output = Output::start_on(reports, &args.output, None)?;
    let result = prepared.and_then(|connection| connection.run(&signals, &mut output));
    if let Err(failure) = &result {
        output.failed(failure);
    }
    output.conclude(result, &signals)
}

/// Everything that is the same for each exchange of a run.
struct Connection<'a> {
    args: &'a ConnectArgs,
    path: Path<'a>,
    parameters: Parameters,
    /// Options of our SYN behind those of the parameters.
    syn_options: Options,
    iss: IssGenerator,
    /// What is to be sent, until an exchange takes it.
    opened: Option<Opened>,
    /// Where what comes goes, until it is written there.
    place: Option<Place>,
    bell: Bell,
}

impl<'a> Connection<'a> {
    fn prepare(args: &'a ConnectArgs) -> Result<Self, Failure> {
        check(args)?;
        let opened = args.data.send.as_ref().map(Opened::open).transpose()?;
        if args.pace.count > 1 && opened.as_ref().is_some_and(Opened::can_be_read_but_once) {
            return Err(Failure::usage("what --send reads comes but once (leave out --count)"));
        }
        let path = Path::find(&args.path)?;
        let parameters = parameters(args, &path);
        let syn_options = syn_options(&args.opening, &parameters)?;
        // Last, for it empties a file.
        let read = opened.as_ref().and_then(Opened::file);
        let place = args.data.output.as_deref().map(|file| Place::open(file, read)).transpose()?;
        Ok(Self {
            parameters,
            syn_options,
            iss: IssGenerator::new(rand::random()),
            bell: Bell::new()?,
            args,
            path,
            opened,
            place,
        })
    }

    /// The exchanges, and all that came written.
    fn run(mut self, signals: &Signals, output: &mut Output) -> Result<Exit, Failure> {
        const PATIENCE: Duration = Duration::from_millis(500); // for what a signal has ended
        let sink = self.place.take().map(|place| place.start(&self.bell)).transpose()?;
        let result = self.repeat(sink.as_ref(), signals, output);
        let Some(sink) = sink else { return result };
        let by_signal = matches!(result, Ok(Exit::Interrupted | Exit::Terminated | Exit::HungUp));
        let written = sink.finish(signals, by_signal.then_some(PATIENCE));
        match (result?, written) {
            (exit @ (Exit::Interrupted | Exit::Terminated | Exit::HungUp | Exit::NotPossible), _) => Ok(exit),
            (exit, Ok(signal)) => Ok(signal.map_or(exit, Exit::from)),
            (_, Err(failure)) => Err(failure),
        }
    }

    /// The exchanges, one after the other; the exit code is that of the first that did not end as asked.
    fn repeat(
        &mut self,
        sink: Option<&Sink>,
        signals: &Signals,
        output: &mut Output,
    ) -> Result<Exit, Failure> {
        let mut statistics = Statistics::default();
        let mut exit = Exit::Success;
        let mut equipment = self.path.equipment();
        let result = (1..=self.args.pace.count).try_for_each(|number| {
            let begun = self.path.clock.now();
            statistics.exchanges += 1;
            let Ended { summary, cut_short } =
                self.exchange(number, &mut equipment, sink, signals, output)?;
            statistics.add(&summary);
            if exit == Exit::Success {
                exit = Exit::from(&summary);
            }
            if summary.trouble.is_some() {
                return Err(End::Trouble);
            }
            let is_last = number == self.args.pace.count;
            let signal = match (summary.outcome, cut_short) {
                (Outcome::Interrupted(signal), _) | (_, Some(signal)) => Some(signal),
                _ if is_last => None,
                _ => signals.wait(self.args.pace.interval.saturating_sub(self.path.clock.now() - begun)),
            };
            signal.map_or(Ok(()), |signal| Err(End::Signal(signal)))
        });
        if self.args.pace.count > 1 {
            output.statistics(&statistics);
        }
        match result {
            Ok(()) | Err(End::Trouble) => Ok(exit),
            Err(End::Signal(signal)) => Ok(signal.into()),
            Err(End::Failure(failure)) => Err(failure),
        }
    }

    fn exchange(
        &mut self,
        number: u32,
        equipment: &mut Equipment,
        sink: Option<&Sink>,
        signals: &Signals,
        output: &mut Output,
    ) -> Result<Ended, Failure> {
        output.number(number);
        let source = self.source()?;
        let (guard, wire) = self.path.equip(equipment, signals)?;
        if number == 1 {
            wire.wake_on(self.bell.descriptor()?);
        }
        if number == self.args.pace.count || self.path.needs_no_more(&guard) {
            privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
        }
        let plan = self.plan(number, guard.local());
        let mut talk = Conversation::new(source, sink, &self.args.data);
        let mut pending = || {
            self.bell.still();
            signals.pending()
        };
        let ended = driver::converse(&guard, wire, &plan, &mut talk, output, &mut pending)?;
        self.path.hand_back(equipment, guard);
        Ok(ended)
    }

    /// What to say, from its beginning.
    fn source(&mut self) -> Result<Source, Failure> {
        let Some(sending) = &self.args.data.send else { return Ok(Source::default()) };
        let opened = self.opened.take().map_or_else(|| Opened::open(sending), Ok)?;
        opened.start(&self.bell)
    }

    fn plan(&self, number: u32, local: SocketAddr) -> Plan {
        let ConnectArgs { opening, segments, pace, data, .. } = self.args;
        let chosen = segments.isn.map(SeqNum);
        let remote = self.path.remote;
        let iss = chosen.unwrap_or_else(|| self.iss.iss(local, remote, self.path.clock.now()));
        Plan {
            number,
            host: self.path.host.clone(),
            parameters: self.parameters,
            ttl: segments.ttl,
            tos: segments.tos,
            open: if opening.simultaneous { Open::Simultaneous } else { Open::Usual },
            syn_options: self.syn_options,
            text_on_syn: opening.syn_data,
            nagle: nagle(segments.no_nagle),
            close: segments.close.into(),
            half_close: data.half_close,
            wait_after_open: data.wait_after_open,
            timeout: pace.timeout,
            linger: pace.linger.map_or(Linger::Enough, |millis| Linger::For(Duration::from_millis(millis))),
            ..Plan::new(remote, iss)
        }
    }
}

/// What cannot be asked for together.
fn check(args: &ConnectArgs) -> Result<(), Failure> {
    if args.data.half_close && args.segments.close != CloseKind::Active {
        return Err(Failure::usage("--half-close is a way to close by itself (leave out --close)"));
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

/// What we announce follows from the interface (MUST-67) and the options.
fn parameters(args: &ConnectArgs, path: &Path<'_>) -> Parameters {
    let (headers, default_peer_mss) =
        if path.remote.is_ipv4() { (40, Mss::DEFAULT_IPV4) } else { (60, Mss::DEFAULT_IPV6) };
    let from_mtu = path.mtu.saturating_sub(headers) as u16;
    Parameters {
        mss: args.segments.mss.and_then(Mss::new).or(Mss::new(from_mtu)).unwrap_or(default_peer_mss),
        default_peer_mss,
        window: WindowSize::new(args.segments.window),
        offer: offer(&args.opening),
        window_scale: args.opening.wscale.map(WindowScale::new),
        retries: args.pace.retries,
        ..Parameters::default()
    }
}

fn offer(args: &OpeningArgs) -> Offer {
    let options = if args.no_options { Offer::NOTHING } else { Offer::USUAL };
    options.without(Offer::SACK.only_if(args.no_sack))
        | Offer::TIMESTAMPS.only_if(args.timestamps)
        | Offer::ECN.only_if(args.ecn)
}

/// What stands on our SYN behind the options of the connection's own, if there is room for all of them.
fn syn_options(args: &OpeningArgs, parameters: &Parameters) -> Result<Options, Failure> {
    const FAST_OPEN_REQUEST: &str = "34"; // no cookie yet (RFC 7413 section 4.1.1)
    let fast_open = args.tfo_request.then_some(FAST_OPEN_REQUEST).into_iter().map(str::parse);
    let asked: Vec<RawOption> = fast_open.flatten().chain(args.option.iter().cloned()).collect();
    let too_long =
        |error| Failure::usage(format_args!("{error} (leave out one of --option, or --timestamps)"));
    let options = RawOption::list(&asked).map_err(too_long)?;
    // The SYN as the connection will make it.
    let syn = Stream::new(parameters, Nagle::On).open(Origin::Active, SeqNum(0), &[], Instant::ORIGIN);
    let own = syn.ok().and_then(|reaction| reaction.segment).map_or(Options::NONE, |syn| syn.options);
    OptionsBuilder::joining(&own, &options).map_err(too_long)?;
    Ok(options)
}

const fn nagle(off: bool) -> Nagle {
    if off { Nagle::Off } else { Nagle::On }
}
