//! Our end by the library, without the program: a guard and a wire for as many exchanges as a test wants.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tcpshake::driver::observe::Observer;
use tcpshake::driver::{self, Close, Linger, Plan};
use tcpshake::guard::{Choice, Guard, PortLease, SelfTest};
use tcpshake::lab::{FAR_V4, FAR_V6, LINK, NEAR_V4, NEAR_V6};
use tcpshake::net::interfaces::Interface;
use tcpshake::record::{Opening, Step, Summary};
use tcpshake::tcp::SeqNum;
use tcpshake::time::Clock;
use tcpshake::wire::filter::Selection;
use tcpshake::wire::raw::{self, RawSpec, RawWire};

use crate::capture::Capture;
use crate::world::{PATIENCE, Server, World};

/// A way from us to the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) near: IpAddr,
    pub(crate) far: IpAddr,
    interface: &'static str,
}

impl Way {
    pub(crate) const CABLE_V4: Self =
        Self { near: IpAddr::V4(NEAR_V4), far: IpAddr::V4(FAR_V4), interface: LINK };
    pub(crate) const CABLE_V6: Self =
        Self { near: IpAddr::V6(NEAR_V6), far: IpAddr::V6(FAR_V6), interface: LINK };
    pub(crate) const LOOPBACK_V4: Self = Self::loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
    pub(crate) const LOOPBACK_V6: Self = Self::loopback(IpAddr::V6(Ipv6Addr::LOCALHOST));
    pub(crate) const ALL: [Self; 4] = [Self::CABLE_V4, Self::CABLE_V6, Self::LOOPBACK_V4, Self::LOOPBACK_V6];

    const fn loopback(address: IpAddr) -> Self {
        Self { near: address, far: address, interface: "lo" }
    }

    /// Runs `work` on the host at the other end.
    pub(crate) fn at_far<T: Send + 'static>(
        &self,
        world: &World,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> T {
        let done = if self.near == self.far { work() } else { world.lab.far.run(work) };
        done.expect("work on the far side")
    }

    /// A kernel server at the other end.
    pub(crate) fn server(&self, world: &World, serve: fn(TcpStream)) -> SocketAddr {
        let far = self.far;
        let listener = self.at_far(world, move || TcpListener::bind((far, 0)));
        (far, Server::start(listener, serve).port).into()
    }

    /// A capture at the other end of what arrives there.
    pub(crate) fn capture(&self, world: &World) -> Capture {
        let interface = self.interface;
        self.at_far(world, move || Ok(Capture::of_arrivals(interface)))
    }
}

/// Our end: one port, one wire.
pub(crate) struct Near {
    pub(crate) guard: Guard,
    pub(crate) wire: RawWire,
    remote: SocketAddr,
}

impl Near {
    /// With a guard of this kind, or none; port 0 of the remote's stands for any.
    pub(crate) fn new(way: Way, remote: SocketAddr, choice: Option<Choice>) -> Self {
        let clock = Clock::new();
        let lease = PortLease::take((way.near, 0).into()).unwrap();
        let interface = Interface::by_name(way.interface).unwrap().index;
        let selection = raw::selection(lease.local(), remote, interface);
        let remote_port = selection.remote_port.filter(|port| *port != 0);
        let selection = Selection { remote_port, ..selection };
        let spec = RawSpec { selection, remote, bind_to_interface: None };
        let mut wire = RawWire::open(&spec, clock).unwrap();
        let guard = match choice {
            Some(choice) => Guard::stand(choice, lease, &mut SelfTest::new(clock)).unwrap(),
            None => Guard::none(lease),
        };
        wire.turn_to(&selection).unwrap(); // away from what the self-test sent over loopback
        Self { guard, wire, remote }
    }

    /// One exchange, told to `observer`.
    pub(crate) fn exchange(&mut self, close: Close, observer: &mut dyn Observer) -> Summary {
        exchange(&self.guard, &mut self.wire, self.remote, close, observer)
    }

    /// The same, but the guard is not asked what it has counted.
    pub(crate) fn exchange_uncounted(&mut self, close: Close, observer: &mut dyn Observer) -> Summary {
        let stand_in = Guard::not_needed(self.guard.local());
        exchange(&stand_in, &mut self.wire, self.remote, close, observer)
    }
}

fn exchange(
    guard: &Guard,
    wire: &mut RawWire,
    remote: SocketAddr,
    close: Close,
    observer: &mut dyn Observer,
) -> Summary {
    let iss = SeqNum(rand::random());
    let plan =
        Plan { close, timeout: PATIENCE, linger: Linger::For(Duration::ZERO), ..Plan::new(remote, iss) };
    driver::run(guard, wire, &plan, observer, &mut || None).unwrap().summary
}

/// Listens to nothing it is told.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn begin(&mut self, _opening: &Opening) {}
    fn step(&mut self, _step: &Step) {}
    fn end(&mut self, _summary: &Summary) {}
}
