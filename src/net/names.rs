//! Host names to addresses, by the system's resolver.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Which addresses to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Whatever the resolver puts first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address belongs to it.
    pub const fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// A name that led nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The resolver knows no such name, or could not be reached.
    #[error("cannot resolve '{host}': {} (is it spelled right, and is there a name server?)", crate::cause::cause(.error))]
    Resolver {
        /// The name.
        host: String,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// It has addresses, but not of the family asked for.
    #[error("'{0}' has no {1} address (it has {2})")]
    Family(String, &'static str, String),
}

/// The addresses of `host` in the resolver's order of preference. Waits as long as the resolver does.
pub fn resolve(host: &str, port: u16, family: Family) -> Result<Vec<SocketAddr>, NameError> {
    let all: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| NameError::Resolver { host: host.to_owned(), error: plain(error) })?
        .collect();
    let wanted: Vec<SocketAddr> = all.iter().copied().filter(|address| family.has(*address)).collect();
    if wanted.is_empty() {
        let name = if family == Family::V4 { "ipv4" } else { "ipv6" };
        let found: Vec<String> = all.iter().map(|address| address.ip().to_string()).collect();
        return Err(NameError::Family(host.to_owned(), name, found.join(", ")));
    }
    Ok(wanted)
}

/// std prefixes the resolver's words with its own.
fn plain(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(cause) => io::Error::other(cause.to_lowercase()),
        None => error,
    }
}
