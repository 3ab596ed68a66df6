//! Servers of smoltcp, a TCP that nobody here wrote: one host with one port and several sockets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::{AnySocket, tcp};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tcpshake::time::Instant;

use crate::smoltcp_device::{Queues, at};

pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub(crate) const PORT: u16 = 7;

pub(crate) struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    queues: Queues,
    deadline: Option<Instant>,
}

impl Smoltcp {
    pub(crate) fn new(sockets: usize, now: Instant) -> Self {
        let mut queues = Queues::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut queues, at(now));
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
            self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
            self.serve();
        }
        let delay = self.interface.poll_delay(at(now), &self.sockets);
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
