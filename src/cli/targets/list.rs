//! Many targets in little memory.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::record::expectation::Expectations;

/// Targets without duplicates, in the order they were named.
#[derive(Clone, Debug, Default)]
pub struct List {
    entries: Vec<Stored>,
    others: Vec<Other>,
    /// The names among the others, one behind the other.
    names: String,
    pub(super) expectations: Vec<Expectations>,
    pub(super) duplicates: u64,
    pub(super) excluded: u64,
}

/// One target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry<'l> {
    /// Who.
    pub host: Host<'l>,
    /// Where.
    pub port: u16,
    /// Which of [`List::expectations`] are its own.
    pub expectations: u16,
}

/// Who a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host<'l> {
    /// An address; never IPv4 written as IPv6.
    Address(IpAddr),
    /// A name for the resolver, in lower case; or a link-local address with its scope.
    Name(&'l str),
}

/// An entry, packed.
#[derive(Clone, Copy, Debug)]
struct Stored {
    /// An IPv4 address; from 240.0.0.0 on, where no host is, the number of one of the others.
    host: u32,
    port: u16,
    expectations: u16,
}

/// What does not fit into an entry.
#[derive(Clone, Copy, Debug)]
enum Other {
    Address(Ipv6Addr),
    Name { start: u32, len: u8 },
}

const FIRST_OTHER: u32 = 0xf000_0000;

impl List {
    /// A run has no more targets.
    pub const MOST: u32 = 1 << 24;

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.entries.len() as u32 // no more than MOST
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The one with this number, from 0.
    pub fn get(&self, index: u32) -> Option<Entry<'_>> {
        self.entries.get(index as usize).map(|stored| self.unpacked(*stored))
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|stored| self.unpacked(*stored))
    }

    /// The canonical `HOST:PORT` of the one with this number.
    pub fn label(&self, index: u32) -> Option<String> {
        self.get(index).map(|entry| entry.to_string())
    }

    /// What is expected, each set once; entries say which.
    pub fn expectations(&self) -> &[Expectations] {
        &self.expectations
    }

    /// How often a target was named that had been named before.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many were left out because they are excluded; one that is named twice counts twice.
    pub const fn excluded(&self) -> u64 {
        self.excluded
    }

    /// Drops those whose label is not to be kept; yields how many.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> u32 {
        let before = self.len();
        let mut entries = std::mem::take(&mut self.entries);
        let mut label = String::new();
        entries.retain(|stored| {
            self.unpacked(*stored).label(&mut label);
            keep(&label)
        });
        self.entries = entries;
        before - self.len()
    }

    /// Puts one behind the others; false if there is no room.
    pub(super) fn push(&mut self, entry: Entry<'_>) -> bool {
        let Some(host) = self.packed(entry.host).filter(|_| self.len() < Self::MOST) else { return false };
        self.entries.push(Stored { host, port: entry.port, expectations: entry.expectations });
        true
    }

    pub(super) fn expect(&mut self, index: u32, expectations: u16) {
        if let Some(stored) = self.entries.get_mut(index as usize) {
            stored.expectations = expectations;
        }
    }

    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.others.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    fn unpacked(&self, stored: Stored) -> Entry<'_> {
        let other = || self.others.get((stored.host.checked_sub(FIRST_OTHER)?) as usize);
        let host = match other() {
            None => Host::Address(Ipv4Addr::from_bits(stored.host).into()),
            Some(other) => self.other(*other),
        };
        Entry { host, port: stored.port, expectations: stored.expectations }
    }

    fn other(&self, other: Other) -> Host<'_> {
        match other {
            Other::Address(address) => Host::Address(IpAddr::V6(address).to_canonical()),
            Other::Name { start, len } => {
                let start = start as usize;
                Host::Name(self.names.get(start..start + usize::from(len)).unwrap_or_default())
            }
        }
    }

    fn packed(&mut self, host: Host<'_>) -> Option<u32> {
        let other = match host {
            Host::Address(IpAddr::V4(ip)) if ip.to_bits() < FIRST_OTHER => return Some(ip.to_bits()),
            Host::Address(IpAddr::V4(ip)) => Other::Address(ip.to_ipv6_mapped()),
            Host::Address(IpAddr::V6(ip)) => Other::Address(ip),
            Host::Name(name) if self.is_last(host) => Other::Name { start: 0, len: name.len() as u8 },
            Host::Name(name) => {
                let start = u32::try_from(self.names.len()).ok()?;
                let len = u8::try_from(name.len()).ok()?;
                self.names.push_str(name);
                Other::Name { start, len }
            }
        };
        if !self.is_last(host) {
            self.others.push(other);
        }
        Some(FIRST_OTHER + (self.others.len() as u32 - 1))
    }

    /// Ports of one host come one after the other: they share it.
    fn is_last(&self, host: Host<'_>) -> bool {
        self.others.last().is_some_and(|last| self.other(*last) == host)
    }
}

impl Entry<'_> {
    /// Writes its canonical form over what `label` holds.
    pub(super) fn label(&self, label: &mut String) {
        use fmt::Write;
        label.clear();
        let _ = write!(label, "{self}"); // a String takes everything
    }
}

impl fmt::Display for Entry<'_> {
    /// `HOST:PORT`, `[IPV6]:PORT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match self.host {
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}:{port}"),
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}"),
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[(Host<'_>, u16)]) -> List {
        let mut list = List::default();
        for (host, port) in hosts {
            assert!(list.push(Entry { host: *host, port: *port, expectations: *port }));
        }
        list
    }

    fn address(text: &str) -> Host<'_> {
        Host::Address(text.parse().unwrap())
    }

    #[test]
    fn what_goes_in_comes_out() {
        let hosts = [
            (address("10.0.0.1"), 22),
            (address("239.255.255.255"), 1),
            (address("240.0.0.0"), 2),
            (address("255.255.255.255"), 65_535),
            (address("fd99::1"), 80),
            (Host::Name("example.org"), 443),
            (Host::Name("fe80::1%eth0"), 80),
            (Host::Name("example.org"), 444),
        ];
        let list = list(&hosts);
        for (index, (host, port)) in hosts.iter().enumerate() {
            assert_eq!(list.get(index as u32), Some(Entry { host: *host, port: *port, expectations: *port }));
        }
        assert_eq!((list.len(), list.get(8), list.label(8)), (8, None, None));
        assert_eq!(list.label(4).unwrap(), "[fd99::1]:80");
        assert_eq!(list.label(5).unwrap(), "example.org:443");
        assert_eq!(list.label(6).unwrap(), "[fe80::1%eth0]:80");
        assert_eq!(list.iter().count(), 8);
    }

    #[test]
    fn ports_of_one_host_share_it() {
        let name = Host::Name("example.org");
        let list = list(&[(name, 1), (name, 2), (address("fd99::1"), 1), (address("fd99::1"), 2), (name, 3)]);
        assert_eq!((list.others.len(), list.names.len()), (3, 22));
    }

    #[test]
    fn what_is_not_kept_is_dropped() {
        let mut list = list(&[(address("10.0.0.1"), 1), (Host::Name("a"), 2), (address("10.0.0.3"), 3)]);
        assert_eq!(list.retain(|label| label != "a:2"), 1);
        assert_eq!(
            list.iter().map(|entry| entry.to_string()).collect::<Vec<_>>(),
            ["10.0.0.1:1", "10.0.0.3:3"]
        );
    }

    /// A million targets of IPv4 in 8 MB, of IPv6 in 28 MB.
    #[test]
    fn a_target_is_small() {
        assert_eq!((size_of::<Stored>(), size_of::<Other>()), (8, 20));
    }
}
