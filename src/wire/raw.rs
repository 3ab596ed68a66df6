//! The real wire: a raw socket to send with, a packet socket to receive with.
//!
//! Sending through `IPPROTO_RAW` leaves routing, neighbours and connection tracking to the kernel.
//! Receiving through `AF_PACKET` shows what arrives before any firewall of this machine, tells offloaded
//! checksums from bad ones, and carries the kernel's time stamps. Loopback works like any interface.

mod own_resets;
mod scopes;

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

use libc::sock_filter;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use self::own_resets::OwnResets;
use self::scopes::{Scopes, v6_address};
use super::filter::{self, PortSpan, Selection};
use super::sys::{self, Switch};
use super::{Arrival, Received, SendError, Sender, Wire};
use crate::packet::TransportChecksum;
use crate::time::{Clock, Instant};

/// What a wire connects.
#[derive(Clone, Debug)]
pub struct RawSpec {
    /// What is let in.
    pub selection: Selection,
    /// Where packets go; the scope of a link-local address counts.
    pub remote: SocketAddr,
    /// Bind sending to the interface of this name.
    pub bind_to_interface: Option<String>,
}

/// Sockets that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// CAP_NET_RAW is missing.
    #[error(
        "cannot open a raw socket: operation not permitted (needs CAP_NET_RAW: run it with sudo, or once: sudo setcap cap_net_raw=ep {0})"
    )]
    Permission(String),
    /// Anything else.
    #[error("cannot {what}: {}", crate::cause::cause(.error))]
    Io {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

/// The mark on our packets: by it a firewall guard tells our RST from the kernel's. Its bits are in none of the masks by
/// which others steer packets: Kubernetes (0xc000), Cilium (0x0f00), AWS (0x80), Calico, Tailscale and Weave
/// (all above 0xffff).
pub const MARK: u32 = 0x53;

/// GRO hands over merged segments of up to 64 KiB.
const LONGEST_PACKET: usize = 64 * 1024;

/// For many connections at once.
const SERVICE_BUFFER: usize = 8 << 20;

/// A wire made of sockets: a pair for each address family it carries.
pub struct RawWire {
    clock: Clock,
    pairs: Vec<Pair>,
    /// The pair that was read last.
    turn: usize,
    wake: Vec<OwnedFd>,
    own_resets: OwnResets,
    scopes: Scopes,
    opened: Instant,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

/// What sends and what receives packets of one family.
struct Pair {
    sender: Socket,
    receiver: Socket,
    /// For the kernel's RSTs, where the receiver does not see what leaves.
    watch: Option<Socket>,
    to: To,
}

/// Where packets go.
enum To {
    /// All to this one; the scope of a link-local address is in it.
    One(SockAddr),
    /// Each where its header says, IPv4.
    AnyV4,
    /// Each where its header says, IPv6.
    AnyV6,
}

impl RawWire {
    /// Opens the sockets of a service: whatever comes for `selections`, one for each family, is taken, and each
    /// packet goes where its header says. The receivers are of one protocol each: those see a packet once, when
    /// bridges, bonds and VLANs have passed it on, where one of all protocols would see it on each interface.
    pub fn open_service(selections: &[Selection], clock: Clock) -> Result<Self, OpenError> {
        let open = |selection: &Selection| {
            let any = SocketAddr::new(selection.local, 0);
            let (protocol, to) = if any.is_ipv4() {
                (libc::ETH_P_IP as u16, To::AnyV4)
            } else {
                (libc::ETH_P_IPV6 as u16, To::AnyV6)
            };
            let (sender, receiver) =
                (open_sender(any, None)?, open_receiver(&selection.program(), protocol)?);
            let _ = sender.set_mark(MARK);
            let _ = receiver.set_recv_buffer_size(SERVICE_BUFFER); // as much of it as the system allows
            let resets = filter::unmarked_resets(selection, MARK);
            let watch = Some(open_receiver(&resets, libc::ETH_P_ALL as u16)?);
            Ok(Pair { sender, receiver, watch, to })
        };
        Ok(Self::of(selections.iter().map(open).collect::<Result<_, _>>()?, clock))
    }

    fn of(pairs: Vec<Pair>, clock: Clock) -> Self {
        Self {
            clock,
            pairs,
            turn: 0,
            wake: Vec::new(),
            own_resets: OwnResets::default(),
            scopes: Scopes::default(),
            opened: clock.now(),
            buffer: vec![0; LONGEST_PACKET],
            control: nix::cmsg_space!(TimeSpec, [u8; AUXDATA_LEN]),
        }
    }

    /// Opens both sockets. Nothing that was not selected is ever queued: the filter stands before the
    /// packet socket is bound.
    pub fn open(spec: &RawSpec, clock: Clock) -> Result<Self, OpenError> {
        let sender = open_sender(spec.remote, spec.bind_to_interface.as_deref())?;
        // Only firewall guards look at the mark, and whoever may make those may set it. (Before Linux 5.17 it
        // took CAP_NET_ADMIN.)
        let _ = sender.set_mark(MARK);
        let mut destination = spec.remote;
        destination.set_port(0); // a raw IPv6 socket takes a port for a protocol number
        let receiver = open_receiver(&spec.selection.program(), libc::ETH_P_ALL as u16)?;
        let pair = Pair { sender, receiver, watch: None, to: To::One(destination.into()) };
        Ok(Self::of(vec![pair], clock))
    }

    /// Turns to another connection with the same remote end, and forgets what came for the one before. Needs
    /// no privilege.
    pub fn turn_to(&mut self, selection: &Selection) -> Result<(), OpenError> {
        let mut turn = || -> io::Result<()> {
            self.attach(&filter::DROP_ALL)?;
            while self.read().is_ok() {}
            self.attach(&selection.program())
        };
        turn().map_err(|error| explain("select the packets to receive", error))
    }

    /// Forgets what has come until now.
    pub fn forget(&mut self) {
        const MOST: usize = 1 << 16; // more may come all the while
        for _ in 0..MOST {
            if self.read().is_err() {
                return;
            }
        }
    }

    /// Where packets come in: the receivers, then what watches for the kernel's RSTs.
    fn receivers(&self) -> impl Iterator<Item = &Socket> {
        let watches = self.pairs.iter().filter_map(|pair| pair.watch.as_ref());
        self.pairs.iter().map(|pair| &pair.receiver).chain(watches)
    }

    fn attach(&self, program: &[sock_filter]) -> io::Result<()> {
        self.pairs.iter().try_for_each(|pair| filter::attach(&pair.receiver, program))
    }

    /// Ends a wait when `descriptor` becomes readable; there may be several.
    pub fn wake_on(&mut self, descriptor: OwnedFd) {
        self.wake.push(descriptor);
    }

    fn wait(&self, deadline: Option<Instant>) -> io::Result<Wait> {
        let timeout = deadline.map(|deadline| TimeSpec::from(deadline - self.clock.now()));
        let receivers = self.receivers().map(AsFd::as_fd);
        let all = receivers.chain(self.wake.iter().map(AsFd::as_fd));
        let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        retry(|| ppoll(&mut fds, timeout, None))?;
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let packet = ready.by_ref().take(self.receivers().count()).fold(false, |any, ready| any | ready);
        let woken = ready.any(|ready| ready);
        Ok(match (woken, packet) {
            (true, _) => Wait::Woken,
            (false, true) => Wait::Packet,
            (false, false) => Wait::DeadlinePassed,
        })
    }
}

enum Wait {
    Packet,
    Woken,
    DeadlinePassed,
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

/// A socket to send whole packets to `remote`'s family with.
pub(crate) fn open_sender(remote: SocketAddr, interface: Option<&str>) -> Result<Socket, OpenError> {
    let sender = Socket::new(Domain::for_address(remote), Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))
        .map_err(|error| explain("open a raw socket", error))?;
    if let Some(name) = interface {
        let bound = sender.bind_device(Some(name.as_bytes()));
        bound.map_err(|error| explain("bind the raw socket to the interface", error))?;
    }
    Ok(sender)
}

pub(super) fn open_receiver(program: &[sock_filter], protocol: u16) -> Result<Socket, OpenError> {
    let open = || -> io::Result<Socket> {
        let receiver = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        filter::attach(&receiver, program)?;
        receiver.set_nonblocking(true)?;
        sys::switch_on(&receiver, Switch::PacketAuxdata)?;
        sys::switch_on(&receiver, Switch::Timestamps)?;
        receiver.bind(&sys::packet_address(filter::ALL_INTERFACES, protocol))?;
        Ok(receiver)
    };
    open().map_err(|error| explain("open a packet socket", error))
}

pub(super) fn explain(what: &'static str, error: io::Error) -> OpenError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let program = std::env::current_exe().unwrap_or_else(|_| "tcpshake".into());
        return OpenError::Permission(program.display().to_string());
    }
    OpenError::Io { what, error }
}

impl Wire for RawWire {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        match self.send_to_its_destination(packet) {
            Ok(_) => {
                self.own_resets.sent(packet);
                Ok(())
            }
            Err(error) => Err(match error.raw_os_error() {
                Some(libc::EPERM) => SendError::LocalFirewall,
                Some(
                    libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::ENXIO | libc::EACCES,
                ) => SendError::Unreachable(error),
                _ => SendError::Other(error),
            }),
        }
    }

    fn has_more(&mut self) -> bool {
        matches!(self.wait(Some(self.clock.now())), Ok(Wait::Packet))
    }

    fn lost(&mut self) -> u32 {
        self.pairs.iter().map(|pair| sys::packets_dropped(&pair.receiver)).sum()
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        loop {
            match self.wait(deadline)? {
                Wait::Woken => return Ok(Arrival::Woken),
                Wait::DeadlinePassed => return Ok(Arrival::DeadlinePassed),
                Wait::Packet => {}
            }
            match self.read() {
                Ok(read) if read.sender == Sender::OurKernel && self.is_our_own(read.len) => {}
                Ok(read) => {
                    let stamped = |stamp| self.clock.at(SystemTime::UNIX_EPOCH + stamp, self.opened);
                    return Ok(Arrival::Packet(Received {
                        at: read.stamp.map_or_else(|| self.clock.now(), stamped),
                        octets: self.buffer.get(..read.len).unwrap_or_default(),
                        checksum: read.checksum,
                        sender: read.sender,
                    }));
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What came with a packet.
struct Read {
    len: usize,
    /// Since 1970; `None` if the kernel put none on it.
    stamp: Option<Duration>,
    checksum: TransportChecksum,
    sender: Sender,
}

/// `struct tpacket_auxdata`.
const AUXDATA_LEN: usize = 20;

impl RawWire {
    fn is_our_own(&mut self, len: usize) -> bool {
        self.own_resets.contain(self.buffer.get(..len).unwrap_or_default())
    }

    fn send_to_its_destination(&self, packet: &[u8]) -> io::Result<usize> {
        const V4_DESTINATION: usize = 16;
        const V6_DESTINATION: usize = 24;
        let v6 = v6_address(packet, V6_DESTINATION);
        for Pair { sender, to, .. } in &self.pairs {
            let destination = match (to, v6) {
                (To::One(destination), _) => return sender.send_to(packet, destination),
                (To::AnyV4, None) => packet
                    .get(V4_DESTINATION..)
                    .and_then(<[u8]>::first_chunk::<4>)
                    .map(|octets| SocketAddr::from((*octets, 0))),
                (To::AnyV6, Some(address)) => {
                    let scope = self.scopes.of(address);
                    Some(SocketAddrV6::new(address, 0, 0, scope).into())
                }
                (To::AnyV4, Some(_)) | (To::AnyV6, None) => None,
            };
            if let Some(destination) = destination {
                return sender.send_to(packet, &destination.into());
            }
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    /// The next packet that waits at one of the receivers.
    fn read(&mut self) -> Result<Read, Errno> {
        let mut read = Err(Errno::EAGAIN);
        let receivers = self.receivers().count();
        for _ in 0..receivers {
            self.turn = (self.turn + 1) % receivers; // a flood of one family does not keep out the other
            read = self.read_from(self.turn);
            if !matches!(read, Err(Errno::EAGAIN)) {
                break;
            }
        }
        read
    }

    fn read_from(&mut self, at: usize) -> Result<Read, Errno> {
        let fd = self.receivers().nth(at).ok_or(Errno::EAGAIN)?.as_fd().as_raw_fd();
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let message = recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut self.control), MsgFlags::empty())?;
        let mut read = Read {
            len: message.bytes,
            stamp: None,
            checksum: TransportChecksum::Complete,
            sender: match message.address.map(|address| address.pkttype()) {
                Some(libc::PACKET_OUTGOING) => Sender::OurKernel,
                _ => Sender::Network,
            },
        };
        let interface = message.address.map_or(0, |address| address.ifindex() as u32);
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampns(stamp) = control {
                read.stamp = Some(Duration::new(stamp.tv_sec() as u64, stamp.tv_nsec() as u32));
            } else if let ControlMessageOwned::Unknown(auxiliary) = control {
                read.checksum = checksum_status(&auxiliary.data_bytes);
            }
        }
        if self.pairs.iter().any(|pair| matches!(pair.to, To::AnyV6)) {
            self.scopes.note(self.buffer.get(..read.len).unwrap_or_default(), interface);
        }
        Ok(read)
    }
}

/// The status word comes first in `struct tpacket_auxdata`.
fn checksum_status(auxdata: &[u8]) -> TransportChecksum {
    checksum_by_status(auxdata.first_chunk().map_or(0, |status| u32::from_ne_bytes(*status)))
}

pub(super) const fn checksum_by_status(status: u32) -> TransportChecksum {
    const NOT_READY: u32 = libc::TP_STATUS_CSUMNOTREADY;
    if status & NOT_READY == 0 { TransportChecksum::Complete } else { TransportChecksum::LeftToCard }
}

/// What a wire to `remote` on interface `interface` takes.
pub fn selection(local: SocketAddr, remote: SocketAddr, interface: u32) -> Selection {
    Selection {
        local: local.ip(),
        local_ports: PortSpan::one(local.port()),
        remote: remote.ip(),
        remote_port: Some(remote.port()),
        interface,
        kernels_interface: None,
    }
}
