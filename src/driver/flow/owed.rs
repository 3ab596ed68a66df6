//! An acknowledgment that is owed until all that has arrived is dealt with.

use std::time::Duration;

use super::{Flow, Outside};
use crate::driver::single::DriveError;
use crate::driver::story::Part;
use crate::driver::talk::Talk;
use crate::tcp::{Clause, Reaction};
use crate::time::Instant;

/// No acknowledgment waits longer, whatever else arrives (MUST-40).
const LONGEST_OWED: Duration = Duration::from_millis(100);

impl<T: Talk> Flow<T> {
    /// Whether an acknowledgment waits for what has arrived and was not looked at yet.
    pub(in crate::driver) const fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// When it is sent at the latest.
    pub(super) fn owed_by(&self) -> Option<Instant> {
        self.owed.map(|(_, since)| since + LONGEST_OWED)
    }

    /// Keeps back an acknowledgment that says nothing but that text in order has come, if more has arrived with it:
    /// its own will say this, too. What tells of a gap, or that one is filled or smaller, goes at once (RFC 5681
    /// section 4.2).
    pub(super) fn owe(&mut self, reaction: &Reaction, out: &mut Outside<'_>) -> bool {
        let bare = reaction.segment.is_some_and(|reply| reply.is_empty());
        let accepted = reaction.clause == Clause::TextAccepted && reaction.arrows.is_empty();
        let in_order = accepted && !self.stream.has_gap();
        let owes = bare && in_order && out.wire.has_more();
        if owes {
            let since = self.owed.map_or(self.latest, |(_, since)| since);
            self.owed = Some((*reaction, since));
        }
        owes
    }

    /// Nothing more has arrived: the acknowledgment for all that has (MUST-58, MUST-59).
    pub(in crate::driver) fn acknowledge(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        let Some((reaction, _)) = self.owed.take() else { return Ok(()) };
        let sent = reaction.segment.map(|reply| self.send(&reply, out)).transpose()?;
        self.tell(&reaction, sent, Part::Reply, out);
        Ok(())
    }
}
