//! The ladder of single segments: as for an exchange, but nobody has a state.

use std::fmt::Write;

use colored::Color;

use super::{Format, verdict};
use crate::packet::{ChecksumField, DecodeError, Defects};
use crate::record::Excerpt;
use crate::record::sending::{Event, News, Rung, Shown, Sum, Verdict};
use crate::report::hex;
use crate::report::ladder::Style;
use crate::report::rungs::{
    Drawn, ICMP, Mark, PassedOver, Place, RECEIVED, REMARK, RESET, Rungs, SENT, draw,
};
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
        Self { rungs: Rungs::on(style.canvas), passed_over }
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
                self.rungs.rung(out, at, &draw("unreadable", "", false, self.rungs.span()), REMARK);
                self.rungs.note(out, &format!("ignored: {error}"));
            }
            Event::Icmp(error) => {
                let name = format!("ICMP {}/{}", error.kind, error.code);
                self.rungs.rung(out, at, &draw(&name, "", false, self.rungs.span()), ICMP);
                self.rungs.detail(out, "", &format!("{}, from {}", error.meaning(), error.from));
            }
            Event::KernelReset(segment, relative) => {
                let text = &Excerpt::default();
                let label = " by the kernel";
                let drawn = Drawn { segment, relative, text, label, toward_remote: true, color: RESET };
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
            Way::Out(label) => (label, true, SENT),
            Way::In => ("", false, RECEIVED),
        };
        let drawn = Drawn { segment, relative, text, label, toward_remote, color };
        self.rungs.segment(out, at, &drawn, std::iter::empty());
        if let Some(idle) = idle_fields(segment) {
            self.rungs.detail(out, "", &idle);
        }
        self.rungs.detail(out, "", &format!("ttl {ttl}  tos {tos:#04x}"));
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
        let verdict = wrap(&sum.verdict.to_string(), self.rungs.width()).join("\n");
        let _ = writeln!(out, "\n{}", self.rungs.paint(&verdict, color));
        // An answer is explained where it stands; silence stands nowhere.
        if let Verdict::Silent(meaning) | Verdict::RightlySilent(meaning) = sum.verdict {
            let _ = writeln!(out, "{}", wrap(&explained(meaning), self.rungs.width()).join("\n"));
        }
        let facts = verdict::facts(sum);
        let _ =
            writeln!(out, "{}", fill(facts.iter().map(String::as_str), DOT, self.rungs.width()).join("\n"));
        for remark in verdict::remarks(sum) {
            let _ = writeln!(out, "{}", wrap(&remark, self.rungs.width()).join("\n"));
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
fn idle_fields(segment: &Segment) -> Option<String> {
    let fields = [
        (segment.ack.0, Flags::ACK, format!("ack {} without ACK", segment.ack)),
        (u32::from(segment.urgent), Flags::URG, format!("urg {} without URG", segment.urgent)),
    ];
    let idle = fields.into_iter().filter(|(value, bit, _)| *value != 0 && !segment.has(*bit));
    idle.map(|(.., words)| words).reduce(|all, words| all + "  " + &words)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Relative;
    use crate::tcp::{Options, SeqNum, UnscaledWindow};
    use std::time::Duration;

    fn drawn(event: Event, meaning: Meaning) -> String {
        let packet = Some((0..=255).collect());
        let at = Duration::from_secs(99);
        let rung = Rung { n: 999, at, event, meaning: Some(meaning), packet };
        let mut out = String::new();
        let style = Style { verbose: true, ..Style::default() };
        Ladder::new(style).write(&News::Rung(Box::new(rung)), &mut out);
        out
    }

    /// Every field at its widest, every flag, hostile text and options: 80 columns, and nothing but letters.
    #[test]
    fn a_rung_is_80_columns_wide_and_harmless() {
        for meaning in Meaning::ALL {
            let segment = Segment {
                seq: SeqNum(u32::MAX),
                ack: SeqNum(u32::MAX),
                flags: Flags::from_bits(0x1ef),
                window: UnscaledWindow(u16::MAX),
                urgent: u16::MAX,
                options: Options::from_wire(&[254; 40]).unwrap(),
                text_len: 65_535,
            };
            let relative = Relative { seq: Some(u32::MAX), ack: Some(u32::MAX) };
            let text = Excerpt::of(b"\x1b]0;x\x07\x9b2J\xe2\x80\xae0123456789012345678901234567890");
            let shown = Shown { segment, relative, text, ttl: 255, tos: 255 };
            for event in [
                Event::Received(shown),
                Event::Sent { shown, defects: Defects::default(), fault: Some(DecodeError::Fragment) },
                Event::Unsent { shown, why: "no".repeat(90) },
            ] {
                let out = drawn(event, *meaning);
                assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
                assert!(out.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{out:?}");
            }
        }
    }

    #[test]
    fn a_field_without_its_bit_is_told_and_a_zero_is_not() {
        let segment = Segment { ack: SeqNum(7), urgent: 9, flags: Flags::URG, ..Segment::default() };
        assert_eq!(idle_fields(&segment).unwrap(), "ack 7 without ACK");
        assert_eq!(idle_fields(&Segment { flags: Flags::NONE, ..segment }).unwrap().len(), 36);
        assert_eq!(idle_fields(&Segment::default()), None);
    }
}
