//! The scenarios explored, each of them whole: small ones with every `cargo test`, the full ones by `.ci/prove model`.
//! The largest take four gigabytes and some minutes.

use tcpshake::tcp::{Offer, Stream, Tcb, WindowSize};

use crate::scenario::{Budget, EITHER, Scenario};
use crate::search::explore;

const NOTHING: Budget = Budget { forged: 0, doubled: 0, given_up: 0, ticks: 0 };
const FORGED: Budget = Budget { forged: 1, ..NOTHING };
const DOUBLED: Budget = Budget { doubled: 1, ..NOTHING };
const GIVEN_UP: Budget = Budget { given_up: 1, ..NOTHING };

/// A client, a server, an octet each way, and so many segments under way.
fn client_and_server(channel: usize) -> Scenario {
    Scenario { channel, ..Scenario::plain() }
}

/// Either end may open actively, passively, or one after the other: F-01, F-02, F-03.
fn any_open(channel: usize) -> Scenario {
    Scenario { opens: [EITHER, EITHER], ..client_and_server(channel) }
}

fn spending(budget: Budget, scenario: Scenario) -> Scenario {
    Scenario { budget, ..scenario }
}

fn without_text(scenario: Scenario) -> Scenario {
    Scenario { says: [0, 0], ..scenario }
}

/// J-08, J-09, J-13: a client says so much, an octet in each segment, to a server that has room for one and whose user
/// takes it when it likes. The channel loses the update of the window as it loses anything.
fn slow_reader(octets: u32, channel: usize) -> Scenario {
    let mut scenario = Scenario { says: [octets, 0], ..client_and_server(channel) };
    scenario.parameters.window = WindowSize::new(1);
    scenario.octet_by_octet()
}

/// F-05, F-06, B-09: ends that open again when their connection has ended, with what is left of it under way, and none
/// of them waiting until it is gone.
fn again(channel: usize) -> Scenario {
    without_text(Scenario { lives: 2, ..client_and_server(channel) })
}

/// E-09, M-06: timestamps on, and so many milliseconds pass.
fn timestamps(ticks: u8, scenario: Scenario) -> Scenario {
    let mut scenario = spending(Budget { ticks, ..NOTHING }, scenario);
    scenario.parameters.offer = Offer::TIMESTAMPS;
    scenario
}

/// A test for each: its name, what is explored, and where. The figures are printed.
macro_rules! explored {
    ($($(#[$attribute:meta])* $name:ident: $machine:ty, $scenario:expr;)*) => {$(
        #[test]
        $(#[$attribute])*
        fn $name() {
            println!("{}", explore::<$machine>(&Scenario { name: stringify!($name), ..$scenario }));
        }
    )*};
}

mod small {
    use super::*;

    explored! {
        opens_and_closes: Tcb, without_text(client_and_server(2));
        text: Tcb, client_and_server(1);
        any_opens: Tcb, without_text(any_open(1));
        forged: Tcb, spending(FORGED, without_text(client_and_server(1)));
        given_up: Tcb, spending(GIVEN_UP, without_text(any_open(1)));
        opens_again: Tcb, again(1);
        slow_readers: Stream, slow_reader(1, 1);
        with_timestamps: Tcb, timestamps(1, without_text(client_and_server(1)));
    }
}

mod full {
    use super::*;

    explored! {
        #[ignore = "minutes: .ci/prove model"]
        text: Tcb, client_and_server(3);
        #[ignore = "minutes: .ci/prove model"]
        any_opens: Tcb, any_open(2);
        #[ignore = "minutes: .ci/prove model"]
        any_opens_without_text: Tcb, without_text(any_open(3));
        #[ignore = "minutes: .ci/prove model"]
        forged: Tcb, spending(FORGED, client_and_server(2));
        #[ignore = "minutes: .ci/prove model"]
        forged_at_any_open: Tcb, spending(FORGED, without_text(any_open(2)));
        #[ignore = "minutes: .ci/prove model"]
        doubled: Tcb, spending(DOUBLED, without_text(any_open(3)));
        #[ignore = "minutes: .ci/prove model"]
        doubled_text: Tcb, spending(DOUBLED, client_and_server(3));
        #[ignore = "minutes: .ci/prove model"]
        given_up: Tcb, spending(GIVEN_UP, client_and_server(3));
        #[ignore = "minutes: .ci/prove model"]
        opens_again: Tcb, spending(DOUBLED, again(2));
        #[ignore = "minutes: .ci/prove model"]
        slow_readers: Stream, slow_reader(2, 2);
        #[ignore = "minutes: .ci/prove model"]
        streams: Stream, client_and_server(1);
        #[ignore = "minutes: .ci/prove model"]
        with_timestamps: Tcb, timestamps(2, without_text(client_and_server(2)));
        #[ignore = "minutes: .ci/prove model"]
        text_with_timestamps: Tcb, timestamps(2, client_and_server(1));
        #[ignore = "minutes: .ci/prove model"]
        everything: Tcb,
            spending(Budget { forged: 1, doubled: 1, given_up: 1, ticks: 0 }, without_text(client_and_server(2)));
    }
}
