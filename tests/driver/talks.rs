//! Who talks and listens, and what that does to the close.

use std::time::Duration;

use tcpshake::driver::observe::Kept;
use tcpshake::driver::{self, Close, Plan, Say, Talk};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::record::{Ending, Missing, Outcome};
use tcpshake::tcp::{Flags, Parameters, Segment, SeqNum, State, WindowSize};
use tcpshake::time::Instant;
use tcpshake::wire::Wire;
use tcpshake::wire::memory::MemoryWire;

use crate::script::*;

/// Says nothing, and hears as much as it is made to.
#[derive(Default)]
struct Listener {
    /// Octets that it takes while the connection lives.
    takes: usize,
    taken: usize,
    rest: usize,
    /// Fails once it has heard anything.
    fails: bool,
}

impl Talk for Listener {
    fn say(&mut self, _most: usize) -> Say {
        Say::Done
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        let taken = text.len().min(self.takes - self.taken);
        self.taken += taken;
        taken
    }

    fn hear_rest(&mut self, text: &[u8]) {
        self.rest += text.len();
        self.takes += text.len(); // it has room again
    }

    fn has_heard_enough(&self) -> bool {
        true
    }

    fn trouble(&mut self) -> Option<String> {
        (self.fails && self.taken > 0).then(|| "no space".to_owned())
    }
}

fn text(seq: u32, len: u32) -> Segment {
    Segment { text_len: len, ..peer(ACK, seq, 2) }
}

/// Acknowledges our FIN, sends a hundred octets every four seconds, three times, and closes.
fn slow(n: usize, segment: &Segment) -> Answers {
    match n {
        0 => soon(syn_ack()),
        _ if segment.has(Flags::FIN) && n == 2 => vec![
            (1, Do::Say(peer(ACK, 1, 2))),
            (4_000, Do::Say(text(1, 100))),
            (8_000, Do::Say(text(101, 100))),
            (12_000, Do::Say(text(201, 100))),
            (12_001, Do::Say(fin(301, 2))),
            (12_051, Do::Say(fin(301, 2))),
        ],
        _ => vec![],
    }
}

fn patient_for(seconds: u64, half_close: bool) -> Plan {
    Plan { timeout: Duration::from_secs(seconds), half_close, ..plan(Close::Active) }
}

const CLOSED: Outcome = Outcome::Completed(Ending::Closed);
const UNCLOSED: Outcome = Outcome::CloseIncomplete { state: State::FinWait2, missing: Missing::PeerFin };

/// After a half-close patience is renewed by what comes; after a close it is not.
#[test]
fn a_half_close_waits_as_long_as_something_comes() {
    for (half_close, outcome, received) in [(true, CLOSED, 300), (false, UNCLOSED, 100)] {
        let mut listener = Listener { takes: 1_000, ..Listener::default() };
        let told = converse(Script::new(slow), &patient_for(5, half_close), &mut listener);
        assert_eq!(told.ended.summary.outcome, outcome, "{:#?}", told.rungs());
        assert_eq!((listener.taken, told.ended.summary.text_received), (received, received as u64));
    }
}

/// Whoever can keep nothing more has no reason to wait for more.
#[test]
fn trouble_after_our_fin_ends_patience() {
    let mut listener = Listener { takes: 1_000, fails: true, ..Listener::default() };
    let told = converse(Script::new(slow), &patient_for(5, true), &mut listener);
    assert_eq!(told.ended.summary.outcome, UNCLOSED, "{:#?}", told.rungs());
    assert_eq!(told.ended.summary.trouble.as_deref(), Some("no space"));
}

/// What a slow listener has not taken when the peer's FIN comes is not lost, and not given twice for a FIN that comes
/// twice.
#[test]
fn the_rest_is_handed_over_at_the_end() {
    let mut listener = Listener { takes: 150, ..Listener::default() };
    let told = converse(Script::new(slow), &patient_for(20, true), &mut listener);
    assert_eq!(told.ended.summary.outcome, CLOSED);
    assert_eq!((listener.taken, listener.rest), (150, 150));
}

/// A listener that fails before we have closed: our FIN, whatever was awaited.
#[test]
fn trouble_closes_what_would_have_stayed_open() {
    let mut listener = Listener { takes: 1_000, fails: true, ..Listener::default() };
    let peer = |n: usize, segment: &Segment| match n {
        0 => vec![(1, Do::Say(syn_ack())), (5, Do::Say(Segment { text_len: 10, ..peer(ACK, 1, 1) }))],
        _ if segment.has(Flags::FIN) => vec![(1, Do::Say(peer(ACK, 11, 2))), (2, Do::Say(fin(11, 2)))],
        _ => vec![],
    };
    let told =
        converse(Script::new(peer), &Plan { close: Close::Passive, ..patient_for(5, false) }, &mut listener);
    assert_eq!(told.ended.summary.outcome, CLOSED, "{:#?}", told.rungs());
    assert_eq!(told.ended.summary.trouble.as_deref(), Some("no space"));
}

/// A text that takes longer than the close may: while it is acknowledged, it is not given up.
#[test]
fn text_before_our_fin_has_its_time() {
    let remote = server_address(7);
    let text = vec![b'x'; 20_000];
    let plan = Plan { text, simulated: true, ..Plan::new(remote, SeqNum(4321)) };
    let narrow = Parameters { window: WindowSize::new(500), ..plan.parameters };
    let server = SimulatedServer::new(remote, SeqNum(9000), narrow);
    let mut wire = MemoryWire::new(server, Duration::from_millis(500));
    let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
    let summary = driver::run(&guard, &mut wire, &plan, &mut Kept::default(), &mut || None).unwrap().summary;
    assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed));
    assert!(summary.close_time.is_some_and(|time| time < plan.timeout));
    assert!(wire.now() > Instant::ORIGIN + plan.timeout * 3);
}
