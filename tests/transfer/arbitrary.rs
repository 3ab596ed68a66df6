//! No sequence of segments, calls and timeouts panics, grows memory without bound or sends for ever.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tcpshake::tcp::{
    Flags, Nagle, Offer, Options, Origin, Parameters, Segment, SeqNum, Stream, UnscaledWindow,
};
use tcpshake::time::Instant;

use crate::pattern::pattern;

const WINDOW: u32 = 64_240;

#[derive(Clone, Debug)]
enum Event {
    /// Numbers relative to what the stream expects, so that many of them have an effect.
    Segment {
        flags: u16,
        seq: i32,
        ack: i32,
        window: u16,
        urgent: u16,
        text: u32,
        options: Vec<u8>,
    },
    Send(usize),
    Read(usize),
    Close,
    CloseWithPeer,
    Abort,
    Timeout,
    Pass(u32),
}

/// Small steps around what is expected, and anything.
fn offset() -> impl Strategy<Value = i32> {
    prop_oneof![5 => Just(0), 4 => -10..10_i32, 4 => -3000..70_000_i32, 1 => any::<i32>()]
}

fn flags() -> impl Strategy<Value = u16> {
    let usual = [Flags::ACK, Flags::ACK | Flags::FIN, Flags::SYN, Flags::SYN | Flags::ACK, Flags::RST];
    prop_oneof![6 => Just(Flags::ACK.bits()), 3 => proptest::sample::select(usual.map(Flags::bits).to_vec()), 1 => 0..512_u16]
}

/// Timestamps and SACK blocks with any content, and any octets at all.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let timestamps = vec(any::<u8>(), 8).prop_map(|data| [vec![8, 10], data].concat());
    let small = vec(0_u8..4, 8).prop_map(|data| [vec![8, 10], data].concat());
    let sack = vec(any::<u8>(), 32).prop_map(|data| [vec![5, 34], data].concat());
    prop_oneof![3 => Just(Vec::new()), 1 => timestamps, 1 => small, 1 => sack, 1 => vec(any::<u8>(), 0..=40)]
}

fn event() -> impl Strategy<Value = Event> {
    let segment = (flags(), offset(), offset(), any::<u16>(), any::<u16>(), 0..3000_u32, options()).prop_map(
        |(flags, seq, ack, window, urgent, text, options)| Event::Segment {
            flags,
            seq,
            ack,
            window: if window % 4 == 0 { 0 } else { window },
            urgent,
            text,
            options,
        },
    );
    prop_oneof![
        20 => segment,
        4 => (0..100_000_usize).prop_map(Event::Send),
        3 => (0..100_000_usize).prop_map(Event::Read),
        4 => Just(Event::Timeout),
        2 => any::<u32>().prop_map(Event::Pass),
        1 => Just(Event::Close),
        1 => Just(Event::CloseWithPeer),
        1 => Just(Event::Abort),
    ]
}

struct Subject {
    stream: Stream,
    now: Instant,
}

impl Subject {
    fn carry_out(&mut self, event: Event) {
        let (now, tcb) = (self.now, *self.stream.tcb());
        let reaction = match event {
            Event::Segment { flags, seq, ack, window, urgent, text, options } => {
                let segment = Segment {
                    seq: tcb.rcv().nxt + seq as u32,
                    ack: tcb.snd().una + ack as u32,
                    flags: Flags::from_bits(flags),
                    window: UnscaledWindow(window),
                    urgent,
                    options: Options::from_wire(&options).unwrap(),
                    text_len: text,
                };
                Some(self.stream.on_segment(&segment, pattern(0, text as usize), now))
            }
            Event::Send(octets) => self.stream.send(pattern(0, octets), now).ok(),
            Event::Read(octets) => self.stream.read(octets, now),
            Event::Close => self.stream.close(now).ok(),
            Event::CloseWithPeer => {
                self.stream.close_with_peer();
                None
            }
            Event::Abort => self.stream.abort().ok(),
            Event::Timeout => {
                self.now = tcb.deadline().map_or(now, |deadline| deadline.at.max(now));
                self.stream.on_timeout(self.now)
            }
            Event::Pass(ms) => {
                self.now += Duration::from_millis(u64::from(ms));
                None
            }
        };
        let mut out: Vec<Segment> = reaction.and_then(|reaction| reaction.segment).into_iter().collect();
        while let Some(more) = self.stream.transmit(self.now) {
            out.extend(more.segment);
            assert!(out.len() < 5000, "transmit never ends");
        }
        for segment in out {
            assert_eq!(self.stream.text_of(&segment).len(), segment.text_len as usize, "{segment}");
        }
    }

    /// What must hold at any time.
    fn check(&self) {
        let snd = self.stream.tcb().snd();
        assert!(snd.una.at_or_before(snd.nxt), "SND.UNA beyond SND.NXT");
        assert!(self.stream.unread().len() <= 2 * WINDOW as usize, "{} unread", self.stream.unread().len());
        assert!(self.stream.room() <= Stream::QUEUE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_sequence_of_events_does_harm(
        origin in proptest::sample::select(vec![Origin::Active, Origin::Passive, Origin::Split]),
        extras in 0..4_u8,
        iss in any::<u32>(),
        on_syn in 0..3000_usize,
        events in vec(event(), 1..120),
    ) {
        let offer = Offer::USUAL
            .without(Offer::SACK.only_if(extras & 1 == 0)) | Offer::TIMESTAMPS.only_if(extras & 2 == 0);
        let parameters = Parameters { offer, ..Parameters::default() };
        let mut subject =
            Subject { stream: Stream::new(&parameters, Nagle::On), now: Instant::from_nanos(1_000_000_000) };
        let _ = subject.stream.open(origin, SeqNum(iss), pattern(0, on_syn), subject.now).unwrap();
        for event in opening(origin, iss) {
            subject.carry_out(event);
        }
        for event in events {
            subject.carry_out(event);
            subject.check();
        }
    }
}

/// Most sequences begin with an open that succeeds.
fn opening(origin: Origin, iss: u32) -> Vec<Event> {
    let segment = |flags: Flags, seq, ack| Event::Segment {
        flags: flags.bits(),
        seq,
        ack,
        window: 30_000,
        urgent: 0,
        text: 0,
        options: vec![2, 4, 5, 180, 4, 2, 3, 3, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
    };
    if iss.is_multiple_of(8) {
        return Vec::new();
    }
    match origin {
        Origin::Active => vec![segment(Flags::SYN | Flags::ACK, 77, 1)],
        Origin::Passive | Origin::Split => vec![segment(Flags::SYN, 77, 0), segment(Flags::ACK, 0, 1)],
    }
}
