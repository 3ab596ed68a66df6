//! An exchange on the page, with everything about it that needs no script.

use super::numbers::{self, Line};
use super::rung::Rung;
use super::{Shown, data, diagram};
use crate::record::connection::Source;
use crate::record::{Role, Summary};
use crate::report::{agreed, verdict};

/// An exchange as the template sees it.
#[derive(Debug)]
pub(super) struct Section {
    /// From 1: sets the names in it apart from those of the others.
    pub(super) number: usize,
    pub(super) heading: String,
    pub(super) ends: [End; 2],
    pub(super) rungs: Vec<Rung>,
    /// Steps that are not on the page.
    pub(super) left_out: usize,
    /// What was agreed on.
    pub(super) agreed: Vec<String>,
    pub(super) result: Option<Verdict>,
    /// JSON, tamed.
    pub(super) data: String,
}

/// One of the two ends.
#[derive(Debug)]
pub(super) struct End {
    /// `local`, `remote`: names in the style sheet and the script.
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    /// What the reader must know about where its state comes from.
    pub(super) source: &'static str,
    /// The box it is in at the end.
    pub(super) last: Option<&'static str>,
    pub(super) line: Line,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) words: String,
    pub(super) class: &'static str,
    pub(super) facts: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// Steps of an exchange that fit a page somebody would read.
const MOST_STEPS: usize = 500;

impl Section {
    pub(super) fn of(shown: &Shown<'_>, number: usize) -> Self {
        let exchange = shown.exchange;
        let steps = exchange.steps.get(..MOST_STEPS).unwrap_or(&exchange.steps);
        let [local_line, remote_line] = numbers::lines(steps);
        let last = |walks: Vec<Vec<&'static str>>| walks.last().and_then(|walk| walk.last().copied());
        let (ours, theirs) = match exchange.opening.role {
            Role::Active => ("Local, the client", "Remote, the server"),
            Role::Passive => ("Local, the server", "Remote, the client"),
        };
        let local = End {
            name: "local",
            heading: ours,
            source: match exchange.opening.source {
                Source::Ourselves => "as it was",
                Source::Capture => "inferred from its segments",
            },
            last: last(diagram::local(steps)),
            line: local_line,
        };
        let remote = End {
            name: "remote",
            heading: theirs,
            source: "inferred from its segments",
            last: last(diagram::remote(exchange.remote.get(..steps.len()).unwrap_or(&exchange.remote))),
            line: remote_line,
        };
        Self {
            number,
            heading: format!("{} → {}", exchange.opening.local, verdict::target(&exchange.opening)),
            ends: [local, remote],
            rungs: (0..steps.len()).filter_map(|at| Rung::of(shown, at)).collect(),
            left_out: exchange.steps.len() - steps.len(),
            agreed: exchange
                .negotiation
                .as_ref()
                .map(|agreed| agreed::sentences(agreed, exchange.opening.source))
                .unwrap_or_default(),
            result: exchange.summary.as_ref().map(Verdict::of),
            data: data::json(exchange, steps),
        }
    }
}

impl Verdict {
    fn of(summary: &Summary) -> Self {
        Self {
            words: summary.outcome.to_string(),
            class: if summary.is_as_asked() { "good" } else { "bad" },
            facts: verdict::facts(summary),
            remarks: verdict::remarks(summary),
        }
    }
}
