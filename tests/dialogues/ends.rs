//! The endpoints that dialogues are held with: what a command runs, on a wire of ours.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use tcpshake::driver::{self, DriveError, Host};
use tcpshake::guard::{Guard, Standing};
use tcpshake::tcp::{Mss, Parameters, SeqNum};
use tcpshake::time::Instant;

use crate::judge::Failure;
use crate::machine;
use crate::notation::Dialogue;
use crate::play::{Player, ScriptedWire, Shared};
use crate::segments::Placement;
use crate::setup::Role;
use crate::told::Listener;
use crate::user::{Speaker, User};

/// Plays a dialogue with the numbers placed there.
pub(crate) fn play(dialogue: &Dialogue, place: Placement) -> Result<(), Box<Failure>> {
    let player = Player::new(dialogue, place);
    let result = match dialogue.setup.role {
        Role::Connect => connect(dialogue, place, &player),
        Role::Serve => serve(dialogue, place, &player),
        Role::Machine => machine::run(&player),
    };
    let mut player = player.borrow_mut();
    // What ends the endpoint's loop is the end of the dialogue; anything else is a failure of its own.
    if let Err(error) = result
        && !player.is_over()
    {
        player.fail(Failure::of("endpoint", "one that goes on", error));
    }
    player.finish();
    player.failure.take().map_or(Ok(()), |failure| Err(Box::new(failure)))
}

/// `tcpshake connect`.
fn connect(dialogue: &Dialogue, place: Placement, player: &Shared<'_>) -> Result<(), DriveError> {
    let guard = Guard::not_needed(dialogue.setup.ends().local);
    let (mut wire, mut talk) = (ScriptedWire::new(player), Speaker::new(player));
    let mut observer = Listener(Rc::clone(player));
    let plan = dialogue.setup.plan(place);
    let mut signal = || player.borrow_mut().take_signal();
    driver::converse(&guard, &mut wire, &plan, &mut talk, &mut observer, &mut signal).map(drop)
}

/// `tcpshake listen`.
fn serve(dialogue: &Dialogue, place: Placement, player: &Shared<'_>) -> Result<(), DriveError> {
    let service = dialogue.setup.service(place);
    let mut host = Machine { player: Rc::clone(player), parameters: service.plan.parameters, place };
    let mut wire = ScriptedWire::new(player);
    let mut observer = Listener(Rc::clone(player));
    let mut signal = || player.borrow_mut().take_signal();
    driver::serve(&Standing::not_needed(), &mut wire, &service, &mut host, &mut observer, &mut signal)
        .map(drop)
}

/// The machine a service runs on.
struct Machine<'d> {
    player: Shared<'d>,
    parameters: Parameters,
    place: Placement,
}

impl<'d> Host for Machine<'d> {
    type Talk = Speaker<'d>;

    fn is_ours(&mut self, address: IpAddr) -> bool {
        self.player.borrow().dialogue.setup.ends().local.ip() == address
    }

    fn mss(&mut self, _: IpAddr) -> Mss {
        self.parameters.mss
    }

    fn iss(&mut self, _: SocketAddr, _: SocketAddr, _: Instant) -> SeqNum {
        self.place.iss
    }

    /// Each client has a user of its own, to whom all calls before it came are made.
    fn talk(&mut self) -> Speaker<'d> {
        let mut player = self.player.borrow_mut();
        let fresh = User::new(&player.dialogue.setup);
        player.user = fresh.after(&player.user);
        drop(player);
        Speaker::new(&self.player)
    }
}
