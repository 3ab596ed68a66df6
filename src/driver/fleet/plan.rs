//! What a fleet is to do: everything that is the same for all of its exchanges, and what each is sent for.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::pace::Rate;
use super::trace::KeptPackets;
use crate::driver::Linger;
use crate::record::pattern::Pattern;
use crate::record::{Outcome, Signal};
use crate::tcp::{Mss, Offer, Parameters};
use crate::time::Instant;
use crate::wire::Way;

/// What is the same for all exchanges.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How each connection behaves; the MSS is its path's, the offer its task's.
    pub parameters: Parameters,
    /// Time to live, or hop limit, of our packets.
    pub ttl: u8,
    /// How long the open may take, and the close: each of them. Whole milliseconds count.
    pub timeout: Duration,
    /// How much of TIME-WAIT to keep.
    pub linger: Linger,
    /// Exchanges that begin in a second, at most; `None` is no limit.
    pub rate: Option<Rate>,
    /// The same with one host.
    pub per_host_rate: Option<Rate>,
    /// Exchanges that were begun and are not over, at most.
    pub max_in_flight: u32,
    /// What exchanges are for: an [`Errand`] names one by its place.
    pub tasks: Vec<Task>,
    /// The secret of initial sequence numbers.
    pub iss_key: [u8; 16],
    /// Octets of packets that are kept for those who may want to see them.
    pub trace: usize,
}

impl Plan {
    /// Packets of that many octets are kept.
    pub const TRACE: usize = 16 << 20;

    /// Of the table of exchanges.
    pub(super) const fn table_seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.iss_key;
        u64::from_ne_bytes([a, b, c, d, e, f, g, h])
    }

    /// Opens and closes, as fast as can be.
    pub fn new(iss_key: [u8; 16]) -> Self {
        Self {
            parameters: Parameters::default(),
            ttl: 64,
            timeout: Duration::from_secs(5),
            linger: Linger::Enough,
            rate: None,
            per_host_rate: None,
            max_in_flight: 1000,
            tasks: vec![Task::NOTHING],
            iss_key,
            trace: Self::TRACE,
        }
    }
}

/// What to do with a connection once it is open, before it is closed.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// Hear what the peer says until this is in the first 4,096 octets of it.
    pub banner: Option<Pattern>,
    /// How long to wait for that.
    pub banner_within: Duration,
    /// Wait so long for the peer to close or reset it.
    pub stays_open: Duration,
    /// What our SYN offers.
    pub offer: Offer,
}

impl Task {
    /// Nothing but to open and close.
    pub const NOTHING: Self =
        Self { banner: None, banner_within: Duration::ZERO, stays_open: Duration::ZERO, offer: Offer::USUAL };

    /// Milliseconds for which the peer is to leave the connection open.
    pub(super) const fn quiet(&self) -> u32 {
        millis(self.stays_open)
    }

    /// Milliseconds after the open at which nothing is waited for any more.
    pub(super) const fn longest_wait(&self) -> u32 {
        let banner = if self.banner.is_some() { millis(self.banner_within) } else { 0 };
        if self.quiet() > banner { self.quiet() } else { banner }
    }
}

/// Whole milliseconds; what is too long for the count is as long as that can be.
pub(super) const fn millis(time: Duration) -> u32 {
    let millis = time.as_millis();
    if millis > u32::MAX as u128 { u32::MAX } else { millis as u32 }
}

/// An exchange to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The caller's number for the target.
    pub target: u32,
    /// Where to.
    pub remote: SocketAddr,
    /// How to get there.
    pub path: Path,
    /// What for: a place in [`Plan::tasks`].
    pub task: u16,
}

/// The way to a target. Targets behind one router have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our address.
    pub local: IpAddr,
    /// By which our packets leave.
    pub way: Way,
    /// What we announce there (MUST-67).
    pub mss: Mss,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Errand(Errand),
    /// Nothing yet: the wire will be woken when there is.
    Later,
    /// Nothing any more.
    Done,
}

/// Where errands come from, and who is told what became of them. Neither may take long: segments wait.
pub trait Dispatcher {
    /// The next errand, if one is ready. What becomes of it is told once, unless a signal comes before it is begun.
    fn next(&mut self, now: Instant) -> Next;

    /// An exchange is over.
    fn ended(&mut self, ended: Ended<'_>);

    /// A batch of packets is dealt with: now and then, and at the end. For what is done better for many at once.
    fn between(&mut self, _now: Instant) {}
}

/// An exchange that is over.
#[derive(Debug)]
pub struct Ended<'e> {
    /// What it was made for.
    pub errand: Errand,
    /// Our end.
    pub local: SocketAddr,
    /// How it was made.
    pub parameters: Parameters,
    /// The verdict.
    pub outcome: Outcome,
    /// When.
    pub at: Instant,
    /// From a SYN sent once to its answer.
    pub rtt: Option<Duration>,
    /// SYNs sent.
    pub syns: u32,
    /// SYNs among them that nothing answered.
    pub syns_lost: u32,
    /// Segments sent again.
    pub retransmissions: u32,
    /// What the peer's SYN announced: its MSS, and what it offers or grants; `None` if it was never open.
    pub announced: Option<(Option<Mss>, Offer)>,
    /// The beginning of what the peer said, where that was listened to.
    pub text: &'e [u8],
    /// Whether the banner came; `None` if none was awaited.
    pub banner_came: Option<bool>,
    /// Whether the peer left it open long enough; `None` if it did not have to.
    pub stayed_open: Option<bool>,
    /// What was kept of its packets.
    pub packets: Packets<'e>,
}

/// Packets of an exchange, copied only for those who want them.
#[derive(Clone, Copy)]
pub struct Packets<'e>(pub(super) &'e dyn Fn() -> KeptPackets);

impl Packets<'_> {
    /// Copies them.
    pub fn copy(&self) -> KeptPackets {
        (self.0)()
    }
}

impl std::fmt::Debug for Packets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.copy().fmt(f)
    }
}

/// What a fleet has done, beside what it has told exchange by exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// From the first SYN to the last verdict.
    pub duration: Duration,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u64,
    /// How often the rate was lowered because of that.
    pub backed_off: u32,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u64,
    /// The signal that ended it early.
    pub signal: Option<Signal>,
}
