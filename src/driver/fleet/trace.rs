//! The packets of exchanges under way, kept until it is known whether anybody wants to see them.
//!
//! One pool for all: an exchange that ends as expected gives back what it took. Where the pool is exhausted, or one
//! exchange wants too much of it, packets are not kept, and that is told.

use std::mem::size_of;

use crate::time::Instant;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We sent it.
    Sent,
    /// We would have, but it did not leave; it counts as lost.
    Unsent,
    /// It arrived.
    Received,
}

/// A packet that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPacket {
    /// When it was handed to the wire, or when the kernel took it.
    pub at: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// From its IP header on.
    pub octets: Vec<u8>,
}

/// The packets of one exchange, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptPackets {
    /// Those that were kept.
    pub packets: Vec<KeptPacket>,
    /// Whether there were more.
    pub incomplete: bool,
}

/// What an exchange has in the pool: its last chunk in 24 bits, and how many there are in eight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain(u32);

/// No chunk has this number.
const NONE: u32 = 0x00ff_ffff;

impl Chain {
    pub(super) const EMPTY: Self = Self(NONE);
    /// One exchange gets no more.
    const MOST_CHUNKS: u32 = 200;
    /// In place of the count: there was more.
    const INCOMPLETE: u32 = 0xff;

    const fn last(self) -> u32 {
        self.0 & NONE
    }

    const fn chunks(self) -> u32 {
        self.0 >> 24
    }

    const fn is_incomplete(self) -> bool {
        self.chunks() == Self::INCOMPLETE
    }

    const fn with(last: u32, chunks: u32) -> Self {
        Self(chunks << 24 | last)
    }

    const fn cut_off(self) -> Self {
        Self::with(self.last(), Self::INCOMPLETE)
    }
}

/// A whole segment without text, or a part of a longer one.
#[derive(Clone, Debug)]
struct Chunk {
    at: Instant,
    before: u32,
    direction: Direction,
    place: Place,
    len: u8,
    octets: [u8; Self::ROOM],
}

impl Chunk {
    const ROOM: usize = 80;
}

/// Where in its packet a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Front,
    Behind,
}

/// The pool. It grows to what it may be and never beyond.
#[derive(Debug)]
pub(super) struct Trace {
    chunks: Vec<Chunk>,
    free: u32,
    most: usize,
}

impl Trace {
    /// A pool of so many octets.
    pub(super) const fn new(octets: usize) -> Self {
        let most = octets / size_of::<Chunk>();
        Self { chunks: Vec::new(), free: NONE, most: if most < NONE as usize { most } else { NONE as usize } }
    }

    /// Keeps a packet of the exchange that `chain` is of.
    pub(super) fn keep(&mut self, chain: &mut Chain, direction: Direction, at: Instant, packet: &[u8]) {
        let wanted = packet.len().div_ceil(Chunk::ROOM) as u32;
        if chain.is_incomplete() || chain.chunks() + wanted > Chain::MOST_CHUNKS {
            *chain = chain.cut_off();
            return;
        }
        let mut place = Place::Front;
        for part in packet.chunks(Chunk::ROOM) {
            let mut octets = [0; Chunk::ROOM];
            if let Some(room) = octets.get_mut(..part.len()) {
                room.copy_from_slice(part);
            }
            let len = part.len() as u8;
            *chain = match self.put(Chunk { at, before: chain.last(), direction, place, len, octets }) {
                Some(index) => Chain::with(index, chain.chunks() + 1),
                None => return *chain = chain.cut_off(),
            };
            place = Place::Behind;
        }
    }

    fn put(&mut self, chunk: Chunk) -> Option<u32> {
        if let Some(place) = self.chunks.get_mut(self.free as usize) {
            let index = self.free;
            self.free = place.before;
            *place = chunk;
            return Some(index);
        }
        if self.chunks.len() >= self.most {
            return None;
        }
        self.chunks.push(chunk);
        Some(self.chunks.len() as u32 - 1)
    }

    /// Gives back what an exchange took.
    pub(super) fn release(&mut self, chain: &mut Chain) {
        let mut last = chain.last();
        while let Some(chunk) = self.chunks.get_mut(last as usize) {
            let before = std::mem::replace(&mut chunk.before, self.free);
            self.free = last;
            last = before;
        }
        *chain = Chain::EMPTY;
    }

    /// What was kept of an exchange.
    pub(super) fn packets(&self, chain: Chain) -> KeptPackets {
        let mut packets: Vec<KeptPacket> = Vec::new();
        let mut behind: Vec<&[u8]> = Vec::new();
        let mut at = chain.last();
        while let Some(chunk) = self.chunks.get(at as usize) {
            behind.push(chunk.octets.get(..usize::from(chunk.len)).unwrap_or_default());
            if chunk.place == Place::Front {
                let octets = behind.iter().rev().copied().flatten().copied().collect();
                packets.push(KeptPacket { at: chunk.at, direction: chunk.direction, octets });
                behind.clear();
            }
            at = chunk.before;
        }
        packets.reverse();
        KeptPackets { packets, incomplete: chain.is_incomplete() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(len: usize) -> Vec<u8> {
        (0..len).map(|n| n as u8).collect()
    }

    #[test]
    fn what_is_kept_comes_back_in_order() {
        let mut trace = Trace::new(1 << 16);
        let (mut one, mut other) = (Chain::EMPTY, Chain::EMPTY);
        for (n, len) in [40, 80, 81, 1500, 1].into_iter().enumerate() {
            let at = Instant::from_nanos(n as u64);
            let direction = if n % 2 == 0 { Direction::Sent } else { Direction::Received };
            trace.keep(&mut one, direction, at, &packet(len));
            trace.keep(&mut other, Direction::Sent, at, &packet(7));
        }
        let kept = trace.packets(one);
        assert!(!kept.incomplete);
        assert_eq!(
            kept.packets.iter().map(|kept| kept.octets.len()).collect::<Vec<_>>(),
            [40, 80, 81, 1500, 1]
        );
        assert!(kept.packets.iter().all(|kept| kept.octets == packet(kept.octets.len())));
        assert_eq!(
            (kept.packets[1].direction, kept.packets[1].at),
            (Direction::Received, Instant::from_nanos(1))
        );
        assert_eq!(trace.packets(other).packets.len(), 5);
    }

    #[test]
    fn what_is_given_back_is_used_again() {
        let mut trace = Trace::new(4 * size_of::<Chunk>());
        for _ in 0..100 {
            let mut chain = Chain::EMPTY;
            (0..4).for_each(|_| trace.keep(&mut chain, Direction::Sent, Instant::ORIGIN, &packet(40)));
            assert_eq!(trace.packets(chain).packets.len(), 4);
            assert!(!trace.packets(chain).incomplete);
            trace.release(&mut chain);
            assert_eq!(trace.packets(chain), KeptPackets::default());
        }
        assert_eq!(trace.chunks.len(), 4);
    }

    /// Neither a full pool nor one greedy exchange costs more memory, and both are told.
    #[test]
    fn what_is_too_much_is_not_kept() {
        let mut trace = Trace::new(3 * size_of::<Chunk>());
        let (mut one, mut other) = (Chain::EMPTY, Chain::EMPTY);
        (0..3).for_each(|_| trace.keep(&mut one, Direction::Sent, Instant::ORIGIN, &packet(40)));
        trace.keep(&mut other, Direction::Sent, Instant::ORIGIN, &packet(40));
        assert!(trace.packets(other).incomplete && !trace.packets(one).incomplete);

        let mut trace = Trace::new(1 << 20);
        let mut greedy = Chain::EMPTY;
        (0..1000).for_each(|_| trace.keep(&mut greedy, Direction::Received, Instant::ORIGIN, &packet(1500)));
        assert!(trace.packets(greedy).incomplete);
        assert!(trace.chunks.len() <= Chain::MOST_CHUNKS as usize);
    }
}
