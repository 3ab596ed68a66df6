//! One connection of a capture, told step by step.

use std::io::{self, BufReader, Read};
use std::time::Duration;

use super::error::CaptureError;
use super::file::Packets;
use super::recording;
use super::table::{Content, Table, is_recording};
use crate::cause::cause;
use crate::infer::{Moment, Sight, Watch};
use crate::record::connection::{Connection, Side, Source};
use crate::record::{GuardSummary, Negotiation, Opening, Role, Step, Summary};

/// What a connection has to tell, in order.
#[derive(Clone, Debug)]
pub enum Told {
    /// It begins.
    Begin(Box<Opening>),
    /// A segment was seen.
    Step(Box<Step>),
    /// It is open.
    Opened(Negotiation),
    /// How it ended, in a recording. Late steps may follow.
    End(Box<Summary>),
}

/// Why not all of it was told.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It could not be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Who is told takes no more.
    #[error("{}", cause(.0))]
    Told(#[from] io::Error),
}

/// From which end a connection is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Perspective {
    /// Who opened it.
    #[default]
    Client,
    /// Who was called.
    Server,
}

/// A connection that is being followed.
#[derive(Debug)]
struct Tracing {
    number: u32,
    from: Perspective,
    table: Table,
    watch: Option<(Watch, Duration)>,
}

/// Reads a capture for one of its connections, found before by [`survey`](super::survey): tells each thing as it is
/// read, so that nothing is kept.
pub fn trace(
    input: impl Read,
    connection: &Connection,
    from: Perspective,
    mut tell: impl FnMut(Told) -> io::Result<()>,
) -> Result<(), TraceError> {
    let mut input = BufReader::new(input);
    if is_recording(&mut input)? {
        return recording::trace(input, connection, tell);
    }
    let mut packets = Packets::new(input)?;
    let mut tracing = Tracing { number: connection.number, from, table: Table::default(), watch: None };
    tell(Told::Begin(Box::new(tracing.opening(connection))))?;
    while let Some(packet) = packets.read()? {
        let Some(placed) = tracing.table.take(&packet) else { continue };
        if placed.number != tracing.number {
            continue;
        }
        if let Some((step, opened)) = tracing.step(&placed.content, packet.at) {
            tell(Told::Step(Box::new(step)))?;
            opened.map(Told::Opened).map_or(Ok(()), &mut tell)?;
        }
    }
    Ok(())
}

impl Tracing {
    fn opening(&self, connection: &Connection) -> Opening {
        let (local, remote, role) = match self.from {
            Perspective::Client => (connection.local, connection.remote, Role::Active),
            Perspective::Server => (connection.remote, connection.local, Role::Passive),
        };
        Opening {
            number: connection.number,
            role,
            local,
            remote,
            host: None,
            among: None,
            guard: GuardSummary { name: "not needed", ..GuardSummary::default() },
            at: Duration::ZERO,
            simulated: false,
            source: Source::Capture,
            unix_seconds: connection.at.as_secs(),
        }
    }

    /// `None` for what the local end is not told.
    fn step(&mut self, content: &Content<'_>, at: Duration) -> Option<(Step, Option<Negotiation>)> {
        let begun = self.watch.as_ref().map_or(at, |(_, begun)| *begun);
        let since = at.saturating_sub(begun);
        let (from, captured) = match content {
            Content::Segment { from, captured } => (self.side(*from), captured),
            Content::Icmp { to, error, packet } => {
                let told = self.side(*to) == Side::Local;
                let (watch, _) = self.watch.as_mut().filter(|_| told)?;
                return Some((watch.hear_icmp(error, Moment { at: since, since_1970: at }, packet), None));
            }
        };
        let sight = Sight {
            when: Moment { at: since, since_1970: at },
            from,
            segment: &captured.segment,
            options: captured.options,
            text: captured.text,
            ttl: captured.ttl,
            identification: captured.identification,
            headers: captured.headers,
        };
        let number = self.number;
        let (watch, _) = self.watch.get_or_insert_with(|| (Watch::begin(number, &sight), at));
        let step = watch.see(&sight);
        Some((step, watch.take_negotiation()))
    }

    const fn side(&self, sender: Side) -> Side {
        match self.from {
            Perspective::Client => sender,
            Perspective::Server => sender.other(),
        }
    }
}
