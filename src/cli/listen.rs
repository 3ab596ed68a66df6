//! `tcpshake listen`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::answers::{Answer, Answering, End};
use super::args::{EndKind, ListenArgs};
use super::data::{self, Purpose};
use super::error::Failure;
use super::exit::Exit;
use super::files::{Files, Others};
use super::guard::own;
use super::output::Output;
use super::signals::Signals;
use crate::driver::{self, Host, Linger, Open, Plan, Recital, Service};
use crate::guard::{Kind, LeaseError, PortLease, PortSet, Scope, SelfTest, Standing};
use crate::net::interfaces::{Interface, own_families};
use crate::net::{privileges, route};
use crate::record::{Role, Served};
use crate::tcp::{IssGenerator, Mss, Offer, Parameters, SeqNum, WindowSize};
use crate::time::{Clock, Instant};
use crate::wire::filter::{PortSpan, Selection};
use crate::wire::raw::{self, RawWire};

pub(super) fn run(args: &ListenArgs) -> Result<Exit, Failure> {
    let answer = answer(args)?;
    let bind = args.bind.map(|address| own(address.to_canonical())).transpose()?;
    if let Some(option) = args.files.pictures.first().filter(|_| args.count != Some(1)) {
        return Err(Failure::usage(format_args!("{option} shows one connection (add --count 1)")));
    }
    let files = Files::open(&args.files, &Others::default())?;
    let signals = Signals::watch()?;
    let mut output = Output::start(&args.output, files, args.tell)?;
    let result = serve(args, bind, answer, &signals, &mut output);
    if let Err(failure) = &result {
        output.failed(failure);
    }
    output.conclude(result, &signals)
}

fn serve(
    args: &ListenArgs,
    bind: Option<IpAddr>,
    answer: Answer,
    signals: &Signals,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let clock = Clock::new();
    let at = places(bind, args.port);
    let mut wire = RawWire::open_service(&at.iter().map(selection).collect::<Vec<_>>(), clock)?;
    wire.wake_on(signals.descriptor()?);
    let scope = Scope { address: bind, ports: PortSet::one(args.port), mark: raw::MARK };
    let guard = Standing::stand(args.guard.into(), &scope, &mut SelfTest::new(clock))?;
    wire.forget(); // SYNs that the kernel has refused before the guard stood
    // A firewall guard leaves the port to others; we do not.
    let _leases = if guard.kind() == Some(Kind::Listener) { Vec::new() } else { take(&at)? };
    privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;

    let service = service(args, at);
    let mut machine = Machine {
        answer,
        iss: IssGenerator::new(rand::random()),
        sizes: HashMap::new(),
        ours: HashMap::new(),
    };
    let served = driver::serve(&guard, &mut wire, &service, &mut machine, output, &mut || signals.pending())?;
    output.served(&served);
    Ok(exit(&served))
}

/// The exit code of the first connection that did not end as asked. A service without a count ends by a signal:
/// that is its way to end.
fn exit(served: &Served) -> Exit {
    match (served.signal, &served.first_failure) {
        (Some(signal), _) => signal.into(),
        (None, Some(outcome)) => outcome.into(),
        (None, None) => Exit::Success,
    }
}

/// Where clients reach us: at the one address, or at all of both families, as far as this machine has them.
fn places(bind: Option<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let addresses = bind.map_or_else(own_families, |address| vec![address]);
    addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()
}

fn selection(at: &SocketAddr) -> Selection {
    Selection::everywhere(at.ip(), PortSpan::one(at.port()))
}

fn take(at: &[SocketAddr]) -> Result<Vec<PortLease>, Failure> {
    at.iter().map(|at| PortLease::take(*at).map_err(|error| no_port(&error))).collect()
}

fn no_port(error: &LeaseError) -> Failure {
    let remedy = match error {
        LeaseError::Taken { .. } => " (end that, or listen on another port)",
        LeaseError::Privileged(_) => " (run it with sudo, or listen on a port from 1024 on)",
        LeaseError::NotOurs { .. } | LeaseError::Io { .. } => "",
    };
    Failure::not_possible(format_args!("cannot listen: {error}{remedy}"))
}

fn answer(args: &ListenArgs) -> Result<Answer, Failure> {
    let answer = &args.answer;
    if let Some(typed) = &answer.respond {
        return Ok(Answer::Respond(Recital::new(data::read(typed, Purpose::Answer)?.into(), 0)));
    }
    let ends_first = close(args) != EndKind::Passive;
    let end = if ends_first { End::AfterFirst } else { End::WithClient };
    Ok(if answer.echo { Answer::Echo(end) } else { Answer::Discard })
}

fn close(args: &ListenArgs) -> EndKind {
    let usual = if args.answer.respond.is_some() { EndKind::Active } else { EndKind::Passive };
    args.answer.close.unwrap_or(usual)
}

fn service(args: &ListenArgs, at: Vec<SocketAddr>) -> Service {
    let settings = &args.service;
    let granted =
        Offer::USUAL | Offer::TIMESTAMPS.only_if(settings.timestamps) | Offer::ECN.only_if(settings.ecn);
    let plan = Plan {
        role: Role::Passive,
        queue: Service::QUEUE,
        ttl: settings.ttl,
        open: if settings.split { Open::Split } else { Open::Usual },
        close: close(args).into(),
        keep: args.files.keep(),
        timeout: settings.timeout,
        linger: settings.linger.map_or(Linger::Enough, |millis| Linger::For(Duration::from_millis(millis))),
        parameters: Parameters {
            mss: settings.mss.and_then(Mss::new).unwrap_or(Mss::LARGEST),
            window: WindowSize::new(settings.window),
            offer: if settings.no_options { Offer::NOTHING } else { granted },
            retries: settings.retries,
            ..Parameters::default()
        },
        ..Plan::new((Ipv4Addr::UNSPECIFIED, 0).into(), SeqNum(0)) // each connection has its own
    };
    Service {
        count: args.count,
        iss: settings.isn.map(SeqNum),
        delay_syn_ack: Duration::from_millis(settings.delay_synack),
        drop_first_syns: settings.drop_first_syn,
        most_half_open: settings.half_open,
        ..Service::new(at, plan, rand::random())
    }
}

/// What the service asks of this machine.
struct Machine {
    answer: Answer,
    iss: IssGenerator,
    /// What we announce to clients.
    sizes: HashMap<IpAddr, Mss>,
    /// Addresses that packets came to, and whether they are ours.
    ours: HashMap<IpAddr, bool>,
}

impl Machine {
    const MOST_REMEMBERED: usize = 4096;

    fn look_up(client: IpAddr) -> Mss {
        let mtu = route::lookup(client, None, None, Some(raw::MARK)).ok().and_then(|route| {
            let interface = Interface::by_index(route.interface).ok()?;
            Some(route.mtu_by(&interface))
        });
        mtu.map_or(Mss::default_of(client), |mtu| Mss::fitting(mtu, client))
    }
}

/// What was found out before, or is now; asking the kernel for each packet would take too long.
fn remembered<T: Copy>(known: &mut HashMap<IpAddr, T>, address: IpAddr, find: fn(IpAddr) -> T) -> T {
    if known.len() >= Machine::MOST_REMEMBERED {
        known.clear();
    }
    *known.entry(address).or_insert_with(|| find(address))
}

impl Host for Machine {
    type Talk = Answering;

    fn is_ours(&mut self, address: IpAddr) -> bool {
        remembered(&mut self.ours, address, route::is_own)
    }

    fn mss(&mut self, client: IpAddr) -> Mss {
        remembered(&mut self.sizes, client, Self::look_up)
    }

    fn iss(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) -> SeqNum {
        self.iss.iss(local, remote, now)
    }

    fn talk(&mut self) -> Answering {
        Answering::new(self.answer.clone())
    }
}
