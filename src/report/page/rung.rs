//! A rung of the page's ladder, in words.

use std::fmt::Write;

use super::Shown;
use crate::record::{Event, Excerpt, IcmpEffect, Relative, Step};
use crate::report::canvas::Numbers;
use crate::report::rungs::quote;
use crate::report::text::{clean, millis};
use crate::tcp::{Flags, Segment, State};

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
        let told = Told::of(&step.event);
        let (sentence, rule) = match (said.or(told.note), step.clause) {
            (Some(said), clause) => (said, clause.map(|clause| (clause.section(), Some(clause.text())))),
            (None, Some(clause)) => (sentence(clause.text()), Some((clause.section(), None))),
            (None, None) => (String::new(), None),
        };
        Some(Self {
            n: step.n,
            at: millis(step.at),
            kind: told.kind,
            label: told.label,
            sizes: told.sizes,
            details: told.details,
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

/// A rule of the state machine as a sentence.
fn sentence(rule: &str) -> String {
    let mut letters = rule.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What is told of an event.
struct Told {
    kind: Kind,
    label: String,
    sizes: String,
    details: Vec<String>,
    /// What no lesson has a sentence for.
    note: Option<String>,
}

impl Told {
    fn of(event: &Event) -> Self {
        match event {
            Event::Sent { segment, relative, text, retransmission } => {
                let again = if *retransmission > 0 { " again" } else { "" };
                let note =
                    (*retransmission > 0).then(|| format!("No answer yet: retransmission {retransmission}."));
                Self { note, ..Self::segment(Kind::Sent, segment, again, relative, text) }
            }
            Event::Received { segment, relative, text, .. } => {
                Self::segment(Kind::Received, segment, "", relative, text)
            }
            Event::Unsent { segment, relative, why } => {
                let told = Self::segment(Kind::Unsent, segment, " not sent", relative, &Excerpt::default());
                Self { note: Some(clean(why)), ..told }
            }
            Event::Unreadable(error) => {
                Self::other(Kind::Received, "unreadable", format!("Ignored: {error}."))
            }
            Event::Icmp { error, effect } => {
                let name = format!("ICMP {}/{}", error.kind, error.code);
                let meant = format!("{}, from {}: {}.", error.meaning(), error.from, words(*effect));
                Self::other(Kind::Received, &name, meant)
            }
            Event::KernelReset(segment, relative) => {
                let told =
                    Self::segment(Kind::Sent, segment, " by the kernel", relative, &Excerpt::default());
                Self { note: Some(KERNEL.to_owned()), ..told }
            }
            Event::Quiet => Self { note: None, ..Self::other(Kind::Quiet, "no segment", String::new()) },
        }
    }

    fn segment(kind: Kind, segment: &Segment, label: &str, relative: &Relative, text: &Excerpt) -> Self {
        let mut numbers = format!("seq {}", Numbers::Both.show(segment.seq.0, relative.seq));
        if let Some(ack) = segment.acknowledgment() {
            let _ = write!(numbers, " · ack {}", Numbers::Both.show(ack.0, relative.ack));
        }
        if segment.has(Flags::URG) {
            let _ = write!(numbers, " · urg {}", segment.urgent);
        }
        let options = (!segment.options.is_empty()).then(|| segment.options.to_string().replace(',', ", "));
        let text = (segment.text_len > 0).then(|| quote(text, segment.text_len));
        Self {
            kind,
            label: format!("{}{label}", segment.flags),
            sizes: format!("len {} · win {}", segment.text_len, segment.window.0),
            details: [Some(numbers), options, text].into_iter().flatten().collect(),
            note: None,
        }
    }

    fn other(kind: Kind, label: &str, note: String) -> Self {
        Self { kind, label: label.to_owned(), sizes: String::new(), details: Vec::new(), note: Some(note) }
    }
}

const KERNEL: &str =
    "Sent by the kernel, not by us: it knows nothing of this connection, and no guard held it back.";

const fn words(effect: IcmpEffect) -> &'static str {
    match effect {
        IcmpEffect::Fatal => "given up",
        IcmpEffect::Noted => "noted, it may pass",
        IcmpEffect::NotOurs => "ignored, it quotes no number under way",
    }
}
