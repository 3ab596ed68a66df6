//! A scene in this process, on a clock of its own: always the same, to the last number.

use super::play::play;
use super::scene::{Ends, Kernel, Scene, Time, ports};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::step::{self, Stepper};
use crate::driver::Observer;
use crate::guard::Guard;
use crate::lab::actor::Actor;
use crate::lab::kernel::Unguarded;
use crate::lab::{self, simulated};
use crate::lesson::Scenario;
use crate::record::{Keep, Signal};
use crate::tcp::Mss;
use crate::wire::Wire;
use crate::wire::faulty::FaultyWire;
use crate::wire::memory::MemoryWire;
use crate::wire::paced::{PacedWire, Rest};

/// Plays the scenario; `rest` is told how much time has passed before anything comes of it.
pub(super) fn run(
    scenario: Scenario,
    keep: Keep,
    stepper: Option<&mut Stepper>,
    observer: &mut dyn Observer,
    rest: impl FnMut(std::time::Duration) -> Rest,
    signal: &mut dyn FnMut() -> Option<Signal>,
) -> Result<Exit, Failure> {
    let scene = Scene::of(scenario, ends(scenario)).keeping(keep);
    let local = ends(scenario).local;
    let actor = Actor::new(ends(scenario).remote, scene.part.clone());
    let memory = MemoryWire::new(actor, Time::Simulated.delay());
    match scene.kernel {
        Kernel::IsHeldBack => on(memory, &scene, Guard::not_needed(local), stepper, observer, rest, signal),
        Kernel::Answers => on(
            Unguarded::new(memory),
            &scene,
            Guard::none_in_simulation(local),
            stepper,
            observer,
            rest,
            signal,
        ),
    }
}

fn on(
    wire: impl Wire,
    scene: &Scene,
    mut guard: Guard,
    stepper: Option<&mut Stepper>,
    observer: &mut dyn Observer,
    rest: impl FnMut(std::time::Duration) -> Rest,
    signal: &mut dyn FnMut() -> Option<Signal>,
) -> Result<Exit, Failure> {
    let mut wire = PacedWire::new(FaultyWire::new(wire, scene.weather.clone()), rest);
    step::asking(stepper, &mut wire, |wire| play(scene, &mut guard, wire, observer, signal))
}

fn ends(scenario: Scenario) -> Ends {
    const LOCAL_PORT: u16 = 40_000;
    const ETHERNET: u32 = 1500;
    let (local, remote) = ports(scenario);
    let remote = simulated::server_address(remote);
    Ends {
        local: (lab::NEAR_V4, local.unwrap_or(LOCAL_PORT)).into(),
        remote,
        mss: Mss::fitting(ETHERNET, remote.ip()),
        time: Time::Simulated,
    }
}
