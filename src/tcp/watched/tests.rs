//! Two ends, and what a watcher makes of their segments.

use super::*;
use crate::tcp::UnscaledWindow;

const CLIENT: SeqNum = SeqNum(u32::MAX); // near the wrap
const SERVER: SeqNum = SeqNum(9000);

fn segment(flags: Flags, seq: SeqNum, ack: SeqNum, text_len: u32) -> Segment {
    Segment { flags, seq, ack, text_len, window: UnscaledWindow(1000), ..Segment::default() }
}

/// Both ends, and who sends what.
struct World {
    client: Watched,
    server: Watched,
}

impl World {
    fn new() -> Self {
        Self { client: Watched::closed(), server: Watched::listening() }
    }

    fn client_sends(&mut self, segment: &Segment) -> Shown {
        let shown = self.client.seen_sending(segment, Instant::ORIGIN);
        self.server.hears(segment, Instant::ORIGIN);
        shown
    }

    fn server_sends(&mut self, segment: &Segment) -> Shown {
        let shown = self.server.seen_sending(segment, Instant::ORIGIN);
        self.client.hears(segment, Instant::ORIGIN);
        shown
    }

    fn states(&self) -> (State, State) {
        (self.client.tcb().state(), self.server.tcb().state())
    }

    fn open(&mut self) {
        self.client_sends(&segment(Flags::SYN, CLIENT, SeqNum(0), 0));
        self.server_sends(&segment(Flags::SYN | Flags::ACK, SERVER, CLIENT + 1, 0));
        self.client_sends(&segment(Flags::ACK, CLIENT + 1, SERVER + 1, 0));
    }
}

const FIN: Flags = Flags::from_bits(0x11);

#[test]
fn both_ends_open_talk_and_close() {
    let mut world = World::new();
    world.open();
    assert_eq!(world.states(), (State::Established, State::Established));
    assert_eq!(world.client.initial(), Some(CLIENT));
    assert_eq!(world.server.initial(), Some(SERVER));
    let text = world.client_sends(&segment(Flags::ACK, CLIENT + 1, SERVER + 1, 5));
    assert_eq!(text.clause, Some(Clause::Send));
    let ack = world.server_sends(&segment(Flags::ACK, SERVER + 1, CLIENT + 6, 0));
    assert_eq!(ack.clause, Some(Clause::TextAccepted));
    let fin = world.client_sends(&segment(FIN, CLIENT + 6, SERVER + 1, 0));
    assert_eq!(fin.clause, Some(Clause::Close));
    assert_eq!(world.states(), (State::FinWait1, State::CloseWait));
    world.server_sends(&segment(FIN, SERVER + 1, CLIENT + 7, 0));
    assert_eq!(world.states(), (State::TimeWait, State::LastAck));
    world.client_sends(&segment(Flags::ACK, CLIENT + 7, SERVER + 2, 0));
    assert_eq!(world.states(), (State::TimeWait, State::Closed));
}

/// What an end acknowledges it has, and what is acknowledged to it it has sent: the watcher has missed it.
#[test]
fn what_was_missed_is_caught_up_with() {
    let mut world = World::new();
    world.open();
    world.server_sends(&segment(Flags::ACK, SERVER + 1, CLIENT + 501, 0));
    assert_eq!(world.client.tcb().snd().una, CLIENT + 501);
    assert_eq!(world.server.tcb().rcv().nxt, CLIENT + 501);
    // A FIN behind a gap that only the capture has.
    world.client_sends(&segment(FIN, CLIENT + 601, SERVER + 1, 0));
    assert_eq!(world.server.tcb().state(), State::Established);
    world.server_sends(&segment(Flags::ACK, SERVER + 1, CLIENT + 602, 0));
    assert_eq!(world.states(), (State::FinWait2, State::CloseWait));
}

#[test]
fn an_open_of_which_a_part_is_missing() {
    let mut world = World::new();
    world.client_sends(&segment(Flags::SYN, CLIENT, SeqNum(0), 0));
    world.client_sends(&segment(Flags::ACK, CLIENT + 1, SERVER + 1, 0));
    assert_eq!(world.states(), (State::Established, State::Established));
    assert_eq!(world.server.initial(), Some(SERVER));

    let syn_ack = segment(Flags::SYN | Flags::ACK, SERVER, CLIENT + 1, 0);
    let mut world = World { client: Watched::opening(&syn_ack), server: Watched::listening() };
    world.server_sends(&syn_ack);
    assert_eq!(world.states(), (State::Established, State::SynReceived));
}

#[test]
fn a_refusal_and_an_abort() {
    let mut world = World::new();
    world.client_sends(&segment(Flags::SYN, CLIENT, SeqNum(0), 0));
    let reset = segment(Flags::RST | Flags::ACK, SeqNum(0), CLIENT + 1, 0);
    assert_eq!(world.server_sends(&reset).clause, Some(Clause::ClosedSendsRst));
    assert_eq!(world.states(), (State::Closed, State::Closed));

    let mut world = World::new();
    world.open();
    let abort = world.client_sends(&segment(Flags::RST | Flags::ACK, CLIENT + 1, SERVER + 1, 0));
    assert_eq!(abort.clause, Some(Clause::Abort));
    assert_eq!(world.states(), (State::Closed, State::Closed));
}

/// RFC 9293 section 3.5 figure 7.
#[test]
fn crossing_syns() {
    let mut world = World::new();
    world.client_sends(&segment(Flags::SYN, CLIENT, SeqNum(0), 0));
    let crossing = world.server_sends(&segment(Flags::SYN, SERVER, SeqNum(0), 0));
    assert_eq!(crossing.arrows.iter().count(), 0, "the client's SYN had made it SYN-RECEIVED");
    assert_eq!(world.states(), (State::SynReceived, State::SynReceived));
    world.client_sends(&segment(Flags::SYN | Flags::ACK, CLIENT, SERVER + 1, 0));
    world.server_sends(&segment(Flags::SYN | Flags::ACK, SERVER, CLIENT + 1, 0));
    assert_eq!(world.states(), (State::Established, State::Established));
}

#[test]
fn a_connection_joined_in_its_midst() {
    let first = segment(Flags::ACK, CLIENT, SERVER, 100);
    let mut world =
        World { client: Watched::joined_sending(&first), server: Watched::joined_hearing(&first) };
    world.client_sends(&first);
    world.server_sends(&segment(FIN, SERVER, CLIENT + 100, 0));
    world.client_sends(&segment(FIN, CLIENT + 100, SERVER + 1, 0));
    world.server_sends(&segment(Flags::ACK, SERVER + 1, CLIENT + 101, 0));
    assert_eq!(world.states(), (State::Closed, State::TimeWait));
    assert_eq!(world.client.initial(), None);
}

proptest::proptest! {
    /// Whatever is seen, nothing panics, and only arrows of the figure are walked.
    #[test]
    fn any_segments_can_be_watched(
        sights in proptest::collection::vec(
            (proptest::bool::ANY, 0_u16..0x200, 0_u32..40, 0_u32..40, 0_u32..30, 0_u16..3), 1..60),
    ) {
        let mut world = World::new();
        for (client, flags, seq, ack, text_len, window) in sights {
            let (own, other) = if client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
            let seen = Segment {
                window: UnscaledWindow(window),
                ..segment(Flags::from_bits(flags), own + seq, other + ack, text_len)
            };
            if client { world.client_sends(&seen) } else { world.server_sends(&seen) };
        }
    }
}
