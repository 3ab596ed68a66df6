//! The deaf listener: a socket that listens on our port and discards all it is sent before TCP sees it.
//!
//! The kernel finds it for every segment of ours, so it does not answer "no such connection"; the discard
//! comes before TCP's own processing, so it does not answer as a listener either. Packet and raw sockets
//! got their copy earlier. It touches no firewall, needs no privilege, and dies with the process.

use std::io;
use std::net::SocketAddr;

use super::hold::Cause;
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
pub(super) fn listen(lease: &PortLease) -> Result<Discard, Cause> {
    let discard = match filter::attach(lease.socket(), &filter::DROP_ALL) {
        Ok(()) => Discard::Filter,
        Err(filter) => match require_md5(lease) {
            Ok(()) => Discard::Md5,
            Err(md5) => return Err(Cause::Deafness { filter, md5 }),
        },
    };
    const BACKLOG: i32 = 1;
    lease.socket().listen(BACKLOG).map_err(Cause::Listen)?;
    Ok(discard)
}

/// Whether this kernel can make a listener deaf without any privilege.
pub(super) fn md5_is_known(local: SocketAddr) -> bool {
    let any = SocketAddr::new(local.ip(), 0);
    PortLease::take(any).is_ok_and(|lease| require_md5(&lease).is_ok())
}

/// A key for the prefix of length zero, so for every peer.
fn require_md5(lease: &PortLease) -> io::Result<()> {
    const FLAG_PREFIX: u8 = 1;
    const KEY: &[u8] = b"deaf";
    // struct tcp_md5sig: sockaddr_storage, flags, prefix length, key length, interface, key.
    const FLAGS_AT: usize = 128;
    const KEY_LEN_AT: usize = FLAGS_AT + 2;
    const KEY_AT: usize = FLAGS_AT + 8;
    let family = if lease.local().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u16;
    let mut option = [0; sys::MD5SIG_LEN];
    for (at, octets) in [
        (0, &family.to_ne_bytes()[..]),
        (FLAGS_AT, &[FLAG_PREFIX]),
        (KEY_LEN_AT, &(KEY.len() as u16).to_ne_bytes()),
        (KEY_AT, KEY),
    ] {
        if let Some(field) = option.get_mut(at..at + octets.len()) {
            field.copy_from_slice(octets);
        }
    }
    sys::set_md5_key(lease.socket(), &option)
}

/// How many segments the socket has discarded.
pub(super) fn discarded(lease: &PortLease) -> u32 {
    sys::segments_discarded(lease.socket())
}
