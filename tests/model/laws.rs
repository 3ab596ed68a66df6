//! Safety: what must hold of every event and in every world, however it was reached.

use tcpshake::tcp::{Flags, Reaction, Segment, SeqNum, State, Tcb, WindowScale};

use crate::forgery::knows_peer;
use crate::machine::Machine;
use crate::scenario::Side;
use crate::world::{End, World};

/// `Err`: the law that was broken.
pub type Lawful<T> = Result<T, String>;

fn hold(holds: bool, law: impl FnOnce() -> String) -> Lawful<()> {
    if holds { Ok(()) } else { Err(law()) }
}

/// Of one event at one machine: the arrows are the RFC's and lead where they say; no RST answers a RST.
pub fn of_reaction(before: &Tcb, arrived: Option<&Segment>, reaction: &Reaction, after: &Tcb) -> Lawful<()> {
    let mut at = before.state();
    for arrow in reaction.arrows.iter() {
        hold(arrow.from == at && arrow.is_legal(), || format!("{arrow} from {at}"))?;
        at = arrow.to;
    }
    hold(at == after.state(), || format!("the arrows lead to {at}, the state is {}", after.state()))?;
    hold(reaction.deadline == after.deadline(), || "the deadline told is another".to_owned())?;
    let answered = arrived.is_some_and(|segment| segment.has(Flags::RST));
    let rst = reaction.segment.is_some_and(|reply| reply.has(Flags::RST));
    hold(!(answered && rst), || "a RST answers a RST".to_owned())
}

/// Of what is sent beyond the one reply: it carries text or a FIN, and nothing follows a RST. (That a reaction holds
/// one segment at most, its type says.)
pub fn of_transmission(arrived: Option<&Segment>, more: &Reaction) -> Lawful<()> {
    let is_new = more.segment.is_some_and(|segment| !segment.is_empty());
    hold(is_new && more.arrows.is_empty(), || "a second reply".to_owned())?;
    hold(!arrived.is_some_and(|segment| segment.has(Flags::RST)), || "text answers a RST".to_owned())
}

/// Of the numbers of an end, before an event and after it.
pub fn of_end<M: Machine>(before: &End<M>, after: &End<M>) -> Lawful<()> {
    let (old, new) = (before.machine.tcb(), after.machine.tcb());
    let (was, is) = (old.snd(), new.snd());
    hold(is.una.at_or_before(is.nxt), || "SND.UNA is beyond SND.NXT".to_owned())?;
    if before.life == after.life && is.nxt.after(was.nxt) {
        let most = is.una + is.wnd.get() + 1;
        hold(is.nxt.at_or_before(most), || format!("SND.NXT is {} beyond the window", is.nxt - most + 1))?;
    }
    if !(knows_peer(old.state()) && knows_peer(new.state())) {
        return Ok(());
    }
    hold(is.una.at_or_after(was.una), || "SND.UNA goes back".to_owned())?;
    let (was, is) = (old.rcv(), new.rcv());
    hold(is.nxt.at_or_after(was.nxt), || "RCV.NXT goes back".to_owned())?;
    let (was_edge, edge) = (was.nxt + was.wnd.get(), is.nxt + is.wnd.get());
    hold(edge.at_or_after(was_edge), || format!("the window's right edge shrinks by {}", was_edge - edge))
}

/// Of a segment that leaves: what it carries was said, and each number carries the same for ever.
pub fn of_segment<M: Machine>(from: Side, end: &End<M>, segment: &Segment) -> Lawful<()> {
    let tcb = end.machine.tcb();
    if segment.has(Flags::RST) {
        return hold(segment.text_len == 0, || "text on a RST".to_owned());
    }
    let iss = tcb.snd().iss;
    hold(segment.has(Flags::SYN) == (segment.seq == iss), || "a SYN elsewhere than at ISS".to_owned())?;
    of_content(from, end, segment)?;
    if segment.has(Flags::ACK) {
        let scale = if segment.has(Flags::SYN) { WindowScale::default() } else { tcb.rcv_scale() };
        hold(segment.ack == tcb.rcv().nxt, || "SEG.ACK is not RCV.NXT".to_owned())?;
        hold(segment.window == tcb.rcv().wnd >> scale, || "SEG.WND is not RCV.WND".to_owned())?;
    }
    Ok(())
}

fn of_content<M: Machine>(from: Side, end: &End<M>, segment: &Segment) -> Lawful<()> {
    let is_fin = segment.has(Flags::FIN);
    if segment.text_len == 0 && !is_fin {
        return Ok(());
    }
    let iss = end.machine.tcb().snd().iss;
    let first = (segment.text_seq() - (iss + 1)) as u32;
    let behind = first.saturating_add(segment.text_len);
    hold(behind <= end.said, || format!("{behind} octets are sent, {} were said", end.said))?;
    if let Some(text) = end.machine.text_of(segment) {
        let said: Vec<u8> = (first..behind).map(|at| from.octet(iss, at)).collect();
        hold(text == said, || format!("{text:?} is sent where {said:?} was said"))?;
    }
    hold(!is_fin || behind == end.said, || "a FIN in front of text that was said".to_owned())?;
    let lawful = end.fin_behind.is_none_or(|fin| if is_fin { behind == fin } else { behind <= fin });
    hold(lawful, || "text or another FIN is sent where the FIN was".to_owned())
}

/// Of octets that an end hears: they are what its peer said, from the first on.
pub fn of_text(side: Side, irs: SeqNum, heard: u32, octets: &[u8]) -> Lawful<()> {
    let peer = side.other();
    let said = (0..octets.len() as u32).map(|at| peer.octet(irs, heard + at));
    hold(said.eq(octets.iter().copied()), || format!("{side:?} hears {octets:?}, which was not said there"))
}

/// Of an end that says both FINs are acknowledged.
pub fn of_closed<M: Machine>(end: &End<M>) -> Lawful<()> {
    hold(fin_is_acknowledged(end), || "closed cleanly, and our FIN is not acknowledged".to_owned())?;
    hold(end.told_of_fin, || "closed cleanly, and the peer's FIN is not acknowledged".to_owned())
}

fn fin_is_acknowledged<M: Machine>(end: &End<M>) -> bool {
    let snd = end.machine.tcb().snd();
    end.fin_behind.is_some_and(|octets| snd.una == snd.iss + octets + 2)
}

/// Whether an end has taken the peer's FIN.
pub fn fin_was_taken<M: Machine>(end: &End<M>) -> bool {
    matches!(end.state(), State::CloseWait | State::Closing | State::LastAck | State::TimeWait)
}

/// Of two ends at rest: what each knows of the other fits.
pub fn of_world<M: Machine>(world: &World<M>) -> Lawful<()> {
    for side in Side::BOTH {
        of_timer(world.end(side).machine.tcb())?;
        of_end_at_rest(world.end(side))?;
        of_knowledge(world, side)?;
    }
    let [a, b] = &world.ends;
    if a.state() == State::Established && b.state() == State::Established {
        let (a, b) = (a.machine.tcb(), b.machine.tcb());
        let agree = a.rcv().irs == b.snd().iss && b.rcv().irs == a.snd().iss;
        // A stranger who knows the numbers completes in a client's name the open that an old SYN of its began.
        hold(agree || world.forged.contains(&Flags::ACK), || {
            "both are ESTABLISHED, with different initial numbers".to_owned()
        })?;
    }
    Ok(())
}

/// Whatever needs an answer has a timer: no end waits for ever, but one whose peer may still talk.
pub fn of_timer(tcb: &Tcb) -> Lawful<()> {
    let state = tcb.state();
    let waits = match state {
        State::Closed | State::Listen => false,
        State::Established | State::FinWait2 | State::CloseWait => {
            tcb.snd().una != tcb.snd().nxt || tcb.snd().nxt.before(tcb.snd().end)
        }
        State::SynSent
        | State::SynReceived
        | State::FinWait1
        | State::Closing
        | State::LastAck
        | State::TimeWait => true,
    };
    hold(!waits || tcb.deadline().is_some(), || format!("{state} waits without a timer"))
}

/// Of an end at rest: its numbers say how much it has heard, and it knows of both FINs before it waits 2 MSL.
pub fn of_end_at_rest<M: Machine>(end: &End<M>) -> Lawful<()> {
    let (state, rcv) = (end.state(), end.machine.tcb().rcv());
    if !state.is_synchronized() {
        return Ok(());
    }
    let heard = end.heard + end.machine.unread();
    let numbers = (rcv.nxt - rcv.irs) as u32 - 1 - u32::from(fin_was_taken(end));
    hold(heard == numbers, || format!("{heard} octets in {numbers} numbers, in {state}"))?;
    if state == State::TimeWait { of_closed(end) } else { Ok(()) }
}

/// What an end knows of its peer: where it began, what it has said, that it has closed.
fn of_knowledge<M: Machine>(world: &World<M>, side: Side) -> Lawful<()> {
    let (end, peer) = (world.end(side), world.end(side.other()));
    let (state, rcv) = (end.state(), end.machine.tcb().rcv());
    if !state.is_synchronized() {
        return Ok(());
    }
    let lives = side.other();
    let is_peers = world.begun[lives as usize].contains(&rcv.irs);
    hold(is_peers || world.forged.contains(&Flags::SYN), || {
        format!("{side:?} is in {state} with a number that nobody sent")
    })?;

    let (closed, heard) = (fin_was_taken(end), end.heard + end.machine.unread());
    let began = |tcb: &Tcb| (tcb.snd().iss, tcb.rcv().irs);
    let (ours, theirs) = (began(end.machine.tcb()), began(peer.machine.tcb()));
    if theirs.0 == ours.1 && closed {
        hold(peer.fin_behind == Some(heard), || {
            format!("{side:?} took a FIN behind {heard} octets in {state}")
        })?;
    }
    if theirs == (ours.1, ours.0) && knows_peer(peer.state()) {
        let snd = peer.machine.tcb().snd();
        hold(rcv.nxt.at_or_before(snd.nxt), || format!("{side:?} has more than was sent"))?;
        hold(snd.una.at_or_before(rcv.nxt) || world.forged.contains(&Flags::ACK), || {
            format!("{side:?} has less than {lives:?} was told")
        })?;
    }
    Ok(())
}
