//! Which sentence of which RFC decided: a name for every decision the state machine takes.
//!
//! The ladder prints it, the JSON carries it, tests assert it.

use std::fmt;

use super::rules::rules;

rules! {
    /// The rule that decided what an event did to a connection, in the RFC's order.
    Clause:

    PassiveOpen = "RFC 9293 3.10.1", "a passive open waits in LISTEN for a SYN";
    ActiveOpen = "RFC 9293 3.10.1", "an active open sends a SYN that carries the initial sequence number";
    Send = "RFC 9293 3.10.2", "text is sent as far as the peer's window allows, the rest waits";
    Close = "RFC 9293 3.10.4", "close sends a FIN behind all queued text: nothing more will come from us";
    CloseQueued = "RFC 9293 3.10.4", "close waits until the text queued before the open has left";
    CloseUnopened = "RFC 9293 3.10.4", "nothing was opened yet, so close ends it without a segment";
    Abort = "RFC 9293 3.10.5", "abort sends a RST and forgets the connection";
    AbortSilently = "RFC 9293 3.10.5", "abort in this state needs no RST";

    ClosedDiscardsRst = "RFC 9293 3.10.7.1", "no connection: a RST is discarded, or two ends could reset each other for ever";
    ClosedSendsRst = "RFC 9293 3.10.7.1", "no connection: anything but a RST is answered with a RST";

    ListenIgnoresRst = "RFC 9293 3.10.7.2 first", "a RST in LISTEN answers nothing we sent";
    ListenRefusesAck = "RFC 9293 3.10.7.2 second", "nothing was sent from LISTEN, so no acknowledgment can be right: RST";
    ListenTakesSyn = "RFC 9293 3.10.7.2 third", "a SYN opens: its number is taken, ours goes out with the SYN,ACK";
    SynCookie = "RFC 4987 3.6", "too many were half-open to remember this one: its SYN,ACK was a cookie, and the ACK has brought it back";
    ListenSplits = "RFC 9293 3.5 figure 7", "a SYN is answered in two segments: to the client, both have sent a SYN at once";
    ListenDrops = "RFC 9293 3.10.7.2 fourth", "neither SYN, ACK nor RST: dropped";

    SynSentBadAck = "RFC 9293 3.10.7.3 first", "it acknowledges what we never sent: RST with its own number";
    SynSentBadAckRst = "RFC 9293 3.10.7.3 first", "a RST that acknowledges what we never sent is not for this connection";
    SynSentRefused = "RFC 9293 3.10.7.3 second", "a RST that acknowledges our SYN: the peer refuses";
    SynSentRstWithoutAck = "RFC 9293 3.10.7.3 second", "a RST that acknowledges nothing proves nothing";
    SynSentOpened = "RFC 9293 3.10.7.3 fourth", "our SYN is acknowledged and the peer's number known: open";
    SynSentCrossed = "RFC 9293 3.10.7.3 fourth", "both sides sent a SYN: answer with SYN,ACK, same number";
    SynSentDrops = "RFC 9293 3.10.7.3 fifth", "neither SYN nor RST: dropped";

    PawsOld = "RFC 7323 5.3", "a timestamp older than one before it: acknowledged, dropped";
    TimestampMissing = "RFC 7323 3.2", "timestamps were agreed on, and this segment has none: dropped";
    SeqUnacceptable = "RFC 9293 3.10.7.4 first", "outside the receive window: acknowledged again, dropped";
    SeqUnacceptableRst = "RFC 9293 3.10.7.4 first", "a RST outside the receive window is dropped silently";
    SynRepeated = "RFC 9293 3.8.1", "the peer repeats its SYN, our SYN,ACK was lost: sent again";
    SynAckCrossed = "RFC 9293 3.5 figure 7", "the other half of a simultaneous open: our SYN is acknowledged";
    FinRepeated = "RFC 9293 3.10.7.4 fifth", "the peer repeats its FIN, our ACK was lost: acknowledged again, 2 MSL restart";

    RstReturnsToListen = "RFC 9293 3.10.7.4 second", "a RST before the open is complete: back to LISTEN";
    RstRefuses = "RFC 9293 3.10.7.4 second", "a RST before the open is complete: refused";
    RstResets = "RFC 9293 3.10.7.4 second", "a RST with exactly the next number expected: reset";
    RstFromElsewhere = "RFC 9293 3.10.7.4 second", "a RST with exactly the next number, but another ttl than the peer's SYN had: reset, perhaps by somebody on the way";
    RstEndsClosing = "RFC 9293 3.10.7.4 second", "a RST after both sides have closed: the connection is gone";
    RstChallenged = "RFC 5961 3.2", "a RST in the window, but not with the next number: challenged";

    SynReturnsToListen = "RFC 9293 3.10.7.4 fourth", "a new SYN before the open is complete: back to LISTEN";
    SynChallenged = "RFC 5961 4.2", "a SYN inside a connection: challenged";

    AckMissing = "RFC 9293 3.10.7.4 fifth", "no ACK bit: dropped";
    AckOfUnsentOpening = "RFC 9293 3.10.7.4 fifth", "it acknowledges something else than our SYN: RST with its own number";
    AckOutOfRange = "RFC 5961 5.2", "it acknowledges what was never sent or is long gone: acknowledged, dropped";
    AckOpens = "RFC 9293 3.10.7.4 fifth", "our SYN is acknowledged: open";
    AckAdvances = "RFC 9293 3.10.7.4 fifth", "it acknowledges text we sent";
    AckRepeats = "RFC 9293 3.10.7.4 fifth", "it acknowledges nothing new";
    AckOfFin = "RFC 9293 3.10.7.4 fifth", "our FIN is acknowledged: our side is closed";
    AckOfFinClosing = "RFC 9293 3.10.7.4 fifth", "both sides are closed: wait 2 MSL for stragglers";
    AckOfFinLast = "RFC 9293 3.10.7.4 fifth", "our FIN, the last segment, is acknowledged: closed";

    TextAccepted = "RFC 9293 3.10.7.4 seventh", "text in order is taken and acknowledged";
    TextHeld = "RFC 9293 3.10.7.4 seventh", "text behind a gap is kept; the number still missing is acknowledged again";
    TextFillsGap = "RFC 9293 3.10.7.4 seventh", "what was missing has come, and all behind it up to the next gap is acknowledged";
    TextOutOfOrder = "RFC 9293 3.10.7.4 seventh", "text behind a gap is not kept: the number still missing is acknowledged again";
    TextAfterFin = "RFC 9293 3.10.7.4 seventh", "the peer had closed its side: text is ignored, acknowledged again";

    FinAccepted = "RFC 9293 3.10.7.4 eighth", "the peer has no more to send; its FIN takes one number and is acknowledged";
    FinOutOfOrder = "RFC 9293 3.10.7.4 eighth", "a FIN behind a gap waits for what is missing";
    FinAgain = "RFC 9293 3.10.7.4 eighth", "the peer's side is closed already: acknowledged again";

    ChallengeThrottled = "RFC 5961 7", "ten such answers in five seconds are enough: silence";

    FastRetransmit = "RFC 5681 3.2", "what came behind it shows that it is lost: sent again without waiting for the timer";
    LossRecovery = "RFC 6582 3.2", "only part of what was under way is acknowledged: the next that is missing is sent again";
    PathNarrow = "RFC 9293 3.7.2", "a router on the way has no room for it: sent again in smaller segments";
    WindowUpdate = "RFC 9293 3.8.6.2.2", "our user has taken text: the window opens again";
    SillyWindowTimeout = "RFC 9293 3.8.6.2.1", "the peer's window stays small: what fits is sent after all";
    TailLossProbe = "RFC 8985 7", "nothing has come back for two round trips: the oldest is sent again, long before the timer";
    RetransmissionTimeout = "RFC 6298 5.4", "no acknowledgment in time: sent again, and the wait doubles";
    RetransmissionLimit = "RFC 9293 3.8.3", "sent again as often as allowed without an answer: given up";
    ZeroWindowProbe = "RFC 9293 3.8.6.1", "the peer's window is closed: one octet asks whether it still is";
    UserTimeout = "RFC 9293 3.10.8", "the time the user allows is over: given up";
    IcmpEndsOpening = "RFC 9293 3.9.2.2", "a hard ICMP error ends an open that is not complete";
    TimeWaitTimeout = "RFC 9293 3.10.8", "2 MSL are over, nothing of this connection is left on its way";
}

impl Clause {
    /// Whether the rule belongs to an undisturbed exchange. What is not routine, the ladder explains
    /// without being asked.
    pub const fn is_routine(self) -> bool {
        matches!(
            self,
            Self::PassiveOpen
                | Self::ActiveOpen
                | Self::Send
                | Self::Close
                | Self::ListenTakesSyn
                | Self::ListenSplits
                | Self::SynSentOpened
                | Self::SynSentCrossed
                | Self::SynAckCrossed
                | Self::AckOpens
                | Self::AckAdvances
                | Self::AckRepeats
                | Self::AckOfFin
                | Self::AckOfFinClosing
                | Self::AckOfFinLast
                | Self::TextAccepted
                | Self::WindowUpdate
                | Self::FinAccepted
        )
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.section())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ladder without explanations is quiet as long as nothing is out of the ordinary.
    #[test]
    fn losses_and_refusals_are_not_routine() {
        for routine in [Clause::ActiveOpen, Clause::SynSentOpened, Clause::TextAccepted, Clause::AckOfFinLast]
        {
            assert!(routine.is_routine(), "{routine}");
        }
        for odd in
            [Clause::RetransmissionTimeout, Clause::RstResets, Clause::SynSentRefused, Clause::TextHeld]
        {
            assert!(!odd.is_routine(), "{odd}");
        }
    }

    #[test]
    fn a_rule_is_told_with_its_place() {
        let told = Clause::SynSentRefused.to_string();
        assert_eq!(told, "a RST that acknowledges our SYN: the peer refuses (RFC 9293 3.10.7.3 second)");
    }
}
