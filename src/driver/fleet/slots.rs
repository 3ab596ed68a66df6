//! Where exchanges stand: a slab that is filled anew, and a table that finds them by their four numbers.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::exchange::Exchange;
use crate::packet::Ports;

/// Exchanges by number and by ends. What peers send is looked up and never put in, so that nobody can make the table
/// slow; the seed is random all the same.
pub(super) struct Slots {
    exchanges: Vec<Exchange>,
    free: Vec<u32>,
    by_ends: HashTable<u32>,
    seed: FixedState,
    most: usize,
}

impl Slots {
    /// Octets in the table for each exchange: its number, and an octet of its hash.
    pub(super) const OCTETS: usize = size_of::<u32>() + 1;

    pub(super) fn new(most: usize, seed: u64) -> Self {
        Self {
            exchanges: Vec::with_capacity(most),
            free: Vec::new(),
            by_ends: HashTable::with_capacity(most),
            seed: FixedState::with_seed(seed),
            most,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.exchanges.len() >= self.most
    }

    pub(super) fn get(&self, number: u32) -> Option<&Exchange> {
        self.exchanges.get(number as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Exchange> {
        self.exchanges.get_mut(number as usize)
    }

    /// The exchange with `remote`, by our ports.
    pub(super) fn find(&self, remote: IpAddr, ports: Ports) -> Option<u32> {
        let is_it = |number: &u32| self.get(*number).is_some_and(|exchange| exchange.is_with(remote, ports));
        self.by_ends.find(hash(&self.seed, remote, ports), is_it).copied()
    }

    /// Takes one more. There must be none with these ends, and room: else it is given back.
    pub(super) fn insert(&mut self, exchange: Exchange) -> Option<u32> {
        let (remote, ports) = exchange.ends();
        let number = match self.free.pop() {
            Some(number) => {
                *self.exchanges.get_mut(number as usize)? = exchange;
                number
            }
            None if self.exchanges.len() < self.most => {
                self.exchanges.push(exchange);
                self.exchanges.len() as u32 - 1
            }
            None => return None,
        };
        let Self { exchanges, by_ends, seed, .. } = self;
        let rehash = |number: &u32| {
            exchanges.get(*number as usize).map_or(0, |exchange| {
                let (remote, ports) = exchange.ends();
                hash(seed, remote, ports)
            })
        };
        by_ends.insert_unique(hash(seed, remote, ports), number, rehash);
        Some(number)
    }

    /// Makes room.
    pub(super) fn remove(&mut self, number: u32) {
        let Some((remote, ports)) = self.get(number).map(Exchange::ends) else { return };
        let hash = hash(&self.seed, remote, ports);
        if let Ok(entry) = self.by_ends.find_entry(hash, |other| *other == number) {
            entry.remove();
            self.free.push(number);
        }
    }

    /// All that stand, by number.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.by_ends.iter().copied().collect()
    }
}

fn hash(seed: &FixedState, remote: IpAddr, ports: Ports) -> u64 {
    let mut hasher = seed.build_hasher();
    match remote {
        IpAddr::V4(ip) => hasher.write_u32(ip.to_bits()),
        IpAddr::V6(ip) => hasher.write_u128(ip.to_bits()),
    }
    hasher.write_u32(u32::from(ports.source) << 16 | u32::from(ports.destination));
    hasher.finish()
}
