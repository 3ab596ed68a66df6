//! A sequence diagram in the language of Mermaid, as Markdown and wikis draw it.

use std::fmt::Write;

use super::text::{clean, fill};
use super::verdict::{self, DOT};
use super::words;
use crate::record::connection::Source;
use crate::record::exchange::Exchange;
use crate::record::{Event, Step};

/// Behind a state that is told by segments alone.
const INFERRED: &str = " (inferred)";

/// Columns of words in a note.
const WORDS: usize = 48;

/// The diagram of one exchange.
pub fn render(exchange: &Exchange) -> String {
    let mut out = String::from("sequenceDiagram\n");
    let opening = &exchange.opening;
    line(&mut out, format_args!("participant L as {}", said(&["local", &opening.local.to_string()])));
    line(&mut out, format_args!("participant R as {}", said(&["remote", &verdict::target(opening)])));
    let ours = match opening.source {
        Source::Ourselves => "",
        Source::Capture => INFERRED,
    };
    if let Some(step) = exchange.steps.first() {
        line(&mut out, format_args!("Note over L: {}{ours}", step.before.state));
    }
    let mut inferred = None;
    for (step, remote) in exchange.steps.iter().zip(&exchange.remote) {
        arrow(&mut out, step);
        if step.arrows.iter().next().is_some() {
            let states: Vec<&str> = step.arrows.iter().map(|arrow| arrow.to.name()).collect();
            line(&mut out, format_args!("Note over L: {}{ours}", states.join(", ")));
        }
        if let Some(remark) = words::remark(step) {
            line(&mut out, format_args!("Note over L: {}", said(&[&remark])));
        }
        if let Some(state) = remote.filter(|state| inferred != Some(*state)) {
            line(&mut out, format_args!("Note over R: {state}{INFERRED}"));
            inferred = Some(state);
        }
    }
    if exchange.left_out > 0 {
        line(&mut out, format_args!("Note over L,R: {} later steps are left out", exchange.left_out));
    }
    if let Some(summary) = &exchange.summary {
        let outcome = summary.outcome.to_string();
        let facts = verdict::facts(summary);
        let facts = fill(facts.iter().map(String::as_str), DOT, WORDS);
        let lines: Vec<&str> =
            [outcome.as_str()].into_iter().chain(facts.iter().map(String::as_str)).collect();
        line(&mut out, format_args!("Note over L,R: {}", said(&lines)));
    }
    out
}

/// What is sent, or came; of what did not get out, or came from elsewhere, the arrow says so.
fn arrow(out: &mut String, step: &Step) {
    let ends = match &step.event {
        Event::Sent { .. } | Event::KernelReset(..) => "L->>R",
        Event::Unsent { .. } => "L--xR",
        Event::Received { .. } => "R->>L",
        Event::Unreadable(_) | Event::Icmp { .. } => "R-->>L",
        Event::Quiet => return,
    };
    let mut lines: Vec<String> = words::label(&step.event).into_iter().collect();
    if let Some((segment, relative)) = words::segment(&step.event) {
        lines.push(words::numbers(segment, relative));
        lines.push(words::sizes(segment));
    }
    lines.extend(words::text(&step.event));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    line(out, format_args!("{ends}: {}", said(&lines)));
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "    {words}");
}

/// Lines of text as the language takes them: what it would read as its own is written by number.
fn said(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(&clean(line))).collect();
    lines.join("<br/>")
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '#' | ';' | '<' | '>' | '&' | '"' | '\'' | '`' | '\\' | '%' | '$' | '{' | '}' | '~' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            _ => escaped.push(c),
        }
        escaped
    })
}
