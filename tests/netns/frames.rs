//! Frames on the cable, with whatever addresses a test wants: no kernel looks at them before they leave.

use std::net::SocketAddr;

use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Socket, Type};
use tcpshake::lab::LINK;
use tcpshake::net::interfaces::Interface;
use tcpshake::tcp::Segment;
use tcpshake::wire::sys;

use crate::scripted::packet;
use crate::world::World;

/// The far end of the cable.
pub(crate) struct Frames {
    socket: Socket,
    near: [u8; 6],
    far: [u8; 6],
}

impl Frames {
    pub(crate) fn new(world: &World) -> Self {
        let open = || {
            let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
            let index = Interface::by_name(LINK)?.index;
            socket.bind(&sys::packet_address(index, 0))?;
            Ok((socket, hardware_address()))
        };
        let (socket, far) = world.lab.far.run(open).expect("a packet socket");
        Self { socket, near: hardware_address(), far }
    }

    pub(crate) fn send(&self, from: SocketAddr, to: SocketAddr, segment: &Segment) {
        const KIND: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];
        let kind = KIND[usize::from(from.is_ipv6())];
        let frame = [&self.near[..], &self.far, &kind, &packet(from, to, segment)].concat();
        assert_eq!(self.socket.send(&frame).unwrap(), frame.len());
    }
}

/// That of the cable's end in the calling thread's namespace.
fn hardware_address() -> [u8; 6] {
    let mut addresses = getifaddrs().unwrap().filter(|interface| interface.interface_name == LINK);
    let address = addresses.find_map(|interface| interface.address?.as_link_addr()?.addr());
    address.expect("an Ethernet address")
}
