//! Our own stack: parse, the machine, emit.

use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, tcp};
use tcpshake::tcp::{Mss, Nagle, Origin, Parameters, Reaction, SeqNum, State, Stream, WindowSize};
use tcpshake::time::Instant;

use crate::cases::{CLIENT, PORTS, Packet, SERVER, Server, WINDOW};

pub struct Ours {
    stream: Stream,
    arriving: Packet,
    leaving: Packet,
}

impl Server for Ours {
    fn listen(iss: SeqNum) -> Self {
        let parameters = Parameters {
            mss: Mss::new(1460).unwrap(),
            window: WindowSize::new(WINDOW as u32),
            ..Parameters::default()
        };
        let mut stream = Stream::new(&parameters, Nagle::Off);
        let _ = stream.open(Origin::Passive, iss, &[], Instant::ORIGIN).unwrap();
        Self { stream, arriving: Packet::EMPTY, leaving: Packet::EMPTY }
    }

    fn take(&mut self, packet: &[u8], now: Instant) -> usize {
        self.arriving.put(packet);
        let octets = &self.arriving.octets[..self.arriving.len];
        let ip = ip::parse(octets).unwrap();
        let tcp = tcp::parse(ip.payload, ip.addresses, TransportChecksum::Complete).unwrap();
        let reaction = self.stream.on_segment(&tcp.segment, tcp.text, now);
        let unread = self.stream.unread().len();
        self.send(Some(reaction)) + if unread > 0 { self.read(unread, now) } else { 0 } + self.close(now)
    }
}

impl Ours {
    fn read(&mut self, octets: usize, now: Instant) -> usize {
        let reaction = self.stream.read(octets, now);
        self.send(reaction)
    }

    fn close(&mut self, now: Instant) -> usize {
        if self.stream.tcb().state() != State::CloseWait {
            return 0;
        }
        let reaction = self.stream.close(now).ok();
        self.send(reaction)
    }

    fn send(&mut self, reaction: Option<Reaction>) -> usize {
        let Some(segment) = reaction.and_then(|reaction| reaction.segment) else { return 0 };
        let ip = IpFields::new(Addresses::V4 { source: SERVER, destination: CLIENT });
        let ports = Ports { source: PORTS.destination, destination: PORTS.source };
        let text = self.stream.text_of(&segment);
        self.leaving.len = emit(&ip, ports, &segment, text, &mut self.leaving.octets).unwrap();
        1
    }
}
