//! How the network behaves in one direction, and what somebody who looks on can count.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::tcp::{Flags, SeqNum};
use tcpshake::time::Instant;

use crate::packets::Seen;

/// Our end, the peer's end.
pub(crate) type Tuple = (SocketAddr, SocketAddr);

/// One direction of the network: chances in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) delay: Duration,
    /// How late, at most.
    pub(crate) spread: Duration,
}

impl Link {
    pub(crate) const GOOD: Self = Self {
        lost: 0,
        twice: 0,
        late: 0,
        delay: Duration::from_millis(10),
        spread: Duration::from_millis(200),
    };
}

/// What an outsider can count.
#[derive(Default)]
pub(crate) struct Ledger {
    syns: HashSet<(Tuple, SeqNum)>,
    open: HashSet<Tuple>,
    /// When each exchange began, and between whom.
    pub(crate) begun: Vec<(Instant, Tuple, SeqNum)>,
    pub(crate) most_in_flight: usize,
}

impl Ledger {
    pub(crate) fn on_sent(&mut self, seen: &Seen, now: Instant) {
        let (tuple, segment) = ((seen.from, seen.to), &seen.segment);
        let opens = segment.has(Flags::SYN) && !segment.has(Flags::ACK);
        if opens && self.syns.insert((tuple, segment.seq)) {
            assert!(self.open.insert(tuple), "two exchanges at a time between {tuple:?}");
            self.begun.push((now, tuple, segment.seq));
            self.most_in_flight = self.most_in_flight.max(self.open.len());
        }
    }

    pub(crate) fn on_told(&mut self, tuple: Tuple) {
        assert!(self.open.remove(&tuple), "told without having begun: {tuple:?}");
    }

    pub(crate) fn untold(&self) -> usize {
        self.open.len()
    }
}
