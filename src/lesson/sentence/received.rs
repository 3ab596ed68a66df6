//! What came, and what it means.

use super::{Teller, fin_number, numbers, octets, one_more, rule};
use crate::tcp::{Clause, Flags, Segment, State};

impl Teller<'_> {
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(super) fn received(&self, segment: &Segment) -> String {
        let (they, capital) = (self.they, self.capital);
        let (seq, ack) = (segment.seq, segment.ack);
        let snd = self.step.before.view.snd;
        let expected = self.expected();
        let Some(clause) = self.step.clause else {
            if self.step.seen.is_some() {
                return self.seen([capital, "sends", "expects"], segment);
            }
            return "The peer is not there yet. We pass over its RST: both sides are to open at once."
                .to_owned();
        };
        match clause {
            Clause::SynSentOpened => self.agrees(segment),
            Clause::SynSentRefused => format!(
                "{capital} refuses. Its RST acknowledges our SYN, {}, so it is the answer to it: mostly nobody listens on that port.",
                one_more(ack)
            ),
            Clause::SynSentBadAck => format!(
                "Its acknowledgment number is {ack}, but all we have sent is our SYN, number {}: it answers something that this connection never sent.",
                snd.iss
            ),
            Clause::SynSentBadAckRst => format!(
                "A RST, but it acknowledges {ack}, and we have sent only our SYN, number {}: it is not for this connection.",
                snd.iss
            ),
            Clause::SynSentRstWithoutAck => {
                "A RST that acknowledges nothing. Anybody could have sent it who knows our ports: ignored.".to_owned()
            }
            Clause::SynSentCrossed => format!(
                "The peer has sent a SYN of its own, number {seq}, before ours reached it: the two have crossed on their way."
            ),
            Clause::SynAckCrossed => format!(
                "This is the other half: the peer acknowledges our SYN, {}, and repeats its own number, {seq}. The connection is open.",
                one_more(ack)
            ),
            Clause::ListenTakesSyn | Clause::ListenSplits => format!(
                "{capital} asks to open. Its initial sequence number is {seq}, and its SYN takes that number, so we expect {} next.",
                seq + 1
            ),
            Clause::SynRepeated => format!("{capital} sends its SYN again, number {seq}: our SYN,ACK has not reached it."),
            Clause::AckOpens => format!(
                "{capital} acknowledges our SYN: {}. Both sides know both numbers now: the connection is open.",
                one_more(snd.iss + 1)
            ),
            Clause::AckAdvances => self.acknowledges(segment),
            Clause::AckRepeats => self.repeats(segment),
            Clause::AckOfFin => format!(
                "{capital} acknowledges our FIN: {}. Our side is closed; {they} may still send.",
                one_more(ack)
            ),
            Clause::AckOfFinClosing => format!(
                "{capital} acknowledges our FIN: {}. Both sides are closed. Both closed first, so we, too, stay in TIME-WAIT.",
                one_more(ack)
            ),
            Clause::AckOfFinLast => {
                format!("{capital} acknowledges our FIN: {}. Closed, and nothing to wait for.", one_more(ack))
            }
            Clause::TextAccepted => self.brings_text(segment),
            Clause::TextHeld => format!(
                "These {} are {}, but {expected} is still missing. We keep them until it comes.",
                octets(segment.text_len),
                numbers(segment)
            ),
            Clause::TextOutOfOrder => format!(
                "These {} are {}, but {expected} is still missing, and there is no room to keep them: they must come again.",
                octets(segment.text_len),
                numbers(segment)
            ),
            Clause::TextFillsGap => format!(
                "Number {expected} was missing, and here it is. With what was kept behind it we have everything up to {}.",
                self.step.view.rcv.nxt - 1
            ),
            Clause::TextAfterFin => format!(
                "Text, but {they} had closed its side: there can be no text behind a FIN. It is not taken."
            ),
            Clause::FinAccepted => self.brings_fin(segment),
            Clause::FinOutOfOrder => format!(
                "A FIN, number {}, but {expected} is still missing in front of it: it counts when that has come.",
                fin_number(segment)
            ),
            Clause::FinRepeated => format!(
                "{capital} sends its FIN again: our ACK of it was lost. That is what TIME-WAIT is for; its 2 MSL begin anew."
            ),
            Clause::FinAgain => format!("{capital} had closed its side already: another FIN changes nothing."),
            Clause::SeqUnacceptable => self.lies_outside(segment),
            Clause::SeqUnacceptableRst => format!(
                "A RST with number {seq}, outside our window, which begins at {expected}: ignored, and not even answered."
            ),
            Clause::RstResets => format!(
                "{capital} resets the connection. The RST has exactly the number we expect, {seq}, so it counts. All that was under way is lost."
            ),
            Clause::RstFromElsewhere => format!(
                "A RST with exactly the number we expect, {seq}, so it counts, and all that was under way is lost. But {they}'s SYN came with another TTL: somebody on the way may have made this."
            ),
            Clause::RstRefuses => format!("A RST with the number we expect, {seq}, before the open is complete: refused."),
            Clause::RstReturnsToListen => format!(
                "{capital} takes its SYN back, with a RST of exactly the number we expect, {seq}. We go back to LISTEN, as if nothing had come."
            ),
            Clause::RstEndsClosing if self.step.before.state == State::TimeWait => format!(
                "A RST with the number we expect, {seq}. Both sides have closed already, so it takes away only the wait."
            ),
            Clause::RstEndsClosing => format!(
                "A RST with the number we expect, {seq}. Both sides have closed, but whether {they} has taken our FIN we shall not learn."
            ),
            Clause::RstChallenged => format!(
                "A RST with number {seq}. It lies in our window, but only {expected} would count: somebody may have guessed it. We ask."
            ),
            Clause::SynReturnsToListen => {
                format!("A SYN with another number, {seq}, before the open is complete: we go back to LISTEN.")
            }
            Clause::SynChallenged => format!(
                "A SYN inside a connection. Either {they} has lost its memory, or somebody guesses at our numbers. We ask."
            ),
            Clause::AckOfUnsentOpening => format!(
                "This acknowledges {ack}, not our SYN, which would be {}: it belongs to another connection.",
                one_more(snd.iss + 1)
            ),
            Clause::AckOutOfRange if ack.after(snd.nxt) => format!(
                "Its acknowledgment number is {ack}, but what we have sent ends before {}: it acknowledges what was never sent, and is not taken.",
                snd.nxt
            ),
            Clause::AckOutOfRange => format!(
                "Its acknowledgment number is {ack}, and we are at {} long since: it is older than any window, and is not taken.",
                snd.una
            ),
            Clause::AckMissing => "No ACK bit: every segment behind the first SYN has one, so this is not taken.".to_owned(),
            Clause::PawsOld => {
                "Its timestamp is older than one we have seen, so it was sent long ago: it is not taken, but acknowledged again.".to_owned()
            }
            Clause::TimestampMissing => "Timestamps were agreed on, and this segment has none: it is not taken.".to_owned(),
            Clause::ChallengeThrottled => {
                "This would be answered, but enough was answered of late: silence, or two ends could go on for ever.".to_owned()
            }
            Clause::ClosedSendsRst => "We have no connection for this. Whoever sent it is to know that.".to_owned(),
            Clause::ClosedDiscardsRst => {
                "A RST for a connection that we do not have. It is not answered, or two ends could reset each other for ever.".to_owned()
            }
            Clause::ListenRefusesAck => format!(
                "This acknowledges {ack}, but we have sent nothing from LISTEN: it belongs to a connection that we do not have."
            ),
            Clause::ListenIgnoresRst => "A RST, but there is nothing to reset in LISTEN: ignored.".to_owned(),
            Clause::SynCookie => format!(
                "{capital}'s ACK brings back what we had put into our SYN,ACK instead of remembering it: {ack} is right, so the connection is open."
            ),
            Clause::WindowUpdate => format!("{capital}'s window is {} now.", segment.window.0),
            Clause::LossRecovery => {
                format!("{capital} acknowledges only a part of what was under way, up to {ack}: the next is lost, too.")
            }
            Clause::FastRetransmit => {
                format!("{capital} still waits for {ack}, though what came behind it has arrived: {ack} is lost.")
            }
            Clause::UserTimeout | Clause::RetransmissionLimit => {
                "It comes too late: we have given up.".to_owned()
            }
            Clause::PassiveOpen
            | Clause::ActiveOpen
            | Clause::Send
            | Clause::Close
            | Clause::CloseQueued
            | Clause::CloseUnopened
            | Clause::Abort
            | Clause::AbortSilently
            | Clause::ListenDrops
            | Clause::SynSentDrops
            | Clause::SillyWindowTimeout
            | Clause::TailLossProbe
            | Clause::PathNarrow
            | Clause::RetransmissionTimeout
            | Clause::ZeroWindowProbe
            | Clause::IcmpEndsOpening
            | Clause::TimeWaitTimeout => rule(clause),
        }
    }

    /// The SYN,ACK that opens.
    fn agrees(&self, segment: &Segment) -> String {
        let (iss, ack) = (self.step.view.snd.iss, segment.ack);
        let on_syn = (ack - (iss + 1)).max(0) as u32;
        let acknowledges = if on_syn == 0 {
            format!("It acknowledges {}, because our SYN took one number.", one_more(ack))
        } else {
            format!("It acknowledges {ack}: our SYN, and the {} on it.", octets(on_syn))
        };
        format!("{} agrees. Its own initial number is {}. {acknowledges}", self.capital, segment.seq)
    }

    /// An acknowledgment of text.
    fn acknowledges(&self, segment: &Segment) -> String {
        let ack = segment.ack;
        let closed = if segment.window.0 == 0 { " Its window is 0: it takes no more for now." } else { "" };
        format!("{} has everything up to {}, and expects {ack} next.{closed}", self.capital, ack - 1)
    }

    /// Nothing new is acknowledged: it may tell a window, or be a duplicate.
    fn repeats(&self, segment: &Segment) -> String {
        let (capital, ack) = (self.capital, segment.ack);
        let (was, is) = (self.step.before.view.snd.wnd.get(), self.step.view.snd.wnd.get());
        if (was, is) == (0, 0) {
            format!("{capital}'s window is still 0, and it expects {ack} next, as before.")
        } else if is != was {
            format!("{capital}'s window has changed: it takes {} from {ack} on.", octets(is))
        } else {
            format!("This tells nothing new: {} expects {ack} next, as before.", self.they)
        }
    }

    /// A segment that is no good to us.
    fn lies_outside(&self, segment: &Segment) -> String {
        let (they, capital) = (self.they, self.capital);
        let (seq, expected) = (segment.seq, self.expected());
        if segment.has(Flags::SYN | Flags::ACK) && seq == self.step.before.view.rcv.irs {
            return format!(
                "The same SYN,ACK again, though we are open: when {they} sent it, our ACK was not there. It is not taken, but acknowledged once more."
            );
        }
        format!(
            "We expect number {expected}, and this begins at {seq}: it lies outside our window. {capital} repeats itself, or it is not for us. It is not taken, but answered: {they} is to know where we are."
        )
    }

    fn brings_text(&self, segment: &Segment) -> String {
        let fin = if segment.has(Flags::FIN) {
            " Its FIN lies beyond our window, and must come again."
        } else {
            ""
        };
        format!(
            "{} sends {}, {}. It expects {} next of ours.{fin}",
            self.capital,
            octets(segment.text_len),
            numbers(segment),
            segment.ack
        )
    }

    fn brings_fin(&self, segment: &Segment) -> String {
        let capital = self.capital;
        if !segment.has(Flags::FIN) {
            return format!(
                "What was missing has come, and the FIN that came before it counts now: {} has nothing more to send.",
                self.they
            );
        }
        let text = match segment.text_len {
            0 => String::new(),
            len => format!("{capital} sends its last {}, {}. ", octets(len), numbers(segment)),
        };
        let closed =
            self.enters(State::FinWait2) || (self.enters(State::TimeWait) && self.enters(State::Closing));
        let ours = if closed {
            format!(" The same segment acknowledges ours, {}.", one_more(segment.ack))
        } else if self.step.state == State::Closing {
            " It does not acknowledge ours: the two have crossed on their way.".to_owned()
        } else {
            String::new()
        };
        format!(
            "{text}{capital} has nothing more to send: its FIN takes number {}.{ours}",
            fin_number(segment)
        )
    }
}
