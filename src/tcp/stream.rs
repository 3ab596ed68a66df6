//! A connection with its text: the control block, and the queues beside it.

use std::time::Duration;

use super::calls::CallError;
use super::clause::Clause;
use super::octets::{Incoming, Outgoing};
use super::parameters::{Origin, Parameters};
use super::reaction::Reaction;
use super::segment::Segment;
use super::seq::{Mss, SeqNum, WindowSize};
use super::state::State;
use super::tcb::Tcb;
use super::transfer::{Nagle, Reader, Transfer};
use crate::time::Instant;

/// A [`Tcb`] with what a transfer needs: congestion control, fast retransmission, reassembly, and the octets.
///
/// It is driven as the block is, by methods of the same names, and as pure. Text goes in with
/// [`send`](Self::send) as far as there is [`room`](Self::room), and comes out of [`unread`](Self::unread) by
/// [`read`](Self::read); who does not read closes the peer's window.
#[derive(Clone, Debug, Hash)]
pub struct Stream {
    tcb: Tcb,
    beside: Transfer,
    outgoing: Outgoing,
    incoming: Incoming,
    offered_window: WindowSize,
    loss_probes: LossProbes,
    /// When text was sent last.
    sent_at: Instant,
    acknowledged: u64,
    received: u64,
}

/// Tail loss probes (RFC 8985 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum LossProbes {
    On,
    Off,
}

impl Stream {
    /// Octets that may wait to be sent or acknowledged, at most.
    pub const QUEUE: usize = 1 << 20;

    /// A connection in CLOSED.
    pub fn new(parameters: &Parameters, nagle: Nagle) -> Self {
        Self {
            tcb: Tcb::new(parameters),
            beside: Transfer::new(nagle),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            offered_window: parameters.window,
            loss_probes: LossProbes::On,
            sent_at: Instant::ORIGIN,
            acknowledged: 0,
            received: 0,
        }
    }

    /// The same, with nothing but RFC 6298's timer for losses that nothing else shows.
    pub const fn without_loss_probes(mut self) -> Self {
        self.loss_probes = LossProbes::Off;
        self
    }

    /// [`Tcb::timeless`].
    pub fn timeless(self) -> Self {
        Self { tcb: self.tcb.timeless(), sent_at: Instant::ORIGIN, ..self }
    }

    /// The control block: its state and variables.
    pub const fn tcb(&self) -> &Tcb {
        &self.tcb
    }

    /// Octets of text the peer has acknowledged.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Octets of text received in order.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// [`Tcb::open`]; an active one puts as much of `on_syn` on the SYN as a segment holds.
    pub fn open(
        &mut self,
        origin: Origin,
        iss: SeqNum,
        on_syn: &[u8],
        now: Instant,
    ) -> Result<Reaction, CallError> {
        let reaction = self.tcb.open_with_text(origin, iss, on_syn.len() as u32, now)?;
        self.outgoing.begin(iss + 1);
        self.outgoing.push(on_syn);
        Ok(reaction)
    }

    /// Octets that wait to be sent or acknowledged.
    pub fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// Octets that [`send`](Self::send) takes now.
    pub fn room(&self) -> usize {
        Self::QUEUE.saturating_sub(self.outgoing.len())
    }

    /// [`Tcb::send`], with the text. More than there is [`room`](Self::room) for is an error.
    pub fn send(&mut self, text: &[u8], now: Instant) -> Result<Reaction, CallError> {
        if text.len() > self.room() {
            return Err(CallError::InsufficientResources);
        }
        if self.outgoing.len() == 0 && now - self.sent_at > self.tcb.retransmission_timeout() {
            self.beside.congestion.restart();
        }
        let mut reaction = self.tcb.send_beside(&self.beside, text.len() as u32, now)?;
        self.outgoing.push(text);
        self.note_sent(&reaction, now);
        self.probe(&mut reaction, now);
        Ok(reaction)
    }

    fn note_sent(&mut self, reaction: &Reaction, now: Instant) {
        if reaction.segment.as_ref().is_some_and(|segment| segment.text_len > 0) {
            self.sent_at = now;
        }
    }

    /// [`Tcb::close`].
    pub fn close(&mut self, now: Instant) -> Result<Reaction, CallError> {
        self.tcb.close_beside(&self.beside, now)
    }

    /// [`Tcb::close_with_peer`].
    pub fn close_with_peer(&mut self) {
        self.tcb.close_with_peer();
    }

    /// [`Tcb::abort`].
    pub fn abort(&mut self) -> Result<Reaction, CallError> {
        self.tcb.abort()
    }

    /// [`Tcb::on_segment`], with the segment's text.
    pub fn on_segment(&mut self, segment: &Segment, text: &[u8], now: Instant) -> Reaction {
        self.beside.reader = if self.unread().is_empty() { Reader::KeepsUp } else { Reader::IsBehind };
        let mut reaction = self.tcb.on_segment_beside(&mut self.beside, segment, now);
        let accepted = reaction.text;
        let taken = text.get(accepted.skip as usize..(accepted.skip + accepted.len) as usize);
        self.incoming.place(accepted.ahead as usize, taken.unwrap_or_default());
        self.incoming.advance(accepted.in_order() as usize);
        self.received += u64::from(accepted.in_order());
        if self.tcb.state() == State::Listen {
            self.start_over();
        } else {
            self.note_sent(&reaction, now);
            self.acknowledged += self.outgoing.acknowledge(self.tcb.snd().una) as u64;
        }
        self.probe(&mut reaction, now);
        reaction
    }

    /// [`Tcb::note_congestion`].
    pub fn note_congestion(&mut self) {
        self.tcb.note_congestion();
    }

    /// A router on the way has no room for packets with more than `mss` octets of text: what is under way is lost,
    /// and goes out again in segments that fit, with [`transmit`](Self::transmit).
    pub fn note_narrow_path(&mut self, mss: Mss) {
        if self.tcb.narrow(mss) {
            self.beside.congestion.on_narrow_path(self.tcb.effective_mss(), self.tcb.flight());
        }
    }

    /// Nothing of one peer may reach the next.
    fn start_over(&mut self) {
        self.beside = Transfer::new(self.beside.nagle);
        self.outgoing = Outgoing::default();
        self.outgoing.begin(self.tcb.snd().iss + 1);
        self.incoming = Incoming::default();
    }

    /// [`Tcb::on_timeout`].
    pub fn on_timeout(&mut self, now: Instant) -> Option<Reaction> {
        let reaction = self.tcb.on_timeout_beside(&mut self.beside, now)?;
        self.note_sent(&reaction, now);
        if self.tcb.state() == State::Listen {
            self.start_over();
        }
        Some(reaction)
    }

    /// [`Tcb::on_user_timeout`].
    pub fn on_user_timeout(&mut self) -> Option<Reaction> {
        self.tcb.on_user_timeout()
    }

    /// [`Tcb::transmit`].
    pub fn transmit(&mut self, now: Instant) -> Option<Reaction> {
        let mut reaction = self.tcb.transmit_beside(&mut self.beside, now)?;
        self.note_sent(&reaction, now);
        self.probe(&mut reaction, now);
        Some(reaction)
    }

    /// Where the retransmission timer runs for a flight, a probe comes before it.
    fn probe(&mut self, reaction: &mut Reaction, now: Instant) {
        const LEAST: Duration = Duration::from_millis(10); // the peer's system, and ours, take their time
        if self.loss_probes == LossProbes::Off {
            return;
        }
        let rtt = self.tcb.smoothed_rtt().filter(|_| self.beside.congestion.wants_probe(self.tcb.flight()));
        if let Some(rtt) = rtt {
            self.tcb.hasten((rtt * 2).max(LEAST), now);
        }
        reaction.deadline = self.tcb.deadline();
    }

    /// Whether something has arrived, and waits for what comes before it.
    pub fn has_gap(&self) -> bool {
        !self.beside.held.is_empty() || self.beside.held_fin.is_some()
    }

    /// The text that a segment of ours carries.
    pub fn text_of(&self, segment: &Segment) -> &[u8] {
        self.outgoing.text_of(segment)
    }

    /// Text in order that our user has not taken.
    pub fn unread(&self) -> &[u8] {
        self.incoming.unread()
    }

    /// RECEIVE (RFC 9293 section 3.10.3): our user has taken `octets` of what is unread. Where that opens a
    /// window that was worth telling of, by a segment or half of all we offer (MUST-39), the peer is told; until then
    /// it may stay closed for as long as our user likes (MAY-8).
    pub fn read(&mut self, octets: usize, now: Instant) -> Option<Reaction> {
        self.incoming.consume(octets);
        let unread = u32::try_from(self.unread().len()).unwrap_or(u32::MAX);
        self.tcb.open_window(self.offered_window, unread, now)
    }
}

impl Tcb {
    /// RCV.WND grows to what is offered less what is unread, if that is worth a segment.
    fn open_window(&mut self, offered: WindowSize, unread: u32, now: Instant) -> Option<Reaction> {
        if !self.state().receives_text() {
            return None;
        }
        let offered = self.limit_to_scale(offered);
        let room = WindowSize::new(offered.get().saturating_sub(unread));
        let worth = (offered.get() / 2).min(self.effective_mss());
        if room.get() < self.rcv.wnd.get().saturating_add(worth) || room == self.rcv.wnd {
            return None;
        }
        self.rcv.wnd = room;
        self.tell_time(now);
        let ack = self.form_ack();
        Some(self.reaction([], Some(ack), Clause::WindowUpdate))
    }

    /// Without scaling no more than 16 bits can be announced.
    fn limit_to_scale(&self, window: WindowSize) -> WindowSize {
        (window >> self.rcv_scale()) << self.rcv_scale()
    }
}
