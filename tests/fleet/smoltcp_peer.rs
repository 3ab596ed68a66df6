//! Servers of smoltcp, a TCP that nobody here wrote: one host with one port and several sockets.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{AnySocket, tcp};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tcpshake::time::Instant;

pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub(crate) const PORT: u16 = 7;

pub(crate) struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    queues: Queues,
    deadline: Option<Instant>,
}

#[derive(Default)]
struct Queues {
    arriving: VecDeque<Vec<u8>>,
    leaving: Vec<Vec<u8>>,
}

struct Arriving(Vec<u8>);
struct Leaving<'q>(&'q mut Vec<Vec<u8>>);

impl RxToken for Arriving {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'q> = Arriving;
    type TxToken<'q> = Leaving<'q>;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Arriving, Leaving<'_>)> {
        Some((Arriving(self.arriving.pop_front()?), Leaving(&mut self.leaving)))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

fn theirs(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros((now.as_nanos() / 1000) as i64)
}

impl Smoltcp {
    pub(crate) fn new(sockets: usize, now: Instant) -> Self {
        let mut queues = Queues::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut queues, theirs(now));
        let cidr = IpCidr::new(IpAddress::Ipv4(ADDRESS), 24);
        interface.update_ip_addrs(|addresses| addresses.push(cidr).unwrap());
        let mut set = SocketSet::new(Vec::new());
        for _ in 0..sockets {
            let buffer = || tcp::SocketBuffer::new(vec![0; 1024]);
            set.add(tcp::Socket::new(buffer(), buffer()));
        }
        let mut host = Self { interface, sockets: set, queues, deadline: None };
        host.serve();
        host
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.interface.ipv4_addr().is_some_and(|ours| IpAddr::V4(ours) == address)
    }

    /// Closes what clients have closed; listens again with what is free.
    fn serve(&mut self) {
        for (_, socket) in self.sockets.iter_mut() {
            if let Some(socket) = tcp::Socket::downcast_mut(socket) {
                match socket.state() {
                    tcp::State::Closed => socket.listen(PORT).unwrap(),
                    tcp::State::CloseWait => socket.close(),
                    _ => {}
                }
            }
        }
    }

    pub(crate) fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        self.queues.arriving.extend(packet.map(<[u8]>::to_vec));
        for _ in 0..2 {
            self.interface.poll(theirs(now), &mut self.queues, &mut self.sockets);
            self.serve();
        }
        let delay = self.interface.poll_delay(theirs(now), &self.sockets);
        self.deadline = delay.map(|delay| now + Duration::from_micros(delay.total_micros().max(1)));
        std::mem::take(&mut self.queues.leaving)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sockets that are neither free nor in TIME-WAIT.
    pub(crate) fn open(&self) -> usize {
        let sockets = self.sockets.iter().filter_map(|(_, socket)| tcp::Socket::downcast(socket));
        sockets.filter(|socket| !matches!(socket.state(), tcp::State::Listen | tcp::State::TimeWait)).count()
    }
}
