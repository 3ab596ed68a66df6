//! No sequence of segments, calls and timeouts panics, grows memory without bound or sends for ever.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tcpshake::tcp::{
    Flags, Nagle, Offer, Options, OptionsBuilder, Origin, Parameters, Reaction, Segment, SeqNum, Stream,
    UnscaledWindow,
};
use tcpshake::time::Instant;

use crate::pattern::pattern;

const WINDOW: u32 = 64_240;

#[derive(Clone, Debug)]
enum Event {
    Segment(Arriving),
    Send(usize),
    Read(usize),
    Close,
    CloseWithPeer,
    Abort,
    Timeout,
    Pass(u32),
}

/// A segment with numbers relative to what the stream expects, so that many of them have an effect.
#[derive(Clone, Debug, Default)]
struct Arriving {
    flags: u16,
    seq: i32,
    ack: i32,
    window: u16,
    urgent: u16,
    text: u32,
    options: Vec<u8>,
    /// SACK blocks, relative to SND.UNA, where there are no other options.
    sack: Vec<(i32, i32)>,
}

/// Small steps around what is expected, and anything.
fn offset() -> impl Strategy<Value = i32> {
    prop_oneof![8 => Just(0), 4 => -10..10_i32, 4 => -3000..70_000_i32, 1 => any::<i32>()]
}

fn flags() -> impl Strategy<Value = u16> {
    let usual = [Flags::ACK | Flags::FIN, Flags::SYN, Flags::SYN | Flags::ACK, Flags::RST];
    let usual = proptest::sample::select(usual.map(Flags::bits).to_vec());
    prop_oneof![16 => Just(Flags::ACK.bits()), 2 => usual, 1 => 0..512_u16]
}

/// Timestamps and SACK blocks with any content, and any octets at all.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let timestamps = vec(any::<u8>(), 8).prop_map(|data| [vec![8, 10], data].concat());
    let small = vec(0_u8..4, 8).prop_map(|data| [vec![8, 10], data].concat());
    let sack = vec(any::<u8>(), 32).prop_map(|data| [vec![5, 34], data].concat());
    prop_oneof![6 => Just(Vec::new()), 1 => timestamps, 1 => small, 1 => sack, 1 => vec(any::<u8>(), 0..=40)]
}

fn segment() -> impl Strategy<Value = Event> {
    let window = prop_oneof![1 => Just(0), 1 => 0..2000_u16, 4 => any::<u16>()];
    let text = prop_oneof![1 => Just(0), 1 => 0..3000_u32];
    let sack = vec((offset(), offset()), 0..=4);
    (flags(), offset(), offset(), window, any::<u16>(), text, options(), sack).prop_map(
        |(flags, seq, ack, window, urgent, text, options, sack)| {
            Event::Segment(Arriving { flags, seq, ack, window, urgent, text, options, sack })
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        100 => segment(),
        20 => (0..100_000_usize).prop_map(Event::Send),
        15 => (0..100_000_usize).prop_map(Event::Read),
        20 => Just(Event::Timeout),
        10 => any::<u32>().prop_map(Event::Pass),
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
        let reaction = self.react(event);
        let mut out: Vec<Segment> = reaction.and_then(|reaction| reaction.segment).into_iter().collect();
        while let Some(more) = self.stream.transmit(self.now) {
            out.extend(more.segment);
            assert!(out.len() < 5000, "transmit never ends");
        }
        for segment in out {
            assert_eq!(self.stream.text_of(&segment).len(), segment.text_len as usize, "{segment}");
        }
    }

    fn react(&mut self, event: Event) -> Option<Reaction> {
        let now = self.now;
        match event {
            Event::Segment(arriving) => {
                let segment = self.segment(&arriving);
                Some(self.stream.on_segment(&segment, pattern(0, segment.text_len as usize), now))
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
                self.now = self.stream.tcb().deadline().map_or(now, |deadline| deadline.at.max(now));
                self.stream.on_timeout(self.now)
            }
            Event::Pass(ms) => {
                self.now += Duration::from_millis(u64::from(ms));
                None
            }
        }
    }

    fn segment(&self, arriving: &Arriving) -> Segment {
        let (snd, rcv) = (self.stream.tcb().snd(), self.stream.tcb().rcv());
        let blocks = arriving.sack.iter().map(|(a, b)| (snd.una + *a as u32, snd.una + *b as u32));
        let options = if arriving.options.is_empty() && !arriving.sack.is_empty() {
            OptionsBuilder::default().push_sack(blocks).unwrap().build()
        } else {
            Options::from_wire(&arriving.options).unwrap()
        };
        Segment {
            seq: rcv.nxt + arriving.seq as u32,
            ack: snd.una + arriving.ack as u32,
            flags: Flags::from_bits(arriving.flags),
            window: UnscaledWindow(arriving.window),
            urgent: arriving.urgent,
            options,
            text_len: arriving.text,
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
    let segment = |flags: Flags, seq, ack| {
        let options = vec![2, 4, 5, 180, 4, 2, 3, 3, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
        Event::Segment(Arriving {
            flags: flags.bits(),
            seq,
            ack,
            window: 30_000,
            options,
            ..Arriving::default()
        })
    };
    if iss.is_multiple_of(8) {
        return Vec::new();
    }
    match origin {
        Origin::Active => vec![segment(Flags::SYN | Flags::ACK, 77, 1)],
        Origin::Passive | Origin::Split => vec![segment(Flags::SYN, 77, 0), segment(Flags::ACK, 0, 1)],
    }
}
