//! Lines to values: the grammar that the crate's page describes.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::packet::TransportChecksum;
use tcpshake::tcp::{Clause, State};
use tcpshake::time::Instant;

use crate::packets::{Carried, Icmp, Packet, Spoil};
use crate::segments::{Fields, Number, hex, range};
use crate::setup::{Role, Setup};
use crate::words::{Fault, Word, Words};

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Dialogue {
    pub(crate) setup: Setup,
    pub(crate) lines: Vec<Line>,
}

/// What happens, or must hold, at a time.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where it stands in the file.
    pub(crate) number: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
    /// As it is written, without its time.
    pub(crate) source: String,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Our end sends this.
    Sends(Sent),
    /// This arrives at our end.
    Arrives(Box<Packet>),
    /// Our user calls.
    Call(Call),
    /// This holds.
    Expect(Expectation),
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) fields: Fields,
    /// To whom, if not to the peer.
    pub(crate) to: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Send(u64),
    /// Octets; all there are, and all that come, if it does not say how many.
    Read(Option<usize>),
    Close,
    /// A close that is to happen when the peer closes.
    CloseWithPeer,
    Abort,
    /// Active and passive.
    Open,
    Listen,
}

#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    Silence,
    State(State),
    Delivered(u64),
    Clause(Clause),
    Told(String),
    Verdict(String),
    Remark(String),
    Window(Side, u32),
    UrgentPointer(i64),
}

/// Whose window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Send,
    Receive,
}

impl Dialogue {
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(at, line)| (at + 1, line)).collect();
        let says_something = |(number, line): &(usize, &str)| Words::of(line, *number).next().is_some();
        let begin = lines.iter().position(says_something).unwrap_or(lines.len());
        let (number, line) = lines.get(begin).copied().unwrap_or((lines.len() + 1, ""));
        let mut words = Words::of(line, number);
        let first = words.need("who our end is, `connect`, `serve` or `machine`,")?;
        let setup = Setup::read(&mut words, first)?;
        let mut reader = Reader { role: setup.role, now: Duration::ZERO, lines: Vec::new() };
        reader.all(lines.get(begin + 1..).unwrap_or_default())?;
        Ok(Self { setup, lines: reader.lines })
    }
}

struct Reader {
    role: Role,
    /// The time of the line before.
    now: Duration,
    lines: Vec<Line>,
}

impl Reader {
    /// Lines, and those between `repeat N` and `end` so often.
    fn all(&mut self, lines: &[(usize, &str)]) -> Result<(), Fault> {
        let mut rest = lines;
        while let Some(((number, line), after)) = rest.split_first() {
            rest = after;
            let mut words = Words::of(line, *number);
            let Some(first) = words.next() else { continue };
            if first.text != "repeat" {
                self.line(&mut words, first, *number)?;
                continue;
            }
            let times: usize = words.number("how often")?;
            words.end()?;
            let end = rest.iter().position(|(_, line)| line.trim() == "end");
            let end = end.ok_or_else(|| words.fault(first.column, "`repeat` without `end`"))?;
            for _ in 0..times {
                self.all(&rest[..end])?;
            }
            rest = &rest[end + 1..];
        }
        Ok(())
    }

    fn line(&mut self, words: &mut Words<'_>, first: Word<'_>, number: usize) -> Result<(), Fault> {
        let is_silence = first.text == "silence";
        if is_silence {
            let until = words.need("`until`")?;
            if until.text != "until" {
                return Err(words.unknown(until));
            }
        }
        let word = if is_silence { words.need("a time")? } else { first };
        let at = match word.text.strip_prefix('+') {
            Some(text) => self.now + words.seconds(Word { text, ..word })?,
            None => words.seconds(word)?,
        };
        if at < self.now {
            return Err(words.fault(word.column, "time runs backwards"));
        }
        self.now = at;
        let source = if is_silence { "silence".to_owned() } else { words.clone().rest().to_owned() };
        let what = if is_silence { What::Expect(Expectation::Silence) } else { what(words)? };
        words.end()?;
        if let What::Call(call) = what
            && !self.role.is_called(call)
        {
            return Err(words.fault(word.column, format!("`{source}` is no call of this end's user")));
        }
        self.lines.push(Line { number, at: Instant::ORIGIN + at, what, source });
        Ok(())
    }
}

fn what(words: &mut Words<'_>) -> Result<What, Fault> {
    let word = words.need("what happens")?;
    Ok(match word.text {
        ">" => What::Sends(sent(words)?),
        "<" => What::Arrives(Box::new(packet(words)?)),
        "send" => What::Call(Call::Send(words.number("octets")?)),
        "read" => {
            let octets = words.next().map(|word| words.parse(word, "octets")).transpose()?;
            What::Call(Call::Read(octets))
        }
        "close" => What::Call(Call::Close),
        "close-with-peer" => What::Call(Call::CloseWithPeer),
        "abort" => What::Call(Call::Abort),
        "open" => What::Call(Call::Open),
        "listen" => What::Call(Call::Listen),
        _ => What::Expect(expectation(words, word)?),
    })
}

fn expectation(words: &mut Words<'_>, word: Word<'_>) -> Result<Expectation, Fault> {
    Ok(match word.text {
        "state" => {
            let word = words.need("a state")?;
            let state = State::ALL.into_iter().find(|state| state.name() == word.text);
            Expectation::State(state.ok_or_else(|| words.no(word, "a state"))?)
        }
        "delivered" => Expectation::Delivered(words.number("octets")?),
        "clause" => {
            let word = words.need("a clause")?;
            let clause = Clause::ALL.iter().find(|clause| clause.name() == word.text);
            Expectation::Clause(*clause.ok_or_else(|| words.no(word, "a clause"))?)
        }
        "told" => Expectation::Told(words.rest().to_owned()),
        "verdict" => Expectation::Verdict(words.rest().to_owned()),
        "remark" => Expectation::Remark(words.rest().to_owned()),
        "snd.wnd" => Expectation::Window(Side::Send, words.number("a window")?),
        "rcv.wnd" => Expectation::Window(Side::Receive, words.number("a window")?),
        "rcv.up" => Expectation::UrgentPointer(words.number("a number")?),
        _ => return Err(words.unknown(word)),
    })
}

fn sent(words: &mut Words<'_>) -> Result<Sent, Fault> {
    let first = words.need("flags")?;
    let mut fields = Fields::begin(words, first)?;
    let mut to = None;
    while let Some(word) = words.next() {
        match word.text {
            "to" => to = Some(words.number("an address with its port")?),
            _ if fields.field(words, word)? => {}
            _ => return Err(words.unknown(word)),
        }
    }
    fields.check(words, first)?;
    Ok(Sent { fields, to })
}

fn packet(words: &mut Words<'_>) -> Result<Packet, Fault> {
    let first = words.need("flags, or `icmp`")?;
    let carries = if first.text == "icmp" {
        Carried::Icmp(icmp(words)?)
    } else {
        Carried::Segment(Fields::begin(words, first)?)
    };
    let mut packet = Packet::carrying(carries);
    while let Some(word) = words.next() {
        let is_field = match &mut packet.carries {
            Carried::Segment(fields) => fields.field(words, word)?,
            Carried::Icmp(icmp) => icmp_field(icmp, words, word)?,
        };
        if !is_field && !header_field(&mut packet, words, word)? {
            let spoil = spoil(words, word)?;
            packet.spoils.push(spoil);
        }
    }
    if let Carried::Segment(fields) = &packet.carries {
        fields.check(words, first)?;
    }
    Ok(packet)
}

fn header_field(packet: &mut Packet, words: &mut Words<'_>, word: Word<'_>) -> Result<bool, Fault> {
    match word.text {
        "from" => packet.from = Some(words.number("an address with its port")?),
        "to" => packet.to = Some(words.number("an address with its port")?),
        "ttl" => packet.ttl = words.number("a time to live")?,
        "tos" => packet.tos = words.number("a type of service")?,
        "unsummed" => packet.checksum = TransportChecksum::LeftToCard,
        _ => return Ok(false),
    }
    Ok(true)
}

fn spoil(words: &mut Words<'_>, word: Word<'_>) -> Result<Spoil, Fault> {
    Ok(match word.text {
        "badsum" => Spoil::Checksum,
        "reserved" => Spoil::Reserved(words.number("three bits")?),
        "offset" => Spoil::Offset(words.number("words of 32 bits")?),
        "cut" => Spoil::Cut(words.number("octets")?),
        "padded" => Spoil::Padded(words.number("octets")?),
        "version" => Spoil::Version(words.number("a version")?),
        "ihl" => Spoil::HeaderLength(words.number("words of 32 bits")?),
        "total" => Spoil::TotalLength(words.number("octets")?),
        "bad-ip-sum" => Spoil::HeaderChecksum,
        "ip-options" => Spoil::IpOptions(octets(words)?),
        "fragment" => Spoil::Fragment { offset: words.number("units of eight octets")?, more: false },
        "fragment-more" => Spoil::Fragment { offset: words.number("units of eight octets")?, more: true },
        "extension" => Spoil::Extension { kind: words.number("a kind")?, count: words.number("how many")? },
        _ => return Err(words.unknown(word)),
    })
}

fn octets(words: &mut Words<'_>) -> Result<Vec<u8>, Fault> {
    let word = words.need("octets in hexadecimal")?;
    let octets = hex(word.text).filter(|octets| octets.len().is_multiple_of(4));
    octets.ok_or_else(|| words.no(word, "octets in hexadecimal, in words of four"))
}

/// `3/1 quoting 0:0(0)`.
fn icmp(words: &mut Words<'_>) -> Result<Icmp, Fault> {
    let word = words.need("type and code")?;
    let read =
        word.text.split_once('/').and_then(|(kind, code)| Some((kind.parse().ok()?, code.parse().ok()?)));
    let (kind, code) = read.ok_or_else(|| words.no(word, "a type and a code, as in 3/1"))?;
    let seq = Number::Relative(0);
    Ok(Icmp { kind, code, seq, text_len: 0, about: None, mtu: 0, quotes: 8, ip_options: Vec::new() })
}

fn icmp_field(icmp: &mut Icmp, words: &mut Words<'_>, word: Word<'_>) -> Result<bool, Fault> {
    match word.text {
        "quoting" => {
            let word = words.need("sequence numbers")?;
            (icmp.seq, icmp.text_len) =
                range(word.text).ok_or_else(|| words.no(word, "a range such as 1:11(10)"))?;
        }
        "about" => icmp.about = Some(words.number("an address with its port")?),
        "mtu" => icmp.mtu = words.number("octets")?,
        "quotes" => icmp.quotes = words.number("octets")?,
        "quoted-options" => icmp.ip_options = octets(words)?,
        _ => return Ok(false),
    }
    Ok(true)
}
