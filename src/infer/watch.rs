//! A connection of others, watched: both ends are followed, and each segment is told as a step of the local one.

use std::time::Duration;

use super::flow::{Flow, closes_window};
use crate::packet::IcmpError;
use crate::packet::captured::Extent;
use crate::record::connection::{Remark, Seen, Side};
use crate::record::{Event, Excerpt, IcmpEffect, Keep, Negotiation, Relative, Standing, Step, View};
use crate::tcp::{
    Arrows, Flags, Mss, Offer, Opt, OptionsBuilder, Parameters, Segment, SeqNum, Shown, State, Watched,
    WindowScale,
};
use crate::time::Instant;

/// When something was seen.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the first segment of its connection.
    pub at: Duration,
    /// Since 1970.
    pub since_1970: Duration,
}

/// A segment as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'s> {
    /// When.
    pub when: Moment,
    /// Who has sent it.
    pub from: Side,
    /// Its numbers.
    pub segment: &'s Segment,
    /// Whether its options were captured.
    pub options: Extent,
    /// Its text, as far as it was captured.
    pub text: &'s [u8],
    /// Time to live, or hop limit, where it was captured.
    pub ttl: u8,
    /// What an IPv4 header tells packets apart by.
    pub identification: Option<u16>,
    /// Its packet before the text.
    pub headers: &'s [u8],
}

/// The segment as both ends are led through it: where the options of a SYN were cut off, windows are taken for the
/// largest that they could mean.
fn understood(sight: &Sight<'_>) -> Segment {
    let largest = OptionsBuilder::default()
        .push(Opt::WindowScale(WindowScale::LARGEST.get()))
        .map(OptionsBuilder::build);
    match (sight.options, sight.segment.has(Flags::SYN), largest) {
        (Extent::Cut, true, Ok(options)) => Segment { options, ..*sight.segment },
        _ => *sight.segment,
    }
}

/// Both ends of a connection, as far as they show.
#[derive(Clone, Debug)]
pub struct Watch {
    exchange: u32,
    rungs: u32,
    local: Party,
    remote: Party,
    /// The SYN of the remote end, and its TTL.
    remote_syn: Option<(Segment, u8)>,
    /// What the SYN of the local end offers.
    offered: Option<(Offer, Mss)>,
    negotiation: Option<Negotiation>,
    /// Whether the options of both SYNs were captured.
    agreement_is_known: bool,
}

#[derive(Clone, Debug)]
struct Party {
    end: Watched,
    flow: Flow,
    /// Whether it has sent anything that was seen.
    seen: bool,
}

impl Party {
    fn new(end: Watched) -> Self {
        Self { end, flow: Flow::default(), seen: false }
    }

    fn view(&self) -> View {
        let tcb = self.end.tcb();
        View {
            snd: *tcb.snd(),
            rcv: *tcb.rcv(),
            snd_scale: tcb.snd_scale().get(),
            rto: tcb.retransmission_timeout(),
        }
    }

    fn standing(&self) -> Standing {
        Standing { state: self.end.tcb().state(), view: self.view() }
    }
}

impl Watch {
    /// Begins with the first segment seen, which is to be [`seen`](Self::see) next.
    pub fn begin(exchange: u32, first: &Sight<'_>) -> Self {
        let segment = first.segment;
        let (sender, receiver) = match (segment.has(Flags::SYN), segment.has(Flags::ACK)) {
            (true, false) => (Watched::closed(), Watched::listening()),
            (true, true) => (Watched::listening(), Watched::opening(segment)),
            (false, _) => (Watched::joined_sending(segment), Watched::joined_hearing(segment)),
        };
        let (local, remote) = match first.from {
            Side::Local => (sender, receiver),
            Side::Remote => (receiver, sender),
        };
        Self {
            exchange,
            rungs: 0,
            local: Party::new(local),
            remote: Party::new(remote),
            remote_syn: None,
            offered: None,
            negotiation: None,
            agreement_is_known: true,
        }
    }

    /// The next segment.
    pub fn see(&mut self, sight: &Sight<'_>) -> Step {
        let before = self.local.standing();
        let remark = self.remark(sight);
        let is_new = remark != Some(Remark::Duplicate); // who has made two of it, nobody knows
        let shown = if is_new { self.follow(sight) } else { Shown::default() };
        self.note_syn(sight);
        self.note_opening(shown);
        let event = self.event(sight, remark);
        let step = self.step(sight.when, event, before, remark, sight.headers);
        Step { arrows: shown.arrows, clause: shown.clause, ..step }
    }

    /// The local end is told of an ICMP error. What it makes of one does not show.
    pub fn hear_icmp(&mut self, error: &IcmpError, when: Moment, packet: &[u8]) -> Step {
        let before = self.local.standing();
        let snd = before.view.snd;
        let under_way = error.seq.at_or_after(snd.una) && error.seq.before(snd.nxt);
        let effect = if under_way { IcmpEffect::Noted } else { IcmpEffect::NotOurs };
        let event = Event::Icmp { error: *error, effect };
        self.step(when, event, before, None, Keep::Headers.of(packet, None))
    }

    /// What is told of anything seen.
    fn step(
        &mut self,
        when: Moment,
        event: Event,
        before: Standing,
        remark: Option<Remark>,
        packet: &[u8],
    ) -> Step {
        self.rungs = self.rungs.saturating_add(1);
        let remote = self.remote.seen.then(|| self.remote.end.tcb().state());
        let Standing { state, view } = self.local.standing();
        Step {
            exchange: self.exchange,
            n: self.rungs,
            at: when.at,
            since_1970: when.since_1970,
            event,
            arrows: Arrows::NONE,
            state,
            clause: None,
            view,
            before,
            packet: packet.into(),
            late: false,
            seen: Some(Seen { remote, remark }),
        }
    }

    /// What was agreed on, once, when the local end is open.
    pub fn take_negotiation(&mut self) -> Option<Negotiation> {
        self.negotiation.take()
    }

    fn parties(&mut self, from: Side) -> (&mut Party, &mut Party) {
        match from {
            Side::Local => (&mut self.local, &mut self.remote),
            Side::Remote => (&mut self.remote, &mut self.local),
        }
    }

    /// What is out of the ordinary: of several things the one that says most.
    fn remark(&mut self, sight: &Sight<'_>) -> Option<Remark> {
        let segment = sight.segment;
        let (sender, receiver) = self.parties(sight.from);
        let repeated = sender.flow.repeats_ack(segment, &receiver.flow);
        let of_numbers = sender.flow.sends(segment, sight.identification, sight.when.at);
        let acknowledgment = segment.acknowledgment().filter(|_| !segment.has(Flags::RST));
        let unseen = acknowledgment.and_then(|ack| receiver.flow.is_acknowledged(ack));
        of_numbers
            .or(unseen)
            .or(closes_window(segment).then_some(Remark::WindowClosed))
            .or(repeated.then_some(Remark::RepeatedAck))
    }

    /// Both ends, moved on; what it shows of the local one.
    fn follow(&mut self, sight: &Sight<'_>) -> Shown {
        let at = Instant::ORIGIN + sight.when.at;
        let (sender, receiver) = self.parties(sight.from);
        sender.seen = true;
        let segment = understood(sight);
        let sending = sender.end.seen_sending(&segment, at);
        let hearing = receiver.end.hears(&segment, at);
        match sight.from {
            Side::Local => sending,
            Side::Remote => hearing,
        }
    }

    fn note_syn(&mut self, sight: &Sight<'_>) {
        if !sight.segment.has(Flags::SYN) || sight.segment.has(Flags::RST) {
            return;
        }
        self.agreement_is_known &= sight.options == Extent::Whole;
        match sight.from {
            Side::Local => {
                let mss = sight.segment.options.syn().mss.unwrap_or(Mss::DEFAULT_IPV4);
                self.offered = Some((self.local.end.offered(), mss));
            }
            Side::Remote => self.remote_syn = Some((*sight.segment, sight.ttl)),
        }
    }

    fn note_opening(&mut self, shown: Shown) {
        let opened =
            self.agreement_is_known && shown.arrows.iter().any(|arrow| arrow.to == State::Established);
        if let (true, Some((syn, ttl)), Some((offer, mss))) = (opened, self.remote_syn, self.offered) {
            let parameters = Parameters { mss, offer, ..Parameters::default() };
            let tcb = self.local.end.tcb();
            self.negotiation = Some(Negotiation::new(self.exchange, &parameters, tcb, &syn, ttl));
        }
    }

    fn event(&self, sight: &Sight<'_>, remark: Option<Remark>) -> Event {
        let (segment, text) = (*sight.segment, Excerpt::of(sight.text));
        match sight.from {
            Side::Local => {
                let again = remark == Some(Remark::Retransmission);
                let retransmission = if again { self.local.flow.times_again(&segment) } else { 0 };
                let relative = relative(&segment, &self.local, &self.remote);
                Event::Sent { segment, relative, text, retransmission }
            }
            Side::Remote => {
                let relative = relative(&segment, &self.remote, &self.local);
                Event::Received { segment, relative, text, ttl: sight.ttl }
            }
        }
    }
}

/// Numbers counted from the initial ones, where those were seen.
fn relative(segment: &Segment, sender: &Party, receiver: &Party) -> Relative {
    let from = |initial: SeqNum, number: SeqNum| number.0.wrapping_sub(initial.0);
    Relative {
        seq: sender.end.initial().map(|initial| from(initial, segment.seq)),
        ack: receiver
            .end
            .initial()
            .and_then(|initial| segment.acknowledgment().map(|ack| from(initial, ack))),
    }
}
