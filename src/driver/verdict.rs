//! What an event means for the outcome.

use crate::packet::IcmpError;
use crate::record::{Ending, Missing, Outcome};
use crate::tcp::{Clause, Reaction, State, Tcb};

/// The outcome that a reaction brings, if it does. `noted` is the last ICMP error that ended nothing;
/// `heard` whether any segment came.
pub(super) fn judge(
    reaction: &Reaction,
    tcb: &Tcb,
    noted: Option<IcmpError>,
    heard: bool,
) -> Option<Outcome> {
    let last = reaction.arrows.iter().last()?;
    match (last.to, reaction.clause) {
        (State::TimeWait, _) | (State::Closed, Clause::AckOfFinLast) => {
            Some(Outcome::Completed(Ending::Closed))
        }
        (State::Closed, Clause::SynSentRefused | Clause::RstRefuses) => Some(Outcome::Refused),
        (State::Closed, Clause::RstResets) => Some(Outcome::ResetAfterOpening { state: last.from }),
        (State::Closed, Clause::RstEndsClosing) => {
            Some(Outcome::CloseIncomplete { state: last.from, missing: Missing::FinAcknowledgmentReset })
        }
        (State::Closed, _) => Some(given_up(last.from, tcb, noted, heard)),
        _ => None,
    }
}

/// The outcome of giving up in `state`, with the numbers that `tcb` has now.
pub(super) fn given_up(state: State, tcb: &Tcb, noted: Option<IcmpError>, heard: bool) -> Outcome {
    if !state.is_synchronized() {
        return noted.map_or(Outcome::Silent { heard }, Outcome::Unreachable);
    }
    let snd = tcb.snd();
    let missing = if snd.una.before(snd.end) {
        if snd.wnd.get() == 0 { Missing::Window } else { Missing::TextAcknowledgment }
    } else {
        match state {
            State::FinWait2 | State::Established if tcb.rcv().wnd.get() == 0 => Missing::OurWindow,
            State::FinWait2 => Missing::PeerFin,
            State::FinWait1 | State::Closing | State::LastAck => Missing::FinAcknowledgment,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::CloseWait
            | State::TimeWait => Missing::PeerFirst,
        }
    };
    Outcome::CloseIncomplete { state, missing }
}
