//! The states of both ends, from segments alone: as our own machine had them, and where some of it was not captured.

use std::time::Duration;

use tcpshake::driver::observe::Kept;
use tcpshake::driver::{Close, Plan, run};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::record::exchange::Exchange;
use tcpshake::record::{Event, Keep, Step};
use tcpshake::tcp::{Clause, Flags, Segment, SeqNum, State};
use tcpshake::wire::memory::MemoryWire;

use crate::support::{ACK, FIN_ACK, From, Packets, RST, RST_ACK, SYN, SYN_ACK, Seen, states, steps};

/// An exchange of our own with the simulated server.
pub(crate) fn exchange(close: Close) -> Exchange {
    let remote = server_address(7);
    let plan = Plan {
        simulated: true,
        text: b"hello".to_vec(),
        await_text: 5,
        keep: Keep::Whole,
        close,
        ..Plan::new(remote, SeqNum(4321))
    };
    let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
    let mut wire = MemoryWire::new(server, Duration::from_millis(10));
    let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
    let mut kept = Kept::default();
    run(&guard, &mut wire, &plan, &mut kept, &mut || None).unwrap();
    kept.into_exchange().unwrap()
}

/// Its packets, as a capture beside it has them.
fn captured(exchange: &Exchange) -> Vec<u8> {
    let seen = exchange.steps.iter().filter(|step| !step.packet.is_empty());
    let seen =
        seen.map(|step| Seen { at: step.at, octets: step.packet.to_vec(), original_len: step.packet.len() });
    Packets { seen: seen.collect(), ..Packets::default() }.pcap()
}

/// What is the same, whether told by who took part or by who watched.
fn essence(step: &Step) -> (State, State, Vec<String>, Option<Segment>, Duration) {
    let arrows = step.arrows.iter().map(|arrow| arrow.to_string()).collect();
    (step.before.state, step.state, arrows, step.event.segment().copied(), step.at)
}

#[test]
fn a_capture_of_an_exchange_of_ours_tells_what_we_told() {
    for close in [Close::Active, Close::Reset] {
        let exchange = exchange(close);
        let drawn = steps(&captured(&exchange), 1);
        let told: Vec<_> = exchange.steps.iter().filter(|step| !step.packet.is_empty()).collect();
        assert_eq!(drawn.len(), told.len());
        for (drawn, told) in drawn.iter().zip(&told) {
            assert_eq!(essence(drawn), essence(told), "{close:?}, step {}", told.n);
            assert_eq!(drawn.clause, told.clause, "{close:?}, step {}", told.n);
            let relative = |step: &Step| {
                let (Event::Sent { relative, .. } | Event::Received { relative, .. }) = &step.event else {
                    panic!("{step:?}")
                };
                *relative
            };
            assert_eq!(relative(drawn), relative(told), "{close:?}, step {}", told.n);
        }
        let remote: Vec<_> = drawn.iter().map(|step| step.seen.unwrap().remote).collect();
        assert_eq!(remote, exchange.remote[..remote.len()]);
    }
}

#[test]
fn a_refusal() {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"");
    packets.send(From::Server, RST_ACK, 0, 1, b"");
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(states(&steps), [(State::SynSent, None), (State::Closed, Some(State::Closed))]);
    assert_eq!(steps[1].clause, Some(Clause::SynSentRefused));
}

#[test]
fn a_reset_after_opening_by_either_end() {
    let mut packets = Packets::default();
    packets.open().send(From::Server, RST, 1, 1, b"");
    assert_eq!(states(&steps(&packets.pcap(), 1))[3], (State::Closed, Some(State::Closed)));
    assert_eq!(steps(&packets.pcap(), 1)[3].clause, Some(Clause::RstResets));
    let mut packets = Packets::default();
    packets.open().send(From::Client, RST_ACK, 1, 1, b"");
    assert_eq!(states(&steps(&packets.pcap(), 1))[3], (State::Closed, Some(State::Closed)));
    assert_eq!(steps(&packets.pcap(), 1)[3].clause, Some(Clause::Abort));
}

/// Both FINs cross.
#[test]
fn a_simultaneous_close() {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, FIN_ACK, 1, 1, b"");
    packets.send(From::Server, FIN_ACK, 1, 1, b"");
    packets.send(From::Client, ACK, 2, 2, b"");
    packets.send(From::Server, ACK, 2, 2, b"");
    let states = states(&steps(&packets.pcap(), 1));
    assert_eq!(states[4], (State::Closing, Some(State::Closing)));
    assert_eq!(states[6], (State::TimeWait, Some(State::TimeWait)));
}

#[test]
fn a_capture_that_begins_in_the_midst() {
    let mut packets = Packets::default();
    packets.send(From::Server, ACK, 5001, 7001, b"text");
    packets.send(From::Client, ACK, 7001, 5005, b"");
    packets.close(7000, 5004);
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(steps[0].before.state, State::Established);
    assert_eq!(states(&steps)[..2], [(State::Established, Some(State::Established)); 2]);
    assert_eq!(states(&steps).last(), Some(&(State::TimeWait, Some(State::Closed))));
    let Event::Received { relative, .. } = &steps[0].event else { panic!("{steps:?}") };
    assert_eq!((relative.seq, relative.ack), (None, None), "nobody knows the initial numbers");
}

/// Only one direction passes where the capture is made, as where routes differ.
#[test]
fn one_direction_alone() {
    let mut whole = Packets::default();
    whole.open().send(From::Client, ACK, 1, 1, b"hello").close(5, 0);
    let client = |seen: &Seen| seen.octets[12..16] == [10, 0, 0, 1];
    let seen: Vec<Seen> = whole.seen.into_iter().filter(client).collect();
    let steps = steps(&Packets { seen, ..Packets::default() }.pcap(), 1);
    let found: Vec<_> = steps.iter().map(|step| (step.state, step.seen.unwrap().remote)).collect();
    assert_eq!(found[0], (State::SynSent, None));
    assert_eq!(found[1], (State::Established, None));
    assert_eq!(found[3], (State::FinWait1, None));
}

/// A SYN,ACK is the first that is seen.
#[test]
fn the_first_syn_is_missing() {
    let mut packets = Packets::default();
    packets.send(From::Server, SYN_ACK, 0, 1, b"");
    packets.send(From::Client, ACK, 1, 1, b"");
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(steps[0].before.state, State::SynSent);
    assert_eq!(states(&steps)[1], (State::Established, Some(State::Established)));
}

/// What was agreed on is told when it opens; here nothing was.
#[test]
fn flags_that_nobody_sends_do_no_harm() {
    let mut packets = Packets::default();
    packets.open();
    for bits in 0..0x200 {
        packets.send(From::Client, Flags::from_bits(bits), 1, 1, b"x");
        packets.send(From::Server, Flags::from_bits(bits), 1, 1, b"");
    }
    assert!(!steps(&packets.pcap(), 1).is_empty());
}
