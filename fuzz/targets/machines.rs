//! Two machines talk to each other, through whatever a network can do to them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcpshake_fuzz::octets::Octets;
use tcpshake_fuzz::pair::Pair;
use tcpshake_fuzz::tally;

/// Some two hundred events.
const TAIL: u32 = 512;

fuzz_target!(|input: &[u8]| {
    let mut octets = Octets::new(input, TAIL);
    let mut pair = Pair::new(&mut octets);
    while !octets.is_empty() {
        pair.happen(&mut octets);
    }
    pair.come_to_an_end();
    tally::count(pair.segments);
});
