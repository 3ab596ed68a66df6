//! The state of the remote end, inferred: the same machine is led through what we sent it, as if all of it arrived,
//! and through what it sent us, as if its user had asked for that.

use crate::record::{Event, Role, Step};
use crate::tcp::{Flags, Origin, Parameters, Segment, State, Tcb};
use crate::time::Instant;

/// After each step, the state of the remote end; `None` as long as nothing of it has been seen.
pub fn states(role: Role, steps: &[Step]) -> Vec<Option<State>> {
    let syn = steps.iter().find_map(|step| {
        let Event::Received { segment, .. } = &step.event else { return None };
        segment.has(Flags::SYN).then_some(*segment)
    });
    let mut remote = Remote { tcb: Tcb::new(&Parameters::default()), seen: false };
    if let (Role::Active, Some(syn)) = (role, syn) {
        let _ = remote.tcb.open(Origin::Passive, syn.seq, Instant::ORIGIN);
    }
    steps.iter().map(|step| remote.state_after(step)).collect()
}

struct Remote {
    tcb: Tcb,
    /// Whether anything of it has been seen.
    seen: bool,
}

impl Remote {
    fn state_after(&mut self, step: &Step) -> Option<State> {
        let at = Instant::ORIGIN + step.at;
        match &step.event {
            Event::Sent { segment, .. } | Event::KernelReset(segment, _) => {
                let _ = self.tcb.on_segment(segment, at);
            }
            Event::Received { segment, .. } => {
                self.seen = true;
                self.has_sent(segment, at);
            }
            Event::Unsent { .. } | Event::Unreadable(_) | Event::Icmp { .. } | Event::Quiet => {}
        }
        self.seen.then(|| self.tcb.state())
    }

    /// What must have been called for this segment to be sent, beyond what it answers of itself.
    fn has_sent(&mut self, segment: &Segment, at: Instant) {
        let state = self.tcb.state();
        if segment.has(Flags::RST) {
            let _ = self.tcb.abort();
        } else if segment.has(Flags::SYN) && matches!(state, State::Closed | State::Listen) {
            self.tcb = Tcb::new(&Parameters::default());
            let _ = self.tcb.open(Origin::Active, segment.seq, at);
        } else {
            let _ = self.tcb.send(segment.text_len, at);
            if segment.has(Flags::FIN) && matches!(state, State::Established | State::CloseWait) {
                let _ = self.tcb.close(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::observe::Kept;
    use crate::driver::{Plan, run};
    use crate::guard::Guard;
    use crate::lab::simulated::{SimulatedServer, server_address};
    use crate::tcp::SeqNum;
    use crate::wire::memory::MemoryWire;

    /// The server of the textbook, seen from its client.
    #[test]
    fn a_server_is_inferred_from_its_segments() {
        let remote = server_address(7);
        let plan = Plan { simulated: true, ..Plan::new(remote, SeqNum(4321)) };
        let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
        let mut wire = MemoryWire::new(server, Duration::from_millis(10));
        let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
        let mut kept = Kept::default();
        run(&guard, &mut wire, &plan, &mut kept, &mut || None).unwrap();
        let exchange = kept.into_exchange().unwrap();
        let states: Vec<_> = exchange.remote.iter().map(|state| state.map(State::name)).collect();
        let (open, closing) = (Some("ESTABLISHED"), Some("CLOSE-WAIT"));
        assert_eq!(
            states,
            [None, Some("SYN-RECEIVED"), open, closing, closing, Some("LAST-ACK"), Some("CLOSED")]
        );
        assert!(exchange.steps.iter().all(|step| step.packet.len() >= 40));
        let before: Vec<_> = exchange.steps.iter().map(|step| step.before.state).collect();
        let after: Vec<_> = exchange.steps.iter().map(|step| step.state).collect();
        assert_eq!(before.get(1..), after.get(..after.len() - 1));
    }
}
