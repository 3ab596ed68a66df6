//! The deaf listener: a socket that listens on our port and discards all it is sent before TCP sees it.
//!
//! The kernel finds it for every segment of ours, so it does not answer "no such connection"; the discard
//! comes before TCP's own processing, so it does not answer as a listener either. Packet and raw sockets
//! got their copy earlier. It touches no firewall, needs no privilege, and dies with the process.

use std::io;

use super::GuardError;
use super::lease::PortLease;
use crate::wire::{filter, sys};

/// By what the listener discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// A socket filter that drops everything; newer kernels want CAP_NET_ADMIN for it.
    Filter,
    /// A TCP-MD5 key for every peer: whatever lacks the signature is discarded. Needs no privilege.
    Md5,
}

impl Discard {
    /// `socket filter` or `tcp-md5`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filter => "socket filter",
            Self::Md5 => "tcp-md5",
        }
    }
}

/// Listens, deaf from the first moment: the discard stands before the listening begins.
pub(super) fn listen(lease: &PortLease) -> Result<Discard, GuardError> {
    let discard = match filter::attach(lease.socket(), &filter::DROP_ALL) {
        Ok(()) => Discard::Filter,
        Err(filter) => match require_md5(lease) {
            Ok(()) => Discard::Md5,
            Err(md5) => return Err(GuardError::Listener { filter, md5 }),
        },
    };
    const BACKLOG: i32 = 1;
    let local = lease.local();
    lease.socket().listen(BACKLOG).map_err(|error| super::LeaseError::Io(local, error))?;
    Ok(discard)
}

/// A key for the prefix of length zero, so for every peer (`TCP_MD5SIG_EXT`).
fn require_md5(lease: &PortLease) -> io::Result<()> {
    const TCP_MD5SIG_EXT: i32 = 32;
    const FLAG_PREFIX: u8 = 1;
    const KEY: &[u8] = b"deaf";
    // struct tcp_md5sig: sockaddr_storage, flags, prefix length, key length, interface, key.
    const LEN: usize = 216;
    const FLAGS: usize = 128;
    const KEY_LEN: usize = FLAGS + 2;
    const KEY_AT: usize = FLAGS + 8;
    let family = if lease.local().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u16;
    let mut option = Vec::with_capacity(LEN);
    option.extend(family.to_ne_bytes());
    option.resize(FLAGS, 0);
    option.push(FLAG_PREFIX);
    option.resize(KEY_LEN, 0);
    option.extend((KEY.len() as u16).to_ne_bytes());
    option.resize(KEY_AT, 0);
    option.extend(KEY);
    option.resize(LEN, 0);
    sys::set_option(lease.socket(), libc::IPPROTO_TCP, TCP_MD5SIG_EXT, &option)
}

/// How many segments the socket has discarded (`SO_MEMINFO`, ninth word).
pub(super) fn discarded(lease: &PortLease) -> u32 {
    const DROPS: usize = 8;
    let mut words = [0; 4 * (DROPS + 1)];
    match sys::get_option(lease.socket(), libc::SOL_SOCKET, libc::SO_MEMINFO, &mut words) {
        Ok(len) if len == words.len() => words.last_chunk().map_or(0, |drops| u32::from_ne_bytes(*drops)),
        _ => 0,
    }
}
