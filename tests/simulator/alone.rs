//! Whole exchanges with a server of our own, always the same.

use std::time::Duration;

use tcpshake::driver::observe::Kept;
use tcpshake::driver::{self, Close, Plan};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::packet::TransportChecksum;
use tcpshake::record::{Event, Outcome};
use tcpshake::tcp::{Mss, Parameters, SeqNum};
use tcpshake::time::Instant;
use tcpshake::wire::memory::MemoryWire;
use tcpshake::wire::{Arrival, Received, SendError, Sender, Wire};

use crate::weather::{LOCAL, PORT};

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
    let guard = Guard::not_needed(LOCAL.into());
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
