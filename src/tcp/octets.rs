//! The octets of a stream: those waiting for the peer's acknowledgment, and those waiting for our user.

use super::segment::Segment;
use super::seq::SeqNum;

/// What was sent and not acknowledged, and what is to be sent; in one piece.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Outgoing {
    octets: Vec<u8>,
    /// Octets of it that are acknowledged, and go with the next clearing.
    done: usize,
    /// The number of the first octet that is not.
    first: SeqNum,
}

impl Outgoing {
    /// Nothing yet, beginning at number `first`.
    pub(super) fn begin(&mut self, first: SeqNum) {
        self.first = first;
    }

    pub(super) fn len(&self) -> usize {
        self.octets.len() - self.done
    }

    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Forgets what lies before `una`; yields how much that is.
    pub(super) fn acknowledge(&mut self, una: SeqNum) -> usize {
        let octets = ((una - self.first).max(0) as usize).min(self.len());
        self.first += octets as u32;
        self.done += octets;
        if self.done > self.octets.len() / 2 {
            self.octets.drain(..self.done); // moves less than it frees
            self.done = 0;
        }
        octets
    }

    /// The text of a segment of ours.
    pub(super) fn text_of(&self, segment: &Segment) -> &[u8] {
        let from = self.done + (segment.text_seq() - self.first).max(0) as usize;
        self.octets.get(from..from + segment.text_len as usize).unwrap_or_default()
    }
}

/// What was received: in order, and behind gaps.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Incoming {
    octets: Vec<u8>,
    /// Octets that our user has taken, and that go with the next clearing.
    read: usize,
    /// Octets in order and not taken.
    ready: usize,
}

impl Incoming {
    /// Puts `text` where it belongs, `ahead` octets behind what is in order.
    pub(super) fn place(&mut self, ahead: usize, text: &[u8]) {
        let start = self.read + self.ready + ahead;
        if self.octets.len() < start {
            self.octets.resize(start, 0);
        }
        let within = (self.octets.len() - start).min(text.len());
        let (within, beyond) = text.split_at(within);
        if let Some(room) = self.octets.get_mut(start..start + within.len()) {
            room.copy_from_slice(within);
        }
        self.octets.extend_from_slice(beyond);
    }

    /// `octets` more are in order.
    pub(super) fn advance(&mut self, octets: usize) {
        self.ready += octets;
    }

    /// In order and not taken.
    pub(super) fn unread(&self) -> &[u8] {
        self.octets.get(self.read..self.read + self.ready).unwrap_or_default()
    }

    /// Our user has taken `octets`.
    pub(super) fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.ready);
        self.read += octets;
        self.ready -= octets;
        if self.read > self.octets.len() / 2 {
            self.octets.drain(..self.read);
            self.read = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However much passes through, what is kept is what waits, and as much again at most.
    #[test]
    fn what_is_done_with_is_let_go() {
        const PIECE: [u8; 1000] = [7; 1000];
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        outgoing.push(&PIECE);
        incoming.place(0, &PIECE);
        incoming.advance(PIECE.len());
        for n in 1..100 {
            outgoing.push(&PIECE);
            assert_eq!(outgoing.acknowledge(SeqNum(n * 1000)), 1000);
            incoming.place(0, &PIECE);
            incoming.advance(PIECE.len());
            incoming.consume(1000);
            assert_eq!((outgoing.len(), incoming.unread().len()), (1000, 1000));
            assert!(outgoing.octets.len() <= 3000 && incoming.octets.len() <= 3000);
        }
    }

    /// What nobody needs any more goes once it is more than half of what is kept: what is then moved is less than that.
    #[test]
    fn it_is_let_go_once_it_is_more_than_half() {
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        outgoing.begin(SeqNum(u32::MAX));
        outgoing.push(&[7; 10]);
        incoming.place(0, &[7; 10]);
        incoming.advance(10);
        for (done, kept) in [(1, 10), (5, 10), (6, 4), (8, 4), (9, 1)] {
            outgoing.acknowledge(SeqNum(u32::MAX) + done);
            incoming.consume(incoming.unread().len() - outgoing.len());
            assert_eq!((outgoing.octets.len(), incoming.octets.len()), (kept, kept), "{done} of ten");
            assert_eq!((outgoing.len(), incoming.unread().len()), (10 - done as usize, 10 - done as usize));
        }
    }
}
