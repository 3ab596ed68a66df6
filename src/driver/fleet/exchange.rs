//! One exchange of very many: its control block, and no more beside it than must be.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::plan::{Errand, Task, millis};
use super::trace::Chain;
use super::wheel::{Tick, Wheel};
use crate::driver::Linger;
use crate::packet::Ports;
use crate::tcp::{Flags, Mss, Offer, Reaction, Segment, State, Tcb};
use crate::time::Instant;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    /// Open: for what is expected of the peer.
    Waiting,
    Closing,
    /// Over, and told; what the peer repeats is still answered.
    Lingering,
}

/// What came of a wait, as far as there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Nothing,
    NotYet,
    Came,
    Failed,
}

impl Awaited {
    const fn if_any(any: bool) -> Self {
        if any { Self::NotYet } else { Self::Nothing }
    }

    /// Whether it came; `None` if nothing was awaited.
    pub(super) const fn came(self) -> Option<bool> {
        match self {
            Self::Nothing => None,
            Self::NotYet | Self::Failed => Some(false),
            Self::Came => Some(true),
        }
    }
}

pub(super) struct Exchange {
    pub(super) tcb: Tcb,
    remote: IpAddr,
    ports: Ports,
    pub(super) path: u32,
    pub(super) target: u32,
    pub(super) task: u16,
    pub(super) phase: Phase,
    pub(super) banner: Awaited,
    pub(super) quiet: Awaited,
    /// Whether any segment came.
    pub(super) heard: bool,
    /// When the phase is given up, or what is kept of TIME-WAIT is over.
    pub(super) phase_ends: Tick,
    pub(super) chain: Chain,
    /// Until it is open, when the SYN left, in the low 32 bits of nanoseconds; then the round trip, or 0. (By one SYN a
    /// round trip is shorter than that.)
    syn_at_or_rtt: u32,
    pub(super) syns: u8,
    pub(super) retransmissions: u8,
    announced_mss: Option<Mss>,
    announced: Offer,
    was_open: bool,
    /// The user did not let it wait for all there was to wait for.
    pub(super) cut_short: bool,
}

/// What an exchange costs in memory, with its place in table and wheel.
const _: () = assert!(size_of::<Exchange>() + Wheel::OCTETS + super::slots::Slots::OCTETS <= 200);

impl Exchange {
    /// Nanoseconds by which the estimate of a departure may be late: a batch takes no longer.
    const MOST_OFF: u32 = 100_000_000;
    /// Nanoseconds of the shortest round trip that is told.
    const LEAST: u32 = 1_000;

    pub(super) fn new(
        errand: &Errand,
        path: u32,
        local_port: u16,
        tcb: Tcb,
        ends: Tick,
        task: &Task,
    ) -> Self {
        Self {
            tcb,
            remote: errand.remote.ip(),
            ports: Ports { source: local_port, destination: errand.remote.port() },
            path,
            target: errand.target,
            task: errand.task,
            phase: Phase::Opening,
            banner: Awaited::if_any(task.banner.is_some()),
            quiet: Awaited::if_any(!task.stays_open.is_zero()),
            heard: false,
            phase_ends: ends,
            chain: Chain::EMPTY,
            syn_at_or_rtt: 0,
            syns: 0,
            retransmissions: 0,
            announced_mss: None,
            announced: Offer::NOTHING,
            was_open: false,
            cut_short: false,
        }
    }

    pub(super) fn is_with(&self, remote: IpAddr, ports: Ports) -> bool {
        self.ports == ports && self.remote == remote
    }

    pub(super) const fn ends(&self) -> (IpAddr, Ports) {
        (self.remote, self.ports)
    }

    /// The peer's end.
    pub(super) const fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote, self.ports.destination)
    }

    /// The first SYN has left, or will at once.
    pub(super) const fn note_departure(&mut self, at: Instant) {
        if !self.was_open {
            self.syn_at_or_rtt = at.as_nanos() as u32;
        }
    }

    /// What we have sent beside answers.
    pub(super) fn count_sent(&mut self, segment: &Segment, again: bool) {
        self.syns = self.syns.saturating_add(u8::from(segment.has(Flags::SYN)));
        self.retransmissions = self.retransmissions.saturating_add(u8::from(again && !segment.is_empty()));
    }

    /// Takes a segment that arrived `at`; the machine is told that it is `now`.
    pub(super) fn on_segment(&mut self, segment: &Segment, at: Instant, now: Instant) -> Reaction {
        self.heard = true;
        let was_open = self.tcb.state().is_synchronized();
        let reaction = self.tcb.on_segment(segment, now);
        if !was_open && self.tcb.state().is_synchronized() {
            self.was_open = true;
            self.syn_at_or_rtt = if self.syns == 1 { self.round_trip(at) } else { 0 };
            self.note_announced(segment);
        }
        reaction
    }

    /// Nanoseconds from the SYN to `at`, at least a microsecond: when in its batch the SYN has left is an estimate, which
    /// may lie behind the answer of a peer on this very machine.
    fn round_trip(&self, at: Instant) -> u32 {
        let nanos = (at.as_nanos() as u32).wrapping_sub(self.syn_at_or_rtt);
        if nanos > u32::MAX - Self::MOST_OFF { Self::LEAST } else { nanos.max(Self::LEAST) }
    }

    fn note_announced(&mut self, syn: &Segment) {
        let options = syn.options.syn();
        self.announced_mss = options.mss;
        self.announced = Offer::MSS.only_if(options.mss.is_some())
            | Offer::SACK.only_if(options.sack_permitted)
            | Offer::WINDOW_SCALE.only_if(options.window_scale.is_some())
            | Offer::TIMESTAMPS.only_if(options.timestamps.is_some())
            | Offer::ECN.only_if(syn.has(Flags::ECE) && !syn.has(Flags::CWR));
    }

    /// What the peer's SYN announced; `None` if it was never open.
    pub(super) fn announced(&self) -> Option<(Option<Mss>, Offer)> {
        self.was_open.then_some((self.announced_mss, self.announced))
    }

    /// The round trip of an open that needed one SYN.
    pub(super) fn rtt(&self) -> Option<Duration> {
        let rtt = Some(self.syn_at_or_rtt).filter(|rtt| self.was_open && *rtt > 0);
        rtt.map(|nanos| Duration::from_nanos(u64::from(nanos)))
    }

    /// How much of TIME-WAIT is kept.
    pub(super) fn linger(&self, linger: Linger) -> u32 {
        millis(linger.after(self.rtt(), self.tcb.time_wait()))
    }

    /// It is open: waits for what there is to wait for.
    pub(super) fn wait(&mut self, from: Tick, task: &Task) {
        self.phase = Phase::Waiting;
        self.phase_ends = from.after(task.longest_wait());
    }

    /// Until when the peer is to leave the connection open.
    const fn quiet_until(&self, task: &Task) -> Tick {
        self.phase_ends.before(task.longest_wait() - task.quiet())
    }

    /// Whether all has come that is waited for, or will not.
    pub(super) fn is_done_waiting(&mut self, now: Tick, task: &Task) -> bool {
        let peer_closed = self.tcb.state() == State::CloseWait;
        if self.quiet == Awaited::NotYet {
            self.quiet = match (peer_closed, now >= self.quiet_until(task)) {
                (true, _) => Awaited::Failed,
                (false, true) => Awaited::Came,
                (false, false) => Awaited::NotYet,
            };
        }
        let all_came = self.banner != Awaited::NotYet && self.quiet != Awaited::NotYet;
        all_came || peer_closed || now >= self.phase_ends
    }

    /// When it wants to be looked at, whatever comes.
    pub(super) fn deadline(&self, task: &Task, origin: Instant) -> Tick {
        let machine = match self.phase {
            Phase::Lingering => None,
            Phase::Opening | Phase::Waiting | Phase::Closing => self.tcb.deadline(),
        };
        let awaits_quiet = self.phase == Phase::Waiting && self.quiet == Awaited::NotYet;
        let quiet = awaits_quiet.then(|| self.quiet_until(task));
        let machine = machine.map(|timer| Tick::reached_at(timer.at, origin));
        [machine, quiet].into_iter().flatten().fold(self.phase_ends, Tick::min)
    }
}
