//! A machine is brought into a state, and then meets whatever a peer and a user can do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcpshake::tcp::{Retries, State};
use tcpshake::time::Instant;
use tcpshake_fuzz::arriving::arriving;
use tcpshake_fuzz::octets::Octets;
use tcpshake_fuzz::subject::Subject;
use tcpshake_fuzz::{start, tally};

/// Some five hundred events.
const TAIL: u32 = 2048;

fuzz_target!(|input: &[u8]| {
    let mut octets = Octets::new(input, TAIL);
    let mut segments = 0;
    while !octets.is_empty() {
        segments += one_machine(&mut octets);
    }
    tally::count(segments);
});

/// From a beginning to the end of the machine, or of the input; yields how many segments came.
fn one_machine(octets: &mut Octets) -> u64 {
    let way = start::way(octets.u8());
    let retries = Retries::AtMost(octets.u8() & 7);
    let parameters = start::parameters(octets, retries);
    let stream = start::stream(octets, &parameters);
    let (iss, irs) = (start::initial(octets), start::initial(octets));
    let mut subject = Subject::new(&parameters, stream, iss);
    let mut now = Instant::from_nanos(1_000_000_000);
    let mut segments = 0;
    for step in way {
        subject.walk(*step, irs, now);
        segments += u64::from(matches!(step, start::Move::Take(_)));
    }
    while !octets.is_empty() {
        let is_last = subject.state() == State::Closed;
        subject.out.clear();
        match octets.u8() {
            0..=191 => {
                let segment = arriving(octets, &subject.stream, irs, now);
                subject.take(&segment, now);
                segments += 1;
            }
            other => subject.act(other - 192, octets, &mut now),
        }
        if is_last {
            break;
        }
    }
    segments
}
