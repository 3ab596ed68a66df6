//! What is explored: the shipping control block, alone or with the queues of a stream.

use std::fmt::Debug;
use std::hash::Hash;

use tcpshake::tcp::{CallError, Nagle, Origin, Parameters, Reaction, Segment, SeqNum, Stream, Tcb};
use tcpshake::time::Instant;

/// A connection's machine, as both have it in common.
pub trait Machine: Clone + Hash + Debug {
    /// What it is called in the figures.
    const NAME: &str;

    fn new(parameters: &Parameters) -> Self;
    fn tcb(&self) -> &Tcb;
    fn timeless(self) -> Self;

    fn open(&mut self, origin: Origin, iss: SeqNum, now: Instant) -> Result<Reaction, CallError>;
    fn send(&mut self, text: &[u8], now: Instant) -> Result<Reaction, CallError>;
    fn close(&mut self, now: Instant) -> Result<Reaction, CallError>;
    fn close_with_peer(&mut self);
    fn abort(&mut self) -> Result<Reaction, CallError>;
    fn on_timeout(&mut self, now: Instant) -> Option<Reaction>;
    fn on_user_timeout(&mut self) -> Option<Reaction>;
    fn transmit(&mut self, now: Instant) -> Option<Reaction>;

    /// A segment arrives; yields, too, what of its text is the user's at once.
    fn on_segment(&mut self, segment: &Segment, text: &[u8], now: Instant) -> (Reaction, Vec<u8>);

    /// The user takes an octet of what waits for it; `None` if nothing does.
    fn read(&mut self, now: Instant) -> Option<(u8, Option<Reaction>)>;

    /// Octets in order that the user has not taken.
    fn unread(&self) -> u32;

    /// The text of a segment just formed; `None` of a machine that holds none.
    fn text_of(&self, segment: &Segment) -> Option<&[u8]>;
}

/// Numbers only: text in order is the user's at once, text behind a gap is not kept.
impl Machine for Tcb {
    const NAME: &str = "tcb";

    fn new(parameters: &Parameters) -> Self {
        Self::new(parameters)
    }
    fn tcb(&self) -> &Tcb {
        self
    }
    fn timeless(self) -> Self {
        Tcb::timeless(self)
    }
    fn open(&mut self, origin: Origin, iss: SeqNum, now: Instant) -> Result<Reaction, CallError> {
        self.open(origin, iss, now)
    }
    fn send(&mut self, text: &[u8], now: Instant) -> Result<Reaction, CallError> {
        self.send(text.len() as u32, now)
    }
    fn close(&mut self, now: Instant) -> Result<Reaction, CallError> {
        self.close(now)
    }
    fn close_with_peer(&mut self) {
        self.close_with_peer();
    }
    fn abort(&mut self) -> Result<Reaction, CallError> {
        self.abort()
    }
    fn on_timeout(&mut self, now: Instant) -> Option<Reaction> {
        self.on_timeout(now)
    }
    fn on_user_timeout(&mut self) -> Option<Reaction> {
        self.on_user_timeout()
    }
    fn transmit(&mut self, now: Instant) -> Option<Reaction> {
        self.transmit(now)
    }
    fn on_segment(&mut self, segment: &Segment, text: &[u8], now: Instant) -> (Reaction, Vec<u8>) {
        let reaction = self.on_segment(segment, now);
        let taken = reaction.text;
        let text = text.iter().skip(taken.skip as usize).take(taken.len as usize);
        (reaction, text.copied().collect())
    }
    fn read(&mut self, _: Instant) -> Option<(u8, Option<Reaction>)> {
        None
    }
    fn unread(&self) -> u32 {
        0
    }
    fn text_of(&self, _: &Segment) -> Option<&[u8]> {
        None
    }
}

/// With reassembly, congestion control and a user that takes text when it likes.
impl Machine for Stream {
    const NAME: &str = "stream";

    fn new(parameters: &Parameters) -> Self {
        Self::new(parameters, Nagle::Off)
    }
    fn tcb(&self) -> &Tcb {
        self.tcb()
    }
    fn timeless(self) -> Self {
        Stream::timeless(self)
    }
    fn open(&mut self, origin: Origin, iss: SeqNum, now: Instant) -> Result<Reaction, CallError> {
        self.open(origin, iss, &[], now)
    }
    fn send(&mut self, text: &[u8], now: Instant) -> Result<Reaction, CallError> {
        self.send(text, now)
    }
    fn close(&mut self, now: Instant) -> Result<Reaction, CallError> {
        self.close(now)
    }
    fn close_with_peer(&mut self) {
        self.close_with_peer();
    }
    fn abort(&mut self) -> Result<Reaction, CallError> {
        self.abort()
    }
    fn on_timeout(&mut self, now: Instant) -> Option<Reaction> {
        self.on_timeout(now)
    }
    fn on_user_timeout(&mut self) -> Option<Reaction> {
        self.on_user_timeout()
    }
    fn transmit(&mut self, now: Instant) -> Option<Reaction> {
        self.transmit(now)
    }
    fn on_segment(&mut self, segment: &Segment, text: &[u8], now: Instant) -> (Reaction, Vec<u8>) {
        (self.on_segment(segment, text, now), Vec::new())
    }
    fn read(&mut self, now: Instant) -> Option<(u8, Option<Reaction>)> {
        let octet = *self.unread().first()?;
        Some((octet, self.read(1, now)))
    }
    fn unread(&self) -> u32 {
        self.unread().len() as u32
    }
    fn text_of(&self, segment: &Segment) -> Option<&[u8]> {
        Some(self.text_of(segment))
    }
}
