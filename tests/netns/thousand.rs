//! One guard stands for a thousand exchanges, and not one RST of the kernel's leaves.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use tcpshake::driver::Close;
use tcpshake::driver::observe::Observer;
use tcpshake::guard::{Choice, Kind};
use tcpshake::record::{Ending, Event, Opening, Outcome, Step, Summary};
use tcpshake::tcp::{Flags, Origin, Parameters, SeqNum, State, Tcb};
use tcpshake::wire::Wire;

use crate::Named;
use crate::capture::{Capture, Seen};
use crate::near::{Near, Nobody, Way};
use crate::scripted::{hear, packet};
use crate::world::{PATIENCE, World, close_with_client};

pub(crate) const TESTS: &[Named] = &[
    ("a_thousand_active_exchanges_under_the_listener", || active(Kind::Listener)),
    ("a_thousand_active_exchanges_under_nft", || active(Kind::Nft)),
    ("a_thousand_active_exchanges_held_by_iptables_rules", || active(Kind::Iptables)),
    ("a_thousand_passive_exchanges_under_the_listener", || passive(Kind::Listener)),
    ("a_thousand_passive_exchanges_under_nft", || passive(Kind::Nft)),
    ("a_thousand_passive_exchanges_held_by_iptables_rules", || passive(Kind::Iptables)),
    ("our_own_reset_leaves_under_the_listener", || our_own_reset_leaves(Kind::Listener)),
    ("our_own_reset_leaves_under_nft", || our_own_reset_leaves(Kind::Nft)),
    ("our_own_reset_leaves_a_guard_set_by_iptables_rules", || our_own_reset_leaves(Kind::Iptables)),
    ("without_a_guard_the_capture_sees_the_kernels_resets", unguarded),
];

const EXCHANGES: usize = 1000;

/// P-05. Our FIN first, and the next SYN from the same port: TIME-WAIT is ours.
fn active(kind: Kind) {
    let world = World::new();
    for way in Way::ALL {
        let mut near = Near::new(way, way.server(&world, close_with_client), Some(Choice::Only(kind)));
        let mut account = Account::open(&way, &world, &near);
        for n in 1..=EXCHANGES {
            let summary = if counts_cheaply(kind) {
                near.exchange(Close::Active, &mut account)
            } else {
                near.exchange_uncounted(Close::Active, &mut account)
            };
            assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed), "exchange {n}, {way:?}");
            assert_eq!(summary.kernel_resets, 0, "exchange {n}, {way:?}");
            account.enter();
        }
        account.close(&near);
    }
}

/// P-05. The kernel is the client; our side opens passively and closes with it.
fn passive(kind: Kind) {
    let world = World::new();
    for way in Way::ALL {
        let mut near = Near::new(way, (way.far, 0).into(), Some(Choice::Only(kind)));
        let mut account = Account::open(&way, &world, &near);
        let local = near.guard.local();
        let client = move || (0..EXCHANGES).for_each(|_| talk(local));
        let client = way.at_far(&world, move || Ok(std::thread::spawn(client)));
        let mut before = None;
        for _ in 0..EXCHANGES {
            before = Some(serve(&mut near, way, before, &mut |_| {}));
            if counts_cheaply(kind) {
                near.guard.tally(0); // reads what the kernel says of its dropped RSTs before that is too much
            }
            account.enter();
        }
        client.join().unwrap();
        account.close(&near);
    }
}

/// To be asked for its count after each exchange: iptables has a program run for that.
fn counts_cheaply(kind: Kind) -> bool {
    kind != Kind::Iptables
}

/// A connection of the kernel's, from its SYN to our FIN.
pub(crate) fn talk(server: SocketAddr) {
    let mut client = TcpStream::connect_timeout(&server, PATIENCE).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// From LISTEN to CLOSED; yields the client's port. What the client of port `before` repeats is not for us.
/// Says after each segment whose it was.
pub(crate) fn serve(
    near: &mut Near,
    way: Way,
    before: Option<u16>,
    heard: &mut dyn FnMut(SocketAddr),
) -> u16 {
    let local = near.guard.local();
    let mut tcb = Tcb::new(&Parameters::default());
    let _ = tcb.open(Origin::Passive, SeqNum(rand::random()), near.wire.now()).unwrap();
    tcb.close_with_peer();
    let mut peer = None;
    while tcb.state() != State::Closed {
        let (port, segment) = hear(&mut near.wire);
        if before == Some(port) || peer.is_some_and(|peer| peer != port) {
            continue;
        }
        peer = Some(port);
        let now = near.wire.now();
        let mut next = Some(tcb.on_segment(&segment, now));
        while let Some(reaction) = next {
            if let Some(segment) = reaction.segment {
                assert!(!segment.has(Flags::RST), "all that are captured are the kernel's");
                near.wire.send(&packet(local, (way.far, port).into(), &segment)).unwrap();
            }
            next = tcb.transmit(now);
        }
        heard((way.far, port).into());
    }
    peer.unwrap()
}

/// What left our port, as the other end saw it and as we tell it.
struct Account {
    capture: Capture,
    local: SocketAddr,
    fins: usize,
    resets: Vec<u32>,
    told: Vec<u32>,
}

impl Account {
    fn open(way: &Way, world: &World, near: &Near) -> Self {
        let (capture, local) = (way.capture(world), near.guard.local());
        Self { capture, local, fins: 0, resets: Vec::new(), told: Vec::new() }
    }

    /// To be done often enough that the capture loses nothing.
    fn enter(&mut self) {
        for seen in self.capture.segments().into_iter().filter(|seen| seen.source == self.local) {
            self.fins += usize::from(seen.flags.contains("FIN"));
            self.resets.extend(Some(seen.seq).filter(|_| seen.flags.contains("RST")));
        }
    }

    /// None of the RSTs was the kernel's; and it did want to answer, each time.
    fn close(mut self, near: &Near) {
        self.enter();
        self.resets.sort_unstable();
        self.told.sort_unstable();
        assert_eq!(self.resets, self.told, "the numbers of RSTs captured, and of those we sent");
        assert_eq!(self.capture.lost(), 0);
        assert!(self.fins >= EXCHANGES, "{} FINs captured", self.fins);
        let tally = near.guard.tally(0);
        assert!(!tally.lost && tally.held_back >= Some(EXCHANGES as u32), "{tally:?}");
    }
}

/// Where a SYN overtakes the last ACK of the exchange before (each leaves by the queue of the processor it
/// was sent on), the peer answers as the old connection, and our side resets that, as it should.
impl Observer for Account {
    fn begin(&mut self, _opening: &Opening) {}

    fn step(&mut self, step: &Step) {
        if let Event::Sent { segment, .. } = &step.event {
            self.told.extend(Some(segment.seq.0).filter(|_| segment.has(Flags::RST)));
        }
    }

    fn end(&mut self, _summary: &Summary) {}
}

fn is_reset_of(local: SocketAddr) -> impl Fn(&Seen) -> bool {
    move |seen| seen.source == local && seen.flags.contains("RST")
}

/// The only RST that leaves is the one that was asked for.
fn our_own_reset_leaves(kind: Kind) {
    let world = World::new();
    for way in Way::ALL {
        let mut near = Near::new(way, way.server(&world, close_with_client), Some(Choice::Only(kind)));
        let local = near.guard.local();
        let capture = way.capture(&world);
        let summary = near.exchange(Close::Reset, &mut Nobody);
        assert_eq!(summary.outcome, Outcome::Completed(Ending::ResetByUs));
        let reset = capture.until(is_reset_of(local));
        assert_eq!(reset.flags, "RST,ACK", "the kernel's, which answer an ACK, have none: {reset:?}");
        assert!(!capture.segments().iter().any(is_reset_of(local)), "one is enough: {way:?}");
        assert!(summary.held_back >= Some(1), "{summary:?}");
    }
}

/// The control experiment: the same capture, and no guard.
fn unguarded() {
    let world = World::new();
    for way in Way::ALL {
        let mut near = Near::new(way, way.server(&world, close_with_client), None);
        let capture = way.capture(&world);
        let summary = near.exchange(Close::Active, &mut Nobody);
        assert_eq!(summary.outcome.name(), "reset", "{way:?}");
        assert_eq!(capture.until(is_reset_of(near.guard.local())).flags, "RST");
        assert!(summary.kernel_resets >= 1, "{summary:?}");
    }
}
