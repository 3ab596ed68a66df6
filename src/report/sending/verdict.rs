//! The closing lines.

use std::fmt::Write;

use super::Format;
use crate::record::sending::{News, Sum};
use crate::report::text::millis;
use crate::report::verdict::{DOT, alarms_of, held_back, target};

/// Prints no rung, only how it ended.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    target: String,
}

/// What it took: only what there is to tell.
pub(super) fn facts(sum: &Sum) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(sum.first_answer.map(|waited| format!("first answer after {} ms", millis(waited))));
    facts.push(format!("{} sent", sum.sent));
    facts.push(format!("{} {}", sum.answers, if sum.answers == 1 { "answer" } else { "answers" }));
    facts.push(held_back(sum.held_back));
    facts
}

/// What the reader should know beyond the verdict, a line each.
pub(super) fn remarks(sum: &Sum) -> Vec<String> {
    let mut remarks = alarms_of(sum.kernel_resets, sum.packets_lost, sum.guard_lost);
    remarks.extend(sum.noted.map(|error| format!("noted on the way: {error}")));
    remarks
}

impl Format for Closing {
    fn write(&mut self, news: &News, out: &mut String) {
        match news {
            News::Begin(opening) => self.target = target(opening),
            News::End(sum) => {
                let facts = [facts(sum), remarks(sum)].concat().join(DOT);
                let _ = writeln!(out, "{}: {}{DOT}{facts}", self.target, sum.verdict);
            }
            News::Rung(_) | News::Failed(_) => {}
        }
    }
}
