//! A far end that nobody here wrote: one socket of smoltcp's, on an interface of two queues, and its user.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tcpshake::time::Instant;
use tcpshake::wire::memory::Station;

use crate::exchange::Peer;
use crate::smoltcp_device::{Queues, at};

/// What its user does.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Where to open a connection to, at once; without it, it waits for one.
    pub opens: Option<SocketAddr>,
    pub closes: Closes,
    pub text: &'static [u8],
    /// Octets that its socket holds, in either direction.
    pub buffer: usize,
    /// What its initial number comes from.
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// With its last text.
    First,
    /// Once the peer has closed.
    AfterPeer,
}

pub struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    queues: Queues,
    role: Role,
    said: usize,
    heard: Vec<u8>,
    deadline: Option<Instant>,
}

impl Smoltcp {
    pub fn new(local: SocketAddr, role: Role) -> Self {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = role.seed;
        let mut interface = Interface::new(config, &mut queues, at(Instant::ORIGIN));
        let network = match local.ip() {
            IpAddr::V4(ip) => IpCidr::new(ip.into(), 24),
            IpAddr::V6(ip) => IpCidr::new(ip.into(), 64),
        };
        interface.update_ip_addrs(|addresses| addresses.push(network).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; role.buffer]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        if let Some(peer) = role.opens {
            socket
                .connect(interface.context(), (IpAddress::from(peer.ip()), peer.port()), local.port())
                .unwrap();
        } else {
            socket.listen(local.port()).unwrap();
        }
        let mut sockets = SocketSet::new(vec![]);
        let socket = sockets.add(socket);
        let deadline = role.opens.map(|_| Instant::ORIGIN);
        Self { interface, sockets, socket, queues, role, said: 0, heard: Vec::new(), deadline }
    }

    pub fn state(&self) -> tcp::State {
        self.sockets.get::<tcp::Socket<'_>>(self.socket).state()
    }

    /// The user reads all there is, says what there is room for, and closes when it is time.
    fn converse(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        while socket.can_recv() {
            let mut read = |text: &mut [u8]| {
                self.heard.extend_from_slice(text);
                (text.len(), ())
            };
            socket.recv(&mut read).unwrap();
        }
        if socket.can_send() {
            self.said += socket.send_slice(&self.role.text[self.said..]).unwrap();
        }
        let said_all = self.said == self.role.text.len();
        let is_time = match socket.state() {
            tcp::State::Established => self.role.closes == Closes::First,
            tcp::State::CloseWait => true,
            _ => false,
        };
        if said_all && is_time {
            socket.close();
        }
    }
}

impl Station for Smoltcp {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        self.queues.arriving.extend(packet.map(<[u8]>::to_vec));
        self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
        self.converse();
        self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
        let wait = self.interface.poll_delay(at(now), &self.sockets);
        // A wait of zero would come back at the same instant for ever.
        self.deadline = wait.map(|wait| now + Duration::from_micros(wait.total_micros().max(1)));
        std::mem::take(&mut self.queues.leaving)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Peer for Smoltcp {
    fn heard(&self) -> &[u8] {
        &self.heard
    }

    fn is_over(&self) -> bool {
        matches!(self.state(), tcp::State::Closed | tcp::State::TimeWait)
    }
}
