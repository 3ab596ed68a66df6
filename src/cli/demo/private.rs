//! A scene in a private network: our end by hand as always, the far end a kernel where a kernel can play it.

use std::io::{self, PipeWriter};
use std::net::SocketAddr;
use std::thread::JoinHandle;

use super::play::play;
use super::scene::{Ends, Kernel, Scene, Time, ports};
use crate::cli::args::DemoArgs;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files::Files;
use crate::cli::signals::Signals;
use crate::cli::step::{self, Peer, Stepper};
use crate::guard::{Choice, Guard, PortLease, SelfTest};
use crate::lab::actor::{Actor, Part};
use crate::lab::server::EchoServer;
use crate::lab::stage::{self, Curtain};
use crate::lab::{self, Lab};
use crate::lesson::Scenario;
use crate::net::interfaces::Interface;
use crate::net::privileges;
use crate::tcp::Mss;
use crate::time::Clock;
use crate::wire::faulty::FaultyWire;
use crate::wire::raw::{self, RawSpec, RawWire};

/// Order matters: a user namespace can be entered, and signals be blocked for all, only while there is a
/// single thread.
pub(super) fn run(args: &DemoArgs, files: Files) -> Result<Exit, Failure> {
    lab::enter_private()?;
    let signals = Signals::watch()?;
    let lab = Lab::build()?;
    let interface = Interface::by_name(lab::LINK)
        .map_err(|error| Failure::cannot("find the demo's interface", &error))?;
    let clock = Clock::new();
    let (local, remote) = ports(args.scenario);
    let remote: SocketAddr = (lab::FAR_V4, remote).into();
    let lease = PortLease::take((lab::NEAR_V4, local.unwrap_or(0)).into())?;
    let mss = Mss::fitting(interface.mtu, remote.ip());
    let ends = Ends { local: lease.local(), remote, mss, time: Time::Real };
    let scene = Scene::of(args.scenario, ends).keeping(args.files.keep());
    let far = FarEnd::cast(args.scenario, &lab, ends, &scene.part)?;

    let mut wire = open_wire(ends.local, remote, &interface, clock)?;
    let mut guard = match scene.kernel {
        Kernel::IsHeldBack => Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock))?,
        Kernel::Answers => Guard::none(lease),
    };
    wire.wake_on(signals.descriptor()?);
    lab.far
        .run(privileges::give_up)
        .and_then(|()| privileges::give_up())
        .map_err(|error| Failure::cannot("give up privileges", &error))?;

    let mut output = super::start(args, files)?;
    let far = far.begin(args.scenario).map_err(|error| cannot_start(&error))?;
    let mut wire = FaultyWire::new(wire, scene.weather.clone());
    let mut stepper = Stepper::new(args.step, Peer::Real, &output, &signals)?;
    let exit = step::asking(stepper.as_mut(), &mut wire, |wire| {
        play(&scene, &mut guard, wire, &mut output, &mut || signals.pending())
    });
    drop(stepper);
    let exit = exit.or_else(|failure| super::unless_ended(failure, &signals));
    drop(far);
    output.conclude(exit, &signals)
}

fn cannot_start(error: &io::Error) -> Failure {
    Failure::cannot("start the demo's far end", error)
}

fn open_wire(
    local: SocketAddr,
    remote: SocketAddr,
    interface: &Interface,
    clock: Clock,
) -> Result<RawWire, raw::OpenError> {
    let selection = raw::selection(local, remote, interface.index);
    RawWire::open(&RawSpec { selection, remote, bind_to_interface: None }, clock)
}

/// Who plays the far end.
enum FarEnd {
    /// The far host's kernel: what it does not know it answers by itself.
    Kernel,
    /// One of ours.
    Actor(Box<Dressed>),
}

/// An actor with all it needs, kept from its own kernel.
struct Dressed {
    actor: Actor,
    wire: RawWire,
    guard: Guard,
}

impl FarEnd {
    /// Makes ready what needs privileges.
    fn cast(scenario: Scenario, lab: &Lab, ends: Ends, part: &Part) -> Result<Self, Failure> {
        match scenario {
            Scenario::Refused => Ok(Self::Kernel), // nobody listens
            Scenario::OpenClose | Scenario::KernelRst | Scenario::Reset => {
                EchoServer::start(&lab.far, ends.remote.port()).map_err(|error| cannot_start(&error))?;
                Ok(Self::Kernel)
            }
            Scenario::Silent
            | Scenario::LostSynAck
            | Scenario::LostAck
            | Scenario::LostFin
            | Scenario::PeerClosesFirst
            | Scenario::ThreeSegmentClose
            | Scenario::HalfClose
            | Scenario::SimultaneousOpen
            | Scenario::SimultaneousClose
            | Scenario::ChallengeAck
            | Scenario::TimeWait
            | Scenario::OldDuplicateSyn
            | Scenario::HalfOpen
            | Scenario::WindowZero
            | Scenario::WrapAround
            | Scenario::Options
            | Scenario::Listen => {
                let actor = Actor::new(ends.remote, part.clone());
                let dressed =
                    lab.far.run(move || dress(actor, ends)).map_err(|error| cannot_start(&error))?;
                Ok(Self::Actor(Box::new(dressed)))
            }
        }
    }

    /// Lets it play until what is returned is dropped.
    fn begin(self, scenario: Scenario) -> io::Result<Option<Playing>> {
        let Self::Actor(dressed) = self else { return Ok(None) };
        let Dressed { mut actor, mut wire, guard } = *dressed;
        let curtain = if scenario == Scenario::Listen { Curtain::Rises } else { Curtain::WaitsForPacket };
        let (stopped, stop) = io::pipe()?;
        wire.wake_on(stopped.into());
        let thread = privileges::thread("far end", move || {
            let _guard = guard; // for as long as it plays
            stage::play(&mut actor, &mut wire, Time::Real.delay(), curtain)
        })?;
        Ok(Some(Playing { stop: Some(stop), thread: Some(thread) }))
    }
}

/// On the far host: its port, the wire turned to it, and its kernel held back.
fn dress(actor: Actor, ends: Ends) -> io::Result<Dressed> {
    let clock = Clock::new();
    let interface = Interface::by_name(lab::LINK)?;
    let lease = PortLease::take(ends.remote).map_err(io::Error::other)?;
    let wire = open_wire(ends.remote, ends.local, &interface, clock).map_err(io::Error::other)?;
    let guard = Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock)).map_err(io::Error::other)?;
    Ok(Dressed { actor, wire, guard })
}

/// An actor that plays. Dropped, it ends.
struct Playing {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Drop for Playing {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
