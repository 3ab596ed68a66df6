//! A kernel that no guard holds back, for a wire inside the process: it knows nothing of our connection.

use std::collections::VecDeque;
use std::io;

use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, TransportChecksum, emit, ip, tcp};
use crate::tcp::answer_in_closed;
use crate::time::Instant;
use crate::wire::{Arrival, Received, SendError, Sender, Wire};

/// A wire on whose near end a kernel answers, too: what arrives for us draws its RST before we can do anything.
pub struct Unguarded<W> {
    wire: W,
    /// RSTs that have left, and are still to be shown.
    resets: VecDeque<Vec<u8>>,
    arrived: Vec<u8>,
}

/// IPv6 header and TCP header: a RST has nothing else.
const LONGEST_RESET: usize = 40 + 20;

impl<W> Unguarded<W> {
    /// The kernel at the near end of `wire`.
    pub const fn new(wire: W) -> Self {
        Self { wire, resets: VecDeque::new(), arrived: Vec::new() }
    }
}

impl<W: Wire> Wire for Unguarded<W> {
    fn now(&self) -> Instant {
        self.wire.now()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.wire.send(packet)
    }

    fn has_more(&mut self) -> bool {
        !self.resets.is_empty() || self.wire.has_more()
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        if let Some(reset) = self.resets.pop_front() {
            self.arrived = reset;
            let at = self.wire.now();
            let (checksum, sender) = (TransportChecksum::Complete, Sender::OurKernel);
            return Ok(Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender }));
        }
        let (at, checksum, sender) = match self.wire.receive(deadline)? {
            Arrival::Packet(received) => {
                self.arrived.clear();
                self.arrived.extend_from_slice(received.octets);
                (received.at, received.checksum, received.sender)
            }
            Arrival::DeadlinePassed => return Ok(Arrival::DeadlinePassed),
            Arrival::Woken => return Ok(Arrival::Woken),
        };
        if let Some(reset) = answer(&self.arrived) {
            let _ = self.wire.send(&reset); // it is the kernel's: what becomes of it is not our trouble
            self.resets.push_back(reset);
        }
        Ok(Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender }))
    }
}

/// The answer of a host that has no connection for a packet.
fn answer(octets: &[u8]) -> Option<Vec<u8>> {
    let packet = ip::parse(octets).ok()?;
    let tcp = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
    let (reset, _) = answer_in_closed(&tcp.segment);
    let addresses = Addresses::new(packet.addresses.destination(), packet.addresses.source())?;
    let ports = Ports { source: tcp.ports.destination, destination: tcp.ports.source };
    let mut written = vec![0; LONGEST_RESET];
    let len = emit(&IpFields::new(addresses), ports, &reset?, b"", &mut written).ok()?;
    written.truncate(len);
    Some(written)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::lab::actor::{Actor, Part, old_syn};
    use crate::tcp::{Flags, Parameters, SeqNum};
    use crate::wire::memory::MemoryWire;

    /// The SYN,ACK is shown first, then the RST that has answered it already; a RST is not answered.
    #[test]
    fn what_arrives_draws_the_kernels_reset() {
        let [near, far]: [SocketAddr; 2] = ["10.99.0.1:40000", "10.99.0.2:7"].map(|end| end.parse().unwrap());
        let server = Actor::new(far, Part::echo(SeqNum(9000), Parameters::default()));
        let mut wire = Unguarded::new(MemoryWire::new(server, Duration::from_millis(10)));
        wire.send(&old_syn(near, far, SeqNum(4321)).unwrap()).unwrap();
        let mut seen = Vec::new();
        let until = Instant::ORIGIN + Duration::from_millis(500);
        while let Arrival::Packet(received) = wire.receive(Some(until)).unwrap() {
            let packet = ip::parse(received.octets).unwrap();
            let checksum = TransportChecksum::Complete;
            let segment = tcp::parse(packet.payload, packet.addresses, checksum).unwrap().segment;
            seen.push((received.sender, segment.flags, segment.seq));
        }
        let syn_ack = (Sender::Network, Flags::SYN | Flags::ACK, SeqNum(9000));
        assert_eq!(seen, [syn_ack, (Sender::OurKernel, Flags::RST, SeqNum(4322))]);
    }
}
