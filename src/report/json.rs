//! One JSON object a line: `begin`, `step`, `opened`, `end`, for several exchanges `statistics`, and `error` where
//! one could not be carried on.
//!
//! The records themselves are not serializable; these mirrors are what the outside may rely on. A JSON Schema made from
//! them is in `docs/`.

#[cfg(test)]
pub(super) mod schema;

use serde::Serialize;

use super::{Format, agreed};
use crate::record::connection::{Connection, Remark};
use crate::record::{
    Event, Excerpt, GuardSummary, IcmpEffect, Listening, Negotiation, Opening, Outcome, Relative, Role,
    Served, Statistics, Step, Summary,
};
use crate::tcp::options::OptionFault;
use crate::tcp::{Clause, Opt, Options, Rcv, Segment, Snd, State};

/// Version of the format: the first number changes when a field changes its meaning or goes.
pub const VERSION: &str = "1.4";

/// Writes JSON lines.
#[derive(Clone, Debug, Default)]
pub struct Json {
    exchange: u32,
}

/// A line of what connect, listen and demo write with --format json.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'l> {
    Begin(Begin<'l>),
    Step(Box<StepLine>),
    Opened(OpenedLine),
    End(End),
    Statistics(StatisticsLine),
    Connection(ConnectionLine),
    Listening(ListeningLine<'l>),
    Served(ServedLine),
    Error { exchange: u32, message: &'l str },
}

/// An exchange begins.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Begin<'l> {
    /// Of the format.
    version: &'static str,
    /// Which exchange of the run it is, from 1.
    exchange: u32,
    /// Whether we send the first SYN.
    role: &'static str,
    /// The short name of a client's connection.
    connection: Option<String>,
    /// Our address and port.
    local: String,
    /// Those of the other end.
    remote: String,
    /// The name the user gave for it, if it was no address.
    host: Option<&'l str>,
    /// Which of that name's addresses it is, from 1.
    address_number: Option<u32>,
    /// How many it has.
    address_count: Option<u32>,
    #[serde(flatten)]
    guard: GuardLine<'l>,
    /// Whether both ends run inside the process, in virtual time.
    simulated: bool,
    /// Whether the states are our own, or inferred from a capture.
    source: &'static str,
    unix_seconds: u64,
}

/// What keeps the RST of the kernel in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct GuardLine<'l> {
    #[serde(rename = "guard")]
    name: &'static str,
    guard_variant: Option<&'static str>,
    guard_proven: Option<bool>,
    guard_untested_because: Option<&'l str>,
    guard_passed_over: Vec<PassedOverLine<'l>>,
}

/// A guard that was tried before, and why it did not do.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PassedOverLine<'l> {
    guard: &'static str,
    why: &'l str,
}

/// Something happened. What a field is about is null where a step has none of it.
#[derive(Serialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct StepLine {
    /// Which exchange it belongs to.
    exchange: u32,
    /// Its number, from 1.
    n: u32,
    /// Microseconds since the exchange began.
    at_us: u64,
    /// `segment`, `unsent`, `unreadable`, `icmp`, `kernel-reset`, `quiet`.
    pub(super) event: &'static str,
    /// `sent`, `received`, `unsent`.
    pub(super) direction: Option<&'static str>,
    /// The control bits by name.
    flags: Option<String>,
    /// The sequence number.
    seq: Option<u32>,
    /// The acknowledgment number, if the ACK bit is set.
    ack: Option<u32>,
    /// The sequence number, counted from the sender's initial one.
    rel_seq: Option<u32>,
    /// The acknowledgment number, counted from the receiver's initial one.
    rel_ack: Option<u32>,
    /// Octets of text.
    len: Option<u32>,
    /// The window field as it is on the wire.
    window: Option<u16>,
    /// The urgent pointer, if the URG bit is set.
    urgent: Option<u16>,
    options: Option<Vec<OptionLine>>,
    /// The beginning of the text, with escapes.
    text: Option<String>,
    /// Time to live, or hop limit, left.
    pub(super) ttl: Option<u8>,
    /// How often the segment was sent before.
    retransmission: Option<u8>,
    pub(super) icmp: Option<IcmpLine>,
    /// Why it could not be sent, or read.
    pub(super) fault: Option<String>,
    /// The states it led through.
    arrows: Vec<ArrowLine>,
    /// The state after it.
    state: Option<&'static str>,
    pub(super) clause: Option<ClauseLine>,
    snd: Option<SndLine>,
    rcv: Option<RcvLine>,
    snd_scale: Option<u8>,
    rto_us: Option<u64>,
    before: Option<BeforeLine>,
    late: bool,
    /// Of a connection of others: the state of the remote end, and what is out of the ordinary.
    remote_state: Option<&'static str>,
    remark: Option<&'static str>,
    remark_octets: Option<u32>,
    /// The packet as far as it was kept, in hexadecimal.
    pub(super) packet: Option<String>,
}

/// State and variables before the step.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BeforeLine {
    state: &'static str,
    snd: SndLine,
    rcv: RcvLine,
}

/// An option of a segment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "kebab-case")]
enum OptionLine {
    Nop,
    Mss { value: u16 },
    WindowScale { value: u8 },
    SackPermitted,
    Timestamps { value: u32, echo: u32 },
    Sack { blocks: Vec<[u32; 2]> },
    Unknown { kind: u8, data: String },
    Malformed { fault: String },
}

/// An ICMP error that quotes a segment of ours.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct IcmpLine {
    #[serde(rename = "type")]
    kind: u8,
    code: u8,
    meaning: &'static str,
    from: String,
    effect: &'static str,
}

/// From a state to the next.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ArrowLine {
    from: &'static str,
    to: &'static str,
}

/// The rule that decided.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ClauseLine {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) text: &'static str,
}

/// The connection's send variables (RFC 9293 section 3.3.1).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SndLine {
    una: u32,
    nxt: u32,
    wnd: u32,
    wl1: u32,
    wl2: u32,
    iss: u32,
}

/// The connection's receive variables (RFC 9293 section 3.3.1).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RcvLine {
    nxt: u32,
    wnd: u32,
    up: u32,
    irs: u32,
}

/// The connection is open: what was agreed on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OpenedLine {
    exchange: u32,
    /// What of what we offered is in force.
    agreed: Vec<&'static str>,
    /// What is not.
    refused: Vec<&'static str>,
    /// What we take in one segment.
    our_mss: u16,
    /// What the peer takes.
    peer_mss: Option<u16>,
    /// The shift of the windows we announce.
    our_scale: u8,
    /// The shift of the windows the peer announces.
    peer_scale: u8,
    /// The window in the peer's SYN.
    peer_window: u16,
    /// Time to live, or hop limit, that was left of it.
    ttl: u8,
    /// Routers that it has crossed, as far as that shows.
    hops: u8,
}

/// How the exchange ended, and what it took.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct End {
    exchange: u32,
    /// One word.
    outcome: &'static str,
    /// A sentence.
    verdict: String,
    /// The state it was reset or given up in.
    state: Option<&'static str>,
    icmp: Option<IcmpLine>,
    /// From our first SYN to ESTABLISHED.
    open_us: Option<u64>,
    /// From the first FIN to the acknowledgment of the second.
    close_us: Option<u64>,
    /// From a SYN sent once to its answer.
    rtt_us: Option<u64>,
    /// Segments sent again.
    retransmissions: u32,
    /// Answers of the kernel that the guard held back.
    held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    guard_lost: bool,
    /// RSTs of the kernel's that left all the same.
    kernel_resets: u32,
    /// Packets lost on this machine, not read fast enough.
    packets_lost: u32,
    /// Octets of text acknowledged by the peer.
    text_sent: u64,
    /// Octets of text taken from the peer.
    text_received: u64,
    /// What was expected to come, as a pattern.
    expected: Option<String>,
    /// Whether it came.
    as_expected: Option<bool>,
    /// What went wrong on this machine.
    trouble: Option<String>,
    time_wait_full_ms: Option<u64>,
    time_wait_kept_ms: Option<u64>,
}

/// A service waits for clients.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConnectionLine {
    exchange: u32,
    local: String,
    remote: String,
    unix_micros: u64,
    lasted_us: u64,
    segments_sent: u64,
    segments_received: u64,
    text_sent: u64,
    text_received: u64,
    beginning: &'static str,
    finish: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ListeningLine<'l> {
    version: &'static str,
    at: Vec<String>,
    #[serde(flatten)]
    guard: GuardLine<'l>,
    unix_seconds: u64,
}

/// A service is over.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServedLine {
    begun: u32,
    connections: u32,
    completed: u32,
    unopened: u32,
    cookies_sent: u32,
    cookies_returned: u32,
    passed_over: u32,
    retransmissions: u32,
    kernel_resets: u32,
    packets_lost: u32,
    text_sent: u64,
    text_received: u64,
}

/// A run of several exchanges is over.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StatisticsLine {
    exchanges: u32,
    completed: u32,
    failed_percent: f64,
    retransmissions: u32,
    rtt_min_us: Option<u64>,
    rtt_avg_us: Option<u64>,
    rtt_max_us: Option<u64>,
    rtt_mdev_us: Option<u64>,
}

/// A line of any kind.
pub(super) fn write(line: &impl Serialize, out: &mut String) {
    // Plain structs of strings and numbers: there is nothing in them that could fail to serialize.
    out.push_str(&serde_json::to_string(line).unwrap_or_default());
    out.push('\n');
}

pub(super) fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn options(options: &Options) -> Vec<OptionLine> {
    let line = |option: Result<Opt<'_>, OptionFault>| match option {
        Ok(Opt::Nop) => OptionLine::Nop,
        Ok(Opt::Mss(value)) => OptionLine::Mss { value },
        Ok(Opt::WindowScale(value)) => OptionLine::WindowScale { value },
        Ok(Opt::SackPermitted) => OptionLine::SackPermitted,
        Ok(Opt::Timestamps { value, echo }) => OptionLine::Timestamps { value, echo },
        Ok(Opt::Sack(blocks)) => {
            OptionLine::Sack { blocks: blocks.iter().map(|(start, end)| [start.0, end.0]).collect() }
        }
        Ok(Opt::Unknown { kind, data }) => OptionLine::Unknown { kind, data: hex(data) },
        Err(fault) => OptionLine::Malformed { fault: fault.to_string() },
    };
    options.iter().map(line).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl<'l> Begin<'l> {
    pub(super) fn of(opening: &'l Opening) -> Self {
        Self {
            version: VERSION,
            exchange: opening.number,
            role: if opening.role == Role::Passive { "passive" } else { "active" },
            connection: (opening.role == Role::Passive).then(|| Role::name_of(opening.number)),
            local: opening.local.to_string(),
            remote: opening.remote.to_string(),
            host: opening.host.as_deref(),
            address_number: opening.among.map(|among| among.number),
            address_count: opening.among.map(|among| among.of),
            guard: GuardLine::of(&opening.guard),
            simulated: opening.simulated,
            source: opening.source.name(),
            unix_seconds: opening.unix_seconds,
        }
    }
}

impl<'l> GuardLine<'l> {
    fn of(guard: &'l GuardSummary) -> Self {
        let passed_over = guard.passed_over.iter().map(|(guard, why)| PassedOverLine { guard, why });
        Self {
            name: guard.name,
            guard_variant: guard.variant,
            guard_proven: guard.proven,
            guard_untested_because: guard.untested_because.as_deref(),
            guard_passed_over: passed_over.collect(),
        }
    }
}

impl ConnectionLine {
    fn of(connection: &Connection) -> Self {
        Self {
            exchange: connection.number,
            local: connection.local.to_string(),
            remote: connection.remote.to_string(),
            unix_micros: micros(connection.at),
            lasted_us: micros(connection.lasted),
            segments_sent: connection.sent.segments,
            segments_received: connection.received.segments,
            text_sent: connection.sent.octets,
            text_received: connection.received.octets,
            beginning: connection.beginning.name(),
            finish: connection.finish.name(),
        }
    }
}

impl StepLine {
    /// Nothing yet but its place.
    pub(super) fn at(exchange: u32, n: u32, at: std::time::Duration) -> Self {
        Self { exchange, n, at_us: micros(at), ..Self::default() }
    }

    pub(super) fn segment(
        &mut self,
        direction: &'static str,
        segment: &Segment,
        relative: &Relative,
        text: &Excerpt,
    ) {
        self.event = "segment";
        self.direction = Some(direction);
        self.flags = Some(segment.flags.to_string());
        self.seq = Some(segment.seq.0);
        self.ack = segment.acknowledgment().map(|ack| ack.0);
        self.rel_seq = relative.seq;
        self.rel_ack = relative.ack;
        self.len = Some(segment.text_len);
        self.window = Some(segment.window.0);
        self.urgent = segment.has(crate::tcp::Flags::URG).then_some(segment.urgent);
        self.options = Some(options(&segment.options));
        self.text = (segment.text_len > 0).then(|| text.as_bytes().escape_ascii().to_string());
    }

    fn of(step: &Step) -> Self {
        let remark = step.seen.and_then(|seen| seen.remark);
        let mut line = Self {
            arrows: step.arrows.iter().map(|a| ArrowLine { from: a.from.name(), to: a.to.name() }).collect(),
            state: Some(step.state.name()),
            clause: step.clause.map(clause),
            snd: Some(snd(&step.view.snd)),
            rcv: Some(rcv(&step.view.rcv)),
            before: Some(BeforeLine {
                state: step.before.state.name(),
                snd: snd(&step.before.view.snd),
                rcv: rcv(&step.before.view.rcv),
            }),
            packet: (!step.packet.is_empty()).then(|| hex(&step.packet)),
            snd_scale: Some(step.view.snd_scale),
            rto_us: Some(micros(step.view.rto)),
            late: step.late,
            remote_state: step.seen.and_then(|seen| seen.remote).map(State::name),
            remark: remark.map(Remark::name),
            remark_octets: remark.and_then(Remark::octets),
            ..Self::at(step.exchange, step.n, step.at)
        };
        match &step.event {
            Event::Sent { segment, relative, text, retransmission } => {
                line.segment("sent", segment, relative, text);
                line.retransmission = Some(*retransmission);
            }
            Event::Received { segment, relative, text, ttl } => {
                line.segment("received", segment, relative, text);
                line.ttl = Some(*ttl);
            }
            Event::Unsent { segment, relative, why } => {
                line.segment("unsent", segment, relative, &Excerpt::default());
                line.event = "unsent";
                line.fault = Some(why.clone());
            }
            Event::Unreadable(error) => {
                line.event = "unreadable";
                line.direction = Some("received");
                line.fault = Some(error.to_string());
            }
            Event::Icmp { error, effect } => {
                line.event = "icmp";
                line.direction = Some("received");
                line.icmp = Some(icmp(error, effect_name(*effect)));
            }
            Event::KernelReset(segment, relative) => {
                line.segment("sent", segment, relative, &Excerpt::default());
                line.event = "kernel-reset";
            }
            Event::Quiet => line.event = "quiet",
        }
        line
    }
}

const fn clause(clause: Clause) -> ClauseLine {
    ClauseLine { name: clause.name(), section: clause.section(), text: clause.text() }
}

const fn snd(snd: &Snd) -> SndLine {
    SndLine {
        una: snd.una.0,
        nxt: snd.nxt.0,
        wnd: snd.wnd.get(),
        wl1: snd.wl1.0,
        wl2: snd.wl2.0,
        iss: snd.iss.0,
    }
}

const fn rcv(rcv: &Rcv) -> RcvLine {
    RcvLine { nxt: rcv.nxt.0, wnd: rcv.wnd.get(), up: rcv.up.0, irs: rcv.irs.0 }
}

pub(super) fn icmp(error: &crate::packet::IcmpError, effect: &'static str) -> IcmpLine {
    IcmpLine {
        kind: error.kind,
        code: error.code,
        meaning: error.meaning(),
        from: error.from.to_string(),
        effect,
    }
}

pub(super) const fn effect_name(effect: IcmpEffect) -> &'static str {
    match effect {
        IcmpEffect::Fatal => "fatal",
        IcmpEffect::Noted => "noted",
        IcmpEffect::NotOurs => "not-ours",
    }
}

impl Format for Json {
    fn number(&mut self, number: u32) {
        self.exchange = number;
    }

    fn begin(&mut self, opening: &Opening, out: &mut String) {
        self.exchange = opening.number;
        write(&Line::Begin(Begin::of(opening)), out);
    }

    fn step(&mut self, step: &Step, out: &mut String) {
        write(&Line::Step(Box::new(StepLine::of(step))), out);
    }

    fn opened(&mut self, negotiation: &Negotiation, out: &mut String) {
        let line = OpenedLine {
            exchange: negotiation.exchange,
            agreed: agreed::names(negotiation.granted),
            refused: agreed::names(negotiation.refused()),
            our_mss: negotiation.our_mss.get(),
            peer_mss: negotiation.peer_mss.map(crate::tcp::Mss::get),
            our_scale: negotiation.our_scale,
            peer_scale: negotiation.peer_scale,
            peer_window: negotiation.peer_window,
            ttl: negotiation.ttl,
            hops: negotiation.hops(),
        };
        write(&Line::Opened(line), out);
    }

    fn end(&mut self, summary: &Summary, out: &mut String) {
        let (state, error) = match &summary.outcome {
            Outcome::ResetAfterOpening { state } | Outcome::CloseIncomplete { state, .. } => {
                (Some(state.name()), None)
            }
            Outcome::Unreachable(error) => (None, Some(icmp(error, "fatal"))),
            Outcome::Completed(_)
            | Outcome::Refused
            | Outcome::NotOpened(_)
            | Outcome::Silent { .. }
            | Outcome::Interrupted(_) => (None, None),
        };
        let line = End {
            exchange: summary.exchange,
            outcome: summary.outcome.name(),
            verdict: summary.outcome.to_string(),
            state,
            icmp: error.or_else(|| summary.noted.as_ref().map(|error| icmp(error, "noted"))),
            open_us: summary.open_time.map(micros),
            close_us: summary.close_time.map(micros),
            rtt_us: summary.rtt.map(micros),
            retransmissions: summary.retransmissions,
            held_back: summary.held_back,
            guard_lost: summary.guard_lost,
            kernel_resets: summary.kernel_resets,
            packets_lost: summary.packets_lost,
            text_sent: summary.text_sent,
            text_received: summary.text_received,
            expected: summary.expected.clone(),
            as_expected: summary.as_expected,
            trouble: summary.trouble.clone(),
            time_wait_full_ms: summary.time_wait.map(|time| millis(time.full)),
            time_wait_kept_ms: summary.time_wait.map(|time| millis(time.kept)),
        };
        write(&Line::End(line), out);
    }

    fn connection(&mut self, connection: &Connection, out: &mut String) {
        write(&Line::Connection(ConnectionLine::of(connection)), out);
    }

    fn statistics(&mut self, statistics: &Statistics, out: &mut String) {
        let trips = statistics.round_trips();
        let line = StatisticsLine {
            exchanges: statistics.exchanges,
            completed: statistics.completed,
            failed_percent: statistics.failed_percent(),
            retransmissions: statistics.retransmissions,
            rtt_min_us: trips.map(|trips| micros(trips.min)),
            rtt_avg_us: trips.map(|trips| micros(trips.avg)),
            rtt_max_us: trips.map(|trips| micros(trips.max)),
            rtt_mdev_us: trips.map(|trips| micros(trips.mdev)),
        };
        write(&Line::Statistics(line), out);
    }

    fn listening(&mut self, listening: &Listening, out: &mut String) {
        let line = ListeningLine {
            version: VERSION,
            at: listening.at.iter().map(ToString::to_string).collect(),
            guard: GuardLine::of(&listening.guard),
            unix_seconds: listening.unix_seconds,
        };
        write(&Line::Listening(line), out);
    }

    fn served(&mut self, served: &Served, out: &mut String) {
        let line = ServedLine {
            begun: served.begun,
            connections: served.connections,
            completed: served.completed,
            unopened: served.unopened,
            cookies_sent: served.cookies_sent,
            cookies_returned: served.cookies_returned,
            passed_over: served.passed_over,
            retransmissions: served.retransmissions,
            kernel_resets: served.kernel_resets,
            packets_lost: served.packets_lost,
            text_sent: served.text_sent,
            text_received: served.text_received,
        };
        write(&Line::Served(line), out);
    }

    fn failed(&mut self, error: &str, out: &mut String) {
        write(&Line::Error { exchange: self.exchange, message: error }, out);
    }
}
