//! What to connect to: host and port as people write them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::error::Failure;
use crate::packet::ip::no_host;

/// Host and port as typed; the host is a name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// Reads `HOST:PORT`, `[IPV6]:PORT`, or host and port apart.
    pub(super) fn parse(host: &str, port: Option<&str>) -> Result<Self, Failure> {
        let (host, port) = parts(host, port)?;
        Ok(Self { host: host.to_owned(), port: number(port)? })
    }

    /// The host, unless it is written as an address.
    pub(super) fn name(&self) -> Option<String> {
        self.host.parse::<IpAddr>().is_err().then(|| self.host.clone())
    }
}

/// Host and port, neither of them empty, as they are typed: together, or apart.
pub(super) fn parts<'t>(host: &'t str, port: Option<&'t str>) -> Result<(&'t str, &'t str), Failure> {
    let (host, port) = match (port, bracketed(host)) {
        (Some(port), Some((inner, ""))) => (inner, port),
        (Some(port), None) => (host, port),
        (None, Some((inner, rest))) => (inner, rest.strip_prefix(':').unwrap_or_default()),
        (None, None) if host.parse::<Ipv6Addr>().is_ok() => {
            return Err(Failure::usage(format_args!(
                "'{host}': write an ipv6 address and its port as [{host}]:PORT or {host} PORT"
            )));
        }
        (None, None) => host.rsplit_once(':').unwrap_or((host, "")),
        (Some(port), Some(_)) => {
            return Err(Failure::usage(format_args!("'{host}' and '{port}': the port is given twice")));
        }
    };
    if host.is_empty() {
        return Err(Failure::usage("the host is missing (write HOST:PORT)"));
    }
    if host.starts_with('[') || host.ends_with(']') {
        return Err(Failure::usage(format_args!("'{host}': a bracket is missing (write [IPV6]:PORT)")));
    }
    if port.is_empty() {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        return Err(Failure::usage(format_args!("the port is missing (write {host}:PORT)")));
    }
    Ok((host, port))
}

/// A port as it is typed.
pub(super) fn number(port: &str) -> Result<u16, Failure> {
    match port.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(Failure::usage(format_args!("'{port}' is no port (a number from 1 to 65535)"))),
    }
}

/// `[inner]rest`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once(']')
}

/// An address TCP can speak to: one host (MUST-46). IPv4 written as IPv6 becomes IPv4.
pub(super) fn unicast(address: SocketAddr) -> Result<SocketAddr, Failure> {
    let ip = address.ip().to_canonical();
    match (no_host(ip), ip) {
        (Some(kind), _) => Err(not_one_host(ip, kind)),
        (None, IpAddr::V4(_)) => Ok(SocketAddr::new(ip, address.port())),
        (None, IpAddr::V6(_)) => Ok(address), // with its scope
    }
}

/// The answer to a target that is no single host.
pub(super) fn not_one_host(ip: IpAddr, kind: &str) -> Failure {
    Failure::usage(format_args!("cannot connect to {ip}: it is {kind}, and tcp speaks to one host"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// P-15: whatever stands for a host and a port is one, or an error of one line.
        #[test]
        fn p15_any_host_is_a_target_or_one_line_of_error(
            host in prop_oneof![".{0,40}", "[0-9a-f.:%\\[\\]]{0,40}"], port in proptest::option::of(".{0,8}"),
        ) {
            match parsed(&host, port.as_deref()) {
                Ok((host, port)) => prop_assert!(!host.is_empty() && port > 0),
                Err(error) => prop_assert!(!error.contains('\n'), "{error:?}"),
            }
        }
    }

    fn parsed(host: &str, port: Option<&str>) -> Result<(String, u16), String> {
        Target::parse(host, port).map(|t| (t.host, t.port)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_way_to_write_a_target() {
        for (host, port, expected) in [
            ("example.org:80", None, ("example.org", 80)),
            ("example.org", Some("80"), ("example.org", 80)),
            ("10.0.0.1:65535", None, ("10.0.0.1", 65535)),
            ("[fd99::2]:80", None, ("fd99::2", 80)),
            ("[fd99::2]", Some("80"), ("fd99::2", 80)),
            ("fd99::2", Some("80"), ("fd99::2", 80)),
            ("[fe80::1%eth0]:80", None, ("fe80::1%eth0", 80)),
        ] {
            assert_eq!(parsed(host, port).unwrap(), (expected.0.to_owned(), expected.1), "{host} {port:?}");
        }
    }

    #[test]
    fn bad_ports_and_hosts_are_named() {
        for (host, port, words) in [
            ("h:0", None, "'0' is no port"),
            ("h:65536", None, "'65536' is no port"),
            ("h:http", None, "'http' is no port"),
            ("h", Some("-1"), "'-1' is no port"),
            ("h", None, "the port is missing (write h:PORT)"),
            ("[fd99::2]", None, "the port is missing (write [fd99::2]:PORT)"),
            ("[fd99::2:80", None, "'[fd99::2': a bracket is missing"),
            ("fd99::2]:80", None, "'fd99::2]': a bracket is missing"),
            ("[fd99::2", Some("80"), "'[fd99::2': a bracket is missing"),
            ("fd99::2", None, "[fd99::2]:PORT"),
            (":80", None, "the host is missing"),
            ("[fd99::2]:80", Some("81"), "given twice"),
        ] {
            let error = parsed(host, port).unwrap_err();
            assert!(error.contains(words), "{host} {port:?}: {error}");
        }
    }

    /// MUST-46.
    #[test]
    fn must_46_only_single_hosts() {
        for (target, allowed) in [
            ("10.0.0.1:1", true),
            ("127.0.0.1:1", true),
            ("[fd99::1]:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", false),
            ("0.1.2.3:1", false),
            ("224.0.0.1:1", false),
            ("255.255.255.255:1", false),
            ("240.0.0.1:1", false),
            ("[::]:1", false),
            ("[ff02::1]:1", false),
            ("[::ffff:224.0.0.1]:1", false),
        ] {
            assert_eq!(unicast(target.parse().unwrap()).is_ok(), allowed, "{target}");
        }
        assert_eq!(unicast("[::ffff:10.0.0.1]:1".parse().unwrap()).unwrap(), "10.0.0.1:1".parse().unwrap());
    }
}
