//! The exchanges of a scene, one after the other on one wire.

use super::scene::{Manner, Scene, Turn};
use crate::cli::answers::{Answer, Answering, End};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::driver::{self, DriveError, Ended, Observer};
use crate::guard::Guard;
use crate::record::{Outcome, Signal};
use crate::wire::{Arrival, Wire};

/// Plays all of them, and yields the exit code of the first that did not end as asked.
pub(super) fn play(
    scene: &Scene,
    guard: &mut Guard,
    wire: &mut dyn Wire,
    observer: &mut dyn Observer,
    signal: &mut dyn FnMut() -> Option<Signal>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    if let Some(stray) = &scene.stray {
        wire.send(stray).map_err(DriveError::from)?;
    }
    for turn in &scene.turns {
        if let Some(signal) = pause(turn, wire, signal).map_err(DriveError::from)? {
            return Ok(signal.into());
        }
        guard.begin();
        let Ended { summary, cut_short } = exchange(turn, guard, wire, observer, signal)?;
        if let (Outcome::Interrupted(signal), _) | (_, Some(signal)) = (summary.outcome.clone(), cut_short) {
            return Ok(signal.into());
        }
        if exit == Exit::Success {
            exit = Exit::from(&summary);
        }
    }
    Ok(exit)
}

/// Nobody is there for what comes before a turn begins. Yields the signal that ends the wait.
fn pause(
    turn: &Turn,
    wire: &mut dyn Wire,
    signal: &mut dyn FnMut() -> Option<Signal>,
) -> std::io::Result<Option<Signal>> {
    if turn.after.is_zero() {
        return Ok(None);
    }
    let until = wire.now() + turn.after;
    loop {
        match wire.receive(Some(until))? {
            Arrival::Packet(_) => {}
            Arrival::DeadlinePassed => return Ok(None),
            Arrival::Woken => {
                if let Some(signal) = signal() {
                    return Ok(Some(signal));
                }
            }
        }
    }
}

fn exchange(
    turn: &Turn,
    guard: &Guard,
    wire: &mut dyn Wire,
    observer: &mut dyn Observer,
    signal: &mut dyn FnMut() -> Option<Signal>,
) -> Result<Ended, DriveError> {
    match turn.manner {
        Manner::Recite => driver::run(guard, wire, &turn.plan, observer, signal),
        Manner::Echo => {
            let mut echo = Answering::new(Answer::Echo(End::WithClient));
            driver::converse(guard, wire, &turn.plan, &mut echo, observer, signal)
        }
    }
}
