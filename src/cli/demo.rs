//! `tcpshake demo`: one whole exchange in a private network, with a sentence for each step.

use std::net::SocketAddr;
use std::time::Duration;

use super::args::DemoArgs;
use super::error::Failure;
use super::exit::Exit;
use super::files::{Files, Others};
use super::output::Output;
use super::signals::Signals;
use crate::driver::{self, Ended, Plan};
use crate::guard::{Choice, Guard, PortLease, SelfTest};
use crate::lab::{self, Lab, server::EchoServer, simulated};
use crate::lesson;
use crate::net::interfaces::Interface;
use crate::net::privileges;
use crate::tcp::{Mss, Parameters, SeqNum};
use crate::time::Clock;
use crate::wire::memory::MemoryWire;
use crate::wire::raw::{self, RawSpec, RawWire};

/// The textbook's initial sequence number.
const ISS: SeqNum = SeqNum(4321);
/// The simulated server's.
const SERVER_ISS: SeqNum = SeqNum(9000);
/// The echo service (RFC 862).
const PORT: u16 = 7;
const TEXT: &[u8] = b"hello";
/// How long a simulated segment is under way.
const DELAY: Duration = Duration::from_millis(10);

pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let files = Files::open(&args.files, &Others::default())?;
    if args.simulate { simulate(args, files) } else { in_private_network(args, files) }
}

/// Order matters: a user namespace can be entered, and signals be blocked for all, only while there is a
/// single thread.
fn in_private_network(args: &DemoArgs, files: Files) -> Result<Exit, Failure> {
    lab::enter_private()?;
    let signals = Signals::watch()?;
    let lab = Lab::build()?;
    let server = EchoServer::start(&lab.far, PORT)
        .map_err(|error| Failure::cannot("start the demo's server", &error))?;
    let remote = server.at(lab::FAR_V4);
    let interface = Interface::by_name(lab::LINK)
        .map_err(|error| Failure::cannot("find the demo's interface", &error))?;

    let clock = Clock::new();
    let lease = PortLease::take((lab::NEAR_V4, 0).into())?;
    let spec = RawSpec {
        selection: raw::selection(lease.local(), remote, interface.index),
        remote,
        bind_to_interface: None,
    };
    let mut wire = RawWire::open(&spec, clock)?;
    let guard = Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock))?;
    wire.wake_on(signals.descriptor()?);
    lab.far
        .run(privileges::give_up)
        .and_then(|()| privileges::give_up())
        .map_err(|error| Failure::cannot("give up privileges", &error))?;

    let mut output = Output::start(&args.output, files, Some(lesson::sentence))?;
    let mss = Mss::fitting(interface.mtu, remote.ip());
    let plan = Plan { keep: args.files.keep(), ..plan(remote, mss, false) };
    let ended = driver::run(&guard, &mut wire, &plan, &mut output, &mut || signals.pending());
    let stuck = output.finish(Some(&signals))?;
    let Ended { summary, cut_short } = ended?;
    Ok(cut_short.or(stuck).map_or_else(|| Exit::from(&summary.outcome), Exit::from))
}

/// Both ends in this process, on a clock of their own: always the same, to the last number.
fn simulate(args: &DemoArgs, files: Files) -> Result<Exit, Failure> {
    const LOCAL_PORT: u16 = 40_000;
    const ETHERNET: u32 = 1500;
    let remote = simulated::server_address(PORT);
    let mss = Mss::fitting(ETHERNET, remote.ip());
    let plan = Plan { keep: args.files.keep(), ..plan(remote, mss, true) };
    let server = simulated::SimulatedServer::new(remote, SERVER_ISS, plan.parameters);
    let mut wire = MemoryWire::new(server, DELAY);
    let guard = Guard::not_needed((lab::NEAR_V4, LOCAL_PORT).into());
    let mut output = Output::start(&args.output, files, Some(lesson::sentence))?;
    let ended = driver::run(&guard, &mut wire, &plan, &mut output, &mut || None);
    output.finish(None)?;
    Ok(Exit::from(&ended?.summary.outcome))
}

fn plan(remote: SocketAddr, mss: Mss, simulated: bool) -> Plan {
    Plan {
        parameters: Parameters { mss, ..Parameters::default() },
        text: TEXT.to_vec(),
        await_text: TEXT.len() as u64,
        timeout: Duration::from_secs(5),
        simulated,
        ..Plan::new(remote, ISS)
    }
}
