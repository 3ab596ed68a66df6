//! One JSON object a line: `begin`, `step`, `opened`, `end`, for several exchanges `statistics`, and `error` where
//! one could not be carried on.
//!
//! The records themselves are not serializable; these mirrors are what the outside may rely on. A JSON Schema made from
//! them is in `docs/`.

mod line;
#[cfg(test)]
pub(super) mod schema;

use std::fmt::Write;

use serde::Serialize;

use self::line::{
    ArrowLine, BeforeLine, ConnectionLine, End, GuardLine, Line, ListeningLine, OpenedLine, OptionLine,
    PassedOverLine, RcvLine, ServedLine, SndLine, StatisticsLine,
};
pub(super) use self::line::{Begin, ClauseLine, IcmpLine, StepLine};
use super::text::is_unsafe;
use super::{Format, agreed, hex};
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

/// A line of any kind. What would steer a terminal stands in it as JSON allows: escaped.
pub(super) fn write(line: &impl Serialize, out: &mut String) {
    // Plain structs of strings and numbers: there is nothing in them that could fail to serialize.
    for c in serde_json::to_string(line).unwrap_or_default().chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            });
        } else {
            out.push(c);
        }
    }
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
        Ok(Opt::Unknown { kind, data }) => OptionLine::Unknown { kind, data: hex::digits(data) },
        Err(fault) => OptionLine::Malformed { fault: fault.to_string() },
    };
    options.iter().map(line).collect()
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
            packet: (!step.packet.is_empty()).then(|| hex::digits(&step.packet)),
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
        mtu: error.mtu,
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
