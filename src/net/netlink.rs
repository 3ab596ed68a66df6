//! A small netlink: build a request, send it, read the answer. Routes, the lab's links and nf_tables use it.
//!
//! By hand rather than from a crate: the synchronous crates do not know veth pairs, the others bring an
//! async runtime; this is all we need of it.

use std::io::{self, IoSliceMut};
use std::iter;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// The kernel aligns everything to four octets.
const ALIGN: usize = 4;

/// A request under construction.
#[derive(Clone, Debug)]
pub struct Message(Vec<u8>);

impl Message {
    /// A request of this type, with its family's fixed header. Its end or its refusal will be said.
    pub fn new(kind: u16, flags: i32, fixed_header: &[u8]) -> Self {
        Self::unacknowledged(kind, flags | libc::NLM_F_ACK, fixed_header)
    }

    fn unacknowledged(kind: u16, flags: i32, fixed_header: &[u8]) -> Self {
        let flags = flags | libc::NLM_F_REQUEST;
        let mut octets = vec![0; 4]; // the length, known when sent
        octets.extend(kind.to_ne_bytes());
        octets.extend((flags as u16).to_ne_bytes());
        octets.extend([0; 8]); // sequence number, set when sent, and port, which the kernel knows
        octets.extend(fixed_header);
        Self(octets)
    }

    /// Appends an attribute.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = (ATTRIBUTE_HEADER + value.len()) as u16;
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        self
    }

    /// Appends an attribute that is an address.
    pub fn address(self, kind: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Appends an attribute that holds what `fill` appends.
    pub fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self = fill(self.attribute(kind, &[]));
        let len = ((self.0.len() - start) as u16).to_ne_bytes();
        if let Some(field) = self.0.get_mut(start..start + 2) {
            field.copy_from_slice(&len);
        }
        self
    }

    /// Appends octets as they are: the fixed header inside a nested attribute.
    pub fn raw(mut self, octets: &[u8]) -> Self {
        self.0.extend(octets);
        self
    }

    /// Without the acknowledgment that would follow the answer; a refusal is said in any case.
    fn answered_once(mut self) -> Self {
        if let Some(flags) = self.0.first_chunk_mut::<HEADER>() {
            let without = u16::from_ne_bytes([flags[6], flags[7]]) & !(libc::NLM_F_ACK as u16);
            flags[6..8].copy_from_slice(&without.to_ne_bytes());
        }
        self
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = (self.0.len() as u32).to_ne_bytes();
        for (at, value) in [(0, len), (8, sequence.to_ne_bytes())] {
            if let Some(field) = self.0.get_mut(at..at + 4) {
                field.copy_from_slice(&value);
            }
        }
        self.0
    }
}

/// A socket to the kernel, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens one to links, addresses and routes; needs no privilege.
    pub fn route() -> io::Result<Self> {
        Self::open(libc::NETLINK_ROUTE)
    }

    /// Opens one to the part of the kernel that `protocol` names (`NETLINK_ROUTE`, `NETLINK_NETFILTER`).
    pub fn open(protocol: i32) -> io::Result<Self> {
        let family = Domain::from(libc::AF_NETLINK);
        let socket = Socket::new(family, Type::RAW, Some(Protocol::from(protocol)))?;
        const PATIENCE: Duration = Duration::from_secs(5); // the kernel answers at once, or never
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends `message` and collects the answers' octets behind their netlink header, until the kernel
    /// says that it is done. The kernel's refusal is the error it names.
    pub fn request(&mut self, message: Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&message.finish(self.sequence))?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; READ_AT_ONCE];
        loop {
            let len = io::Read::read(&mut &self.socket, &mut buffer)?;
            for answer in messages(buffer.get(..len).unwrap_or_default()) {
                match i32::from(answer.kind) {
                    _ if answer.sequence != self.sequence => {}
                    libc::NLMSG_ERROR => return acknowledged(answer.body).map(|()| answers),
                    libc::NLMSG_DONE => return Ok(answers),
                    _ => answers.push(answer.body.to_vec()),
                }
            }
        }
    }

    /// Asks many questions that have one answer each, a few dozen at once. Calls `answered` with the number of a
    /// question, counted from 0, and the octets behind the netlink header of its answer, or the kernel's
    /// refusal; in any order, and not for a question whose answer was lost.
    pub fn ask(
        &mut self,
        questions: impl IntoIterator<Item = Message>,
        mut answered: impl FnMut(usize, io::Result<&[u8]>),
    ) -> io::Result<()> {
        let mut questions = questions.into_iter();
        let mut inbox = Inbox::new();
        let mut octets = Vec::new();
        let mut asked_before = 0;
        loop {
            octets.clear();
            let first = self.sequence.wrapping_add(1);
            let mut asked = 0;
            for question in questions.by_ref().take(ASKED_AT_ONCE) {
                self.sequence = self.sequence.wrapping_add(1);
                octets.extend(question.answered_once().finish(self.sequence));
                asked += 1;
            }
            if asked == 0 {
                return Ok(());
            }
            self.socket.send(&octets)?;
            let mut heard = 0;
            // The kernel has answered by the time the questions are sent: what does not wait here was lost.
            while heard < asked && inbox.fill(&self.socket)? {
                for answer in inbox.datagrams().flat_map(messages) {
                    let number = answer.sequence.wrapping_sub(first) as usize;
                    if number < asked {
                        heard += 1;
                        answered(asked_before + number, answer.outcome());
                    }
                }
            }
            asked_before += asked;
        }
    }

    /// Sends `changes` to netfilter's `subsystem` as one transaction: all of them come true, or none. The
    /// first refusal is the error.
    pub fn transaction(&mut self, subsystem: i32, changes: Vec<Message>) -> io::Result<()> {
        let header = [&[0, 0][..], &(subsystem as u16).to_be_bytes()].concat(); // struct nfgenmsg
        let bracket = |kind: i32| Message::unacknowledged(kind as u16, 0, &header);
        let first = self.sequence + 2;
        let awaited = changes.len();
        let mut octets = Vec::new();
        let whole = iter::once(bracket(libc::NFNL_MSG_BATCH_BEGIN))
            .chain(changes)
            .chain(iter::once(bracket(libc::NFNL_MSG_BATCH_END)));
        for message in whole {
            self.sequence += 1;
            octets.extend(message.finish(self.sequence));
        }
        self.socket.send(&octets)?;
        let mut acknowledged_changes = 0;
        let mut buffer = vec![0; READ_AT_ONCE];
        while acknowledged_changes < awaited {
            let len = io::Read::read(&mut &self.socket, &mut buffer)?;
            for answer in messages(buffer.get(..len).unwrap_or_default()) {
                if i32::from(answer.kind) == libc::NLMSG_ERROR && answer.sequence + 1 >= first {
                    acknowledged(answer.body)?;
                    acknowledged_changes += 1;
                }
            }
        }
        Ok(())
    }

    /// Lets so many octets wait that nobody reads, as far as we may: with CAP_NET_ADMIN there is no limit.
    pub fn make_room(&self, octets: usize) {
        if setsockopt(&self.socket, sockopt::RcvBufForce, &octets).is_err() {
            let _ = self.socket.set_recv_buffer_size(octets);
        }
    }

    /// How many messages of type `kind` have come by themselves since the last call. An error means that
    /// some were lost: nobody read them fast enough.
    pub fn count_unasked(&self, kind: u16) -> io::Result<u32> {
        self.socket.set_nonblocking(true)?;
        const MOST_READS: usize = 1_000_000; // far more than there is room for
        let mut count = 0;
        let mut buffer = vec![0; READ_AT_ONCE];
        for _ in 0..MOST_READS {
            match io::Read::read(&mut &self.socket, &mut buffer) {
                Ok(len) => {
                    let come = messages(buffer.get(..len).unwrap_or_default());
                    count += come.filter(|message| message.kind == kind).count() as u32;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

/// The kernel puts no more into one answer.
const READ_AT_ONCE: usize = 32 * 1024;

/// So many answers wait at once; each takes about a kilooctet of the 208 that a socket has room for.
const ASKED_AT_ONCE: usize = 32;

/// Room for the answers to as many questions, a datagram each.
struct Inbox {
    rooms: Vec<[u8; Self::ROOM]>,
    lengths: Vec<usize>,
    headers: MultiHeaders<()>,
}

impl Inbox {
    /// Several times what the kernel says of a route. An answer that is longer is cut, and so not understood.
    const ROOM: usize = 1024;

    fn new() -> Self {
        let headers = MultiHeaders::preallocate(ASKED_AT_ONCE, None);
        Self { rooms: vec![[0; Self::ROOM]; ASKED_AT_ONCE], lengths: Vec::new(), headers }
    }

    /// Takes what waits at `socket`, without waiting for more. Whether it was anything.
    fn fill(&mut self, socket: &Socket) -> io::Result<bool> {
        self.lengths.clear();
        let mut parts: Vec<_> = self.rooms.iter_mut().map(|room| [IoSliceMut::new(room)]).collect();
        let (headers, no_wait) = (&mut self.headers, MsgFlags::MSG_DONTWAIT);
        match recvmmsg(socket.as_raw_fd(), headers, &mut parts, no_wait, None) {
            Ok(datagrams) => self.lengths.extend(datagrams.map(|datagram| datagram.bytes)),
            // Some were lost; those that were not still wait.
            Err(Errno::ENOBUFS | Errno::EINTR) => return Ok(true),
            Err(Errno::EAGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// What the last [`fill`](Self::fill) took.
    fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.rooms.iter().zip(&self.lengths).filter_map(|(room, len)| room.get(..*len))
    }
}

/// An NLMSG_ERROR of error 0 is the acknowledgment we asked for.
fn acknowledged(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|error| i32::from_ne_bytes(*error)) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A message from the kernel.
struct Answer<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Its octets, or the refusal that it is.
    fn outcome(&self) -> io::Result<&'a [u8]> {
        match i32::from(self.kind) {
            libc::NLMSG_ERROR => acknowledged(self.body).map(|()| &[][..]),
            _ => Ok(self.body),
        }
    }
}

/// Takes a datagram apart. Ends where it stops making sense.
fn messages(mut octets: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    iter::from_fn(move || {
        let &[a, b, c, d, k0, k1, _, _, s0, s1, s2, s3, ..] = octets.first_chunk::<HEADER>()?;
        let len = u32::from_ne_bytes([a, b, c, d]) as usize;
        let body = octets.get(HEADER..len)?;
        octets = octets.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        let (kind, sequence) = (u16::from_ne_bytes([k0, k1]), u32::from_ne_bytes([s0, s1, s2, s3]));
        Some(Answer { kind, sequence, body })
    })
}

/// Reads attributes: pairs of type and value. Ends where they stop making sense.
pub fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const TYPE_MASK: u16 = 0x3fff; // the two upper bits mark nesting and byte order
    iter::from_fn(move || {
        let &[l0, l1, k0, k1] = octets.first_chunk::<ATTRIBUTE_HEADER>()?;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = octets.get(ATTRIBUTE_HEADER..len)?;
        octets = octets.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]) & TYPE_MASK, value))
    })
}

/// The value of the first attribute of this type.
pub fn attribute(octets: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(octets).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A name, which ends with a zero.
pub fn as_text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// A 32-bit attribute value.
pub fn as_u32(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_reads_back() {
        let message = Message::new(24, 0, &[7; 12])
            .attribute(1, &[1, 2, 3])
            .nested(2, |inner| inner.attribute(5, &9_u32.to_ne_bytes()))
            .finish(42);
        let read: Vec<_> = messages(&message).collect();
        assert_eq!((read.len(), read[0].kind, read[0].sequence), (1, 24, 42));
        let read: Vec<_> = attributes(&read[0].body[12..]).collect();
        assert_eq!(read[0], (1, &[1, 2, 3][..]));
        let inner: Vec<_> = attributes(read[1].1).collect();
        assert_eq!(inner, [(5, &9_u32.to_ne_bytes()[..])]);
    }

    #[test]
    fn cut_answers_end_the_reading() {
        assert_eq!(messages(&[0; 15]).count(), 0);
        assert_eq!(messages(&[0; 16]).count(), 0, "a length below the header's");
        assert_eq!(attributes(&[8, 0, 1, 0, 1]).count(), 0);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
