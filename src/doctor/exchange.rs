//! A whole exchange over loopback, with a server of the kernel's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Finding;
use crate::cause::cause;
use crate::driver::{self, Linger, Plan, observe::Kept};
use crate::guard::{Choice, Guard, PortLease, SelfTest};
use crate::net::interfaces::{Interface, LOOPBACK, loopback_addresses};
use crate::record::{Outcome, Summary};
use crate::tcp::SeqNum;
use crate::time::Clock;
use crate::wire::raw::{self, RawSpec, RawWire};

const TOPIC: &str = "exchange";
/// How long each part of it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of it.
#[derive(Clone, Debug)]
pub(super) enum Trial {
    /// It was opened and closed.
    Made(String),
    /// It was not.
    Failed(String),
    /// Loopback is down.
    NotPossibleToTry(String),
}

impl Trial {
    pub(super) fn finding(self) -> Finding {
        match self {
            Self::Made(how) => Finding::good(TOPIC, how),
            Self::Failed(why) => Finding::bad(TOPIC, why),
            Self::NotPossibleToTry(why) => Finding::note(TOPIC, why).mended_by("sudo ip link set lo up"),
        }
    }
}

/// One for each address family that loopback has.
pub(super) fn check() -> Vec<Trial> {
    if !Interface::by_index(LOOPBACK).is_ok_and(|loopback| loopback.up) {
        return vec![Trial::NotPossibleToTry("not tried: the loopback interface is down".into())];
    }
    let tried = loopback_addresses().into_iter().filter_map(|ip| {
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let server = TcpListener::bind((ip, 0)).ok()?;
        Some(match make(&server) {
            Ok(Summary { outcome: outcome @ Outcome::Completed(_), .. }) => {
                Trial::Made(format!("{family} over loopback: {outcome}"))
            }
            Ok(summary) => Trial::Failed(format!("{family} over loopback: {}", summary.outcome)),
            Err(error) => Trial::Failed(format!("{family} over loopback: {error}")),
        })
    });
    tried.collect()
}

fn make(server: &TcpListener) -> Result<Summary, String> {
    let text = |error: io::Error| cause(&error);
    let remote = server.local_addr().map_err(text)?;
    let clock = Clock::new();
    let lease = PortLease::take(SocketAddr::new(remote.ip(), 0)).map_err(|error| error.to_string())?;
    let selection = raw::selection(lease.local(), remote, LOOPBACK);
    let spec = RawSpec { selection, remote, bind_to_interface: None };
    let mut wire = RawWire::open(&spec, clock).map_err(|error| error.to_string())?;
    let guard =
        Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock)).map_err(|error| error.to_string())?;
    let iss = SeqNum(rand::random());
    let plan = Plan { timeout: PATIENCE, linger: Linger::For(Duration::ZERO), ..Plan::new(remote, iss) };
    std::thread::scope(|scope| {
        scope.spawn(|| close_after_client(server));
        let ended = driver::run(&guard, &mut wire, &plan, &mut Kept::default(), &mut || None);
        ended.map(|ended| ended.summary).map_err(|error| error.to_string())
    })
}

/// Serves one connection, or none if none comes in time.
fn close_after_client(server: &TcpListener) -> io::Result<()> {
    let timeout = PollTimeout::try_from(PATIENCE).map_err(io::Error::other)?;
    server.set_nonblocking(true)?;
    poll(&mut [PollFd::new(server.as_fd(), PollFlags::POLLIN)], timeout)?;
    let (mut client, _) = server.accept()?;
    client.set_read_timeout(Some(PATIENCE))?;
    io::copy(&mut client, &mut io::sink()).map(drop)
}
