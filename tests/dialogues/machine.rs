//! The stream alone, between a user and a wire: for calls that no command makes.

use std::rc::Rc;

use tcpshake::driver::{DriveError, Talk};
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, emit, ip, tcp};
use tcpshake::tcp::{CallError, Clause, Origin, Reaction, Segment, Stream};
use tcpshake::time::Instant;
use tcpshake::wire::{Arrival, Received, Wire};

use crate::notation::Call;
use crate::packets::text;
use crate::play::{ScriptedWire, Shared};
use crate::told::Told;
use crate::user::Speaker;

struct Machine<'d> {
    player: Shared<'d>,
    stream: Stream,
    user: Speaker<'d>,
    given: u64,
}

/// Plays until there is nothing left, which is the error that the wire ends with.
pub(crate) fn run(player: &Shared<'_>) -> Result<(), DriveError> {
    let stream = player.borrow().dialogue.setup.stream();
    let mut machine = Machine { player: Rc::clone(player), stream, user: Speaker::new(player), given: 0 };
    let mut wire = ScriptedWire::new(player);
    loop {
        let deadline = machine.stream.tcb().deadline().map(|deadline| deadline.at);
        let reaction = match wire.receive(deadline)? {
            Arrival::Packet(received) => machine.on_packet(&received),
            Arrival::DeadlinePassed => machine.stream.on_timeout(machine.now()),
            Arrival::Woken => machine.on_call(),
        };
        machine.carry_out(reaction, &mut wire)?;
        while let Some(reaction) = machine.stream.transmit(machine.now()) {
            machine.carry_out(Some(reaction), &mut wire)?;
        }
    }
}

impl Machine<'_> {
    fn now(&self) -> Instant {
        self.player.borrow().now
    }

    fn on_packet(&mut self, received: &Received<'_>) -> Option<Reaction> {
        let now = self.now();
        let packet = ip::parse(received.octets).ok()?;
        let read = tcp::parse(packet.payload, packet.addresses, received.checksum).ok()?;
        let reaction = self.stream.on_segment(&read.segment, read.text, now);
        let taken = self.user.hear(self.stream.unread());
        let _ = self.stream.read(taken, now); // the window was never closed
        Some(reaction)
    }

    fn on_call(&mut self) -> Option<Reaction> {
        let (now, iss) = (self.now(), self.player.borrow().place.iss);
        let call = self.player.borrow_mut().take_call()?;
        let called: Result<Reaction, CallError> = match call {
            Call::Open => self.stream.open(Origin::Active, iss, b"", now),
            Call::Listen => self.stream.open(Origin::Passive, iss, b"", now),
            Call::Send(octets) => {
                let said = text(self.given as i64, octets as usize);
                self.given += octets;
                self.stream.send(&said, now)
            }
            Call::Close => self.stream.close(now),
            Call::Abort => self.stream.abort(),
            Call::CloseWithPeer => {
                self.stream.close_with_peer();
                return None;
            }
            Call::Read(_) => return None, // it reads as it comes
        };
        called.map_err(|error| self.tell(None, error.to_string())).ok()
    }

    fn tell(&mut self, clause: Option<Clause>, words: String) {
        let mut player = self.player.borrow_mut();
        let tcb = self.stream.tcb();
        (player.state, player.snd, player.rcv) = (tcb.state(), *tcb.snd(), *tcb.rcv());
        player.told.push(Told { clause, words });
    }

    fn carry_out(
        &mut self,
        reaction: Option<Reaction>,
        wire: &mut ScriptedWire<'_>,
    ) -> Result<(), DriveError> {
        let Some(reaction) = reaction else { return Ok(()) };
        let sent = reaction.segment.map(|segment| self.send(&segment, wire)).transpose()?;
        self.tell(Some(reaction.clause), sent.unwrap_or_else(|| "quiet".to_owned()));
        Ok(())
    }

    fn send(&self, segment: &Segment, wire: &mut ScriptedWire<'_>) -> Result<String, DriveError> {
        let ends = self.player.borrow().dialogue.setup.ends();
        let addresses = Addresses::new(ends.local.ip(), ends.remote.ip()).ok_or(DriveError::Families)?;
        let ports = Ports { source: ends.local.port(), destination: ends.remote.port() };
        let mut packet = vec![0; 4096];
        let said = self.stream.text_of(segment);
        let len = emit(&IpFields::new(addresses), ports, segment, said, &mut packet)?;
        wire.send(&packet[..len])?;
        Ok(format!("sent {}", segment.flags.short()))
    }
}
