//! The same lines as for an exchange: `begin`, `step`, `end`, and `error`.

use serde::Serialize;

use super::Format;
use crate::packet::{ChecksumField, Defects};
use crate::record::sending::{Event, News, Rung, Shown, Sum, Verdict};
use crate::record::{Excerpt, IcmpEffect};
use crate::report::hex;
use crate::report::json::{Begin, ClauseLine, IcmpLine, StepLine, effect_name, icmp, micros, write};
use crate::tcp::Meaning;

/// Writes JSON lines.
#[derive(Clone, Copy, Debug)]
pub struct Json {
    /// Which lines.
    pub lines: Lines,
}

/// Which lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All.
    All,
    /// The last: how it ended, or why it did not.
    Closing,
}

/// A line of what send writes with --format json.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'l> {
    Begin(Begin<'l>),
    Step(Box<SegmentLine>),
    End(End),
    Error { exchange: u32, message: &'l str },
}

/// A step, and what only hand-built segments have.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SegmentLine {
    #[serde(flatten)]
    step: StepLine,
    /// The field as it stands, whatever the bit says.
    ack_field: Option<u32>,
    urgent_field: Option<u16>,
    tos: Option<u8>,
    data_offset: Option<u8>,
    checksum_wrong: Option<bool>,
}

/// What came of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct End {
    exchange: u32,
    outcome: &'static str,
    verdict: String,
    clause: Option<ClauseLine>,
    icmp: Option<IcmpLine>,
    sent: u32,
    answers: u32,
    first_answer_us: Option<u64>,
    held_back: Option<u32>,
    guard_lost: bool,
    kernel_resets: u32,
    packets_lost: u32,
}

const EXCHANGE: u32 = 1;

impl SegmentLine {
    fn of(rung: &Rung) -> Self {
        let mut step = StepLine::at(EXCHANGE, rung.n, rung.at);
        step.clause = rung.meaning.map(clause);
        step.packet = rung.packet.as_ref().map(|packet| hex::digits(packet));
        let mut line = Self {
            step,
            ack_field: None,
            urgent_field: None,
            tos: None,
            data_offset: None,
            checksum_wrong: None,
        };
        line.event(&rung.event, rung.meaning);
        line
    }

    fn event(&mut self, event: &Event, meaning: Option<Meaning>) {
        match event {
            Event::Sent { shown, defects, fault } => {
                self.segment("sent", shown);
                self.defects(*defects);
                self.step.fault = fault.map(|fault| fault.to_string());
            }
            Event::Unsent { shown, why } => {
                self.segment("unsent", shown);
                self.step.event = "unsent";
                self.step.fault = Some(why.clone());
            }
            Event::Received(shown) => self.segment("received", shown),
            Event::Unreadable(error) => {
                self.step.event = "unreadable";
                self.step.direction = Some("received");
                self.step.fault = Some(error.to_string());
            }
            Event::Icmp(error) => {
                let ours = meaning != Some(Meaning::IcmpOfAnother);
                let effect = if ours { IcmpEffect::Noted } else { IcmpEffect::NotOurs };
                self.step.event = "icmp";
                self.step.direction = Some("received");
                self.step.icmp = Some(icmp(error, effect_name(effect)));
            }
            Event::KernelReset(segment, relative) => {
                self.step.segment("sent", segment, relative, &Excerpt::default());
                self.step.event = "kernel-reset";
            }
        }
    }

    fn segment(&mut self, direction: &'static str, shown: &Shown) {
        self.step.segment(direction, &shown.segment, &shown.relative, &shown.text);
        self.step.ttl = Some(shown.ttl);
        self.ack_field = Some(shown.segment.ack.0);
        self.urgent_field = Some(shown.segment.urgent);
        self.tos = Some(shown.tos);
    }

    fn defects(&mut self, defects: Defects) {
        self.data_offset = defects.data_offset;
        self.checksum_wrong = Some(defects.checksum == ChecksumField::Wrong);
    }
}

const fn clause(meaning: Meaning) -> ClauseLine {
    ClauseLine { name: meaning.name(), section: meaning.section(), text: meaning.text() }
}

impl End {
    fn of(sum: &Sum) -> Self {
        let decisive = match &sum.verdict {
            Verdict::Unreachable(error) => Some(icmp(error, "fatal")),
            Verdict::Answered(..)
            | Verdict::Refused(_)
            | Verdict::Reset(_)
            | Verdict::Silent(_)
            | Verdict::RightlySilent(_)
            | Verdict::Interrupted(_) => None,
        };
        Self {
            exchange: EXCHANGE,
            outcome: sum.verdict.name(),
            verdict: sum.verdict.to_string(),
            clause: sum.verdict.meaning().map(clause),
            icmp: decisive.or_else(|| sum.noted.as_ref().map(|error| icmp(error, "noted"))),
            sent: sum.sent,
            answers: sum.answers,
            first_answer_us: sum.first_answer.map(micros),
            held_back: sum.held_back,
            guard_lost: sum.guard_lost,
            kernel_resets: sum.kernel_resets,
            packets_lost: sum.packets_lost,
        }
    }
}

impl Format for Json {
    fn write(&mut self, news: &News, out: &mut String) {
        let line = match (news, self.lines) {
            (News::Begin(_) | News::Rung(_), Lines::Closing) => return,
            (News::Begin(opening), Lines::All) => Line::Begin(Begin::of(opening)),
            (News::Rung(rung), Lines::All) => Line::Step(Box::new(SegmentLine::of(rung))),
            (News::End(sum), _) => Line::End(End::of(sum)),
            (News::Failed(error), _) => Line::Error { exchange: EXCHANGE, message: error },
        };
        write(&line, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::schema;

    #[test]
    fn the_schema_in_the_repository_is_that_of_these_types() {
        schema::assert_kept::<Line<'_>>("tcpshake-send.schema.json");
    }
}
