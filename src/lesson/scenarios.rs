//! The scenarios that can be shown: what each is called, what it is about, and what to watch for.

macro_rules! scenarios {
    ($($(#[$attribute:meta])? $scenario:ident = $name:literal, $title:literal: $($paragraph:literal),+;)*) => {
        /// An exchange, or a few, that teach one thing.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Scenario { $($(#[$attribute])? #[doc = $title] $scenario),* }

        impl Scenario {
            /// All of them, the simplest first.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$scenario),*];

            /// Its name, to be typed.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$scenario => $name),* }
            }

            /// What it shows, in one line.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$scenario => $title),* }
            }

            /// What it is about, a paragraph each; the last says what to watch for.
            pub const fn introduction(self) -> &'static [&'static str] {
                match self { $(Self::$scenario => &[$($paragraph),+]),* }
            }

            /// The scenario of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|scenario| scenario.name() == name)
            }
        }
    };
}

scenarios! {
    #[default]
    OpenClose = "open-close", "three segments to open, four to close":
        "A client opens a connection to an echo server, says hello, hears it back, and closes. SYN and FIN take one sequence number each, so what acknowledges them is one more than their number.",
        "Watch for: the numbers in parentheses, which count from each side's initial number.";

    KernelRst = "kernel-rst", "what happens with no guard: the kernel resets the connection":
        "Our segments are built by hand, so the kernel of our own machine has no connection that the server's SYN,ACK could belong to. It does what RFC 9293 section 3.5.2 asks of it: it answers with RST. This is why a guard stands in all other scenarios.",
        "Watch for: the RST that we did not send, and how the server then meets our own segments.";

    Refused = "refused", "nobody listens on the port: RST answers our SYN":
        "The host is there, but no program listens on the port. Whatever comes for a connection that does not exist, but a RST, a host answers with RST (RFC 9293 section 3.5.2).",
        "Watch for: the RST acknowledges our SYN. One that did not would prove nothing.";

    Silent = "silent", "nothing answers: the SYN again, each wait twice the one before":
        "Nothing comes back: a filter drops our SYN, or nobody is there. From here the two look the same. The SYN is sent again after a second, then after two, four and so on, so that a network in trouble is not troubled more (RFC 6298 section 5.5).",
        "Watch for: the times at which the SYN is sent: 0, 1, 3 and 7 seconds.";

    LostSynAck = "lost-synack", "the server's SYN,ACK is lost":
        "The server's SYN,ACK does not arrive. Each side misses an answer, so each sends again when its timer runs out: we our SYN, the server its SYN,ACK. One of them is enough; the other is a duplicate, and does no harm.",
        "Watch for: the SYN,ACK that comes when we are open already. It is acknowledged once more, and nothing else.";

    LostAck = "lost-ack", "the third segment of the open is lost":
        "We are open as soon as the SYN,ACK has come; the server is not before our ACK arrives, and that is lost. An ACK is never acknowledged, so we cannot know. The server sends its SYN,ACK again, and we answer it again.",
        "Watch for: the server wants to greet us, and can do so only after the second ACK.";

    LostFin = "lost-fin", "our FIN is lost":
        "A FIN takes a sequence number, so it is sent again until it is acknowledged, as text is. Meanwhile we wait in FIN-WAIT-1.",
        "Watch for: the second FIN has the number of the first.";

    PeerClosesFirst = "peer-closes-first", "the server closes first: CLOSE-WAIT and LAST-ACK":
        "The server says something and closes. We go through CLOSE-WAIT, in which we could still send, and LAST-ACK. TIME-WAIT is for the side that closes first: here that is the server.",
        "Watch for: after the last ACK we are in CLOSED at once.";

    ThreeSegmentClose = "three-segment-close", "a close in three segments: the server's ACK and FIN are one":
        "The server has nothing more to say when our FIN arrives, so its own FIN carries the acknowledgment of ours. One segment walks two arrows: FIN-WAIT-1 to FIN-WAIT-2, and on to TIME-WAIT.",
        "Watch for: a FIN,ACK, and an acknowledgment number in it that covers our FIN.";

    HalfClose = "half-close", "we close our side, and the server goes on sending":
        "A connection has two directions, and a FIN closes one of them. We send our text and our FIN; a server that needs all of it first (a sort, say) answers when it has seen the FIN.",
        "Watch for: text that arrives and is acknowledged in FIN-WAIT-2.";

    SimultaneousOpen = "simultaneous-open", "both sides send a SYN at once, and one connection comes of it":
        "Both sides open actively, and their SYNs cross on the way (RFC 9293 section 3.5, figure 7). Neither waited for the other. Each goes from SYN-SENT to SYN-RECEIVED and answers with a SYN,ACK of its own, with the same number as its SYN.",
        "Watch for: one connection, not two.";

    SimultaneousClose = "simultaneous-close", "both sides send a FIN at once: CLOSING":
        "Both sides close at the same moment, and their FINs cross on the way (RFC 9293 section 3.6, figure 13). Each acknowledges the other's FIN while its own is still unacknowledged: that is CLOSING.",
        "Watch for: both sides end in TIME-WAIT, for both closed first.";

    Reset = "reset", "we end it with RST":
        "An abort does not close in order: it sends a RST and forgets the connection (RFC 9293 section 3.10.5). Whatever was under way is lost, and no TIME-WAIT follows.",
        "Watch for: nothing answers the RST.";

    ChallengeAck = "challenge-ack", "somebody guesses at our numbers with RST and SYN":
        "A stranger who cannot see the connection sends a RST in the server's name, then a SYN, with a number that lies in our window by luck. A RST counts only with exactly the next number, and a SYN not at all (RFC 5961 sections 3.2 and 4.2). Both are answered with a challenge ACK to the real server, which would answer with a right RST if it had really lost the connection.",
        "Watch for: the connection goes on as if nothing had been.";

    TimeWait = "time-wait", "the same two ports again, inside TIME-WAIT and after it":
        "The server closes first, so it stays in TIME-WAIT for 2 MSL. We come back at once from the same port. The server still knows the old connection: it answers our new SYN with an ACK of the old numbers. We sent nothing that this could acknowledge, so we answer with RST, which ends its TIME-WAIT early (RFC 1337 warns of that), and our next SYN is taken. The third time we wait until 2 MSL are over.",
        "A host may also open anew straight from TIME-WAIT (RFC 9293 section 3.6.1, MAY-2). This one does not. In the private network its MSL is a second, by the book it is two minutes.",
        "Watch for: the time that the second open takes, and the third.";

    OldDuplicateSyn = "old-duplicate-syn", "a SYN of an earlier connection arrives before ours":
        "A SYN of an earlier connection was long on its way, and arrives just before our new one (RFC 9293 section 3.5, figure 8). The server cannot know that it is old, and answers it. Only we can: we never sent what this SYN,ACK acknowledges. This is why the open takes three segments.",
        "Watch for: the number that the first SYN,ACK acknowledges.";

    HalfOpen = "half-open", "one side crashes, and the other does not know":
        "First the peer crashes and comes up again without its memory. We learn of it when we send: what belongs to no connection is answered with RST (RFC 9293 section 3.5, figure 10).",
        "Then it is we who crash, and come back from the same port. The server believes in the old connection and answers our SYN with an ACK of the old numbers; our RST tells it better, and our next SYN opens (figure 9).",
        "Watch for: nobody notices a crash before somebody sends.";

    WindowZero = "window-zero", "the server does not read, and its window closes":
        "The server's program does not read, so what we send fills its buffer, and its window closes. We have more to send, and ask from time to time with a single octet whether it is still closed (RFC 9293 section 3.8.6.1); should the news that it opens get lost, nobody else would ask.",
        "Watch for: each answer says win 0, until the program reads.";

    WrapAround = "wrap-around", "sequence numbers go round: 4294967295 is followed by 0":
        "Sequence numbers have 32 bits and go round (RFC 9293 section 3.4). Ours begin at 4294967293, the server's at 4294967295, so both pass through 0 within a few octets. Compared are differences, never the numbers themselves.",
        "Watch for: the relative numbers are those of any other exchange.";

    Options = "options", "what a SYN offers, and what comes of it":
        "Options are offered on the SYN and granted on the SYN,ACK; what is not in both is not in force. The maximum segment size is the exception: it is no offer, each side announces its own. First we offer selective acknowledgments, window scaling and timestamps, then nothing at all.",
        "Watch for: the window on a SYN is never scaled, and timestamps, once agreed on, are on every segment but a RST.";

    Listen = "listen", "we are the server":
        "Now the other end is the client, and we wait in LISTEN: the same exchange from the other side. We answer the SYN, send back what the client says, and close when the client has.",
        "Watch for: SYN-RECEIVED, CLOSE-WAIT and LAST-ACK on our side. TIME-WAIT is the client's.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name_and_has_words() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
            assert!(scenario.name().chars().all(|c| c == '-' || c.is_ascii_lowercase()));
            assert!(scenario.title().len() <= 70, "{}", scenario.title());
            assert!(scenario.introduction().last().unwrap().starts_with("Watch for: "));
        }
        assert_eq!(Scenario::named("open"), None);
        assert_eq!(Scenario::ALL[0], Scenario::default());
    }
}
