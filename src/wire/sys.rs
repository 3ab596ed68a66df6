//! The system calls that no safe crate wraps. The only file with `unsafe`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

use socket2::{SockAddr, SockAddrStorage};

/// `setsockopt` with a value of plain octets.
pub fn set_option(socket: impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = value.len() as libc::socklen_t;
    // SAFETY: the descriptor is open for the length of the borrow, and `value` is readable for `len` octets;
    // the kernel copies them and keeps no pointer.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_ptr().cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt` into plain octets; yields how many of them were written.
pub fn get_option(socket: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut len = value.len() as libc::socklen_t;
    // SAFETY: the descriptor is open for the length of the borrow, `value` is writable for `len` octets, and
    // the kernel writes no more than that; any octets are valid `u8`s.
    let result = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len)
    };
    if result == 0 { Ok((len as usize).min(value.len())) } else { Err(io::Error::last_os_error()) }
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
