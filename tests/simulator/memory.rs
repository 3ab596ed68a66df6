//! What a long run leaves behind on the wire: nothing.

use std::time::Duration;

use tcpshake::time::Instant;
use tcpshake::wire::faulty::{FaultyWire, Seeded};
use tcpshake::wire::memory::{MemoryWire, Station};
use tcpshake::wire::{Arrival, Wire};

use crate::weather::rough;

/// Sends back what it gets.
struct Mirror;

impl Station for Mirror {
    fn react(&mut self, packet: Option<&[u8]>, _now: Instant) -> Vec<Vec<u8>> {
        packet.map(<[u8]>::to_vec).into_iter().collect()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// However many packets have passed, no more are under way than the delays and the waits can hold.
#[test]
fn packets_under_way_do_not_add_up() {
    const STEP: Duration = Duration::from_micros(500);
    let climate = rough();
    let longest = climate.jitter + climate.waits; // each way; every packet may be two
    let most = 2 * 2 * (longest.as_micros() / STEP.as_micros()) as usize;
    let mut wire = FaultyWire::new(MemoryWire::new(Mirror, STEP), Seeded::new(1, climate, climate));
    let (mut came, mut most_seen) = (0, 0);
    for n in 0..40_000_u32 {
        wire.send(&n.to_be_bytes()).unwrap();
        let until = Instant::ORIGIN + STEP * (n + 1);
        while let Arrival::Packet(_) = wire.receive(Some(until)).unwrap() {
            came += 1;
        }
        most_seen = most_seen.max(wire.under_way());
    }
    assert!(came > 20_000 && most_seen > 10, "{came} came, {most_seen} under way");
    assert!(most_seen <= most, "{most_seen} packets under way, {most} expected at most");
    let long_after = wire.now() + longest * 4;
    while let Arrival::Packet(_) = wire.receive(Some(long_after)).unwrap() {}
    assert_eq!(wire.under_way(), 0);
}
