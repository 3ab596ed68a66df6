//! One connection: its stream, its story, and what its plan does next.
//!
//! A flow owns no wire: whoever drives it hands in what happened, and the [`Outside`] to act on. Here is what comes and
//! what leaves; what the plan does next is in `planned`, what lasts how long in `patience`, which acknowledgment waits
//! in `owed`.

mod outside;
mod owed;
mod patience;
mod planned;

use std::net::SocketAddr;

pub(super) use self::outside::{LONGEST_PACKET, Outside};
use self::patience::Phase;
use super::hear::Heard;
use super::plan::{Open, Plan};
use super::single::DriveError;
use super::story::{Part, Story};
use super::talk::{Say, Talk};
use super::verdict::{self, SoFar};
use crate::guard::Tally;
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, IcmpError, Ports};
use crate::record::{Event, Excerpt, GuardSummary, IcmpEffect, Outcome, Summary, TimeWait};
use crate::tcp::{
    Clause, Flags, Mss, Options, OptionsBuilder, Origin, Reaction, Segment, SeqNum, State, Stream, Tcb,
};
use crate::time::{Instant, Reading};
use crate::wire::SendError;

/// A segment of the peer's, in its packet.
struct Arrived<'p> {
    segment: &'p Segment,
    text: &'p [u8],
    ttl: u8,
    packet: &'p [u8],
}

/// Both ECN bits of the type of service (RFC 3168 section 5).
const CONGESTION_EXPERIENCED: u8 = 0b11;

pub(super) struct Flow<T> {
    pub(super) plan: Plan,
    pub(super) story: Story,
    stream: Stream,
    pub(super) talk: T,
    local: SocketAddr,
    addresses: Addresses,
    ports: Ports,
    phase: Phase,
    pub(super) phase_ends: Instant,
    pub(super) outcome: Option<Outcome>,
    so_far: SoFar,
    pub(super) was_open: bool,
    said_all: bool,
    trouble: Option<String>,
    pub(super) resets_received: u32,
    /// Our SYN, as it left.
    syn: Option<Segment>,
    /// What the peer's SYN looked like, until it is told.
    peer_syn: Option<(Segment, u8)>,
    /// The latest moment the machine was told of: its time does not run backwards.
    latest: Instant,
    identification: u16,
    /// An acknowledgment that waits for what else has arrived, and since when.
    owed: Option<(Reaction, Instant)>,
}

impl<T: Talk> Flow<T> {
    pub(super) fn new(
        plan: Plan,
        local: SocketAddr,
        guard: GuardSummary,
        talk: T,
        begun: Instant,
        out: &mut Outside<'_>,
    ) -> Result<Self, DriveError> {
        let addresses = Addresses::new(local.ip(), plan.remote.ip()).ok_or(DriveError::Families)?;
        let reading = if plan.simulated { Reading::default() } else { Reading::just_after(out.wire.now()) };
        Ok(Self {
            story: Story::begin(begun, reading, out.observer, local, guard, &plan),
            stream: Stream::new(&plan.parameters, plan.nagle),
            talk,
            local,
            addresses,
            ports: Ports { source: local.port(), destination: plan.remote.port() },
            phase: Phase::Opening,
            phase_ends: begun + plan.timeout,
            outcome: None,
            so_far: SoFar { role: plan.role, noted: None, heard: false },
            was_open: false,
            said_all: false,
            trouble: None,
            resets_received: 0,
            syn: None,
            peer_syn: None,
            latest: begun,
            identification: plan.iss.0 as u16 | 1, // any but zero, which the kernel would replace
            owed: None,
            plan,
        })
    }

    pub(super) const fn tcb(&self) -> &Tcb {
        self.stream.tcb()
    }

    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The SYN. If this one does not leave, nothing was begun.
    pub(super) fn open(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        let now = self.now(out);
        let on_syn = if self.plan.text_on_syn { self.first_words() } else { Vec::new() };
        let Ok(reaction) = self.stream.open(Origin::Active, self.plan.iss, &on_syn, now) else {
            return Ok(()); // a new connection is in CLOSED, where an open is always allowed
        };
        if let Some(segment) = reaction.segment {
            let segment = self.dressed(segment);
            let at = self.send(&segment, out)??;
            self.syn = Some(segment);
            let text = Excerpt::of(self.stream.text_of(&segment));
            let told = out.telling_sent(at, &self.stream);
            self.story.sent(told, &segment, text, &reaction, Part::Call);
        }
        Ok(())
    }

    /// LISTEN: nothing is sent, nothing to tell.
    pub(super) fn listen(&mut self, origin: Origin, out: &mut Outside<'_>) {
        let now = self.now(out);
        let _ = self.stream.open(origin, self.plan.iss, &[], now);
    }

    /// Goes through the open of a client whose SYN was answered with a cookie: what is left of that SYN is
    /// `syn`. Nothing of it is told or sent again; the client's ACK comes next.
    pub(super) fn recall(&mut self, syn: &Segment, out: &mut Outside<'_>) {
        let now = self.now(out);
        let reaction = self.stream.on_segment(syn, &[], now);
        let told = Reaction { segment: None, clause: Clause::SynCookie, ..reaction };
        self.story.recalled(self.stream.tcb());
        self.quiet(now, &told, out);
    }

    fn first_words(&mut self) -> Vec<u8> {
        let most = usize::from(self.plan.parameters.mss.min(self.plan.parameters.default_peer_mss).get());
        match self.talk.say(most) {
            Say::Text(text) => text,
            Say::Later | Say::Done => Vec::new(),
        }
    }

    pub(super) fn now(&mut self, out: &Outside<'_>) -> Instant {
        self.latest = out.wire.now().max(self.latest);
        self.latest
    }

    pub(super) fn on_packet(
        &mut self,
        heard: &Heard<'_>,
        packet: &[u8],
        at: Instant,
        out: &mut Outside<'_>,
    ) -> Result<(), DriveError> {
        match *heard {
            Heard::Segment { ref segment, text, ttl, tos } => {
                if tos & CONGESTION_EXPERIENCED == CONGESTION_EXPERIENCED {
                    self.stream.note_congestion();
                }
                self.on_segment(&Arrived { segment, text, ttl, packet }, at, out)?;
            }
            Heard::Icmp(error) => self.on_icmp(error, packet, at, out)?,
            Heard::OurKernel(segment) => {
                let told = out.telling(at, &self.stream, packet);
                self.story.kernel_reset(told, segment);
            }
            Heard::Unreadable(error) => {
                let told = out.telling(at, &self.stream, packet);
                self.story.rung(told, Event::Unreadable(error), None);
            }
            Heard::Foreign => {}
        }
        Ok(())
    }

    /// Something happened without a packet.
    fn quiet(&mut self, at: Instant, reaction: &Reaction, out: &mut Outside<'_>) {
        let told = out.telling(at, &self.stream, &[]);
        self.story.rung(told, Event::Quiet, Some(reaction));
    }

    fn on_segment(
        &mut self,
        arrived: &Arrived<'_>,
        at: Instant,
        out: &mut Outside<'_>,
    ) -> Result<(), DriveError> {
        let Arrived { segment, text, ttl, packet } = *arrived;
        self.so_far.heard = true;
        self.resets_received += u32::from(segment.has(Flags::RST));
        self.latest = at.max(self.latest);
        if self.plan.open == Open::Simultaneous && self.tcb().state() == State::SynSent {
            if segment.has(Flags::RST) {
                // The peer is not there yet; our SYN goes out again with the timer.
                let told = out.telling(at, &self.stream, packet);
                self.story.passed_over(told, segment, ttl);
                return Ok(());
            }
            self.cross(segment, out)?;
        }
        let progress = self.progress();
        let reaction = self.stream.on_segment(segment, text, self.latest);
        if self.takes_syn(segment) {
            self.peer_syn = Some((*segment, ttl));
        }
        let reply = reaction.segment.map(|reply| self.dressed(reply));
        let reaction = Reaction { segment: reply, clause: self.by_its_way(reaction.clause, ttl), ..reaction };
        let split = self.plan.open == Open::Split && reaction.clause == Clause::ListenTakesSyn;
        let excerpt = Excerpt::of(text);
        let told = out.telling(at, &self.stream, packet);
        self.story.received(told, segment, excerpt, ttl, &reaction);
        if split {
            self.send_apart(&reaction, out)?;
        } else if !self.owe(&reaction, out) {
            let sent = reaction.segment.map(|reply| self.send(&reply, out)).transpose()?;
            self.tell(&reaction, sent, Part::Reply, out);
        }
        self.hand_over(out)?;
        self.transmit_rest(out)?;
        if self.progress() != progress {
            self.renew_patience(progress, out);
        }
        self.judge(&reaction);
        self.follow_plan(out)
    }

    /// Whether the connection has, now that it has arrived, begun with this SYN.
    fn takes_syn(&self, segment: &Segment) -> bool {
        let knows_peer = !matches!(self.tcb().state(), State::Closed | State::Listen | State::SynSent);
        segment.has(Flags::SYN) && !self.was_open && knows_peer && segment.seq == self.tcb().rcv().irs
    }

    /// A RST counts by its number alone; one that has not come the way the peer's SYN came is told as what it may be,
    /// somebody else's (O-02).
    fn by_its_way(&self, clause: Clause, ttl: u8) -> Clause {
        let elsewhere = self.peer_syn.is_some_and(|(_, of_syn)| of_syn != ttl);
        if elsewhere && clause == Clause::RstResets { Clause::RstFromElsewhere } else { clause }
    }

    /// Meets a SYN of the peer's with our own, whatever became of the one before: the two cross.
    fn cross(&mut self, segment: &Segment, out: &mut Outside<'_>) -> Result<(), DriveError> {
        let bare = segment.has(Flags::SYN) && !segment.has(Flags::ACK);
        let Some(syn) = self.syn.filter(|_| bare) else { return Ok(()) };
        if let Ok(at) = self.send(&syn, out)? {
            let told = out.telling_sent(at, &self.stream);
            self.story.sent_again(told, &syn);
        }
        Ok(())
    }

    /// A SYN,ACK as an ACK and a SYN: to the client that is a simultaneous open.
    fn send_apart(&mut self, reaction: &Reaction, out: &mut Outside<'_>) -> Result<(), DriveError> {
        let Some(syn_ack) = reaction.segment else { return Ok(()) };
        let ack = Segment { flags: Flags::ACK, options: Options::NONE, ..syn_ack };
        let syn = Segment { flags: Flags::SYN, ack: SeqNum(0), ..syn_ack };
        for segment in [ack, syn] {
            let apart = Reaction { segment: Some(segment), clause: Clause::ListenSplits, ..*reaction };
            let sent = self.send(&segment, out)?;
            self.tell(&apart, Some(sent), Part::Reply, out);
        }
        Ok(())
    }

    /// A call of ours, or a timeout: what it sends is a rung, and so is what it ends without sending.
    fn call(&mut self, reaction: &Reaction, out: &mut Outside<'_>) -> Result<(), DriveError> {
        let reaction =
            &Reaction { segment: reaction.segment.map(|segment| self.dressed(segment)), ..*reaction };
        let sent = reaction.segment.map(|segment| self.send(&segment, out)).transpose()?;
        if sent.is_none() && !reaction.arrows.is_empty() {
            self.quiet(self.latest, reaction, out);
        }
        self.tell(reaction, sent, Part::Call, out);
        self.transmit_rest(out)?;
        self.judge(reaction);
        Ok(())
    }

    fn transmit_rest(&mut self, out: &mut Outside<'_>) -> Result<(), DriveError> {
        loop {
            let now = self.now(out);
            let Some(reaction) = self.stream.transmit(now) else { return Ok(()) };
            let sent = reaction.segment.map(|segment| self.send(&segment, out)).transpose()?;
            self.tell(&reaction, sent, Part::Call, out);
        }
    }

    /// A SYN with the options that the user added, behind ours; where there is no room for them it stays as it is.
    fn dressed(&self, segment: Segment) -> Segment {
        if !segment.has(Flags::SYN) || self.plan.syn_options.is_empty() {
            return segment;
        }
        let options = OptionsBuilder::joining(&segment.options, &self.plan.syn_options);
        Segment { options: options.unwrap_or(segment.options), ..segment }
    }

    /// A segment that does not leave is lost, as it might be anywhere on its way: the timers deal with it. Each
    /// packet has an identification of its own, also one that repeats another: with DF it means nothing (MAY-4).
    fn send(
        &mut self,
        segment: &Segment,
        out: &mut Outside<'_>,
    ) -> Result<Result<Instant, SendError>, DriveError> {
        self.identification = self.identification.wrapping_add(1).max(1);
        let ip = IpFields {
            addresses: self.addresses,
            ttl: self.plan.ttl,
            identification: self.identification,
            tos: self.plan.tos,
        };
        let at = self.now(out);
        if segment.has(Flags::ACK) {
            self.owed = None; // it acknowledges as much
        }
        Ok(out.send(&ip, self.ports, segment, self.stream.text_of(segment))?.map(|()| at))
    }

    fn tell(
        &mut self,
        reaction: &Reaction,
        sent: Option<Result<Instant, SendError>>,
        part: Part,
        out: &mut Outside<'_>,
    ) {
        let (Some(segment), Some(sent)) = (reaction.segment, sent) else { return };
        let at = sent.as_ref().map_or(self.latest, |at| *at);
        let told = out.telling_sent(at, &self.stream);
        match sent {
            Ok(_) => {
                let text = Excerpt::of(self.stream.text_of(&segment));
                self.story.sent(told, &segment, text, reaction, part);
            }
            Err(error) => self.story.unsent(told, &segment, &error, reaction, part),
        }
    }

    /// Ends the connection, with a RST where the peer may know of it; `clause` says why.
    pub(super) fn abort(
        &mut self,
        outcome: Outcome,
        clause: Clause,
        out: &mut Outside<'_>,
    ) -> Result<(), DriveError> {
        self.outcome = Some(outcome);
        self.now(out);
        match self.stream.abort() {
            // Whether an abort takes a RST, the machine knows best.
            Ok(reaction) if clause == Clause::Abort => self.call(&reaction, out),
            Ok(reaction) => self.call(&Reaction { clause, ..reaction }, out),
            Err(_) => Ok(()), // gone already
        }
    }

    fn judge(&mut self, reaction: &Reaction) {
        if self.outcome.is_none() {
            self.outcome = verdict::judge(reaction, self.stream.tcb(), self.so_far);
        }
    }

    fn on_icmp(
        &mut self,
        error: IcmpError,
        packet: &[u8],
        at: Instant,
        out: &mut Outside<'_>,
    ) -> Result<(), DriveError> {
        let effect = match verdict::icmp_effect(&error, self.tcb()) {
            None => return Ok(()),
            Some(IcmpEffect::Fatal) if self.outcome.is_some() => IcmpEffect::Noted, // it ended once
            Some(effect) => effect,
        };
        let told = out.telling(at, &self.stream, packet);
        self.story.rung(told, Event::Icmp { error, effect }, None);
        match effect {
            IcmpEffect::Fatal => {
                return self.abort(Outcome::Unreachable(error), Clause::IcmpEndsOpening, out);
            }
            IcmpEffect::Noted => {
                self.so_far.noted = Some(error);
                if let Some(mtu) = error.mtu {
                    self.stream.note_narrow_path(Mss::fitting(mtu, error.remote.ip()));
                    self.transmit_rest(out)?;
                }
            }
            IcmpEffect::NotOurs => {}
        }
        Ok(())
    }

    pub(super) fn summarize(&self, tally: Tally, lost: u32) -> Summary {
        let outcome = self.outcome.clone().unwrap_or(Outcome::Silent { heard: self.so_far.heard });
        let tcb = self.tcb();
        let time_wait = (tcb.state() == State::TimeWait).then(|| {
            let full = tcb.time_wait();
            TimeWait { full, kept: self.plan.linger.after(tcb.smoothed_rtt(), full) }
        });
        Summary {
            noted: self.so_far.noted,
            packets_lost: lost,
            time_wait,
            expected: self.talk.expectation(),
            as_expected: self.talk.is_as_expected(),
            trouble: self.trouble.clone(),
            ..self.story.summary(outcome, &self.stream, tally)
        }
    }
}
