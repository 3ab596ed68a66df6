//! Very many exchanges in bad weather (B-14): each is completed with all its text intact, or ends with a verdict
//! that is true.

use std::collections::BTreeSet;

use tcpshake::record::{Ending, Outcome};

use crate::exchange::Exchange;
use crate::figures::Figures;
use crate::judge::run_and_judge;
use crate::ours::{Patience, exchange};
use crate::seed::{Seed, asked_for};

fn one(seed: u64, patience: Patience) -> Exchange {
    let test = match patience {
        Patience::Long => "b14_with_long_patience",
        Patience::Usual => "b14_with_usual_patience",
    };
    let _seed = Seed::under_way(seed, test);
    let (setup, peer) = exchange(seed, patience);
    let exchange = run_and_judge(&setup, peer);
    if patience == Patience::Long {
        assert_eq!(exchange.summary.outcome, Outcome::Completed(Ending::Closed));
    }
    exchange
}

/// The exchanges of these seeds, or the one that is asked for.
fn many(seeds: u64, patience: Patience) -> Figures {
    let seeds = asked_for().map_or(0..seeds, |seed| seed..seed + 1);
    let figures = Figures::of(seeds, |seed| one(seed, patience));
    println!("{patience:?} patience: {figures}");
    figures
}

/// A peer that is there to the end is heard in the end.
#[test]
fn b14_with_long_patience_every_exchange_is_completed() {
    let figures = many(300, Patience::Long);
    if figures.exchanges() > 1 {
        figures.assert_all_states_visited();
    }
}

/// Three retries and ten seconds are often too few: that is what is told, then, and it is true.
#[test]
fn b14_with_usual_patience_every_verdict_is_true() {
    many(500, Patience::Usual);
}

/// Issue 7's number of exchanges, with either patience; `.ci/prove exchanges` runs it.
#[test]
#[ignore = "takes minutes, and wants an optimized build"]
fn b14_a_hundred_thousand_exchanges() {
    const EXCHANGES: u64 = 100_000;
    many(EXCHANGES, Patience::Usual);
    many(EXCHANGES, Patience::Long);
}

/// The same seed, the same exchange: every octet of every packet, at both ends, and every moment.
#[test]
fn a_seed_repeats_itself_byte_for_byte() {
    let digests = || (0..40).map(|seed| one(seed, Patience::Usual).log.digest()).collect::<Vec<_>>();
    let first = digests();
    assert_eq!(first, digests());
    assert_eq!(BTreeSet::from_iter(&first).len(), first.len(), "different seeds make different exchanges");
}
