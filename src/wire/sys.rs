//! The system calls that no safe crate wraps. The only file with `unsafe`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::SigSet;
use socket2::{SockAddr, SockAddrStorage};

/// Options that are on or off.
#[derive(Clone, Copy, Debug)]
pub enum Switch {
    /// Checksum status with each packet of a packet socket.
    PacketAuxdata,
    /// A packet socket does not see what leaves.
    PacketIgnoreOutgoing,
    /// The kernel's time with each packet, in nanoseconds.
    Timestamps,
}

/// Switches an option on.
pub fn switch_on(socket: impl AsFd, switch: Switch) -> io::Result<()> {
    const PACKET_IGNORE_OUTGOING: i32 = 23; // linux/if_packet.h
    let (level, name) = match switch {
        Switch::PacketAuxdata => (libc::SOL_PACKET, libc::PACKET_AUXDATA),
        Switch::PacketIgnoreOutgoing => (libc::SOL_PACKET, PACKET_IGNORE_OUTGOING),
        Switch::Timestamps => (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
    };
    set_option(socket, level, name, &1_i32.to_ne_bytes())
}

/// Length of `struct tcp_md5sig`.
pub const MD5SIG_LEN: usize = 216;

/// Sets a TCP-MD5 key (`TCP_MD5SIG_EXT`), given as a `struct tcp_md5sig`.
pub fn set_md5_key(socket: impl AsFd, key: &[u8; MD5SIG_LEN]) -> io::Result<()> {
    const TCP_MD5SIG_EXT: i32 = 32; // linux/tcp.h
    set_option(socket, libc::IPPROTO_TCP, TCP_MD5SIG_EXT, key)
}

/// Segments a socket has discarded (`SO_MEMINFO`, ninth word); 0 if the kernel does not tell.
pub fn segments_discarded(socket: impl AsFd) -> u32 {
    const WORDS: usize = 9;
    let mut words = [0; 4 * WORDS];
    let len = get_option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut words);
    if len.is_ok_and(|len| len == words.len()) { last_word(&words) } else { 0 }
}

/// Packets a packet socket has dropped since the last call (`PACKET_STATISTICS`, second word).
pub fn packets_dropped(socket: impl AsFd) -> u32 {
    let mut words = [0; 8];
    let len = get_option(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut words);
    if len.is_ok_and(|len| len == words.len()) { last_word(&words) } else { 0 }
}

fn last_word(words: &[u8]) -> u32 {
    words.last_chunk().map_or(0, |word| u32::from_ne_bytes(*word))
}

/// For options whose value is plain octets that the kernel copies: all of the above.
fn set_option(socket: impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = value.len() as libc::socklen_t;
    // SAFETY: the descriptor is open for the length of the borrow, and `value` is readable for `len` octets;
    // none of the options set here makes the kernel follow or keep a pointer.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_ptr().cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// For options whose value is plain octets, of which the kernel writes no more than `value` has room for: the
/// two above. There are others (`SO_GET_FILTER` counts in other units), so this is not for every option.
fn get_option(socket: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut len = value.len() as libc::socklen_t;
    // SAFETY: the descriptor is open for the length of the borrow, `value` is writable for `len` octets, and
    // for SO_MEMINFO and PACKET_STATISTICS the kernel writes no more than `len`; any octets are valid `u8`s.
    let result = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len)
    };
    if result == 0 { Ok((len as usize).min(value.len())) } else { Err(io::Error::last_os_error()) }
}

/// Lets a command be started with these signals unblocked, whatever this process blocks for itself: it would
/// inherit that.
pub fn start_with_unblocked(command: &mut Command, signals: SigSet) {
    // SAFETY: between fork and exec only sigprocmask is called, which is async-signal-safe, with a value that
    // is copied into the closure.
    unsafe { command.pre_exec(move || Ok(signals.thread_unblock()?)) };
}

/// The address to bind a packet socket to: an interface by index, or all with 0.
pub fn packet_address(interface: u32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a socket address that fits `sockaddr_storage`, of plain integers, for which the
    // zeroed storage is a valid value.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface as i32;
    // SAFETY: the storage holds a `sockaddr_ll` whose family is set, and the length is its size.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}
