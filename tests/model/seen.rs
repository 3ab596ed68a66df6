//! The worlds seen: 128 bits of each instead of the world, so that a hundred million of them fit into memory.
//!
//! Two worlds with the same 128 bits would be taken for one, and what lies behind the second not be looked at; among
//! 2^27 worlds the odds are one in 2^75.

use std::hash::Hash;

use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};

#[derive(Default)]
pub struct Seen {
    keys: Vec<u128>,
    /// Where each was reached from first; the first world from itself.
    from: Vec<u32>,
    numbers: HashTable<u32>,
}

pub fn key(world: &impl Hash) -> u128 {
    let mut hasher = SipHasher13::new();
    world.hash(&mut hasher);
    hasher.finish128().as_u128()
}

impl Seen {
    /// The number of a world, and whether it is new.
    pub fn insert(&mut self, key: u128, from: u32) -> (u32, bool) {
        let Self { keys, numbers, .. } = self;
        if let Some(known) = numbers.find(key as u64, |number| keys[*number as usize] == key) {
            return (*known, false);
        }
        let number = u32::try_from(keys.len()).expect("fewer worlds than a number has room for");
        keys.push(key);
        self.from.push(from);
        let keys = &self.keys;
        numbers.insert_unique(key as u64, number, |number| keys[*number as usize] as u64);
        (number, true)
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn key_of(&self, number: u32) -> u128 {
        self.keys[number as usize]
    }

    /// The shortest way from the first world to this one, both included.
    pub fn way_to(&self, number: u32) -> Vec<u32> {
        let mut way = vec![number];
        let mut at = number;
        while self.from[at as usize] != at {
            at = self.from[at as usize];
            way.push(at);
        }
        way.reverse();
        way
    }
}
