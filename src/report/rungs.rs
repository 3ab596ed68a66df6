//! What a ladder is drawn with: two lifelines, arrows between them, words beside the left one.

use std::fmt::Write;
use std::time::Duration;

use colored::{Color, Colorize};

use super::canvas::{Canvas, Numbers};
use super::header::rows::Row;
use super::text::{clean, fill, millis, wrap};
use super::verdict;
use crate::record::connection::Source;
use crate::record::{Excerpt, GuardSummary, Opening, Relative, Role};
use crate::tcp::{Flags, Segment};

/// Draws lines, in colours or without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rungs {
    canvas: Canvas,
}

/// Before the left lifeline: number, time, state.
const MARGIN: usize = 28;

impl Rungs {
    pub(super) const fn on(canvas: Canvas) -> Self {
        Self { canvas }
    }

    /// Columns a rung takes; the tests hold the drawing to it.
    pub(super) const fn width(self) -> usize {
        self.canvas.width.get()
    }

    /// Columns between the lifelines.
    pub(super) const fn span(self) -> usize {
        self.width() - MARGIN - 2
    }

    /// Columns for words behind the left one.
    const fn words(self) -> usize {
        self.span() - 1
    }

    pub(super) fn paint(self, text: &str, color: Color) -> String {
        if self.canvas.color { text.color(color).to_string() } else { text.to_owned() }
    }

    pub(super) fn dim(self, text: &str) -> String {
        if self.canvas.color { text.dimmed().to_string() } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        if self.canvas.color && !text.is_empty() { text.bold().to_string() } else { text.to_owned() }
    }

    /// The state column, empty where the state stays what it was.
    fn state(self, name: &str) -> String {
        const COLUMN: usize = 13;
        format!("{}{:width$}", self.bold(name), "", width = COLUMN.saturating_sub(name.len()))
    }

    /// Lines under a rung, behind the left lifeline; `state` stands in the state column of the first.
    pub(super) fn detail(self, out: &mut String, state: &str, text: &str) {
        let mut state = state;
        for line in wrap(text, self.words()) {
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
        let color = if drawn.segment.has(Flags::RST) { RESET } else { drawn.color };
        let (arrow, details) = drawn.written(self.span(), self.canvas.numbers);
        self.rung(out, at, &arrow, color);
        for line in details {
            self.detail(out, later.next().unwrap_or_default(), &line);
        }
        for state in later {
            self.detail(out, state, "");
        }
    }

    /// A sentence, and in one piece behind it where that stands.
    pub(super) fn sentence(self, out: &mut String, sentence: &str, section: Option<&str>) {
        let section = section.map(|section| format!("({section})"));
        let items = sentence.split(' ').chain(section.as_deref());
        for line in fill(items, " ", self.words()) {
            self.detail(out, "", &line);
        }
    }

    /// Headers field by field, as far as a packet was kept.
    pub(super) fn octets(self, out: &mut String, rows: &[Row]) {
        const COLUMN: usize = 13;
        for Row { octets, fields } in rows {
            let (lead, indent) = if octets.is_empty() { ("", 0) } else { (octets.as_str(), COLUMN) };
            let room = self.words().saturating_sub(indent.max(1));
            let is_long = lead.len() >= indent && indent > 0;
            if is_long {
                self.dimmed(out, lead);
            }
            for (n, line) in wrap(fields, room).iter().enumerate() {
                let lead = if n == 0 && !is_long { lead } else { "" };
                self.dimmed(out, &format!("{lead:indent$}{line}"));
            }
        }
    }

    pub(super) fn note(self, out: &mut String, text: &str) {
        for line in wrap(text, self.words()) {
            let bar = self.dim("│");
            let _ = writeln!(out, "{:MARGIN$}{bar}  {}", "", self.paint(&line, REMARK));
        }
    }

    pub(super) fn dimmed(self, out: &mut String, text: &str) {
        for line in wrap(text, self.words()) {
            let _ = writeln!(out, "{:MARGIN$}{}", "", self.dim(&format!("│  {line}")));
        }
    }

    /// The state of the remote end, at its lifeline.
    pub(super) fn remote(self, out: &mut String, state: &str) {
        let bar = self.dim("│");
        let room = " ".repeat(self.words().saturating_sub(state.len()));
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
        let route =
            wrap(&format!("{} → {}", opening.local, verdict::target(opening)), self.width()).join("\n");
        let _ = writeln!(out, "{}", self.bold(&route));
        match opening.source {
            Source::Ourselves => self.guard(out, &opening.guard, passed_over),
            Source::Capture => {
                let _ = writeln!(out, "drawn from a capture: the states of both ends are inferred\n");
            }
        }
    }

    /// What holds the kernel back, and an empty line.
    pub(super) fn guard(self, out: &mut String, guard: &GuardSummary, passed_over: PassedOver) {
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
        let _ = writeln!(
            out,
            "{}",
            wrap(&format!("guard against the kernel's RST: {held}"), self.width()).join("\n")
        );
        for (kind, why) in guard.passed_over.iter().filter(|_| passed_over == PassedOver::Told) {
            let _ =
                writeln!(out, "{}", wrap(&format!("not {kind}: {}", clean(why)), self.width()).join("\n"));
        }
        self.legend(out);
        out.push('\n');
    }

    /// What the colours mean, if there are any.
    fn legend(self, out: &mut String) {
        if self.canvas.color {
            let meanings = [
                ("sent", SENT),
                ("received", RECEIVED),
                ("RST", RESET),
                ("ICMP", ICMP),
                ("out of the ordinary", REMARK),
            ];
            let words = meanings.map(|(word, color)| self.paint(word, color)).join("  ");
            let _ = writeln!(out, "{}{words}", self.dim("colours: "));
        }
    }

    /// The heads of the columns; `state` is the third's.
    pub(super) fn heading(self, out: &mut String, state: &str) {
        let heading = format!(
            "{:>3} {:>9}  {state:13}{:<near$}{:>6}",
            "#",
            "time/ms",
            "local",
            "remote",
            near = self.span() - 4
        );
        let _ = writeln!(out, "{}", self.dim(&heading));
    }

    /// A line between the rungs, with this state.
    pub(super) fn gap(self, out: &mut String, state: &str) {
        let bar = self.dim("│");
        let _ = writeln!(out, "{:15}{}{bar}{:span$}{bar}", "", self.state(state), "", span = self.span());
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
    /// `── SYN ──────── len 0  win 64240 ──▶`, the flags at the end that sent them; and what stands below it. Where an
    /// arrows are long enough, the numbers stand on them.
    fn written(&self, span: usize, numbers: Numbers) -> (String, Vec<String>) {
        let sizes = format!("len {}  win {}", self.segment.text_len, self.segment.window.0);
        let flags = format!("{}{}", self.segment.flags, self.label);
        let short = format!("{}{}", self.segment.flags.short(), self.label);
        let fits = |near: &str| near.len() + sizes.len() + ARROW_ENDS + 3 <= span;
        let its_numbers = self.numbers(numbers);
        let with_numbers = format!("{flags}  {its_numbers}");
        if span >= numbers.on_arrow_from() && fits(&with_numbers) {
            return (draw(&with_numbers, &sizes, self.toward_remote, span), self.details());
        }
        let arrow = draw(if fits(&flags) { &flags } else { &short }, &sizes, self.toward_remote, span);
        (arrow, [vec![its_numbers], self.details()].concat())
    }

    fn numbers(&self, shown: Numbers) -> String {
        let Drawn { segment, relative, .. } = self;
        let mut numbers = format!("seq {}", shown.show(segment.seq.0, relative.seq));
        if let Some(ack) = segment.acknowledgment() {
            let _ = write!(numbers, "  ack {}", shown.show(ack.0, relative.ack));
        }
        if segment.has(Flags::URG) {
            let _ = write!(numbers, "  urg {}", segment.urgent);
        }
        numbers
    }

    /// Options and text.
    fn details(&self) -> Vec<String> {
        let segment = self.segment;
        let options = (!segment.options.is_empty()).then(|| segment.options.to_string().replace(',', ", "));
        let text = (segment.text_len > 0).then(|| quote(self.text, segment.text_len));
        options.into_iter().chain(text).collect()
    }
}

/// What the colours mean.
pub(super) const SENT: Color = Color::Cyan;
pub(super) const RECEIVED: Color = Color::Green;
pub(super) const RESET: Color = Color::Red;
pub(super) const ICMP: Color = Color::Magenta;
pub(super) const REMARK: Color = Color::Yellow;

/// What is always there of an arrow: `── `, the space behind what stands by its tail, and `──▶`.
const ARROW_ENDS: usize = 3 + 1 + 3;

/// An arrow across the span, `near` by its tail and `far` by its head.
pub(super) fn draw(near: &str, far: &str, toward_remote: bool, span: usize) -> String {
    let far = if far.is_empty() { String::new() } else { format!(" {far} ") };
    let taken = near.chars().count() + far.chars().count() + ARROW_ENDS;
    let line = "─".repeat(span.saturating_sub(taken).max(1));
    if toward_remote {
        format!("── {near} {line}{far}──▶")
    } else {
        format!("◀──{far}{line} {near} ──")
    }
}

/// Text in quotes, every octet that is no plain letter escaped.
pub(super) fn quote(text: &Excerpt, len: u32) -> String {
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
                for span in [50, 80, 110, 170] {
                    let (arrow, _) = drawn.written(span, Numbers::Both);
                    assert_eq!(arrow.chars().count(), span, "{arrow}");
                }
            }
        }
    }
}
