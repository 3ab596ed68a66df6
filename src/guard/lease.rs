//! A local port that is ours: bound, so that nobody else gets it and nobody's is taken.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::{holder, interfaces};

/// A bound TCP socket: it keeps the port until dropped. By itself it does not keep the kernel from
/// answering; a [`Guard`](super::Guard) made of it does.
#[derive(Debug)]
pub struct PortLease {
    socket: Socket,
    local: SocketAddr,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody has it.
    #[error("port {port} is taken{by}")]
    Taken {
        /// The port.
        port: u16,
        /// Who has it, if known, with " by " in front.
        by: String,
    },
    /// The address is not one of this machine's.
    #[error("address {address} is not one of this machine's (it has {own})")]
    NotOurs {
        /// The address asked for.
        address: IpAddr,
        /// The addresses there are.
        own: String,
    },
    /// A port below the unprivileged range.
    #[error("port {0} needs CAP_NET_BIND_SERVICE")]
    Privileged(u16),
    /// Anything else.
    #[error("port of {local} cannot be reserved: {}", crate::cause::cause(.error))]
    Io {
        /// What was asked for.
        local: SocketAddr,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

impl PortLease {
    /// Takes the port of `local`; port 0 takes any that is free.
    pub fn take(local: SocketAddr) -> Result<Self, LeaseError> {
        let bind = || -> io::Result<(Socket, SocketAddr)> {
            let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
            if local.is_ipv6() {
                socket.set_only_v6(true)?; // a lease on all addresses is one of its own family's
            }
            socket.bind(&local.into())?;
            let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidData)?;
            Ok((socket, bound))
        };
        bind().map(|(socket, local)| Self { socket, local }).map_err(|error| explain(local, error))
    }

    /// The address and port held.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl LeaseError {
    /// The answer to an address that is somebody else's.
    pub fn not_ours(address: IpAddr) -> Self {
        let same_family = |own: &IpAddr| own.is_ipv4() == address.is_ipv4();
        let own = interfaces::own_addresses().into_iter().filter(same_family);
        let own: Vec<String> = own.map(|own| own.to_string()).collect();
        Self::NotOurs { address, own: own.join(", ") }
    }
}

fn explain(local: SocketAddr, error: io::Error) -> LeaseError {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => LeaseError::Taken {
            port: local.port(),
            by: holder::of(local).map_or_else(String::new, |holder| format!(" by {holder}")),
        },
        Some(libc::EADDRNOTAVAIL) => LeaseError::not_ours(local.ip()),
        Some(libc::EACCES | libc::EPERM) => LeaseError::Privileged(local.port()),
        _ => LeaseError::Io { local, error },
    }
}
