//! A far host inside the process: an echo server made of the same state machine, for where no private
//! network can be had.

use std::net::{IpAddr, SocketAddr};

use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, TransportChecksum, emit, ip, tcp};
use crate::tcp::{Origin, Parameters, Reaction, Segment, SeqNum, State, Tcb, answer_in_closed};
use crate::time::Instant;
use crate::wire::memory::Station;

/// Serves one connection: sends back what it reads, closes when its client has.
pub struct SimulatedServer {
    address: SocketAddr,
    iss: SeqNum,
    parameters: Parameters,
    client: Option<Client>,
}

struct Client {
    addresses: Addresses,
    ports: Ports,
    tcb: Tcb,
    echo: Vec<u8>,
}

const TTL: u8 = 64;
/// IPv6 header, TCP header and all its options: no packet has more beside its text.
const HEADERS: usize = 40 + 60;

impl SimulatedServer {
    /// A server that listens on `address` and begins its numbers at `iss`.
    pub const fn new(address: SocketAddr, iss: SeqNum, parameters: Parameters) -> Self {
        Self { address, iss, parameters, client: None }
    }

    fn on_packet(&mut self, octets: &[u8], now: Instant) -> Option<Vec<Vec<u8>>> {
        let packet = ip::parse(octets).ok()?;
        let tcp = tcp::parse(packet.payload, packet.addresses, TransportChecksum::Complete).ok()?;
        if packet.addresses.destination() != self.address.ip() {
            return None;
        }
        let addresses = Addresses::new(self.address.ip(), packet.addresses.source())?;
        let ports = Ports { source: tcp.ports.destination, destination: tcp.ports.source };
        if ports.source != self.address.port() {
            let (answer, _) = answer_in_closed(&tcp.segment);
            return Some(answer.iter().filter_map(|segment| write(addresses, ports, segment, b"")).collect());
        }
        let (iss, parameters) = (self.iss, &self.parameters);
        self.client.take_if(|client| client.tcb.state() == State::Closed); // served: the next may come
        let client =
            self.client.get_or_insert_with(|| Client::listen(addresses, ports, parameters, iss, now));
        if client.ports != ports || client.addresses != addresses {
            return None;
        }
        Some(client.on_segment(&tcp.segment, tcp.text, now))
    }
}

impl Client {
    fn listen(
        addresses: Addresses,
        ports: Ports,
        parameters: &Parameters,
        iss: SeqNum,
        now: Instant,
    ) -> Self {
        let mut tcb = Tcb::new(parameters);
        let _ = tcb.open(Origin::Passive, iss, now); // LISTEN: nothing to send
        Self { addresses, ports, tcb, echo: Vec::new() }
    }

    fn on_segment(&mut self, segment: &Segment, text: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let reaction = self.tcb.on_segment(segment, now);
        let mut packets = Vec::from_iter(self.packet(&reaction));
        let taken = reaction.text.skip as usize..(reaction.text.skip + reaction.text.len) as usize;
        if let Some(taken) = text.get(taken).filter(|taken| !taken.is_empty()) {
            self.echo.extend_from_slice(taken);
            if let Ok(reaction) = self.tcb.send(taken.len() as u32, now) {
                packets.extend(self.packet(&reaction));
            }
        }
        if self.tcb.state() == State::CloseWait
            && let Ok(reaction) = self.tcb.close(now)
        {
            packets.extend(self.packet(&reaction));
        }
        while let Some(reaction) = self.tcb.transmit(now) {
            packets.extend(self.packet(&reaction));
        }
        packets
    }

    fn packet(&self, reaction: &Reaction) -> Option<Vec<u8>> {
        let segment = reaction.segment?;
        let from = (segment.text_seq() - (self.tcb.snd().iss + 1)).max(0) as usize;
        let text = self.echo.get(from..from + segment.text_len as usize).unwrap_or_default();
        write(self.addresses, self.ports, &segment, text)
    }
}

fn write(addresses: Addresses, ports: Ports, segment: &Segment, text: &[u8]) -> Option<Vec<u8>> {
    let ip = IpFields { ttl: TTL, ..IpFields::new(addresses) };
    let mut packet = vec![0; HEADERS + text.len()];
    let len = emit(&ip, ports, segment, text, &mut packet).ok()?;
    packet.truncate(len);
    Some(packet)
}

impl Station for SimulatedServer {
    fn react(&mut self, packet: Option<&[u8]>, now: Instant) -> Vec<Vec<u8>> {
        match (packet, &mut self.client) {
            (Some(octets), _) => self.on_packet(octets, now).unwrap_or_default(),
            (None, Some(client)) => match client.tcb.on_timeout(now) {
                Some(reaction) => client.packet(&reaction).into_iter().collect(),
                None => Vec::new(),
            },
            (None, None) => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.as_ref()?.tcb.deadline().map(|deadline| deadline.at)
    }
}

/// Where the simulated server is found.
pub fn server_address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(super::FAR_V4), port)
}
