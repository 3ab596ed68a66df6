//! What must be true of an exchange, whatever the weather was.
//!
//! *Intact*: each user was given a beginning of what the other one said, octet for octet; all of it if the exchange
//! is completed.
//!
//! A verdict is *truthful* if the packets at our end bear it out, those and no others:
//!
//! | verdict | what must have been on the wire |
//! |---|---|
//! | completed | an acknowledgment of our FIN came, and of the peer's FIN, all text before it, one left |
//! | silent, not opened | the peer's SYN and an acknowledgment of ours did not both come; and something came, if so it says |
//! | refused, reset | a RST came with exactly the number that makes it count |
//! | not closed: text, FIN | the number in question was not acknowledged |
//! | not closed: peer's FIN, what was awaited | not all of the peer's text and FIN came, or not in time to be acknowledged |
//!
//! What the peer acknowledges counts where RFC 9293 lets us look at it: not on a segment from left of our window, all of
//! which we had acknowledged ourselves.
//!
//! And a verdict must not be given too soon. Who gives up for want of an answer has sent the oldest segment without one as
//! often as it may, and then waited; who gives up because time is over has had that time without progress.

use std::time::Duration;

use tcpshake::driver::Plan;
use tcpshake::record::{Ending, Missing, NotOpened, Outcome, Role};
use tcpshake::tcp::{Clause, Flags, Retries, Segment, SeqNum, State};
use tcpshake::time::Instant;

use crate::exchange::{Exchange, Peer, Setup, run};
use crate::log::Place;
use crate::seed::asked_for;

/// The segments at our end until the verdict.
struct Evidence<'e> {
    plan: &'e Plan,
    sent: Vec<(Instant, &'e Segment)>,
    came: Vec<(Instant, &'e Segment)>,
    /// What the peer acknowledged that counts.
    acks: Vec<(Instant, SeqNum)>,
    /// Where our FIN stands, and the peer's.
    fins: [SeqNum; 2],
    at: Instant,
}

/// The exchange, judged; all of it is shown if its seed is asked for.
pub fn run_and_judge<P: Peer>(setup: &Setup, peer: P) -> Exchange {
    let exchange = run(setup, peer);
    if asked_for().is_some() {
        println!("{:#?}\n{}{:#?}", setup.plan.parameters, exchange.log, exchange.summary);
    }
    judge(setup, &exchange);
    exchange
}

fn judge(setup: &Setup, exchange: &Exchange) {
    for (heard, text) in exchange.heard.iter().zip([setup.texts[1], setup.texts[0]]) {
        assert!(text.starts_with(heard), "other octets arrive than were sent");
    }
    let summary = &exchange.summary;
    assert_eq!(summary.text_received, exchange.heard[0].len() as u64, "received is what the user was given");
    assert!(!exchange.peer_waits, "the peer tries for ever");
    let evidence = Evidence::of(setup, exchange);
    let acknowledged = (evidence.oldest() - setup.plan.iss).max(1) as u64 - 1;
    assert!(summary.text_sent <= acknowledged, "{} octets said to be acknowledged", summary.text_sent);
    if summary.outcome == Outcome::Completed(Ending::Closed) {
        let lens = exchange.heard.iter().map(Vec::len);
        assert!(lens.eq([setup.texts[1].len(), setup.texts[0].len()]), "completed without all the text");
        assert_eq!(summary.text_sent, setup.texts[0].len() as u64);
        assert!(exchange.peer_is_over, "completed, but the peer is left behind");
        return evidence.assert_closed();
    }
    evidence.assert_true(&summary.outcome);
    evidence.assert_not_too_soon(exchange);
}

impl<'e> Evidence<'e> {
    fn of(setup: &'e Setup, exchange: &'e Exchange) -> Self {
        let until = &exchange.log.packets[..exchange.until_verdict];
        let (mut sent, mut came, mut acks) = (Vec::new(), Vec::new(), Vec::new());
        let [ours, theirs] = setup.texts.map(|text| text.len() as u32);
        let fin = setup.plan.iss + 1 + ours;
        let (mut nxt, mut irs, mut syn_came) = (None, setup.irs, false);
        for logged in until {
            let Some(segment) = &logged.segment else { continue };
            match logged.place {
                Place::LeftUs => {
                    sent.push((logged.at, segment));
                    nxt = segment.acknowledgment().or(nxt);
                }
                Place::ReachedUs => {
                    came.push((logged.at, segment));
                    irs = irs.or(segment.has(Flags::SYN).then_some(segment.seq));
                    syn_came |= segment.has(Flags::SYN);
                    let old = !segment.has(Flags::SYN) && nxt.is_some_and(|nxt| is_left_of(segment, nxt));
                    let ack = segment.acknowledgment().filter(|_| syn_came && !old);
                    let of_ours = ack.filter(|ack| ack.after(setup.plan.iss) && ack.at_or_before(fin + 1));
                    acks.extend(of_ours.map(|ack| (logged.at, ack)));
                }
                Place::LeftPeer | Place::ReachedPeer => {}
            }
        }
        let fins = [fin, irs.unwrap_or_default() + 1 + theirs];
        Self { plan: &setup.plan, sent, came, acks, fins, at: Instant::ORIGIN + exchange.took }
    }

    fn was_acknowledged(&self, number: SeqNum) -> bool {
        self.acks.iter().any(|(_, ack)| ack.after(number))
    }

    fn acknowledged(&self, number: SeqNum) -> bool {
        self.sent.iter().any(|(_, segment)| segment.acknowledgment() == Some(number + 1))
    }

    fn assert_closed(&self) {
        let [ours, theirs] = self.fins;
        assert!(self.was_acknowledged(ours), "nobody acknowledged our FIN");
        let is_fin = |segment: &Segment| segment.has(Flags::FIN) && segment.end() == theirs + 1;
        assert!(self.came.iter().any(|(_, segment)| is_fin(segment)), "no FIN came");
        assert!(self.acknowledged(theirs), "we did not acknowledge the peer's FIN");
    }

    fn assert_true(&self, outcome: &Outcome) {
        let iss = self.plan.iss;
        match *outcome {
            Outcome::Silent { heard } => {
                assert_eq!((self.plan.role, heard), (Role::Active, !self.came.is_empty()));
                assert!(!self.was_acknowledged(iss), "it was open");
            }
            Outcome::NotOpened(NotOpened::NoAnswer) => {
                assert_eq!(self.plan.role, Role::Passive);
                assert!(!self.was_acknowledged(iss), "our SYN,ACK was acknowledged");
            }
            Outcome::NotOpened(NotOpened::Reset) | Outcome::ResetAfterOpening { .. } => self.assert_reset(),
            Outcome::Refused => {
                let refuses = |segment: &Segment| segment.has(Flags::RST) && segment.ack == iss + 1;
                let came = self.came.iter().any(|(_, segment)| refuses(segment));
                assert!(came || self.is_reset(), "nothing refused our SYN");
            }
            Outcome::CloseIncomplete { state, missing } => self.assert_missing(state, missing),
            Outcome::Completed(_) | Outcome::Unreachable(_) | Outcome::Interrupted(_) => {
                panic!("nobody asked for this: {outcome:?}")
            }
        }
    }

    fn is_reset(&self) -> bool {
        let resets = self.came.iter().filter(|(_, segment)| segment.has(Flags::RST));
        resets.into_iter().any(|(_, rst)| self.acknowledged(rst.seq - 1))
    }

    fn assert_reset(&self) {
        assert!(self.is_reset(), "no RST came with the number we expect next");
    }

    fn assert_missing(&self, state: State, missing: Missing) {
        assert!(self.was_acknowledged(self.plan.iss) && state.is_synchronized(), "it was never open");
        let [ours, theirs] = self.fins;
        match missing {
            Missing::TextAcknowledgment | Missing::Window => {
                assert!(!self.was_acknowledged(ours - 1), "our text was acknowledged");
            }
            Missing::FinAcknowledgment => assert!(!self.was_acknowledged(ours), "our FIN was acknowledged"),
            Missing::FinAcknowledgmentReset => {
                assert!(!self.was_acknowledged(ours), "our FIN was acknowledged");
                self.assert_reset();
            }
            Missing::PeerFin => {
                assert!(self.was_acknowledged(ours), "our FIN was not acknowledged");
                assert!(!self.acknowledged(theirs), "the peer's FIN had come");
            }
            Missing::PeerFirst => assert!(!self.acknowledged(theirs), "the peer had closed"),
            Missing::OurWindow => panic!("our user takes all that comes"),
        }
    }

    /// The oldest of our numbers without an answer.
    fn oldest(&self) -> SeqNum {
        self.acks.iter().fold(self.plan.iss, |oldest, (_, ack)| if ack.after(oldest) { *ack } else { oldest })
    }

    fn assert_not_too_soon(&self, exchange: &Exchange) {
        let (_, clause) = exchange.last.expect("something ends it");
        match (clause, self.plan.parameters.retries) {
            (Clause::RetransmissionLimit, Retries::AtMost(most)) => self.assert_tried(most),
            (Clause::RetransmissionLimit, Retries::Unlimited) => panic!("there was no limit to retries"),
            (Clause::UserTimeout, _) => self.assert_patient(&exchange.summary.outcome),
            _ => assert!(self.came.iter().any(|(_, segment)| segment.has(Flags::RST)), "{clause:?}"),
        }
    }

    /// The oldest number was sent so many times more than once, and after the last there was a wait.
    fn assert_tried(&self, most: u8) {
        const LEAST_WAIT: Duration = Duration::from_secs(1); // RFC 6298 section 2.4
        let oldest = self.oldest();
        let carries = |segment: &Segment| {
            segment.seq.at_or_before(oldest) && segment.end().after(oldest) && !segment.has(Flags::RST)
        };
        let times: Vec<Instant> =
            self.sent.iter().filter(|(_, segment)| carries(segment)).map(|(at, _)| *at).collect();
        assert!(times.len() > usize::from(most), "given up after {} of {most} retries", times.len());
        let waited = self.at - *times.last().unwrap();
        assert!(waited >= LEAST_WAIT, "given up {waited:?} after the last retry");
    }

    /// Since the last progress the time that was given has passed; while closing, since the close began, of which
    /// nothing is known but that it has.
    fn assert_patient(&self, outcome: &Outcome) {
        let timeout = self.plan.timeout;
        let state = match outcome {
            Outcome::CloseIncomplete { state, .. } => *state,
            _ => State::SynSent,
        };
        let since = match state {
            State::Established | State::CloseWait => self.last_progress(),
            _ => Instant::ORIGIN,
        };
        assert!(self.at - since >= timeout, "given up {:?} after progress", self.at - since);
        let most = timeout * 2; // to be done talking, and to close
        assert!(self.at - self.last_progress() <= most, "given up {:?} after progress", self.at - since);
    }

    /// When text of ours was acknowledged last, or text of the peer's came in order.
    fn last_progress(&self) -> Instant {
        let mut last = Instant::ORIGIN;
        let mut una = self.plan.iss + 1;
        for (at, ack) in self.acks.iter().filter(|(_, ack)| ack.at_or_before(self.fins[0])) {
            if ack.after(una) {
                (una, last) = (*ack, *at);
            }
        }
        let mut nxt = None;
        for (at, segment) in &self.sent {
            let ack = segment.acknowledgment().filter(|ack| nxt.is_none_or(|nxt| ack.after(nxt)));
            if let Some(ack) = ack.filter(|_| !segment.has(Flags::RST)) {
                last = if nxt.is_some() && ack.at_or_before(self.fins[1]) { last.max(*at) } else { last };
                nxt = Some(ack);
            }
        }
        last
    }
}

/// Whether `nxt`, which we expect next, lies behind all of the segment.
fn is_left_of(segment: &Segment, nxt: SeqNum) -> bool {
    if segment.is_empty() { segment.seq.before(nxt) } else { segment.end().at_or_before(nxt) }
}
