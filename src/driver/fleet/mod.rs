//! Very many exchanges at once: the same machine as for one, in one thread, and little beside it.
//!
//! ```text
//! Dispatcher::next ─► Errand ─► Turns (a port) ─► Exchange in Slots ─► Tcb ─► wire, in batches
//!                                                    │ Wheel: one timer each
//!      wire ─► batch ─► packet ─► Slots::find ───────┤ Trace: its packets, until it has ended
//! Dispatcher::ended ◄──────────── verdict ◄──────────┘
//! ```
//!
//! Nothing is allocated for a segment once all has been used once, and the time is read once a batch.

mod ends;
mod exchange;
mod hear;
mod pace;
mod paths;
mod plan;
mod ports;
pub mod replay;
mod slots;
mod trace;
mod waiting;
pub mod wheel;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::single::{DriveError, PendingSignal};
use super::story;
use super::verdict::{self, SoFar};
use crate::guard::GuardedPorts;
use crate::packet::ip::{IpFields, no_host};
use crate::packet::{Addresses, IcmpError, Ports, emit};
use crate::record::{GuardSummary, IcmpEffect, Outcome, Role, Signal};
use crate::tcp::{Flags, IssGenerator, Parameters, Reaction, Segment, State, Tcb, answer_in_closed};
use crate::time::Instant;
use crate::wire::{Arrival, Bulk};

use exchange::{Awaited, Exchange, Phase};
use hear::{Heard, Ours, hear};
pub use pace::Rate;
use pace::{HostPacer, Pacer};
use paths::Paths;
use plan::millis;
pub use plan::{Dispatcher, Done, Ended, Errand, Next, Packets, Path, Plan, Task};
use ports::{Turn, Turns};
use slots::Slots;
use trace::Trace;
pub use trace::{Direction, KeptPacket, KeptPackets};
use waiting::Waiting;
use wheel::{Tick, Wheel};

/// Exchanges that begin, and timers that fire, before answers are read again: who only spoke would not hear them.
const AT_ONCE: u32 = 256;

/// Exchanges in TIME-WAIT, at most: beyond it the next ones wait.
const MOST_LINGERING: usize = 1 << 16;

/// Makes the exchanges that the dispatcher has, until it has no more or a signal comes.
///
/// The `guard` is the proof that the kernel is held back on our ports.
pub fn run<W: Bulk>(
    guard: &GuardedPorts,
    wire: &mut W,
    plan: &Plan,
    dispatcher: &mut dyn Dispatcher,
    signal: PendingSignal<'_>,
) -> Result<Done, DriveError> {
    let mut fleet = Fleet::new(guard.ports().to_vec(), wire, plan, dispatcher);
    fleet.run(signal)?;
    Ok(fleet.done)
}

/// What holds the kernel back, in words.
pub fn guard_in_words(guard: &GuardedPorts) -> GuardSummary {
    story::summarize_ports(guard)
}

struct Fleet<'f, W> {
    plan: &'f Plan,
    wire: &'f mut W,
    dispatcher: &'f mut dyn Dispatcher,
    begun: Instant,
    /// The present moment, as of the last batch.
    now: Instant,
    turns: Turns,
    slots: Slots,
    wheel: Wheel,
    trace: Trace,
    paths: Paths,
    iss: IssGenerator,
    pacer: Pacer,
    hosts: HostPacer,
    waiting: Waiting,
    /// Whether there is room for an exchange that there was not.
    freed: bool,
    /// Whether more was due than was done at once: answers are read between.
    hurried: bool,
    /// Whether the dispatcher may have more.
    more: bool,
    in_flight: u32,
    lingering: u32,
    /// What peers have said, where it is listened to.
    texts: HashMap<u32, Vec<u8>>,
    /// The last ICMP error that ended nothing, where there was one.
    noted: HashMap<u32, IcmpError>,
    watch: LossWatch,
    /// Exchanges whose verdict was told.
    told: u64,
    /// After a signal: which, and when what is under way is given up.
    ending: Option<(Signal, Instant)>,
    identification: u16,
    buffer: Vec<u8>,
    text: Vec<u8>,
    done: Done,
}

/// Looks now and then whether packets are lost on this machine.
struct LossWatch {
    next: Instant,
    begun: u32,
    looked_at: Instant,
    /// When packets were found to be lost last.
    lost_at: Option<Instant>,
    /// Whether any were lost since the rate was set last.
    lost: bool,
    /// Exchanges that were made again because of that.
    made_again: u64,
}

impl LossWatch {
    const EVERY: Duration = Duration::from_millis(250);
}

impl<'f, W: Bulk> Fleet<'f, W> {
    fn new(ports: Vec<u16>, wire: &'f mut W, plan: &'f Plan, dispatcher: &'f mut dyn Dispatcher) -> Self {
        const LONGEST_SEGMENT: usize = 40 + 60;
        let now = wire.now();
        let most = plan.max_in_flight as usize + MOST_LINGERING;
        Self {
            plan,
            wire,
            dispatcher,
            begun: now,
            now,
            turns: Turns::new(ports),
            slots: Slots::new(most, plan.table_seed()),
            wheel: Wheel::new(most),
            trace: Trace::new(plan.trace),
            paths: Paths::default(),
            iss: IssGenerator::new(plan.iss_key),
            pacer: Pacer::new(plan.rate, now),
            hosts: HostPacer::new(plan.per_host_rate),
            waiting: Waiting::default(),
            freed: false,
            hurried: false,
            more: true,
            in_flight: 0,
            lingering: 0,
            texts: HashMap::new(),
            noted: HashMap::new(),
            watch: LossWatch {
                next: now + LossWatch::EVERY,
                begun: 0,
                looked_at: now,
                lost_at: None,
                lost: false,
                made_again: 0,
            },
            told: 0,
            ending: None,
            identification: 1,
            buffer: vec![0; LONGEST_SEGMENT],
            text: Vec::new(),
            done: Done::default(),
        }
    }

    fn run(&mut self, signal: PendingSignal<'_>) -> Result<(), DriveError> {
        self.begin_more();
        while self.in_flight > 0 || self.lingering > 0 || self.more || !self.waiting.is_empty() {
            let deadline = if self.hurried { self.now } else { self.deadline() };
            self.wire.await_answers(self.in_flight);
            let heard = match self.wire.receive(Some(deadline))? {
                Arrival::Packet(received) => {
                    let ours = Ours { ports: &self.turns, paths: &self.paths };
                    hear(&received, &ours, &mut self.slots, &mut self.trace, &mut self.text)
                }
                Arrival::DeadlinePassed => Heard::Nothing,
                Arrival::Woken => {
                    self.now = self.wire.now().max(self.now);
                    if let Some(signal) = signal() {
                        self.on_signal(signal);
                    }
                    Heard::Nothing
                }
            };
            self.take_departures();
            let now = self.wire.now().max(self.now);
            let new_batch = now > self.now || matches!(heard, Heard::Nothing);
            self.hurried &= !new_batch;
            self.now = now;
            self.on_heard(&heard);
            if new_batch {
                self.fire();
                self.look_for_losses();
                self.dispatcher.between(self.now);
            }
            if (new_batch || self.freed) && !self.wire.is_behind() {
                self.begin_more();
            }
            if self.ending.is_some() && self.in_flight == 0 {
                break; // what is kept of TIME-WAIT is cut short
            }
        }
        self.wire.flush(); // the last thing said may be a RST, and nobody waits for an answer to that
        self.look_for_losses_now();
        self.done.backed_off = self.pacer.backed_off();
        Ok(())
    }

    /// When to look again, whatever comes.
    fn deadline(&self) -> Instant {
        let timer = self.wheel.next().map(|tick| tick.instant(self.begun));
        let postponed = self.waiting.next();
        let may_begin = self.ending.is_none() && !self.is_full() && (self.more || postponed.is_some());
        let pace = self.pacer.closed_until().filter(|until| may_begin && *until > self.now);
        let postponed = postponed.filter(|at| may_begin && *at > self.now);
        let ending = self.ending.map(|(_, until)| until);
        let all = [timer, pace, postponed, ending];
        all.into_iter().flatten().fold(self.watch.next, Instant::min)
    }

    fn is_full(&self) -> bool {
        self.in_flight >= self.plan.max_in_flight || self.slots.is_full()
    }

    fn come(&self) -> Tick {
        Tick::come(self.now, self.begun)
    }

    /// The tick from which a time is counted that must not be shorter than it says.
    fn come_next(&self) -> Tick {
        Tick::reached_at(self.now, self.begun)
    }

    fn take_departures(&mut self) {
        while let Some((number, at)) = self.wire.departed() {
            if let Some(exchange) = self.slots.get_mut(number) {
                exchange.note_departure(at);
            }
        }
    }

    /// Begins as many exchanges as may be begun now.
    fn begin_more(&mut self) {
        self.freed = false;
        let mut begun = 0;
        while self.ending.is_none() && !self.is_full() && self.pacer_is_open() {
            if begun == AT_ONCE {
                self.hurried = true;
                return;
            }
            let Some(errand) = self.next_errand() else { return };
            begun += 1;
            let (remote, port) = (errand.remote.ip(), errand.remote.port());
            const REST: u32 = 2; // milliseconds
            let rested = self.come().before(REST);
            let port = match self.turns.next(remote, port, rested, self.plan.linger, &self.slots) {
                Turn::Fresh(port) => port,
                Turn::InTimeWait(port, number) => {
                    self.remove(number);
                    port
                }
                Turn::Resting => {
                    let until = self.now + Duration::from_millis(u64::from(REST));
                    self.waiting.postpone(errand, until);
                    continue;
                }
                Turn::None => {
                    self.waiting.park(errand);
                    continue;
                }
            };
            self.pacer.admits(self.now);
            self.begin(&errand, port);
        }
    }

    fn pacer_is_open(&self) -> bool {
        self.pacer.closed_until().is_none_or(|until| until <= self.now)
    }

    /// What was postponed until now comes first. Each host is asked for its time but once.
    fn next_errand(&mut self) -> Option<Errand> {
        if let Some(errand) = self.waiting.due(self.now) {
            return Some(errand);
        }
        while self.more && !self.waiting.is_full() {
            let errand = match self.dispatcher.next(self.now) {
                Next::Errand(errand) => errand,
                Next::Later => return None,
                Next::Done => {
                    self.more = false;
                    return None;
                }
            };
            let at = self.hosts.reserve(errand.remote.ip(), self.now);
            if at <= self.now {
                return Some(errand);
            }
            self.waiting.postpone(errand, at);
        }
        None
    }

    fn begin(&mut self, errand: &Errand, port: u16) {
        let path = self.paths.number(&errand.path);
        let task = self.task(errand.task);
        let mut tcb = Tcb::new(&parameters(self.plan, &errand.path, task));
        let local = SocketAddr::new(errand.path.local, port);
        let iss = self.iss.iss(local, errand.remote, self.now);
        let Ok(reaction) = tcb.open(crate::tcp::Origin::Active, iss, self.now) else { return };
        let ends = self.come_next().after(millis(self.plan.timeout));
        let exchange = Exchange::new(errand, path, port, tcb, ends, task);
        let Some(number) = self.slots.insert(exchange) else { return };
        self.in_flight += 1;
        self.watch.begun += 1;
        if let Some(exchange) = self.slots.get_mut(number) {
            exchange.note_departure(self.now);
        }
        self.send(number, &reaction, Sent::Call);
        self.set_timer(number);
    }

    fn task(&self, task: u16) -> &'f Task {
        self.plan.tasks.get(usize::from(task)).unwrap_or(&Task::NOTHING)
    }

    fn set_timer(&mut self, number: u32) {
        if let Some(exchange) = self.slots.get(number) {
            self.wheel.set(number, exchange.deadline(self.task(exchange.task), self.begun));
        }
    }

    /// Sends what a reaction says. A segment that does not leave is lost, as it might be anywhere on its way.
    fn send(&mut self, number: u32, reaction: &Reaction, sent: Sent) {
        let (Some(segment), Some(exchange)) = (reaction.segment, self.slots.get_mut(number)) else { return };
        exchange.count_sent(&segment, sent == Sent::Again);
        let (remote, ports) = exchange.ends();
        let Some(path) = self.paths.all.get(exchange.path as usize) else { return };
        let Some(addresses) = Addresses::new(path.local, remote) else { return };
        self.identification = self.identification.wrapping_add(1).max(1);
        let ip =
            IpFields { ttl: self.plan.ttl, identification: self.identification, ..IpFields::new(addresses) };
        let Ok(len) = emit(&ip, ports, &segment, &[], &mut self.buffer) else { return };
        let packet = self.buffer.get(..len).unwrap_or_default();
        let note = (exchange.syns == 1 && segment.has(Flags::SYN)).then_some(number);
        let queued = self.wire.queue(packet, path.way, note);
        let direction = if queued.is_ok() { Direction::Sent } else { Direction::Unsent };
        self.trace.keep(&mut exchange.chain, direction, self.now, packet);
    }

    fn on_heard(&mut self, heard: &Heard) {
        match heard {
            Heard::Segment { number, segment, at } => self.on_segment(*number, segment, *at),
            Heard::Stray(addresses, ports, segment) => self.on_stray(*addresses, *ports, segment),
            Heard::Icmp(number, error) => self.on_icmp(*number, error),
            Heard::KernelReset => self.done.kernel_resets += 1,
            Heard::Departure | Heard::Nothing => {}
        }
    }

    fn on_segment(&mut self, number: u32, segment: &Segment, at: Instant) {
        let Some(exchange) = self.slots.get_mut(number) else { return };
        let reaction = exchange.on_segment(segment, at, self.now);
        self.send(number, &reaction, Sent::Reply);
        self.take_text(number, &reaction);
        self.go_on(number, &reaction);
    }

    /// What follows from a reaction: the verdict, or the next thing to do.
    fn go_on(&mut self, number: u32, reaction: &Reaction) {
        let Some(exchange) = self.slots.get(number) else { return };
        if exchange.phase == Phase::Lingering {
            if exchange.tcb.state() == State::Closed {
                self.remove(number); // a RST of the peer's: there is nothing to linger for
            }
            return;
        }
        let outcome = verdict::judge(reaction, &exchange.tcb, self.so_far(number, exchange.heard));
        match outcome {
            Some(outcome) => self.finish(number, outcome),
            None => self.follow(number),
        }
    }

    fn so_far(&self, number: u32, heard: bool) -> SoFar {
        let noted = if self.noted.is_empty() { None } else { self.noted.get(&number).copied() };
        SoFar { role: Role::Active, noted, heard }
    }

    /// Waits, or closes, if the time has come.
    fn follow(&mut self, number: u32) {
        let (now, from, plan) = (self.come(), self.come_next(), self.plan);
        let Some(exchange) = self.slots.get_mut(number) else { return };
        let task = plan.tasks.get(usize::from(exchange.task)).unwrap_or(&Task::NOTHING);
        if exchange.phase == Phase::Opening && exchange.tcb.state().is_synchronized() {
            exchange.wait(from, task);
        }
        let is_done = exchange.phase == Phase::Waiting && exchange.is_done_waiting(now, task);
        if exchange.phase == Phase::Waiting && (is_done || self.ending.is_some()) {
            exchange.cut_short = !is_done;
            exchange.phase = Phase::Closing;
            exchange.phase_ends = from.after(millis(plan.timeout));
            if let Ok(reaction) = exchange.tcb.close(self.now) {
                self.send(number, &reaction, Sent::Call);
            }
        }
        self.set_timer(number);
    }

    /// Takes text in order, and looks for what is expected in it.
    fn take_text(&mut self, number: u32, reaction: &Reaction) {
        const MOST: usize = 4096; // what introduces itself does so at once
        let accepted = reaction.text;
        if accepted.len == 0 || accepted.ahead > 0 {
            return;
        }
        let Some(exchange) = self.slots.get_mut(number).filter(|exchange| exchange.banner == Awaited::NotYet)
        else {
            return;
        };
        let task = self.plan.tasks.get(usize::from(exchange.task));
        let Some(banner) = task.and_then(|task| task.banner.as_ref()) else { return };
        let said = self.texts.entry(number).or_default();
        let new = self.text.get(accepted.skip as usize..).unwrap_or_default();
        said.extend(new.iter().take((accepted.len as usize).min(MOST - said.len().min(MOST))));
        if banner.is_in(said) {
            exchange.banner = Awaited::Came;
        }
    }

    /// What there is no exchange for is answered as in CLOSED (RFC 9293 section 3.10.7.1): whoever has not
    /// understood that it is over learns it so.
    fn on_stray(&mut self, addresses: Addresses, ports: Ports, segment: &Segment) {
        let remote = addresses.destination();
        if no_host(remote).is_some() || ports.destination == 0 || remote == addresses.source() {
            return; // nobody to answer
        }
        let (Some(answer), _) = answer_in_closed(segment) else { return };
        let ip = IpFields { ttl: self.plan.ttl, ..IpFields::new(addresses) };
        if let Ok(len) = emit(&ip, ports, &answer, &[], &mut self.buffer) {
            let _ = self.wire.send(self.buffer.get(..len).unwrap_or_default());
        }
    }

    fn on_icmp(&mut self, number: u32, error: &IcmpError) {
        let Some(exchange) = self.slots.get(number).filter(|it| it.phase != Phase::Lingering) else { return };
        match verdict::icmp_effect(error, &exchange.tcb) {
            Some(IcmpEffect::Fatal) => self.abort(number, Outcome::Unreachable(*error)),
            Some(IcmpEffect::Noted) => {
                self.noted.insert(number, *error);
            }
            Some(IcmpEffect::NotOurs) | None => {}
        }
    }

    /// Timers that are due.
    fn fire(&mut self) {
        let now = self.come();
        const BEHIND: u32 = 16; // what never ceases to arrive holds up no timer, but slows them down
        for _ in 0..if self.wire.is_behind() { BEHIND } else { AT_ONCE } {
            let Some(number) = self.wheel.pop(now) else { return };
            self.fire_one(number, now);
        }
        self.hurried = true;
    }

    fn fire_one(&mut self, number: u32, now: Tick) {
        let plan = self.plan;
        let Some(exchange) = self.slots.get_mut(number) else { return };
        let task = plan.tasks.get(usize::from(exchange.task)).unwrap_or(&Task::NOTHING);
        if exchange.deadline(task, self.begun) > now {
            return self.set_timer(number); // only visited
        }
        let patience_is_over = now >= exchange.phase_ends;
        let done_waiting = exchange.phase == Phase::Waiting && exchange.is_done_waiting(now, task);
        match exchange.phase {
            Phase::Lingering => self.remove(number),
            Phase::Opening | Phase::Closing if patience_is_over => self.give_up(number),
            Phase::Waiting if done_waiting => self.follow(number),
            Phase::Opening | Phase::Waiting | Phase::Closing => match exchange.tcb.on_timeout(self.now) {
                Some(reaction) => {
                    self.send(number, &reaction, Sent::Again);
                    self.go_on(number, &reaction);
                }
                None => self.set_timer(number),
            },
        }
    }

    fn remove(&mut self, number: u32) {
        let lingered = self.slots.get(number).is_some_and(|it| it.phase == Phase::Lingering);
        self.lingering -= u32::from(lingered);
        self.wheel.cancel(number);
        self.slots.remove(number);
    }

    fn look_for_losses(&mut self) {
        if let Some((signal, until)) = self.ending
            && self.now >= until
        {
            self.on_signal(signal); // their second of grace is over
        }
        if self.now >= self.watch.next {
            let since = self.now - self.watch.next + LossWatch::EVERY;
            let actual = f64::from(self.watch.begun) / since.as_secs_f64();
            self.look_for_losses_now();
            if std::mem::take(&mut self.watch.lost) {
                self.pacer.slow_down(actual);
            } else {
                self.pacer.speed_up();
            }
            self.watch.next = self.now + LossWatch::EVERY;
            self.watch.begun = 0;
        }
    }

    fn look_for_losses_now(&mut self) {
        let lost = self.wire.lost();
        self.done.packets_lost += u64::from(lost);
        self.watch.looked_at = self.now;
        if lost > 0 {
            self.watch.lost_at = Some(self.now);
            self.watch.lost = true;
        }
    }
}

/// Why a segment is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Call,
    Reply,
    Again,
}

/// What a connection by this path, for this task, is made with.
fn parameters(plan: &Plan, path: &Path, task: &Task) -> Parameters {
    Parameters {
        mss: path.mss,
        default_peer_mss: crate::tcp::Mss::default_of(path.local),
        offer: task.offer,
        ..plan.parameters
    }
}
