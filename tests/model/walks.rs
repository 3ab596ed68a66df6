//! Random walks through worlds too large to be explored whole: more text, a longer channel, options, and segments
//! spoiled on their way. The laws are the same; each walk ends as fairness ends it.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use tcpshake::packet::ip::{self, IpFields, Protocol};
use tcpshake::packet::tcp::{self, TransportChecksum};
use tcpshake::packet::{Addresses, Ports, emit};
use tcpshake::tcp::{Offer, Retries, Stream, Tcb, WindowSize};

use crate::fairness::{Fair, fair};
use crate::machine::Machine;
use crate::random::config;
use crate::scenario::{Budget, EITHER, Scenario};
use crate::tale::Tale;
use crate::world::{Event, Flying, World};

/// Which of the possible events is next.
#[derive(Clone, Copy, Debug)]
struct Choice {
    kind: Kind,
    index: Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Arrive,
    Lose,
    /// Lost, because this bit of the packet and some after it were flipped.
    Spoil(u16, u16),
    Double,
    Timeout,
    Open,
    Text,
    CloseWithPeer,
    Close,
    GiveUp,
    Forge,
    Tick,
}

impl Kind {
    fn of(event: Event) -> Self {
        match event {
            Event::Arrive(_) | Event::ArriveAmongMany(_) => Self::Arrive,
            Event::Lose(_) => Self::Lose,
            Event::Double(_) => Self::Double,
            Event::Timeout(_) => Self::Timeout,
            Event::Open(..) => Self::Open,
            Event::Send(_) | Event::Read(_) => Self::Text,
            Event::CloseWithPeer(_) => Self::CloseWithPeer,
            Event::Close(_) => Self::Close,
            Event::Abort(_) | Event::UserTimeout(_) => Self::GiveUp,
            Event::Forge(..) => Self::Forge,
            Event::Tick => Self::Tick,
        }
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    let kind = prop_oneof![
        60 => Just(Kind::Arrive),
        8 => Just(Kind::Lose),
        4 => (any::<u16>(), any::<u16>()).prop_map(|(bit, more)| Kind::Spoil(bit, more)),
        6 => Just(Kind::Double),
        10 => Just(Kind::Timeout),
        10 => Just(Kind::Open),
        30 => Just(Kind::Text),
        1 => Just(Kind::CloseWithPeer),
        2 => Just(Kind::Close),
        1 => Just(Kind::GiveUp),
        3 => Just(Kind::Forge),
        6 => Just(Kind::Tick),
    ];
    (kind, any::<Index>()).prop_map(|(kind, index)| Choice { kind, index })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let offers = [
        Offer::NOTHING,
        Offer::MSS,
        Offer::USUAL,
        Offer::USUAL | Offer::TIMESTAMPS,
        Offer::TIMESTAMPS | Offer::ECN,
    ];
    (select(offers.to_vec()), 1..12_u32, 1..4_u8, 1..=3_u8).prop_map(|(offer, window, retries, lives)| {
        let mut scenario = Scenario {
            opens: [EITHER, EITHER],
            says: [12, 5],
            channel: 6,
            lives,
            budget: Budget { forged: 2, doubled: 5, given_up: 2, ticks: 40 },
            ..Scenario::plain().octet_by_octet()
        };
        scenario.parameters.offer = offer;
        scenario.parameters.window = WindowSize::new(window);
        scenario.parameters.retries = Retries::AtMost(retries);
        scenario
    })
}

fn walk<M: Machine>(scenario: &Scenario, choices: &[Choice]) -> Result<(), TestCaseError> {
    let mut world = World::<M>::new(scenario);
    for choice in choices {
        let mut kind = choice.kind;
        if let Kind::Spoil(bit, more) = kind {
            if let Some(flying) = world.flying.first() {
                prop_assert!(is_refused(flying, bit, more), "{flying:?} is taken, though bit {bit} is wrong");
            }
            kind = Kind::Lose; // what fails its checksum changes nothing
        }
        let events: Vec<Event> =
            world.events(scenario).into_iter().filter(|event| Kind::of(*event) == kind).collect();
        if !events.is_empty() {
            go(&mut world, *choice.index.get(&events), scenario)?;
        }
    }
    let mut steps = 0;
    while let Fair::Next(event) = fair(&world) {
        prop_assert!(go(&mut world, event, scenario)?, "{event:?} is no event");
        steps += 1;
        prop_assert!(steps < 1000, "the fair run never ends");
    }
    prop_assert!(matches!(fair(&world), Fair::Over), "stuck: {world:?}");
    Ok(())
}

/// One event, if it is one.
fn go<M: Machine>(world: &mut World<M>, event: Event, scenario: &Scenario) -> Result<bool, TestCaseError> {
    let Some(outcome) = world.after(event, scenario, &mut Tale::silent()) else { return Ok(false) };
    *world = outcome.map_err(|law| TestCaseError::fail(format!("{event:?}: {law}\nin {world:?}")))?;
    Ok(true)
}

/// Whether the reader of packets refuses a segment of which a bit is wrong, or up to fifteen in a row: a sum of 16 bits
/// shows each such burst.
fn is_refused(flying: &Flying, bit: u16, more: u16) -> bool {
    let addresses = Addresses::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).expect("one family");
    let fields = IpFields { addresses, ttl: 64, tos: 0, identification: 1 };
    let mut packet = [0; 200];
    let ports = Ports { source: 1, destination: 2 };
    let len = emit(&fields, ports, &flying.segment, &flying.text(), &mut packet).expect("room");
    let packet = &mut packet[..len];
    let bits = len * 8;
    let first = usize::from(bit) % bits;
    for at in (first..(first + 15).min(bits)).filter(|at| *at == first || more >> (at - first) & 1 == 1) {
        packet[at / 8] ^= 0x80 >> (at % 8);
    }
    let Ok(read) = ip::parse(packet) else { return true };
    read.protocol != Protocol::Tcp
        || tcp::parse(read.payload, read.addresses, TransportChecksum::Complete).is_err()
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn no_walk_of_two_blocks_breaks_a_law(
        scenario in scenario(),
        choices in proptest::collection::vec(choice(), 1..250),
    ) {
        walk::<Tcb>(&scenario, &choices)?;
    }

    #[test]
    fn no_walk_of_two_streams_breaks_a_law(
        scenario in scenario(),
        choices in proptest::collection::vec(choice(), 1..250),
    ) {
        walk::<Stream>(&scenario, &choices)?;
    }
}
