//! A rung of the page's ladder, in words.

use super::Shown;
use crate::lesson::as_sentence;
use crate::record::{Event, Step};
use crate::report::text::{clean, millis};
use crate::report::words;
use crate::tcp::State;

/// What stands on a rung. What is empty is not there.
#[derive(Debug)]
pub(super) struct Rung {
    pub(super) n: u32,
    pub(super) at: String,
    pub(super) kind: Kind,
    /// `SYN,ACK`, or what it is instead of a segment.
    pub(super) label: String,
    pub(super) sizes: String,
    /// Numbers, options, text.
    pub(super) details: Vec<String>,
    /// The states it leads to.
    pub(super) local: Vec<&'static str>,
    /// The state it leads the other end to.
    pub(super) remote: Option<&'static str>,
    pub(super) sentence: String,
    /// Where the rule stands, and what it says if the sentence is not that.
    pub(super) rule: Option<(&'static str, Option<&'static str>)>,
}

/// Which way the arrow points, and whether all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sent,
    Received,
    /// It was sent, and did not leave.
    Unsent,
    Quiet,
}

impl Kind {
    const fn of(event: &Event) -> Self {
        match event {
            Event::Sent { .. } | Event::KernelReset(..) => Self::Sent,
            Event::Received { .. } | Event::Unreadable(_) | Event::Icmp { .. } => Self::Received,
            Event::Unsent { .. } => Self::Unsent,
            Event::Quiet => Self::Quiet,
        }
    }

    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Unsent => "unsent",
            Self::Quiet => "quiet",
        }
    }

    /// What the arrow says, for who does not see it.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Sent => "local to remote",
            Self::Received => "remote to local",
            Self::Unsent => "local, not sent",
            Self::Quiet => "local, no segment",
        }
    }
}

impl Rung {
    /// The rung of the step with this index, if there is one.
    pub(super) fn of(shown: &Shown<'_>, at: usize) -> Option<Self> {
        let step = shown.exchange.steps.get(at)?;
        let state_of_remote = |at: usize| shown.exchange.remote.get(at).copied().flatten();
        let before = at.checked_sub(1).and_then(state_of_remote);
        let remote = state_of_remote(at).filter(|after| before != Some(*after)).map(State::name);
        let said = shown.sentences.get(at).and_then(Option::as_deref).map(clean);
        let note = words::remark(step).map(|remark| as_sentence(&remark));
        let (sentence, rule) = match (said.or(note), step.clause) {
            (Some(said), clause) => (said, clause.map(|clause| (clause.section(), Some(clause.text())))),
            (None, Some(clause)) => (as_sentence(clause.text()), Some((clause.section(), None))),
            (None, None) => (String::new(), None),
        };
        let segment = words::segment(&step.event);
        Some(Self {
            n: step.n,
            at: millis(step.at),
            kind: Kind::of(&step.event),
            label: words::label(&step.event).unwrap_or_else(|| "no segment".to_owned()),
            sizes: segment.map(|(segment, _)| words::sizes(segment)).unwrap_or_default(),
            details: details(&step.event),
            local: entered(step),
            remote,
            sentence,
            rule,
        })
    }

    /// Whether it is the kind that ends things.
    pub(super) fn resets(&self) -> bool {
        self.label.contains("RST")
    }
}

fn entered(step: &Step) -> Vec<&'static str> {
    let walked: Vec<_> = step.arrows.iter().map(|arrow| arrow.to.name()).collect();
    if walked.is_empty() && step.state != step.before.state { vec![step.state.name()] } else { walked }
}

/// Numbers, options, text.
fn details(event: &Event) -> Vec<String> {
    let segment = words::segment(event);
    let numbers = segment.map(|(segment, relative)| words::numbers(segment, relative));
    let options = segment.map(|(segment, _)| segment.options).filter(|options| !options.is_empty());
    let options = options.map(|options| options.to_string().replace(',', ", "));
    [numbers, options, words::text(event)].into_iter().flatten().collect()
}
