//! Whole exchanges in the process: against a server of our own, always the same, and against smoltcp,
//! a TCP that nobody here wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tcpshake::driver::observe::Kept;
use tcpshake::driver::{self, Close, Plan};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::lab::{FAR_V4, NEAR_V4};
use tcpshake::packet::TransportChecksum;
use tcpshake::record::{Ending, Event, Outcome};
use tcpshake::tcp::{Mss, Parameters, SeqNum, State};
use tcpshake::time::Instant;
use tcpshake::wire::memory::{MemoryWire, Station};
use tcpshake::wire::{Arrival, Received, SendError, Sender, Wire};

mod smoltcp_device;

use smoltcp_device::{Queues, at};

const PORT: u16 = 7;
const DELAY: Duration = Duration::from_millis(10);

fn plan(iss: u32, text: &[u8], close: Close) -> Plan {
    Plan {
        parameters: Parameters { mss: Mss::new(1460).unwrap(), ..Parameters::default() },
        text: text.to_vec(),
        await_text: text.len() as u64,
        close,
        timeout: Duration::from_secs(30),
        simulated: true,
        ..Plan::new(server_address(PORT), SeqNum(iss))
    }
}

fn exchange(wire: &mut dyn Wire, plan: &Plan) -> Kept {
    let guard = Guard::not_needed(SocketAddr::from((NEAR_V4, 40_000)));
    let mut kept = Kept::default();
    driver::run(&guard, wire, plan, &mut kept, &mut || None).unwrap();
    kept
}

fn simulated(iss: u32, server_iss: u32, text: &[u8]) -> Kept {
    let plan = plan(iss, text, Close::Active);
    let server = SimulatedServer::new(plan.remote, SeqNum(server_iss), plan.parameters);
    exchange(&mut MemoryWire::new(server, DELAY), &plan)
}

/// Direction, flags, relative numbers, length: what must not depend on where the numbers begin.
fn transcript(kept: &Kept) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Sent { segment, relative, .. } => {
            format!("> {} {:?} {}", segment.flags.short(), relative, segment.text_len)
        }
        Event::Received { segment, relative, .. } => {
            format!("< {} {:?} {}", segment.flags.short(), relative, segment.text_len)
        }
        Event::Unsent { .. }
        | Event::Unreadable(_)
        | Event::Icmp { .. }
        | Event::KernelReset(..)
        | Event::Quiet => {
            format!("{event:?}")
        }
    };
    kept.steps.iter().map(|step| line(&step.event)).collect()
}

/// M-01, M-02, M-03: wherever the numbers begin, the story is the same.
#[test]
fn m01_m02_m03_the_wrap_makes_no_difference() {
    let text = vec![b'x'; 3000]; // more than two full segments: the wrap falls inside one
    let reference = transcript(&simulated(4321, 9000, &text));
    assert!(reference.len() > 10);
    for iss in [0, 1, u32::MAX, u32::MAX - 1, u32::MAX - 1500, 1 << 31] {
        for server_iss in [0, u32::MAX, u32::MAX - 2000] {
            assert_eq!(transcript(&simulated(iss, server_iss, &text)), reference, "{iss} {server_iss}");
        }
    }
}

/// smoltcp as a far end: an echo server on an interface of two queues.
struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    server: SocketHandle,
    queues: Queues,
    closes_first: bool,
    deadline: Option<Instant>,
}

impl Smoltcp {
    fn new(closes_first: bool) -> Self {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut queues, at(Instant::ORIGIN));
        interface
            .update_ip_addrs(|addresses| addresses.push(IpCidr::new(IpAddress::Ipv4(FAR_V4), 24)).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; 65_535]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(PORT).unwrap();
        let mut sockets = SocketSet::new(vec![]);
        let server = sockets.add(socket);
        Self { interface, sockets, server, queues, closes_first, deadline: None }
    }

    fn state(&self) -> tcp::State {
        self.sockets.get::<tcp::Socket<'_>>(self.server).state()
    }

    fn serve(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.server);
        let mut buffer = [0; 4096];
        while socket.can_recv() && socket.can_send() {
            let len = socket.recv_slice(&mut buffer).unwrap();
            socket.send_slice(&buffer[..len]).unwrap();
        }
        let client_closed = socket.state() == tcp::State::CloseWait;
        if client_closed || (self.closes_first && socket.state() == tcp::State::Established) {
            socket.close();
        }
    }
}

impl Station for Smoltcp {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        self.queues.arriving.extend(packet.map(<[u8]>::to_vec));
        self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
        self.serve();
        self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
        let wait = self.interface.poll_delay(at(now), &self.sockets);
        // A wait of zero would come back at the same instant for ever.
        self.deadline = wait.map(|wait| now + Duration::from_micros(wait.total_micros().max(1)));
        std::mem::take(&mut self.queues.leaving)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

fn against_smoltcp(iss: u32, text: &[u8], close: Close) -> (Kept, tcp::State) {
    let plan = plan(iss, text, close);
    let mut wire = MemoryWire::new(Smoltcp::new(close == Close::Passive), DELAY);
    let kept = exchange(&mut wire, &plan);
    // What is still on its way arrives.
    let until = wire.now() + Duration::from_secs(1);
    while matches!(wire.receive(Some(until)).unwrap(), Arrival::Packet(_)) {}
    let state = wire.station().state();
    (kept, state)
}

#[test]
fn smoltcp_agrees_on_an_active_close() {
    for iss in [4321, u32::MAX, u32::MAX - 3] {
        let (kept, state) = against_smoltcp(iss, b"hello", Close::Active);
        let summary = kept.summary.unwrap();
        assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed));
        assert_eq!((summary.text_sent, summary.text_received), (5, 5));
        assert_eq!(summary.retransmissions, 0);
        assert_eq!(state, tcp::State::Closed, "our last ACK was right");
    }
}

#[test]
fn smoltcp_agrees_on_a_passive_close() {
    let (kept, state) = against_smoltcp(u32::MAX, b"", Close::Passive);
    assert_eq!(kept.summary.unwrap().outcome, Outcome::Completed(Ending::Closed));
    assert_eq!(kept.steps.last().unwrap().state, State::Closed);
    assert_eq!(state, tcp::State::TimeWait);
}

#[test]
fn smoltcp_agrees_on_a_reset() {
    let (kept, state) = against_smoltcp(4321, b"", Close::Reset);
    assert_eq!(kept.summary.unwrap().outcome, Outcome::Completed(Ending::ResetByUs));
    assert!(matches!(state, tcp::State::Closed | tcp::State::Listen), "{state}");
}

/// H-12, J-02: more text than fits a window's worth of segments arrives whole.
#[test]
fn smoltcp_takes_and_returns_more_than_a_few_segments() {
    let text = vec![b'y'; 40_000];
    let (kept, _) = against_smoltcp(u32::MAX - 20_000, &text, Close::Active);
    let summary = kept.summary.unwrap();
    assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed));
    assert_eq!((summary.text_sent, summary.text_received), (40_000, 40_000));
}

/// A wire that always has a packet, whatever the deadline: a millisecond passes with each.
struct Storm(Instant, Vec<u8>);

impl Wire for Storm {
    fn now(&self) -> Instant {
        self.0
    }

    fn send(&mut self, _packet: &[u8]) -> Result<(), SendError> {
        Ok(())
    }

    fn receive(&mut self, _deadline: Option<Instant>) -> std::io::Result<Arrival<'_>> {
        self.0 += Duration::from_millis(1);
        assert!(self.0 < Instant::ORIGIN + Duration::from_secs(60), "it goes on for ever");
        let (checksum, sender) = (TransportChecksum::Complete, Sender::Network);
        Ok(Arrival::Packet(Received { at: self.0, octets: &self.1, checksum, sender }))
    }
}

/// J-07: packets that mean nothing never cease; the SYN is sent again in time, and given up in time.
#[test]
fn j07_timers_and_patience_hold_in_a_packet_storm() {
    let kept = exchange(&mut Storm(Instant::ORIGIN, b"noise".to_vec()), &plan(4321, b"", Close::Active));
    assert_eq!(kept.summary.unwrap().outcome, Outcome::Silent { heard: false });
    let sent: Vec<_> = kept.steps.iter().filter(|step| matches!(step.event, Event::Sent { .. })).collect();
    assert_eq!(sent.iter().map(|step| step.at.as_secs()).collect::<Vec<_>>(), [0, 1, 3, 7]);
    assert_eq!(kept.steps.last().unwrap().at.as_secs(), 15);
}
