//! The other end of an exchange of ours: what we sent it counts as arrived.

use crate::record::{Event, Role, Step};
use crate::tcp::{State, Watched};
use crate::time::Instant;

/// After each step, the state of the remote end; `None` as long as nothing of it has been seen.
pub fn states(role: Role, steps: &[Step]) -> Vec<Option<State>> {
    let mut remote = match role {
        Role::Active => Watched::listening(),
        Role::Passive => Watched::closed(),
    };
    let mut seen = false;
    let mut after = |step: &Step| {
        let at = Instant::ORIGIN + step.at;
        match &step.event {
            Event::Sent { segment, .. } | Event::KernelReset(segment, _) => {
                remote.hears(segment, at);
            }
            Event::Received { segment, .. } => {
                seen = true;
                remote.seen_sending(segment, at);
            }
            Event::Unsent { .. } | Event::Unreadable(_) | Event::Icmp { .. } | Event::Quiet => {}
        }
        seen.then(|| remote.tcb().state())
    };
    steps.iter().map(&mut after).collect()
}
