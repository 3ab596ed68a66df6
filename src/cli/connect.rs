//! `tcpshake connect`.

use std::net::SocketAddr;
use std::time::Duration;

use super::args::ConnectArgs;
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::path::{Equipment, Path};
use super::signals::Signals;
use crate::driver::{self, Ended, Linger, Plan};
use crate::net::privileges;
use crate::record::{Outcome, Signal, Statistics};
use crate::tcp::{IssGenerator, Mss, Offer, Parameters, SeqNum, WindowSize};

pub(super) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let prepared = Connection::prepare(args);
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let mut output = Output::start(&args.output, None)?;
    let result = prepared.and_then(|connection| connection.repeat(&signals, &mut output));
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
    iss: IssGenerator,
}

impl<'a> Connection<'a> {
    fn prepare(args: &'a ConnectArgs) -> Result<Self, Failure> {
        let path = Path::find(&args.path)?;
        Ok(Self { parameters: parameters(args, &path), iss: IssGenerator::new(rand::random()), args, path })
    }

    /// The exchanges, one after the other; the exit code is that of the first that did not end as asked.
    fn repeat(&self, signals: &Signals, output: &mut Output) -> Result<Exit, Failure> {
        let mut statistics = Statistics::default();
        let mut exit = Exit::Success;
        let mut equipment = self.path.equipment();
        let result = (1..=self.args.pace.count).try_for_each(|number| {
            let begun = self.path.clock.now();
            statistics.exchanges += 1;
            let Ended { summary, cut_short } = self.exchange(number, &mut equipment, signals, output)?;
            statistics.add(&summary);
            if exit == Exit::Success {
                exit = Exit::from(&summary.outcome);
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
            Ok(()) => Ok(exit),
            Err(End::Signal(signal)) => Ok(signal.into()),
            Err(End::Failure(failure)) => Err(failure),
        }
    }

    fn exchange(
        &self,
        number: u32,
        equipment: &mut Equipment,
        signals: &Signals,
        output: &mut Output,
    ) -> Result<Ended, Failure> {
        output.number(number);
        let (guard, wire) = self.path.equip(equipment, signals)?;
        if number == self.args.pace.count || self.path.needs_no_more(&guard) {
            privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
        }
        let plan = self.plan(number, guard.local());
        let ended = driver::run(&guard, wire, &plan, output, &mut || signals.pending())?;
        self.path.hand_back(equipment, guard);
        Ok(ended)
    }

    fn plan(&self, number: u32, local: SocketAddr) -> Plan {
        let ConnectArgs { segments, pace, .. } = self.args;
        let chosen = segments.isn.map(SeqNum);
        let remote = self.path.remote;
        let iss = chosen.unwrap_or_else(|| self.iss.iss(local, remote, self.path.clock.now()));
        Plan {
            number,
            host: self.path.host.clone(),
            parameters: self.parameters,
            ttl: segments.ttl,
            close: segments.close.into(),
            timeout: pace.timeout,
            linger: pace.linger.map_or(Linger::Enough, |millis| Linger::For(Duration::from_millis(millis))),
            ..Plan::new(remote, iss)
        }
    }
}

/// What ends a run of exchanges before its last.
enum End {
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
        offer: if args.segments.no_options { Offer::NOTHING } else { Offer::USUAL },
        retries: args.pace.retries,
        ..Parameters::default()
    }
}
