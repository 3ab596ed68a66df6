//! The transmission control block: everything a connection remembers.

use std::time::Duration;

use super::offer::Offer;
use super::parameters::{Origin, Parameters, Retries};
use super::reaction::{Deadline, Timer};
use super::rto::Rto;
use super::seq::{Mss, SeqNum, WindowScale, WindowSize};
use super::state::{Arrow, State};
use super::throttle::Throttle;
use super::timestamps::Recent;
use crate::time::Instant;

/// The send sequence space (RFC 9293 section 3.3.1, figure 3).
///
/// ```text
///          1         2          3          4
///     ----------|----------|----------|----------
///            SND.UNA    SND.NXT    SND.UNA
///                                 +SND.WND
/// 1 - acknowledged   2 - sent, not acknowledged   3 - may be sent   4 - may not be sent yet
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Snd {
    /// SND.UNA: the oldest number not acknowledged.
    pub una: SeqNum,
    /// SND.NXT: the next number to be sent.
    pub nxt: SeqNum,
    /// SND.WND: the window the peer announced, an offset from `una`.
    pub wnd: WindowSize,
    /// SND.WL1: the sequence number of the segment that last set `wnd`.
    pub wl1: SeqNum,
    /// SND.WL2: the acknowledgment number of the segment that last set `wnd`.
    pub wl2: SeqNum,
    /// ISS: our initial sequence number.
    pub iss: SeqNum,
    /// The number after the last octet of text queued; a FIN stands here.
    pub end: SeqNum,
    /// MAX.SND.WND: the largest window the peer ever announced (RFC 5961 section 5.2).
    pub max_wnd: WindowSize,
}

/// The receive sequence space (RFC 9293 section 3.3.1, figure 4).
///
/// ```text
///              1          2          3
///         ----------|----------|----------
///                RCV.NXT    RCV.NXT
///                          +RCV.WND
/// 1 - received and acknowledged   2 - may be received   3 - not acceptable yet
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rcv {
    /// RCV.NXT: the next number expected.
    pub nxt: SeqNum,
    /// RCV.WND: octets we take beyond `nxt`.
    pub wnd: WindowSize,
    /// RCV.UP: the number after the peer's urgent data, however much that is (MUST-31). What lies between `nxt`
    /// and here is urgent and still to come (MUST-33).
    pub up: SeqNum,
    /// IRS: the peer's initial sequence number.
    pub irs: SeqNum,
}

/// What our user has asked for beyond the present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Closing {
    /// Nothing: the user may still send.
    #[default]
    No,
    /// Nothing yet, but the peer's FIN is to be answered with ours at once (scenario A-06).
    WithPeer,
    /// CLOSE was called: a FIN stands at `snd.end`.
    Yes,
    /// The connection has ended: the block is spent (the RFC's "delete the TCB").
    Ended,
}

/// A round-trip measurement under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Timing {
    /// The measurement ends when this number is acknowledged.
    pub(super) until: SeqNum,
    /// When the segment that ends there left: [`Instant::low_micros`].
    since: u32,
}

impl Timing {
    pub(super) const fn start(until: SeqNum, now: Instant) -> Self {
        Self { until, since: now.low_micros() }
    }

    pub(super) const fn elapsed(self, now: Instant) -> Duration {
        now.since_low_micros(self.since)
    }
}

/// The transmission control block of one connection: RFC 9293 as a value.
///
/// A `Tcb` reads no clock, draws no random number and sends nothing. Four kinds of methods drive it:
///
/// * **calls** of the user, section 3.10.1 to 6: [`open`](Self::open), [`send`](Self::send),
///   [`close`](Self::close), [`close_with_peer`](Self::close_with_peer), [`abort`](Self::abort);
/// * **a segment arrives**, section 3.10.7: [`on_segment`](Self::on_segment);
/// * **timeouts**, section 3.10.8: [`on_timeout`](Self::on_timeout) once [`deadline`](Self::deadline)
///   has passed, [`on_user_timeout`](Self::on_user_timeout) when the user's patience ends;
/// * **transmission**: [`transmit`](Self::transmit), after each of the others until it yields nothing.
///
/// One block is one connection: once back in CLOSED it is spent, and whoever talks to the same peer again
/// starts from SYN with a new one.
///
/// What they yield is a [`Reaction`](super::Reaction), which the caller carries out whole before it hands in
/// the next event. The text of a connection is the caller's too: the block counts it, by
/// number, and says which part to send or take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tcb {
    pub(super) snd: Snd,
    pub(super) rcv: Rcv,
    pub(super) rto: Rto,
    pub(super) timing: Option<Timing>,
    timer_at: Instant,
    timer: Option<Timer>,
    /// TSval of what is sent now.
    pub(super) clock: u32,
    pub(super) recent: Recent,
    pub(super) challenges: Throttle,
    pub(super) time_wait_ms: u32,
    pub(super) mss: Mss,
    pub(super) peer_mss: Mss,
    default_peer_mss: Mss,
    offered_window: WindowSize,
    /// The shift we offer; in force once both sides have offered one.
    pub(super) offered_scale: WindowScale,
    pub(super) snd_scale: WindowScale,
    /// Whether our acknowledgments echo congestion, until the peer says that it has heard (RFC 3168 section 6.1.3).
    pub(super) echoes_congestion: bool,
    /// What both SYNs have, as far as the peer's is known.
    pub(super) granted: Offer,
    pub(super) retransmissions: u8,
    pub(super) retries: Retries,
    pub(super) offer: Offer,
    pub(super) origin: Origin,
    pub(super) closing: Closing,
    state: State,
}

/// A hundred thousand connections stand side by side in memory: the block stays within two cache lines.
const _: () = assert!(size_of::<Tcb>() <= 128);

impl Tcb {
    /// How far an initial number lies from the one before: as much as the clock of RFC 9293 section 3.4.1, which we are
    /// not told, ticks in a second.
    const NEXT_ISS: u32 = 250_000;

    /// A connection in CLOSED.
    pub fn new(parameters: &Parameters) -> Self {
        let fitting = WindowScale::fitting(parameters.window);
        let scale = parameters.window_scale.unwrap_or(fitting);
        Self {
            snd: Snd::default(),
            rcv: Rcv { wnd: parameters.window, ..Rcv::default() },
            rto: Rto::new(),
            timing: None,
            timer_at: Instant::ORIGIN,
            timer: None,
            clock: 0,
            recent: Recent::default(),
            challenges: Throttle::default(),
            time_wait_ms: u32::try_from(parameters.msl.as_millis() * 2).unwrap_or(u32::MAX),
            mss: parameters.mss,
            peer_mss: parameters.default_peer_mss,
            default_peer_mss: parameters.default_peer_mss,
            offered_window: parameters.window,
            offered_scale: scale,
            snd_scale: WindowScale::default(),
            echoes_congestion: false,
            granted: Offer::NOTHING,
            retransmissions: 0,
            retries: parameters.retries,
            offer: parameters.offer,
            origin: Origin::Active,
            closing: Closing::No,
            state: State::Closed,
        }
    }

    /// The same block in the midst of a connection: the way to `state` was not seen.
    pub(super) const fn found_in(&self, state: State) -> Self {
        Self { state, ..*self }
    }

    /// The same connection with its times forgotten: nothing was measured, no challenge was counted, and the timer
    /// that runs is due. Times decide when a timer fires, how long the next one runs and whether a challenge is held
    /// back; so whoever explores what a connection can do, early or late, needs to look at such blocks only. Of a
    /// measurement under way remains whether the SYN was sent once (RFC 6298 section 5.7).
    pub fn timeless(self) -> Self {
        Self {
            rto: Rto::new(),
            timing: self
                .timing
                .filter(|_| self.syn_outstanding())
                .map(|timing| Timing::start(timing.until, Instant::ORIGIN)),
            timer_at: Instant::ORIGIN,
            recent: Recent::taken(self.recent.value, Instant::ORIGIN),
            challenges: Throttle::default(),
            ..self
        }
    }

    /// The present state (the STATUS call, RFC 9293 section 3.10.6).
    pub const fn state(&self) -> State {
        self.state
    }

    /// The send sequence space.
    pub const fn snd(&self) -> &Snd {
        &self.snd
    }

    /// The receive sequence space.
    pub const fn rcv(&self) -> &Rcv {
        &self.rcv
    }

    /// How often the oldest segment not acknowledged was sent again.
    pub const fn retransmissions(&self) -> u8 {
        self.retransmissions
    }

    /// The retransmission timeout now in force.
    pub const fn retransmission_timeout(&self) -> Duration {
        self.rto.timeout()
    }

    /// The smoothed round-trip time, once something was measured.
    pub fn smoothed_rtt(&self) -> Option<Duration> {
        self.rto.smoothed()
    }

    /// The shift applied to windows the peer announces after its SYN.
    pub const fn snd_scale(&self) -> WindowScale {
        self.snd_scale
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    pub fn deadline(&self) -> Option<Deadline> {
        self.timer.map(|timer| Deadline { at: self.timer_at, timer })
    }

    /// The packet of the next segment was marked on its way: congestion experienced (RFC 3168 section 5).
    pub fn note_congestion(&mut self) {
        self.echoes_congestion |= self.granted.has(Offer::ECN) && self.state.is_synchronized();
    }

    /// A router on the way has no room for packets with more than `mss` octets of text (SHLD-6): from now on there
    /// are none. Yields whether that makes any difference. Before the open nothing is sent that could be too large. The
    /// path is not tried for more later, which RFC 1191 section 6.3 leaves to each host: our connections are short.
    pub(super) fn narrow(&mut self, mss: Mss) -> bool {
        let before = self.effective_mss();
        if self.state.is_synchronized() && !self.syn_outstanding() {
            self.mss = self.mss.min(mss);
        }
        self.effective_mss() < before
    }

    /// What both sides have agreed on.
    pub const fn granted(&self) -> Offer {
        self.granted
    }

    /// The MSS the peer has announced, or what is assumed of one that announces none.
    pub const fn peer_mss(&self) -> Mss {
        self.peer_mss
    }

    /// 2 MSL: how long TIME-WAIT lasts.
    pub fn time_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.time_wait_ms))
    }

    /// The shift applied to the windows we announce after our SYN.
    pub fn rcv_scale(&self) -> WindowScale {
        if self.granted.has(Offer::WINDOW_SCALE) { self.offered_scale } else { WindowScale::default() }
    }

    /// Forgets the peer: nothing of its SYN, and nothing queued for it, may reach the next one. The next SYN is answered
    /// with another initial number, as in figure 8 of RFC 9293 (section 3.5): with the same, an ACK that is left of
    /// this connection could complete the next, which may have begun with an old SYN.
    pub(super) fn forget_peer(&mut self) {
        self.snd = Snd { iss: self.snd.iss + Self::NEXT_ISS, ..Snd::default() };
        self.snd.una = self.snd.iss;
        self.snd.nxt = self.snd.iss;
        self.snd.end = self.snd.iss + 1;
        self.rcv = Rcv { wnd: self.offered_window, ..Rcv::default() };
        self.rto = Rto::new();
        self.peer_mss = self.default_peer_mss;
        self.snd_scale = WindowScale::default();
        self.granted = Offer::NOTHING;
        self.echoes_congestion = false;
        self.closing = Closing::No;
    }

    /// Whether our SYN is out and not acknowledged.
    pub(super) fn syn_outstanding(&self) -> bool {
        self.snd.una == self.snd.iss && self.snd.nxt != self.snd.iss
    }

    /// Whether our FIN has left: SND.NXT stands behind it.
    pub(super) fn fin_sent(&self) -> bool {
        self.closing == Closing::Yes && self.snd.nxt == self.snd.end + 1
    }

    /// Whether our FIN is acknowledged.
    pub(super) fn fin_acknowledged(&self) -> bool {
        self.fin_sent() && self.snd.una == self.snd.nxt
    }

    /// Whether what is under way is text sent into a closed window to ask whether it still is.
    pub(super) fn probing(&self) -> bool {
        self.state.is_synchronized() && self.snd.wnd.get() == 0 && self.snd.una.before(self.snd.end)
    }

    /// The only writer of `state`.
    pub(super) fn enter(&mut self, to: State) -> Arrow {
        let arrow = Arrow { from: self.state, to };
        debug_assert!(arrow.is_legal(), "not an arrow of figure 5: {arrow}");
        self.state = to;
        if matches!(to, State::Closed | State::Listen) {
            self.timer = None;
            self.timing = None;
            self.retransmissions = 0;
        }
        if to == State::Closed {
            self.closing = Closing::Ended;
        }
        arrow
    }

    /// Puts a probe in front of the retransmission timer, `after` from now, if that is what runs and runs longer.
    pub(super) fn hasten(&mut self, after: Duration, now: Instant) {
        if self.timer == Some(Timer::Retransmission) && now + after < self.timer_at {
            self.timer_at = now + after;
            self.timer = Some(Timer::TailLossProbe);
        }
    }

    /// Arms the timer that the present state and queues need, counted from `now`.
    pub(super) fn rearm(&mut self, now: Instant) {
        let text_waits = self.snd.nxt.before(self.snd.end) && self.state.is_synchronized();
        let (timer, after) = if matches!(self.state, State::Closed | State::Listen) {
            return self.timer = None;
        } else if self.state == State::TimeWait {
            (Timer::TimeWait, self.time_wait())
        } else if self.snd.una != self.snd.nxt && !self.probing() {
            (Timer::Retransmission, self.rto.timeout())
        } else if self.snd.una != self.snd.nxt || text_waits {
            (Timer::Persist, self.rto.timeout())
        } else {
            return self.timer = None;
        };
        self.timer_at = now + after;
        self.timer = Some(timer);
    }
}
