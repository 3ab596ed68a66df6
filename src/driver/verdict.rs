//! What an event means for the outcome.

use crate::packet::{IcmpError, Severity};
use crate::record::{Ending, IcmpEffect, Missing, NotOpened, Outcome, Role};
use crate::tcp::{Clause, Reaction, State, Tcb};

/// What is known beside the connection's state.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoFar {
    /// Who began.
    pub(super) role: Role,
    /// The last ICMP error that ended nothing.
    pub(super) noted: Option<IcmpError>,
    /// Whether any segment came.
    pub(super) heard: bool,
}

/// The outcome that a reaction brings, if it does.
pub(super) fn judge(reaction: &Reaction, tcb: &Tcb, so_far: SoFar) -> Option<Outcome> {
    let last = reaction.arrows.iter().last()?;
    if reaction.completes_close() {
        return Some(Outcome::Completed(Ending::Closed));
    }
    match (last.to, reaction.clause) {
        (State::Closed, Clause::SynSentRefused | Clause::RstRefuses) => Some(Outcome::Refused),
        (State::Closed, Clause::RstResets | Clause::RstFromElsewhere) => {
            Some(Outcome::ResetAfterOpening { state: last.from })
        }
        (State::Closed, Clause::RstEndsClosing) => {
            Some(Outcome::CloseIncomplete { state: last.from, missing: Missing::FinAcknowledgmentReset })
        }
        (State::Closed, _) => Some(given_up(last.from, tcb, so_far)),
        (State::Listen, Clause::RstReturnsToListen) => Some(Outcome::NotOpened(NotOpened::Reset)),
        (State::Listen, _) => Some(Outcome::NotOpened(NotOpened::NoAnswer)),
        _ => None,
    }
}

/// The outcome of giving up in `state`, with the numbers that `tcb` has now.
pub(super) fn given_up(state: State, tcb: &Tcb, so_far: SoFar) -> Outcome {
    if !state.is_synchronized() {
        let silence = match so_far.role {
            Role::Active => Outcome::Silent { heard: so_far.heard },
            Role::Passive => Outcome::NotOpened(NotOpened::NoAnswer),
        };
        return so_far.noted.map_or(silence, Outcome::Unreachable);
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

/// What an ICMP error does to the connection: it counts if it quotes a number under way (RFC 5927 section 4.1), and
/// ends the attempt only before the open (SHLD-26; RFC 5927 section 5.2). `None` if it is to be discarded.
///
/// That a packet was too large is believed at once. Section 7.2 there would wait for a timeout as well; who guesses the
/// number makes us send smaller segments, and not small ones, which is no harm to a short connection.
pub(super) fn icmp_effect(error: &IcmpError, tcb: &Tcb) -> Option<IcmpEffect> {
    let snd = tcb.snd();
    let under_way = error.seq.at_or_after(snd.una) && error.seq.before(snd.nxt);
    let opening = !tcb.state().is_synchronized();
    Some(match error.severity() {
        Severity::Ignored => return None,
        _ if !under_way => IcmpEffect::NotOurs,
        Severity::Hard if opening => IcmpEffect::Fatal,
        Severity::Hard | Severity::Soft => IcmpEffect::Noted,
    })
}
