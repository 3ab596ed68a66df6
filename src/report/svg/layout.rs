//! Where everything stands: rows from top to bottom, bands of states beside the lifelines.

use std::time::Duration;

use super::Spacing;
use crate::record::connection::Source;
use crate::record::exchange::Exchange;
use crate::record::{Event, Step};
use crate::report::text::{fill, millis, wrap};
use crate::report::{verdict, words};
use crate::tcp::{Flags, State};

/// As wide as a README shows it.
pub(super) const WIDTH: i32 = 800;
/// The lifelines, and what is halfway between them.
pub(super) const LEFT: i32 = 222;
pub(super) const RIGHT: i32 = 658;
pub(super) const MIDDLE: i32 = i32::midpoint(LEFT, RIGHT);
/// Where times end.
pub(super) const TIME: i32 = 90;

const MARGIN: i32 = 24;
/// Bands of states, outside the lifelines.
const BAND: i32 = 112;
/// From one line of words to the next.
const LINE: i32 = 16;
/// Columns of words between the lifelines, and from margin to margin.
const WORDS: usize = 60;
const TITLE: usize = 84;
const FACTS: usize = 116;
/// Time passes while a segment is on its way: its arrow falls by this much.
const FALL: i32 = 14;
/// From an arrow's middle up to the words above it and down to those below.
const ABOVE: i32 = 11;
const BELOW: i32 = 20;
/// What a row takes beside the lines below its arrow.
const ROW: i32 = 44;
/// An end of a lifeline that nothing happens at.
const TAIL: i32 = 26;
/// Pixels that times share between them, if rows are apart in proportion to them.
const STRETCH: f64 = 480.0;
/// A gap that has room for its time.
const TOLD_GAP: i32 = 22;

/// Words at a place.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) class: &'static str,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) words: String,
}

/// A state, as long as it lasts.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) class: String,
    pub(super) x: i32,
    pub(super) width: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) label: i32,
    pub(super) name: &'static str,
}

/// Time between two rows.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) x: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

/// A step in its row.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) class: &'static str,
    pub(super) title: String,
    /// Where it happens at our end.
    pub(super) at: i32,
    pub(super) time: String,
    pub(super) arrow: Option<Arrow>,
    pub(super) label: Option<String>,
    pub(super) label_at: i32,
    pub(super) sizes: Option<String>,
    pub(super) lines: Vec<Text>,
}

/// An arrow, as paths.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) line: String,
    pub(super) head: String,
}

/// All that is drawn.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) texts: Vec<Text>,
    pub(super) bands: Vec<Band>,
    pub(super) gaps: Vec<Gap>,
    pub(super) steps: Vec<Placed>,
    /// Of the lifelines.
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) height: i32,
}

/// Which way a step's arrow points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Out,
    /// It did not get out.
    Lost,
    In,
}

impl Layout {
    pub(super) fn of(exchange: &Exchange, title: &str, spacing: Spacing) -> Self {
        let mut layout = Self::default();
        let y = layout.head(exchange, title);
        layout.top = y;
        let y = layout.rows(exchange, spacing, y + TAIL);
        layout.bottom = y;
        layout.states(exchange);
        layout.foot(exchange, spacing, y + TAIL);
        layout
    }

    fn text(&mut self, class: &'static str, x: i32, y: i32, words: impl Into<String>) {
        self.texts.push(Text { class, x, y, words: words.into() });
    }

    /// What it is about, how it ended, and whose the columns are; yields where the lifelines begin.
    fn head(&mut self, exchange: &Exchange, title: &str) -> i32 {
        const TITLE_LINE: i32 = 21;
        let mut y = MARGIN + LINE / 2;
        for line in wrap(title, TITLE) {
            self.text("title", MARGIN, y, line);
            y += TITLE_LINE;
        }
        y = self.ending(exchange, y) + TITLE_LINE;
        let local = match exchange.opening.source {
            Source::Ourselves => "local",
            Source::Capture => "local, inferred",
        };
        self.text("heading", LEFT - BAND / 2, y, local);
        self.text("heading", RIGHT + BAND / 2, y, "remote, inferred");
        y += LINE;
        self.text("time", TIME, y, "time/ms");
        self.text("address start", LEFT - BAND, y, exchange.opening.local.to_string());
        self.text("address end", RIGHT + BAND, y, exchange.opening.remote.to_string());
        y + LINE / 2
    }

    /// The verdict and what it took, from `y` on; yields what is below it.
    fn ending(&mut self, exchange: &Exchange, y: i32) -> i32 {
        const VERDICT_LINE: i32 = 18;
        let Some(summary) = &exchange.summary else {
            let words = match exchange.opening.source {
                Source::Ourselves => "how it ended is not known",
                Source::Capture => "drawn from a capture: the states of both ends are inferred",
            };
            self.text("verdict open", MARGIN, y, words);
            return y + LINE;
        };
        let mut y = y;
        let class = if summary.is_as_asked() { "verdict good" } else { "verdict bad" };
        for line in wrap(&summary.outcome.to_string(), TITLE) {
            self.text(class, MARGIN, y, line);
            y += VERDICT_LINE;
        }
        let facts = [verdict::facts(summary), verdict::alarms(summary)].concat();
        for line in fill(facts.iter().map(String::as_str), verdict::DOT, FACTS) {
            self.text("facts", MARGIN, y, line);
            y += LINE;
        }
        y
    }

    /// A row for each step; yields where the last ends.
    fn rows(&mut self, exchange: &Exchange, spacing: Spacing, top: i32) -> i32 {
        let mut before = exchange.steps.first().map(|step| step.at).unwrap_or_default();
        let latest = exchange.steps.iter().map(|step| step.at).max().unwrap_or_default();
        let scale = match (spacing, latest.saturating_sub(before)) {
            (Spacing::Even, _) | (Spacing::Time, Duration::ZERO) => 0.0,
            (Spacing::Time, all) => STRETCH / all.as_secs_f64(),
        };
        let mut y = top;
        for step in &exchange.steps {
            let passed = step.at.saturating_sub(before);
            let stretch = (passed.as_secs_f64() * scale) as i32; // all of them together are STRETCH
            if stretch >= TOLD_GAP {
                self.gaps.push(Gap { x: TIME - 6, top: y - ROW / 2, bottom: y + stretch - ROW / 6 });
                self.text("elapsed", TIME - 14, y + stretch / 2, format!("+{}", millis(passed)));
            }
            before = before.max(step.at);
            y += stretch;
            let row = Placed::of(step, y);
            y += ROW + LINE * row.lines.len() as i32;
            self.steps.push(row);
        }
        y
    }

    /// The states of both ends, from one change to the next.
    fn states(&mut self, exchange: &Exchange) {
        let first = exchange.steps.first().map(|step| step.before.state);
        let mut local: Vec<(i32, Option<State>)> = vec![(self.top, first)];
        let mut remote: Vec<(i32, Option<State>)> = Vec::new();
        let inferred = exchange.remote.iter().copied().chain(std::iter::repeat(None));
        for ((step, row), inferred) in exchange.steps.iter().zip(&self.steps).zip(inferred) {
            for (n, arrow) in (0..).zip(step.arrows.iter()) {
                local.push((row.at + n * LINE, Some(arrow.to)));
            }
            if remote.last().is_none_or(|(_, state)| *state != inferred) {
                remote.push((far_end(step, row.at), inferred));
            }
        }
        let class = match exchange.opening.source {
            Source::Ourselves => "band",
            Source::Capture => "band inferred",
        };
        self.column(class, LEFT - BAND, &local);
        self.column("band inferred", RIGHT, &remote);
    }

    fn column(&mut self, class: &str, x: i32, changes: &[(i32, Option<State>)]) {
        const LABEL: i32 = 14;
        let ends = changes.iter().skip(1).map(|(y, _)| *y).chain([self.bottom]);
        for ((top, state), bottom) in changes.iter().zip(ends) {
            if let Some(state) = state {
                self.bands.push(Band {
                    class: format!("{class} {}", phase(*state)),
                    x,
                    width: BAND,
                    top: *top,
                    bottom,
                    label: top + LABEL,
                    name: state.name(),
                });
            }
        }
    }

    fn foot(&mut self, exchange: &Exchange, spacing: Spacing, top: i32) {
        let mut y = top;
        if exchange.left_out > 0 {
            let words = format!("{} later steps are left out of this picture.", exchange.left_out);
            self.text("foot", MARGIN, y, words);
            y += LINE;
        }
        if spacing == Spacing::Time {
            let words = "Where time passes between two steps, they are farther apart in proportion to it.";
            self.text("foot", MARGIN, y, words);
            y += LINE;
        }
        let words = "In parentheses: counted from the initial number. Inferred: from the segments that were seen here.";
        self.text("foot", MARGIN, y, words);
        self.height = y + MARGIN - LINE / 2;
    }
}

impl Placed {
    /// The row whose arrow has its middle below `y`.
    fn of(step: &Step, y: i32) -> Self {
        let course = course(&step.event);
        let at = match course {
            Some(Course::Out | Course::Lost) => y - FALL / 2,
            Some(Course::In) => y + FALL / 2,
            None => y,
        };
        let segment = words::segment(&step.event);
        let mut lines = Vec::new();
        let mut below = y + BELOW;
        let mut line = |class, words| {
            lines.push(Text { class, x: MIDDLE, y: below, words });
            below += LINE;
        };
        if let Some((segment, relative)) = segment {
            line("numbers", words::numbers(segment, relative));
        }
        for words in words::text(&step.event).iter().flat_map(|text| wrap(text, WORDS)) {
            line("words", words);
        }
        for words in words::remark(step).iter().flat_map(|remark| wrap(remark, WORDS)) {
            line("note", words);
        }
        Self {
            class: class(&step.event),
            title: match words::rule(step) {
                Some(rule) => format!("{}. {rule}", step.n),
                None => format!("{}.", step.n),
            },
            at,
            time: millis(step.at),
            arrow: course.map(|course| Arrow::of(course, y)),
            label: words::label(&step.event),
            label_at: y - ABOVE,
            sizes: segment.map(|(segment, _)| words::sizes(segment)),
            lines,
        }
    }
}

impl Arrow {
    const HEAD: i32 = 11;
    const HALF: i32 = 5;

    fn of(course: Course, middle: i32) -> Self {
        let (high, low) = (middle - FALL / 2, middle + FALL / 2);
        let (head, half) = (Self::HEAD, Self::HALF);
        match course {
            Course::Out => Self {
                line: format!("M{LEFT} {high}L{} {low}", RIGHT - head + 2),
                head: format!("M{RIGHT} {low}l-{head} -{half}v{}z", 2 * half),
            },
            Course::In => Self {
                line: format!("M{RIGHT} {high}L{} {low}", LEFT + head - 2),
                head: format!("M{LEFT} {low}l{head} -{half}v{}z", 2 * half),
            },
            Course::Lost => {
                // It ends in a cross before the words in the middle.
                let x = LEFT + (MIDDLE - LEFT) / 3;
                Self {
                    line: format!(
                        "M{LEFT} {high}L{x} {}M{} {}l{} {}m0 -{}l-{} {}",
                        high + FALL / 3,
                        x - half,
                        high + FALL / 3 - half,
                        2 * half,
                        2 * half,
                        2 * half,
                        2 * half,
                        2 * half
                    ),
                    head: String::new(),
                }
            }
        }
    }
}

const fn course(event: &Event) -> Option<Course> {
    match event {
        Event::Sent { .. } | Event::KernelReset(..) => Some(Course::Out),
        Event::Unsent { .. } => Some(Course::Lost),
        Event::Received { .. } | Event::Unreadable(_) | Event::Icmp { .. } => Some(Course::In),
        Event::Quiet => None,
    }
}

/// Where a step happens at the other end: what is sent gets there later, what came left it earlier.
const fn far_end(step: &Step, at: i32) -> i32 {
    match course(&step.event) {
        Some(Course::Out) => at + FALL,
        Some(Course::In) => at - FALL,
        Some(Course::Lost) | None => at,
    }
}

/// How a step is coloured.
fn class(event: &Event) -> &'static str {
    if event.segment().is_some_and(|segment| segment.has(Flags::RST)) {
        return "reset";
    }
    match event {
        Event::Sent { retransmission: 0, .. } => "sent",
        Event::Sent { .. } => "again",
        Event::Received { .. } => "received",
        Event::Unsent { .. } => "unsent",
        Event::KernelReset(..) => "reset",
        Event::Unreadable(_) | Event::Icmp { .. } => "strange",
        Event::Quiet => "quiet",
    }
}

/// How a state is coloured: by the part of a connection's life it belongs to.
const fn phase(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Listen | State::SynSent | State::SynReceived => "opening",
        State::Established => "open",
        State::FinWait1 | State::FinWait2 | State::CloseWait | State::Closing | State::LastAck => "closing",
        State::TimeWait => "waiting",
    }
}
