//! The real wire for many exchanges at once: batches of packets, a system call each.
//!
//! A raw socket sends what the kernel routes; what has a neighbour's address leaves by a packet socket, for half the
//! kernel's work. Receiving is [`raw`]'s, with a filter for a range of ports.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};

use super::filter::{self, Selection};
use super::raw::{self, MARK, OpenError};
use super::sys::{self, BATCH, Inbox, Name, Outbox};
use super::{Arrival, Bulk, Note, Received, SendError, Sender, Way, Wire};
use crate::time::{Clock, Instant, Reading};

/// GRO hands over merged segments of up to 64 KiB. What is not touched costs nothing.
const LONGEST_ARRIVAL: usize = 64 * 1024;
/// Segments without text, all options and the longer IP header included.
const LONGEST_DEPARTURE: usize = 40 + 60;
/// For two families: departures, arrivals, the kernel's RSTs.
const MOST_RECEIVERS: usize = 6;
/// For answers that arrive while we send.
const RECEIVE_BUFFER: usize = 32 << 20;
/// Packets that one call sends. More would save little, and make it less certain when each has left.
const AT_ONCE: usize = 16;
/// As much may wait at a full card or queue.
const SEND_BUFFER: usize = 4 << 20;

/// A wire made of sockets that are read and written in batches.
pub struct BulkWire {
    clock: Clock,
    /// Both clocks, as read for the present batch.
    reading: Reading,
    opened: Instant,
    senders: [Sending; 3],
    receivers: Vec<Receiving>,
    /// The receiver that is being emptied.
    turn: usize,
    wake: Vec<OwnedFd>,
    departed: VecDeque<(Note, Instant)>,
    /// Answers that are to come.
    awaited: u32,
}

/// A socket to send with, and what waits for it.
struct Sending {
    kind: Kind,
    socket: Option<Socket>,
    outbox: Outbox,
    notes: Vec<Option<Note>>,
}

/// The sockets to send with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Link,
    RoutedV4,
    RoutedV6,
}

/// A socket to receive with, and what it has brought.
struct Receiving {
    socket: Socket,
    inbox: Inbox,
    count: usize,
    taken: usize,
    /// Whose packets it shows.
    sender: Sender,
}

/// What is to be seen of what leaves this machine. The kernel has to show us all of it then, which takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The kernel's RSTs: where nothing has proven that there are none.
    pub resets: bool,
    /// Our SYNs, with the kernel's time: else that is estimated.
    pub departures: bool,
}

impl BulkWire {
    /// So many exchanges under way fill batches by themselves.
    const MANY: u32 = 4 * BATCH as u32;

    /// Opens sockets for `selections`, one for each address family.
    pub fn open(selections: &[Selection], watch: Watch, clock: Clock) -> Result<Self, OpenError> {
        const ALL: u16 = libc::ETH_P_ALL as u16; // what leaves is shown to none but these
        let mut receivers = Vec::new();
        // First: what has left is read before the answers to it.
        for selection in selections.iter().filter(|_| watch.departures) {
            let socket = raw::open_receiver(&filter::leaving_syns(selection), ALL)?;
            receivers.push(Receiving::new(socket, Sender::Ourselves));
        }
        for selection in selections {
            let socket = raw::open_receiver(&selection.program(), protocol_of(selection.local))?;
            receivers.push(Receiving::new(socket, Sender::Network));
            if watch.resets {
                let socket = raw::open_receiver(&filter::unmarked_resets(selection, MARK), ALL)?;
                receivers.push(Receiving::new(socket, Sender::OurKernel));
            }
        }
        let has = |v4: bool| selections.iter().any(|selection| selection.local.is_ipv4() == v4);
        let senders = [
            Sending::new(Kind::Link, true)?,
            Sending::new(Kind::RoutedV4, has(true))?,
            Sending::new(Kind::RoutedV6, has(false))?,
        ];
        let reading = clock.reading();
        Ok(Self {
            clock,
            opened: reading.now,
            reading,
            senders,
            receivers,
            turn: 0,
            wake: Vec::new(),
            departed: VecDeque::with_capacity(2 * BATCH),
            awaited: 0,
        })
    }

    /// Ends a wait when `descriptor` becomes readable; there may be several.
    pub fn wake_on(&mut self, descriptor: OwnedFd) {
        self.wake.push(descriptor);
    }

    /// Lets a batch grow, where many are to come: a packet read alone costs as many system calls as a batch. Times
    /// are the kernel's, so nothing is measured late. `false` if somebody else wants attention.
    fn gather(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        const MOMENT: Duration = Duration::from_micros(50);
        let left = deadline.map_or(MOMENT, |deadline| MOMENT.min(deadline - self.clock.now()));
        if left.is_zero() {
            return Ok(true);
        }
        let mut fds: Vec<_> = self.wake.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        match ppoll(&mut fds, Some(TimeSpec::from(left)), None) {
            Ok(woken) => Ok(woken == 0),
            Err(Errno::EINTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Fills the inbox of a receiver that has something: those of departures first, the others in turn; `false` if none
    /// has.
    fn refill(&mut self) -> io::Result<bool> {
        let of_departures = |receiving: &&Receiving| receiving.sender == Sender::Ourselves;
        let first = self.receivers.iter().take_while(of_departures).count();
        let others = self.receivers.len() - first;
        let next = (1..=others).map(|nth| first + (self.turn.saturating_sub(first) + nth) % others);
        let next: [Option<usize>; MOST_RECEIVERS] = {
            let mut all = (0..first).chain(next);
            std::array::from_fn(|_| all.next())
        };
        for at in next.into_iter().flatten() {
            if let Some(receiving) = self.receivers.get_mut(at)
                && receiving.refill()?
            {
                self.turn = at;
                self.reading = self.clock.reading();
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until something can be read, or sent if that is what is waited for.
    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Wait> {
        self.reading = self.clock.reading();
        let timeout = deadline.map(|deadline| TimeSpec::from(deadline - self.reading.now));
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let receivers = self.receivers.iter().map(|receiving| receiving.socket.as_fd());
        let mut fds: Vec<_> = receivers.chain(self.wake.iter().map(AsFd::as_fd)).map(readable).collect();
        let stuck = self.senders.iter().filter(|sending| !sending.outbox.is_empty());
        let stuck = stuck.filter_map(|sending| sending.socket.as_ref());
        fds.extend(stuck.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLOUT)));
        match ppoll(&mut fds, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let woken = fds.iter().skip(self.receivers.len()).take(self.wake.len());
        let woken = woken.fold(false, |any, fd| any | fd.any().unwrap_or(false));
        self.reading = self.clock.reading();
        Ok(match deadline {
            _ if woken => Wait::Woken,
            Some(deadline) if self.reading.now >= deadline => Wait::DeadlinePassed,
            _ => Wait::Again,
        })
    }
}

enum Wait {
    Woken,
    DeadlinePassed,
    Again,
}

impl Wire for BulkWire {
    fn now(&self) -> Instant {
        self.reading.now
    }

    /// As the kernel routes it, in the next batch.
    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.queue(packet, Way::Routed { scope: 0 }, None)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        loop {
            if self.receivers.get(self.turn).is_some_and(|receiving| receiving.taken < receiving.count) {
                break;
            }
            self.flush();
            if self.refill()? {
                continue;
            }
            if self.awaited >= Self::MANY {
                if !self.gather(deadline)? {
                    return Ok(Arrival::Woken);
                }
                if self.refill()? {
                    continue;
                }
            }
            match self.wait(deadline)? {
                Wait::Woken => return Ok(Arrival::Woken),
                Wait::DeadlinePassed => return Ok(Arrival::DeadlinePassed),
                Wait::Again => {}
            }
        }
        let (reading, opened) = (self.reading, self.opened);
        let Some(receiving) = self.receivers.get_mut(self.turn) else { return Ok(Arrival::DeadlinePassed) };
        receiving.taken += 1;
        let Some(arrived) = receiving.inbox.get(receiving.taken - 1) else {
            return Ok(Arrival::DeadlinePassed);
        };
        Ok(Arrival::Packet(Received {
            at: arrived.stamp.map_or(reading.now, |stamp| reading.at(stamp, opened)),
            octets: arrived.octets,
            checksum: raw::checksum_by_status(arrived.status),
            sender: receiving.sender,
        }))
    }

    fn lost(&mut self) -> u32 {
        let arrivals = self.receivers.iter().filter(|receiving| receiving.sender == Sender::Network);
        arrivals.map(|receiving| sys::packets_dropped(&receiving.socket)).sum()
    }
}

impl Bulk for BulkWire {
    fn queue(&mut self, packet: &[u8], way: Way, note: Option<Note>) -> Result<(), SendError> {
        let remote =
            destination(packet).ok_or_else(|| SendError::Other(io::ErrorKind::InvalidInput.into()))?;
        let (kind, to) = match (way, remote) {
            (Way::Link { interface, hardware }, _) => {
                (Kind::Link, Name::of_neighbour(interface, protocol_of(remote), hardware))
            }
            (Way::Routed { .. }, IpAddr::V4(remote)) => (Kind::RoutedV4, Name::of_v4(remote)),
            (Way::Routed { scope }, IpAddr::V6(remote)) => (Kind::RoutedV6, Name::of_v6(remote, scope)),
        };
        let Some(sending) = self.senders.iter_mut().find(|sending| sending.kind == kind) else {
            return Err(SendError::Other(io::ErrorKind::AddrNotAvailable.into()));
        };
        if sending.outbox.len() == BATCH {
            sending.flush(&self.clock, &mut self.departed);
        }
        // What the kernel shows needs no estimate.
        let is_shown = self.receivers.first().is_some_and(|first| first.sender == Sender::Ourselves);
        sending.push(packet, to, note.filter(|_| !is_shown))
    }

    /// As far as sockets take it.
    fn flush(&mut self) {
        for sending in &mut self.senders {
            sending.flush(&self.clock, &mut self.departed);
        }
    }

    /// A full batch had more behind it, very likely.
    fn is_behind(&self) -> bool {
        self.receivers.get(self.turn).is_some_and(|receiving| receiving.count == BATCH)
    }

    fn await_answers(&mut self, exchanges: u32) {
        self.awaited = exchanges;
    }

    fn departed(&mut self) -> Option<(Note, Instant)> {
        self.departed.pop_front()
    }
}

impl Sending {
    fn new(kind: Kind, wanted: bool) -> Result<Self, OpenError> {
        let socket = wanted.then(|| kind.open()).transpose()?;
        let outbox = Outbox::new(LONGEST_DEPARTURE);
        Ok(Self { kind, socket, outbox, notes: Vec::with_capacity(BATCH) })
    }

    fn push(&mut self, packet: &[u8], to: Name, note: Option<Note>) -> Result<(), SendError> {
        if self.socket.is_none() || !self.outbox.push(packet, to) {
            return Err(SendError::Other(io::ErrorKind::WouldBlock.into()));
        }
        self.notes.push(note);
        Ok(())
    }

    /// Sends all, or as much as the socket takes within a moment: what is over after that is lost, as it might be
    /// anywhere on its way. A packet that is refused is lost, too; the next ones may not be.
    fn flush(&mut self, clock: &Clock, departed: &mut VecDeque<(Note, Instant)>) {
        const PATIENCE: Duration = Duration::from_millis(20);
        let Some(socket) = &self.socket else { return };
        let (mut first, mut full_since) = (0, None);
        let mut begun = clock.now();
        while first < self.outbox.len() {
            match self.outbox.send(socket, first, AT_ONCE) {
                Ok(count) => {
                    let now = clock.now();
                    let left = self.notes.get(first..first + count).unwrap_or_default();
                    tell_departures(left, begun, now, departed);
                    begun = now;
                    first += count.max(1);
                }
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS)) => {
                    begun = clock.now();
                    if begun - *full_since.get_or_insert(begun) > PATIENCE {
                        break;
                    }
                    const MOMENT: Duration = Duration::from_millis(1);
                    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
                    let _ = ppoll(&mut fds, Some(TimeSpec::from(MOMENT)), None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => first += 1,
            }
        }
        self.outbox.clear();
        self.notes.clear();
    }
}

/// The kernel sends the packets of one call one after the other: each took its share of the time.
fn tell_departures(
    left: &[Option<Note>],
    begun: Instant,
    ended: Instant,
    departed: &mut VecDeque<(Note, Instant)>,
) {
    if left.is_empty() {
        return;
    }
    let share = (ended - begun) / left.len() as u32;
    for (note, nth) in left.iter().zip(0..) {
        if let Some(note) = note {
            departed.push_back((*note, begun + share * nth));
        }
    }
}

impl Kind {
    fn open(self) -> Result<Socket, OpenError> {
        let socket = match self {
            Self::Link => Socket::new(Domain::PACKET, Type::DGRAM, None)
                .map_err(|error| raw::explain("open a packet socket", error))?,
            Self::RoutedV4 => raw::open_sender(SocketAddr::from(([0; 4], 0)), None)?,
            Self::RoutedV6 => raw::open_sender(SocketAddr::from(([0; 16], 0)), None)?,
        };
        let _ = socket.set_mark(MARK); // only firewall guards look at it
        let _ = socket.set_send_buffer_size(SEND_BUFFER); // as much of it as the system allows
        Ok(socket)
    }
}

impl Receiving {
    fn new(socket: Socket, sender: Sender) -> Self {
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER); // as much of it as the system allows
        }
        Self { socket, inbox: Inbox::new(LONGEST_ARRIVAL), count: 0, taken: 0, sender }
    }

    fn refill(&mut self) -> io::Result<bool> {
        (self.count, self.taken) = (0, 0);
        match self.inbox.fill(&self.socket) {
            Ok(count) => self.count = count,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
            // The interface went down: said once, nothing more comes of it.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
            Err(error) => return Err(error),
        }
        Ok(self.count > 0)
    }
}

const fn protocol_of(local: IpAddr) -> u16 {
    match local {
        IpAddr::V4(_) => libc::ETH_P_IP as u16,
        IpAddr::V6(_) => libc::ETH_P_IPV6 as u16,
    }
}

/// Where the header of a packet of ours says that it goes.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    const V4: usize = 16;
    const V6: usize = 24;
    match packet.first()? >> 4 {
        4 => packet.get(V4..)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        _ => packet.get(V6..)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
    }
}
