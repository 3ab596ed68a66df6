//! A small netlink: build a request, send it, read the answer. Routes and the lab's links use it.
//!
//! By hand rather than from a crate: the synchronous crates do not know veth pairs, the others bring an
//! async runtime; this is all we need of it.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// The kernel aligns everything to four octets.
const ALIGN: usize = 4;

/// A request under construction.
#[derive(Clone, Debug)]
pub struct Message(Vec<u8>);

impl Message {
    /// A request of this type, with its family's fixed header.
    pub fn new(kind: u16, flags: i32, fixed_header: &[u8]) -> Self {
        let flags = flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK;
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
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends `message` and collects the answers' octets behind their netlink header, until the kernel
    /// says that it is done. The kernel's refusal is the error it names.
    pub fn request(&mut self, message: Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        self.socket.send(&message.finish(self.sequence))?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let len = io::Read::read(&mut &self.socket, &mut buffer)?;
            let mut rest = buffer.get(..len).unwrap_or_default();
            while let Some((kind, sequence, body, after)) = split_message(rest) {
                rest = after;
                match i32::from(kind) {
                    _ if sequence != self.sequence => {}
                    libc::NLMSG_ERROR => return acknowledged(body).map(|()| answers),
                    libc::NLMSG_DONE => return Ok(answers),
                    _ => answers.push(body.to_vec()),
                }
            }
        }
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

/// Type, sequence number, body and what follows.
fn split_message(octets: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let &[a, b, c, d, k0, k1, _, _, s0, s1, s2, s3, ..] = octets.first_chunk::<HEADER>()?;
    let len = u32::from_ne_bytes([a, b, c, d]) as usize;
    let body = octets.get(HEADER..len)?;
    let after = octets.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
    Some((u16::from_ne_bytes([k0, k1]), u32::from_ne_bytes([s0, s1, s2, s3]), body, after))
}

/// Reads attributes: pairs of type and value. Ends where they stop making sense.
pub fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const TYPE_MASK: u16 = 0x3fff; // the two upper bits mark nesting and byte order
    std::iter::from_fn(move || {
        let &[l0, l1, k0, k1] = octets.first_chunk::<ATTRIBUTE_HEADER>()?;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = octets.get(ATTRIBUTE_HEADER..len)?;
        octets = octets.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]) & TYPE_MASK, value))
    })
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
        let (kind, sequence, body, after) = split_message(&message).unwrap();
        assert_eq!((kind, sequence, after), (24, 42, &[][..]));
        let read: Vec<_> = attributes(&body[12..]).collect();
        assert_eq!(read[0], (1, &[1, 2, 3][..]));
        let inner: Vec<_> = attributes(read[1].1).collect();
        assert_eq!(inner, [(5, &9_u32.to_ne_bytes()[..])]);
    }

    #[test]
    fn cut_answers_end_the_reading() {
        assert!(split_message(&[0; 15]).is_none());
        assert_eq!(attributes(&[8, 0, 1, 0, 1]).count(), 0);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
