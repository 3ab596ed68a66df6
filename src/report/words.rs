//! What pictures and recordings say of a step in few words, all of them the same.

use super::canvas::Numbers;
use super::rungs::quote;
use super::text::{clean, short};
use super::verdict::DOT;
use crate::record::{Event, IcmpEffect, Relative, Step};
use crate::tcp::{Flags, Segment};

/// The states a step leads through: `SYN-SENT to ESTABLISHED`, or the one it leaves as it was.
pub(super) fn states(step: &Step) -> String {
    let mut arrows = step.arrows.iter().peekable();
    let Some(first) = arrows.peek() else { return step.state.name().to_owned() };
    let first = first.from.name().to_owned();
    arrows.fold(first, |states, arrow| format!("{states} to {}", arrow.to.name()))
}

/// What is on a step's arrow: the control bits, and what became of the segment if it is no usual one.
pub(super) fn label(event: &Event) -> Option<String> {
    match event {
        Event::Sent { segment, retransmission: 0, .. } | Event::Received { segment, .. } => {
            Some(segment.flags.to_string())
        }
        Event::Sent { segment, .. } => Some(format!("{} again", segment.flags)),
        Event::Unsent { segment, .. } => Some(format!("{} not sent", segment.flags)),
        Event::KernelReset(segment, _) => Some(format!("{} by the kernel", segment.flags)),
        Event::Unreadable(_) => Some("unreadable".to_owned()),
        Event::Icmp { error, .. } => Some(format!("ICMP {}/{}", error.kind, error.code)),
        Event::Quiet => None,
    }
}

/// `seq 4322 (1) · ack 9001 (1)`, the numbers in parentheses counted from the initial ones.
pub(super) fn numbers(segment: &Segment, relative: &Relative) -> String {
    let mut numbers = vec![format!("seq {}", Numbers::Both.show(segment.seq.0, relative.seq))];
    let ack = segment.acknowledgment();
    numbers.extend(ack.map(|ack| format!("ack {}", Numbers::Both.show(ack.0, relative.ack))));
    numbers.extend(segment.has(Flags::URG).then(|| format!("urg {}", segment.urgent)));
    numbers.join(DOT)
}

/// `len 5 · win 64240`.
pub(super) fn sizes(segment: &Segment) -> String {
    format!("len {}{DOT}win {}", segment.text_len, segment.window.0)
}

/// A step's segment and its relative numbers.
pub(super) const fn segment(event: &Event) -> Option<(&Segment, &Relative)> {
    match event {
        Event::Sent { segment, relative, .. }
        | Event::Received { segment, relative, .. }
        | Event::Unsent { segment, relative, .. }
        | Event::KernelReset(segment, relative) => Some((segment, relative)),
        Event::Unreadable(_) | Event::Icmp { .. } | Event::Quiet => None,
    }
}

/// The beginning of the text a step carries, in quotes.
pub(super) fn text(event: &Event) -> Option<String> {
    let (segment, text) = match event {
        Event::Sent { segment, text, .. } | Event::Received { segment, text, .. } => (segment, text),
        Event::Unsent { .. }
        | Event::Unreadable(_)
        | Event::Icmp { .. }
        | Event::KernelReset(..)
        | Event::Quiet => return None,
    };
    (segment.text_len > 0).then(|| quote(text, segment.text_len))
}

/// What is out of the ordinary about a step.
pub(super) fn remark(step: &Step) -> Option<String> {
    if let Some(remark) = step.seen.and_then(|seen| seen.remark) {
        return Some(remark.to_string());
    }
    match &step.event {
        Event::Sent { retransmission: 0, .. } | Event::Received { .. } | Event::Quiet => {
            step.clause.filter(|clause| !clause.is_routine()).map(|clause| clause.text().to_owned())
        }
        Event::Sent { retransmission, .. } => Some(format!(
            "no answer yet: retransmission {retransmission}, the next after {}",
            short(step.view.rto)
        )),
        Event::Unsent { why, .. } => Some(clean(why)),
        Event::Unreadable(error) => Some(format!("ignored: {error}")),
        Event::Icmp { error, effect } => {
            Some(format!("{}, from {}{}", error.meaning(), error.from, self::effect(*effect)))
        }
        Event::KernelReset(..) => {
            Some("sent by the kernel of this machine: no guard held it back".to_owned())
        }
    }
}

/// What an ICMP error did, behind what it is.
pub(super) const fn effect(effect: IcmpEffect) -> &'static str {
    match effect {
        IcmpEffect::Fatal => ": given up",
        IcmpEffect::Noted => ": noted, it may pass",
        IcmpEffect::NotOurs => ": ignored, it quotes no number under way",
    }
}

/// The rule that decided.
pub(super) fn rule(step: &Step) -> Option<String> {
    step.clause.map(|clause| format!("{}: {}", clause.section(), clause.text()))
}
