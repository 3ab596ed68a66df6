//! The ladder: two lifelines, a rung for each thing that happened. Eighty columns are enough.
//!
//! ```text
//!   #   time/ms  state        local                                        remote
//!   1     0.000  SYN-SENT     │── SYN ────────────────── len 0  win 64240 ──────▶│
//!                             │  seq 4321 (0)
//! ```

use std::fmt::Write;

use colored::Color;

use super::canvas::Canvas;
use super::header::rows::rows;
use super::rungs::{Drawn, ICMP, Mark, PassedOver, Place, RECEIVED, REMARK, RESET, Rungs, SENT, draw};
use super::text::{clean, fill, short, wrap};
use super::{Format, agreed, connections, verdict, words};
use crate::record::connection::{Connection, Remark, Seen, Source};
use crate::record::{
    Event, Excerpt, Listening, Negotiation, Opening, Role, Served, Statistics, Step, Summary, View,
};
use crate::tcp::{Clause, State};

/// How much the ladder tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// What it is drawn on.
    pub canvas: Canvas,
    /// Clause and variables at each rung.
    pub verbose: bool,
    /// The octets of each packet's headers, field by field.
    pub hex: bool,
    /// A plain sentence for a rung; the rule's section stands behind it.
    pub explain: Option<fn(Role, &Step) -> String>,
}

/// Draws the ladder.
#[derive(Debug)]
pub struct Ladder {
    style: Style,
    rungs: Rungs,
    target: String,
    /// Whether rungs are of one exchange after the other, or of many at a time.
    role: Role,
    /// Whether we took part in what is drawn.
    source: Source,
    /// Of a connection of others: the state of the remote end that was shown last.
    remote: Option<State>,
    /// Who began the exchange that is drawn.
    began: Role,
}

impl Ladder {
    /// A ladder in this style.
    pub const fn new(style: Style) -> Self {
        Self {
            style,
            rungs: Rungs::on(style.canvas),
            target: String::new(),
            role: Role::Active,
            source: Source::Ourselves,
            remote: None,
            began: Role::Active,
        }
    }

    fn place(&self, step: &Step) -> Place<'static> {
        Place {
            mark: match self.role {
                Role::Active => Mark::Number(step.n),
                Role::Passive => Mark::Name(step.exchange),
            },
            time: step.at,
            state: step.arrows.iter().next().map_or("", |arrow| arrow.to.name()),
        }
    }

    fn segment(&self, out: &mut String, step: &Step, drawn: &Drawn<'_>) {
        self.rungs.segment(
            out,
            self.place(step),
            drawn,
            step.arrows.iter().skip(1).map(|arrow| arrow.to.name()),
        );
    }

    fn variables(&self, out: &mut String, step: &Step) {
        if let Some(clause) = step.clause {
            self.rungs.dimmed(out, &format!("why: {}: {}", clause.section(), clause.text()));
        }
        let View { snd, rcv, snd_scale, rto } = &step.view;
        self.rungs.dimmed(out, &format!("snd.una {}  snd.nxt {}", snd.una, snd.nxt));
        self.rungs.dimmed(out, &format!("snd.wnd {}  (its windows shifted by {snd_scale})", snd.wnd.get()));
        self.rungs
            .dimmed(out, &format!("rcv.nxt {}  rcv.wnd {}  rto {}", rcv.nxt, rcv.wnd.get(), short(*rto)));
    }
}

impl Format for Ladder {
    fn words(&mut self, title: &str, paragraphs: &[&str], out: &mut String) {
        let _ = writeln!(out, "{}\n", self.rungs.bold(title));
        for paragraph in paragraphs {
            let _ = writeln!(out, "{}\n", wrap(paragraph, self.rungs.width()).join("\n"));
        }
    }

    fn listening(&mut self, listening: &Listening, out: &mut String) {
        self.role = Role::Passive;
        let at: Vec<String> = listening.at.iter().map(ToString::to_string).collect();
        let at = wrap(&format!("listening on {}", at.join(" and ")), self.rungs.width()).join("\n");
        let _ = writeln!(out, "{}", self.rungs.bold(&at));
        let passed_over = if self.style.verbose { PassedOver::Told } else { PassedOver::Untold };
        self.rungs.guard(out, &listening.guard, passed_over);
        self.rungs.heading(out, "state");
    }

    fn begin(&mut self, opening: &Opening, out: &mut String) {
        self.began = opening.role;
        if self.role == Role::Passive {
            let place =
                Place { mark: Mark::Name(opening.number), time: opening.at, state: State::Listen.name() };
            let span = self.rungs.span();
            let client = format!("{:<span$}", format!("  {} comes to {}", opening.remote, opening.local));
            let client = if client.len() > span {
                format!("{:<span$}", format!("  {}", opening.remote))
            } else {
                client
            };
            self.rungs.rung(out, place, &client, Color::White);
            return;
        }
        if !self.target.is_empty() {
            out.push('\n'); // below the exchange before
        }
        self.target = verdict::target(opening);
        self.source = opening.source;
        let passed_over = if self.style.verbose { PassedOver::Told } else { PassedOver::Untold };
        self.rungs.opening(out, opening, passed_over);
        self.rungs.heading(out, "state");
        match (opening.source, opening.role) {
            (Source::Capture, _) => self.remote = None, // the first step knows where it begins
            (Source::Ourselves, Role::Active) => self.rungs.gap(out, State::Closed.name()),
            (Source::Ourselves, Role::Passive) => self.rungs.gap(out, State::Listen.name()),
        }
    }

    fn step(&mut self, step: &Step, out: &mut String) {
        if step.seen.is_some() && step.n == 1 {
            self.rungs.gap(out, step.before.state.name());
            if step.before.state == State::Established {
                self.rungs.note(out, "not captured from its beginning: taken for open");
            }
        }
        match &step.event {
            Event::Sent { segment, relative, text, retransmission } => {
                let again = if *retransmission > 0 { " again" } else { "" };
                let drawn = Drawn { segment, relative, text, label: again, toward_remote: true, color: SENT };
                self.segment(out, step, &drawn);
                if !step.arrows.is_empty() {
                    self.remark_on(step.clause, out);
                }
                if *retransmission > 0 && step.seen.is_none() && self.style.explain.is_none() {
                    let rto = short(step.view.rto);
                    self.rungs.note(
                        out,
                        &format!("no answer yet: retransmission {retransmission}, the next after {rto}"),
                    );
                }
            }
            Event::Unsent { segment, relative, why } => {
                let text = &Excerpt::default();
                let label = " not sent";
                let drawn = Drawn { segment, relative, text, label, toward_remote: true, color: REMARK };
                self.segment(out, step, &drawn);
                self.rungs.note(out, &clean(why));
            }
            Event::Received { segment, relative, text, .. } => {
                let drawn =
                    Drawn { segment, relative, text, label: "", toward_remote: false, color: RECEIVED };
                self.segment(out, step, &drawn);
                self.remark_on(step.clause, out);
            }
            Event::Unreadable(error) => {
                self.rungs.rung(
                    out,
                    self.place(step),
                    &draw("unreadable", "", false, self.rungs.span()),
                    REMARK,
                );
                self.rungs.note(out, &format!("ignored: {error}"));
            }
            Event::Icmp { error, effect } => {
                let name = format!("ICMP {}/{}", error.kind, error.code);
                self.rungs.rung(out, self.place(step), &draw(&name, "", false, self.rungs.span()), ICMP);
                self.rungs.note(
                    out,
                    &format!("{}, from {}{}", error.meaning(), error.from, words::effect(*effect)),
                );
            }
            Event::KernelReset(segment, relative) => {
                let text = &Excerpt::default();
                let label = " by the kernel";
                let drawn = Drawn { segment, relative, text, label, toward_remote: true, color: RESET };
                self.segment(out, step, &drawn);
                if self.style.explain.is_none() {
                    self.rungs.note(out, "sent by the kernel, not by us: it knows nothing of this connection, and no guard held it back");
                }
            }
            Event::Quiet => {
                self.rungs.rung(out, self.place(step), &" ".repeat(self.rungs.span()), Color::White);
                self.remark_on(step.clause, out);
            }
        }
        self.seen(step, out);
        if let Some(explain) = self.style.explain {
            let section = step.clause.map(Clause::section);
            self.rungs.sentence(out, &explain(self.began, step), section);
        }
        if self.style.hex {
            self.rungs.octets(out, &rows(&step.packet));
        }
        if self.style.verbose {
            self.variables(out, step);
        }
    }

    fn opened(&mut self, negotiation: &Negotiation, out: &mut String) {
        if self.role == Role::Passive && !self.style.verbose {
            return; // between the rungs of other connections it would be lost
        }
        for sentence in agreed::sentences(negotiation, self.source) {
            self.rungs.dimmed(out, &sentence);
        }
    }

    fn connection(&mut self, connection: &Connection, out: &mut String) {
        let facts = connections::facts(connection);
        let facts = fill(facts.iter().map(String::as_str), verdict::DOT, self.rungs.width()).join("\n");
        let _ = writeln!(out, "\n{}", self.rungs.bold(&facts));
    }

    fn end(&mut self, summary: &Summary, out: &mut String) {
        if self.role == Role::Passive {
            let line = [vec![summary.outcome.to_string()], verdict::facts_of_one(summary)].concat();
            let words = fill(line.iter().map(String::as_str), verdict::DOT, self.rungs.width() - NAME);
            for (n, words) in words.iter().enumerate() {
                let name = if n == 0 { self.rungs.name(summary.exchange, 3) } else { " ".repeat(3) };
                let _ = writeln!(out, "{name} {}", self.rungs.bold(words));
            }
            return;
        }
        let color = if summary.is_as_asked() { Color::Green } else { Color::Red };
        let verdict = wrap(&summary.outcome.to_string(), self.rungs.width()).join("\n");
        let _ = writeln!(out, "\n{}", self.rungs.paint(&verdict, color));
        let facts = verdict::facts(summary);
        let _ = writeln!(
            out,
            "{}",
            fill(facts.iter().map(String::as_str), verdict::DOT, self.rungs.width()).join("\n")
        );
        for remark in verdict::remarks(summary) {
            let _ = writeln!(out, "{}", wrap(&remark, self.rungs.width()).join("\n"));
        }
    }

    fn statistics(&mut self, statistics: &Statistics, out: &mut String) {
        out.push('\n');
        verdict::statistics(&self.target, statistics, out);
    }

    fn served(&mut self, served: &Served, out: &mut String) {
        out.push('\n');
        verdict::served(served, out);
    }

    fn failed(&mut self, _error: &str, _out: &mut String) {}
}

/// Columns of a connection's name and the space behind it.
const NAME: usize = 4;

impl Ladder {
    /// What shows beside the segment to who was not part of it.
    fn seen(&mut self, step: &Step, out: &mut String) {
        let Some(Seen { remote, remark }) = step.seen else { return };
        if let Some(remark) = remark.filter(|remark| *remark != Remark::Reset || step.clause.is_none()) {
            self.rungs.note(out, &remark.to_string());
        }
        if let Some(state) = remote.filter(|_| remote != self.remote) {
            self.rungs.remote(out, state.name());
        }
        self.remote = remote;
    }

    /// Whether each rung is explained anyway.
    const fn explains(&self) -> bool {
        self.style.verbose || self.style.explain.is_some()
    }

    /// What is out of the ordinary is explained without being asked.
    fn remark_on(&self, clause: Option<Clause>, out: &mut String) {
        if let Some(clause) = clause.filter(|clause| !clause.is_routine() && !self.explains()) {
            self.rungs.note(out, clause.text());
        }
    }
}
