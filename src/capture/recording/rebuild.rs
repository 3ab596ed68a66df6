//! From lines back to what was told.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::line::{BeginLine, EndLine, IcmpLine, Line, OpenedLine, RcvLine, SndLine, StepLine};
use crate::capture::tracing::Told;
use crate::packet::icmp::IcmpVersion;
use crate::packet::{DecodeError, IcmpError, TransportChecksum, captured, ip, tcp};
use crate::record::connection::{Remark, Seen, Source};
use crate::record::{
    Among, Ending, Event, Excerpt, GuardSummary, IcmpEffect, Missing, Negotiation, NotOpened, Opening,
    Outcome, Relative, Role, Signal, Standing, Step, Summary, TimeWait, View,
};
use crate::tcp::{Arrow, Clause, Mss, Offer, Rcv, Segment, SeqNum, Snd, State, WindowScale, WindowSize};

use super::segment;

type Fault = &'static str;

/// What the steps of an exchange have from its beginning.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) source: Source,
    /// Since 1970, in whole seconds: a recording tells no more.
    pub(super) begun: Duration,
}

/// What a line tells; `None` for one that tells nothing of an exchange.
pub(super) fn told(line: Line, origin: Origin) -> Result<Option<Told>, Fault> {
    Ok(Some(match line {
        Line::Begin(line) => Told::Begin(Box::new(opening(*line)?)),
        Line::Step(line) => Told::Step(Box::new(step(&line, origin)?)),
        Line::Opened(line) => Told::Opened(negotiation(&line)?),
        Line::End(line) => Told::End(Box::new(summary(*line)?)),
        Line::Other => return Ok(None),
    }))
}

fn opening(line: BeginLine) -> Result<Opening, Fault> {
    let end = |text: &str| text.parse::<SocketAddr>().map_err(|_| "an end that is no address and port");
    let source = line.source();
    let among = line.address_number.zip(line.address_count).map(|(number, of)| Among { number, of });
    let passed_over = line.guard_passed_over.into_iter().map(|it| (guard(&it.guard), it.why));
    Ok(Opening {
        number: line.exchange,
        role: if line.role == "passive" { Role::Passive } else { Role::Active },
        local: end(&line.local)?,
        remote: end(&line.remote)?,
        host: line.host,
        among,
        guard: GuardSummary {
            name: guard(&line.guard),
            variant: line.guard_variant.as_deref().map(guard),
            proven: line.guard_proven,
            untested_because: line.guard_untested_because,
            passed_over: passed_over.collect(),
        },
        at: Duration::ZERO,
        simulated: line.simulated,
        source,
        unix_seconds: line.unix_seconds,
    })
}

/// The names of guards and of their variants.
fn guard(name: &str) -> &'static str {
    const NAMES: [&str; 9] = [
        "listener",
        "nft",
        "iptables",
        "none",
        "not needed",
        "socket filter",
        "tcp-md5",
        "legacy",
        "nf_tables",
    ];
    NAMES.into_iter().find(|known| *known == name).unwrap_or("one that is not known here")
}

fn state(name: &str) -> Result<State, Fault> {
    State::ALL.into_iter().find(|state| state.name() == name).ok_or("a state that does not exist")
}

fn step(line: &StepLine, origin: Origin) -> Result<Step, Fault> {
    let packet = line.packet.as_deref().and_then(segment::octets).unwrap_or_default();
    let arrows = line.arrows.iter();
    let arrows = arrows.map(|arrow| Ok(Arrow { from: state(&arrow.from)?, to: state(&arrow.to)? }));
    let view = View {
        snd: snd(&line.snd),
        rcv: rcv(&line.rcv),
        snd_scale: line.snd_scale.unwrap_or_default(),
        rto: Duration::from_micros(line.rto_us.unwrap_or_default()),
    };
    let before = match &line.before {
        None => Standing::default(),
        Some(before) => Standing {
            state: state(&before.state)?,
            view: View { snd: snd(&before.snd), rcv: rcv(&before.rcv), ..View::default() },
        },
    };
    let clause = line.clause.as_ref();
    let clause = clause.and_then(|line| Clause::ALL.iter().find(|clause| clause.name() == line.name));
    let remote = line.remote_state.as_deref().map(state).transpose()?;
    let remark = line.remark.as_deref().and_then(|name| Remark::named(name, line.remark_octets));
    Ok(Step {
        exchange: line.exchange,
        n: line.n,
        at: Duration::from_micros(line.at_us),
        since_1970: origin.begun.saturating_add(Duration::from_micros(line.at_us)),
        arrows: arrows.collect::<Result<_, Fault>>()?,
        state: state(line.state.as_deref().ok_or("a segment sent by hand, of no connection to draw")?)?,
        clause: clause.copied(),
        view,
        before,
        late: line.late,
        seen: (origin.source == Source::Capture).then_some(Seen { remote, remark }),
        event: event(line, &packet)?,
        packet: packet.into(),
    })
}

fn event(line: &StepLine, packet: &[u8]) -> Result<Event, Fault> {
    let relative = Relative { seq: line.rel_seq, ack: line.rel_ack };
    let text = line.text.as_deref().map(segment::unescaped).unwrap_or_default();
    let text = Excerpt::of(&text);
    let segment = || read(line, packet);
    Ok(match (line.event.as_str(), line.direction.as_deref()) {
        ("segment", Some("sent")) => {
            let retransmission = line.retransmission.unwrap_or_default();
            Event::Sent { segment: segment()?, relative, text, retransmission }
        }
        ("segment", Some("received")) => {
            Event::Received { segment: segment()?, relative, text, ttl: line.ttl.unwrap_or_default() }
        }
        ("unsent", _) => {
            Event::Unsent { segment: segment()?, relative, why: line.fault.clone().unwrap_or_default() }
        }
        ("kernel-reset", _) => Event::KernelReset(segment()?, relative),
        ("unreadable", _) => Event::Unreadable(fault_of(packet, line.fault.as_deref())),
        ("icmp", _) => {
            let line = line.icmp.as_ref().ok_or("an ICMP error that is not told")?;
            Event::Icmp { error: icmp(line)?, effect: effect(&line.effect)? }
        }
        ("quiet", _) => Event::Quiet,
        _ => return Err("an event that is not known"),
    })
}

/// The packet has all of the segment, faults of its options included; older recordings have no packet.
fn read(line: &StepLine, packet: &[u8]) -> Result<Segment, Fault> {
    match captured::parse(packet, packet.len()) {
        Ok(Some(captured)) => Ok(captured.segment),
        _ => segment::from_fields(line).ok_or("a segment without its numbers"),
    }
}

/// Why a packet could not be read: read again, it is refused again, unless too little of it was kept.
fn fault_of(packet: &[u8], told: Option<&str>) -> DecodeError {
    let whole = ip::parse(packet).and_then(|packet| {
        tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).map(drop)
    });
    let same = |error: &DecodeError| told.is_some_and(|told| error.to_string() == told);
    whole.err().filter(same).unwrap_or(DecodeError::Untold)
}

fn icmp(line: &IcmpLine) -> Result<IcmpError, Fault> {
    let from: IpAddr = line.from.parse().map_err(|_| "an ICMP error from no address")?;
    let (version, nobody) = match from {
        IpAddr::V4(_) => (IcmpVersion::V4, SocketAddr::from(([0; 4], 0))),
        IpAddr::V6(_) => (IcmpVersion::V6, SocketAddr::from(([0_u16; 8], 0))),
    };
    let (local, remote) = (nobody, nobody); // the recording does not tell what it quotes
    Ok(IcmpError {
        version,
        kind: line.kind,
        code: line.code,
        from,
        local,
        remote,
        seq: SeqNum(0),
        mtu: line.mtu,
    })
}

fn effect(name: &str) -> Result<IcmpEffect, Fault> {
    match name {
        "fatal" => Ok(IcmpEffect::Fatal),
        "noted" => Ok(IcmpEffect::Noted),
        "not-ours" => Ok(IcmpEffect::NotOurs),
        _ => Err("an effect of an ICMP error that is not known"),
    }
}

fn snd(line: &SndLine) -> Snd {
    Snd {
        una: SeqNum(line.una),
        nxt: SeqNum(line.nxt),
        wnd: WindowSize::new(line.wnd),
        wl1: SeqNum(line.wl1),
        wl2: SeqNum(line.wl2),
        iss: SeqNum(line.iss),
        ..Snd::default()
    }
}

fn rcv(line: &RcvLine) -> Rcv {
    Rcv { nxt: SeqNum(line.nxt), wnd: WindowSize::new(line.wnd), up: SeqNum(line.up), irs: SeqNum(line.irs) }
}

fn negotiation(line: &OpenedLine) -> Result<Negotiation, Fault> {
    let offer = |names: &[String]| names.iter().fold(Offer::NOTHING, |all, name| all | extension(name));
    let mss = |octets| Mss::new(octets).ok_or("a segment size of zero");
    let granted = offer(&line.agreed);
    Ok(Negotiation {
        exchange: line.exchange,
        offered: granted | offer(&line.refused),
        granted,
        our_mss: mss(line.our_mss)?,
        peer_mss: line.peer_mss.map(mss).transpose()?,
        our_scale: line.our_scale,
        peer_scale: WindowScale::new(line.peer_scale).get(),
        peer_window: line.peer_window,
        ttl: line.ttl,
    })
}

fn extension(name: &str) -> Offer {
    match name {
        "sack" => Offer::SACK,
        "window-scale" => Offer::WINDOW_SCALE,
        "timestamps" => Offer::TIMESTAMPS,
        "ecn" => Offer::ECN,
        _ => Offer::NOTHING,
    }
}

fn summary(line: EndLine) -> Result<Summary, Fault> {
    let micros = |micros: Option<u64>| micros.map(Duration::from_micros);
    let millis = |millis: Option<u64>| millis.map(Duration::from_millis);
    let outcome = outcome(&line)?;
    let noted = line.icmp.as_ref().filter(|line| line.effect == "noted").map(icmp).transpose()?;
    let time_wait = millis(line.time_wait_full_ms).zip(millis(line.time_wait_kept_ms));
    Ok(Summary {
        exchange: line.exchange,
        outcome,
        open_time: micros(line.open_us),
        close_time: micros(line.close_us),
        rtt: micros(line.rtt_us),
        retransmissions: line.retransmissions,
        held_back: line.held_back,
        guard_lost: line.guard_lost,
        kernel_resets: line.kernel_resets,
        packets_lost: line.packets_lost,
        text_sent: line.text_sent,
        text_received: line.text_received,
        noted,
        expected: line.expected,
        as_expected: line.as_expected,
        trouble: line.trouble,
        time_wait: time_wait.map(|(full, kept)| TimeWait { full, kept }),
    })
}

/// The outcome of this name whose words are those of the verdict.
fn outcome(line: &EndLine) -> Result<Outcome, Fault> {
    let state = line.state.as_deref().map(state).transpose()?.unwrap_or_default();
    let unreachable = line.icmp.as_ref().filter(|line| line.effect == "fatal").map(icmp).transpose()?;
    let missing = [
        Missing::TextAcknowledgment,
        Missing::Window,
        Missing::PeerFirst,
        Missing::FinAcknowledgment,
        Missing::FinAcknowledgmentReset,
        Missing::PeerFin,
        Missing::OurWindow,
    ];
    let endings = [Ending::Closed, Ending::ResetByUs, Ending::LeftOpen].map(Outcome::Completed);
    let others = [
        Outcome::Refused,
        Outcome::Silent { heard: false },
        Outcome::Silent { heard: true },
        Outcome::NotOpened(NotOpened::Reset),
        Outcome::NotOpened(NotOpened::NoAnswer),
        Outcome::ResetAfterOpening { state },
    ];
    let signals = [Signal::Interrupt, Signal::Terminate, Signal::HangUp].map(Outcome::Interrupted);
    let all: Vec<Outcome> = endings
        .into_iter()
        .chain(others)
        .chain(signals)
        .chain(missing.map(|missing| Outcome::CloseIncomplete { state, missing }))
        .chain(unreachable.map(Outcome::Unreachable))
        .filter(|outcome| outcome.name() == line.outcome)
        .collect();
    let told = all.iter().find(|outcome| outcome.to_string() == line.verdict);
    told.or(all.first()).cloned().ok_or("an outcome that is not known")
}
