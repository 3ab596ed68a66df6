//! Which targets a list has: needed only while it grows, and gone with its duplicates.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::list::{Entry, Host, List};

/// Numbers of entries by the hash of what they are: four octets each, for the list has the rest.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// A power of two, at most three quarters taken; what is taken goes to the next free one. A number has 24 bits
    /// ([`List::MOST`]); above it stand 8 of the hash, so that the list is looked at for hardly any other entry.
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;
const FEWEST: usize = 16;
const NUMBER_BITS: u32 = 24;
const NUMBER: u32 = (1 << NUMBER_BITS) - 1;
const _: () = assert!(List::MOST <= NUMBER + 1);

impl Seen {
    /// The number of the entry with this host and port; if there is none, the next to be pushed has it from now on.
    pub(super) fn find(&mut self, list: &List, entry: Entry<'_>) -> Option<u32> {
        if (list.len() as usize + 1) * 4 > self.slots.len() * 3 {
            self.grow(list);
        }
        let hash = hash(entry);
        let is_it = |slot| {
            tag(hash) == slot & !NUMBER && list.get(slot & NUMBER).is_some_and(|other| is_same(other, entry))
        };
        let slot = self.slot(hash, is_it)?;
        if *slot != FREE {
            return Some(*slot & NUMBER);
        }
        *slot = tag(hash) | (list.len() & NUMBER);
        None
    }

    /// The slot that is it, or the free one for it.
    fn slot(&mut self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<&mut u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != FREE && !is_it(*slot)) {
            at = (at + 1) & mask;
        }
        self.slots.get_mut(at)
    }

    fn grow(&mut self, list: &List) {
        let len = (self.slots.len() * 2).max(FEWEST);
        self.slots = Vec::new(); // the old go first: both together would be the peak
        self.slots.resize(len, FREE);
        for (number, entry) in (0..).zip(list.iter()) {
            let hash = hash(entry);
            if let Some(slot) = self.slot(hash, |_| false) {
                *slot = tag(hash) | number;
            }
        }
    }
}

fn is_same(one: Entry<'_>, other: Entry<'_>) -> bool {
    one.host == other.host && one.port == other.port
}

/// Never all ones: with the last number that would be a free slot.
fn tag(hash: u64) -> u32 {
    const TAGS: u64 = 255;
    ((hash >> 32) % TAGS) as u32 * (1 << NUMBER_BITS)
}

/// IPv4 in one piece: it is most of what there is.
fn hash(entry: Entry<'_>) -> u64 {
    let mut hasher = SipHasher13::new();
    if let Host::Address(IpAddr::V4(ip)) = entry.host {
        hasher.write_u64((u64::from(ip.to_bits()) << 16) | u64::from(entry.port));
    } else {
        (entry.host, entry.port).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_once_it_was_seen() {
        let (mut list, mut seen) = (List::default(), Seen::default());
        let entry = |number: u32| {
            let host = Host::Address(std::net::Ipv4Addr::from_bits(number / 2).into());
            Entry { host, port: (number % 2) as u16 + 1, expectations: 0 }
        };
        for number in 0..5_000 {
            assert_eq!(seen.find(&list, entry(number)), None);
            list.push(entry(number));
        }
        for number in 0..5_000 {
            let other = Entry { expectations: 7, ..entry(number) };
            assert_eq!(seen.find(&list, other), Some(number));
        }
        assert!(seen.slots.len() <= 8_192);
    }

    #[test]
    fn what_is_taken_never_looks_free() {
        assert!((0..=1_024).all(|high| tag(high << 32) | NUMBER != FREE));
    }
}
