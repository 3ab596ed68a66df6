//! Routes to very many destinations, and who is next on the way there.

use std::io;
use std::net::IpAddr;

use super::neighbours;
use super::netlink::{Message, Netlink};
use super::route::{self, Route, RouteError};

/// Somebody to ask again and again, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Router {
    netlink: Netlink,
}

impl Router {
    /// Needs no privilege.
    pub fn open() -> io::Result<Self> {
        Ok(Self { netlink: Netlink::route()? })
    }

    /// What [`route::lookup`] says of each destination, in their order, at a fraction of its cost. An error means
    /// that the kernel cannot be asked at all.
    pub fn lookup(
        &mut self,
        destinations: &[IpAddr],
        source: Option<IpAddr>,
        interface: Option<u32>,
        mark: Option<u32>,
    ) -> io::Result<Vec<Result<Route, RouteError>>> {
        let question = |destination: IpAddr| route::request(destination, source, interface, mark);
        let mut routes: Vec<_> = destinations.iter().map(|_| None).collect();
        let questions = destinations.iter().copied().map(question);
        self.netlink.ask(questions, |number, answer| {
            if let (Some(route), Some(destination)) = (routes.get_mut(number), destinations.get(number)) {
                *route = Some(route::read(*destination, answer));
            }
        })?;
        let mut all = Vec::with_capacity(destinations.len());
        for (route, destination) in routes.into_iter().zip(destinations) {
            all.push(match route {
                Some(route) => route,
                None => self.ask_again(*destination, question(*destination))?,
            });
        }
        Ok(all)
    }

    /// For an answer that was lost. That the kernel says nothing again is an error: it would not answer the
    /// next one either, and each takes its time.
    fn ask_again(&mut self, destination: IpAddr, question: Message) -> io::Result<Result<Route, RouteError>> {
        match self.netlink.request(question) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            answers => Ok(route::answered(destination, answers)),
        }
    }

    /// Whether packets can be sent to `next_hop` right now, and to which hardware address:
    /// [`neighbours::hardware_address`] without a socket of its own.
    pub fn hardware_address(&mut self, next_hop: IpAddr, interface: u32) -> Option<[u8; 6]> {
        neighbours::ask(&mut self.netlink, next_hop, interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::route::{Destination, lookup};

    /// As little room for answers as a socket can have: most of a batch are lost, and asked for again.
    #[test]
    fn lost_answers_are_asked_for_again() {
        let mut router = Router::open().unwrap();
        router.netlink.make_room(0);
        let own = |host| IpAddr::from([127, 0, 0, host]);
        let destinations: Vec<_> = (1..=50).flat_map(|host| [own(host), [255; 4].into()]).collect();
        let questions = destinations.iter().map(|to| route::request(*to, None, None, None));
        let mut heard = 0;
        router.netlink.ask(questions, |_, _| heard += 1).unwrap();
        assert!((1..100).contains(&heard), "{heard}");
        let routes = router.lookup(&destinations, None, None, None).unwrap();
        assert_eq!(routes.len(), 100);
        for (route, to) in routes.into_iter().zip(destinations) {
            let single = lookup(to, None, None, None);
            assert_eq!(format!("{route:?}"), format!("{single:?}"));
            let is_own = route.is_ok_and(|route| route.destination == Destination::Local);
            assert_eq!(is_own, to.is_loopback(), "{to}");
        }
    }
}
