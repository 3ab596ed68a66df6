//! What happened, told line by line; nothing is written down unless somebody wants to read it.

use std::fmt::Write;

use tcpshake::tcp::Segment;

use crate::machine::Machine;
use crate::scenario::Side;
use crate::world::{Event, World};

#[derive(Default)]
pub struct Tale(Option<String>);

impl Tale {
    /// Nobody reads it.
    pub const fn silent() -> Self {
        Self(None)
    }

    pub fn told() -> Self {
        Self(Some(String::new()))
    }

    /// An event, and the world it found.
    pub fn event<M: Machine>(&mut self, event: Event, world: &World<M>) {
        let Some(lines) = &mut self.0 else { return };
        let states = Side::BOTH.map(|side| world.end(side).state().name());
        let what = match event {
            Event::Arrive(at) | Event::ArriveAmongMany(at) | Event::Lose(at) | Event::Double(at) => {
                let flying = &world.flying[at];
                format!("{event:?} at {:?}: {}", flying.to, notation(flying.to.other(), &flying.segment))
            }
            _ => format!("{event:?}"),
        };
        let _ = writeln!(lines, "  {:<12} {:<12} {what}", states[0], states[1]);
    }

    /// A segment that an end sends.
    pub fn sends(&mut self, from: Side, segment: &Segment) {
        if let Some(lines) = &mut self.0 {
            let _ = writeln!(lines, "{:27} {from:?} sends {}", "", notation(from, segment));
        }
    }

    pub fn into_text(self) -> String {
        self.0.unwrap_or_default()
    }
}

/// The trace notation, with numbers relative to the initial ones of the ends' first lives.
fn notation(from: Side, segment: &Segment) -> String {
    let relative = |number, iss| tcpshake::tcp::SeqNum((number - iss) as u32);
    let seq = relative(segment.seq, from.iss(0));
    let ack = relative(segment.ack, from.other().iss(0));
    Segment { seq, ack, ..*segment }.to_string()
}
