//! The far end that ships: an actor, which is a stream with a script.

use std::time::Duration;

use tcpshake::driver::{Close, Open, Plan};
use tcpshake::lab::actor::{Act, Actor, Answers, Begins, Closes, Cue, Part, Reads};
use tcpshake::lab::simulated::server_address;
use tcpshake::record::Role;
use tcpshake::tcp::{Mss, Nagle, Offer, Parameters, Retries, SeqNum, State, WindowSize};
use tcpshake::time::Instant;
use tcpshake::wire::memory::Station;

use crate::exchange::{Peer, Setup};
use crate::pattern::{Chance, pattern};
use crate::weather::{LOCAL, PORT, rough};

/// An actor, and what it has heard: that outlives its connection.
pub struct Ours {
    actor: Actor,
    heard: Vec<u8>,
}

impl Station for Ours {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        let answers = self.actor.react(packet, now);
        let heard = self.actor.heard();
        self.heard.extend(heard.get(self.heard.len()..).unwrap_or_default());
        answers
    }

    fn deadline(&self) -> Option<Instant> {
        self.actor.deadline()
    }
}

impl Peer for Ours {
    fn heard(&self) -> &[u8] {
        &self.heard
    }

    fn is_over(&self) -> bool {
        matches!(self.actor.state(), State::Closed | State::Listen)
    }
}

/// How long the two ends try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Without a limit to retries, an hour without progress.
    Long,
    /// As the program does if nothing else is asked for.
    Usual,
}

/// The exchange of this seed, and its far end.
pub fn exchange(seed: u64, patience: Patience) -> (Setup, Ours) {
    let mut chance = Chance::new(seed);
    let remote = server_address(PORT);
    let texts = [text(&mut chance), text(&mut chance)];
    let usual = Plan::new(remote, SeqNum(near_the_wrap(&mut chance)));
    let mut plan = Plan {
        parameters: parameters(&mut chance, patience),
        text_on_syn: chance.permille(125),
        nagle: if chance.permille(500) { Nagle::On } else { Nagle::Off },
        timeout: match patience {
            Patience::Long => Duration::from_secs(3600),
            Patience::Usual => usual.timeout,
        },
        begun: Some(Instant::ORIGIN),
        simulated: true,
        ..usual
    };
    let mut part = Part {
        answers: Answers::Nothing,
        cues: saying(&mut chance, texts[1]),
        ..Part::echo(SeqNum(near_the_wrap(&mut chance)), parameters(&mut chance, patience))
    };
    open(&mut chance, &mut plan, &mut part);
    close(&mut chance, &mut plan, &mut part, texts[1].len() as u64);
    if chance.permille(125) {
        read_late(&mut chance, &mut part);
    }
    let delay = Duration::from_millis(1 + chance.next() % 100);
    let irs = Some(part.iss);
    let piece = if chance.permille(250) { 1 + chance.next() as usize % 3000 } else { usize::MAX };
    let setup = Setup { local: LOCAL.into(), plan, texts, piece, irs, delay, climates: [rough(); 2], seed };
    (setup, Ours { actor: Actor::new(remote, part), heard: Vec::new() })
}

/// 1 KiB to 64 KiB.
fn text(chance: &mut Chance) -> &'static [u8] {
    const LEAST: u64 = 1 << 10;
    const MOST: u64 = 1 << 16;
    let len = LEAST + chance.next() % (MOST - LEAST + 1);
    pattern(chance.next(), len as usize)
}

fn near_the_wrap(chance: &mut Chance) -> u32 {
    (chance.next() as u32 % 100_000).wrapping_sub(70_000)
}

fn parameters(chance: &mut Chance, patience: Patience) -> Parameters {
    let mut one_of = |all: &[u32]| all[chance.next() as usize % all.len()];
    let mss = one_of(&[88, 536, 1220, 1460, 1460]);
    let window = one_of(&[400, 3000, 16_384, 64_240, 64_240, 1 << 20]);
    let offers = [Offer::MSS, Offer::SACK, Offer::WINDOW_SCALE, Offer::TIMESTAMPS, Offer::ECN];
    let offer = offers.into_iter().fold(Offer::NOTHING, |all, one| all | one.only_if(chance.permille(600)));
    let usual = Parameters::default();
    Parameters {
        mss: Mss::new(mss as u16).unwrap(),
        window: WindowSize::new(window),
        offer,
        retries: if patience == Patience::Long { Retries::Unlimited } else { usual.retries },
        // TIME-WAIT outlasts a row of losses, or its end would reset who still repeats its FIN.
        msl: if patience == Patience::Long { Duration::from_secs(20 * 60) } else { usual.msl },
        ..usual
    }
}

/// A text in one to three pieces, within two seconds.
fn saying(chance: &mut Chance, text: &'static [u8]) -> Vec<Cue> {
    let pieces = 1 + chance.next() as usize % 3;
    let mut at = Duration::ZERO;
    let say = |piece| {
        at += Duration::from_millis(chance.next() % 700);
        Cue::new(at, Act::Say(piece))
    };
    text.chunks(text.len().div_ceil(pieces)).map(say).collect()
}

/// We begin, the peer does, or both.
fn open(chance: &mut Chance, plan: &mut Plan, part: &mut Part) {
    let peer = LOCAL.into();
    match chance.next() % 5 {
        0 => {
            part.begins = Begins::Opens { peer };
            plan.role = Role::Passive;
        }
        1 => {
            part.begins = Begins::Opens { peer };
            plan.open = if chance.permille(500) { Open::Simultaneous } else { Open::Usual };
        }
        _ => {}
    }
}

/// We close first, with our text or once all has come, the peer does, or both do.
fn close(chance: &mut Chance, plan: &mut Plan, part: &mut Part, theirs: u64) {
    let after_all = |part: &Part| part.cues.last().map_or(Duration::ZERO, |cue| cue.after);
    match chance.next() % 4 {
        0 => {
            plan.await_text = theirs;
            part.closes = if chance.permille(500) { Closes::WithPeer } else { Closes::AfterPeer };
        }
        1 => plan.half_close = true,
        2 => {
            plan.close = Close::Passive;
            part.cues.push(Cue::new(after_all(part), Act::Close));
        }
        _ => {
            plan.half_close = true;
            part.cues.push(Cue::new(after_all(part), Act::Close));
        }
    }
}

/// The peer's user lets its window fill before it reads; but it has read when it closes, or nobody would.
fn read_late(chance: &mut Chance, part: &mut Part) {
    const LATEST: Duration = Duration::from_secs(10);
    let close = part.cues.iter().find(|cue| cue.act == Act::Close).map(|cue| cue.after);
    let latest = close.unwrap_or(LATEST).as_millis() as u64;
    part.cues.push(Cue::new(Duration::from_millis(chance.next() % (latest + 1)), Act::Read));
    part.reads = Reads::OnCue;
    part.closes = Closes::AfterPeer;
}
