//! What the tables are written in: events, expected outcomes, and connections brought into every state.

use std::time::Duration;

pub use crate::states::*;
use tcpshake::tcp::{
    Clause, Flags, Opt, Options, OptionsBuilder, Origin, Parameters, Reaction, Segment, SeqNum, State, Tcb,
    UnscaledWindow,
};
use tcpshake::time::Instant;

/// Our receive window, RCV.WND.
pub const W: i64 = 2000;
/// The window the peer announces unless a row says otherwise: SND.WND and MAX.SND.WND.
pub const PEER_W: i64 = 1000;

/// Where the two sequence spaces begin.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    pub iss: SeqNum,
    pub irs: SeqNum,
}

/// M-01, M-02: the last number before the wrap, on both sides.
pub const WRAP: Placement = Placement { iss: SeqNum(u32::MAX), irs: SeqNum(u32::MAX) };

/// M-05: every pair of edges of the sequence space.
pub fn everywhere() -> impl Iterator<Item = Placement> {
    const EDGES: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
    EDGES
        .into_iter()
        .flat_map(|iss| EDGES.into_iter().map(move |irs| Placement { iss: SeqNum(iss), irs: SeqNum(irs) }))
}

/// Something that happens to a connection, `wait` after what happened before.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    wait: Duration,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// A segment with relative numbers.
    In(Segment),
    Send(u32),
    Close,
    CloseWithPeer,
    Abort,
    /// The timer fires now, and not a nanosecond earlier.
    Timeout,
    UserTimeout,
}

/// A segment with `flags`, its numbers relative.
pub fn bits(flags: Flags, seq: i64, ack: i64) -> Event {
    Event::now(What::In(Segment {
        seq: SeqNum(seq as u32),
        ack: SeqNum(ack as u32),
        flags,
        window: UnscaledWindow(PEER_W as u16),
        ..Segment::default()
    }))
}
pub fn syn(seq: i64) -> Event {
    bits(Flags::SYN, seq, 0)
}
pub fn syn_ack(seq: i64, ack: i64) -> Event {
    bits(Flags::SYN | Flags::ACK, seq, ack)
}
pub fn ack(seq: i64, ack: i64) -> Event {
    bits(Flags::ACK, seq, ack)
}
pub fn fin(seq: i64, ack: i64) -> Event {
    bits(Flags::FIN | Flags::ACK, seq, ack)
}
pub fn rst(seq: i64) -> Event {
    bits(Flags::RST, seq, 0)
}
pub fn rst_ack(seq: i64, ack: i64) -> Event {
    bits(Flags::RST | Flags::ACK, seq, ack)
}
pub fn send(octets: u32) -> Event {
    Event::now(What::Send(octets))
}
pub fn close() -> Event {
    Event::now(What::Close)
}
pub fn close_with_peer() -> Event {
    Event::now(What::CloseWithPeer)
}
pub fn abort() -> Event {
    Event::now(What::Abort)
}
pub fn user_timeout() -> Event {
    Event::now(What::UserTimeout)
}
/// The timer fires exactly `ms` milliseconds after the event before.
pub fn timeout(ms: u64) -> Event {
    Event::now(What::Timeout).after(ms)
}

impl Event {
    const fn now(what: What) -> Self {
        Self { wait: Duration::ZERO, what }
    }
    /// The same, `ms` milliseconds later; no timer may fire meanwhile.
    pub const fn after(mut self, ms: u64) -> Self {
        self.wait = Duration::from_millis(ms);
        self
    }
    fn edit(mut self, edit: impl FnOnce(&mut Segment)) -> Self {
        match &mut self.what {
            What::In(segment) => edit(segment),
            other => panic!("{other:?} is no segment"),
        }
        self
    }
    /// The segment, its numbers still relative.
    pub fn segment(mut self) -> Segment {
        let mut segment = Segment::default();
        self = self.edit(|inner| segment = *inner);
        let _ = self;
        segment
    }
    pub fn flag(self, flags: Flags) -> Self {
        self.edit(|segment| segment.flags |= flags)
    }
    pub fn fin(self) -> Self {
        self.flag(Flags::FIN)
    }
    pub fn text(self, octets: i64) -> Self {
        self.edit(|segment| segment.text_len = octets as u32)
    }
    pub fn win(self, window: u16) -> Self {
        self.edit(|segment| segment.window = UnscaledWindow(window))
    }
    pub fn urg(self, pointer: u16) -> Self {
        self.flag(Flags::URG).edit(|segment| segment.urgent = pointer)
    }
    pub fn opt(self, list: &[Opt<'_>]) -> Self {
        self.edit(|segment| segment.options = options(list))
    }
}

pub fn options(list: &[Opt<'_>]) -> Options {
    let builder = list
        .iter()
        .fold(OptionsBuilder::default(), |built, option| built.push(*option).expect("the row's options fit"));
    builder.build()
}

/// What comes in, the state it leads to, what goes out (in order, separated by commas), what decided.
pub type Row = (Event, State, &'static str, Clause);

/// A connection, and what is needed to write its numbers relatively.
#[derive(Clone, Copy, Debug)]
pub struct Rig {
    pub tcb: Tcb,
    pub now: Instant,
    pub place: Placement,
}

impl Rig {
    pub fn new(place: Placement, parameters: &Parameters) -> Self {
        Self { tcb: Tcb::new(parameters), now: Instant::from_nanos(5_000_000_000), place }
    }

    pub fn open(mut self, origin: Origin) -> Self {
        let (iss, now) = (self.place.iss, self.now);
        let _ = self.event(|tcb| tcb.open(origin, iss, now).unwrap());
        self
    }

    /// Carries out one event and all that follows from it, and checks what must hold after any.
    #[track_caller]
    fn event(&mut self, event: impl FnOnce(&mut Tcb) -> Reaction) -> (Reaction, String) {
        let before = self.tcb.state();
        let first = event(&mut self.tcb);
        self.check(before, &first);
        let mut out: Vec<String> = first.segment.iter().map(|segment| self.show(segment)).collect();
        let mut before = self.tcb.state();
        while let Some(more) = self.tcb.transmit(self.now) {
            self.check(before, &more);
            before = self.tcb.state();
            out.push(self.show(&more.segment.expect("transmit without a segment")));
            assert!(out.len() < 1000, "transmit never ends: {out:?}");
        }
        (first, out.join(", "))
    }

    #[track_caller]
    fn check(&self, before: State, reaction: &Reaction) {
        let end = reaction.arrows.iter().fold(before, |at, arrow| {
            assert!(arrow.from == at && arrow.is_legal(), "{arrow} from {at}");
            arrow.to
        });
        assert_eq!(end, self.tcb.state(), "the arrows lead elsewhere");
        assert_eq!(reaction.deadline, self.tcb.deadline(), "the deadline reported");
    }

    /// One event: the reaction and everything sent.
    #[track_caller]
    pub fn on(&mut self, event: Event) -> (Reaction, String) {
        let start = self.now;
        self.now += event.wait;
        let now = self.now;
        if let What::Timeout = event.what {
            if event.wait > Duration::ZERO {
                let just_before = Instant::from_nanos(now.as_nanos() - 1);
                assert_eq!(self.tcb.on_timeout(just_before), None, "fires too early");
            }
            return self.event(|tcb| tcb.on_timeout(now).expect("the timer fires"));
        }
        if now > start {
            assert_eq!(self.tcb.on_timeout(now), None, "a timer fires while waiting");
        }
        match event.what {
            What::In(segment) => {
                let segment = self.absolute(segment);
                self.event(|tcb| tcb.on_segment(&segment, now))
            }
            What::Send(octets) => self.event(|tcb| tcb.send(octets, now).unwrap()),
            What::Close => self.event(|tcb| tcb.close(now).unwrap()),
            What::Abort => self.event(|tcb| tcb.abort().unwrap()),
            What::UserTimeout => self.event(|tcb| tcb.on_user_timeout().expect("not closed")),
            What::CloseWithPeer => panic!("close_with_peer() has no outcome; call Rig::with"),
            What::Timeout => unreachable!(),
        }
    }

    /// One event of which only what it leaves behind matters.
    #[track_caller]
    pub fn feed(&mut self, event: Event) {
        let _ = self.on(event);
    }

    /// The connection after `events`, whatever they did.
    #[track_caller]
    pub fn with(mut self, events: &[Event]) -> Self {
        for event in events {
            match event.what {
                What::CloseWithPeer => self.tcb.close_with_peer(),
                _ => self.feed(*event),
            }
        }
        self
    }

    /// The same, with our numbers relative to the ISS it has now: back in LISTEN, it has another.
    pub fn recounted(mut self) -> Self {
        self.place.iss = self.tcb.snd().iss;
        self
    }

    /// What a copy of the connection sends when its user sends `octets`.
    pub fn clone_sending(mut self, octets: u32) -> String {
        self.on(send(octets)).1
    }

    /// Milliseconds until the timer fires.
    pub fn wait(&self) -> u64 {
        (self.tcb.deadline().unwrap().at - self.now).as_millis() as u64
    }

    /// The segment with the numbers it has on the wire.
    pub fn absolute(&self, relative: Segment) -> Segment {
        Segment { seq: self.place.irs + relative.seq.0, ack: self.place.iss + relative.ack.0, ..relative }
    }

    /// A segment of ours, `S. 0 ack 1` or `P. 1:11 ack 1`; a RST alone shows its own number only.
    pub fn show(&self, segment: &Segment) -> String {
        show(segment, self.place.iss, self.place.irs)
    }
}

pub fn show(segment: &Segment, iss: SeqNum, irs: SeqNum) -> String {
    let seq = segment.seq - iss;
    let mut shown = format!("{} {seq}", segment.flags.short());
    if segment.text_len > 0 {
        let end = seq.wrapping_add_unsigned(segment.text_len);
        shown = format!("{shown}:{end}");
    }
    if let Some(ack) = segment.acknowledgment() {
        shown = format!("{shown} ack {}", ack - irs);
    }
    shown
}

pub type Build = fn(Placement) -> Rig;

#[track_caller]
fn judge(rig: &mut Rig, at: usize, row: &Row) {
    let (event, state, reply, clause) = *row;
    let (reaction, out) = rig.on(event);
    let got = (rig.tcb.state(), out.as_str(), reaction.clause);
    assert_eq!(got, (state, reply, clause), "row {at} {event:?} with {:?}", rig.place);
}

/// Each row on a connection of its own, at every placement.
#[track_caller]
pub fn each(build: Build, rows: &[Row]) {
    for place in everywhere() {
        for (at, row) in rows.iter().enumerate() {
            judge(&mut build(place), at, row);
        }
    }
}

/// The rows one after the other on one connection, at every placement.
#[track_caller]
pub fn script(build: Build, rows: &[Row]) {
    for place in everywhere() {
        let mut rig = build(place);
        for (at, row) in rows.iter().enumerate() {
            judge(&mut rig, at, row);
        }
    }
}
