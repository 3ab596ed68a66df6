//! One exchange: wait, feed, send, tell.

use std::io;
use std::time::Duration;

use super::hear::{Heard, hear};
use super::observe::Observer;
use super::plan::{Close, Plan};
use super::story::{Part, Story};
use super::verdict;
use crate::guard::Guard;
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, EmitError, IcmpError, Ports, Severity, emit};
use crate::record::{Ending, Event, Excerpt, IcmpEffect, Outcome, Signal, Summary, TimeWait};
use crate::tcp::{Clause, Flags, Origin, Reaction, Segment, State, Tcb};
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

/// Where a signal comes from when the wire says [`Arrival::Woken`].
pub type PendingSignal<'s> = &'s mut dyn FnMut() -> Option<Signal>;

/// An exchange that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The verdict, as it was told.
    pub summary: Summary,
    /// The signal that cut TIME-WAIT short, after the verdict.
    pub cut_short: Option<Signal>,
}

/// Opens, talks, closes, tells each step and the verdict to `observer`, then keeps what the plan keeps
/// of TIME-WAIT.
///
/// The `guard` is the proof that the kernel is held back, from before the first segment until after the
/// last; its port is ours.
pub fn run(
    guard: &Guard,
    wire: &mut dyn Wire,
    plan: &Plan,
    observer: &mut dyn Observer,
    signal: PendingSignal<'_>,
) -> Result<Ended, DriveError> {
    let mut exchange = Exchange::new(guard, wire, plan, observer)?;
    exchange.open()?;
    while exchange.outcome.is_none() {
        let deadline = exchange.deadline();
        if let Some(signal) = exchange.next_event(deadline, signal)? {
            exchange.abort(Outcome::Interrupted(signal), Clause::Abort)?;
        }
    }
    exchange.look_for_leaks()?;
    let summary = exchange.summarize();
    exchange.story.end(&summary);
    let cut_short = exchange.keep_time_wait(&summary, signal)?;
    Ok(Ended { summary, cut_short })
}

/// What is under way; each part has `plan.timeout` to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    /// Open: waiting for text or for the peer's FIN.
    Open,
    Closing,
}

struct Exchange<'x> {
    guard: &'x Guard,
    wire: &'x mut dyn Wire,
    plan: &'x Plan,
    story: Story<'x>,
    tcb: Tcb,
    addresses: Addresses,
    ports: Ports,
    phase: Phase,
    phase_ends: Instant,
    outcome: Option<Outcome>,
    noted: Option<IcmpError>,
    heard: bool,
    resets_received: u32,
    /// The latest moment the machine was told of: its time does not run backwards.
    latest: Instant,
    identification: u16,
    buffer: Vec<u8>,
}

/// An IPv4 or IPv6 packet is no longer than this.
const LONGEST_PACKET: usize = 65_575;

impl<'x> Exchange<'x> {
    fn new(
        guard: &'x Guard,
        wire: &'x mut dyn Wire,
        plan: &'x Plan,
        observer: &'x mut dyn Observer,
    ) -> Result<Self, DriveError> {
        let local = guard.local();
        let addresses = Addresses::new(local.ip(), plan.remote.ip()).ok_or(DriveError::Families)?;
        let begun = wire.now();
        Ok(Self {
            guard,
            plan,
            story: Story::begin(observer, guard, plan),
            tcb: Tcb::new(&plan.parameters),
            addresses,
            ports: Ports { source: local.port(), destination: plan.remote.port() },
            phase: Phase::Opening,
            phase_ends: begun + plan.timeout,
            outcome: None,
            noted: None,
            heard: false,
            resets_received: 0,
            latest: begun,
            identification: plan.iss.0 as u16 | 1, // any but zero, which the kernel would replace
            buffer: vec![0; LONGEST_PACKET],
            wire,
        })
    }

    /// The SYN. If this one does not leave, nothing was begun.
    fn open(&mut self) -> Result<(), DriveError> {
        let now = self.now();
        let Ok(reaction) = self.tcb.open(Origin::Active, self.plan.iss, now) else {
            return Ok(()); // a new connection is in CLOSED, where an open is always allowed
        };
        if let Some(segment) = reaction.segment {
            let at = self.send(&segment)??;
            self.story.sent(&segment, Excerpt::default(), at, &reaction, &self.tcb, Part::Call);
        }
        Ok(())
    }

    fn now(&mut self) -> Instant {
        self.latest = self.wire.now().max(self.latest);
        self.latest
    }

    /// When something must happen even if nothing arrives.
    fn deadline(&self) -> Instant {
        self.tcb.deadline().map_or(self.phase_ends, |timer| timer.at.min(self.phase_ends))
    }

    /// Waits for a packet, the deadline or a signal, and deals with the first two. What arrived before the
    /// deadline is heard first, however late we look; and what never ceases to arrive holds up no timer
    /// (J-07).
    fn next_event(
        &mut self,
        deadline: Instant,
        signal: PendingSignal<'_>,
    ) -> Result<Option<Signal>, DriveError> {
        let (local, remote) = (self.guard.local(), self.plan.remote);
        let (heard, at) = match self.wire.receive(Some(deadline))? {
            Arrival::Packet(received) => (hear(&received, local, remote), received.at),
            Arrival::DeadlinePassed => {
                let now = self.now();
                self.on_deadline(now)?;
                return Ok(None);
            }
            Arrival::Woken => return Ok(signal()),
        };
        if at >= deadline {
            let under_way = self.outcome.is_none();
            self.on_deadline(at)?;
            if under_way && self.outcome.is_some() {
                return Ok(None); // it came too late
            }
        }
        self.on_packet(&heard, at)?;
        Ok(None)
    }

    fn on_packet(&mut self, heard: &Heard, at: Instant) -> Result<(), DriveError> {
        match *heard {
            Heard::Segment { ref segment, text, ttl } => self.on_segment(segment, text, ttl, at)?,
            Heard::Icmp(error) => self.on_icmp(error, at)?,
            Heard::OurKernel(segment) => self.story.kernel_reset(segment, at, &self.tcb),
            Heard::Unreadable(error) => self.story.rung(Event::Unreadable(error), at, None, &self.tcb),
            Heard::Foreign => {}
        }
        Ok(())
    }

    fn on_segment(
        &mut self,
        segment: &Segment,
        text: Excerpt,
        ttl: u8,
        at: Instant,
    ) -> Result<(), DriveError> {
        self.heard = true;
        self.resets_received += u32::from(segment.has(Flags::RST));
        self.latest = at.max(self.latest);
        let reaction = self.tcb.on_segment(segment, self.latest);
        let sent = reaction.segment.map(|reply| self.send(&reply)).transpose()?;
        self.story.received(segment, text, ttl, at, &reaction, &self.tcb);
        self.tell(&reaction, sent, Part::Reply);
        self.transmit_rest()?;
        self.judge(&reaction);
        self.follow_plan()
    }

    /// A call of ours, or a timeout: what it sends is a rung, and so is what it ends without sending.
    fn call(&mut self, reaction: &Reaction) -> Result<(), DriveError> {
        let sent = reaction.segment.map(|segment| self.send(&segment)).transpose()?;
        if sent.is_none() && !reaction.arrows.is_empty() {
            self.story.rung(Event::Quiet, self.latest, Some(reaction), &self.tcb);
        }
        self.tell(reaction, sent, Part::Call);
        self.transmit_rest()?;
        self.judge(reaction);
        Ok(())
    }

    fn transmit_rest(&mut self) -> Result<(), DriveError> {
        loop {
            let now = self.now();
            let Some(reaction) = self.tcb.transmit(now) else { return Ok(()) };
            let sent = reaction.segment.map(|segment| self.send(&segment)).transpose()?;
            self.tell(&reaction, sent, Part::Call);
        }
    }

    /// Builds a segment and hands it to the wire. A segment that does not leave is lost, as it might be
    /// anywhere on its way: the timers deal with it.
    fn send(&mut self, segment: &Segment) -> Result<Result<Instant, SendError>, DriveError> {
        self.identification = self.identification.wrapping_add(1).max(1);
        let (ttl, identification) = (self.plan.ttl, self.identification);
        let ip = IpFields { ttl, identification, ..IpFields::new(self.addresses) };
        let text = self.text_of(segment);
        let len = emit(&ip, self.ports, segment, text, &mut self.buffer)?;
        let at = self.now();
        Ok(self.wire.send(self.buffer.get(..len).unwrap_or_default()).map(|()| at))
    }

    fn tell(&mut self, reaction: &Reaction, sent: Option<Result<Instant, SendError>>, part: Part) {
        let Some(segment) = reaction.segment else { return };
        match sent {
            Some(Ok(at)) => {
                let text = Excerpt::of(self.text_of(&segment));
                self.story.sent(&segment, text, at, reaction, &self.tcb, part);
            }
            Some(Err(error)) => self.story.unsent(&segment, &error, self.latest, reaction, &self.tcb, part),
            None => {}
        }
    }

    /// The octets a segment of ours carries: those at its place in the plan's text.
    fn text_of(&self, segment: &Segment) -> &'x [u8] {
        let first = self.tcb.snd().iss + 1;
        let from = (segment.text_seq() - first).max(0) as usize;
        self.plan.text.get(from..from + segment.text_len as usize).unwrap_or_default()
    }

    /// What the plan does next, if its moment has come.
    fn follow_plan(&mut self) -> Result<(), DriveError> {
        if self.outcome.is_some() {
            return Ok(());
        }
        if self.phase == Phase::Opening && self.tcb.state().is_synchronized() {
            self.enter_phase(Phase::Open);
            let now = self.now();
            if !self.plan.text.is_empty()
                && let Ok(reaction) = self.tcb.send(self.plan.text.len() as u32, now)
            {
                self.call(&reaction)?;
            }
        }
        if self.phase != Phase::Open {
            return Ok(());
        }
        let peer_closed = self.tcb.state() == State::CloseWait;
        let received = self.story.text_received() >= self.plan.await_text;
        let acknowledged = self.tcb.snd().una.at_or_after(self.tcb.snd().end);
        match self.plan.close {
            Close::Active if received || peer_closed => self.close(),
            Close::Passive if peer_closed => self.close(),
            Close::Reset if (received && acknowledged) || peer_closed => {
                self.abort(Outcome::Completed(Ending::ResetByUs), Clause::Abort)
            }
            Close::None if (received && acknowledged) || peer_closed => {
                self.outcome = Some(Outcome::Completed(Ending::LeftOpen));
                Ok(())
            }
            Close::Active | Close::Passive | Close::Reset | Close::None => Ok(()),
        }
    }

    fn enter_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_ends = self.now() + self.plan.timeout;
    }

    fn close(&mut self) -> Result<(), DriveError> {
        self.enter_phase(Phase::Closing);
        let now = self.now();
        match self.tcb.close(now) {
            Ok(reaction) => self.call(&reaction),
            Err(_) => Ok(()), // closing already
        }
    }

    /// Ends the connection, with a RST where the peer may know of it; `clause` says why.
    fn abort(&mut self, outcome: Outcome, clause: Clause) -> Result<(), DriveError> {
        self.outcome = Some(outcome);
        self.now();
        match self.tcb.abort() {
            Ok(reaction) => self.call(&Reaction { clause, ..reaction }),
            Err(_) => Ok(()), // gone already
        }
    }

    /// A deadline has passed at `when`, which may be long ago if we were stopped meanwhile.
    fn on_deadline(&mut self, when: Instant) -> Result<(), DriveError> {
        let now = self.now();
        if when >= self.phase_ends {
            return self.on_patience_over();
        }
        match self.tcb.on_timeout(now) {
            Some(reaction) => self.call(&reaction),
            None => Ok(()),
        }
    }

    /// The user timeout (RFC 9293 section 3.10.8). In SYN-SENT there is nobody to tell; later the peer may
    /// be there, and learns by a RST that we are gone. (Who has stopped answering our segments altogether,
    /// R2, is told nothing.)
    fn on_patience_over(&mut self) -> Result<(), DriveError> {
        if self.outcome.is_some() {
            return Ok(()); // what is kept of TIME-WAIT is over
        }
        let outcome = verdict::given_up(self.tcb.state(), &self.tcb, self.noted, self.heard);
        self.abort(outcome, Clause::UserTimeout)
    }

    fn judge(&mut self, reaction: &Reaction) {
        if self.outcome.is_none() {
            self.outcome = verdict::judge(reaction, &self.tcb, self.noted, self.heard);
        }
    }

    /// An ICMP error counts if it quotes a number under way (RFC 5927 section 4.1), and ends the attempt
    /// only before the open (SHLD-26; RFC 5927 section 5.2).
    fn on_icmp(&mut self, error: IcmpError, at: Instant) -> Result<(), DriveError> {
        let snd = self.tcb.snd();
        let under_way = error.seq.at_or_after(snd.una) && error.seq.before(snd.nxt);
        let opening = self.phase == Phase::Opening && self.outcome.is_none();
        let effect = match error.severity() {
            Severity::Ignored => return Ok(()),
            _ if !under_way => IcmpEffect::NotOurs,
            Severity::Hard if opening => IcmpEffect::Fatal,
            Severity::Hard | Severity::Soft => IcmpEffect::Noted,
        };
        self.story.rung(Event::Icmp { error, effect }, at, None, &self.tcb);
        match effect {
            IcmpEffect::Fatal => return self.abort(Outcome::Unreachable(error), Clause::IcmpEndsOpening),
            IcmpEffect::Noted => self.noted = Some(error),
            IcmpEffect::NotOurs => {}
        }
        Ok(())
    }

    /// A RST of the kernel's that answers what arrived last leaves at the same time as our own answer: it is
    /// still to be read. Where one is to be reckoned with, it is waited for.
    fn look_for_leaks(&mut self) -> Result<(), DriveError> {
        const GRACE: Duration = Duration::from_millis(5);
        const MOST_PACKETS: usize = 64;
        let (local, remote) = (self.guard.local(), self.plan.remote);
        let deadline = self.now() + if self.guard.may_leak() { GRACE } else { Duration::ZERO };
        for _ in 0..MOST_PACKETS {
            let Arrival::Packet(received) = self.wire.receive(Some(deadline))? else { break };
            let (heard, at) = (hear(&received, local, remote), received.at);
            // In TIME-WAIT everything is still answered; otherwise this is the end.
            if self.tcb.state() == State::TimeWait || matches!(heard, Heard::OurKernel(_)) {
                self.on_packet(&heard, at)?;
            }
        }
        Ok(())
    }

    fn summarize(&mut self) -> Summary {
        let outcome = self.outcome.clone().unwrap_or(Outcome::Silent { heard: self.heard });
        let time_wait = (self.tcb.state() == State::TimeWait).then(|| {
            let full = self.tcb.time_wait();
            TimeWait { full, kept: self.plan.linger.after(self.tcb.smoothed_rtt(), full) }
        });
        let tally = self.guard.tally(self.resets_received);
        let lost = self.wire.lost();
        self.story.summary(outcome, &self.tcb, self.noted, tally, lost, time_wait)
    }

    /// Stays for a part of TIME-WAIT, to acknowledge a FIN that the peer repeats. What happens meanwhile is
    /// told, but changes no verdict. Yields the signal that ended it early.
    fn keep_time_wait(
        &mut self,
        summary: &Summary,
        signal: PendingSignal<'_>,
    ) -> Result<Option<Signal>, DriveError> {
        let kept = summary.time_wait.map_or(Duration::ZERO, |time| time.kept);
        self.phase_ends = self.now() + kept;
        while self.now() < self.phase_ends && self.tcb.state() == State::TimeWait {
            if let Some(signal) = self.next_event(self.phase_ends, signal)? {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }
}
