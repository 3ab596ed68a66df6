//! What each peer does, and what must become of who meets it.

use std::time::Duration;

use tcpshake::tcp::{Flags, Opt, OptionsBuilder, Segment, UnscaledWindow};

use super::{Client, IRS, Shot, ack};

/// A way to mean ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// O-09: takes a few octets, one at a time, then nothing; its window is 0 to 5.
    Tarpit,
    /// J-08: its window is closed for ever, and it says so to each probe.
    ZeroWindow,
    /// G-15: answers whatever comes with an ACK from outside the window, and begins by itself.
    AckWar,
    /// G-14: RSTs in the window, none with the right number.
    RstStorm,
    /// G-10: SYNs, and SYN,ACKs, from everywhere.
    SynStorm,
    /// M-06, M-07: its clock jumps by half its range, echoes the future, and is left out.
    TimestampLiar,
    /// J-10: its window is closed and opened a thousand times a second, and it takes nothing.
    WindowFlapper,
    /// K-02, K-03: its MSS is one octet, and it never closes.
    OneOctetMss,
    /// G-11: acknowledges what is under way before it can have it, and what was never sent.
    OptimisticAck,
    /// K-14: reports what was never sent, turned round, and takes back what it has reported.
    SackLiar,
    /// B-08: begins anew with each SYN,ACK, many times a second.
    RestartingIsn,
    /// N-04, N-05, N-07: every type and code, about what is under way and what is not.
    IcmpStorm,
}

/// What we want of a peer, and what comes of it.
pub(crate) struct Meeting {
    /// Octets of text we send.
    pub(crate) text: usize,
    /// Whether our FIN goes first; else we wait for the peer's.
    pub(crate) closes: bool,
    pub(crate) timestamps: bool,
    /// The state in which it is given up.
    pub(crate) state: &'static str,
    /// What was missing: one of these, by the last of what came.
    pub(crate) missing: &'static [&'static str],
    /// Segments that it can draw from us beside challenges, without those that timers send.
    drawn: u32,
}

impl Meeting {
    /// Segments we send in `seconds` at the most, beside challenges: a timeout comes with two, one by itself and one
    /// for a window that opens behind it. The first come after 1, 3 and 7 seconds, those after the sixth a minute apart.
    pub(crate) const fn most_sent(&self, seconds: u32) -> u32 {
        self.drawn + 2 * (4 + seconds / 50)
    }
}

const NO_TEXT: &str = "the peer did not acknowledge our text";
const NO_WINDOW: &str = "the peer's window stayed closed to our text";
const NO_FIN: &str = "the peer kept its side open";
const NOTHING: &str = "the peer neither closed nor sent what was awaited";

/// We wait for a peer that only makes noise.
const NOISE: Meeting = Meeting {
    text: 0,
    closes: false,
    timestamps: false,
    state: "ESTABLISHED",
    missing: &[NOTHING],
    drawn: 2,
};

/// We send to a peer that does not take it.
const REFUSAL: Meeting =
    Meeting { text: 1000, closes: true, state: "FIN-WAIT-1", missing: &[NO_TEXT], drawn: 5, ..NOISE };

impl Part {
    pub(crate) const ALL: [Self; 12] = [
        Self::Tarpit,
        Self::ZeroWindow,
        Self::AckWar,
        Self::RstStorm,
        Self::SynStorm,
        Self::TimestampLiar,
        Self::WindowFlapper,
        Self::OneOctetMss,
        Self::OptimisticAck,
        Self::SackLiar,
        Self::RestartingIsn,
        Self::IcmpStorm,
    ];

    pub(crate) const fn meeting(self) -> Meeting {
        match self {
            Self::AckWar | Self::RstStorm | Self::SynStorm | Self::RestartingIsn => NOISE,
            Self::IcmpStorm => REFUSAL,
            Self::Tarpit => Meeting { drawn: 14, missing: &[NO_TEXT, NO_WINDOW], ..REFUSAL },
            Self::ZeroWindow => Meeting { missing: &[NO_WINDOW], ..REFUSAL },
            Self::WindowFlapper => {
                Meeting { text: 100_000, missing: &[NO_TEXT, NO_WINDOW], drawn: 14, ..REFUSAL }
            }
            Self::SackLiar => Meeting { text: 20_000, drawn: 60, ..REFUSAL },
            // 48 octets a segment: the least that is taken for an MSS.
            Self::OneOctetMss => {
                Meeting { text: 5_000, state: "FIN-WAIT-2", missing: &[NO_FIN], drawn: 107, ..REFUSAL }
            }
            // By its own clock its acknowledgments are of the past, from some moment on.
            Self::TimestampLiar => {
                Meeting { text: 1_000, timestamps: true, missing: &[NOTHING, NO_TEXT], drawn: 4, ..NOISE }
            }
            Self::OptimisticAck => Meeting { text: 100_000, drawn: 189, ..NOISE },
        }
    }

    /// How often it speaks by itself.
    pub(crate) const fn pace(self) -> Duration {
        Duration::from_millis(match self {
            Self::WindowFlapper => 1,
            Self::AckWar | Self::RstStorm | Self::SynStorm | Self::RestartingIsn | Self::IcmpStorm => 2,
            Self::TimestampLiar | Self::OptimisticAck | Self::SackLiar => 5,
            Self::Tarpit | Self::ZeroWindow | Self::OneOctetMss => 100,
        })
    }

    /// How it opens.
    pub(super) fn syn_ack(self, client: &Client) -> Segment {
        const MSS: u16 = 1460;
        let restarts = if self == Self::RestartingIsn { client.opened - 1 } else { 0 };
        let window = if self == Self::ZeroWindow { 0 } else { 60_000 };
        let window = if self == Self::Tarpit { 3 } else { window };
        let mss = if self == Self::OneOctetMss { 1 } else { MSS };
        let options = OptionsBuilder::default().push(Opt::Mss(mss));
        let options = options.and_then(|options| {
            let options = if self == Self::SackLiar { options.push(Opt::SackPermitted)? } else { options };
            if self == Self::TimestampLiar { options.push(lie(client, 0)) } else { Ok(options) }
        });
        Segment {
            seq: IRS + restarts.wrapping_mul(ISN_STRIDE),
            flags: Flags::SYN | Flags::ACK,
            window: UnscaledWindow(window),
            options: options.unwrap().build(),
            ..ack(0, client.syn.seq + 1)
        }
    }

    /// What it answers to a segment without SYN.
    pub(super) fn answers(self, client: &mut Client, segment: &Segment) -> Vec<Segment> {
        match self {
            Self::AckWar => vec![out_of_window(client)],
            Self::ZeroWindow => {
                vec![Segment { window: UnscaledWindow(0), ..ack(1, client.acked) }]
            }
            Self::OneOctetMss if !segment.is_empty() => vec![client.takes(client.nxt)],
            Self::TimestampLiar if !segment.is_empty() => {
                let lie = lie(client, client.spoken);
                vec![with(client.takes(client.nxt), lie)]
            }
            Self::OptimisticAck if !segment.is_empty() => {
                let behind = client.nxt + 100_000;
                vec![ack(1, behind), client.takes(client.nxt)]
            }
            Self::SackLiar if segment.text_len > 0 => sack_lies(client, client.spoken),
            Self::RestartingIsn => vec![restarted(client)],
            Self::Tarpit
            | Self::RstStorm
            | Self::SynStorm
            | Self::TimestampLiar
            | Self::WindowFlapper
            | Self::OneOctetMss
            | Self::OptimisticAck
            | Self::SackLiar
            | Self::IcmpStorm => Vec::new(),
        }
    }

    /// What it says by itself.
    pub(super) fn speaks(self, client: &mut Client) -> Vec<Shot> {
        let n = client.spoken;
        let segments = match self {
            Self::Tarpit => vec![drip(client)],
            Self::AckWar => vec![out_of_window(client)],
            Self::RstStorm => {
                let flags = if n.is_multiple_of(2) { Flags::RST } else { Flags::RST | Flags::ACK };
                vec![Segment { flags, ..ack(2 + n % 60_000, client.nxt) }]
            }
            Self::SynStorm => {
                let flags = if n.is_multiple_of(2) { Flags::SYN } else { Flags::SYN | Flags::ACK };
                vec![Segment { flags, ..ack((n % 4).wrapping_mul(ISN_STRIDE), client.nxt) }]
            }
            Self::TimestampLiar => {
                let plain = ack(1, client.acked);
                vec![if n.is_multiple_of(3) { plain } else { with(plain, lie(client, n)) }]
            }
            Self::WindowFlapper => {
                let window = UnscaledWindow(if n.is_multiple_of(2) { u16::MAX } else { 0 });
                vec![Segment { window, ..ack(1, client.acked) }]
            }
            Self::OptimisticAck => vec![ack(1, client.nxt + 1 + n * 1000)],
            Self::SackLiar => sack_lies(client, n),
            Self::RestartingIsn => {
                client.opened += 1;
                vec![restarted(client)]
            }
            Self::IcmpStorm => return vec![any_error(client, n)],
            Self::ZeroWindow | Self::OneOctetMss => Vec::new(),
        };
        segments.into_iter().map(Shot::Segment).collect()
    }
}

/// Initial numbers are so far apart: farther than our window reaches.
const ISN_STRIDE: u32 = 0x1234_5678;

/// One octet more for the first few times, and a window that is never worth anything.
fn drip(client: &mut Client) -> Segment {
    const TAKES: u32 = 8;
    if client.spoken <= TAKES && client.nxt.after(client.acked) {
        client.acked += 1;
    }
    Segment { window: UnscaledWindow((client.spoken % 6) as u16), ..ack(1, client.acked) }
}

fn out_of_window(client: &Client) -> Segment {
    ack(1_000_000, client.nxt)
}

fn restarted(client: &Client) -> Segment {
    Part::RestartingIsn.syn_ack(client)
}

fn with(segment: Segment, option: Opt<'_>) -> Segment {
    Segment { options: OptionsBuilder::default().push(option).unwrap().build(), ..segment }
}

/// Half the clock's range from the value before, and an echo that we shall send in a month.
fn lie(client: &Client, n: u32) -> Opt<'static> {
    const HALF: u32 = 1 << 31;
    const A_MONTH: u32 = 30 * 24 * 3600 * 1000;
    Opt::Timestamps { value: n.wrapping_mul(HALF - n % 2), echo: client.clock.wrapping_add(A_MONTH) }
}

/// Never acknowledges anything. Of what is under way: all, turned round, twice with an overlap, nothing any more; and
/// what was never sent.
fn sack_lies(client: &Client, n: u32) -> Vec<Segment> {
    let (una, nxt) = (client.acked, client.nxt);
    let blocks = match n % 5 {
        0 => vec![(una + 1000, nxt)],
        1 => vec![(nxt, una)],
        2 => vec![(una + 1000, una + 4000), (una + 2000, una + 3000), (una + 3000, nxt)],
        3 => vec![],
        _ => vec![(nxt + 1, nxt + 100_000), (una - 5000, una)],
    };
    let options = OptionsBuilder::default().push_sack(blocks).unwrap().build();
    vec![Segment { options, ..ack(1, una) }]
}

/// Of every type and code there is, every other one about a number that is under way, with any size of an MTU.
fn any_error(client: &Client, n: u32) -> Shot {
    const MTUS: [u32; 4] = [68, 0, 0xffff, 1];
    let [kind, code] = [[3, 4, 11, 12][n as usize / 16 % 4], (n % 16) as u8];
    let quoted = if (n / 64).is_multiple_of(2) { client.acked } else { client.nxt + n };
    Shot::Icmp { kind, code, rest: MTUS[n as usize % MTUS.len()], quoted }
}
