//! smoltcp as the stranger: its packets leave the far host, and come in there, by a wire of ours. The far kernel, whose
//! address it uses, is kept from answering as our own is.

use std::collections::VecDeque;
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpCidr};
use tcpshake::guard::{Choice, Guard, PortLease, SelfTest};
use tcpshake::lab::stage::{self, Curtain};
use tcpshake::lab::{FarHost, LINK};
use tcpshake::net::interfaces;
use tcpshake::time::{Clock, Instant};
use tcpshake::wire::memory::Station;
use tcpshake::wire::raw::{self, RawSpec, RawWire};

use super::{Part, Stranger, own_address};
use crate::smoltcp_device::{Queues, at};
use crate::world::PATIENCE;

struct Smoltcp {
    heard: Receiver<Vec<u8>>,
    _stays: PipeWriter,
}

pub(super) fn take(far: &FarHost, part: Part) -> Box<dyn Stranger> {
    own_address(far, part.local.ip());
    let (is_over, stays) = std::io::pipe().unwrap();
    let (guard, mut wire) = far.run(move || Ok(wire(part, is_over.into()))).unwrap();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        let _guard = guard;
        let mut host = Host::new(part, tell);
        stage::play(&mut host, &mut wire, Duration::ZERO, Curtain::Rises).unwrap();
    });
    Box::new(Smoltcp { heard, _stays: stays })
}

impl Stranger for Smoltcp {
    fn heard(self: Box<Self>) -> Vec<u8> {
        self.heard.recv_timeout(PATIENCE).expect("it hears our FIN")
    }
}

/// What carries its packets, until somebody wakes it.
fn wire(part: Part, wake: OwnedFd) -> (Guard, RawWire) {
    let clock = Clock::new();
    let lease = PortLease::take(part.local).unwrap();
    let guard = Guard::stand(Choice::Auto, lease, &mut SelfTest::new(clock)).unwrap();
    let link = interfaces::Interface::by_name(LINK).unwrap().index;
    let selection = raw::selection(part.local, part.remote, link);
    let spec = RawSpec { selection, remote: part.remote, bind_to_interface: None };
    let mut wire = RawWire::open(&spec, clock).unwrap();
    wire.wake_on(wake);
    (guard, wire)
}

/// A host of one connection.
struct Host {
    part: Part,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    queues: Queues,
    deadline: Option<Instant>,
    /// What is still to be said.
    text: VecDeque<u8>,
    heard: Option<Vec<u8>>,
    tell: Sender<Vec<u8>>,
}

impl Host {
    fn new(part: Part, tell: Sender<Vec<u8>>) -> Self {
        const BUFFER: usize = 16 << 10; // less than the text: its window closes
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = rand::random();
        let mut interface = Interface::new(config, &mut queues, at(Instant::ORIGIN));
        let bits = if part.local.is_ipv4() { 24 } else { 64 };
        let cidr = IpCidr::new(part.local.ip().into(), bits);
        interface.update_ip_addrs(|addresses| addresses.push(cidr).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        if part.opens {
            socket.connect(interface.context(), part.remote, part.local).unwrap();
        } else {
            socket.listen(part.local).unwrap();
        }
        let mut sockets = SocketSet::new(Vec::new());
        let socket = sockets.add(socket);
        let (deadline, heard) = (Some(Instant::ORIGIN), Some(Vec::new()));
        Self { part, interface, sockets, socket, queues, deadline, text: part.text().into(), heard, tell }
    }

    /// Says what there is room for, hears what there is, and closes when it is time.
    fn converse(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket>(self.socket);
        if socket.can_send() {
            let taken = socket.send_slice(self.text.as_slices().0).unwrap();
            self.text.drain(..taken);
        }
        if let Some(heard) = &mut self.heard {
            while socket.can_recv() {
                heard.extend_from_slice(&socket.recv(|octets| (octets.len(), octets.to_vec())).unwrap());
            }
        }
        use tcp::State::{CloseWait, Closed, Closing, LastAck, TimeWait};
        let has_closed = matches!(socket.state(), CloseWait | Closed | Closing | LastAck | TimeWait);
        if has_closed && let Some(heard) = self.heard.take() {
            let _ = self.tell.send(heard);
        }
        if self.text.is_empty() && (self.part.closes_first || has_closed) {
            socket.close();
        }
    }
}

impl Station for Host {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        self.queues.arriving.extend(packet.map(<[u8]>::to_vec));
        for _ in 0..2 {
            self.interface.poll(at(now), &mut self.queues, &mut self.sockets);
            self.converse();
        }
        let delay = self.interface.poll_delay(at(now), &self.sockets);
        self.deadline = delay.map(|delay| now + Duration::from_micros(delay.total_micros().max(1)));
        std::mem::take(&mut self.queues.leaving)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
