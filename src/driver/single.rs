//! One exchange on a wire: wait, feed, until the verdict; then what is kept of TIME-WAIT.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::flow::{Flow, LONGEST_PACKET, Outside};
use super::hear::{Heard, copied, hear};
use super::observe::Observer;
use super::plan::Plan;
use super::story;
use super::talk::{Recital, Talk};
use crate::guard::Guard;
use crate::packet::EmitError;
use crate::record::{Outcome, Role, Signal, Summary};
use crate::tcp::{Clause, Origin, State};
use crate::time::Instant;
use crate::wire::{Arrival, SendError, Wire};

/// An exchange that could not be begun or carried on, for a reason on this machine.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The first SYN did not leave. A later segment that does not leave counts as lost.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A segment could not be built.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The sockets failed.
    #[error("cannot receive: {}", crate::cause::cause(.0))]
    Receive(#[from] io::Error),
    /// The two ends are not of one address family.
    #[error("the source address is of another family than the target's")]
    Families,
}

/// Where a signal comes from when the wire says [`Arrival::Woken`]. Without one, it is the talk that was
/// woken for.
pub type PendingSignal<'s> = &'s mut dyn FnMut() -> Option<Signal>;

/// An exchange that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The verdict, as it was told.
    pub summary: Summary,
    /// The signal that cut TIME-WAIT short, after the verdict.
    pub cut_short: Option<Signal>,
}

/// [`converse`], saying the plan's own text.
pub fn run(
    guard: &Guard,
    wire: &mut dyn Wire,
    plan: &Plan,
    observer: &mut dyn Observer,
    signal: PendingSignal<'_>,
) -> Result<Ended, DriveError> {
    let mut talk = Recital::new(plan.text.clone(), plan.await_text);
    converse(guard, wire, plan, &mut talk, observer, signal)
}

/// Opens, or waits for the peer to, talks, closes, tells each step and the verdict to `observer`, then keeps what
/// the plan keeps of TIME-WAIT.
///
/// The `guard` is the proof that the kernel is held back, from before the first segment until after the
/// last; its port is ours.
pub fn converse(
    guard: &Guard,
    wire: &mut dyn Wire,
    plan: &Plan,
    talk: &mut dyn Talk,
    observer: &mut dyn Observer,
    signal: PendingSignal<'_>,
) -> Result<Ended, DriveError> {
    let mut buffer = vec![0; LONGEST_PACKET];
    let mut out = Outside { wire, observer, buffer: &mut buffer, sent: 0 };
    let begun = out.wire.now();
    let flow = Flow::new(plan.clone(), guard.local(), story::summarize(guard), talk, begun, &mut out)?;
    let mut exchange = Exchange { guard, flow, out, packet: Vec::new() };
    match plan.role {
        Role::Active => exchange.flow.open(&mut exchange.out)?,
        Role::Passive => exchange.flow.listen(Origin::Passive, &mut exchange.out),
    }
    while exchange.flow.outcome.is_none() {
        let deadline = exchange.flow.deadline();
        if let Some(signal) = exchange.next_event(deadline, signal)? {
            exchange.flow.abort(Outcome::Interrupted(signal), Clause::Abort, &mut exchange.out)?;
        }
    }
    exchange.flow.hand_over_rest();
    exchange.look_for_leaks()?;
    let lost = exchange.out.wire.lost();
    let summary = exchange.flow.summarize(guard.tally(exchange.flow.resets_received), lost);
    exchange.flow.story.end(exchange.out.observer, &summary);
    let cut_short = exchange.keep_time_wait(&summary, signal)?;
    Ok(Ended { summary, cut_short })
}

struct Exchange<'x, T> {
    guard: &'x Guard,
    flow: Flow<T>,
    out: Outside<'x>,
    /// The packet that arrived last.
    packet: Vec<u8>,
}

impl<T: Talk> Exchange<'_, T> {
    fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.flow.local(), self.flow.plan.remote)
    }

    /// Waits for a packet, the deadline or a signal, and deals with the first two. What arrived before the
    /// deadline is heard first, however late we look; and what never ceases to arrive holds up no timer
    /// (J-07).
    fn next_event(
        &mut self,
        deadline: Instant,
        signal: PendingSignal<'_>,
    ) -> Result<Option<Signal>, DriveError> {
        let (local, remote) = self.ends();
        let Self { flow, out, packet, .. } = self;
        let until = if flow.owes() { out.wire.now() } else { deadline };
        let received = match out.wire.receive(Some(until))? {
            Arrival::Packet(received) => copied(&received, packet),
            Arrival::DeadlinePassed if until < deadline => return flow.acknowledge(out).map(|()| None),
            Arrival::DeadlinePassed => {
                let now = flow.now(out);
                flow.on_deadline(now, out)?;
                return Ok(None);
            }
            Arrival::Woken => {
                let signal = signal();
                if signal.is_none() {
                    flow.on_wake(out)?;
                }
                return Ok(signal);
            }
        };
        let (heard, at) = (hear(&received, local, remote), received.at);
        if at >= deadline {
            let under_way = flow.outcome.is_none();
            flow.on_deadline(at, out)?;
            if under_way && flow.outcome.is_some() {
                return Ok(None); // it came too late
            }
        }
        flow.on_packet(&heard, received.octets, at, out)?;
        Ok(None)
    }

    /// A RST of the kernel's that answers what arrived last leaves at the same time as our own answer: it is
    /// still to be read. Where one is to be reckoned with, it is waited for.
    fn look_for_leaks(&mut self) -> Result<(), DriveError> {
        const GRACE: Duration = Duration::from_millis(5);
        const MOST_PACKETS: usize = 64;
        let (local, remote) = self.ends();
        let Self { guard, flow, out, packet } = self;
        let deadline = flow.now(out) + if guard.may_leak() { GRACE } else { Duration::ZERO };
        for _ in 0..MOST_PACKETS {
            let Arrival::Packet(received) = out.wire.receive(Some(deadline))? else { break };
            let received = copied(&received, packet);
            let (heard, at) = (hear(&received, local, remote), received.at);
            // In TIME-WAIT everything is still answered; otherwise this is the end.
            if flow.tcb().state() == State::TimeWait || matches!(heard, Heard::OurKernel(_)) {
                flow.on_packet(&heard, received.octets, at, out)?;
            }
        }
        Ok(())
    }

    /// Stays for a part of TIME-WAIT, to acknowledge a FIN that the peer repeats. What happens meanwhile is
    /// told, but changes no verdict. Yields the signal that ended it early.
    fn keep_time_wait(
        &mut self,
        summary: &Summary,
        signal: PendingSignal<'_>,
    ) -> Result<Option<Signal>, DriveError> {
        self.flow.keep(summary.time_wait, &self.out);
        while self.flow.now(&self.out) < self.flow.phase_ends && self.flow.tcb().state() == State::TimeWait {
            if let Some(signal) = self.next_event(self.flow.deadline(), signal)? {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }
}
