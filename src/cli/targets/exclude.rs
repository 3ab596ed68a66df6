//! Who is not to be spoken to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use super::list::Host;
use super::written::{block, name};

/// Blocks, addresses and names that no run may touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclude {
    /// First and last, ascending and apart once [`Self::seal`] was called.
    ranges: Vec<(IpAddr, IpAddr)>,
    names: BTreeSet<String>,
}

impl Exclude {
    /// Whether an address is excluded. To be asked again for what a name resolves to.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let before = self.ranges.partition_point(|(first, _)| *first <= address);
        let range = before.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|(_, last)| address <= *last)
    }

    /// Whether a host is excluded, as far as it can be known before it is resolved.
    pub fn has_host(&self, host: Host<'_>) -> bool {
        match host {
            Host::Address(address) => self.has(address),
            Host::Name(name) => {
                let scoped = name.split_once('%').and_then(|(address, _)| address.parse::<Ipv6Addr>().ok());
                self.names.contains(rootless(name)) || scoped.is_some_and(|address| self.has(address.into()))
            }
        }
    }

    /// Takes a block, an address or a name. IPv6 may stand in brackets.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if bare.contains('/') {
            let block = block(bare)?;
            self.ranges.push((block.network(), block.broadcast()));
        } else if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            self.ranges.push((address, address));
        } else if bare.contains(':') {
            return Err(format!("'{text}' is no address to exclude (write it without a port)"));
        } else {
            self.names.insert(rootless(&name(bare)?).to_owned());
        }
        Ok(())
    }

    /// Makes it ready to be asked.
    pub(super) fn seal(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, range| {
            let overlaps = next.0 <= range.1;
            if overlaps {
                range.1 = range.1.max(next.1);
            }
            overlaps
        });
    }
}

/// The dot at the end of a name changes how it is looked up, not whom it means.
fn rootless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclude(list: &[&str]) -> Exclude {
        let mut exclude = Exclude::default();
        for text in list {
            exclude.add(text).unwrap();
        }
        exclude.seal();
        exclude
    }

    #[test]
    fn blocks_may_overlap() {
        let exclude = exclude(&[
            "10.0.1.0/24",
            "10.0.0.0/16",
            "10.0.0.5",
            "192.0.2.1",
            "[fd99::/120]",
            "::ffff:198.51.100.0/120",
        ]);
        for (address, has) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.0.2.0", true),
            ("10.0.255.255", true),
            ("10.1.0.0", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.255", true),
            ("fd99::ff", true),
            ("fd99::100", false),
            ("::", false),
        ] {
            assert_eq!(exclude.has(address.parse().unwrap()), has, "{address}");
        }
    }

    #[test]
    fn names_and_scopes() {
        let exclude = exclude(&["Example.ORG.", "fe80::/10"]);
        for (name, has) in [
            ("example.org", true),
            ("example.org.", true),
            ("www.example.org", false),
            ("fe80::1%eth0", true),
        ] {
            assert_eq!(exclude.has_host(Host::Name(name)), has, "{name}");
        }
        assert!(!Exclude::default().has_host(Host::Name("example.org")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("10.0.0.1/24", "a host in a block"),
            ("[fd99::1]:80", "write it without a port"),
            ("10.0.0.1:80", "write it without a port"),
            ("10.0.0.300", "is no ipv4 address"),
            ("a b", "is no host name"),
        ] {
            let error = Exclude::default().add(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
