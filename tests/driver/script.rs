//! A wire whose far end is a function: what it answers to the n-th segment we send, and when.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tcpshake::driver::observe::Kept;
use tcpshake::driver::sending::Order;
use tcpshake::driver::talk::{Recital, Talk};
use tcpshake::driver::{self, Close, DriveError, Ended, Plan};
use tcpshake::guard::Guard;
use tcpshake::packet::checksum::Sum;
use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, tcp};
use tcpshake::record::sending::{self, News};
use tcpshake::record::{Event, Signal};
use tcpshake::tcp::{Flags, Parameters, Retries, Segment, SeqNum, UnscaledWindow};
use tcpshake::time::Instant;
use tcpshake::wire::{Arrival, Received, SendError, Sender, Wire};

pub(crate) const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
pub(crate) const REMOTE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub(crate) const LOCAL_PORT: u16 = 40_000;
pub(crate) const REMOTE_PORT: u16 = 80;
/// Both ends begin near the wrap.
pub(crate) const ISS: SeqNum = SeqNum(u32::MAX);
pub(crate) const IRS: SeqNum = SeqNum(u32::MAX - 2);

/// What the far end, or the surroundings, do.
pub(crate) enum Do {
    /// The peer sends a segment.
    Say(Segment),
    /// The kernel of this machine sends one.
    Kernel(Segment),
    /// Octets as they are, from the network.
    Raw(Vec<u8>),
    /// A signal comes.
    Signal(Signal),
    /// Nothing of ours runs for so long: we were stopped, or the machine slept.
    Stall(Duration),
    /// A segment of the peer's whose time stamp is wrong by so much.
    Backdated(Segment, Duration),
}

/// Milliseconds after the segment it answers, and what then.
pub(crate) type Answers = Vec<(u64, Do)>;

/// Answers the n-th segment we send.
type Peer = dyn FnMut(usize, &Segment) -> Answers;

pub(crate) struct Script {
    now: Instant,
    peer: Box<Peer>,
    refuse: fn(usize) -> Option<i32>,
    coming: BTreeMap<(Instant, usize), Do>,
    sends: usize,
    signal: Cell<Option<Signal>>,
    arrived: Vec<u8>,
}

impl Script {
    pub(crate) fn new(peer: impl FnMut(usize, &Segment) -> Answers + 'static) -> Self {
        Self {
            now: Instant::ORIGIN,
            peer: Box::new(peer),
            refuse: |_| None,
            coming: BTreeMap::new(),
            sends: 0,
            signal: Cell::new(None),
            arrived: Vec::new(),
        }
    }

    /// The n-th send fails with this error.
    pub(crate) fn refusing(self, refuse: fn(usize) -> Option<i32>) -> Self {
        Self { refuse, ..self }
    }
}

impl Wire for Script {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        let n = self.sends;
        self.sends += 1;
        if let Some(error) = (self.refuse)(n) {
            return Err(SendError::Other(io::Error::from_raw_os_error(error)));
        }
        let read = ip::parse(packet).unwrap();
        let segment = tcp::parse(read.payload, read.addresses, TransportChecksum::Complete).unwrap().segment;
        for (millis, what) in (self.peer)(n, &segment) {
            let order = self.coming.len() + 100 * n;
            self.coming.insert((self.now + Duration::from_millis(millis), order), what);
        }
        Ok(())
    }

    fn has_more(&mut self) -> bool {
        self.coming.first_key_value().is_some_and(|((at, _), _)| *at <= self.now)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        loop {
            let first = self.coming.first_key_value().map(|(key, _)| *key);
            let Some((at, order)) =
                first.filter(|(at, _)| *at <= self.now || deadline.is_none_or(|deadline| *at < deadline))
            else {
                self.now = self.now.max(deadline.expect("somebody waits for ever"));
                return Ok(Arrival::DeadlinePassed);
            };
            let what = self.coming.remove(&(at, order)).unwrap();
            self.now = self.now.max(at);
            let (octets, stamp, sender) = match what {
                Do::Say(segment) => (from_peer(&segment), at, Sender::Network),
                Do::Backdated(segment, by) => (
                    from_peer(&segment),
                    Instant::ORIGIN + (at.since(Instant::ORIGIN).saturating_sub(by)),
                    Sender::Network,
                ),
                Do::Kernel(segment) => {
                    (packet(LOCAL, LOCAL_PORT, REMOTE, REMOTE_PORT, &segment), at, Sender::OurKernel)
                }
                Do::Raw(octets) => (octets, at, Sender::Network),
                Do::Signal(signal) => {
                    self.signal.set(Some(signal));
                    return Ok(Arrival::Woken);
                }
                Do::Stall(time) => {
                    self.now += time;
                    continue;
                }
            };
            self.arrived = octets;
            let checksum = TransportChecksum::Complete;
            return Ok(Arrival::Packet(Received { at: stamp, octets: &self.arrived, checksum, sender }));
        }
    }
}

pub(crate) fn packet(
    from: Ipv4Addr,
    from_port: u16,
    to: Ipv4Addr,
    to_port: u16,
    segment: &Segment,
) -> Vec<u8> {
    let ip = IpFields::new(Addresses::V4 { source: from, destination: to });
    let ports = Ports { source: from_port, destination: to_port };
    let mut buffer = vec![0; 4096];
    let text = vec![b'x'; segment.text_len as usize];
    let len = emit(&ip, ports, segment, &text, &mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

fn from_peer(segment: &Segment) -> Vec<u8> {
    packet(REMOTE, REMOTE_PORT, LOCAL, LOCAL_PORT, segment)
}

/// An ICMP error of a router's about our segment `seq`, to `port`.
pub(crate) fn icmp(kind: u8, code: u8, seq: SeqNum, port: u16) -> Do {
    let quoted = packet(LOCAL, LOCAL_PORT, REMOTE, port, &Segment { seq, ..Segment::default() });
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend(&quoted[..28]);
    let checksum = Sum::default().octets(&message).checksum();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut octets = packet(REMOTE, 0, LOCAL, 0, &Segment::default())[..20].to_vec();
    octets[2..4].copy_from_slice(&(20 + message.len() as u16).to_be_bytes());
    octets[9] = 1;
    octets[10..12].fill(0);
    let checksum = Sum::default().octets(&octets).checksum();
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    octets.extend(message);
    Do::Raw(octets)
}

/// A segment of the peer's, its numbers counted from the initial ones.
pub(crate) fn peer(flags: Flags, seq: u32, ack: u32) -> Segment {
    Segment { seq: IRS + seq, ack: ISS + ack, flags, window: UnscaledWindow(60_000), ..Segment::default() }
}

pub(crate) const ACK: Flags = Flags::ACK;

pub(crate) fn syn_ack() -> Segment {
    peer(Flags::SYN | ACK, 0, 1)
}

pub(crate) fn fin(seq: u32, ack: u32) -> Segment {
    peer(Flags::FIN | ACK, seq, ack)
}

/// Says one thing after a millisecond.
pub(crate) fn soon(segment: Segment) -> Answers {
    vec![(1, Do::Say(segment))]
}

/// A peer that opens and closes as it should: answers SYN, then FIN by ACK and its own FIN.
pub(crate) fn polite(_: usize, segment: &Segment) -> Answers {
    let ack = segment.end() - ISS;
    if segment.has(Flags::SYN) {
        soon(syn_ack())
    } else if segment.has(Flags::FIN) {
        vec![(1, Do::Say(peer(ACK, 1, ack as u32))), (2, Do::Say(fin(1, ack as u32)))]
    } else if segment.text_len > 0 {
        soon(peer(ACK, 1, ack as u32))
    } else {
        vec![]
    }
}

pub(crate) fn plan(close: Close) -> Plan {
    Plan {
        parameters: Parameters { retries: Retries::AtMost(3), ..Parameters::default() },
        close,
        timeout: Duration::from_secs(10),
        simulated: true,
        ..Plan::new(SocketAddr::from((REMOTE, REMOTE_PORT)), ISS)
    }
}

/// What was told, and how it ended.
pub(crate) struct Told {
    pub(crate) kept: Kept,
    pub(crate) ended: Ended,
}

pub(crate) fn try_run(script: Script, plan: &Plan) -> (Kept, Result<Ended, DriveError>) {
    let mut talk = Recital::new(plan.text.clone(), plan.await_text);
    try_converse(script, plan, &mut talk)
}

fn try_converse(mut script: Script, plan: &Plan, talk: &mut dyn Talk) -> (Kept, Result<Ended, DriveError>) {
    let guard = Guard::not_needed(SocketAddr::from((LOCAL, LOCAL_PORT)));
    let mut kept = Kept::default();
    let signal = std::rc::Rc::new(Cell::new(None));
    // The wire keeps the signal; the driver asks for it elsewhere.
    let mut wire = Shared { script: &mut script, signal: std::rc::Rc::clone(&signal) };
    let ended = driver::converse(&guard, &mut wire, plan, talk, &mut kept, &mut || signal.take());
    (kept, ended)
}

pub(crate) fn run(script: Script, plan: &Plan) -> Told {
    let (kept, ended) = try_run(script, plan);
    Told { kept, ended: ended.unwrap() }
}

/// Sends a single segment; what was told.
pub(crate) fn send(mut script: Script, order: &Order) -> (Vec<News>, Result<sending::Verdict, DriveError>) {
    let guard = Guard::not_needed(SocketAddr::from((LOCAL, LOCAL_PORT)));
    let mut told = Vec::new();
    let signal = std::rc::Rc::new(Cell::new(None));
    let mut wire = Shared { script: &mut script, signal: std::rc::Rc::clone(&signal) };
    let verdict =
        driver::sending::send(&guard, &mut wire, order, &mut |news| told.push(news), &mut || signal.take());
    (told, verdict)
}

/// With somebody of the test's own who talks.
pub(crate) fn converse(script: Script, plan: &Plan, talk: &mut dyn Talk) -> Told {
    let (kept, ended) = try_converse(script, plan, talk);
    Told { kept, ended: ended.unwrap() }
}

/// Passes a signal from the script to where the driver looks for it.
struct Shared<'s> {
    script: &'s mut Script,
    signal: std::rc::Rc<Cell<Option<Signal>>>,
}

impl Wire for Shared<'_> {
    fn now(&self) -> Instant {
        self.script.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.script.send(packet)
    }

    fn has_more(&mut self) -> bool {
        self.script.has_more()
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let arrival = self.script.receive(deadline)?;
        if matches!(arrival, Arrival::Woken) {
            self.signal.set(Some(Signal::Interrupt));
        }
        Ok(arrival)
    }
}

impl Told {
    /// `> S 0`, `< S. 0`, `! R 1` for the kernel, `x` for unsent, with numbers counted from the initial ones.
    pub(crate) fn rungs(&self) -> Vec<String> {
        let line = |mark: &str, segment: &Segment, seq: Option<u32>| {
            format!(
                "{mark} {} {}",
                segment.flags.short(),
                seq.map_or("?".into(), |seq| (seq as i32).to_string())
            )
        };
        let rung = |event: &Event| match event {
            Event::Sent { segment, relative, .. } => line(">", segment, relative.seq),
            Event::Received { segment, relative, .. } => line("<", segment, relative.seq),
            Event::Unsent { segment, relative, .. } => line("x", segment, relative.seq),
            Event::KernelReset(segment, relative) => line("!", segment, relative.seq),
            Event::Icmp { error, effect } => format!("icmp {}/{} {effect:?}", error.kind, error.code),
            Event::Unreadable(error) => format!("unreadable: {error}"),
            Event::Quiet => "quiet".to_owned(),
        };
        self.kept.steps.iter().map(|step| rung(&step.event)).collect()
    }
}
