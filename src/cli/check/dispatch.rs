//! Errands for a fleet: the targets in their order, each with an address and a way to it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::names::{self, Known};
use super::news::{News, Unreached};
use crate::cli::targets::{Exclude, Host, List};
use crate::driver::fleet::{Dispatcher, Ended, Errand, Next, Path};
use crate::net::interfaces::Interface;
use crate::net::route::{Destination, Route, RouteError};
use crate::net::router::Router;
use crate::packet::ip::no_host;
use crate::record::GuardSummary;
use crate::record::expectation::{Exchange, Expectations};
use crate::tcp::Mss;
use crate::time::Instant;
use crate::wire::Way;
use crate::wire::raw::MARK;

/// What the dispatchers of all threads share.
pub(super) struct Shared {
    pub(super) list: List,
    pub(super) exclude: Exclude,
    /// The numbers of targets in their order; `None` is that of the list.
    pub(super) order: Option<Vec<u32>>,
    pub(super) names: names::Shared,
    pub(super) count: u32,
    pub(super) source: Option<IpAddr>,
    /// Whether what has a known neighbour may go to it straight.
    pub(super) shortcut: Shortcut,
    /// Nothing more is to be begun.
    pub(super) stop: AtomicBool,
    pub(super) guard: GuardSummary,
}

/// Whether packets may leave past the routing of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortcut {
    Allowed,
    Forbidden,
}

/// The errands of one thread.
pub(super) struct Dispatch {
    shared: Arc<Shared>,
    news: SyncSender<Vec<News>>,
    /// What is still to be told: one by one each would wake a thread.
    untold: Vec<News>,
    told_at: Instant,
    /// Which thread of how many.
    share: (u32, u32),
    /// Places in the order that were looked at.
    cursor: u32,
    /// Targets whose names are being resolved.
    unresolved: Vec<u32>,
    /// Targets under way, as many as make a round worth it; all rounds with them before the next.
    block: Vec<Placed>,
    round: u32,
    at: usize,
    ways: Ways,
}

/// A target that can be spoken to.
#[derive(Clone, Copy)]
struct Placed {
    target: u32,
    task: u16,
    remote: SocketAddr,
    path: Path,
    hop: Option<Hop>,
}

/// A next hop: a neighbour on an interface.
type Hop = (IpAddr, u32);

impl Dispatch {
    /// Targets routed at a time.
    const BLOCK: usize = 64;
    /// News told together, and how long they wait for each other.
    const AT_ONCE: usize = 256;
    const SOON: Duration = Duration::from_millis(20);
    /// Names may take their time: no more wait for them.
    const MOST_UNRESOLVED: usize = 100_000;

    pub(super) fn new(
        shared: Arc<Shared>,
        news: SyncSender<Vec<News>>,
        share: (u32, u32),
        router: Router,
    ) -> Self {
        let ways = Ways::new(router, shared.source, shared.shortcut);
        Self {
            shared,
            news,
            untold: Vec::new(),
            told_at: Instant::ORIGIN,
            share,
            cursor: 0,
            unresolved: Vec::new(),
            block: Vec::new(),
            round: 0,
            at: 0,
            ways,
        }
    }

    /// The next target in the order that is this thread's.
    fn next_target(&mut self) -> Option<u32> {
        let (thread, threads) = self.share;
        let place = self.cursor.checked_mul(threads)?.checked_add(thread)?;
        if place >= self.shared.list.len() {
            return None;
        }
        self.cursor += 1;
        match &self.shared.order {
            Some(order) => order.get(place as usize).copied(),
            None => Some(place),
        }
    }

    /// Targets to speak to next; `false` if there is none, now or at all.
    fn fill(&mut self, now: Instant) -> bool {
        self.block.clear();
        (self.round, self.at) = (0, 0);
        let mut found: Vec<(u32, Vec<SocketAddr>)> = Vec::new();
        let unresolved = std::mem::take(&mut self.unresolved);
        let mut unresolved = unresolved.into_iter();
        while found.len() < Self::BLOCK {
            let Some(target) = unresolved.next() else { break };
            found.extend(self.addresses(target).map(|addresses| (target, addresses)));
        }
        self.unresolved.extend(unresolved);
        while found.len() < Self::BLOCK && self.unresolved.len() < Self::MOST_UNRESOLVED {
            let Some(target) = self.next_target() else { break };
            found.extend(self.addresses(target).map(|addresses| (target, addresses)));
        }
        self.place(&found, now);
        !found.is_empty()
    }

    /// The addresses of a target; `None` if they are not known yet, or there are none to speak to, which is told.
    fn addresses(&mut self, target: u32) -> Option<Vec<SocketAddr>> {
        let shared = Arc::clone(&self.shared);
        let entry = shared.list.get(target)?;
        let name = match entry.host {
            Host::Address(ip) => return Some(vec![SocketAddr::new(ip, entry.port)]),
            Host::Name(name) => name,
        };
        match names::look_up(&shared.names, name) {
            Known::NotYet => {
                self.unresolved.push(target);
                None
            }
            Known::Answer(Err(why)) => {
                self.tell(target, Unreached::Unresolved(why));
                None
            }
            Known::Answer(Ok(found)) => {
                let with_port = |address: &SocketAddr| match *address {
                    SocketAddr::V4(mut v4) => {
                        v4.set_port(entry.port);
                        SocketAddr::V4(v4)
                    }
                    SocketAddr::V6(mut v6) => {
                        v6.set_port(entry.port);
                        SocketAddr::V6(v6)
                    }
                };
                let allowed = found.iter().filter(|address| {
                    let ip = address.ip().to_canonical();
                    !shared.exclude.has(ip) && no_host(ip).is_none()
                });
                let allowed: Vec<SocketAddr> = allowed.map(with_port).collect();
                if allowed.is_empty() {
                    self.tell(target, Unreached::Excluded);
                    return None;
                }
                Some(allowed)
            }
        }
    }

    /// Finds a way to each; of several addresses the first that has one.
    fn place(&mut self, found: &[(u32, Vec<SocketAddr>)], now: Instant) {
        let first: Vec<SocketAddr> =
            found.iter().filter_map(|(_, addresses)| addresses.first().copied()).collect();
        let routes = self.ways.all_to(&first, now);
        for ((target, addresses), routed) in found.iter().zip(routes) {
            let mut routed = routed;
            for other in addresses.iter().skip(1) {
                if routed.is_ok() {
                    break;
                }
                let another = self.ways.all_to(std::slice::from_ref(other), now).pop();
                routed = another.filter(Result::is_ok).unwrap_or(routed);
            }
            match routed {
                Ok((remote, path, hop)) => {
                    let task = self.shared.list.get(*target).map_or(0, |entry| entry.expectations);
                    self.block.push(Placed { target: *target, task, remote, path, hop });
                }
                Err(why) => self.tell(*target, Unreached::NoWay(why)),
            }
        }
    }

    fn tell(&mut self, target: u32, why: Unreached) {
        self.note(News::Unreached { target, why });
    }

    fn note(&mut self, news: News) {
        self.untold.push(news);
        if self.untold.len() >= Self::AT_ONCE {
            self.tell_all();
        }
    }

    /// Who hears it may be slower than we are: then this waits, and so do the exchanges.
    fn tell_all(&mut self) {
        if !self.untold.is_empty() {
            let _ = self.news.send(std::mem::replace(&mut self.untold, Vec::with_capacity(Self::AT_ONCE)));
        }
    }

    /// A way that was not known when the target was placed may be known by now.
    fn path_now(&mut self, at: usize, now: Instant) -> Option<Path> {
        let placed = self.block.get_mut(at)?;
        if let Some(hop) = placed.hop {
            placed.path.way = self.ways.by_neighbour(hop, now).unwrap_or(placed.path.way);
        }
        Some(placed.path)
    }
}

impl Dispatcher for Dispatch {
    fn next(&mut self, now: Instant) -> Next {
        loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                return Next::Done;
            }
            if let (at, Some(path)) = (self.at, self.path_now(self.at, now))
                && let Some(placed) = self.block.get(at)
            {
                self.at += 1;
                let Placed { target, task, remote, .. } = *placed;
                return Next::Errand(Errand { target, remote, path, task });
            }
            if !self.block.is_empty() && self.round + 1 < self.shared.count {
                self.round += 1;
                self.at = 0;
                continue;
            }
            if !self.fill(now) {
                return if self.unresolved.is_empty() { Next::Done } else { Next::Later };
            }
        }
    }

    fn ended(&mut self, ended: Ended<'_>) {
        let expectations = self.shared.list.expectations().get(usize::from(ended.errand.task));
        let judged = expectations.map_or(Ok(()), |expectations| judge(expectations, &ended));
        let news = News::of(ended, judged.err(), &self.shared.guard);
        self.note(news);
    }

    fn between(&mut self, now: Instant) {
        if now - self.told_at >= Self::SOON {
            self.told_at = now;
            self.tell_all();
        }
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.tell_all();
    }
}

fn judge(expectations: &Expectations, ended: &Ended<'_>) -> Result<(), String> {
    expectations.judge_exchange(&Exchange {
        outcome: &ended.outcome,
        has_banner: ended.banner_came.unwrap_or(false),
        stayed_open: ended.stayed_open.unwrap_or(false),
    })
}

/// How to get anywhere.
struct Ways {
    router: Router,
    source: Option<IpAddr>,
    shortcut: Shortcut,
    interfaces: HashMap<u32, Option<Interface>>,
    neighbours: HashMap<Hop, Neighbour, foldhash::fast::RandomState>,
}

/// A next hop, and what is known of it.
#[derive(Clone, Copy)]
struct Neighbour {
    hardware: Option<[u8; 6]>,
    /// Packets that went there since it was looked for.
    uses: u32,
    asked: Option<Instant>,
}

type Placement = Result<(SocketAddr, Path, Option<Hop>), String>;

impl Ways {
    /// A neighbour that is spoken to less often is the kernel's to find.
    const WORTH_ASKING: u32 = 8;
    const ASK_AGAIN: Duration = Duration::from_millis(20);
    /// It may move to another card.
    const KNOWN_FOR: Duration = Duration::from_secs(5);
    const MOST_NEIGHBOURS: usize = 4096;

    fn new(router: Router, source: Option<IpAddr>, shortcut: Shortcut) -> Self {
        Self { router, source, shortcut, interfaces: HashMap::new(), neighbours: HashMap::default() }
    }

    fn all_to(&mut self, remotes: &[SocketAddr], now: Instant) -> Vec<Placement> {
        let destinations: Vec<IpAddr> = remotes.iter().map(SocketAddr::ip).collect();
        let source_of = |ip: &IpAddr| self.source.filter(|source| source.is_ipv4() == ip.is_ipv4());
        let source = destinations.first().and_then(source_of);
        let routes = match self.router.lookup(&destinations, source, None, Some(MARK)) {
            Ok(routes) => routes,
            Err(error) => {
                let why = format!("cannot ask the kernel for routes: {}", crate::cause::cause(&error));
                return remotes.iter().map(|_| Err(why.clone())).collect();
            }
        };
        remotes.iter().zip(routes).map(|(remote, route)| self.along(*remote, route, now)).collect()
    }

    fn along(&mut self, remote: SocketAddr, route: Result<Route, RouteError>, now: Instant) -> Placement {
        let route = route.map_err(|error| error.to_string())?;
        if route.destination == Destination::Many {
            return Err(format!(
                "{} is the broadcast address of a network, and tcp speaks to one host",
                remote.ip()
            ));
        }
        let known = self.interfaces.entry(route.interface);
        let known = known.or_insert_with(|| Interface::by_index(route.interface).ok());
        let interface = known.clone().ok_or("the interface of the route is gone")?;
        let local = self.source.filter(|source| source.is_ipv4() == remote.is_ipv4()).or(route.source);
        let local =
            local.ok_or_else(|| format!("interface {} has no address to send from", interface.name))?;
        let scope = match remote {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let mss = Mss::fitting(route.mtu_by(&interface), remote.ip());
        let mut path = Path { local, way: Way::Routed { scope }, mss };
        let may = self.shortcut == Shortcut::Allowed && route.destination == Destination::Unicast;
        let hop = (may && interface.is_ethernet()).then(|| (route.next_hop(remote.ip()), route.interface));
        if let Some(way) = hop.and_then(|hop| self.by_neighbour(hop, now)) {
            path.way = way;
        }
        Ok((remote, path, hop))
    }

    /// The way straight to a neighbour that is spoken to often, once the kernel has found it.
    fn by_neighbour(&mut self, hop: Hop, now: Instant) -> Option<Way> {
        if self.neighbours.len() >= Self::MOST_NEIGHBOURS && !self.neighbours.contains_key(&hop) {
            return None;
        }
        let unknown = Neighbour { hardware: None, uses: 0, asked: None };
        let neighbour = self.neighbours.entry(hop).or_insert(unknown);
        neighbour.uses = neighbour.uses.saturating_add(1);
        let wait = if neighbour.hardware.is_some() { Self::KNOWN_FOR } else { Self::ASK_AGAIN };
        let is_due = neighbour.asked.is_none_or(|asked| now - asked >= wait);
        if neighbour.uses >= Self::WORTH_ASKING && is_due {
            neighbour.asked = Some(now);
            neighbour.hardware = self.router.hardware_address(hop.0, hop.1);
        }
        neighbour.hardware.map(|hardware| Way::Link { interface: hop.1, hardware })
    }
}
