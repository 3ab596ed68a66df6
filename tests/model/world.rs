//! Two ends and the channel between them, without time: what can happen next, and what it leads to.
//!
//! Every event finds the timer that runs due and nothing measured ([`Tcb::timeless`](tcpshake::tcp::Tcb::timeless)).
//! A timer may so fire at any moment, long before or long after a segment arrives: every order in which a real clock
//! could let things happen is among those explored. A challenge that would be held back is one that the channel loses.
//! Only timestamps tell a time; where they are on, it passes in ticks.

use std::cmp::Ordering;
use std::time::Duration;

use tcpshake::tcp::{CallError, Flags, Origin, Reaction, Segment, SeqNum, State};
use tcpshake::time::Instant;

use crate::forgery::Forgery;
use crate::laws::{self, Lawful};
use crate::machine::Machine;
use crate::scenario::{Budget, Scenario, Side};
use crate::tale::Tale;

/// A connection, and what its user and the law know of it.
#[derive(Clone, Debug, Hash)]
pub struct End<M> {
    pub machine: M,
    /// Connections this end has had before.
    pub life: u8,
    /// Octets the user has said.
    pub said: u32,
    /// Octets the user has heard.
    pub heard: u32,
    /// Octets that stood before our FIN when it was first sent.
    pub fin_behind: Option<u32>,
    /// Whether we have acknowledged the peer's FIN.
    pub told_of_fin: bool,
}

impl<M: Machine> End<M> {
    pub fn new(machine: M, life: u8) -> Self {
        Self { machine, life, said: 0, heard: 0, fin_behind: None, told_of_fin: false }
    }

    pub fn state(&self) -> State {
        self.machine.tcb().state()
    }

    /// What must be known later of a segment that this end has sent.
    pub fn note_sent(&mut self, segment: &Segment) {
        if segment.has(Flags::FIN) {
            self.fin_behind = Some((segment.end() - 2 - self.machine.tcb().snd().iss) as u32);
        }
        if segment.has(Flags::ACK) && !segment.has(Flags::RST) {
            self.told_of_fin |= laws::fin_was_taken(self);
        }
    }
}

/// A segment under way, of a connection of its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flying {
    pub to: Side,
    pub iss: SeqNum,
    pub segment: Segment,
}

impl Flying {
    /// Oldest first, as far as the numbers tell.
    fn order(&self, other: &Self) -> Ordering {
        let key = |flying: &Self| {
            let segment = &flying.segment;
            let seq = segment.seq - flying.to.other().iss(0);
            let rest = (segment.ack.0, segment.window.0, segment.text_len, segment.flags.bits());
            (flying.to, flying.iss.0, seq, rest)
        };
        let (ours, theirs) = (&self.segment.options, &other.segment.options);
        key(self).cmp(&key(other)).then_with(|| ours.as_bytes().cmp(theirs.as_bytes()))
    }

    /// The octets it carries: its numbers say which.
    pub fn text(&self) -> Vec<u8> {
        let from = self.to.other();
        let first = (self.segment.text_seq() - (self.iss + 1)) as u32;
        (0..self.segment.text_len).map(|at| from.octet(self.iss, first.wrapping_add(at))).collect()
    }
}

/// Something that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Open(Side, Origin),
    Send(Side),
    Read(Side),
    Close(Side),
    CloseWithPeer(Side),
    Abort(Side),
    UserTimeout(Side),
    Timeout(Side),
    /// The n-th of the segments under way.
    Arrive(usize),
    /// The same, but there were so many challenges that an ACK does not answer an ACK (RFC 5961 section 7).
    ArriveAmongMany(usize),
    Lose(usize),
    Double(usize),
    Forge(Side, Forgery),
    Tick,
}

#[derive(Clone, Debug, Hash)]
pub struct World<M> {
    pub ends: [End<M>; 2],
    /// In [`Flying::order`], which is not the order of their arrival: there is none.
    pub flying: Vec<Flying>,
    pub left: Budget,
    /// What a stranger has sent: which laws it excuses depends on that.
    pub forged: Vec<Flags>,
    /// The initial numbers that each end has sent.
    pub begun: [Vec<SeqNum>; 2],
}

impl<M: Machine> World<M> {
    pub fn new(scenario: &Scenario) -> Self {
        let end = End::new(M::new(&scenario.parameters), 0);
        Self {
            ends: [end.clone(), end],
            flying: Vec::new(),
            left: scenario.budget,
            forged: Vec::new(),
            begun: [Vec::new(), Vec::new()],
        }
    }

    pub fn end(&self, side: Side) -> &End<M> {
        &self.ends[side as usize]
    }

    fn end_mut(&mut self, side: Side) -> &mut End<M> {
        &mut self.ends[side as usize]
    }

    /// All that may happen, some of which turns out to be no event in this state.
    pub fn events(&self, scenario: &Scenario) -> Vec<Event> {
        let mut events = Vec::with_capacity(32);
        for at in 0..self.flying.len() {
            if at > 0 && self.flying[at] == self.flying[at - 1] {
                continue; // the same as the one before
            }
            events.extend([Event::Arrive(at), Event::Lose(at)]);
            if self.left.doubled > 0 && self.flying.len() < scenario.channel {
                events.push(Event::Double(at));
            }
        }
        for side in Side::BOTH {
            events.push(Event::Timeout(side));
            events.extend(scenario.opens[side as usize].iter().map(|origin| Event::Open(side, *origin)));
            if self.end(side).said < scenario.says[side as usize] {
                events.push(Event::Send(side));
            }
            events.extend([Event::Read(side), Event::CloseWithPeer(side), Event::Close(side)]);
            if self.left.given_up > 0 {
                events.extend([Event::Abort(side), Event::UserTimeout(side)]);
            }
            if self.left.forged > 0 {
                events.extend(Forgery::all().map(|forgery| Event::Forge(side, forgery)));
            }
        }
        if self.left.ticks > 0 {
            events.push(Event::Tick);
        }
        events
    }

    /// The world after an event, or the law that it breaks; `None` if it is no event in this state.
    pub fn after(&self, event: Event, scenario: &Scenario, tale: &mut Tale) -> Option<Lawful<Self>> {
        let mut next = self.clone();
        tale.event(event, self);
        let lawful = next.happen(event, scenario, tale)?;
        for end in &mut next.ends {
            end.machine = end.machine.clone().timeless();
        }
        next.flying.sort_unstable_by(Flying::order);
        Some(lawful.and_then(|()| laws::of_world(&next)).map(|()| next))
    }

    fn happen(&mut self, event: Event, scenario: &Scenario, tale: &mut Tale) -> Option<Lawful<()>> {
        let mut step = Step { now: self.now(scenario), scenario, tale, throttled: false };
        match event {
            Event::Tick => self.left.ticks -= 1,
            Event::Lose(at) => drop(self.flying.remove(at)),
            Event::Double(at) => {
                self.left.doubled -= 1;
                self.flying.push(self.flying[at]);
            }
            Event::Arrive(at) | Event::ArriveAmongMany(at) => {
                let flying = self.flying.remove(at);
                step.throttled = event == Event::ArriveAmongMany(at);
                return Some(self.arrive(flying.to, &flying.segment, &flying.text(), &mut step));
            }
            Event::Forge(side, forgery) => {
                self.left.forged -= 1;
                self.forged.push(forgery.flags);
                let segment = forgery.segment(self.end(side).machine.tcb());
                return Some(self.arrive(side, &segment, &[], &mut step));
            }
            Event::Read(side) => {
                let before = self.end(side).clone();
                let (octet, update) = self.end_mut(side).machine.read(step.now)?;
                let heard = self.hear(side, &[octet]);
                let told =
                    update.map_or(Ok(()), |update| self.carry_out(side, &before, None, &update, &mut step));
                return Some(heard.and(told));
            }
            Event::CloseWithPeer(side) => self.end_mut(side).machine.close_with_peer(),
            Event::Open(side, _)
            | Event::Send(side)
            | Event::Close(side)
            | Event::Abort(side)
            | Event::UserTimeout(side)
            | Event::Timeout(side) => {
                let before = self.end(side).clone();
                let reaction = self.call(event, side, &step)?;
                return Some(self.carry_out(side, &before, None, &reaction, &mut step));
            }
        }
        Some(Ok(()))
    }

    fn now(&self, scenario: &Scenario) -> Instant {
        Instant::ORIGIN + Duration::from_millis(u64::from(scenario.budget.ticks - self.left.ticks))
    }

    /// A call of the user's, or a timeout; `None` if the state does not allow it.
    fn call(&mut self, event: Event, side: Side, step: &Step<'_>) -> Option<Reaction> {
        let now = step.now;
        let left = &mut self.left;
        let end = &mut self.ends[side as usize];
        match event {
            // Who has come back to LISTEN has a number that nobody knows yet.
            Event::Open(_, origin) if end.state() == State::Listen => {
                end.machine.open(origin, end.machine.tcb().snd().iss, now).ok()
            }
            Event::Open(_, origin) => match end.machine.open(origin, side.iss(end.life), now) {
                Err(CallError::Ended) if end.life + 1 < step.scenario.lives => {
                    *end = End::new(M::new(&step.scenario.parameters), end.life + 1);
                    end.machine.open(origin, side.iss(end.life), now).ok()
                }
                opened => opened.ok(),
            },
            Event::Send(_) => {
                let reaction =
                    end.machine.send(&[side.octet(end.machine.tcb().snd().iss, end.said)], now).ok()?;
                end.said += 1;
                Some(reaction)
            }
            Event::Close(_) => end.machine.close(now).ok(),
            Event::Abort(_) => {
                left.given_up -= 1;
                end.machine.abort().ok()
            }
            Event::UserTimeout(_) => {
                left.given_up = left.given_up.saturating_sub(1); // fairness may need one more
                end.machine.on_user_timeout()
            }
            Event::Timeout(_) => end.machine.on_timeout(now),
            _ => None,
        }
    }

    fn arrive(&mut self, side: Side, segment: &Segment, text: &[u8], step: &mut Step<'_>) -> Lawful<()> {
        let before = self.end(side).clone();
        let (reaction, taken) = self.end_mut(side).machine.on_segment(segment, text, step.now);
        self.hear(side, &taken)?;
        self.carry_out(side, &before, Some(segment), &reaction, step)
    }

    /// The user hears octets: what the peer has said, and no other.
    fn hear(&mut self, side: Side, octets: &[u8]) -> Lawful<()> {
        let end = self.end_mut(side);
        let irs = end.machine.tcb().rcv().irs;
        laws::of_text(side, irs, end.heard, octets)?;
        end.heard += octets.len() as u32;
        Ok(())
    }

    /// Sends what an event makes an end send, and holds it all to the law.
    fn carry_out(
        &mut self,
        side: Side,
        before: &End<M>,
        arrived: Option<&Segment>,
        reaction: &Reaction,
        step: &mut Step<'_>,
    ) -> Lawful<()> {
        laws::of_reaction(before.machine.tcb(), arrived, reaction, self.end(side).machine.tcb())?;
        if self.end(side).state() == State::Listen {
            let end = self.end_mut(side);
            *end = End::new(end.machine.clone(), end.life); // what was queued for the peer before is gone
        }
        if let Some(segment) = &reaction.segment {
            self.send(side, segment, step)?;
        }
        while let Some(more) = self.end_mut(side).machine.transmit(step.now) {
            laws::of_transmission(arrived, &more)?;
            if let Some(segment) = &more.segment {
                self.send(side, segment, step)?;
            }
        }
        laws::of_end(before, self.end(side))?;
        if reaction.completes_close() { laws::of_closed(self.end(side)) } else { Ok(()) }
    }

    fn send(&mut self, from: Side, segment: &Segment, step: &mut Step<'_>) -> Lawful<()> {
        step.tale.sends(from, segment);
        laws::of_segment(from, self.end(from), segment)?;
        let end = self.end_mut(from);
        end.note_sent(segment);
        let iss = end.machine.tcb().snd().iss;
        let begun = &mut self.begun[from as usize];
        if segment.has(Flags::SYN) && !begun.contains(&iss) {
            begun.push(iss);
        }
        let held_back = step.throttled && segment.is_empty() && segment.flags == Flags::ACK;
        if !held_back && self.flying.len() < step.scenario.channel {
            self.flying.push(Flying { to: from.other(), iss, segment: *segment });
        }
        Ok(())
    }
}

/// What an event happens in.
struct Step<'s> {
    now: Instant,
    scenario: &'s Scenario,
    tale: &'s mut Tale,
    throttled: bool,
}
