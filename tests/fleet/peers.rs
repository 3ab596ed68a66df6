//! The far ends: kinds of peers, and one connection of one.

use std::collections::VecDeque;
use std::time::Duration;

use tcpshake::tcp::{Nagle, Origin, Parameters, Reaction, Retries, SeqNum, State, Stream};
use tcpshake::time::Instant;

use crate::network::Tuple;
use crate::packets::{Seen, write};

/// How a peer behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Closes its side when the client has.
    Accepts,
    /// RST to all.
    Refuses,
    Silent,
    /// A router answers, with this type and code.
    Unreachable(u8, u8),
    /// Opens, and resets after a tenth of a second, as a SYN proxy does.
    Proxy,
    /// Says these, one after the other, with so long between them.
    Greets(Vec<Vec<u8>>, Duration),
    /// Closes, so long after the open.
    ClosesFirst(Duration),
    NeverCloses,
    /// Answers all twice.
    Twice,
    /// Resets as soon as it has our FIN.
    ResetsOnFin,
}

enum Act {
    Say(Vec<u8>),
    Close,
    Reset,
}

/// One connection of a peer.
pub(crate) struct Connection {
    kind: Kind,
    tuple: Tuple,
    stream: Stream,
    opened: bool,
    agenda: VecDeque<(Instant, Act)>,
    /// When the world calls next.
    pub(crate) armed: Option<Instant>,
}

impl Connection {
    pub(crate) fn listen(kind: Kind, tuple: Tuple, iss: SeqNum, now: Instant) -> Self {
        let parameters = Parameters { retries: Retries::AtMost(14), ..Parameters::default() };
        let mut stream = Stream::new(&parameters, Nagle::Off);
        let _ = stream.open(Origin::Passive, iss, b"", now);
        Self { kind, tuple, stream, opened: false, agenda: VecDeque::new(), armed: None }
    }

    pub(crate) fn state(&self) -> State {
        self.stream.tcb().state()
    }

    /// Whether a SYN of a new connection may take its place, as it may with any system (RFC 6191).
    pub(crate) fn may_be_replaced(&self, seen: &Seen) -> bool {
        let newer = seen.segment.seq.after(self.stream.tcb().rcv().nxt);
        self.state() == State::Closed || (self.state() == State::TimeWait && newer)
    }

    pub(crate) fn on_segment(&mut self, seen: &Seen, now: Instant) -> Vec<Vec<u8>> {
        let reaction = self.stream.on_segment(&seen.segment, &seen.text, now);
        let mut packets = Vec::from_iter(self.packet(&reaction));
        let unread = self.stream.unread().len();
        let update = self.stream.read(unread, now);
        packets.extend(update.and_then(|update| self.packet(&update)));
        if self.state() == State::Established && !self.opened {
            self.opened = true;
            self.make_agenda(now);
        }
        packets.extend(self.go_on(now));
        if self.kind == Kind::Twice {
            packets.extend(packets.clone());
        }
        packets
    }

    pub(crate) fn on_time(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let reaction = self.stream.on_timeout(now);
        let mut packets: Vec<_> = reaction.and_then(|reaction| self.packet(&reaction)).into_iter().collect();
        packets.extend(self.go_on(now));
        packets
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let timer = self.stream.tcb().deadline().map(|deadline| deadline.at);
        timer.into_iter().chain(self.agenda.front().map(|(at, _)| *at)).min()
    }

    fn make_agenda(&mut self, now: Instant) {
        match &self.kind {
            Kind::Proxy => self.agenda.push_back((now + Duration::from_millis(100), Act::Reset)),
            Kind::ClosesFirst(after) => self.agenda.push_back((now + *after, Act::Close)),
            Kind::Greets(pieces, gap) => {
                let at = |n: usize| now + *gap * n as u32;
                let say = |(n, piece): (usize, &Vec<u8>)| (at(n), Act::Say(piece.clone()));
                self.agenda.extend(pieces.iter().enumerate().map(say));
            }
            Kind::Accepts
            | Kind::Refuses
            | Kind::Silent
            | Kind::Unreachable(..)
            | Kind::NeverCloses
            | Kind::Twice
            | Kind::ResetsOnFin => {}
        }
    }

    fn go_on(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while self.agenda.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, act)) = self.agenda.pop_front() else { break };
            let reaction = match act {
                Act::Say(text) => self.stream.send(&text, now),
                Act::Close => self.stream.close(now),
                Act::Reset => self.stream.abort(),
            };
            packets.extend(reaction.ok().and_then(|reaction| self.packet(&reaction)));
        }
        if self.state() == State::CloseWait && self.kind == Kind::ResetsOnFin {
            packets.clear();
            packets.extend(self.stream.abort().ok().and_then(|reaction| self.packet(&reaction)));
        }
        if self.state() == State::CloseWait && self.kind != Kind::NeverCloses {
            packets.extend(self.stream.close(now).ok().and_then(|reaction| self.packet(&reaction)));
        }
        while let Some(reaction) = self.stream.transmit(now) {
            packets.extend(self.packet(&reaction));
        }
        packets
    }

    fn packet(&self, reaction: &Reaction) -> Option<Vec<u8>> {
        let segment = reaction.segment?;
        Some(write(self.tuple.1, self.tuple.0, &segment, self.stream.text_of(&segment)))
    }
}
