//! Our user: what it has called for, and what it has heard.

use std::rc::Rc;

use tcpshake::driver::{Say, Talk};

use crate::judge::Failure;
use crate::notation::Call;
use crate::packets::text;
use crate::play::Shared;
use crate::setup::Setup;

#[derive(Clone, Debug)]
pub(crate) struct User {
    /// Octets given to be sent, all in all.
    given: u64,
    said: u64,
    closes: bool,
    closes_after_peer: bool,
    heard: u64,
    /// Octets it would take; `None` for all.
    takes: Option<u64>,
}

impl User {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            given: setup.on_syn,
            said: 0,
            closes: false,
            closes_after_peer: setup.closes_after_peer,
            heard: 0,
            takes: setup.reads_on_call.then_some(0),
        }
    }

    pub(crate) fn call(&mut self, call: Call) {
        match call {
            Call::Send(octets) => self.given += octets,
            Call::Close => self.closes = true,
            Call::Read(None) => self.takes = None,
            Call::Read(Some(octets)) => self.takes = Some(self.takes.unwrap_or_default() + octets as u64),
            Call::CloseWithPeer | Call::Abort | Call::Open | Call::Listen => {}
        }
    }

    /// The same, with what was called for while `earlier` talked with somebody else.
    pub(crate) fn after(self, earlier: &Self) -> Self {
        Self { given: earlier.given, closes: earlier.closes, takes: earlier.takes, ..self }
    }

    /// Octets it has taken.
    pub(crate) fn delivered(&self) -> u64 {
        self.heard
    }
}

/// The user, as the driver talks with it.
pub(crate) struct Speaker<'d>(pub(crate) Shared<'d>);

impl<'d> Speaker<'d> {
    pub(crate) fn new(player: &Shared<'d>) -> Self {
        Self(Rc::clone(player))
    }
}

impl Talk for Speaker<'_> {
    fn say(&mut self, most: usize) -> Say {
        let user = &mut self.0.borrow_mut().user;
        let len = (user.given - user.said).min(most as u64);
        if len > 0 {
            let said = text(user.said as i64, len as usize);
            user.said += len;
            return Say::Text(said);
        }
        if user.closes { Say::Done } else { Say::Later }
    }

    fn hear(&mut self, offered: &[u8]) -> usize {
        let mut player = self.0.borrow_mut();
        let user = &mut player.user;
        let len = user.takes.map_or(offered.len(), |takes| offered.len().min(takes as usize));
        user.takes = user.takes.map(|takes| takes - len as u64);
        let is_right = offered[..len] == text(user.heard as i64, len);
        user.heard += len as u64;
        if !is_right {
            player.fail(Failure::of("text delivered", "what was sent", "other octets"));
        }
        len
    }

    /// At the end nobody asks whether it is wanted.
    fn hear_rest(&mut self, offered: &[u8]) {
        self.0.borrow_mut().user.takes = None;
        self.hear(offered);
    }

    fn peer_is_done(&mut self) {
        let user = &mut self.0.borrow_mut().user;
        user.closes |= user.closes_after_peer;
    }

    fn has_heard_enough(&self) -> bool {
        true
    }
}
