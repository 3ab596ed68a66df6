//! One exchange: wait, feed, send, tell.

use std::io;
use std::time::Duration;

use super::observe::Observer;
use super::plan::{Close, Plan};
use super::story::Story;
use crate::guard::Guard;
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, EmitError, IcmpError, Ports, Protocol, Severity, emit, icmp, ip, tcp};
use crate::record::{Ending, Event, Excerpt, IcmpEffect, Outcome, Signal, Summary, TimeWait};
use crate::tcp::{Clause, Flags, Origin, Reaction, Segment, State, Tcb};
use crate::time::Instant;
use crate::wire::{Arrival, Received, SendError, Sender, Wire};

/// An exchange that could not be carried on, for a reason on this machine.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A segment did not leave.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A segment could not be built.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The sockets failed.
    #[error("cannot receive: {0}")]
    Receive(#[from] io::Error),
    /// The two ends are not of one address family.
    #[error("the source address is of another family than the target's")]
    Families,
}

/// Where a signal comes from when the wire says [`Arrival::Woken`].
pub type PendingSignal<'s> = &'s mut dyn FnMut() -> Option<Signal>;

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
) -> Result<Summary, DriveError> {
    let mut exchange = Exchange::new(guard, wire, plan, observer)?;
    exchange.open()?;
    while exchange.outcome.is_none() {
        exchange.next_event(signal)?;
    }
    let mut summary = exchange.summarize();
    exchange.story.end(&summary);
    if exchange.keep_time_wait(&summary, signal)? == Kept::Interrupted
        && let Some(signal) = exchange.interrupted
    {
        summary.outcome = Outcome::Interrupted(signal);
    }
    Ok(summary)
}

#[derive(PartialEq, Eq)]
enum Kept {
    InFull,
    Interrupted,
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
    interrupted: Option<Signal>,
    noted: Option<IcmpError>,
    resets_received: u32,
    identification: u16,
    buffer: Vec<u8>,
}

/// An IPv4 or IPv6 packet is no longer than this.
const LONGEST_PACKET: usize = 65_575;

/// A packet that was read, apart from the buffer it arrived in.
enum Heard {
    Segment { segment: Segment, text: Excerpt, ttl: u8 },
    OurKernel(Segment),
    Icmp(IcmpError),
    Unreadable(crate::packet::DecodeError),
    Foreign,
}

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
            interrupted: None,
            noted: None,
            resets_received: 0,
            identification: plan.iss.0 as u16 | 1, // any but zero, which the kernel would replace
            buffer: vec![0; LONGEST_PACKET],
            wire,
        })
    }

    fn open(&mut self) -> Result<(), DriveError> {
        let now = self.wire.now();
        match self.tcb.open(Origin::Active, self.plan.iss, now) {
            Ok(reaction) => self.call(reaction, now),
            Err(_) => Ok(()), // a new connection is in CLOSED, where an open is always allowed
        }
    }

    fn next_event(&mut self, signal: PendingSignal<'_>) -> Result<(), DriveError> {
        let deadline = self.tcb.deadline().map_or(self.phase_ends, |timer| timer.at.min(self.phase_ends));
        if self.wire.now() >= deadline {
            return self.on_deadline(); // also while packets never cease (J-07)
        }
        let (local, remote) = (self.guard.local(), self.plan.remote);
        let (heard, at) = match self.wire.receive(Some(deadline))? {
            Arrival::Packet(received) => (hear(&received, local, remote), received.at),
            Arrival::DeadlinePassed => return Ok(()),
            Arrival::Woken => match signal() {
                Some(signal) => return self.interrupt(signal),
                None => return Ok(()),
            },
        };
        match heard {
            Heard::Segment { segment, text, ttl } => self.on_segment(&segment, text, ttl, at),
            Heard::Icmp(error) => {
                self.on_icmp(error, at);
                Ok(())
            }
            Heard::OurKernel(segment) => {
                self.story.kernel_reset(segment, at, &self.tcb);
                Ok(())
            }
            Heard::Unreadable(error) => {
                self.story.unreadable(error, at, &self.tcb);
                Ok(())
            }
            Heard::Foreign => Ok(()),
        }
    }

    fn on_segment(
        &mut self,
        segment: &Segment,
        text: Excerpt,
        ttl: u8,
        at: Instant,
    ) -> Result<(), DriveError> {
        self.resets_received += u32::from(segment.has(Flags::RST));
        let reaction = self.tcb.on_segment(segment, at);
        let sent = self.send(&reaction)?;
        self.story.received(segment, text, ttl, at, &reaction, &self.tcb);
        self.story.sent(sent.as_ref(), &reaction, &self.tcb, Part::Reply);
        self.transmit_rest()?;
        self.judge(&reaction);
        self.follow_plan()
    }

    /// A call of ours, or a timeout: what it sends is a rung, and so is what it ends without sending.
    fn call(&mut self, reaction: Reaction, now: Instant) -> Result<(), DriveError> {
        let sent = self.send(&reaction)?;
        if sent.is_some() {
            self.story.sent(sent.as_ref(), &reaction, &self.tcb, Part::Call);
        } else if !reaction.arrows.is_empty() {
            self.story.quiet(&reaction, now, &self.tcb);
        }
        self.transmit_rest()?;
        self.judge(&reaction);
        Ok(())
    }

    fn transmit_rest(&mut self) -> Result<(), DriveError> {
        while let Some(reaction) = self.tcb.transmit(self.wire.now()) {
            let sent = self.send(&reaction)?;
            self.story.sent(sent.as_ref(), &reaction, &self.tcb, Part::Call);
        }
        Ok(())
    }

    /// Builds and sends the segment of a reaction, if it has one.
    fn send(&mut self, reaction: &Reaction) -> Result<Option<Outgoing>, DriveError> {
        let Some(segment) = reaction.segment else {
            return Ok(None);
        };
        self.identification = self.identification.wrapping_add(1).max(1);
        let ip =
            IpFields { addresses: self.addresses, ttl: self.plan.ttl, identification: self.identification };
        let text = self.text_of(&segment);
        let len = emit(&ip, self.ports, &segment, text, &mut self.buffer)?;
        let at = self.wire.now();
        self.wire.send(self.buffer.get(..len).unwrap_or_default())?;
        Ok(Some(Outgoing { segment, text: Excerpt::of(self.text_of(&segment)), at }))
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
        let now = self.wire.now();
        if self.phase == Phase::Opening && self.tcb.state().is_synchronized() {
            self.enter_phase(Phase::Open, now);
            if !self.plan.text.is_empty()
                && let Ok(reaction) = self.tcb.send(self.plan.text.len() as u32, now)
            {
                self.call(reaction, now)?;
            }
        }
        if self.phase != Phase::Open {
            return Ok(());
        }
        let peer_closed = self.tcb.state() == State::CloseWait;
        let text_complete = self.story.text_received() >= self.plan.await_text;
        match self.plan.close {
            Close::Active if text_complete || peer_closed => self.close(now),
            Close::Passive if peer_closed => self.close(now),
            Close::Reset if text_complete || peer_closed => self.abort(Outcome::Completed(Ending::ResetByUs)),
            Close::None if text_complete || peer_closed => {
                self.outcome = Some(Outcome::Completed(Ending::LeftOpen));
                Ok(())
            }
            Close::Active | Close::Passive | Close::Reset | Close::None => Ok(()),
        }
    }

    fn enter_phase(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.phase_ends = now + self.plan.timeout;
    }

    fn close(&mut self, now: Instant) -> Result<(), DriveError> {
        self.enter_phase(Phase::Closing, now);
        match self.tcb.close(now) {
            Ok(reaction) => self.call(reaction, now),
            Err(_) => Ok(()), // closing already
        }
    }

    /// Ends the connection with a RST, where the peer may know of it.
    fn abort(&mut self, outcome: Outcome) -> Result<(), DriveError> {
        self.outcome = Some(outcome);
        let now = self.wire.now();
        match self.tcb.abort() {
            Ok(reaction) => self.call(reaction, now),
            Err(_) => Ok(()), // gone already
        }
    }

    fn interrupt(&mut self, signal: Signal) -> Result<(), DriveError> {
        self.interrupted = Some(signal);
        self.abort(Outcome::Interrupted(signal))
    }

    fn on_deadline(&mut self) -> Result<(), DriveError> {
        let now = self.wire.now();
        if now >= self.phase_ends {
            return self.on_patience_over(now);
        }
        match self.tcb.on_timeout(now) {
            Some(reaction) => self.call(reaction, now),
            None => Ok(()),
        }
    }

    /// The user timeout (RFC 9293 section 3.10.8). Before the open nothing is sent; after it the peer is
    /// told by a RST that we are gone.
    fn on_patience_over(&mut self, now: Instant) -> Result<(), DriveError> {
        let state = self.tcb.state();
        if !state.is_synchronized() {
            return match self.tcb.on_user_timeout() {
                Some(reaction) => self.call(reaction, now),
                None => Ok(()),
            };
        }
        self.abort(Outcome::CloseIncomplete { state, missing: missing_in(state) })
    }

    /// The verdict that a reaction brings, if it does.
    fn judge(&mut self, reaction: &Reaction) {
        if self.outcome.is_some() {
            return;
        }
        let Some(last) = reaction.arrows.iter().last() else {
            return;
        };
        self.outcome = match (last.to, reaction.clause) {
            (State::TimeWait, _) | (State::Closed, Clause::AckOfFinLast) => {
                Some(Outcome::Completed(Ending::Closed))
            }
            (State::Closed, Clause::SynSentRefused | Clause::RstRefuses) => Some(Outcome::Refused),
            (State::Closed, Clause::RstResets) => Some(Outcome::ResetAfterOpening { state: last.from }),
            (State::Closed, Clause::RstEndsClosing) => {
                let missing = "the peer reset it before it acknowledged our FIN";
                Some(Outcome::CloseIncomplete { state: last.from, missing })
            }
            (State::Closed, _) if !last.from.is_synchronized() => {
                Some(self.noted.map_or(Outcome::Silent, Outcome::Unreachable))
            }
            (State::Closed, _) => {
                Some(Outcome::CloseIncomplete { state: last.from, missing: missing_in(last.from) })
            }
            _ => None,
        };
    }

    /// An ICMP error counts if it quotes a number under way (RFC 5927 section 4.1), and ends the attempt
    /// only before the open (SHLD-26; RFC 5927 section 5.2).
    fn on_icmp(&mut self, error: IcmpError, at: Instant) {
        let snd = self.tcb.snd();
        let under_way = error.seq.at_or_after(snd.una) && error.seq.before(snd.nxt);
        let opening = self.phase == Phase::Opening;
        let effect = match error.severity() {
            Severity::Ignored => return,
            _ if !under_way => IcmpEffect::NotOurs,
            Severity::Hard if opening => IcmpEffect::Fatal,
            Severity::Hard | Severity::Soft => IcmpEffect::Noted,
        };
        match effect {
            IcmpEffect::Fatal => {
                let _ = self.tcb.abort(); // SYN-SENT: nothing to send
                self.outcome = Some(Outcome::Unreachable(error));
            }
            IcmpEffect::Noted => self.noted = Some(error),
            IcmpEffect::NotOurs => {}
        }
        self.story.rung(Event::Icmp { error, effect }, at, None, &self.tcb);
    }

    fn summarize(&self) -> Summary {
        let outcome = self.outcome.clone().unwrap_or(Outcome::Silent);
        let time_wait = (self.tcb.state() == State::TimeWait).then(|| {
            let full = self.tcb.time_wait();
            TimeWait { full, kept: self.plan.linger.after(self.tcb.smoothed_rtt(), full) }
        });
        let answers = self.guard.discarded().saturating_sub(self.resets_received);
        self.story.summary(outcome, &self.tcb, self.noted, answers, time_wait)
    }

    /// Stays for a part of TIME-WAIT, to acknowledge a FIN that the peer repeats. What happens meanwhile is
    /// told, but changes no verdict.
    fn keep_time_wait(&mut self, summary: &Summary, signal: PendingSignal<'_>) -> Result<Kept, DriveError> {
        let Some(TimeWait { kept, .. }) = summary.time_wait.filter(|time| time.kept > Duration::ZERO) else {
            return Ok(Kept::InFull);
        };
        self.phase_ends = self.wire.now() + kept;
        while self.wire.now() < self.phase_ends && self.tcb.state() == State::TimeWait {
            self.linger_event(signal)?;
            if self.interrupted.is_some() {
                return Ok(Kept::Interrupted);
            }
        }
        Ok(Kept::InFull)
    }

    fn linger_event(&mut self, signal: PendingSignal<'_>) -> Result<(), DriveError> {
        let (local, remote) = (self.guard.local(), self.plan.remote);
        let (heard, at) = match self.wire.receive(Some(self.phase_ends))? {
            Arrival::Packet(received) => (hear(&received, local, remote), received.at),
            Arrival::DeadlinePassed => return Ok(()),
            Arrival::Woken => {
                self.interrupted = signal();
                return Ok(());
            }
        };
        match heard {
            Heard::Segment { segment, text, ttl } => self.on_segment(&segment, text, ttl, at),
            Heard::Icmp(_) | Heard::OurKernel(_) | Heard::Unreadable(_) | Heard::Foreign => Ok(()),
        }
    }
}

/// A segment of ours on its way.
pub(super) struct Outgoing {
    pub(super) segment: Segment,
    pub(super) text: Excerpt,
    pub(super) at: Instant,
}

/// Whether a segment answers one that has its own rung, which shows the arrows, or stands alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Reply,
    Call,
}

/// What a state still waits for.
const fn missing_in(state: State) -> &'static str {
    match state {
        State::FinWait1 | State::Closing | State::LastAck => "the peer did not acknowledge our FIN",
        State::FinWait2 => "the peer kept its side open",
        State::Established => "the peer neither closed nor sent what was awaited",
        State::CloseWait => "our side was not closed",
        State::Closed | State::Listen | State::SynSent | State::SynReceived | State::TimeWait => "nothing",
    }
}

/// Reads a packet. The filter of a socket lets only our exchange through; other wires have none.
fn hear(received: &Received<'_>, local: std::net::SocketAddr, remote: std::net::SocketAddr) -> Heard {
    let packet = match ip::parse(received.octets) {
        Ok(packet) => packet,
        Err(error) => return Heard::Unreadable(error),
    };
    let ours = |from: std::net::SocketAddr, to: std::net::SocketAddr, ports: Ports| {
        packet.addresses.source() == from.ip()
            && packet.addresses.destination() == to.ip()
            && (ports.source, ports.destination) == (from.port(), to.port())
    };
    match packet.protocol {
        Protocol::Tcp => match tcp::parse(packet.payload, packet.addresses, received.checksum) {
            Err(error) => Heard::Unreadable(error),
            Ok(tcp) if received.sender == Sender::OurKernel && ours(local, remote, tcp.ports) => {
                Heard::OurKernel(tcp.segment)
            }
            Ok(tcp) if received.sender == Sender::Network && ours(remote, local, tcp.ports) => {
                Heard::Segment { segment: tcp.segment, text: Excerpt::of(tcp.text), ttl: packet.ttl }
            }
            Ok(_) => Heard::Foreign,
        },
        Protocol::Icmp | Protocol::Icmpv6 => match icmp::parse(&packet) {
            Ok(Some(error)) if same(error.local, local) && same(error.remote, remote) => Heard::Icmp(error),
            _ => Heard::Foreign,
        },
        Protocol::Other(_) => Heard::Foreign,
    }
}

/// Address and port; a quoted packet carries no scope.
fn same(a: std::net::SocketAddr, b: std::net::SocketAddr) -> bool {
    (a.ip(), a.port()) == (b.ip(), b.port())
}
