//! The ladder: two lifelines, a rung for each thing that happened. Eighty columns are enough.
//!
//! ```text
//!   #   time/ms  state        local                                        remote
//!   1     0.000  SYN-SENT     │── SYN ────────────────── len 0  win 64240 ──────▶│
//!                             │  seq 4321 (0)
//! ```

use std::fmt::Write;

use colored::{Color, Colorize};

use super::text::{fill, millis, short, wrap};
use super::{Format, agreed, verdict};
use crate::record::{
    Event, Excerpt, IcmpEffect, Negotiation, Opening, Relative, Statistics, Step, Summary, View,
};
use crate::tcp::{Clause, Flags, Segment, State};

/// How much the ladder tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether colours are wanted.
    pub color: bool,
    /// Clause and variables at each rung.
    pub verbose: bool,
    /// A plain sentence for a rung, if there is one.
    pub explain: Option<fn(&Step) -> Option<String>>,
}

/// Draws the ladder.
#[derive(Debug)]
pub struct Ladder {
    style: Style,
    target: String,
}

/// Between the lifelines.
const SPAN: usize = 50;
/// For words behind the left one.
const WORDS: usize = SPAN - 1;
/// Before the left one: number, time, state.
const MARGIN: usize = 28;

impl Ladder {
    /// A ladder in this style.
    pub const fn new(style: Style) -> Self {
        Self { style, target: String::new() }
    }

    fn paint(&self, text: &str, color: Color) -> String {
        if self.style.color { text.color(color).to_string() } else { text.to_owned() }
    }

    fn dim(&self, text: &str) -> String {
        if self.style.color { text.dimmed().to_string() } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        if self.style.color && !text.is_empty() { text.bold().to_string() } else { text.to_owned() }
    }

    /// The state column, empty where the state stays what it was.
    fn state(&self, name: &str) -> String {
        const COLUMN: usize = 13;
        format!("{}{:width$}", self.bold(name), "", width = COLUMN.saturating_sub(name.len()))
    }

    /// Lines under a rung, behind the left lifeline; `state` stands in the state column of the first.
    fn detail(&self, out: &mut String, state: &str, text: &str) {
        let mut state = state;
        for line in wrap(text, WORDS) {
            let bar = self.dim("│");
            let _ = writeln!(out, "{:15}{}{bar}  {line}", "", self.state(state));
            state = "";
        }
    }

    fn rung(&self, out: &mut String, step: &Step, arrow: &str, color: Color) {
        let state = step.arrows.iter().next().map_or("", |arrow| arrow.to.name());
        let state = self.state(state);
        let bar = self.dim("│");
        let arrow = self.paint(arrow, color);
        let _ = writeln!(out, "{:>3} {:>9}  {state}{bar}{arrow}{bar}", step.n, millis(step.at));
    }

    fn segment(&self, out: &mut String, step: &Step, shown: &Shown<'_>) {
        let Shown { segment, relative, .. } = shown;
        let color = if segment.has(Flags::RST) { Color::Red } else { shown.color };
        self.rung(out, step, &shown.arrow(), color);

        let mut later = step.arrows.iter().skip(1).map(|arrow| arrow.to.name());
        let mut numbers = format!("seq {}", number(segment.seq.0, relative.seq));
        if let Some(ack) = segment.acknowledgment() {
            let _ = write!(numbers, "  ack {}", number(ack.0, relative.ack));
        }
        if segment.has(Flags::URG) {
            let _ = write!(numbers, "  urg {}", segment.urgent);
        }
        self.detail(out, later.next().unwrap_or_default(), &numbers);
        if !segment.options.is_empty() {
            let options = segment.options.to_string().replace(',', ", ");
            self.detail(out, later.next().unwrap_or_default(), &options);
        }
        if segment.text_len > 0 {
            self.detail(out, later.next().unwrap_or_default(), &quote(shown.text, segment.text_len));
        }
        for state in later {
            self.detail(out, state, "");
        }
    }

    fn note(&self, out: &mut String, text: &str) {
        for line in wrap(text, WORDS) {
            let bar = self.dim("│");
            let _ = writeln!(out, "{:MARGIN$}{bar}  {}", "", self.paint(&line, Color::Yellow));
        }
    }

    fn variables(&self, out: &mut String, step: &Step) {
        if let Some(clause) = step.clause {
            self.dimmed(out, &format!("why: {}: {}", clause.section(), clause.text()));
        }
        let View { snd, rcv, snd_scale, rto } = &step.view;
        self.dimmed(out, &format!("snd.una {}  snd.nxt {}", snd.una, snd.nxt));
        self.dimmed(out, &format!("snd.wnd {}  (its windows shifted by {snd_scale})", snd.wnd.get()));
        self.dimmed(out, &format!("rcv.nxt {}  rcv.wnd {}  rto {}", rcv.nxt, rcv.wnd.get(), short(*rto)));
    }

    fn dimmed(&self, out: &mut String, text: &str) {
        for line in wrap(text, WORDS) {
            let _ = writeln!(out, "{:MARGIN$}{}", "", self.dim(&format!("│  {line}")));
        }
    }
}

/// A segment and how it is drawn.
struct Shown<'s> {
    segment: &'s Segment,
    relative: &'s Relative,
    text: &'s Excerpt,
    label: &'s str,
    toward_remote: bool,
    color: Color,
}

impl Shown<'_> {
    /// `── SYN ──────── len 0  win 64240 ──▶`, the flags at the end that sent them.
    fn arrow(&self) -> String {
        let sizes = format!("len {}  win {}", self.segment.text_len, self.segment.window.0);
        let flags = format!("{}{}", self.segment.flags, self.label);
        let short = format!("{}{}", self.segment.flags.short(), self.label);
        let fits = flags.len() + sizes.len() + ARROW_ENDS + 3 <= SPAN;
        draw(if fits { &flags } else { &short }, &sizes, self.toward_remote)
    }
}

/// What is always there of an arrow: `── `, the space behind what stands by its tail, and `──▶`.
const ARROW_ENDS: usize = 3 + 1 + 3;

/// An arrow across the span, `near` by its tail and `far` by its head.
fn draw(near: &str, far: &str, toward_remote: bool) -> String {
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

impl Format for Ladder {
    fn begin(&mut self, opening: &Opening, out: &mut String) {
        self.target = verdict::target(opening);
        if opening.number > 1 {
            out.push('\n');
        }
        let guard = &opening.guard;
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
            let _ = write!(held, ", not tested: {reason}");
        }
        let route = wrap(&format!("{} → {}", opening.local, self.target), WIDTH).join("\n");
        let guard = wrap(&format!("guard against the kernel's RST: {held}"), WIDTH).join("\n");
        let _ = writeln!(out, "{}\n{guard}", self.bold(&route));
        for (kind, why) in opening.guard.passed_over.iter().filter(|_| self.style.verbose) {
            let _ = writeln!(out, "{}", wrap(&format!("not {kind}: {why}"), WIDTH).join("\n"));
        }
        out.push('\n');
        let heading = format!("{:>3} {:>9}  {:13}{:<46}{:>6}", "#", "time/ms", "state", "local", "remote");
        let _ = writeln!(out, "{}", self.dim(&heading));
        let bar = self.dim("│");
        let closed = self.state(State::Closed.name());
        let _ = writeln!(out, "{:15}{closed}{bar}{:SPAN$}{bar}", "", "");
    }

    fn step(&mut self, step: &Step, out: &mut String) {
        match &step.event {
            Event::Sent { segment, relative, text, retransmission } => {
                let again = if *retransmission > 0 { " again" } else { "" };
                let shown =
                    Shown { segment, relative, text, label: again, toward_remote: true, color: Color::Cyan };
                self.segment(out, step, &shown);
                if !step.arrows.is_empty() {
                    self.remark_on(step.clause, out);
                }
                if *retransmission > 0 {
                    let rto = short(step.view.rto);
                    self.note(
                        out,
                        &format!("no answer yet: retransmission {retransmission}, the next after {rto}"),
                    );
                }
            }
            Event::Unsent { segment, relative, why } => {
                let text = &Excerpt::default();
                let label = " not sent";
                let shown =
                    Shown { segment, relative, text, label, toward_remote: true, color: Color::Yellow };
                self.segment(out, step, &shown);
                self.note(out, why);
            }
            Event::Received { segment, relative, text, .. } => {
                let shown =
                    Shown { segment, relative, text, label: "", toward_remote: false, color: Color::Green };
                self.segment(out, step, &shown);
                self.remark_on(step.clause, out);
            }
            Event::Unreadable(error) => {
                self.rung(out, step, &draw("unreadable", "", false), Color::Yellow);
                self.note(out, &format!("ignored: {error}"));
            }
            Event::Icmp { error, effect } => {
                let name = format!("ICMP {}/{}", error.kind, error.code);
                self.rung(out, step, &draw(&name, "", false), Color::Magenta);
                self.note(out, &format!("{}, from {}{}", error.meaning(), error.from, effect_of(*effect)));
            }
            Event::KernelReset(segment, relative) => {
                let text = &Excerpt::default();
                let label = " by the kernel";
                let shown = Shown { segment, relative, text, label, toward_remote: true, color: Color::Red };
                self.segment(out, step, &shown);
                self.note(out, "sent by the kernel, not by us: it knows nothing of this connection, and no guard held it back");
            }
            Event::Quiet => {
                self.rung(out, step, &" ".repeat(SPAN), Color::White);
                self.remark_on(step.clause, out);
            }
        }
        if let Some(sentence) = self.style.explain.and_then(|explain| explain(step)) {
            self.detail(out, "", &sentence);
        }
        if self.style.verbose {
            self.variables(out, step);
        }
    }

    fn opened(&mut self, negotiation: &Negotiation, out: &mut String) {
        for sentence in agreed::sentences(negotiation) {
            self.dimmed(out, &sentence);
        }
    }

    fn end(&mut self, summary: &Summary, out: &mut String) {
        let color = if summary.is_as_asked() { Color::Green } else { Color::Red };
        let verdict = wrap(&summary.outcome.to_string(), WIDTH).join("\n");
        let _ = writeln!(out, "\n{}", self.paint(&verdict, color));
        let facts = verdict::facts(summary);
        let _ = writeln!(out, "{}", fill(facts.iter().map(String::as_str), verdict::DOT, WIDTH).join("\n"));
        for remark in verdict::remarks(summary) {
            let _ = writeln!(out, "{}", wrap(&remark, WIDTH).join("\n"));
        }
    }

    fn statistics(&mut self, statistics: &Statistics, out: &mut String) {
        out.push('\n');
        verdict::statistics(&self.target, statistics, out);
    }

    fn failed(&mut self, _error: &str, _out: &mut String) {}
}

impl Ladder {
    /// What is out of the ordinary is explained without being asked.
    fn remark_on(&self, clause: Option<Clause>, out: &mut String) {
        if let Some(clause) = clause.filter(|clause| !clause.is_routine() && !self.style.verbose) {
            self.note(out, clause.text());
        }
    }
}

const fn effect_of(effect: IcmpEffect) -> &'static str {
    match effect {
        IcmpEffect::Fatal => ": given up",
        IcmpEffect::Noted => ": noted, it may pass",
        IcmpEffect::NotOurs => ": ignored, it quotes no number under way",
    }
}

/// Columns a rung takes; the tests hold the drawing to it.
pub const WIDTH: usize = MARGIN + 1 + SPAN + 1;

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
                let shown =
                    Shown { segment: &segment, relative, text, label, toward_remote, color: Color::Red };
                let arrow = shown.arrow();
                assert_eq!(arrow.chars().count(), SPAN, "{arrow}");
            }
        }
    }
}
