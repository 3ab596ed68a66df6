//! What happened, as plain values: everything a report may know.

pub mod check;
pub mod connection;
pub mod exchange;
pub mod expectation;
mod outcome;
pub mod pattern;
pub mod sending;
mod step;

use std::net::SocketAddr;
use std::time::Duration;

use connection::Source;
pub use outcome::{Ending, Missing, NotOpened, Outcome, Signal, Summary, TimeWait};
pub use step::{Event, Excerpt, IcmpEffect, Keep, Relative, Standing, Step, View};

use crate::tcp::{Mss, Offer, Parameters, Segment, Tcb};

/// How an exchange begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which exchange of a run it is, from 1.
    pub number: u32,
    /// Whether we began it.
    pub role: Role,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The name the user gave for it, if it was no address.
    pub host: Option<String>,
    /// Which of that name's addresses it is, if there are several.
    pub among: Option<Among>,
    /// What keeps the kernel's RST in.
    pub guard: GuardSummary,
    /// When, since the first of those that are drawn together.
    pub at: Duration,
    /// Whether both ends run inside the process.
    pub simulated: bool,
    /// Whether we took part in it.
    pub source: Source,
    /// When, in whole seconds since 1970; zero where time is simulated.
    pub unix_seconds: u64,
}

/// One of several, as the system orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Among {
    /// Which, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// Who begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// We send the first SYN.
    #[default]
    Active,
    /// A client of ours does: one of many, perhaps.
    Passive,
}

impl Role {
    /// The short name of a connection that is one of many: a letter, or two or three.
    pub fn name_of(exchange: u32) -> String {
        const LETTERS: u32 = 26;
        let mut rest = exchange.max(1);
        let mut name = Vec::new();
        while rest > 0 && name.len() < 3 {
            rest -= 1;
            name.push(b'a' + (rest % LETTERS) as u8);
            rest /= LETTERS;
        }
        name.iter().rev().map(|letter| char::from(*letter)).collect()
    }
}

/// A service that waits for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Where it can be reached; unspecified addresses are all of their family.
    pub at: Vec<SocketAddr>,
    /// What keeps the kernel's RST in.
    pub guard: GuardSummary,
    /// When, in whole seconds since 1970.
    pub unix_seconds: u64,
}

/// A guard, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSummary {
    /// `listener`, `nft`, `iptables`, `none`, `not needed`.
    pub name: &'static str,
    /// How it does it, if there is more than one way.
    pub variant: Option<&'static str>,
    /// What the self-test found: `Some(true)` silence, `None` if it could not be, or was not, asked.
    pub proven: Option<bool>,
    /// Why it could not be asked.
    pub untested_because: Option<String>,
    /// Guards that were tried before it, and why they did not do.
    pub passed_over: Vec<(&'static str, String)>,
}

/// What both sides have agreed on, and what the way between them shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// Which exchange of the run it belongs to.
    pub exchange: u32,
    /// What we offered, or were ready to grant.
    pub offered: Offer,
    /// What of it is in force.
    pub granted: Offer,
    /// What we take in one segment.
    pub our_mss: Mss,
    /// What the peer says it takes; `None` if it says nothing.
    pub peer_mss: Option<Mss>,
    /// The shift of the windows we announce.
    pub our_scale: u8,
    /// The shift of the windows the peer announces.
    pub peer_scale: u8,
    /// The window in the peer's SYN.
    pub peer_window: u16,
    /// Time to live, or hop limit, that was left of the peer's SYN.
    pub ttl: u8,
}

impl Negotiation {
    /// What `tcb` has agreed on with a peer whose SYN this was.
    pub fn new(exchange: u32, parameters: &Parameters, tcb: &Tcb, syn: &Segment, ttl: u8) -> Self {
        Self {
            exchange,
            offered: parameters.offer,
            granted: tcb.granted(),
            our_mss: parameters.mss,
            peer_mss: syn.options.syn().mss,
            our_scale: tcb.rcv_scale().get(),
            peer_scale: tcb.snd_scale().get(),
            peer_window: syn.window.0,
            ttl,
        }
    }

    /// What the peer, or something on the way, has not granted of what we offered.
    pub const fn refused(&self) -> Offer {
        self.offered.without(self.granted).without(Offer::MSS)
    }

    /// Routers that the peer's packets have crossed, if it begins with one of the values in use: 64, 128, 255.
    pub fn hops(&self) -> u8 {
        [64, 128, 255].into_iter().find(|first| self.ttl <= *first).map_or(0, |first| first - self.ttl)
    }
}

/// What a service has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Clients whose SYN, or whose cookie, was taken.
    pub begun: u32,
    /// Connections that were open, and are over.
    pub connections: u32,
    /// Of them, ended as asked.
    pub completed: u32,
    /// Clients that never completed the open.
    pub unopened: u32,
    /// SYNs that were answered with a cookie: too many were half-open.
    pub cookies_sent: u32,
    /// Cookies that came back, and opened a connection.
    pub cookies_returned: u32,
    /// SYNs that were not answered: on purpose, or because there were too many connections.
    pub passed_over: u32,
    /// Segments sent again.
    pub retransmissions: u32,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u32,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u32,
    /// Octets of text acknowledged by clients.
    pub text_sent: u64,
    /// Octets of text taken from clients.
    pub text_received: u64,
    /// How the first connection ended that did not end as asked.
    pub first_failure: Option<Outcome>,
    /// What ended the service before its count.
    pub signal: Option<Signal>,
}

/// What a run of several exchanges came to, as ping sums up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Exchanges made.
    pub exchanges: u32,
    /// Of them, ended as asked.
    pub completed: u32,
    /// Segments sent again, in all of them.
    pub retransmissions: u32,
    /// Round-trip times of the opens that needed one SYN.
    pub rtts: Vec<Duration>,
}

/// Least, mean, most, and mean deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrips {
    /// The least.
    pub min: Duration,
    /// The mean.
    pub avg: Duration,
    /// The most.
    pub max: Duration,
    /// The standard deviation, which ping calls mdev.
    pub mdev: Duration,
}

impl Statistics {
    /// Takes the summary of an exchange that was counted when it began.
    pub fn add(&mut self, summary: &Summary) {
        self.completed += u32::from(summary.is_as_asked());
        self.retransmissions += summary.retransmissions;
        self.rtts.extend(summary.rtt);
    }

    /// Exchanges that did not end as asked, in percent.
    pub fn failed_percent(&self) -> f64 {
        f64::from(self.exchanges - self.completed) * 100.0 / f64::from(self.exchanges.max(1))
    }

    /// `None` if no round trip was measured.
    pub fn round_trips(&self) -> Option<RoundTrips> {
        let seconds: Vec<f64> = self.rtts.iter().map(Duration::as_secs_f64).collect();
        let count = seconds.len() as f64;
        let mean = seconds.iter().sum::<f64>() / count;
        let variance = seconds.iter().map(|rtt| (rtt - mean).powi(2)).sum::<f64>() / count;
        Some(RoundTrips {
            min: *self.rtts.iter().min()?,
            avg: Duration::from_secs_f64(mean),
            max: *self.rtts.iter().max()?,
            mdev: Duration::from_secs_f64(variance.sqrt()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_named_by_letters() {
        let names = [1, 2, 26, 27, 52, 53, 702, 703].map(Role::name_of);
        assert_eq!(names, ["a", "b", "z", "aa", "az", "ba", "zz", "aaa"]);
        assert_eq!(Role::name_of(u32::MAX).len(), 3);
    }

    #[test]
    fn round_trips_are_summed_up_like_pings() {
        assert_eq!(Statistics::default().round_trips(), None);
        let rtts = [1, 2, 3, 6].map(Duration::from_millis).to_vec();
        let trips = Statistics { rtts, ..Statistics::default() }.round_trips().unwrap();
        assert_eq!(
            (trips.min, trips.avg, trips.max),
            (Duration::from_millis(1), Duration::from_millis(3), Duration::from_millis(6))
        );
        assert_eq!(trips.mdev.as_micros(), 1870); // sqrt((4 + 1 + 0 + 9) / 4) ms
    }
}
