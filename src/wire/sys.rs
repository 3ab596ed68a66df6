//! The system calls that no safe crate wraps. The only file with `unsafe`.

use std::io;
use std::mem::{self, size_of};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

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

/// Packets that one system call moves, at most.
pub const BATCH: usize = 64;

/// Octets of the control messages of a received packet: its time, and the packet socket's remarks.
const CONTROL: usize = 80;

/// What the kernel is told of each packet of a batch. Its pointers mean something during one call only: they are
/// set before it, and not looked at after it.
struct Headers {
    headers: Box<[libc::mmsghdr; BATCH]>,
    parts: Box<[libc::iovec; BATCH]>,
}

// SAFETY: between calls nobody follows the pointers, whichever thread holds them.
unsafe impl Send for Headers {}

impl Headers {
    fn new() -> Self {
        const NO_PART: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: `mmsghdr` is integers and pointers, for which zero, null, is a valid value.
        let headers = unsafe { mem::zeroed() };
        Self { headers: Box::new(headers), parts: Box::new([NO_PART; BATCH]) }
    }
}

/// Packets received with one system call, in memory that is allocated once.
pub struct Inbox {
    headers: Headers,
    octets: Vec<u8>,
    room: usize,
    controls: [Control; BATCH],
    addresses: [libc::sockaddr_ll; BATCH],
    lengths: [(usize, usize); BATCH],
}

/// Control messages begin where a `cmsghdr` may.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// A packet of an [`Inbox`], with what the kernel says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'i> {
    /// As much of it as there was room for.
    pub octets: &'i [u8],
    /// When the kernel took it, since 1970.
    pub stamp: Option<Duration>,
    /// The status word of `struct tpacket_auxdata`.
    pub status: u32,
    /// `PACKET_HOST`, `PACKET_OUTGOING` and so on.
    pub kind: u8,
    /// By which interface.
    pub interface: u32,
}

impl Inbox {
    /// Room for [`BATCH`] packets of `room` octets.
    pub fn new(room: usize) -> Self {
        // SAFETY: `sockaddr_ll` is plain integers, for which zero is a valid value.
        let address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        Self {
            headers: Headers::new(),
            octets: vec![0; BATCH * room],
            room,
            controls: [Control([0; CONTROL]); BATCH],
            addresses: [address; BATCH],
            lengths: [(0, 0); BATCH],
        }
    }

    /// Takes what waits at a packet socket, without waiting for more; yields how many packets that is.
    pub fn fill(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let Headers { headers, parts } = &mut self.headers;
        let rooms = self.octets.chunks_exact_mut(self.room);
        let places = rooms.zip(&mut self.controls).zip(&mut self.addresses);
        for ((header, part), ((room, control), address)) in
            headers.iter_mut().zip(parts.iter_mut()).zip(places)
        {
            *part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL as _;
            header.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        }
        let (fd, most, no_wait) = (socket.as_fd().as_raw_fd(), BATCH as u32, libc::MSG_DONTWAIT);
        // SAFETY: the descriptor is open for the length of the borrow. Each header points at one part, one control
        // buffer and one address of this box, all of them distinct, borrowed mutably and as long as the header
        // says; any octets are valid for them. A null timeout is none.
        let count =
            unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), most, no_wait as _, std::ptr::null_mut()) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (lengths, header) in self.lengths.iter_mut().zip(headers.iter().take(count)) {
            #[allow(clippy::unnecessary_cast, reason = "musl counts them in 32 bits")]
            let control_len = header.msg_hdr.msg_controllen as usize;
            *lengths = (header.msg_len as usize, control_len);
        }
        Ok(count)
    }

    /// The packet at this place of those that the last [`fill`](Self::fill) took.
    pub fn get(&self, at: usize) -> Option<Arrived<'_>> {
        let (len, control_len) = *self.lengths.get(at)?;
        let address = self.addresses.get(at)?;
        let room = self.octets.get(at * self.room..(at + 1) * self.room)?;
        let mut arrived = Arrived {
            octets: room.get(..len.min(room.len()))?,
            stamp: None,
            status: 0,
            kind: address.sll_pkttype,
            interface: address.sll_ifindex as u32,
        };
        let mut rest = self.controls.get(at)?.0.get(..control_len.min(CONTROL))?;
        while let Some((level, kind, value, after)) = control_message(rest) {
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => arrived.stamp = since_1970(value),
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    arrived.status = value.first_chunk().map_or(0, |status| u32::from_ne_bytes(*status));
                }
                _ => {}
            }
            rest = after;
        }
        Some(arrived)
    }
}

/// Level, type and value of the first control message, and what follows it.
fn control_message(octets: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    const HEADER: usize = 16;
    const ALIGN: usize = 8;
    let (header, _) = octets.split_first_chunk::<HEADER>()?;
    let &[l0, l1, l2, l3, l4, l5, l6, l7, v0, v1, v2, v3, t0, t1, t2, t3] = header;
    let len = usize::from_ne_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let value = octets.get(HEADER..len)?;
    let after = octets.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
    Some((i32::from_ne_bytes([v0, v1, v2, v3]), i32::from_ne_bytes([t0, t1, t2, t3]), value, after))
}

/// A `struct timespec`.
fn since_1970(value: &[u8]) -> Option<Duration> {
    let (seconds, rest) = value.split_first_chunk::<8>()?;
    let nanos = rest.first_chunk::<8>()?;
    let (seconds, nanos) = (u64::from_ne_bytes(*seconds), u64::from_ne_bytes(*nanos));
    Some(Duration::new(seconds, u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?))
}

/// Where a packet goes: a socket address of one of the three families that carry packets here.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub struct Name {
    octets: [u8; size_of::<libc::sockaddr_in6>()],
    len: u8,
}

impl Name {
    /// The neighbour with this hardware address on an interface.
    pub fn of_neighbour(interface: u32, protocol: u16, hardware: [u8; 6]) -> Self {
        let [family, protocol] = [(libc::AF_PACKET as u16).to_ne_bytes(), protocol.to_be_bytes()];
        let mut name = Self { octets: [0; 28], len: size_of::<libc::sockaddr_ll>() as u8 };
        name.put(0, &family);
        name.put(2, &protocol);
        name.put(4, &interface.to_ne_bytes());
        name.put(11, &[hardware.len() as u8]); // behind the kind of hardware and of packet
        name.put(12, &hardware);
        name
    }

    /// An IPv4 address.
    pub fn of_v4(address: Ipv4Addr) -> Self {
        let mut name = Self { octets: [0; 28], len: size_of::<libc::sockaddr_in>() as u8 };
        name.put(0, &(libc::AF_INET as u16).to_ne_bytes());
        name.put(4, &address.octets()); // behind the port
        name
    }

    /// An IPv6 address, with the interface that it means something on.
    pub fn of_v6(address: Ipv6Addr, scope: u32) -> Self {
        let mut name = Self { octets: [0; 28], len: size_of::<libc::sockaddr_in6>() as u8 };
        name.put(0, &(libc::AF_INET6 as u16).to_ne_bytes());
        name.put(8, &address.octets()); // behind the port and the flow
        name.put(24, &scope.to_ne_bytes());
        name
    }

    fn put(&mut self, at: usize, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    }
}

/// Packets that wait to be sent with one system call, in memory that is allocated once.
pub struct Outbox {
    headers: Headers,
    octets: Vec<u8>,
    room: usize,
    /// How long each is, and where it goes.
    queued: Vec<(usize, Name)>,
}

impl Outbox {
    /// Room for [`BATCH`] packets of `room` octets.
    pub fn new(room: usize) -> Self {
        let octets = vec![0; BATCH * room];
        Self { headers: Headers::new(), octets, room, queued: Vec::with_capacity(BATCH) }
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Takes one more; `false` if it, or any, is too much.
    #[must_use = "a packet that was not taken is lost"]
    pub fn push(&mut self, packet: &[u8], to: Name) -> bool {
        let at = self.queued.len() * self.room;
        let room = self.octets.get_mut(at..at + self.room).and_then(|room| room.get_mut(..packet.len()));
        let Some(room) = room else { return false };
        room.copy_from_slice(packet);
        self.queued.push((packet.len(), to));
        true
    }

    /// Forgets all that wait.
    pub fn clear(&mut self) {
        self.queued.clear();
    }

    /// Sends those from `first` on, `most` of them, without waiting; yields how many left before one that did not.
    pub fn send(&mut self, socket: impl AsFd, first: usize, most: usize) -> io::Result<usize> {
        let Headers { headers, parts } = &mut self.headers;
        let rooms = self.octets.chunks_exact_mut(self.room).zip(&mut self.queued).skip(first).take(most);
        let mut count = 0;
        for ((header, part), (room, (len, to))) in headers.iter_mut().zip(parts.iter_mut()).zip(rooms) {
            *part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: *len };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = to.octets.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = libc::socklen_t::from(to.len);
            count += 1;
        }
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open for the length of the borrow. `count` headers point each at one part and
        // one address of this box, as long as they say, which the kernel only reads.
        let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}
