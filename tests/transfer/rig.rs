//! One stream opposite a scripted peer. Numbers are relative to the initial ones, as packet traces have them:
//! the first octet of either side is 1.

use std::time::Duration;

use tcpshake::tcp::{
    Clause, Flags, Mss, Nagle, Offer, Opt, OptionsBuilder, Origin, Parameters, Reaction, Retries, Segment,
    SeqNum, Stream, UnscaledWindow, WindowScale, WindowSize,
};
use tcpshake::time::Instant;

use crate::pattern::{check, pattern};

/// Octets in a segment: the MSS of both sides.
pub const SMSS: u32 = 1000;
/// Our receive window.
pub const W: u32 = 20_000;

/// A segment of the peer's, its numbers relative, its text what belongs there.
#[derive(Clone, Copy, Debug)]
pub struct From {
    segment: Segment,
    options: OptionsBuilder,
}

pub fn from_peer(flags: Flags, seq: u32, ack: u32) -> From {
    let window = UnscaledWindow(60_000);
    let segment = Segment { seq: SeqNum(seq), ack: SeqNum(ack), flags, window, ..Segment::default() };
    From { segment, options: OptionsBuilder::default() }
}
pub fn ack(seq: u32, ack: u32) -> From {
    from_peer(Flags::ACK, seq, ack)
}

impl From {
    pub fn text(mut self, octets: u32) -> Self {
        self.segment.text_len = octets;
        self
    }
    pub fn flag(mut self, flags: Flags) -> Self {
        self.segment.flags |= flags;
        self
    }
    pub fn fin(self) -> Self {
        self.flag(Flags::FIN)
    }
    pub fn win(mut self, window: u16) -> Self {
        self.segment.window = UnscaledWindow(window);
        self
    }
    pub fn urg(mut self, pointer: u16) -> Self {
        self.segment.urgent = pointer;
        self.flag(Flags::URG)
    }
    pub fn opt(mut self, option: Opt<'_>) -> Self {
        self.options = self.options.push(option).unwrap();
        self
    }
    /// Blocks with the numbers they have on the wire.
    pub fn sack(mut self, blocks: impl Iterator<Item = (SeqNum, SeqNum)>) -> Self {
        self.options = self.options.push_sack(blocks).unwrap();
        self
    }
    /// Timestamps as they stand on the wire.
    pub fn ts(self, value: u32, echo: u32) -> Self {
        self.opt(Opt::Timestamps { value, echo })
    }
}

/// How a stream is made and what the peer says on its SYN,ACK.
#[derive(Clone, Debug)]
pub struct Setup {
    pub parameters: Parameters,
    pub nagle: Nagle,
    /// Whether losses that nothing shows are probed for; by RFC 6298 alone they are not.
    pub probes: bool,
    pub iss: SeqNum,
    pub irs: SeqNum,
    /// The window of the peer's SYN,ACK.
    pub window: u16,
    /// What the peer's SYN,ACK carries beside its MSS.
    pub peer: Vec<Opt<'static>>,
    /// The MSS the peer announces.
    pub peer_mss: u16,
}

impl Setup {
    pub fn new() -> Self {
        let parameters = Parameters {
            mss: Mss::new(SMSS as u16).unwrap(),
            window: WindowSize::new(W),
            offer: Offer::MSS | Offer::SACK | Offer::WINDOW_SCALE,
            retries: Retries::AtMost(8),
            ..Parameters::default()
        };
        Self {
            parameters,
            nagle: Nagle::On,
            probes: false,
            iss: SeqNum(u32::MAX - 2500), // the wrap falls into the third segment
            irs: SeqNum(u32::MAX - 1200),
            window: 60_000,
            peer: vec![Opt::SackPermitted],
            peer_mss: SMSS as u16,
        }
    }

    /// Losses at the end of a flight are probed for.
    pub fn probing() -> Self {
        Self { probes: true, ..Self::new() }
    }

    /// A peer that knows no SACK.
    pub fn without_sack() -> Self {
        Self { peer: vec![], ..Self::new() }
    }

    /// Both sides use timestamps; the peer's clock stands at `value` on its SYN,ACK.
    pub fn with_timestamps(value: u32) -> Self {
        let mut setup = Self::new();
        setup.parameters.offer = setup.parameters.offer | Offer::TIMESTAMPS;
        setup.peer = vec![Opt::SackPermitted, Opt::Timestamps { value, echo: 0 }];
        setup
    }

    /// Our SYN has left.
    pub fn syn_sent(self, on_syn: u32) -> Rig {
        self.begin(Origin::Active, on_syn)
    }

    pub fn begin(self, origin: Origin, on_syn: u32) -> Rig {
        let stream = Stream::new(&self.parameters, self.nagle);
        let mut rig = Rig {
            stream: if self.probes { stream } else { stream.without_loss_probes() },
            now: Instant::from_nanos(5_000_000_000),
            out: Vec::new(),
            clause: Clause::Send,
            reads: true,
            given: u64::from(on_syn),
            taken: 0,
            peer_seq: 1,
            setup: self,
        };
        let iss = rig.setup.iss;
        rig.event(|stream, now| stream.open(origin, iss, pattern(0, on_syn as usize), now).unwrap());
        rig
    }

    /// Open, with a round-trip time of 100 ms.
    pub fn open(self) -> Rig {
        let mut rig = self.syn_sent(0).after(100);
        rig.opens(1);
        rig
    }
}

/// A stream, and what it sent in answer to the latest event.
#[derive(Clone, Debug)]
pub struct Rig {
    pub stream: Stream,
    pub now: Instant,
    /// With relative numbers.
    pub out: Vec<Segment>,
    /// What decided about the latest event.
    pub clause: Clause,
    /// Whether our user takes all that comes.
    pub reads: bool,
    given: u64,
    /// Octets our user has taken.
    pub taken: u64,
    /// The sequence number on the peer's acknowledgments.
    pub peer_seq: u32,
    pub setup: Setup,
}

impl Rig {
    /// One event, and all that leaves because of it; the text of it is compared with what was given.
    #[track_caller]
    pub fn event(&mut self, event: impl FnOnce(&mut Stream, Instant) -> Reaction) -> String {
        let reaction = event(&mut self.stream, self.now);
        self.clause = reaction.clause;
        self.out.clear();
        self.note(&reaction);
        if self.reads {
            let unread = self.stream.unread().len();
            let update = self.take(unread);
            if let Some(update) = update {
                self.note(&update);
            }
        }
        while let Some(more) = self.stream.transmit(self.now) {
            self.note(&more);
            assert!(self.out.len() < 1000, "transmit never ends");
        }
        self.shown()
    }

    fn note(&mut self, reaction: &Reaction) {
        let Some(segment) = reaction.segment else { return };
        let text = self.stream.text_of(&segment);
        assert_eq!(text.len(), segment.text_len as usize, "text that is not there: {segment}");
        let seq = segment.seq - self.setup.iss;
        if segment.text_len > 0 {
            check(u64::from((segment.text_seq() - self.setup.iss - 1) as u32), text);
        }
        let ack = segment.ack - self.setup.irs;
        self.out.push(Segment { seq: SeqNum(seq as u32), ack: SeqNum(ack as u32), ..segment });
    }

    fn take(&mut self, octets: usize) -> Option<Reaction> {
        check(self.taken, &self.stream.unread()[..octets]);
        self.taken += octets as u64;
        self.stream.read(octets, self.now)
    }

    /// Our user takes `octets`.
    #[track_caller]
    pub fn read(&mut self, octets: usize) -> String {
        self.out.clear();
        let update = self.take(octets);
        if let Some(update) = update {
            self.note(&update);
        }
        self.shown()
    }

    /// What was sent: `. 1:1001 ack 1, P. 1001:1100 ack 1`.
    pub fn shown(&self) -> String {
        self.out.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    /// The segment on the wire.
    pub fn absolute(&self, from: From) -> Segment {
        let segment = from.segment;
        Segment {
            seq: self.setup.irs + segment.seq.0,
            ack: self.setup.iss + segment.ack.0,
            options: from.options.build(),
            ..segment
        }
    }

    #[track_caller]
    pub fn on(&mut self, from: From) -> String {
        let segment = self.absolute(from);
        let at = u64::from(segment.text_seq().0.wrapping_sub(self.setup.irs.0).wrapping_sub(1));
        let text = pattern(at, segment.text_len as usize);
        self.event(|stream, now| stream.on_segment(&segment, text, now))
    }

    /// The peer's SYN,ACK, with the `number` it acknowledges.
    #[track_caller]
    pub fn opens(&mut self, number: u32) -> String {
        let setup = &self.setup;
        let mut syn_ack = from_peer(Flags::SYN | Flags::ACK, 0, number).win(setup.window);
        syn_ack = syn_ack.opt(Opt::Mss(setup.peer_mss));
        for option in setup.peer.clone() {
            syn_ack = syn_ack.opt(option);
        }
        self.on(syn_ack)
    }

    #[track_caller]
    pub fn send(&mut self, octets: u32) -> String {
        let at = self.given;
        self.given += u64::from(octets);
        self.event(|stream, now| stream.send(pattern(at, octets as usize), now).unwrap())
    }

    #[track_caller]
    pub fn close(&mut self) -> String {
        self.event(|stream, now| stream.close(now).unwrap())
    }

    /// `ms` pass in which no timer fires.
    #[track_caller]
    pub fn after(mut self, ms: u64) -> Self {
        self.pass(ms);
        self
    }
    #[track_caller]
    pub fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        assert_eq!(self.stream.on_timeout(self.now), None, "a timer fires while waiting");
    }

    /// The timer fires; yields how long it took, in milliseconds.
    #[track_caller]
    pub fn timeout(&mut self) -> u64 {
        let at = self.stream.tcb().deadline().expect("a timer runs").at;
        let waited = (at - self.now).as_millis() as u64;
        self.now = self.now.max(at);
        self.event(|stream, now| stream.on_timeout(now).expect("the timer fires"));
        waited
    }

    /// The announced window of the latest segment, scaled, as its right edge.
    pub fn right_edge(&self) -> u32 {
        let last = self.out.last().expect("something was sent");
        let shift = if self.setup.peer.iter().any(|option| matches!(option, Opt::WindowScale(_))) {
            WindowScale::fitting(self.setup.parameters.window)
        } else {
            WindowScale::default()
        };
        last.ack.0 + (last.window << shift).get()
    }
}

pub fn show(segment: &Segment) -> String {
    let (seq, end) = (segment.seq.0 as i32, segment.seq.0.wrapping_add(segment.text_len) as i32);
    let text = if segment.text_len > 0 { format!(":{end}") } else { String::new() };
    let ack = segment.acknowledgment().map_or(String::new(), |ack| format!(" ack {}", ack.0 as i32));
    format!("{} {seq}{text}{ack}", segment.flags.short())
}

/// The SACK blocks of a segment with relative numbers.
pub fn blocks(segment: &Segment, rig: &Rig) -> Vec<(u32, u32)> {
    let relative = |number: SeqNum| (number - rig.setup.irs) as u32;
    segment.options.sack_blocks().map(|(start, end)| (relative(start), relative(end))).collect()
}

/// Only whole segments count here: the first is 0, and acknowledgments name the next one expected.
impl Rig {
    /// The numbers of the segments sent, in order.
    #[track_caller]
    pub fn numbers(&self) -> Vec<u32> {
        let text = self.out.iter().filter(|segment| segment.text_len > 0);
        text.map(|segment| {
            assert_eq!((segment.text_len, (segment.seq.0 - 1) % SMSS), (SMSS, 0), "{}", show(segment));
            (segment.seq.0 - 1) / SMSS
        })
        .collect()
    }

    #[track_caller]
    pub fn sends(&mut self, segments: u32) -> Vec<u32> {
        self.send(segments * SMSS);
        self.numbers()
    }

    /// All before `next` is acknowledged, by one segment.
    #[track_caller]
    pub fn acked(&mut self, next: u32) -> Vec<u32> {
        self.on(ack(self.peer_seq, 1 + next * SMSS));
        self.numbers()
    }

    /// `next` is still missing, and these stretches have arrived.
    #[track_caller]
    pub fn sacked(&mut self, next: u32, stretches: &[(u32, u32)]) -> Vec<u32> {
        let iss = self.setup.iss;
        let wire = stretches
            .iter()
            .map(|(a, b)| (iss + (1 + a.wrapping_mul(SMSS)), iss + (1 + b.wrapping_mul(SMSS))));
        self.on(ack(self.peer_seq, 1 + next * SMSS).sack(wire));
        self.numbers()
    }

    /// The timer fires; the numbers of the segments sent.
    #[track_caller]
    pub fn expires(&mut self) -> Vec<u32> {
        self.timeout();
        self.numbers()
    }
}

/// Nothing was sent.
pub const NONE: [u32; 0] = [];
