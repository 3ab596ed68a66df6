//! Peers that mean ill, in virtual time: what is sent, and when it ends, to the segment and to the nanosecond.

use std::time::Duration;

use tcpshake::driver::observe::Observer;
use tcpshake::driver::{self, Close, Plan};
use tcpshake::guard::Guard;
use tcpshake::record::{Event, Opening, Outcome, Step, Summary};
use tcpshake::tcp::{Flags, Offer, Parameters, Retries, State};
use tcpshake::wire::memory::MemoryWire;

use crate::enemies::{Hostile, Part};

const DELAY: Duration = Duration::from_millis(1);

/// What is noted of an exchange with very many steps.
#[derive(Default)]
struct Notes {
    sent: u32,
    /// When each ACK without anything else left, but that of the open.
    acks: Vec<Duration>,
    opened: Option<Duration>,
    /// When the peer last took something.
    progress: Duration,
    /// When the last step happened.
    ended: Duration,
    summary: Option<Summary>,
}

impl Observer for Notes {
    fn begin(&mut self, _opening: &Opening) {}

    fn step(&mut self, step: &Step) {
        self.ended = step.at;
        let snd = step.view.snd;
        assert!(snd.nxt.at_or_before(snd.end + 1), "nothing leaves that there is not: {snd:?}");
        if step.view.snd.una != step.before.view.snd.una {
            self.progress = step.at;
        }
        if step.arrows.iter().any(|arrow| arrow.to == State::Established) {
            self.opened = Some(step.at);
        }
        if let Event::Sent { segment, .. } = &step.event {
            self.sent += 1;
            if segment.flags == Flags::ACK && segment.is_empty() {
                self.acks.push(step.at);
            }
        }
    }

    fn end(&mut self, summary: &Summary) {
        self.summary = Some(summary.clone());
    }
}

/// Meets a peer that speaks at this pace, with so much patience.
fn meet(part: Part, pace: Duration, timeout: Duration) -> Notes {
    let remote = "10.99.0.2:80".parse().unwrap();
    let meeting = part.meeting();
    let offer = Offer::USUAL | Offer::TIMESTAMPS.only_if(meeting.timestamps);
    let plan = Plan {
        parameters: Parameters { retries: Retries::Unlimited, offer, ..Parameters::default() },
        close: if meeting.closes { Close::Active } else { Close::Passive },
        text: vec![b'x'; meeting.text],
        timeout,
        simulated: true,
        ..Plan::new(remote, crate::script::ISS)
    };
    let mut wire = MemoryWire::new(Hostile::new(part, remote).paced(pace, 1), DELAY);
    let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
    let mut notes = Notes::default();
    driver::run(&guard, &mut wire, &plan, &mut notes, &mut || None).unwrap();
    notes
}

/// Meets the peer, and holds what came of it against what must.
fn judge(part: Part, pace: Duration, seconds: u32) {
    const MOST_CHALLENGES: usize = 10;
    let timeout = Duration::from_secs(seconds.into());
    let (meeting, notes) = (part.meeting(), meet(part, pace, timeout));
    let summary = notes.summary.unwrap();
    let Outcome::CloseIncomplete { state, missing } = summary.outcome else {
        panic!("{part:?}: {}", summary.outcome)
    };
    assert_eq!(state.name(), meeting.state, "{part:?}");
    assert!(meeting.missing.contains(&missing.text()), "{part:?}: {}", missing.text());
    let opened = notes.opened.unwrap();
    assert_eq!(notes.ended, notes.progress + timeout, "{part:?}: the verdict");
    let (first, challenges) = notes.acks.split_first().unwrap();
    assert_eq!(*first, opened, "{part:?}: the third segment of the open");
    let crowd = challenges
        .windows(MOST_CHALLENGES + 1)
        .find(|crowd| crowd[MOST_CHALLENGES].abs_diff(crowd[0]) <= SPAN);
    assert_eq!(crowd, None, "{part:?}: more challenges than ten in five seconds");
    let beside = notes.sent - challenges.len() as u32;
    assert!(beside <= 1 + meeting.most_sent(seconds), "{part:?}: {beside} segments");
}

/// RFC 5961 section 7.
const SPAN: Duration = Duration::from_secs(5);

/// O-09, J-07, J-08, J-10, G-10, G-11, G-14, G-15, K-02, K-03, K-14, M-06, M-07, B-08, N-04, N-05: as fast as they can.
#[test]
fn g14_j07_o09_hostile_peers_change_neither_the_verdict_nor_its_time() {
    for part in Part::ALL {
        judge(part, part.pace(), 10);
    }
}

/// The same for an hour: what is remembered for a while is forgotten in time, and no timer comes too often.
#[test]
fn g14_j07_o09_hostile_peers_for_an_hour() {
    for part in Part::ALL {
        judge(part, Duration::from_millis(900), 3600);
    }
}
