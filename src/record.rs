//! What happened, as plain values: everything a report may know.

pub mod check;
pub mod connection;
pub mod exchange;
pub mod expectation;
pub mod pattern;
pub mod sending;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use connection::{Seen, Source};

use crate::packet::{DecodeError, IcmpError, ip};
use crate::tcp::{Arrows, Clause, Mss, Offer, Parameters, Rcv, Segment, Snd, State, Tcb};

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

/// One rung: something that happened, in the order it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which exchange of the run it belongs to.
    pub exchange: u32,
    /// Its number, from 1.
    pub n: u32,
    /// When, since the exchange began; for what arrives, when the kernel took it.
    pub at: Duration,
    /// When, since 1970; simulated time begins there.
    pub since_1970: Duration,
    /// What.
    pub event: Event,
    /// The arrows it walked.
    pub arrows: Arrows,
    /// The state after it.
    pub state: State,
    /// The rule that decided.
    pub clause: Option<Clause>,
    /// The connection's variables after it.
    pub view: View,
    /// State and variables before it.
    pub before: Standing,
    /// The packet it was seen in, from the IP header on, as far as it is kept; empty if there was none.
    pub packet: Box<[u8]>,
    /// Whether it came after the verdict, in what is kept of TIME-WAIT.
    pub late: bool,
    /// What shows of it to who was not part of it; `None` where we were.
    pub seen: Option<Seen>,
}

/// What a rung is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// We sent a segment.
    Sent {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// The beginning of its text.
        text: Excerpt,
        /// How often it was sent before.
        retransmission: u8,
    },
    /// A segment arrived.
    Received {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// The beginning of its text.
        text: Excerpt,
        /// Time to live, or hop limit, left.
        ttl: u8,
    },
    /// We would have sent a segment, but it did not leave; it counts as lost.
    Unsent {
        /// The segment.
        segment: Segment,
        /// Its numbers, counted from the initial ones.
        relative: Relative,
        /// Why it did not leave.
        why: String,
    },
    /// A packet of this exchange arrived that could not be read, and changed nothing.
    Unreadable(DecodeError),
    /// An ICMP error that quotes a segment of ours.
    Icmp {
        /// The error.
        error: IcmpError,
        /// What it meant for the exchange.
        effect: IcmpEffect,
    },
    /// The kernel of this machine sent a RST of its own: no guard held it back.
    KernelReset(Segment, Relative),
    /// Nothing came, or nothing was sent: a timer, a limit, or a call without a segment.
    Quiet,
}

impl Event {
    /// The segment it is about, if it is about one that could be read.
    pub const fn segment(&self) -> Option<&Segment> {
        match self {
            Self::Sent { segment, .. }
            | Self::Received { segment, .. }
            | Self::Unsent { segment, .. }
            | Self::KernelReset(segment, _) => Some(segment),
            Self::Unreadable(_) | Self::Icmp { .. } | Self::Quiet => None,
        }
    }
}

/// What an ICMP error did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpEffect {
    /// It ended the attempt.
    Fatal,
    /// It was noted; the attempt goes on.
    Noted,
    /// It quotes a number that is not under way, so somebody may have made it up.
    NotOurs,
}

/// Sequence and acknowledgment number, counted from the initial numbers; `None` where those are not
/// known, or there is no acknowledgment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relative {
    /// From the sender's initial number.
    pub seq: Option<u32>,
    /// From the receiver's initial number.
    pub ack: Option<u32>,
}

/// The beginning of a segment's text.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Excerpt {
    octets: [u8; Self::LEN],
    len: u8,
}

impl Excerpt {
    /// No more than this is kept.
    pub const LEN: usize = 32;

    /// The first octets of `text`.
    pub fn of(text: &[u8]) -> Self {
        let mut excerpt = Self::default();
        for (kept, octet) in excerpt.octets.iter_mut().zip(text) {
            *kept = *octet;
            excerpt.len += 1;
        }
        excerpt
    }

    /// The octets kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// The connection's variables (RFC 9293 section 3.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// SND.UNA, SND.NXT, SND.WND, ...
    pub snd: Snd,
    /// RCV.NXT, RCV.WND, ...
    pub rcv: Rcv,
    /// Shift applied to the windows the peer announces.
    pub snd_scale: u8,
    /// The retransmission timeout in force.
    pub rto: Duration,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Its variables.
    pub view: View,
}

/// How much of each packet is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What stands before the text; of what is no segment, the beginning.
    #[default]
    Headers,
    /// All of it.
    Whole,
}

impl Keep {
    /// What is kept of `packet`, which holds `segment` if it could be read. What a card has padded it with is not.
    pub fn of<'p>(self, packet: &'p [u8], segment: Option<&Segment>) -> &'p [u8] {
        const BEGINNING: usize = 128;
        let packet = ip::within(packet);
        let headers = segment.map(|segment| packet.len().saturating_sub(segment.text_len as usize));
        let len = match self {
            Self::Headers => headers.unwrap_or(BEGINNING).min(packet.len()),
            Self::Whole => packet.len(),
        };
        packet.get(..len).unwrap_or_default()
    }
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

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Completed(Ending),
    /// The peer answered our SYN with RST.
    Refused,
    /// Nothing answered in time.
    Silent {
        /// Whether segments came all the same, none of which acknowledged our SYN.
        heard: bool,
    },
    /// The network said that the peer cannot be reached.
    Unreachable(IcmpError),
    /// A client's open came to nothing.
    NotOpened(NotOpened),
    /// It was open, and the peer reset it.
    ResetAfterOpening {
        /// The state it was in.
        state: State,
    },
    /// It was open, but the close did not come to its end.
    CloseIncomplete {
        /// The state it was given up in.
        state: State,
        /// What was missing.
        missing: Missing,
    },
    /// The user ended it.
    Interrupted(Signal),
}

/// Why a client's open came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// It answered our SYN,ACK with a RST.
    Reset,
    /// It never answered.
    NoAnswer,
}

/// What an exchange that was opened still lacked when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The acknowledgment of our text.
    TextAcknowledgment,
    /// Room in the peer's window for our text.
    Window,
    /// What we waited for before closing.
    PeerFirst,
    /// The acknowledgment of our FIN.
    FinAcknowledgment,
    /// The acknowledgment of our FIN: a RST came instead.
    FinAcknowledgmentReset,
    /// The peer's FIN.
    PeerFin,
    /// Whatever the peer would have sent: our receive window was 0.
    OurWindow,
}

impl Missing {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TextAcknowledgment => "the peer did not acknowledge our text",
            Self::Window => "the peer's window stayed closed to our text",
            Self::PeerFirst => "the peer neither closed nor sent what was awaited",
            Self::FinAcknowledgment => "the peer did not acknowledge our FIN",
            Self::FinAcknowledgmentReset => "the peer reset it before it acknowledged our FIN",
            Self::PeerFin => "the peer kept its side open",
            Self::OurWindow => "our window of 0 let the peer send nothing",
        }
    }
}

/// The ways an exchange can end as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both FINs were acknowledged.
    Closed,
    /// Our RST ended it.
    ResetByUs,
    /// It was left open: no FIN, no RST.
    LeftOpen,
}

/// Signals that end an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite kill.
    Terminate,
    /// The terminal went away.
    HangUp,
}

impl Outcome {
    /// One word for machines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Refused => "refused",
            Self::Silent { .. } => "silent",
            Self::NotOpened(_) => "not-opened",
            Self::Unreachable(_) => "unreachable",
            Self::ResetAfterOpening { .. } => "reset",
            Self::CloseIncomplete { .. } => "close-incomplete",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(Ending::Closed) => f.write_str("opened and closed, both FINs acknowledged"),
            Self::Completed(Ending::ResetByUs) => f.write_str("opened, and ended by our RST as asked"),
            Self::Completed(Ending::LeftOpen) => f.write_str(
                "opened, and left open as asked: the peer's next segment will draw the kernel's RST",
            ),
            Self::Refused => f.write_str("refused: the peer answered our SYN with RST"),
            Self::Silent { heard: false } => {
                f.write_str("silent: no answer in time (filtered, or nobody there)")
            }
            Self::Silent { heard: true } => {
                f.write_str("silent: something came, but nothing that acknowledged our SYN")
            }
            Self::NotOpened(NotOpened::Reset) => f.write_str("not opened: the client reset our SYN,ACK"),
            Self::NotOpened(NotOpened::NoAnswer) => {
                f.write_str("not opened: the client never acknowledged our SYN,ACK")
            }
            Self::Unreachable(error) => write!(f, "unreachable: {error}"),
            Self::ResetAfterOpening { state } => write!(f, "reset by the peer in {state}"),
            Self::CloseIncomplete { state, missing } => {
                write!(f, "opened, but not closed: {} (given up in {state})", missing.text())
            }
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

impl fmt::Display for Signal {
    /// What it did to us.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
            Self::HangUp => "hung up",
        })
    }
}

/// How an exchange ended, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which exchange of the run it was.
    pub exchange: u32,
    /// The verdict.
    pub outcome: Outcome,
    /// From our first SYN to ESTABLISHED.
    pub open_time: Option<Duration>,
    /// From the first FIN to the acknowledgment of the second.
    pub close_time: Option<Duration>,
    /// From a SYN sent once to its answer.
    pub rtt: Option<Duration>,
    /// Segments sent again.
    pub retransmissions: u32,
    /// Answers of the kernel that the guard held back; `None` where it could not count them.
    pub held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    pub guard_lost: bool,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u32,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u32,
    /// Octets of text acknowledged by the peer.
    pub text_sent: u64,
    /// Octets of text taken from the peer.
    pub text_received: u64,
    /// The last ICMP error that ended nothing.
    pub noted: Option<IcmpError>,
    /// What was expected to come, as a pattern; `None` if nothing was.
    pub expected: Option<String>,
    /// Whether what came is what was expected; `None` if nothing was.
    pub as_expected: Option<bool>,
    /// What went wrong on this machine with what was to be said or kept, for which the exchange was closed.
    pub trouble: Option<String>,
    /// If we hold TIME-WAIT: how long it is by the book, and how much of it is kept.
    pub time_wait: Option<TimeWait>,
}

impl Summary {
    /// Whether all went as the user has asked.
    pub fn is_as_asked(&self) -> bool {
        let completed = matches!(self.outcome, Outcome::Completed(_));
        completed && self.as_expected != Some(false) && self.trouble.is_none()
    }
}

/// TIME-WAIT, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWait {
    /// 2 MSL.
    pub full: Duration,
    /// What is kept of it, inside the guard.
    pub kept: Duration,
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
