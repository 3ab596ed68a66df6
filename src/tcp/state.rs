//! The eleven states and the arrows between them (RFC 9293 section 3.3.2, figure 5).

use std::fmt;

/// A connection's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// No connection at all; the state before the first and after the last segment.
    #[default]
    Closed,
    /// Waiting for a SYN from any peer.
    Listen,
    /// Our SYN is out; waiting for a matching one.
    SynSent,
    /// Both SYNs seen; waiting for the acknowledgment of ours.
    SynReceived,
    /// Open: data flows both ways.
    Established,
    /// Our FIN is out, not yet acknowledged.
    FinWait1,
    /// Our FIN is acknowledged; waiting for the peer's.
    FinWait2,
    /// The peer has sent its FIN; waiting for our user to close.
    CloseWait,
    /// Both FINs are out and crossed; waiting for the acknowledgment of ours.
    Closing,
    /// The peer's FIN came first and ours is out; waiting for its acknowledgment.
    LastAck,
    /// Closed both ways; waiting long enough that no segment of this connection is still on its way.
    TimeWait,
}

impl State {
    /// All states, in the RFC's order.
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// The RFC's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }

    /// Whether the three-way open is behind this state: both initial numbers known and acknowledged.
    pub const fn is_synchronized(self) -> bool {
        match self {
            Self::Closed | Self::Listen | Self::SynSent | Self::SynReceived => false,
            Self::Established
            | Self::FinWait1
            | Self::FinWait2
            | Self::CloseWait
            | Self::Closing
            | Self::LastAck
            | Self::TimeWait => true,
        }
    }

    /// Whether the peer may still send text: it has not sent its FIN.
    pub const fn receives_text(self) -> bool {
        matches!(self, Self::Established | Self::FinWait1 | Self::FinWait2)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A step from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrow {
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
}

impl Arrow {
    /// Every arrow we walk: figure 5 of RFC 9293 and the ways out by reset, abort, close and timeout.
    ///
    /// The figure's shortcuts (its notes 2 and 3: FIN-WAIT-1 to TIME-WAIT, SYN-RECEIVED to CLOSE-WAIT)
    /// are walked as two arrows, because section 3.10.7.4 takes the ACK at its fifth and the FIN at
    /// its eighth step. TIME-WAIT to SYN-RECEIVED (MAY-2) is not taken.
    pub const LEGAL: &'static [Self] = {
        use State::{
            CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived,
            SynSent, TimeWait,
        };
        const fn arrow(from: State, to: State) -> Arrow {
            Arrow { from, to }
        }
        &[
            arrow(Closed, Listen),           // passive open
            arrow(Closed, SynSent),          // active open
            arrow(Listen, SynSent),          // passive turned active
            arrow(Listen, SynReceived),      // SYN in
            arrow(Listen, Closed),           // close, abort
            arrow(SynSent, SynReceived),     // SYN in: simultaneous open
            arrow(SynSent, Established),     // SYN,ACK in
            arrow(SynSent, Closed),          // refused, close, abort, timeout
            arrow(SynReceived, Listen),      // RST or a new SYN in, R2 reached: passive origin
            arrow(SynReceived, Established), // our SYN acknowledged
            arrow(SynReceived, FinWait1),    // close
            arrow(SynReceived, Closed),      // refused, abort, timeout
            arrow(Established, FinWait1),    // close
            arrow(Established, CloseWait),   // FIN in
            arrow(Established, Closed),      // reset, abort, timeout
            arrow(FinWait1, FinWait2),       // our FIN acknowledged
            arrow(FinWait1, Closing),        // FIN in, ours not yet acknowledged
            arrow(FinWait1, Closed),         // reset, abort, timeout
            arrow(FinWait2, TimeWait),       // FIN in
            arrow(FinWait2, Closed),         // reset, abort, timeout
            arrow(CloseWait, LastAck),       // close
            arrow(CloseWait, Closed),        // reset, abort, timeout
            arrow(Closing, TimeWait),        // our FIN acknowledged
            arrow(Closing, Closed),          // reset, abort, timeout
            arrow(LastAck, Closed),          // our FIN acknowledged; reset, abort, timeout
            arrow(TimeWait, Closed),         // 2 MSL; reset, abort
        ]
    };

    /// Whether the table has this arrow.
    pub fn is_legal(self) -> bool {
        Self::LEGAL.contains(&self)
    }
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_left_and_only_closed_is_reached_from_all() {
        for state in State::ALL {
            assert!(Arrow::LEGAL.iter().any(|arrow| arrow.from == state), "{state} is a dead end");
            assert!(!Arrow { from: state, to: state }.is_legal());
            if state != State::Closed {
                assert!(Arrow { from: state, to: State::Closed }.is_legal(), "{state} cannot be aborted");
                assert!(Arrow::LEGAL.iter().any(|arrow| arrow.to == state), "{state} is never entered");
            }
        }
    }

    #[test]
    fn an_arrow_is_shown_from_end_to_end() {
        let arrow = Arrow { from: State::FinWait1, to: State::FinWait2 };
        assert_eq!(arrow.to_string(), "FIN-WAIT-1 -> FIN-WAIT-2");
    }

    #[test]
    fn the_table_has_no_arrow_twice() {
        for (at, arrow) in Arrow::LEGAL.iter().enumerate() {
            assert!(!Arrow::LEGAL[..at].contains(arrow), "{arrow}");
        }
    }
}
