//! What an answer says about the peer: SEGMENT ARRIVES of RFC 9293 section 3.10.7, read from the other end.
//!
//! Who sends a single segment has no connection and no state; only the two segments are known, and from them
//! the rule that the peer must have followed.

use super::flags::Flags;
use super::rules::rules;
use super::segment::Segment;
use super::seq::SeqNum;

rules! {
    /// What the peer's answer, or its silence, tells.
    Meaning:

    PortListens = "RFC 9293 3.10.7.2 third", "SYN,ACK to our SYN: somebody listens, and holds a half-open connection now";
    PortClosed = "RFC 9293 3.10.7.1", "RST to our SYN: nobody listens on the port";
    NoConnection = "RFC 9293 3.10.7.1", "RST to our ACK: there is no such connection, whether or not somebody listens";
    NothingThere = "RFC 9293 3.10.7.1", "RST to what is neither SYN nor ACK: nobody listens, or it would have been dropped";
    ResetOfSomethingElse = "RFC 9293 3.10.7.1", "a RST whose numbers answer nothing we sent: a connection that exists ends, or something on the way sent it";
    ResetToReset = "RFC 9293 3.10.7.1", "a RST after our RST: no tcp answers one, so something else sent it, or it answers something else";
    Repeated = "RFC 9293 3.8.1", "the same SYN,ACK again: nobody has acknowledged it";
    AnotherOpening = "RFC 9293 3.8.1", "a SYN,ACK that does not acknowledge what we sent: for a SYN before ours, from the same port";
    PeerOpens = "RFC 9293 3.5 figure 7", "a SYN: the peer opens a connection of its own to our port";
    SynChallenged = "RFC 5961 4.2", "ACK to our SYN: a connection between these ports exists, and the peer asks whether we have forgotten it";
    RstChallenged = "RFC 5961 3.2", "ACK to our RST: a connection exists, but ours is not exactly the number it expects next";
    Taken = "RFC 9293 3.10.7.4 seventh", "all we sent is acknowledged: a connection exists and has taken it";
    NotAcceptable = "RFC 9293 3.10.7.4 first", "ACK with the number expected instead: a connection exists, and what we sent lies outside its window or acknowledges what it never sent";
    PeerTalks = "RFC 9293 3.10.2", "the peer sends text: a connection exists";
    PeerCloses = "RFC 9293 3.10.4", "the peer's FIN: a connection exists, and it has no more to send";
    NoTcpSaysThis = "RFC 9293 3.10.7", "nothing that a tcp would send in answer to this";

    IcmpRefuses = "RFC 9293 3.9.2.2", "the network or the host will not have it: it never reached a tcp";
    IcmpMayPass = "RFC 9293 3.9.2.2", "the network could not deliver it, which may pass";
    IcmpOfAnother = "RFC 5927 4.1", "it quotes a number that we did not send: ignored";
    KernelKnowsNothing = "RFC 9293 3.10.7.1", "RST by the kernel of this machine: it knows nothing of what we sent, and no guard held it back";

    SilentToUnreadable = "RFC 9293 3.1", "no answer: what cannot be read is dropped without a word";
    SilentToRst = "RFC 9293 3.10.7.1", "no answer, as is right: nothing answers a RST but a connection that doubts it";
    SilentToSyn = "RFC 9293 3.10.7.1", "no answer: filtered, or nobody there; a listener would have sent SYN,ACK, a closed port RST";
    SilentToSynFin = "RFC 9293 3.10.7.2 third", "no answer: filtered, or a listener that takes no SYN with FIN, as Linux; a closed port would have sent RST";
    SilentToAck = "RFC 9293 3.10.7.1", "no answer: filtered, or a connection exists and has nothing to say; without one, closed port and listener would have sent RST";
    SilentToOther = "RFC 9293 3.10.7.2 fourth", "no answer: filtered, or somebody listens, for LISTEN drops what is neither SYN, ACK nor RST; a closed port would have sent RST";
}

impl Meaning {
    /// What `answer` says to who sent `sent`. `earlier` is the first SYN,ACK that came, if one did.
    pub fn of(sent: &Segment, answer: &Segment, earlier: Option<&Segment>) -> Self {
        if answer.has(Flags::RST) {
            return Self::of_reset(sent, answer);
        }
        match (answer.has(Flags::SYN), answer.acknowledgment()) {
            (true, Some(ack)) => Self::of_syn_ack(sent, answer.seq, ack, earlier),
            (true, None) => Self::PeerOpens,
            (false, Some(ack)) => Self::of_ack(sent, answer, ack),
            (false, None) => Self::NoTcpSaysThis,
        }
    }

    /// What it says that none came.
    pub fn of_silence(sent: &Segment) -> Self {
        if sent.has(Flags::RST) {
            Self::SilentToRst
        } else if sent.has(Flags::ACK) {
            Self::SilentToAck
        } else if sent.has(Flags::SYN | Flags::FIN) {
            Self::SilentToSynFin
        } else if sent.has(Flags::SYN) {
            Self::SilentToSyn
        } else {
            Self::SilentToOther
        }
    }

    /// `<SEQ=SEG.ACK><CTL=RST>` answers an ACK, `<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>` anything else.
    fn of_reset(sent: &Segment, answer: &Segment) -> Self {
        if sent.has(Flags::RST) {
            return Self::ResetToReset;
        }
        let numbers = match sent.acknowledgment() {
            Some(ack) => answer.seq == ack,
            None => answer.acknowledgment() == Some(sent.end()),
        };
        match numbers {
            false => Self::ResetOfSomethingElse,
            true if sent.has(Flags::ACK) => Self::NoConnection,
            true if sent.has(Flags::SYN) => Self::PortClosed,
            true => Self::NothingThere,
        }
    }

    fn of_syn_ack(sent: &Segment, seq: SeqNum, ack: SeqNum, earlier: Option<&Segment>) -> Self {
        let opens = sent.has(Flags::SYN) && !sent.has(Flags::ACK) && !sent.has(Flags::RST);
        let text_may_wait = ack == sent.seq + 1 || ack == sent.end(); // what comes with a SYN need not be taken at once
        if !(opens && text_may_wait) {
            Self::AnotherOpening
        } else if earlier.is_some_and(|earlier| (earlier.seq, earlier.ack) == (seq, ack)) {
            Self::Repeated
        } else {
            Self::PortListens
        }
    }

    fn of_ack(sent: &Segment, answer: &Segment, ack: SeqNum) -> Self {
        if answer.text_len > 0 {
            Self::PeerTalks
        } else if answer.has(Flags::FIN) {
            Self::PeerCloses
        } else if sent.has(Flags::RST) {
            Self::RstChallenged
        } else if sent.has(Flags::SYN) {
            Self::SynChallenged
        } else if !sent.is_empty() && ack == sent.end() {
            Self::Taken
        } else {
            Self::NotAcceptable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQ: SeqNum = SeqNum(u32::MAX); // near the wrap
    const OURS: SeqNum = SeqNum(77);
    const THEIRS: SeqNum = SeqNum(9000);

    const NONE: Flags = Flags::NONE;
    const SYN: Flags = Flags::SYN;
    const ACK: Flags = Flags::ACK;
    const RST: Flags = Flags::RST;
    const FIN: Flags = Flags::FIN;
    const PSH: Flags = Flags::PSH;

    fn sent(flags: Flags, text_len: u32) -> Segment {
        Segment { seq: SEQ, ack: OURS, flags, text_len, ..Segment::default() }
    }

    fn answer(flags: Flags, seq: SeqNum, ack: SeqNum) -> Segment {
        Segment { seq, ack, flags, ..Segment::default() }
    }

    #[track_caller]
    fn assert_means(flags: Flags, text_len: u32, answer: &Segment, expected: Meaning) {
        assert_eq!(Meaning::of(&sent(flags, text_len), answer, None), expected, "{flags} {answer}");
    }

    /// RFC 9293 3.10.7.1: both forms of the RST, for every kind of segment, text and all.
    #[test]
    fn rsts_that_answer_and_rsts_that_do_not() {
        let zero = SeqNum(0);
        for (flags, text_len, len, expected) in [
            (SYN, 0, 1, Meaning::PortClosed),
            (SYN, 5, 6, Meaning::PortClosed),
            (SYN | FIN, 0, 2, Meaning::PortClosed),
            (NONE, 0, 0, Meaning::NothingThere),
            (FIN, 0, 1, Meaning::NothingThere),
            (PSH, 3, 3, Meaning::NothingThere),
            (FIN | PSH | Flags::URG, 0, 1, Meaning::NothingThere),
        ] {
            assert_means(flags, text_len, &answer(RST | ACK, zero, SEQ + len), expected);
            let wrong = answer(RST | ACK, zero, SEQ + (len + 1));
            assert_means(flags, text_len, &wrong, Meaning::ResetOfSomethingElse);
            assert_means(flags, text_len, &answer(RST, SEQ + len, zero), Meaning::ResetOfSomethingElse);
        }
        for flags in [ACK, SYN | ACK, FIN | ACK, PSH | ACK, Flags::from_bits(0x1fb)] {
            assert_means(flags, 3, &answer(RST, OURS, zero), Meaning::NoConnection);
            assert_means(flags, 3, &answer(RST, OURS + 1, zero), Meaning::ResetOfSomethingElse);
        }
        assert_means(RST, 0, &answer(RST | ACK, zero, SEQ), Meaning::ResetToReset);
    }

    /// RFC 9293 3.10.7.2 third, 3.8.1: a SYN,ACK is new once.
    #[test]
    fn syn_acks_new_repeated_and_of_another_opening() {
        let first = answer(SYN | ACK, THEIRS, SEQ + 1);
        assert_means(SYN, 0, &first, Meaning::PortListens);
        assert_means(SYN, 4, &first, Meaning::PortListens);
        assert_means(SYN, 4, &answer(SYN | ACK, THEIRS, SEQ + 5), Meaning::PortListens);
        assert_means(SYN, 4, &answer(SYN | ACK, THEIRS, SEQ + 4), Meaning::AnotherOpening);
        assert_eq!(Meaning::of(&sent(SYN, 0), &first, Some(&first)), Meaning::Repeated);
        let other = answer(SYN | ACK, THEIRS + 1, SEQ + 1);
        assert_eq!(Meaning::of(&sent(SYN, 0), &other, Some(&first)), Meaning::PortListens);
        for flags in [ACK, RST, FIN, NONE, SYN | ACK, SYN | RST] {
            assert_means(flags, 0, &first, Meaning::AnotherOpening);
        }
        assert_means(SYN, 0, &answer(SYN, THEIRS, SeqNum(0)), Meaning::PeerOpens);
    }

    /// RFC 5961 3.2 and 4.2, RFC 9293 3.10.7.4: a connection exists.
    #[test]
    fn acks_tell_of_a_connection() {
        let ack = answer(ACK, THEIRS, SEQ - 100);
        assert_means(SYN, 0, &ack, Meaning::SynChallenged);
        assert_means(SYN | ACK, 0, &ack, Meaning::SynChallenged);
        assert_means(RST, 0, &ack, Meaning::RstChallenged);
        assert_means(ACK, 0, &ack, Meaning::NotAcceptable);
        assert_means(ACK, 0, &answer(ACK, THEIRS, SEQ), Meaning::NotAcceptable);
        assert_means(NONE, 0, &ack, Meaning::NotAcceptable);
        assert_means(ACK | PSH, 5, &answer(ACK, THEIRS, SEQ + 5), Meaning::Taken);
        assert_means(ACK | FIN, 0, &answer(ACK, THEIRS, SEQ + 1), Meaning::Taken);
        assert_means(ACK | PSH, 5, &answer(ACK, THEIRS, SEQ + 4), Meaning::NotAcceptable);
        assert_means(ACK, 0, &Segment { text_len: 1, ..ack }, Meaning::PeerTalks);
        assert_means(ACK, 0, &answer(ACK | FIN, THEIRS, SEQ), Meaning::PeerCloses);
        assert_means(ACK, 0, &answer(PSH, THEIRS, SEQ), Meaning::NoTcpSaysThis);
    }

    #[test]
    fn silence_has_its_reasons() {
        for (flags, expected) in [
            (SYN, Meaning::SilentToSyn),
            (SYN | Flags::ECE | Flags::CWR, Meaning::SilentToSyn),
            (SYN | FIN, Meaning::SilentToSynFin),
            (ACK, Meaning::SilentToAck),
            (SYN | ACK, Meaning::SilentToAck),
            (NONE, Meaning::SilentToOther),
            (FIN | PSH | Flags::URG, Meaning::SilentToOther),
            (RST, Meaning::SilentToRst),
            (RST | ACK | SYN, Meaning::SilentToRst),
        ] {
            assert_eq!(Meaning::of_silence(&sent(flags, 0)), expected, "{flags}");
        }
    }

    /// Any two segments have a meaning: nothing overflows or panics, at the wrap either.
    #[test]
    fn every_pair_of_flags_has_a_meaning() {
        for ours in 0..0x40 {
            for theirs in 0..0x40 {
                let sent = Segment { text_len: u32::MAX, ..sent(Flags::from_bits(ours), 0) };
                let answer = answer(Flags::from_bits(theirs), SEQ, OURS);
                assert!(Meaning::ALL.contains(&Meaning::of(&sent, &answer, Some(&answer))));
            }
        }
    }

    #[test]
    fn every_meaning_names_its_rule() {
        for meaning in Meaning::ALL {
            assert!(meaning.section().starts_with("RFC "), "{meaning:?}");
            assert!(!meaning.text().ends_with('.'), "{meaning:?}");
        }
    }
}
