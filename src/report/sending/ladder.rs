//! The ladder of single segments: as for an exchange, but nobody has a state.

use std::fmt::Write;

use colored::Color;

use super::{Format, verdict};
use crate::packet::{ChecksumField, DecodeError, Defects};
use crate::record::Excerpt;
use crate::record::sending::{Event, News, Rung, Shown, Sum, Verdict};
use crate::report::hex;
use crate::report::ladder::Style;
use crate::report::rungs::{Drawn, Mark, PassedOver, Place, Rungs, WIDTH, draw};
use crate::report::text::{fill, wrap};
use crate::report::verdict::DOT;
use crate::tcp::{Flags, Meaning, Segment};

/// Draws the ladder.
#[derive(Debug)]
pub struct Ladder {
    rungs: Rungs,
    passed_over: PassedOver,
}

impl Ladder {
    /// A ladder in this style; it has words of its own for each step.
    pub const fn new(style: Style) -> Self {
        let passed_over = if style.verbose { PassedOver::Told } else { PassedOver::Untold };
        Self { rungs: Rungs { color: style.color }, passed_over }
    }

    fn rung(&self, rung: &Rung, out: &mut String) {
        let at = Place { mark: Mark::Number(rung.n), time: rung.at, state: "" };
        match &rung.event {
            Event::Sent { shown, defects, fault } => {
                self.segment(out, at, shown, Way::Out(""));
                self.wrongs(out, *defects, fault.as_ref());
            }
            Event::Unsent { shown, why } => {
                self.segment(out, at, shown, Way::Out(" not sent"));
                self.rungs.note(out, why);
            }
            Event::Received(shown) => self.segment(out, at, shown, Way::In),
            Event::Unreadable(error) => {
                self.rungs.rung(out, at, &draw("unreadable", "", false), Color::Yellow);
                self.rungs.note(out, &format!("ignored: {error}"));
            }
            Event::Icmp(error) => {
                let name = format!("ICMP {}/{}", error.kind, error.code);
                self.rungs.rung(out, at, &draw(&name, "", false), Color::Magenta);
                self.rungs.detail(out, "", &format!("{}, from {}", error.meaning(), error.from));
            }
            Event::KernelReset(segment, relative) => {
                let text = &Excerpt::default();
                let label = " by the kernel";
                let drawn = Drawn { segment, relative, text, label, toward_remote: true, color: Color::Red };
                self.rungs.segment(out, at, &drawn, std::iter::empty());
            }
        }
        if let Some(meaning) = rung.meaning {
            self.rungs.note(out, &explained(meaning));
        }
        for line in rung.packet.iter().flat_map(|packet| hex::dump(packet)) {
            let _ = writeln!(out, "{}", self.rungs.dim(&format!("{:8}{line}", "")));
        }
    }

    fn segment(&self, out: &mut String, at: Place<'_>, shown: &Shown, way: Way) {
        let Shown { segment, relative, text, ttl, tos } = shown;
        let (label, toward_remote, color) = match way {
            Way::Out(label) => (label, true, Color::Cyan),
            Way::In => ("", false, Color::Green),
        };
        let drawn = Drawn { segment, relative, text, label, toward_remote, color };
        self.rungs.segment(out, at, &drawn, std::iter::empty());
        let idle = idle_fields(segment);
        self.rungs.detail(out, "", &format!("ttl {ttl}  tos {tos:#04x}{idle}"));
    }

    /// What is wrong with ours, as asked.
    fn wrongs(&self, out: &mut String, defects: Defects, fault: Option<&DecodeError>) {
        if let Some(words) = defects.data_offset {
            self.rungs.note(out, &format!("data offset {words}, as asked"));
        }
        if defects.checksum == ChecksumField::Wrong {
            self.rungs.note(out, "the checksum does not verify, as asked");
        } else if let Some(fault) = fault {
            self.rungs.note(out, &format!("so it cannot be read: {fault}"));
        }
    }

    fn end(&self, sum: &Sum, out: &mut String) {
        let color = match sum.verdict {
            Verdict::Answered(..) | Verdict::RightlySilent(_) => Color::Green,
            Verdict::Refused(_)
            | Verdict::Reset(_)
            | Verdict::Unreachable(_)
            | Verdict::Silent(_)
            | Verdict::Interrupted(_) => Color::Red,
        };
        let verdict = wrap(&sum.verdict.to_string(), WIDTH).join("\n");
        let _ = writeln!(out, "\n{}", self.rungs.paint(&verdict, color));
        if let Some(meaning) = sum.verdict.meaning() {
            let _ = writeln!(out, "{}", wrap(&explained(meaning), WIDTH).join("\n"));
        }
        let facts = verdict::facts(sum);
        let _ = writeln!(out, "{}", fill(facts.iter().map(String::as_str), DOT, WIDTH).join("\n"));
        for remark in verdict::remarks(sum) {
            let _ = writeln!(out, "{}", wrap(&remark, WIDTH).join("\n"));
        }
    }
}

/// Whose segment it is; ours has a label.
#[derive(Clone, Copy)]
enum Way {
    Out(&'static str),
    In,
}

/// Fields whose bit is not set mean nothing, but they are there.
fn idle_fields(segment: &Segment) -> String {
    let mut idle = String::new();
    if segment.ack.0 != 0 && !segment.has(Flags::ACK) {
        let _ = write!(idle, "  ack {} without ACK", segment.ack);
    }
    if segment.urgent != 0 && !segment.has(Flags::URG) {
        let _ = write!(idle, "  urg {} without URG", segment.urgent);
    }
    idle
}

fn explained(meaning: Meaning) -> String {
    format!("{} ({})", meaning.text(), meaning.section())
}

impl Format for Ladder {
    fn write(&mut self, news: &News, out: &mut String) {
        match news {
            News::Begin(opening) => {
                self.rungs.opening(out, opening, self.passed_over);
                self.rungs.heading(out, "");
                self.rungs.gap(out, "");
            }
            News::Rung(rung) => self.rung(rung, out),
            News::End(sum) => self.end(sum, out),
            News::Failed(_) => {}
        }
    }
}
