//! Many connections on one port: who is new, who is known, and what happens when there are too many.

mod cookies;
mod service;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

pub use self::service::{Host, Service};
use super::flow::{Flow, LONGEST_PACKET, Outside};
use super::hear::{Heard, copied, hear};
use super::observe::Observer;
use super::plan::{Open, Plan};
use super::single::{DriveError, PendingSignal};
use super::story;
use crate::guard::{Standing, Tally};
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, Protocol, icmp, ip};
use crate::record::{GuardSummary, Listening, NotOpened, Outcome, Served, Signal, Summary};
use crate::tcp::{Clause, Cookies, Flags, Mss, Offer, Origin, Segment, SeqNum, State, answer_in_closed};
use crate::time::Instant;
use crate::wire::{Arrival, Received, Sender, Wire};

/// Serves until the count is reached or a signal comes.
///
/// The `guard` is the proof that the kernel is held back on the port.
pub fn serve<H: Host>(
    guard: &Standing,
    wire: &mut dyn Wire,
    service: &Service,
    host: &mut H,
    observer: &mut dyn Observer,
    signal: PendingSignal<'_>,
) -> Result<Served, DriveError> {
    let mut buffer = vec![0; LONGEST_PACKET];
    let guard = story::summarize_standing(guard);
    observer.listening(&Listening {
        at: service.at.clone(),
        guard: guard.clone(),
        unix_seconds: crate::time::unix_seconds(),
    });
    let mut server = Server {
        service,
        host,
        guard,
        cookies: Cookies::new(service.cookie_key),
        last_cookie: None,
        flows: HashMap::new(),
        timers: BTreeSet::new(),
        owing: Vec::new(),
        waiting: VecDeque::new(),
        passed_over: HashMap::new(),
        half_open: 0,
        epoch: Instant::ORIGIN,
        opened: 0,
        served: Served::default(),
        identification: 1,
        out: Outside { wire, observer, buffer: &mut buffer, sent: 0 },
    };
    server.run(signal)?;
    server.served.packets_lost = server.out.wire.lost();
    Ok(server.served)
}

/// Our end and the client's.
type Key = (SocketAddr, SocketAddr);

struct Entry<T> {
    flow: Flow<T>,
    deadline: Instant,
    /// Until its SYN,ACK is acknowledged.
    is_half_open: bool,
    /// The verdict is told; only TIME-WAIT is left.
    is_over: bool,
}

/// A client's SYN, apart from the buffer it arrived in.
struct Syn {
    key: Key,
    segment: Segment,
    text: Vec<u8>,
    ttl: u8,
    packet: Vec<u8>,
    at: Instant,
}

impl Syn {
    /// A bare one: neither an answer nor a reset.
    fn of(heard: &Heard<'_>, key: Key, received: &Received<'_>) -> Option<Self> {
        let Heard::Segment { segment, text, ttl, .. } = *heard else { return None };
        let is_bare = segment.has(Flags::SYN) && !segment.has(Flags::ACK) && !segment.has(Flags::RST);
        let packet = || received.octets.to_vec();
        is_bare.then(|| Self { key, segment, text: text.to_vec(), ttl, packet: packet(), at: received.at })
    }
}

struct Server<'s, H: Host> {
    service: &'s Service,
    host: &'s mut H,
    guard: GuardSummary,
    cookies: Cookies,
    last_cookie: Option<Instant>,
    flows: HashMap<Key, Entry<H::Talk>>,
    timers: BTreeSet<(Instant, Key)>,
    /// Connections that owe an acknowledgment.
    owing: Vec<Key>,
    /// SYNs that are kept waiting, and until when.
    waiting: VecDeque<(Instant, Syn)>,
    /// SYNs of a client that were passed over on purpose.
    passed_over: HashMap<Key, u32>,
    half_open: usize,
    /// When the connections that are drawn together began.
    epoch: Instant,
    opened: u32,
    served: Served,
    identification: u16,
    out: Outside<'s>,
}

/// SYNs that wait, or clients whose SYNs are counted, at a time.
const MOST_REMEMBERED: usize = 4096;

impl<H: Host> Server<'_, H> {
    fn run(&mut self, signal: PendingSignal<'_>) -> Result<(), DriveError> {
        let mut packet = Vec::new();
        while !self.is_done() {
            let deadline = if self.owing.is_empty() { self.deadline() } else { Some(self.out.wire.now()) };
            match self.out.wire.receive(deadline)? {
                Arrival::Packet(received) => {
                    let received = copied(&received, &mut packet);
                    self.on_packet(&received)?;
                }
                Arrival::DeadlinePassed => self.acknowledge()?,
                Arrival::Woken => match signal() {
                    Some(signal) => return self.end_by(signal),
                    None => self.wake()?,
                },
            }
            self.fire_timers()?; // what never ceases to arrive holds up none of them
            if self.is_taken_up() && self.half_open > 0 {
                self.end_all(&Outcome::NotOpened(NotOpened::NoAnswer), |entry| entry.is_half_open)?;
            }
        }
        Ok(())
    }

    /// As many as were asked for have come; nobody else is waited for.
    fn is_taken_up(&self) -> bool {
        self.service.count.is_some_and(|count| self.opened >= count)
    }

    /// As many as were asked for have ended, and nothing of them is left in TIME-WAIT.
    fn is_done(&self) -> bool {
        self.is_taken_up() && self.flows.is_empty()
    }

    fn deadline(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let waiting = self.waiting.front().map(|(until, _)| *until);
        [timer, waiting].into_iter().flatten().min()
    }

    /// Nothing more has arrived: whoever owes an acknowledgment sends it.
    fn acknowledge(&mut self) -> Result<(), DriveError> {
        for key in std::mem::take(&mut self.owing) {
            if let Some(entry) = self.flows.get_mut(&key) {
                entry.flow.acknowledge(&mut self.out)?;
                self.settle(key);
            }
        }
        Ok(())
    }

    fn fire_timers(&mut self) -> Result<(), DriveError> {
        let now = self.out.wire.now();
        while self.waiting.front().is_some_and(|(until, _)| *until <= now)
            && let Some((_, syn)) = self.waiting.pop_front()
        {
            self.on_syn(&syn)?;
        }
        while let Some((at, key)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            if let Some(entry) = self.flows.get_mut(&key) {
                entry.flow.on_deadline(at, &mut self.out)?;
                self.settle(key);
            }
        }
        Ok(())
    }

    fn on_packet(&mut self, received: &Received<'_>) -> Result<(), DriveError> {
        let Some(key) = key_of(received, self.service.port()) else { return Ok(()) };
        if let Some(entry) = self.flows.get_mut(&key) {
            let heard = hear(received, key.0, key.1);
            entry.flow.on_packet(&heard, received.octets, received.at, &mut self.out)?;
            self.settle(key);
            let begins_anew = !self.flows.contains_key(&key);
            let syn = Syn::of(&heard, key, received).filter(|_| begins_anew);
            return syn.map_or(Ok(()), |syn| self.on_first_syn(syn));
        }
        if received.sender == Sender::OurKernel {
            self.served.kernel_resets += 1;
            return Ok(());
        }
        let heard = hear(received, key.0, key.1);
        let Heard::Segment { ref segment, .. } = heard else { return Ok(()) };
        if !is_sane(key) || !self.host.is_ours(key.0.ip()) {
            return Ok(()); // MUST-57, MUST-63: to or from what is no host
        }
        if let Some(syn) = Syn::of(&heard, key, received) {
            return self.on_first_syn(syn);
        }
        if self.recall(key, segment)? {
            if let Some(entry) = self.flows.get_mut(&key) {
                entry.flow.on_packet(&heard, received.octets, received.at, &mut self.out)?;
            }
            self.settle(key);
            return Ok(());
        }
        if !segment.has(Flags::ACK) && !self.is_taken_up() {
            return Ok(()); // LISTEN drops what is neither SYN, ACK nor RST (section 3.10.7.2 fourth)
        }
        let (answer, _) = answer_in_closed(segment);
        answer.map_or(Ok(()), |answer| self.send(key, &answer))
    }

    /// A SYN of a client that we know nothing of.
    fn on_first_syn(&mut self, syn: Syn) -> Result<(), DriveError> {
        if self.is_passed_over(syn.key) {
            self.served.passed_over += 1;
            return Ok(());
        }
        if self.waiting.iter().any(|(_, waiting)| waiting.key == syn.key) {
            return Ok(()); // the client repeats it
        }
        if !self.service.delay_syn_ack.is_zero() && self.waiting.len() < MOST_REMEMBERED {
            self.waiting.push_back((syn.at + self.service.delay_syn_ack, syn));
            return Ok(());
        }
        self.on_syn(&syn)
    }

    fn is_passed_over(&mut self, key: Key) -> bool {
        if self.service.drop_first_syns == 0 {
            return false;
        }
        if self.passed_over.len() >= MOST_REMEMBERED {
            self.passed_over.clear();
        }
        let seen = self.passed_over.entry(key).or_insert(0);
        *seen += 1;
        *seen <= self.service.drop_first_syns
    }

    fn on_syn(&mut self, syn: &Syn) -> Result<(), DriveError> {
        let Syn { key, segment, ref text, ttl, ref packet, at } = *syn;
        if self.is_taken_up() {
            let (answer, _) = answer_in_closed(&segment); // nobody listens any more
            return answer.map_or(Ok(()), |answer| self.send(key, &answer));
        }
        if !self.flows.contains_key(&key) {
            if self.flows.len() >= self.service.most {
                self.served.passed_over += 1;
                return Ok(());
            }
            if self.half_open >= self.service.most_half_open {
                return self.send_cookie(key, &segment);
            }
            let iss = self.service.iss.unwrap_or_else(|| self.host.iss(key.0, key.1, at));
            self.begin(key, iss, self.service.plan.parameters.offer, at)?;
        }
        if let Some(entry) = self.flows.get_mut(&key) {
            let heard = Heard::Segment { segment, text, ttl, tos: 0 };
            entry.flow.on_packet(&heard, packet, at, &mut self.out)?;
        }
        self.settle(key);
        Ok(())
    }

    /// A connection in LISTEN.
    fn begin(&mut self, key: Key, iss: SeqNum, offer: Offer, at: Instant) -> Result<(), DriveError> {
        let (local, remote) = key;
        self.served.begun += 1;
        if self.flows.is_empty() {
            self.epoch = at;
        }
        let begun = Some(self.epoch);
        let mut plan = Plan { begun, number: self.served.begun, remote, iss, ..self.service.plan.clone() };
        plan.parameters.mss = self.host.mss(remote.ip()).min(self.service.plan.parameters.mss);
        plan.parameters.default_peer_mss = Mss::default_of(remote.ip());
        plan.parameters.offer = offer;
        let origin = if plan.open == Open::Split { Origin::Split } else { Origin::Passive };
        let mut flow = Flow::new(plan, local, self.guard.clone(), self.host.talk(), at, &mut self.out)?;
        flow.listen(origin, &mut self.out);
        let deadline = flow.deadline();
        self.half_open += 1;
        self.timers.insert((deadline, key));
        self.flows.insert(key, Entry { flow, deadline, is_half_open: true, is_over: false });
        Ok(())
    }

    /// After each event of a connection: its timer, what it counts as, and its end.
    fn settle(&mut self, key: Key) {
        let Some(entry) = self.flows.get_mut(&key) else { return };
        let state = entry.flow.tcb().state();
        if entry.is_half_open && entry.flow.was_open {
            entry.is_half_open = false;
            self.half_open -= 1;
            self.opened += 1;
        }
        let was_open = !entry.is_half_open;
        if entry.flow.outcome.is_some() && !entry.is_over {
            entry.is_over = true;
            let tally = Tally { held_back: None, lost: false };
            let summary = entry.flow.summarize(tally, 0);
            entry.flow.story.end(self.out.observer, &summary);
            entry.flow.keep(summary.time_wait, &self.out);
            self.served.count(&summary, was_open);
        }
        let now = self.out.wire.now();
        let is_gone = entry.is_over && (state != State::TimeWait || now >= entry.flow.phase_ends);
        self.timers.remove(&(entry.deadline, key));
        if is_gone {
            self.half_open -= usize::from(!was_open);
            self.flows.remove(&key);
        } else {
            if entry.flow.owes() && !self.owing.contains(&key) {
                self.owing.push(key);
            }
            entry.deadline = entry.flow.deadline();
            self.timers.insert((entry.deadline, key));
        }
    }

    /// A segment without a connection.
    fn send(&mut self, key: Key, segment: &Segment) -> Result<(), DriveError> {
        let (local, remote) = key;
        let addresses = Addresses::new(local.ip(), remote.ip()).ok_or(DriveError::Families)?;
        self.identification = self.identification.wrapping_add(1).max(1);
        let plan = &self.service.plan;
        let ip = IpFields { addresses, ttl: plan.ttl, identification: self.identification, tos: plan.tos };
        let ports = Ports { source: local.port(), destination: remote.port() };
        // One that does not leave is lost, as it might be anywhere on its way.
        let _ = self.out.send(&ip, ports, segment, &[])?;
        Ok(())
    }

    /// Whoever talks with a client has something to say, or room again: nobody knows who.
    fn wake(&mut self) -> Result<(), DriveError> {
        for key in self.in_order() {
            if let Some(entry) = self.flows.get_mut(&key).filter(|entry| !entry.is_over) {
                entry.flow.on_wake(&mut self.out)?;
                self.settle(key);
            }
        }
        Ok(())
    }

    /// Those who came first, first.
    fn in_order(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.flows.keys().copied().collect();
        keys.sort_by_key(|key| self.flows.get(key).map(|entry| entry.flow.plan.number));
        keys
    }

    fn end_by(&mut self, signal: Signal) -> Result<(), DriveError> {
        self.served.signal = Some(signal);
        self.end_all(&Outcome::Interrupted(signal), |_| true)
    }

    /// Whoever is still there is told that it is over.
    fn end_all(&mut self, outcome: &Outcome, which: fn(&Entry<H::Talk>) -> bool) -> Result<(), DriveError> {
        for key in self.in_order() {
            let Some(entry) = self.flows.get_mut(&key).filter(|entry| !entry.is_over && which(entry)) else {
                continue;
            };
            entry.flow.abort(outcome.clone(), Clause::Abort, &mut self.out)?;
            self.settle(key);
        }
        Ok(())
    }
}

impl Served {
    /// Takes the summary of a connection that is over.
    fn count(&mut self, summary: &Summary, was_open: bool) {
        self.retransmissions += summary.retransmissions;
        self.kernel_resets += summary.kernel_resets;
        if !was_open {
            self.unopened += 1;
            return;
        }
        self.connections += 1;
        let completed = matches!(summary.outcome, Outcome::Completed(_));
        self.completed += u32::from(completed);
        if !completed && self.first_failure.is_none() {
            self.first_failure = Some(summary.outcome.clone());
        }
        self.text_sent += summary.text_sent;
        self.text_received += summary.text_received;
    }
}

/// Whose packet it is, as far as its head tells.
fn key_of(received: &Received<'_>, port: u16) -> Option<Key> {
    let packet = ip::parse_quoted(received.octets).ok()?;
    let (source, destination) = (packet.addresses.source(), packet.addresses.destination());
    match packet.protocol {
        Protocol::Tcp => {
            let ports = Ports::of(packet.payload)?;
            let from = SocketAddr::new(source, ports.source);
            let to = SocketAddr::new(destination, ports.destination);
            let key = if received.sender == Sender::Network { (to, from) } else { (from, to) };
            (key.0.port() == port).then_some(key)
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let error = icmp::parse(&packet).ok()??;
            Some((error.local, error.remote)).filter(|(local, _)| local.port() == port)
        }
        Protocol::Other(_) => None,
    }
}

/// Whether a client can be there: one host, with a port, and not our own end.
fn is_sane((local, remote): Key) -> bool {
    ip::no_host(remote.ip()).is_none() && remote.port() != 0 && local != remote
}
