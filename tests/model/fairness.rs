//! Liveness: from every world that can be reached, a network that loses nothing more leads both ends to CLOSED.
//!
//! What is fair is one event for each world: everything under way arrives, users take what there is for them, timers
//! fire, users close. It is among the events that are explored, so each world's fair successor is another world
//! explored, and all runs together are a forest, if no run goes in a circle.

use tcpshake::tcp::{Flags, State, Timer};

use crate::machine::Machine;
use crate::scenario::Side;
use crate::world::{Event, World};

/// What fairness makes of a world.
pub enum Fair {
    Next(Event),
    /// Nothing is under way, and both ends are in CLOSED.
    Over,
    /// Nothing more will happen by itself.
    Stuck,
}

pub fn fair<M: Machine>(world: &World<M>) -> Fair {
    if let Some(next) = world.flying.first() {
        // Two ends whose numbers do not fit challenge each other until the throttle ends it (G-15); here, at once.
        let is_bare = next.segment.is_empty() && next.segment.flags == Flags::ACK;
        return Fair::Next(if is_bare { Event::ArriveAmongMany(0) } else { Event::Arrive(0) });
    }
    let ends = || Side::BOTH.into_iter().map(|side| (side, world.end(side)));
    let timers = |wanted: fn(Timer) -> bool| {
        let due =
            ends().filter(move |(_, end)| end.machine.tcb().deadline().is_some_and(|due| wanted(due.timer)));
        due.min_by_key(|(_, end)| end.machine.tcb().retransmissions()).map(|(side, _)| Event::Timeout(side))
    };
    let reads = || ends().find(|(_, end)| end.machine.unread() > 0).map(|(side, _)| Event::Read(side));
    let closes = || {
        let open = |state| matches!(state, State::Listen | State::Established | State::CloseWait);
        ends().find(|(_, end)| open(end.state())).map(|(side, _)| Event::Close(side))
    };
    // FIN-WAIT-2 has no timer in the RFC (H-05): when its peer is gone without a word, the user's patience ends it.
    let patience =
        || ends().find(|(_, end)| end.state() == State::FinWait2).map(|(side, _)| Event::UserTimeout(side));
    let next = reads()
        .or_else(|| timers(|timer| timer != Timer::TimeWait)) // 2 MSL are longer than any of the others
        .or_else(|| timers(|timer| timer == Timer::TimeWait))
        .or_else(closes)
        .or_else(patience);
    match next {
        Some(event) => Fair::Next(event),
        None if ends().all(|(_, end)| end.state() == State::Closed) => Fair::Over,
        None => Fair::Stuck,
    }
}

/// The fair runs from all worlds explored: `next` has each one's fair successor, itself where the run is over.
/// Yields the most steps that any of them takes, or a world from which the run goes in a circle.
pub fn longest_run(next: &[u32]) -> Result<u32, u32> {
    const UNKNOWN: u32 = u32::MAX;
    let mut steps = vec![UNKNOWN; next.len()];
    let mut longest = 0;
    let mut run = Vec::new();
    for start in 0..next.len() as u32 {
        let mut at = start;
        while steps[at as usize] == UNKNOWN && next[at as usize] != at {
            run.push(at);
            if run.len() > next.len() {
                return Err(at);
            }
            at = next[at as usize];
        }
        let mut taken = if next[at as usize] == at { 0 } else { steps[at as usize] };
        steps[at as usize] = taken;
        while let Some(earlier) = run.pop() {
            taken += 1;
            steps[earlier as usize] = taken;
        }
        longest = longest.max(taken);
    }
    Ok(longest)
}
