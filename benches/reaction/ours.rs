//! Our own stack: parse, the machine, emit.

use tcpshake::packet::ip::{self, IpFields};
use tcpshake::packet::{Addresses, Ports, TransportChecksum, emit, tcp};
use tcpshake::tcp::{Mss, Nagle, Origin, Parameters, Reaction, SeqNum, State, Stream, WindowSize};
use tcpshake::time::Instant;

use crate::cases::{CLIENT, PORTS, Packet, SERVER, Server, WINDOW};

pub struct Ours {
    stream: Stream,
    ip: IpFields,
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
        let ip = IpFields::new(Addresses::V4 { source: SERVER, destination: CLIENT });
        Self { stream, ip, arriving: Packet::EMPTY, leaving: Packet::EMPTY }
    }

    fn take(&mut self, packet: &[u8], now: Instant) -> usize {
        self.arriving.put(packet);
        let octets = &self.arriving.octets[..self.arriving.len];
        let ip = ip::parse(octets).unwrap();
        let tcp = tcp::parse(ip.payload, ip.addresses, TransportChecksum::Complete).unwrap();
        let reaction = self.stream.on_segment(&tcp.segment, tcp.text, now);
        let mut sent = self.send(&reaction);
        let unread = self.stream.unread().len();
        if unread > 0
            && let Some(update) = self.stream.read(unread, now)
        {
            sent += self.send(&update);
        }
        if self.stream.tcb().state() == State::CloseWait
            && let Ok(closing) = self.stream.close(now)
        {
            sent += self.send(&closing);
        }
        sent
    }
}

impl Ours {
    fn send(&mut self, reaction: &Reaction) -> usize {
        let Some(segment) = &reaction.segment else { return 0 };
        let ports = Ports { source: PORTS.destination, destination: PORTS.source };
        let text = self.stream.text_of(segment);
        self.leaving.len = emit(&self.ip, ports, segment, text, &mut self.leaving.octets).unwrap();
        1
    }
}
