//! smoltcp, with a device that holds one packet each way.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tcpshake::packet::{TransportChecksum, ip, tcp as tcp_header};
use tcpshake::tcp::SeqNum;
use tcpshake::time::Instant;

use crate::cases::{MTU, PORTS, Packet, SERVER, Server, WINDOW};

pub struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    slot: Slot,
}

struct Slot {
    arriving: Packet,
    leaving: Packet,
    sent: usize,
}

impl Server for Smoltcp {
    fn listen(_iss: SeqNum) -> Self {
        let mut slot = Slot { arriving: Packet::EMPTY, leaving: Packet::EMPTY, sent: 0 };
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut slot, at(Instant::ORIGIN));
        let cidr = IpCidr::new(IpAddress::Ipv4(SERVER), 24);
        interface.update_ip_addrs(|addresses| addresses.push(cidr).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; WINDOW]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_ack_delay(None); // we acknowledge at once, too
        socket.set_nagle_enabled(false);
        socket.listen(PORTS.destination).unwrap();
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let socket = sockets.add(socket);
        Self { interface, sockets, socket, slot }
    }

    fn take(&mut self, packet: &[u8], now: Instant) -> usize {
        self.slot.arriving.put(packet);
        self.slot.sent = 0;
        self.interface.poll(at(now), &mut self.slot, &mut self.sockets);
        let socket = self.sockets.get_mut::<tcp::Socket>(self.socket);
        if socket.can_recv() {
            socket.recv(|text| (text.len(), ())).unwrap();
        }
        if socket.state() == tcp::State::CloseWait {
            socket.close();
            self.interface.poll(at(now), &mut self.slot, &mut self.sockets);
        }
        self.slot.sent
    }
}

impl Smoltcp {
    /// The initial number of its first connection: it draws it from a seed that is always the same.
    pub fn first_iss(syn: &[u8]) -> SeqNum {
        let mut server = Self::listen(SeqNum(0));
        assert_eq!(server.take(syn, Instant::ORIGIN), 1);
        let packet = ip::parse(&server.slot.leaving.octets[..server.slot.leaving.len]).unwrap();
        tcp_header::parse(packet.payload, packet.addresses, TransportChecksum::Complete).unwrap().segment.seq
    }
}

fn at(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros((now.as_nanos() / 1000) as i64)
}

struct Arriving<'s>(&'s [u8]);
struct Leaving<'s>(&'s mut Packet, &'s mut usize);

impl RxToken for Arriving<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        self.0.len = len;
        *self.1 += 1;
        write(&mut self.0.octets[..len])
    }
}

impl Device for Slot {
    type RxToken<'s> = Arriving<'s>;
    type TxToken<'s> = Leaving<'s>;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Arriving<'_>, Leaving<'_>)> {
        let len = std::mem::take(&mut self.arriving.len);
        let leaving = Leaving(&mut self.leaving, &mut self.sent);
        (len > 0).then_some((Arriving(&self.arriving.octets[..len]), leaving))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.leaving, &mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}
