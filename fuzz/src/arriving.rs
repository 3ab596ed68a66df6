//! Segments of a hostile peer: numbers around those that a machine compares with, so that they are not all dropped
//! at its first check.

use tcpshake::tcp::{
    Flags, Offer, Opt, Options, OptionsBuilder, Segment, SeqNum, State, Stream, UnscaledWindow,
};
use tcpshake::time::Instant;

use crate::octets::Octets;
use crate::pattern::MOST;
use crate::start::knows_peer;

/// The next segment; four octets say most of it.
pub fn arriving(octets: &mut Octets, stream: &Stream, irs: SeqNum, now: Instant) -> Segment {
    let (options, flags) = octets.nibbles();
    let (ack, seq) = octets.nibbles();
    let (window, len) = octets.nibbles();
    let flags = flags_of(flags, stream, octets);
    Segment {
        seq: seq_of(seq, stream, irs, octets),
        ack: ack_of(ack, stream, octets),
        flags,
        window: window_of(window, octets),
        urgent: if flags.contains(Flags::URG) { octets.u16() } else { 0 },
        options: options_of(options, stream, flags, now, octets),
        text_len: len_of(len, stream, octets),
    }
}

/// What fits the state most often: mostly ACKs.
fn flags_of(choice: u8, stream: &Stream, octets: &mut Octets) -> Flags {
    let usual = match stream.tcb().state() {
        State::Listen => Flags::SYN,
        State::SynSent => Flags::SYN | Flags::ACK,
        _ => Flags::ACK,
    };
    match choice {
        0..=6 | 14 => usual,
        7 => Flags::ACK,
        8 => Flags::ACK | Flags::PSH,
        9 => Flags::ACK | Flags::FIN,
        10 => Flags::SYN,
        11 => Flags::SYN | Flags::ACK,
        12 => Flags::RST | Flags::ACK,
        13 => Flags::ACK | Flags::URG,
        _ => Flags::from_bits(octets.u16()),
    }
}

fn seq_of(choice: u8, stream: &Stream, irs: SeqNum, octets: &mut Octets) -> SeqNum {
    let rcv = stream.tcb().rcv();
    let nxt = if knows_peer(stream.tcb().state()) { rcv.nxt } else { irs };
    match choice {
        0..=6 => nxt,
        7 => nxt - 1,
        8 => nxt + 1,
        9 => nxt + rcv.wnd.get() - 1,
        10 => nxt + rcv.wnd.get(),
        11 => irs,
        12 => nxt + (1 << 31),
        13 => nxt + u32::from(octets.u8()) * 16,
        14 => nxt - u32::from(octets.u16()),
        _ => SeqNum(octets.u32()),
    }
}

fn ack_of(choice: u8, stream: &Stream, octets: &mut Octets) -> SeqNum {
    let snd = stream.tcb().snd();
    match choice {
        0..=4 => snd.nxt,
        5 | 6 => snd.una,
        7 => snd.nxt + 1,
        8 => snd.una - 1,
        9 => snd.una - snd.max_wnd.get(),
        10 => snd.una - snd.max_wnd.get() - 1,
        11 => snd.iss + 1,
        12 => snd.una + u32::from(octets.u8()) * 16,
        13 => snd.una + u32::from(octets.u16()),
        14 => snd.iss,
        _ => SeqNum(octets.u32()),
    }
}

fn window_of(choice: u8, octets: &mut Octets) -> UnscaledWindow {
    UnscaledWindow(match choice {
        0..=5 => 30_000,
        6 | 7 => 0,
        8 => 1,
        9 => 100,
        10 => 1460,
        11 | 12 => u16::MAX,
        _ => octets.u16(),
    })
}

fn len_of(choice: u8, stream: &Stream, octets: &mut Octets) -> u32 {
    let window = stream.tcb().rcv().wnd.get();
    let len = match choice {
        0..=6 => 0,
        7 => 1,
        8 => 100,
        9 => 1460,
        10 => window,
        11 => window + 1,
        12 | 13 => u32::from(octets.u8()),
        _ => u32::from(octets.u16() & 0x1fff),
    };
    len.min(MOST as u32 - 1)
}

fn options_of(choice: u8, stream: &Stream, flags: Flags, now: Instant, octets: &mut Octets) -> Options {
    let uses_timestamps = stream.tcb().granted().has(Offer::TIMESTAMPS);
    let clock = (now.as_nanos() / 1_000_000) as u32;
    match choice {
        0..=9 if flags.contains(Flags::SYN) => on_syn(octets.u8(), clock),
        0..=9 if uses_timestamps => timestamps(clock, clock),
        0..=9 => Options::NONE,
        10 => timestamps(clock.wrapping_sub(u32::from(octets.u8())), octets.u32()),
        11 => timestamps(octets.u32(), clock),
        12..=14 => sack(stream.tcb().snd().una, octets),
        _ => {
            let len = usize::from(octets.u8()) % (Options::MAX_LEN + 1);
            let list: Vec<u8> = (0..len).map(|_| octets.u8()).collect();
            Options::from_wire(&list).unwrap_or_default()
        }
    }
}

fn on_syn(choice: u8, clock: u32) -> Options {
    let all = [
        Opt::SackPermitted,
        Opt::WindowScale(choice >> 4),
        Opt::Timestamps { value: clock, echo: 0 },
        Opt::Mss([1460, 100, 1, 0xffff][usize::from(choice >> 6)]),
    ];
    let chosen = all.into_iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1);
    let built = chosen.fold(OptionsBuilder::default(), |built, (_, option)| {
        built.push(option).expect("nineteen octets fit")
    });
    built.build()
}

fn timestamps(value: u32, echo: u32) -> Options {
    let option = OptionsBuilder::default().push(Opt::Timestamps { value, echo });
    option.expect("ten octets fit").build()
}

/// Blocks beyond what is acknowledged, right and wrong.
fn sack(una: SeqNum, octets: &mut Octets) -> Options {
    let (count, unit) = octets.nibbles();
    let unit = [1460, 100, 1, 1 << 20][usize::from(unit & 3)];
    let blocks = (0..count % 5).map(|_| {
        let (start, len) = octets.nibbles();
        let start = una + u32::from(start) * unit;
        (start, start + u32::from(len) * unit)
    });
    OptionsBuilder::default().push_sack(blocks).expect("no more than fit are taken").build()
}
