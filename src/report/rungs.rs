//! What a ladder is drawn with: two lifelines, arrows between them, words beside the left one.

use std::fmt::Write;
use std::time::Duration;

use colored::{Color, Colorize};

use super::text::{clean, millis, wrap};
use super::verdict;
use crate::record::connection::Source;
use crate::record::{Excerpt, GuardSummary, Opening, Relative, Role};
use crate::tcp::{Flags, Segment};

/// Draws lines, in colours or without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rungs {
    pub(super) color: bool,
}

/// Between the lifelines.
pub(super) const SPAN: usize = 50;
/// For words behind the left one.
const WORDS: usize = SPAN - 1;
/// Before the left one: number, time, state.
const MARGIN: usize = 28;

/// Columns a rung takes; the tests hold the drawing to it.
pub(super) const WIDTH: usize = MARGIN + 1 + SPAN + 1;

impl Rungs {
    pub(super) fn paint(self, text: &str, color: Color) -> String {
        if self.color { text.color(color).to_string() } else { text.to_owned() }
    }

    pub(super) fn dim(self, text: &str) -> String {
        if self.color { text.dimmed().to_string() } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        if self.color && !text.is_empty() { text.bold().to_string() } else { text.to_owned() }
    }

    /// The state column, empty where the state stays what it was.
    fn state(self, name: &str) -> String {
        const COLUMN: usize = 13;
        format!("{}{:width$}", self.bold(name), "", width = COLUMN.saturating_sub(name.len()))
    }

    /// Lines under a rung, behind the left lifeline; `state` stands in the state column of the first.
    pub(super) fn detail(self, out: &mut String, state: &str, text: &str) {
        let mut state = state;
        for line in wrap(text, WORDS) {
            let bar = self.dim("│");
            let _ = writeln!(out, "{:15}{}{bar}  {line}", "", self.state(state));
            state = "";
        }
    }

    /// A rung; `state` is what it leads to, if that is new.
    pub(super) fn rung(self, out: &mut String, at: Place<'_>, arrow: &str, color: Color) {
        let state = self.state(at.state);
        let bar = self.dim("│");
        let arrow = self.paint(arrow, color);
        let mark = match at.mark {
            Mark::Number(n) => format!("{n:>3}"),
            Mark::Name(exchange) => self.name(exchange, 3),
        };
        let _ = writeln!(out, "{mark} {:>9}  {state}{bar}{arrow}{bar}", millis(at.time));
    }

    /// A segment's rung, and under it its numbers, options and text; `later` are the states it leads to beyond the first.
    pub(super) fn segment<'s>(
        self,
        out: &mut String,
        at: Place<'_>,
        drawn: &Drawn<'_>,
        mut later: impl Iterator<Item = &'s str>,
    ) {
        let color = if drawn.segment.has(Flags::RST) { Color::Red } else { drawn.color };
        self.rung(out, at, &drawn.arrow(), color);
        for line in drawn.details() {
            self.detail(out, later.next().unwrap_or_default(), &line);
        }
        for state in later {
            self.detail(out, state, "");
        }
    }

    pub(super) fn note(self, out: &mut String, text: &str) {
        for line in wrap(text, WORDS) {
            let bar = self.dim("│");
            let _ = writeln!(out, "{:MARGIN$}{bar}  {}", "", self.paint(&line, Color::Yellow));
        }
    }

    pub(super) fn dimmed(self, out: &mut String, text: &str) {
        for line in wrap(text, WORDS) {
            let _ = writeln!(out, "{:MARGIN$}{}", "", self.dim(&format!("│  {line}")));
        }
    }

    /// The state of the remote end, at its lifeline.
    pub(super) fn remote(self, out: &mut String, state: &str) {
        let bar = self.dim("│");
        let room = " ".repeat(WORDS.saturating_sub(state.len()));
        let _ = writeln!(out, "{:MARGIN$}{bar}{room}{} {bar}", "", self.bold(state));
    }

    /// A connection's short name, in its colour, right-aligned.
    pub(super) fn name(self, exchange: u32, width: usize) -> String {
        const COLORS: [Color; 6] = [
            Color::BrightCyan,
            Color::BrightYellow,
            Color::BrightMagenta,
            Color::BrightGreen,
            Color::BrightBlue,
            Color::BrightRed,
        ];
        let color = COLORS.get(exchange as usize % COLORS.len()).copied().unwrap_or(Color::White);
        let name = Role::name_of(exchange);
        format!("{}{}", " ".repeat(width.saturating_sub(name.len())), self.paint(&name, color))
    }

    /// Who speaks with whom, and what holds the kernel back.
    pub(super) fn opening(self, out: &mut String, opening: &Opening, passed_over: PassedOver) {
        let route = wrap(&format!("{} → {}", opening.local, verdict::target(opening)), WIDTH).join("\n");
        let _ = writeln!(out, "{}", self.bold(&route));
        match opening.source {
            Source::Ourselves => Self::guard(out, &opening.guard, passed_over),
            Source::Capture => {
                let _ = writeln!(out, "drawn from a capture: the states of both ends are inferred\n");
            }
        }
    }

    /// What holds the kernel back, and an empty line.
    pub(super) fn guard(out: &mut String, guard: &GuardSummary, passed_over: PassedOver) {
        let mut held = guard.name.to_owned();
        if let Some(variant) = guard.variant {
            let _ = write!(held, " ({variant})");
        }
        held += match guard.proven {
            Some(true) => ", proven",
            Some(false) => ", and the kernel answers",
            None => "",
        };
        if let Some(reason) = &guard.untested_because {
            let _ = write!(held, ", not tested: {}", clean(reason));
        }
        let _ =
            writeln!(out, "{}", wrap(&format!("guard against the kernel's RST: {held}"), WIDTH).join("\n"));
        for (kind, why) in guard.passed_over.iter().filter(|_| passed_over == PassedOver::Told) {
            let _ = writeln!(out, "{}", wrap(&format!("not {kind}: {}", clean(why)), WIDTH).join("\n"));
        }
        out.push('\n');
    }

    /// The heads of the columns; `state` is the third's.
    pub(super) fn heading(self, out: &mut String, state: &str) {
        let heading = format!("{:>3} {:>9}  {state:13}{:<46}{:>6}", "#", "time/ms", "local", "remote");
        let _ = writeln!(out, "{}", self.dim(&heading));
    }

    /// A line between the rungs, with this state.
    pub(super) fn gap(self, out: &mut String, state: &str) {
        let bar = self.dim("│");
        let _ = writeln!(out, "{:15}{}{bar}{:SPAN$}{bar}", "", self.state(state), "");
    }
}

/// Where a rung stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    pub(super) mark: Mark,
    pub(super) time: Duration,
    /// For the state column.
    pub(super) state: &'s str,
}

/// What stands in front of a rung.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    /// Its number.
    Number(u32),
    /// The name of its connection, where there are many.
    Name(u32),
}

/// What to say of the guards that did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassedOver {
    Told,
    Untold,
}

/// A segment and how it is drawn.
pub(super) struct Drawn<'s> {
    pub(super) segment: &'s Segment,
    pub(super) relative: &'s Relative,
    pub(super) text: &'s Excerpt,
    pub(super) label: &'s str,
    pub(super) toward_remote: bool,
    pub(super) color: Color,
}

impl Drawn<'_> {
    /// `── SYN ──────── len 0  win 64240 ──▶`, the flags at the end that sent them.
    fn arrow(&self) -> String {
        let sizes = format!("len {}  win {}", self.segment.text_len, self.segment.window.0);
        let flags = format!("{}{}", self.segment.flags, self.label);
        let short = format!("{}{}", self.segment.flags.short(), self.label);
        let fits = flags.len() + sizes.len() + ARROW_ENDS + 3 <= SPAN;
        draw(if fits { &flags } else { &short }, &sizes, self.toward_remote)
    }

    fn details(&self) -> Vec<String> {
        let Drawn { segment, relative, .. } = self;
        let mut numbers = format!("seq {}", number(segment.seq.0, relative.seq));
        if let Some(ack) = segment.acknowledgment() {
            let _ = write!(numbers, "  ack {}", number(ack.0, relative.ack));
        }
        if segment.has(Flags::URG) {
            let _ = write!(numbers, "  urg {}", segment.urgent);
        }
        let mut details = vec![numbers];
        if !segment.options.is_empty() {
            details.push(segment.options.to_string().replace(',', ", "));
        }
        if segment.text_len > 0 {
            details.push(quote(self.text, segment.text_len));
        }
        details
    }
}

/// What is always there of an arrow: `── `, the space behind what stands by its tail, and `──▶`.
const ARROW_ENDS: usize = 3 + 1 + 3;

/// An arrow across the span, `near` by its tail and `far` by its head.
pub(super) fn draw(near: &str, far: &str, toward_remote: bool) -> String {
    let far = if far.is_empty() { String::new() } else { format!(" {far} ") };
    let taken = near.chars().count() + far.chars().count() + ARROW_ENDS;
    let line = "─".repeat(SPAN.saturating_sub(taken).max(1));
    if toward_remote {
        format!("── {near} {line}{far}──▶")
    } else {
        format!("◀──{far}{line} {near} ──")
    }
}

/// `4322 (1)`, or without the relative number where it is not known.
fn number(absolute: u32, relative: Option<u32>) -> String {
    match relative {
        Some(relative) => format!("{absolute} ({relative})"),
        None => absolute.to_string(),
    }
}

/// Text in quotes, every octet that is no plain letter escaped.
fn quote(text: &Excerpt, len: u32) -> String {
    let more = if len as usize > text.as_bytes().len() { "…" } else { "" };
    format!("\"{}\"{more}", text.as_bytes().escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::{SeqNum, UnscaledWindow};

    /// The widest there can be: every flag, every field at its largest.
    #[test]
    fn an_arrow_is_as_wide_as_the_span() {
        for bits in 0..0x200 {
            let segment = Segment {
                seq: SeqNum(u32::MAX),
                flags: Flags::from_bits(bits),
                window: UnscaledWindow(u16::MAX),
                text_len: 65_535,
                ..Segment::default()
            };
            for (label, toward_remote) in [("", true), ("", false), (" again", true), (" not sent", true)] {
                let (relative, text) = (&Relative::default(), &Excerpt::default());
                let drawn =
                    Drawn { segment: &segment, relative, text, label, toward_remote, color: Color::Red };
                let arrow = drawn.arrow();
                assert_eq!(arrow.chars().count(), SPAN, "{arrow}");
            }
        }
    }
}
