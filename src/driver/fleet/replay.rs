//! The steps of an exchange, told from the packets that were kept of it.
//!
//! A fleet records packets, not steps: the machine is pure, so the same packets lead it through the same steps
//! again. What is told of a segment is read from its packet.

use std::io;
use std::net::SocketAddr;

use super::trace::{Direction, KeptPacket, KeptPackets};
use crate::driver::observe::Observer;
use crate::driver::story::{Part, Story, Told};
use crate::driver::{Plan, verdict};
use crate::packet::{IcmpError, Protocol, TransportChecksum, icmp, ip, tcp};
use crate::record::{Event, Excerpt, GuardSummary, IcmpEffect, Outcome};
use crate::tcp::{Clause, Flags, Origin, Parameters, Reaction, Segment, SeqNum, State, Tcb};
use crate::time::{Instant, Reading};
use crate::wire::SendError;

/// An exchange that is over, with what is known of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The name the user gave for it.
    pub host: Option<String>,
    /// How the connection was made.
    pub parameters: Parameters,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub ended: Instant,
    /// Its packets.
    pub kept: KeptPackets,
    /// What kept the kernel's RST in.
    pub guard: GuardSummary,
}

/// Tells `observer` how it began, and each step.
pub fn replay(recorded: &Recorded, observer: &mut dyn Observer) {
    let Some(begun) = recorded.kept.packets.first().map(|packet| packet.at) else { return };
    let plan = Plan {
        host: recorded.host.clone(),
        parameters: recorded.parameters,
        ..Plan::new(recorded.remote, SeqNum(0))
    };
    let mut replay = Replay {
        story: Story::begin(
            begun,
            Reading::default(),
            observer,
            recorded.local,
            recorded.guard.clone(),
            &plan,
        ),
        tcb: Tcb::new(&recorded.parameters),
        owed: None,
        observer,
    };
    for packet in &recorded.kept.packets {
        replay.packet(packet);
    }
    if !recorded.kept.incomplete {
        replay.end(recorded);
    }
}

struct Replay<'r> {
    story: Story,
    tcb: Tcb,
    /// The answer to the segment that arrived last, and why it is given.
    owed: Option<(Segment, Reaction)>,
    observer: &'r mut dyn Observer,
}

impl Replay<'_> {
    fn packet(&mut self, kept: &KeptPacket) {
        let Ok(packet) = ip::parse(&kept.octets) else { return };
        if packet.protocol != Protocol::Tcp {
            if let Ok(Some(error)) = icmp::parse(&packet) {
                self.icmp(error, kept);
            }
            return;
        }
        // What did not verify was not kept.
        let Ok(read) = tcp::parse(packet.payload, packet.addresses, TransportChecksum::LeftToCard) else {
            return;
        };
        match kept.direction {
            Direction::Sent | Direction::Unsent => self.sent(&read.segment, kept),
            Direction::Received => self.received(&read.segment, read.text, packet.ttl, kept),
        }
    }

    fn sent(&mut self, segment: &Segment, kept: &KeptPacket) {
        let at = kept.at;
        let is_owed = |(owed, _): &mut (Segment, Reaction)| {
            (owed.seq, owed.ack, owed.flags) == (segment.seq, segment.ack, segment.flags)
        };
        let (reaction, part) = match self.owed.take_if(is_owed) {
            Some((_, reaction)) => (Some(reaction), Part::Reply),
            None => (self.call(segment, at), Part::Call),
        };
        let Some(reaction) = reaction else { return };
        let told = Told { observer: self.observer, at, tcb: &self.tcb, packet: &kept.octets };
        if kept.direction == Direction::Unsent {
            let error = SendError::Other(io::Error::other("the socket took no more"));
            return self.story.unsent(told, segment, &error, &reaction, part);
        }
        self.story.sent(told, segment, Excerpt::default(), &reaction, part);
    }

    /// What must have been called for this segment to be sent.
    fn call(&mut self, segment: &Segment, at: Instant) -> Option<Reaction> {
        let state = self.tcb.state();
        if state == State::Closed {
            return self.tcb.open(Origin::Active, segment.seq, at).ok();
        }
        if segment.has(Flags::RST) {
            return Some(Reaction { clause: Clause::UserTimeout, ..self.tcb.abort().ok()? });
        }
        if segment.has(Flags::FIN) && matches!(state, State::Established | State::CloseWait) {
            return self.tcb.close(at).ok();
        }
        let due = self.tcb.deadline()?.at;
        self.tcb.on_timeout(at.max(due))
    }

    fn received(&mut self, segment: &Segment, text: &[u8], ttl: u8, kept: &KeptPacket) {
        let at = kept.at;
        let reaction = self.tcb.on_segment(segment, at);
        self.owed = reaction.segment.map(|answer| (answer, reaction));
        let told = Told { observer: self.observer, at, tcb: &self.tcb, packet: &kept.octets };
        self.story.received(told, segment, Excerpt::of(text), ttl, &reaction);
    }

    fn icmp(&mut self, error: IcmpError, kept: &KeptPacket) {
        let at = kept.at;
        let Some(effect) = verdict::icmp_effect(&error, &self.tcb) else { return };
        let told = Told { observer: self.observer, at, tcb: &self.tcb, packet: &kept.octets };
        self.story.rung(told, Event::Icmp { error, effect }, None);
        if effect == IcmpEffect::Fatal {
            self.quiet(Clause::IcmpEndsOpening, at);
        }
    }

    /// What ended it without a segment.
    fn end(&mut self, recorded: &Recorded) {
        let at = recorded.ended;
        let is_over = matches!(self.tcb.state(), State::Closed | State::TimeWait);
        if is_over {
            return;
        }
        if matches!(recorded.outcome, Outcome::Interrupted(_)) {
            if let Ok(reaction) = self.tcb.abort() {
                self.tell_quiet(&reaction, at);
            }
            return;
        }
        let timer = self.tcb.deadline().filter(|timer| timer.at <= at);
        match timer.and_then(|_| self.tcb.on_timeout(at)) {
            Some(reaction) if reaction.segment.is_none() => self.tell_quiet(&reaction, at),
            _ => self.quiet(Clause::UserTimeout, at),
        }
    }

    fn quiet(&mut self, clause: Clause, at: Instant) {
        if let Ok(reaction) = self.tcb.abort() {
            self.tell_quiet(&Reaction { clause, ..reaction }, at);
        }
    }

    fn tell_quiet(&mut self, reaction: &Reaction, at: Instant) {
        let told = Told { observer: self.observer, at, tcb: &self.tcb, packet: &[] };
        self.story.rung(told, Event::Quiet, Some(reaction));
    }
}
