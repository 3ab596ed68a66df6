//! One target as it is typed: it can stand for many.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::super::target;
use super::list::Host;
use super::ports::Ports;
use crate::packet::ip::no_host;

/// Hosts, and the ports of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    hosts: Hosts,
    pub(super) ports: Ports,
}

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    Address(IpAddr),
    /// Of IPv4 without the addresses of the network and of all its hosts, unless it has no others.
    Block(IpNet),
    /// In lower case; or a link-local address with its scope.
    Name(String),
}

impl Written {
    /// How many targets it stands for.
    pub(super) fn count(&self) -> u128 {
        let hosts = match &self.hosts {
            Hosts::Address(_) | Hosts::Name(_) => 1,
            Hosts::Block(IpNet::V4(block)) => {
                let all = 1_u128 << (32 - block.prefix_len());
                if all > 2 { all - 2 } else { all }
            }
            Hosts::Block(IpNet::V6(block)) => {
                1_u128.checked_shl(128 - u32::from(block.prefix_len())).unwrap_or(u128::MAX)
            }
        };
        hosts.saturating_mul(u128::from(self.ports.count()))
    }

    /// Each host, one after the other.
    pub(super) fn hosts(&self) -> Box<dyn Iterator<Item = Host<'_>> + '_> {
        match &self.hosts {
            Hosts::Address(address) => Box::new(std::iter::once(Host::Address(*address))),
            Hosts::Block(block) => Box::new(block.hosts().map(|ip| Host::Address(ip.to_canonical()))),
            Hosts::Name(name) => Box::new(std::iter::once(Host::Name(name))),
        }
    }
}

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, ports) = target::parts(text, None).map_err(|failure| failure.to_string())?;
        let hosts = host.parse()?;
        if host.contains(':') && !text.starts_with('[') {
            return Err(format!("'{text}': write ipv6 as [{host}]:{ports}"));
        }
        Ok(Self { hosts, ports: ports.parse()? })
    }
}

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            let block = block(text)?;
            return one_host_each(block).map(|()| Self::Block(block));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            let address = address.to_canonical();
            return one_host(address).map(|()| Self::Address(address));
        }
        if text.contains(':') { scoped(text) } else { name(text).map(Self::Name) }
    }
}

/// A block in CIDR notation. IPv4 written as IPv6 becomes IPv4.
pub(super) fn block(text: &str) -> Result<IpNet, String> {
    const MAPPED: u8 = 96;
    let block: IpNet = text
        .parse()
        .map_err(|_| format!("'{text}' is no block of addresses (write 10.0.0.0/24 or [fd99::/120])"))?;
    let whole = block.trunc();
    if block != whole {
        return Err(format!(
            "'{text}' is a host in a block (write {whole} for the block, or {} for the host)",
            block.addr()
        ));
    }
    Ok(match (whole.network().to_canonical(), whole.prefix_len().checked_sub(MAPPED)) {
        (IpAddr::V4(first), Some(len)) if whole.network().is_ipv6() => {
            Ipv4Net::new(first, len).map_or(whole, IpNet::V4)
        }
        _ => whole,
    })
}

fn one_host(address: IpAddr) -> Result<(), String> {
    match no_host(address) {
        Some(kind) => Err(target::not_one_host(address, kind).to_string()),
        None => Ok(()),
    }
}

/// What is no host lies at the ends of either family's addresses: a block that has one has it at an end.
fn one_host_each(block: IpNet) -> Result<(), String> {
    let mut hosts = block.hosts();
    let last = match block {
        IpNet::V4(block) if block.prefix_len() <= 30 => {
            u32::from(block.broadcast()).saturating_sub(1).to_be_bytes().into()
        }
        IpNet::V4(_) | IpNet::V6(_) => block.broadcast(),
    };
    hosts.next().into_iter().chain([last]).try_for_each(one_host)
}

/// `fe80::1%eth0`.
fn scoped(text: &str) -> Result<Hosts, String> {
    const MOST_OCTETS: usize = 15; // of an interface's name
    let read = text.split_once('%').and_then(|(address, scope)| {
        let is_scope = (1..=MOST_OCTETS).contains(&scope.len())
            && scope.bytes().all(|c| c.is_ascii_graphic() && c != b']');
        Some((address.parse::<Ipv6Addr>().ok().filter(|_| is_scope)?, scope))
    });
    let Some((address, scope)) = read else {
        return Err(format!("'{text}' is no ipv6 address (write [fd99::1]:PORT)"));
    };
    one_host(address.into()).map(|()| Hosts::Name(format!("{address}%{scope}")))
}

/// A name as the resolver takes it, in lower case. What only looks like an address is none: the resolver would
/// make one of `10.1` all the same.
pub(super) fn name(text: &str) -> Result<String, String> {
    const MOST_OCTETS: usize = 253;
    let labels = text.strip_suffix('.').unwrap_or(text);
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_letter);
    if labels.len() > MOST_OCTETS || !labels.split('.').all(is_label) {
        return Err(format!(
            "'{text}' is no host name (letters, digits, - and _ between dots, at most 253; others as xn--)"
        ));
    }
    let last = labels.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = last.bytes().all(|c| c.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
    if is_number {
        return Err(format!("'{text}' is no ipv4 address (four numbers from 0 to 255)"));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let written: Written = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        let hosts = written.hosts().map(|host| match host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.to_owned(),
        });
        let hosts: Vec<String> = hosts.collect();
        assert_eq!(written.count(), (hosts.len() as u128) * u128::from(written.ports.count()), "{text}");
        hosts
    }

    #[test]
    fn a_target_stands_for_its_hosts() {
        for (text, hosts) in [
            ("10.0.0.1:22", &["10.0.0.1"][..]),
            ("[::ffff:10.0.0.1]:22", &["10.0.0.1"]),
            ("[FD99::1]:22", &["fd99::1"]),
            ("[fe80:0::1%eth0]:22", &["fe80::1%eth0"]),
            ("Example.ORG:22,80", &["example.org"]),
            ("_a-b.example.:80", &["_a-b.example."]),
            ("10.0.0.0/30:22,80", &["10.0.0.1", "10.0.0.2"]),
            ("10.0.0.0/31:22", &["10.0.0.0", "10.0.0.1"]),
            ("10.0.0.7/32:22", &["10.0.0.7"]),
            ("[fd99::4/127]:1-9", &["fd99::4", "fd99::5"]),
            ("[::ffff:10.0.0.0/126]:1", &["10.0.0.1", "10.0.0.2"]),
        ] {
            assert_eq!(all(text), hosts, "{text}");
        }
        assert_eq!("10.0.0.0/8:1-2".parse::<Written>().unwrap().count(), 2 * ((1 << 24) - 2));
        assert_eq!("[fd00::/8]:1".parse::<Written>().unwrap().count(), 1 << 120);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        for (text, words) in [
            ("", "the host is missing (write HOST:PORT)"),
            ("example.org", "the port is missing (write example.org:PORT)"),
            ("fd99::1", "write an ipv6 address and its port as [fd99::1]:PORT"),
            ("fd99::/120:80", "write ipv6 as [fd99::/120]:80"),
            (
                "10.0.0.5/24:22",
                "'10.0.0.5/24' is a host in a block (write 10.0.0.0/24 for the block, or 10.0.0.5",
            ),
            ("10.0.0.0/33:22", "'10.0.0.0/33' is no block of addresses"),
            ("example.org/24:22", "is no block of addresses"),
            ("[fd99::g]:22", "'fd99::g' is no ipv6 address"),
            ("[fe80::1%]:22", "is no ipv6 address"),
            ("10.0.0.256:22", "'10.0.0.256' is no ipv4 address (four numbers from 0 to 255)"),
            ("10.1:22", "is no ipv4 address"),
            ("0x7f000001:22", "is no ipv4 address"),
            ("010.0.0.1:22", "is no ipv4 address"),
            ("a..b:22", "'a..b' is no host name"),
            ("gr\u{fc}n.example:22", "is no host name"),
            ("h:22,x", "'x' is no port"),
            ("224.0.0.1:22", "cannot connect to 224.0.0.1: it is a multicast address"),
            ("[::]:22", "the unspecified address"),
            ("[ff02::1%eth0]:22", "a multicast address"),
            ("[::ffff:255.255.255.255]:22", "the broadcast address"),
            ("0.0.0.0/0:22", "cannot connect to 0.0.0.1: it is a reserved address"),
            ("128.0.0.0/1:22", "cannot connect to 255.255.255.254: it is a reserved address"),
            ("224.0.0.0/4:22", "cannot connect to 224.0.0.1: it is a multicast address"),
            ("255.255.255.255/32:22", "the broadcast address"),
            ("[::/120]:22", "cannot connect to ::: it is the unspecified address"),
            ("[f000::/4]:22", "a multicast address"),
        ] {
            let error = text.parse::<Written>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let long = format!("{}:22", ["a"; 128].join("."));
        assert!(long.parse::<Written>().unwrap_err().contains("no host name"));
    }
}
