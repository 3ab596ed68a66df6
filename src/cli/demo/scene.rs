//! Each scenario as what both ends do, and what befalls the packets between them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::{Close, Plan};
use crate::lab::actor::{Act, Answers, Begins, Closes, Cue, Part, Reads, old_syn};
use crate::lesson::Scenario;
use crate::record::{Keep, Role};
use crate::tcp::{Flags, Mss, Offer, Parameters, SeqNum, WindowSize};
use crate::wire::faulty::{Fate, Fault, Toward};

/// The textbook's initial sequence number.
const ISS: SeqNum = SeqNum(4321);
/// The far end's.
const FAR_ISS: SeqNum = SeqNum(9000);
/// The number of a SYN of long ago.
const OLD_ISS: SeqNum = SeqNum(1234);
/// Between our initial numbers, where there are several connections.
const STRIDE: u32 = 100_000;
/// The echo service (RFC 862).
const SERVICE: u16 = 7;
const TEXT: &[u8] = b"hello";
/// Long enough for a few retransmissions.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long both sides of some scenarios say nothing once open.
const PAUSE: Duration = Duration::from_millis(100);

/// Where both ends are, and how fast their time goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) mss: Mss,
    pub(super) time: Time,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Invented.
    Simulated,
    /// The user's, who does not want to wait for 2 MSL.
    Real,
}

impl Time {
    /// How long a packet is under way. Real machines are late now and then, and what is to cross must still cross.
    pub(super) const fn delay(self) -> Duration {
        match self {
            Self::Simulated => Duration::from_millis(10),
            Self::Real => Duration::from_millis(50),
        }
    }

    /// MSL, by the book where it costs nothing.
    const fn msl(self) -> Duration {
        match self {
            Self::Simulated => Parameters::MSL,
            Self::Real => Duration::from_secs(1),
        }
    }
}

/// What is to be played.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// The far end's part.
    pub(super) part: Part,
    /// Our exchanges, one after the other.
    pub(super) turns: Vec<Turn>,
    /// What befalls packets.
    pub(super) weather: Vec<Fault>,
    /// A packet that is under way when it begins; it is the first that is counted.
    pub(super) stray: Option<Vec<u8>>,
    pub(super) kernel: Kernel,
}

/// One of our exchanges.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// How long after the one before.
    pub(super) after: Duration,
    pub(super) plan: Plan,
    pub(super) manner: Manner,
}

/// What we say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// The plan's text.
    Recite,
    /// What the peer says.
    Echo,
}

/// What the kernel of our machine does with what comes for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Nothing: a guard stands.
    IsHeldBack,
    /// It answers.
    Answers,
}

/// Our port, if it matters, and the far end's.
pub(super) fn ports(scenario: Scenario) -> (Option<u16>, u16) {
    const CLIENT: u16 = 40_000;
    if scenario == Scenario::Listen { (Some(SERVICE), CLIENT) } else { (None, SERVICE) }
}

impl Scene {
    /// The scene of a scenario, between these ends.
    pub(super) fn of(scenario: Scenario, ends: Ends) -> Self {
        let usual = Self::usual(ends);
        let opens = Begins::Opens { peer: ends.local };
        match scenario {
            Scenario::OpenClose => usual,
            Scenario::KernelRst => Self { kernel: Kernel::Answers, ..usual },
            Scenario::Refused => usual.beginning(Begins::Refuses),
            Scenario::Silent => usual.beginning(Begins::Never),
            Scenario::LostSynAck => usual.losing(Toward::Us, 1),
            Scenario::LostAck => usual.losing(Toward::Remote, 2).greeted(),
            Scenario::LostFin => usual.losing(Toward::Remote, 3).planned(saying_nothing),
            Scenario::PeerClosesFirst => usual.left_first(&[Act::Say(TEXT), Act::Close]),
            Scenario::ThreeSegmentClose => usual.closing(Closes::WithPeer).planned(saying_nothing),
            Scenario::HalfClose => {
                usual.answering(Answers::OnceClosed).planned(|plan| Plan { half_close: true, ..plan })
            }
            Scenario::SimultaneousOpen => usual.beginning(opens).planned(saying_nothing),
            Scenario::SimultaneousClose => usual.closed_at_once(ends.time),
            Scenario::Reset => usual.planned(|plan| Plan { close: Close::Reset, ..plan }),
            Scenario::ChallengeAck => usual.guessed_at(),
            Scenario::TimeWait => usual.left_first(&[Act::Close]).coming_back(ends.time),
            Scenario::OldDuplicateSyn => usual.preceded_by_an_old_syn(ends),
            Scenario::HalfOpen => usual.crashing(),
            Scenario::WindowZero => usual.unread(),
            Scenario::WrapAround => usual.at_the_wrap(),
            Scenario::Options => usual.offering_all_and_nothing(),
            Scenario::Listen => usual.beginning(opens).served(),
        }
    }

    /// A client that says hello to an echo server.
    fn usual(ends: Ends) -> Self {
        let parameters = Parameters { mss: ends.mss, ..Parameters::default() };
        let far = Parameters { msl: ends.time.msl(), ..parameters };
        let plan = Plan {
            parameters,
            text: TEXT.to_vec(),
            await_text: TEXT.len() as u64,
            timeout: PATIENCE,
            simulated: ends.time == Time::Simulated,
            ..Plan::new(ends.remote, ISS)
        };
        Self {
            part: Part::echo(FAR_ISS, far),
            turns: vec![Turn { after: Duration::ZERO, plan, manner: Manner::Recite }],
            weather: Vec::new(),
            stray: None,
            kernel: Kernel::IsHeldBack,
        }
    }

    /// The far end speaks first, and we have nothing to say.
    fn greeted(self) -> Self {
        let scene = self.cued([Cue::new(Duration::ZERO, Act::Say(TEXT))]).answering(Answers::Nothing);
        scene.planned(|plan| Plan { text: Vec::new(), ..plan })
    }

    /// The far end does this as soon as it is open, and we only close when it has.
    fn left_first(self, acts: &[Act]) -> Self {
        let cues: Vec<_> = acts.iter().map(|act| Cue::new(Duration::ZERO, *act)).collect();
        self.cued(cues).planned(|plan| Plan { close: Close::Passive, ..saying_nothing(plan) })
    }

    /// The far end is open later than we are, by the time our ACK takes.
    fn closed_at_once(self, time: Time) -> Self {
        let scene = self.cued([Cue::new(PAUSE.saturating_sub(time.delay()), Act::Close)]);
        scene.planned(|plan| Plan { wait_after_open: PAUSE, ..saying_nothing(plan) })
    }

    fn guessed_at(self) -> Self {
        let forged = |after, flags, ahead| Cue::new(after, Act::Forge { flags, ahead });
        let scene = self.cued([forged(PAUSE / 2, Flags::RST, 1000), forged(PAUSE, Flags::SYN, 2000)]);
        scene.planned(|plan| Plan { wait_after_open: PAUSE * 6, ..plan })
    }

    /// Once at once, and once when TIME-WAIT is over.
    fn coming_back(self, time: Time) -> Self {
        let over = time.msl() * 2 + Duration::from_secs(1);
        self.again(Duration::ZERO, |plan| plan).again(over, |plan| plan)
    }

    fn preceded_by_an_old_syn(self, ends: Ends) -> Self {
        let (stray, late) = (old_syn(ends.local, ends.remote, OLD_ISS), Fate::late(ends.time.delay() * 6));
        let weather = vec![Fault { toward: Toward::Remote, nth: 2, fate: late }];
        Self { weather, stray, ..self }.planned(saying_nothing)
    }

    /// First the far end, then we.
    fn crashing(self) -> Self {
        let crash = Cue { connection: Some(1), after: PAUSE / 2, act: Act::Crash };
        let scene = self.cued([crash]).planned(|plan| Plan { wait_after_open: PAUSE, ..plan });
        let crashing =
            |plan| Plan { wait_after_open: Duration::ZERO, close: Close::None, ..saying_nothing(plan) };
        scene.again(Duration::ZERO, crashing).again(PAUSE, |plan| Plan { close: Close::Active, ..plan })
    }

    fn unread(self) -> Self {
        const TAKEN: u32 = 20;
        const MORE: &[u8] = b"more than the server takes as long as its program reads nothing";
        let mut scene = self.cued([Cue::new(Duration::from_secs(5), Act::Read)]);
        scene.part.reads = Reads::OnCue;
        scene.part.parameters.window = WindowSize::new(TAKEN);
        scene.planned(|plan| Plan { text: MORE.to_vec(), await_text: MORE.len() as u64, ..plan })
    }

    fn at_the_wrap(mut self) -> Self {
        self.part.iss = SeqNum(u32::MAX);
        self.planned(|plan| Plan { iss: SeqNum(u32::MAX - 2), ..plan })
    }

    fn offering_all_and_nothing(mut self) -> Self {
        const LARGE: u32 = 1 << 20;
        let all = Parameters {
            window: WindowSize::new(LARGE),
            offer: Offer::USUAL | Offer::TIMESTAMPS,
            ..self.part.parameters
        };
        self.part.parameters = all;
        let scene = self.planned(|plan| Plan { parameters: all, ..plan });
        scene.again(PAUSE, |plan| Plan { parameters: Parameters { offer: Offer::NOTHING, ..all }, ..plan })
    }

    /// We are the server.
    fn served(self) -> Self {
        let cues = [Cue::new(Duration::ZERO, Act::Say(TEXT)), Cue::new(PAUSE * 5, Act::Close)];
        let mut scene = self.cued(cues).answering(Answers::Nothing);
        scene.turns.iter_mut().for_each(|turn| turn.manner = Manner::Echo);
        scene.planned(|plan| Plan { role: Role::Passive, close: Close::Passive, ..saying_nothing(plan) })
    }

    fn beginning(mut self, begins: Begins) -> Self {
        self.part.begins = begins;
        self
    }

    fn answering(mut self, answers: Answers) -> Self {
        self.part.answers = answers;
        self
    }

    fn closing(mut self, closes: Closes) -> Self {
        self.part.closes = closes;
        self
    }

    fn cued(mut self, cues: impl Into<Vec<Cue>>) -> Self {
        self.part.cues = cues.into();
        self
    }

    fn losing(mut self, toward: Toward, nth: u32) -> Self {
        self.weather = vec![Fault { toward, nth, fate: Fate::LOST }];
        self
    }

    /// With so much of each packet.
    pub(super) fn keeping(mut self, keep: Keep) -> Self {
        self.turns.iter_mut().for_each(|turn| turn.plan.keep = keep);
        self
    }

    /// Our last exchange, changed.
    fn planned(mut self, change: impl FnOnce(Plan) -> Plan) -> Self {
        if let Some(turn) = self.turns.pop() {
            self.turns.push(Turn { plan: change(turn.plan), ..turn });
        }
        self
    }

    /// Another exchange: the last, with new numbers, and changed.
    fn again(mut self, after: Duration, change: impl FnOnce(Plan) -> Plan) -> Self {
        if let Some(Turn { plan, manner, .. }) = self.turns.last().cloned() {
            let plan = Plan { number: plan.number + 1, iss: plan.iss + STRIDE, ..plan };
            self.turns.push(Turn { after, plan: change(plan), manner });
        }
        self
    }
}

fn saying_nothing(plan: Plan) -> Plan {
    Plan { text: Vec::new(), await_text: 0, ..plan }
}
