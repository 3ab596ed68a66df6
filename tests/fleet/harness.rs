//! A run of a fleet in a world, and what was told of it.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tcpshake::driver::fleet::{self, Dispatcher, Done, Ended, Errand, KeptPackets, Next, Path, Plan};
use tcpshake::guard::GuardedPorts;
use tcpshake::record::Outcome;
use tcpshake::tcp::{Mss, Offer, Parameters, Retries, State};
use tcpshake::time::Instant;
use tcpshake::wire::Way;

use crate::network::Tuple;
use crate::packets::{Seen, read};
use crate::peers::Kind;
use crate::wire::Crowd;
use crate::world::{Place, World};

/// A copy of what was told of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) target: u32,
    pub(crate) tuple: Tuple,
    pub(crate) parameters: Parameters,
    pub(crate) outcome: Outcome,
    pub(crate) at: Instant,
    pub(crate) rtt: Option<Duration>,
    pub(crate) syns: u32,
    pub(crate) syns_lost: u32,
    pub(crate) retransmissions: u32,
    pub(crate) announced: Option<(Option<Mss>, Offer)>,
    pub(crate) text: Vec<u8>,
    pub(crate) banner_came: Option<bool>,
    pub(crate) stayed_open: Option<bool>,
    pub(crate) kept: KeptPackets,
    /// The peer's state at that moment.
    pub(crate) peer: State,
}

/// Hands out errands, and writes down what became of them.
pub(crate) struct Books {
    world: Rc<RefCell<World>>,
    pub(crate) errands: VecDeque<Errand>,
    /// No errand before that moment, and none after the other: `Later`.
    pub(crate) pause: Option<(Instant, Instant)>,
    pub(crate) calls: usize,
    pub(crate) told: Vec<Told>,
}

impl Dispatcher for Books {
    fn next(&mut self, now: Instant) -> Next {
        self.calls += 1;
        if self.pause.is_some_and(|(from, until)| from <= now && now < until) {
            return Next::Later;
        }
        self.errands.pop_front().map_or(Next::Done, Next::Errand)
    }

    fn ended(&mut self, ended: Ended<'_>) {
        let tuple = (ended.local, ended.errand.remote);
        let mut world = self.world.borrow_mut();
        world.ledger.on_told(tuple);
        self.told.push(Told {
            target: ended.errand.target,
            tuple,
            parameters: ended.parameters,
            peer: world.state_of(tuple),
            at: ended.at,
            rtt: ended.rtt,
            syns: ended.syns,
            syns_lost: ended.syns_lost,
            retransmissions: ended.retransmissions,
            announced: ended.announced,
            text: ended.text.to_vec(),
            banner_came: ended.banner_came,
            stayed_open: ended.stayed_open,
            kept: ended.packets.copy(),
            outcome: ended.outcome,
        });
    }
}

/// A world, what is to be done in it, and what has been.
pub(crate) struct Voyage {
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) books: Books,
    pub(crate) plan: Plan,
    pub(crate) ports: Vec<u16>,
    pub(crate) waits: u64,
    /// Exchanges that are let go of, untold, to be made again.
    pub(crate) made_again: usize,
}

pub(crate) fn local(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { IpAddr::from([10, 99, 0, 1]) } else { "fd99::1".parse().unwrap() }
}

/// The n-th host of a family.
pub(crate) fn host(v6: bool, n: u32) -> IpAddr {
    let [_, a, b, c] = n.to_be_bytes();
    if v6 {
        IpAddr::from([0xfd01, 0, 0, 0, 0, 0, a.into(), (n & 0xffff) as u16])
    } else {
        [11, a, b, c].into()
    }
}

impl Voyage {
    pub(crate) fn new(seed: u64) -> Self {
        let world = Rc::new(RefCell::new(World::new(seed)));
        let books = Books {
            world: Rc::clone(&world),
            errands: VecDeque::new(),
            pause: None,
            calls: 0,
            told: Vec::new(),
        };
        let plan = Plan { timeout: Duration::from_secs(10), ..Plan::new([2; 16]) };
        Self { world, books, plan, ports: (40_000..40_040).collect(), waits: 0, made_again: 0 }
    }

    pub(crate) fn retries(&mut self, most: u8) {
        self.plan.parameters.retries = Retries::AtMost(most);
    }

    /// An errand, whose number is its place.
    pub(crate) fn visit(&mut self, remote: SocketAddr, task: u16) {
        let mss = Mss::new(1400).unwrap();
        let path = Path { local: local(remote.ip()), way: Way::Routed { scope: 0 }, mss };
        let target = self.books.errands.len() as u32;
        self.books.errands.push_back(Errand { target, remote, path, task });
    }

    /// A new host of that kind, and an errand to it.
    pub(crate) fn meet(&mut self, v6: bool, kind: Kind, task: u16) -> SocketAddr {
        let remote = SocketAddr::new(host(v6, self.books.errands.len() as u32 + 1), 80);
        self.world.borrow_mut().settle(remote, kind);
        self.visit(remote, task);
        remote
    }

    pub(crate) fn run(&mut self) -> Done {
        let guard = GuardedPorts::not_needed(self.ports.clone());
        let mut wire = Crowd::new(&self.world);
        let errands: Vec<Errand> = self.books.errands.iter().copied().collect();
        let world = Rc::clone(&self.world);
        let mut signal = move || world.borrow_mut().signal.take();
        let done = fleet::run(&guard, &mut wire, &self.plan, &mut self.books, &mut signal).unwrap();
        self.waits = wire.waits;
        self.check(&errands);
        done
    }

    /// What holds for every run: each errand begun is told once, under its number, and only from our ports.
    fn check(&self, errands: &[Errand]) {
        assert_eq!(self.world.borrow().ledger.untold(), self.made_again, "begun, and never told");
        let mut targets: Vec<u32> = self.books.told.iter().map(|told| told.target).collect();
        targets.sort_unstable();
        let handed_out = errands.len() - self.books.errands.len();
        assert_eq!(targets, (0..handed_out as u32).collect::<Vec<_>>(), "each told once");
        for told in &self.books.told {
            let errand = &errands[told.target as usize];
            assert_eq!((told.tuple.1, told.tuple.0.ip()), (errand.remote, errand.path.local));
        }
        let addresses: HashSet<IpAddr> = errands.iter().map(|errand| errand.path.local).collect();
        for (_, seen) in self.sent() {
            assert!(self.ports.contains(&seen.from.port()), "not our port: {seen:?}");
            assert!(addresses.contains(&seen.from.ip()), "not our address: {seen:?}");
        }
    }

    fn at(&self, place: Place) -> Vec<(Instant, Seen)> {
        let world = self.world.borrow();
        let there = world.log.iter().filter(|logged| logged.place == place);
        there.filter_map(|logged| Some((logged.at, read(&logged.octets)?))).collect()
    }

    pub(crate) fn sent(&self) -> Vec<(Instant, Seen)> {
        self.at(Place::LeftUs)
    }

    pub(crate) fn received(&self) -> Vec<(Instant, Seen)> {
        self.at(Place::ReachedUs)
    }

    pub(crate) fn told(&self, target: u32) -> &Told {
        self.books.told.iter().find(|told| told.target == target).unwrap()
    }

    pub(crate) fn outcome(&self, target: u32) -> &Outcome {
        &self.told(target).outcome
    }
}
