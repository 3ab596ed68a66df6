//! Plays a dialogue: to the endpoint it is the wire, the user and whoever is told.
//!
//! The lines are taken one after the other. A line that our end has no part in happens when its time comes; one that
//! is ours must be what the endpoint does next, at that time. In between the endpoint's own deadlines pass.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tcpshake::packet::{TransportChecksum, ip, tcp};
use tcpshake::record::{Signal, Summary};
use tcpshake::tcp::{Rcv, Snd, State};
use tcpshake::time::Instant;
use tcpshake::wire::{Arrival, Received, SendError, Sender, Wire};

use crate::judge::{Failure, Ours, seconds};
use crate::notation::{Call, Dialogue, Line, What};
use crate::segments::{Placement, show};
use crate::setup::Role;
use crate::told::Told;
use crate::user::User;

/// What is known while a dialogue is played.
pub(crate) struct Player<'d> {
    pub(crate) dialogue: &'d Dialogue,
    pub(crate) place: Placement,
    pub(crate) now: Instant,
    /// The next line.
    next: usize,
    /// What has happened, in the notation.
    transcript: Vec<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) user: User,
    /// The call that our user makes now.
    called: Option<Call>,
    /// The state, and the variables, after what was told last.
    pub(crate) state: State,
    pub(crate) snd: Snd,
    pub(crate) rcv: Rcv,
    /// What was told since something happened last.
    pub(crate) told: Vec<Told>,
    pub(crate) summary: Option<Summary>,
    /// Deadlines that passed in a row without a line that came of it, at one moment.
    idle: usize,
}

/// The player, as the endpoint's parts share it.
pub(crate) type Shared<'d> = Rc<RefCell<Player<'d>>>;

/// What the endpoint has to wait for.
enum Next {
    Packet(Vec<u8>, TransportChecksum),
    Deadline,
    Woken,
    Over,
}

impl<'d> Player<'d> {
    pub(crate) fn new(dialogue: &'d Dialogue, place: Placement) -> Shared<'d> {
        let beginning = match dialogue.setup.role {
            Role::Connect | Role::Machine => State::Closed,
            Role::Serve => State::Listen,
        };
        Rc::new(RefCell::new(Self {
            dialogue,
            place,
            now: Instant::ORIGIN,
            next: 0,
            transcript: Vec::new(),
            failure: None,
            user: User::new(&dialogue.setup),
            called: None,
            state: beginning,
            snd: Snd::default(),
            rcv: Rcv::default(),
            told: Vec::new(),
            summary: None,
            idle: 0,
        }))
    }

    fn line(&self) -> Option<&'d Line> {
        self.dialogue.lines.get(self.next)
    }

    fn note(&mut self, what: &str) {
        self.transcript.push(format!("{} {what}", seconds(self.now)));
    }

    /// The line has happened.
    fn pass(&mut self) {
        self.next += 1;
        self.idle = 0;
    }

    /// Only the first failure counts: what follows comes of it.
    pub(crate) fn fail(&mut self, failure: Failure) {
        let line = self.line().or(self.dialogue.lines.last()).map_or(1, |line| line.number);
        let transcript = self.transcript.clone();
        self.failure.get_or_insert(Failure { line, transcript, place: Some(self.place), ..failure });
    }

    /// Something happens to our end: what it tells from now on comes of this.
    fn begin_event(&mut self) {
        self.told.clear();
    }

    /// What comes next: a line of others, or our end's own deadline.
    fn advance(&mut self, deadline: Option<Instant>) -> Next {
        while self.failure.is_none()
            && let Some(line) = self.line()
        {
            let at = line.at.max(self.now);
            if deadline.is_some_and(|deadline| deadline <= at) {
                return self.let_pass(deadline.unwrap_or(at));
            }
            if matches!(line.what, What::Sends(_)) {
                self.now = at;
                self.fail(Failure::missing(line));
                break;
            }
            self.now = at;
            match &line.what {
                What::Sends(_) => {}
                What::Expect(expectation) => self.check(expectation),
                What::Arrives(packet) => {
                    self.note(&line.source);
                    self.pass();
                    self.begin_event();
                    let octets = packet.build(self.dialogue.setup.ends(), self.place);
                    return Next::Packet(octets, packet.checksum);
                }
                What::Call(call) => {
                    self.note(&line.source);
                    self.pass();
                    self.begin_event();
                    self.user.call(*call);
                    self.called = Some(*call);
                    return Next::Woken;
                }
            }
        }
        Next::Over
    }

    fn let_pass(&mut self, deadline: Instant) -> Next {
        const MOST: usize = 1000;
        self.idle += 1;
        if deadline > self.now {
            self.idle = 0;
            self.now = deadline;
            self.begin_event();
        }
        if self.idle > MOST {
            self.fail(Failure::of("deadline", "one that lies ahead", "one that is over, again and again"));
            return Next::Over;
        }
        Next::Deadline
    }

    /// Holds what our end sends against the line whose turn it is.
    fn on_sent(&mut self, octets: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let read = ip::parse(octets).expect("our own packet can be read");
        let tcp = tcp::parse(read.payload, read.addresses, TransportChecksum::Complete);
        let tcp = tcp.expect("our own segment can be read, its checksum is right");
        let shown = show(&tcp.segment, self.place);
        let packet = Ours { ip: read, ports: tcp.ports, segment: tcp.segment, text: tcp.text };
        let failure = match self.line() {
            Some(Line { at, what: What::Sends(sent), .. }) => self
                .compare(*at, sent, &packet)
                .map(|failure| Failure { actual: format!("{} ({shown})", failure.actual), ..failure }),
            Some(line) => Some(Failure::unexpected(&line.source, &shown)),
            None => Some(Failure::unexpected("nothing more", &shown)),
        };
        match failure {
            Some(failure) => self.fail(failure),
            None => self.pass(),
        }
        self.note(&format!("> {shown}"));
    }

    /// Our end has stopped: what is left must hold without it.
    pub(crate) fn finish(&mut self) {
        while self.failure.is_none()
            && let Some(line) = self.line()
        {
            self.now = line.at.max(self.now);
            match &line.what {
                What::Expect(expectation) => self.check(expectation),
                What::Sends(_) => self.fail(Failure::missing(line)),
                What::Arrives(_) | What::Call(_) => {
                    self.fail(Failure::of("endpoint", "one that goes on", "it has ended"));
                }
            }
        }
    }

    /// An expectation is met, or not.
    pub(crate) fn judge(&mut self, failure: Option<Failure>) {
        let Some(line) = self.line().filter(|_| failure.is_none()) else {
            return failure.map_or((), |failure| self.fail(failure));
        };
        self.note(&line.source);
        self.pass();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.line().is_none()
    }

    pub(crate) fn take_call(&mut self) -> Option<Call> {
        self.called.take()
    }

    /// A command is aborted by a signal; any other call reaches it through the user.
    pub(crate) fn take_signal(&mut self) -> Option<Signal> {
        self.called.take().filter(|call| *call == Call::Abort).map(|_| Signal::Interrupt)
    }
}

/// The wire the endpoint holds.
pub(crate) struct ScriptedWire<'d> {
    player: Shared<'d>,
    arrived: Vec<u8>,
}

impl<'d> ScriptedWire<'d> {
    pub(crate) fn new(player: &Shared<'d>) -> Self {
        Self { player: Rc::clone(player), arrived: Vec::new() }
    }
}

impl Wire for ScriptedWire<'_> {
    fn now(&self) -> Instant {
        self.player.borrow().now
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        self.player.borrow_mut().on_sent(packet);
        Ok(())
    }

    /// An error ends the endpoint's loop once there is nothing left to play.
    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Arrival<'_>> {
        let mut player = self.player.borrow_mut();
        match player.advance(deadline) {
            Next::Packet(octets, checksum) => {
                let at = player.now;
                self.arrived = octets;
                Ok(Arrival::Packet(Received { at, octets: &self.arrived, checksum, sender: Sender::Network }))
            }
            Next::Deadline => Ok(Arrival::DeadlinePassed),
            Next::Woken => Ok(Arrival::Woken),
            Next::Over => Err(io::Error::other("the dialogue is over")),
        }
    }
}
