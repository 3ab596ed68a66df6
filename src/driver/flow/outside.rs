//! What a flow acts on: the wire, and who is told.

use crate::driver::observe::Observer;
use crate::driver::story::Told;
use crate::packet::ip::IpFields;
use crate::packet::{EmitError, Ports, emit};
use crate::tcp::{Segment, Stream};
use crate::time::Instant;
use crate::wire::{SendError, Wire};

/// An IPv4 or IPv6 packet is no longer than this.
pub(in crate::driver) const LONGEST_PACKET: usize = 65_575;

/// What a flow acts on.
pub(in crate::driver) struct Outside<'o> {
    pub(in crate::driver) wire: &'o mut dyn Wire,
    pub(in crate::driver) observer: &'o mut dyn Observer,
    /// For packets on their way out.
    pub(in crate::driver) buffer: &'o mut Vec<u8>,
    /// Octets of the last of them.
    pub(in crate::driver) sent: usize,
}

impl Outside<'_> {
    /// Builds a segment and hands it to the wire.
    pub(in crate::driver) fn send(
        &mut self,
        ip: &IpFields,
        ports: Ports,
        segment: &Segment,
        text: &[u8],
    ) -> Result<Result<(), SendError>, EmitError> {
        self.sent = emit(ip, ports, segment, text, self.buffer)?;
        Ok(self.wire.send(self.buffer.get(..self.sent).unwrap_or_default()))
    }

    /// To tell of what happened `at` a moment, and was seen in `packet`.
    pub(super) fn telling<'t>(&'t mut self, at: Instant, stream: &'t Stream, packet: &'t [u8]) -> Told<'t> {
        Told { observer: self.observer, at, tcb: stream.tcb(), packet }
    }

    /// To tell of the segment that was sent last.
    pub(super) fn telling_sent<'t>(&'t mut self, at: Instant, stream: &'t Stream) -> Told<'t> {
        let packet = self.buffer.get(..self.sent).unwrap_or_default();
        Told { observer: self.observer, at, tcb: stream.tcb(), packet }
    }
}
