//! The words: what each step means, said plainly, with its own numbers.

use crate::record::{Event, Step};
use crate::tcp::{Clause, Flags, Segment, State};

/// One sentence, or two, for a step of an ordinary exchange; `None` where there is nothing to teach.
pub fn sentence(step: &Step) -> Option<String> {
    let clause = step.clause?;
    match &step.event {
        Event::Sent { segment, retransmission: 0, .. } => sent(segment, clause, step.state),
        Event::Received { segment, .. } => received(segment, clause),
        Event::Sent { .. }
        | Event::Unsent { .. }
        | Event::Unreadable(_)
        | Event::Icmp { .. }
        | Event::KernelReset(..)
        | Event::Quiet => None,
    }
}

fn sent(segment: &Segment, clause: Clause, state: State) -> Option<String> {
    let (seq, text_len) = (segment.seq, segment.text_len);
    let expected = segment.ack;
    let taken = expected - 1;
    Some(match (clause, state) {
        (Clause::ActiveOpen, _) => format!(
            "We ask to open. SYN carries our initial sequence number, {seq}, and takes one number itself."
        ),
        (Clause::SynSentOpened, _) => format!(
            "We acknowledge the server's {taken} + 1 = {expected}. Both sides know both numbers now: the connection is open."
        ),
        (Clause::Send, _) if text_len > 0 => {
            format!("We send {text_len} octets, numbered {seq} to {}.", seq + (text_len - 1))
        }
        (Clause::TextAccepted, _) => format!("We have them all, and expect {expected} next."),
        (Clause::Close, State::LastAck) => {
            format!("Now we have nothing more to send either: our FIN takes number {seq}.")
        }
        (Clause::Close, _) => {
            format!("We have nothing more to send: FIN. Like SYN it takes one number, {seq}.")
        }
        (Clause::FinAccepted, State::TimeWait) => format!(
            "We acknowledge {taken} + 1 = {expected}. Closed both ways. We stay in TIME-WAIT for a while: should this ACK be lost, the FIN comes again."
        ),
        (Clause::FinAccepted, State::CloseWait) => {
            format!("We acknowledge {taken} + 1 = {expected}. We could still send; the server cannot.")
        }
        (Clause::Abort, _) => "We end it at once: RST. Nothing answers a RST.".to_owned(),
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "there is no lesson in every rule")]
fn received(segment: &Segment, clause: Clause) -> Option<String> {
    let (seq, ack, text_len) = (segment.seq, segment.ack, segment.text_len);
    let ours = ack - 1;
    let acknowledges_fin = segment.has(Flags::FIN | Flags::ACK);
    Some(match clause {
        Clause::SynSentOpened => format!(
            "The server agrees. Its own initial number is {seq}. It acknowledges {ours} + 1 = {ack}, because our SYN took one number."
        ),
        Clause::TextAccepted => format!(
            "The server sends {text_len} octets, numbered {seq} to {}, and acknowledges ours: it expects {ack} next.",
            segment.text_seq() + (text_len - 1)
        ),
        Clause::AckAdvances => format!("The server has everything up to {ours}, and expects {ack} next."),
        Clause::AckOfFin => format!(
            "The server acknowledges our FIN: {ours} + 1 = {ack}. Our side is closed; the server may still send."
        ),
        Clause::FinAccepted if acknowledges_fin => {
            format!("The server has nothing more to send: its FIN takes number {}.", segment.end() - 1)
        }
        Clause::AckOfFinLast => format!("The server acknowledges our FIN: {ours} + 1 = {ack}. Closed."),
        Clause::SynSentRefused => {
            "The server refuses: nobody listens on that port, so its kernel answers RST.".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::SeqNum;

    /// The textbook: SYN 4321 is acknowledged with 4322.
    #[test]
    fn the_server_acknowledges_4321_plus_1() {
        let syn_ack = Segment {
            seq: SeqNum(9000),
            ack: SeqNum(4322),
            flags: Flags::SYN | Flags::ACK,
            ..Segment::default()
        };
        let words = received(&syn_ack, Clause::SynSentOpened).unwrap();
        assert!(words.contains("4321 + 1 = 4322"), "{words}");
    }

    #[test]
    fn a_number_at_the_wrap_is_counted_round() {
        let ack = Segment { ack: SeqNum(0), flags: Flags::ACK, ..Segment::default() };
        let words = sent(&ack, Clause::SynSentOpened, State::Established).unwrap();
        assert!(words.contains("4294967295 + 1 = 0"), "{words}");
    }
}
