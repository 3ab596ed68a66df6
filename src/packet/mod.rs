//! Bytes from and to the values of [`tcp`](crate::tcp): IPv4, IPv6, TCP, and the ICMP errors that quote us.
//!
//! Nothing here does I/O. What comes from the network is parsed strictly by our own code and never
//! panics; what we send is written with `pnet`'s packet types, options excepted: its option writer
//! panics where the room is short, and its reader takes faults for options.

pub mod captured;
pub mod checksum;
pub mod defects;
pub mod error;
pub mod icmp;
pub mod ip;
pub mod tcp;

pub use captured::Captured;
pub use defects::{ChecksumField, Defects, emit_with};
pub use error::DecodeError;
pub use icmp::{IcmpError, Severity};
pub use ip::{Addresses, IpPacket, Protocol};
pub use tcp::{EmitError, Ports, TcpPacket, TransportChecksum, emit};

#[cfg(test)]
mod properties;
