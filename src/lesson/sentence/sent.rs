//! What we send, and why.

use std::fmt::Write;
use std::time::Duration;

use super::{Teller, fin_number, name, numbers, octets, one_more, rule};
use crate::tcp::{Clause, Flags, Segment, State};

impl Teller<'_> {
    pub(super) fn sent(&self, segment: &Segment, retransmission: u8) -> String {
        let Some(clause) = self.step.clause else {
            if self.step.seen.is_some() {
                return self.seen(["We", "send", "expect"], segment);
            }
            return format!(
                "We meet the peer's SYN with ours, number {}, whatever became of the one before.",
                segment.seq
            );
        };
        if retransmission > 0 {
            return self.again(clause, segment);
        }
        format!("{}{}", self.first(clause, segment), beside(clause, segment))
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn first(&self, clause: Clause, segment: &Segment) -> String {
        let (they, capital) = (self.they, self.capital);
        let (seq, ack) = (segment.seq, segment.ack);
        match clause {
            Clause::ActiveOpen => format!(
                "We ask to open. SYN carries our initial sequence number, {seq}, and takes one number itself."
            ),
            Clause::SynSentOpened => format!(
                "We acknowledge {they}'s {}. Both sides know both numbers now: the connection is open.",
                one_more(ack)
            ),
            Clause::SynSentCrossed => format!(
                "We acknowledge the peer's {}, with our SYN once more: same number, {seq}. Both sides do that.",
                one_more(ack)
            ),
            Clause::SynAckCrossed => format!(
                "We acknowledge the peer's {} once more, for it repeated its SYN with it.",
                one_more(ack)
            ),
            Clause::ListenTakesSyn | Clause::SynRepeated => format!(
                "We agree. Our own initial number is {seq}. We acknowledge {}, because {they}'s SYN took one number.",
                one_more(ack)
            ),
            Clause::ListenSplits if segment.has(Flags::SYN) => format!(
                "Our SYN, number {seq}, apart from the ACK: to {they} it looks as if both sides had opened at once."
            ),
            Clause::ListenSplits => format!("We acknowledge {they}'s SYN alone, {}.", one_more(ack)),
            Clause::Send if segment.text_len > 0 => {
                format!("We send {}, {}.", octets(segment.text_len), numbers(segment))
            }
            Clause::Send if segment.has(Flags::FIN) => {
                format!("All text has left, and now our FIN can: it takes number {}.", fin_number(segment))
            }
            Clause::Close if self.step.state == State::LastAck => {
                format!("Now we have nothing more to send either: our FIN takes number {}.", fin_number(segment))
            }
            Clause::Close if segment.has(Flags::FIN) => format!(
                "We have nothing more to send: FIN. Like SYN it takes one number, {}.",
                fin_number(segment)
            ),
            Clause::Abort => "We end it at once: RST. Nothing answers a RST.".to_owned(),
            Clause::UserTimeout => {
                format!("Our patience is over. RST tells {they}, if it is still there, that we are gone.")
            }
            Clause::TextAccepted | Clause::TextFillsGap => {
                format!("We have everything up to {}, and expect {ack} next.", ack - 1)
            }
            Clause::TextHeld | Clause::TextOutOfOrder | Clause::FinOutOfOrder => format!(
                "We say once more that we wait for {ack}: so {they} learns of the gap."
            ),
            Clause::TextAfterFin | Clause::FinAgain => {
                format!("We say once more that we have everything up to its FIN: {}.", one_more(ack))
            }
            Clause::FinAccepted => self.acknowledges_fin(segment),
            Clause::FinRepeated => format!("We acknowledge its FIN again: {}.", one_more(ack)),
            Clause::SeqUnacceptable | Clause::AckOutOfRange | Clause::PawsOld => {
                format!("We say where we are: our next number is {seq}, and we expect {ack}.")
            }
            Clause::RstChallenged | Clause::SynChallenged => format!(
                "A challenge ACK: we are at {seq}, and expect {ack}. If {they} has really lost the connection, it answers with a RST of exactly that number. Who only guesses does not see this."
            ),
            Clause::SynSentBadAck | Clause::AckOfUnsentOpening => format!(
                "RST, with the number that {they} expects next, {seq}, taken from its own ACK. So it counts over there, and ends whatever {they} believed in. Our SYN stays under way."
            ),
            Clause::ListenRefusesAck | Clause::ClosedSendsRst => {
                "RST: we have no such connection. Its numbers come from the segment it answers, so that it counts over there.".to_owned()
            }
            Clause::WindowUpdate => format!(
                "We have read, and there is room again: from {ack} on we take {}.",
                octets(self.step.view.rcv.wnd.get())
            ),
            Clause::ZeroWindowProbe => format!(
                "{capital}'s window is 0, and we have more to send. One octet, number {seq}, asks whether it still is."
            ),
            Clause::SillyWindowTimeout => format!(
                "{capital}'s window has stayed small. Instead of waiting on we send what fits: {}.",
                octets(segment.text_len)
            ),
            Clause::AckAdvances
            | Clause::AckRepeats
            | Clause::AckOpens
            | Clause::AckOfFin
            | Clause::AckOfFinClosing
            | Clause::AckOfFinLast => format!("We are at {seq}, and expect {ack} next."),
            Clause::PassiveOpen
            | Clause::Send
            | Clause::Close
            | Clause::CloseQueued
            | Clause::CloseUnopened
            | Clause::AbortSilently
            | Clause::ClosedDiscardsRst
            | Clause::ListenIgnoresRst
            | Clause::SynCookie
            | Clause::ListenDrops
            | Clause::SynSentBadAckRst
            | Clause::SynSentRefused
            | Clause::SynSentRstWithoutAck
            | Clause::SynSentDrops
            | Clause::TimestampMissing
            | Clause::SeqUnacceptableRst
            | Clause::RstReturnsToListen
            | Clause::RstRefuses
            | Clause::RstResets
            | Clause::RstFromElsewhere
            | Clause::RstEndsClosing
            | Clause::SynReturnsToListen
            | Clause::AckMissing
            | Clause::ChallengeThrottled
            | Clause::FastRetransmit
            | Clause::LossRecovery
            | Clause::PathNarrow
            | Clause::TailLossProbe
            | Clause::RetransmissionTimeout
            | Clause::RetransmissionLimit
            | Clause::IcmpEndsOpening
            | Clause::TimeWaitTimeout => rule(clause),
        }
    }

    /// The answer to a FIN.
    fn acknowledges_fin(&self, segment: &Segment) -> String {
        let (they, acknowledged) = (self.they, one_more(segment.ack));
        let acknowledge = format!("We acknowledge {they}'s FIN: {acknowledged}.");
        let then = match self.step.state {
            State::TimeWait => {
                " Closed both ways. We stay in TIME-WAIT for a while: should this ACK be lost, the FIN comes again."
                    .to_owned()
            }
            State::CloseWait => format!(" We could still send; {they} cannot."),
            State::Closing => " Ours is still to be acknowledged.".to_owned(),
            State::LastAck => " Only the acknowledgment of ours is missing.".to_owned(),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2 => String::new(),
        };
        acknowledge + &then
    }

    /// The same numbers as before.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most rules send nothing twice")]
    fn again(&self, clause: Clause, segment: &Segment) -> String {
        let (they, what) = (self.they, described(segment));
        match clause {
            Clause::RetransmissionTimeout => format!(
                "No acknowledgment of it in time: we send {what} again, and now wait for {}.",
                seconds(self.step.view.rto)
            ),
            Clause::ZeroWindowProbe => format!(
                "{}'s window was 0 when it answered last. We ask again with {what}, and wait longer each time.",
                self.capital
            ),
            Clause::FastRetransmit => format!(
                "What came behind it has arrived, so it is lost: we send {what} again, without waiting for the timer."
            ),
            Clause::LossRecovery => format!("The next that is missing over there: we send {what} again."),
            Clause::PathNarrow => {
                format!(
                    "A router on the way has no room for segments so large. We send {what} again, in smaller ones."
                )
            }
            Clause::TailLossProbe => format!(
                "Nothing has come back for two round trips. We send {what} again, long before the timer would."
            ),
            Clause::SynRepeated => format!("We send {what} again: {they} did not get the one before."),
            _ => format!("We send {what} again."),
        }
    }
}

/// What else the segment carries, which its rule does not tell.
fn beside(clause: Clause, segment: &Segment) -> String {
    let mut beside = String::new();
    let tells_text = matches!(clause, Clause::Send | Clause::ZeroWindowProbe | Clause::SillyWindowTimeout);
    if segment.text_len > 0 && !tells_text {
        let _ = write!(
            beside,
            " The segment carries {} of ours, too, {}.",
            octets(segment.text_len),
            numbers(segment)
        );
    }
    let tells_fin = clause == Clause::Close || (clause == Clause::Send && segment.text_len == 0);
    if segment.has(Flags::FIN) && !tells_fin {
        let _ = write!(beside, " Our FIN goes with it: it takes number {}.", fin_number(segment));
    }
    beside
}

/// A segment by its numbers.
fn described(segment: &Segment) -> String {
    match segment.text_len {
        0 => format!("the {} with number {}", name(segment), segment.seq),
        1 => format!("octet {}", segment.text_seq()),
        len => format!("octets {} to {}", segment.text_seq(), segment.text_seq() + (len - 1)),
    }
}

/// A time of whole or broken seconds.
fn seconds(time: Duration) -> String {
    const SECOND: Duration = Duration::from_secs(1);
    if time == SECOND {
        "1 second".to_owned()
    } else {
        format!("{} seconds", time.as_millis() as f64 / 1000.0)
    }
}
