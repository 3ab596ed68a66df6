//! Hand-built segments: sends one, once or several times, and tells every answer. There is no connection.

use std::net::SocketAddr;
use std::time::Duration;

use super::flow::LONGEST_PACKET;
use super::hear::{Heard, copied, hear};
use super::single::{DriveError, PendingSignal};
use super::story::summarize;
use crate::guard::Guard;
use crate::packet::ip::IpFields;
use crate::packet::{
    Addresses, DecodeError, Defects, IcmpError, Ports, Severity, TransportChecksum, emit_with, ip, tcp,
};
use crate::record::connection::Source;
use crate::record::sending::{Event, News, Rung, Shown, Sum, Verdict};
use crate::record::{Excerpt, Opening, Relative, Role, Signal};
use crate::tcp::{Flags, Meaning, Segment};
use crate::time::{self, Instant};
use crate::wire::{Arrival, Wire};

/// What to send, and for how long to listen.
#[derive(Clone, Debug)]
pub struct Order {
    /// The target.
    pub remote: SocketAddr,
    /// The name the user gave for it.
    pub host: Option<String>,
    /// The segment; `text_len` is what `text` has.
    pub segment: Segment,
    /// Its text.
    pub text: Vec<u8>,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// What is to be wrong with it.
    pub defects: Defects,
    /// How often to send it.
    pub count: u32,
    /// From one to the next.
    pub interval: Duration,
    /// How long to listen after the last.
    pub timeout: Duration,
    /// Whether to hand over whole packets, too.
    pub packets: Packets,
}

/// What becomes of the octets of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// They are not kept.
    Read,
    /// They are handed over with the rung.
    Kept,
}

/// Sends as ordered, tells each segment, each answer and the verdict, and yields the verdict.
///
/// What arrives between two segments is heard as it comes; all of `order.timeout` is spent after the last, for
/// an answer may come twice. Nothing else is ever sent: what answers the answers is the kernel, where no
/// guard holds it back.
pub fn send(
    guard: &Guard,
    wire: &mut dyn Wire,
    order: &Order,
    tell: &mut dyn FnMut(News),
    signal: PendingSignal<'_>,
) -> Result<Verdict, DriveError> {
    let mut sending = Sending::new(guard, wire, order, tell)?;
    let mut interrupted = None;
    for number in 1..=order.count {
        sending.send()?;
        let patience = if number == order.count { order.timeout } else { order.interval };
        interrupted = sending.listen(patience, signal)?;
        if interrupted.is_some() {
            break;
        }
    }
    Ok(sending.end(interrupted))
}

struct Sending<'s> {
    guard: &'s Guard,
    wire: &'s mut dyn Wire,
    order: &'s Order,
    tell: &'s mut dyn FnMut(News),
    /// What the other end can read of our segment.
    sent: Readable,
    begun: Option<Instant>,
    sent_at: Option<Instant>,
    rungs: u32,
    account: Account,
    packet: Vec<u8>,
}

/// Our segment as it stands in the packet: a data offset that is not true moves the border of the text.
#[derive(Clone, Copy)]
struct Readable {
    segment: Segment,
    text: Excerpt,
    fault: Option<DecodeError>,
}

/// What has come until now.
#[derive(Default)]
struct Account {
    sent: u32,
    answers: u32,
    resets: u32,
    kernel_resets: u32,
    first: Option<(Segment, Meaning, Duration)>,
    /// The first SYN,ACK.
    syn_ack: Option<Segment>,
    icmp: Option<IcmpError>,
}

impl<'s> Sending<'s> {
    fn new(
        guard: &'s Guard,
        wire: &'s mut dyn Wire,
        order: &'s Order,
        tell: &'s mut dyn FnMut(News),
    ) -> Result<Self, DriveError> {
        let local = guard.local();
        let addresses = Addresses::new(local.ip(), order.remote.ip()).ok_or(DriveError::Families)?;
        tell(News::Begin(Opening {
            number: 1,
            role: Role::Active,
            at: Duration::ZERO,
            local,
            remote: order.remote,
            host: order.host.clone(),
            among: None,
            guard: summarize(guard),
            simulated: false,
            source: Source::Ourselves,
            unix_seconds: time::unix_seconds(),
        }));
        let identification = order.segment.seq.0 as u16 | 1; // any but zero, which the kernel would replace
        let ip = IpFields { addresses, ttl: order.ttl, tos: order.tos, identification };
        let ports = Ports { source: local.port(), destination: order.remote.port() };
        let mut packet = vec![0; LONGEST_PACKET];
        let len = emit_with(order.defects, &ip, ports, &order.segment, &order.text, &mut packet)?;
        packet.truncate(len);
        let sent = Readable::of(&packet, order);
        Ok(Self {
            guard,
            wire,
            order,
            tell,
            sent,
            begun: None,
            sent_at: None,
            rungs: 0,
            account: Account::default(),
            packet,
        })
    }

    /// If the first does not leave, nothing was begun; a later one is missing, and told to be.
    fn send(&mut self) -> Result<(), DriveError> {
        let at = self.wire.now();
        let left = self.wire.send(&self.packet);
        let Readable { segment, text, fault } = self.sent;
        let Order { ttl, tos, defects, .. } = *self.order;
        let shown = Shown { segment, relative: self.counted_as_ours(&segment), text, ttl, tos };
        let event = match left {
            Ok(()) => {
                self.account.sent += 1;
                self.sent_at = Some(at);
                Event::Sent { shown, defects, fault }
            }
            Err(error) if self.begun.is_none() => return Err(error.into()),
            Err(error) => Event::Unsent { shown, why: error.to_string() },
        };
        let packet = kept(self.order.packets, &self.packet);
        self.rung(at, event, None, packet);
        Ok(())
    }

    /// Hears what comes for as long as `patience`. What never ceases to arrive does not make it longer.
    fn listen(
        &mut self,
        patience: Duration,
        signal: PendingSignal<'_>,
    ) -> Result<Option<Signal>, DriveError> {
        let until = self.wire.now() + patience;
        let (local, remote) = (self.guard.local(), self.order.remote);
        let mut octets = Vec::new();
        loop {
            let received = match self.wire.receive(Some(until))? {
                Arrival::Packet(received) => copied(&received, &mut octets),
                Arrival::DeadlinePassed => return Ok(None),
                Arrival::Woken => match signal() {
                    None => continue,
                    caught => return Ok(caught),
                },
            };
            let (heard, at) = (hear(&received, local, remote), received.at);
            let packet = kept(self.order.packets, received.octets);
            self.on_packet(&heard, at, packet);
            if at >= until {
                return Ok(None);
            }
        }
    }

    fn on_packet(&mut self, heard: &Heard<'_>, at: Instant, packet: Option<Vec<u8>>) {
        match *heard {
            Heard::Segment { ref segment, text, ttl, tos } => {
                let meaning = Meaning::of(&self.sent.segment, segment, self.account.syn_ack.as_ref());
                let waited = at - self.sent_at.unwrap_or(at);
                self.account.answered(segment, meaning, waited);
                let relative = Relative { seq: None, ack: self.counted_from_ours(segment) };
                let text = Excerpt::of(text);
                let shown = Shown { segment: *segment, relative, text, ttl, tos };
                self.rung(at, Event::Received(shown), Some(meaning), packet);
            }
            Heard::Icmp(error) => self.on_icmp(error, at, packet),
            Heard::OurKernel(segment) => {
                self.account.kernel_resets += 1;
                let event = Event::KernelReset(segment, self.counted_as_ours(&segment));
                self.rung(at, event, Some(Meaning::KernelKnowsNothing), packet);
            }
            Heard::Unreadable(error) => self.rung(at, Event::Unreadable(error), None, packet),
            Heard::Foreign => {}
        }
    }

    /// An ICMP error counts if it quotes our number (RFC 5927 section 4.1).
    fn on_icmp(&mut self, error: IcmpError, at: Instant, packet: Option<Vec<u8>>) {
        let meaning = match error.severity() {
            Severity::Ignored => return,
            _ if error.seq != self.order.segment.seq => Meaning::IcmpOfAnother,
            Severity::Hard => Meaning::IcmpRefuses,
            Severity::Soft => Meaning::IcmpMayPass,
        };
        if meaning != Meaning::IcmpOfAnother {
            self.account.icmp = Some(error);
        }
        self.rung(at, Event::Icmp(error), Some(meaning), packet);
    }

    fn rung(&mut self, at: Instant, event: Event, meaning: Option<Meaning>, packet: Option<Vec<u8>>) {
        self.rungs += 1;
        let at = at - *self.begun.get_or_insert(at);
        (self.tell)(News::Rung(Box::new(Rung { n: self.rungs, at, event, meaning, packet })));
    }

    fn counted_as_ours(&self, segment: &Segment) -> Relative {
        Relative { seq: Some((segment.seq - self.sent.segment.seq) as u32), ack: None }
    }

    fn counted_from_ours(&self, answer: &Segment) -> Option<u32> {
        Some((answer.acknowledgment()? - self.sent.segment.seq) as u32)
    }

    fn end(self, interrupted: Option<Signal>) -> Verdict {
        let account = &self.account;
        let tally = self.guard.tally(account.resets);
        let verdict = interrupted.map_or_else(|| account.verdict(&self.sent), Verdict::Interrupted);
        let decided_by_icmp = matches!(verdict, Verdict::Unreachable(_));
        let sum = Sum {
            verdict,
            sent: account.sent,
            answers: account.answers,
            first_answer: account.first.map(|(.., waited)| waited),
            held_back: tally.held_back,
            guard_lost: tally.lost,
            kernel_resets: account.kernel_resets,
            packets_lost: self.wire.lost(),
            noted: account.icmp.filter(|_| !decided_by_icmp),
        };
        (self.tell)(News::End(Box::new(sum)));
        verdict
    }
}

impl Account {
    fn answered(&mut self, segment: &Segment, meaning: Meaning, waited: Duration) {
        self.answers += 1;
        self.resets += u32::from(segment.has(Flags::RST));
        self.first.get_or_insert((*segment, meaning, waited));
        if segment.has(Flags::SYN | Flags::ACK) {
            self.syn_ack.get_or_insert(*segment);
        }
    }

    fn verdict(&self, sent: &Readable) -> Verdict {
        match (self.first, self.icmp) {
            (Some((_, meaning @ Meaning::PortClosed, _)), _) => Verdict::Refused(meaning),
            (Some((answer, meaning, _)), _) if answer.has(Flags::RST) => Verdict::Reset(meaning),
            (Some((answer, meaning, _)), _) => Verdict::Answered(answer.flags, meaning),
            (None, Some(error)) => Verdict::Unreachable(error),
            (None, None) if sent.fault.is_some() => Verdict::Silent(Meaning::SilentToUnreadable),
            (None, None) if sent.segment.has(Flags::RST) => Verdict::RightlySilent(Meaning::SilentToRst),
            (None, None) => Verdict::Silent(Meaning::of_silence(&sent.segment)),
        }
    }
}

impl Readable {
    /// What our own parser, as strict as any, makes of the packet.
    fn of(packet: &[u8], order: &Order) -> Self {
        let as_ordered =
            |fault| Self { segment: order.segment, text: Excerpt::of(&order.text), fault: Some(fault) };
        let packet = match ip::parse(packet) {
            Ok(packet) => packet,
            Err(fault) => return as_ordered(fault),
        };
        let read = |checksum| tcp::parse(packet.payload, packet.addresses, checksum);
        match read(TransportChecksum::LeftToCard) {
            Ok(found) => Self {
                segment: found.segment,
                text: Excerpt::of(found.text),
                fault: read(TransportChecksum::Complete).err(),
            },
            Err(fault) => as_ordered(fault),
        }
    }
}

fn kept(packets: Packets, octets: &[u8]) -> Option<Vec<u8>> {
    (packets == Packets::Kept).then(|| octets.to_vec())
}
