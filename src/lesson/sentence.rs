//! A sentence or two for each step, with its own numbers.

mod received;
mod sent;

use crate::record::{Event, IcmpEffect, Role, Step};
use crate::tcp::{Clause, Flags, Segment, SeqNum, State};

/// What the step means, said to the end that `role` makes us.
pub fn sentence(role: Role, step: &Step) -> String {
    let teller = Teller::new(role, step);
    match &step.event {
        Event::Sent { segment, retransmission, .. } => teller.sent(segment, *retransmission),
        Event::Received { segment, .. } => teller.received(segment),
        Event::Unsent { segment, .. } => format!(
            "Our {} did not leave this machine. It counts as lost: what takes a number is sent again.",
            name(segment)
        ),
        Event::Unreadable(_) => {
            "This packet cannot be read. It is ignored, as if it had been lost: who sent it will send it again.".to_owned()
        }
        Event::Icmp { error, effect } => icmp(error.meaning(), error.mtu, *effect),
        Event::KernelReset(segment, _) => teller.kernel_reset(segment),
        Event::Quiet => teller.quiet(),
    }
}

/// Tells of one step.
struct Teller<'s> {
    step: &'s Step,
    /// The other end, in the middle of a sentence.
    they: &'static str,
    /// And at its beginning.
    capital: &'static str,
}

impl<'s> Teller<'s> {
    const fn new(role: Role, step: &'s Step) -> Self {
        let (they, capital) = match role {
            Role::Active => ("the server", "The server"),
            Role::Passive => ("the client", "The client"),
        };
        Self { step, they, capital }
    }

    /// The number that was expected next when the step began.
    const fn expected(&self) -> SeqNum {
        self.step.before.view.rcv.nxt
    }

    /// Of a capture, where no one rule explains the segment: what it carries, and what is out of the ordinary with it.
    fn seen(&self, [who, send, expect]: [&str; 3], segment: &Segment) -> String {
        let carried = match segment.text_len {
            0 => format!("{} with number {}", name(segment), segment.seq),
            len => format!("{} with {}, {}", name(segment), octets(len), numbers(segment)),
        };
        let acknowledged = segment.acknowledgment().map(|ack| format!(", and {expect} {ack} next"));
        let acknowledged = acknowledged.filter(|_| !segment.has(Flags::RST)).unwrap_or_default();
        let remark = self.step.seen.and_then(|seen| seen.remark);
        let remark =
            remark.map(|remark| format!(" {}", as_sentence(&remark.to_string()))).unwrap_or_default();
        format!("{who} {send} {carried}{acknowledged}.{remark}")
    }

    /// Whether the step walked an arrow to this state.
    fn enters(&self, state: State) -> bool {
        self.step.arrows.iter().any(|arrow| arrow.to == state)
    }

    fn kernel_reset(&self, segment: &Segment) -> String {
        format!(
            "The kernel of this machine has no connection that {}'s segment could belong to, and no guard holds it back: it answers with RST, number {}.",
            self.they, segment.seq
        )
    }

    /// A timer, a limit, or a call that sends nothing.
    fn quiet(&self) -> String {
        let they = self.they;
        match self.step.clause {
            Some(Clause::PassiveOpen) => "We wait in LISTEN for a SYN.".to_owned(),
            Some(Clause::RetransmissionLimit) => {
                format!("We have sent it as often as we may, and {they} has not acknowledged it: we give up.")
            }
            Some(Clause::UserTimeout) => "Our patience is over: we give up.".to_owned(),
            Some(Clause::TimeWaitTimeout) => {
                "2 MSL are over: nothing of this connection can be on its way any more. The two ports may be used again.".to_owned()
            }
            Some(Clause::Close) => {
                "We have nothing more to send. The FIN waits behind text that has not left yet.".to_owned()
            }
            Some(Clause::AbortSilently) => {
                format!("We forget the connection. No RST is needed: {they} has no use for one in this state.")
            }
            Some(Clause::IcmpEndsOpening) => {
                "The network says that nothing can come of it, and the open is not complete: we give up.".to_owned()
            }
            Some(Clause::SynCookie) => format!(
                "We had kept nothing of the SYN. All there was to know stood in our SYN,ACK, and {they}'s ACK has brought it back."
            ),
            Some(clause) => rule(clause),
            None => "Nothing is sent, and nothing comes.".to_owned(),
        }
    }
}

fn icmp(meaning: &str, mtu: Option<u32>, effect: IcmpEffect) -> String {
    match (effect, mtu) {
        (IcmpEffect::Fatal, _) => format!(
            "A router, or the host itself, says: {meaning}. It quotes the number we have under way, and the connection is not open: that ends it."
        ),
        (IcmpEffect::Noted, Some(mtu)) => format!(
            "A router says: {meaning}. Its next link takes packets of {mtu} octets; once the connection is open, ours are no larger."
        ),
        (IcmpEffect::Noted, None) => {
            format!("A router, or the host itself, says: {meaning}. That may pass, so we go on, and note it.")
        }
        (IcmpEffect::NotOurs, _) => format!(
            "An ICMP error says: {meaning}. But it quotes a number that we have not under way: anybody could have made it up."
        ),
    }
}

/// The rule itself, as a sentence: where nothing can be added to it.
fn rule(clause: Clause) -> String {
    as_sentence(clause.text())
}

/// Words that say something, with a capital and a full stop.
pub fn as_sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What a segment is, in a word or two.
fn name(segment: &Segment) -> &'static str {
    let has = |flags| segment.has(flags);
    if has(Flags::RST) {
        "RST"
    } else if has(Flags::SYN | Flags::ACK) {
        "SYN,ACK"
    } else if has(Flags::SYN) {
        "SYN"
    } else if has(Flags::FIN) {
        "FIN"
    } else if segment.text_len > 0 {
        "text"
    } else if has(Flags::ACK) {
        "ACK"
    } else {
        "segment"
    }
}

fn octets(count: u32) -> String {
    if count == 1 { "1 octet".to_owned() } else { format!("{count} octets") }
}

/// The numbers of a segment's text.
fn numbers(segment: &Segment) -> String {
    let first = segment.text_seq();
    match segment.text_len {
        1 => format!("number {first}"),
        len => format!("numbered {first} to {}", first + (len.max(1) - 1)),
    }
}

/// The number of a segment's FIN.
fn fin_number(segment: &Segment) -> SeqNum {
    segment.end() - 1
}

/// `4321 + 1 = 4322`.
fn one_more(number: SeqNum) -> String {
    format!("{} + 1 = {number}", number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::DecodeError;
    use crate::packet::icmp::{IcmpError, IcmpVersion};
    use crate::record::{Excerpt, Relative, Standing, View};
    use crate::tcp::Arrows;

    fn step(event: Event, clause: Option<Clause>, state: State) -> Step {
        Step {
            exchange: 1,
            n: 1,
            at: std::time::Duration::ZERO,
            event,
            arrows: Arrows::default(),
            state,
            clause,
            view: View::default(),
            before: Standing::default(),
            packet: Box::default(),
            since_1970: std::time::Duration::ZERO,
            seen: None,
            late: false,
        }
    }

    fn sent(segment: Segment, retransmission: u8) -> Event {
        let (relative, text) = (Relative::default(), Excerpt::default());
        Event::Sent { segment, relative, text, retransmission }
    }

    fn received(segment: Segment) -> Event {
        Event::Received { segment, relative: Relative::default(), text: Excerpt::default(), ttl: 64 }
    }

    fn is_a_sentence(text: &str) -> bool {
        let begins = text.chars().next().is_some_and(|first| first.is_uppercase() || first.is_ascii_digit());
        begins && text.ends_with('.') && !text.contains("..") && !text.contains("  ") && text.len() < 330
    }

    /// The textbook: SYN 4321 is acknowledged with 4322.
    #[test]
    fn the_server_acknowledges_4321_plus_1() {
        let (flags, seq, ack) = (Flags::SYN | Flags::ACK, SeqNum(9000), SeqNum(4322));
        let syn_ack = received(Segment { seq, ack, flags, ..Segment::default() });
        let mut step = step(syn_ack, Some(Clause::SynSentOpened), State::Established);
        step.view.snd.iss = SeqNum(4321);
        let words = sentence(Role::Active, &step);
        assert!(words.contains("The server") && words.contains("4321 + 1 = 4322"), "{words}");
    }

    #[test]
    fn a_number_at_the_wrap_is_counted_round() {
        assert_eq!(one_more(SeqNum(0)), "4294967295 + 1 = 0");
        let text = Segment { seq: SeqNum(u32::MAX), text_len: 2, ..Segment::default() };
        assert_eq!(numbers(&text), "numbered 4294967295 to 0");
    }

    /// Whatever the rule, the state, the segment and our role.
    #[test]
    fn every_step_has_a_sentence_of_its_rule() {
        let segment = |flags, text_len| Segment { flags, text_len, ..Segment::default() };
        let segments: Vec<Segment> = [0, 1, 5]
            .into_iter()
            .flat_map(|len| (0..0x20).map(move |bits| segment(Flags::from_bits(bits), len)))
            .collect();
        for clause in Clause::ALL {
            for state in State::ALL {
                let events = segments.iter().flat_map(|s| [sent(*s, 0), sent(*s, 1), received(*s)]);
                for event in events.chain([Event::Quiet]) {
                    for role in [Role::Active, Role::Passive] {
                        let step = step(event.clone(), Some(*clause), state);
                        let words = sentence(role, &step);
                        assert!(is_a_sentence(&words), "{clause:?} {state} {step:?}: {words}");
                        let other = if role == Role::Active { "client" } else { "server" };
                        assert!(!words.contains(other) || clause.text().contains(other), "{words}");
                    }
                }
            }
        }
    }

    #[test]
    fn steps_without_a_rule_have_a_sentence_too() {
        let error = IcmpError {
            version: IcmpVersion::V4,
            kind: 3,
            code: 1,
            from: [10, 0, 0, 1].into(),
            local: "10.0.0.2:40000".parse().unwrap(),
            remote: "10.0.0.3:7".parse().unwrap(),
            seq: SeqNum(0),
            mtu: None,
        };
        let large = IcmpError { code: 4, mtu: Some(1400), ..error };
        let effects = [IcmpEffect::Fatal, IcmpEffect::Noted, IcmpEffect::NotOurs];
        let icmp = [error, large].map(|error| effects.map(|effect| Event::Icmp { error, effect })).concat();
        let segment = Segment::default();
        let others = [
            Event::KernelReset(segment, Relative::default()),
            Event::Unsent { segment, relative: Relative::default(), why: String::new() },
            Event::Unreadable(DecodeError::Fragment),
            Event::Quiet,
            sent(segment, 0),
            received(segment),
        ];
        for event in others.into_iter().chain(icmp) {
            let words = sentence(Role::Active, &step(event, None, State::SynSent));
            assert!(is_a_sentence(&words), "{words}");
        }
    }
}
