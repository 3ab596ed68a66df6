//! What must hold after anything that happens to a machine, whoever its peer is.

use tcpshake::tcp::{
    Clause, Flags, Opt, Parameters, Rcv, Reaction, Segment, SeqNum, Snd, State, Stream, Timer,
};

use crate::pattern::pattern;
use crate::start::knows_peer;

/// What led to a reaction.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'s> {
    Segment(&'s Segment),
    /// A call of the user, or a timeout.
    Other,
    /// [`Stream::transmit`].
    Transmit,
}

/// A machine's numbers as they were before.
#[derive(Clone, Copy, Debug)]
struct Before {
    state: State,
    snd: Snd,
    rcv: Rcv,
}

/// Watches one machine from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Laws {
    mss: u32,
    before: Before,
    /// Where FINs of the peer stood.
    fins: Vec<SeqNum>,
}

impl Before {
    fn of(stream: &Stream) -> Self {
        let tcb = stream.tcb();
        Self { state: tcb.state(), snd: *tcb.snd(), rcv: *tcb.rcv() }
    }
}

impl Laws {
    pub fn new(parameters: &Parameters, stream: &Stream) -> Self {
        Self { mss: u32::from(parameters.mss.get()), before: Before::of(stream), fins: Vec::new() }
    }

    /// Panics unless `reaction`, which has led to what `stream` is now, is lawful.
    pub fn judge(&mut self, cause: Cause, reaction: &Reaction, stream: &Stream) {
        if let Cause::Segment(segment) = cause
            && segment.has(Flags::FIN)
        {
            self.fins.push(segment.end() - 1);
        }
        let after = Before::of(stream);
        self.arrows(cause, reaction, stream);
        self.numbers(&after);
        timers(&after, reaction, stream);
        text(&after, reaction, stream);
        if let Some(reply) = &reaction.segment {
            self.reply(cause, reply, reaction.clause, &after, stream);
        }
        if after.state == State::Listen {
            self.fins.clear();
        }
        self.before = after;
    }

    /// Only arrows of the table are walked, one behind the other, and none for too little.
    fn arrows(&self, cause: Cause, reaction: &Reaction, stream: &Stream) {
        let snd = stream.tcb().snd();
        let end = reaction.arrows.iter().fold(self.before.state, |at, arrow| {
            assert!(arrow.from == at && arrow.is_legal(), "{arrow}, from {at}");
            match arrow.to {
                State::Established => assert!(snd.una.after(snd.iss), "open, our SYN not acknowledged"),
                State::FinWait2 => assert!(our_fin_is_acknowledged(snd), "our FIN is not acknowledged"),
                State::CloseWait | State::Closing => assert!(self.has_peer_fin(stream), "no FIN came"),
                State::TimeWait => {
                    assert!(self.has_peer_fin(stream), "TIME-WAIT without the peer's FIN");
                    assert!(our_fin_is_acknowledged(snd), "TIME-WAIT, our FIN not acknowledged");
                }
                State::Closed => self.may_end(cause, reaction.clause, stream),
                State::Listen | State::SynSent | State::SynReceived | State::FinWait1 | State::LastAck => {}
            }
            arrow.to
        });
        assert_eq!(end, stream.tcb().state(), "the arrows lead elsewhere");
    }

    /// A segment ends a connection by an exact RST, or by the last acknowledgment.
    fn may_end(&self, cause: Cause, clause: Clause, stream: &Stream) {
        let Cause::Segment(segment) = cause else { return };
        if clause == Clause::AckOfFinLast {
            assert!(
                our_fin_is_acknowledged(stream.tcb().snd()) && self.has_peer_fin(stream),
                "closed too early"
            );
            return;
        }
        assert!(segment.has(Flags::RST), "ended by {segment}");
        if knows_peer(self.before.state) {
            assert_eq!(segment.seq, self.before.rcv.nxt, "a RST that is not exact");
        }
    }

    fn has_peer_fin(&self, stream: &Stream) -> bool {
        self.fins.contains(&(stream.tcb().rcv().nxt - 1))
    }

    fn numbers(&self, after: &Before) {
        let (snd, rcv) = (&after.snd, &after.rcv);
        assert!(snd.una.at_or_before(snd.nxt), "SND.UNA beyond SND.NXT");
        assert!(snd.nxt.at_or_before(snd.end + 1), "SND.NXT beyond all there is");
        if !knows_peer(self.before.state) || !knows_peer(after.state) {
            return;
        }
        let was = &self.before;
        assert!(rcv.nxt.at_or_after(was.rcv.nxt), "RCV.NXT goes back");
        assert!(snd.una.at_or_after(was.snd.una), "SND.UNA goes back");
        let (edge, edge_was) = (rcv.nxt + rcv.wnd.get(), was.rcv.nxt + was.rcv.wnd.get());
        assert!(edge.at_or_after(edge_was), "the window's right edge goes back");
    }

    fn reply(&self, cause: Cause, reply: &Segment, clause: Clause, after: &Before, stream: &Stream) {
        let (syn, rst) = (reply.has(Flags::SYN), reply.has(Flags::RST));
        match cause {
            Cause::Segment(segment) => assert!(!(rst && segment.has(Flags::RST)), "a RST answers a RST"),
            Cause::Transmit => assert!(!reply.is_empty(), "transmitted without need: {reply}"),
            Cause::Other => {}
        }
        let has_mss = reply.options.iter().flatten().any(|option| matches!(option, Opt::Mss(_)));
        assert!(syn || !has_mss, "an MSS without a SYN");
        if syn {
            assert_eq!(after.snd.una, after.snd.iss, "a SYN, though ours is acknowledged");
            assert_eq!(reply.seq, after.snd.iss, "a SYN with another number");
        }
        if syn || rst {
            return;
        }
        let snd = &after.snd;
        assert_eq!(reply.acknowledgment(), Some(after.rcv.nxt), "{reply}");
        assert!(reply.seq.at_or_after(snd.una) && reply.end().at_or_before(snd.nxt), "{reply} of {snd:?}");
        let mss = self.mss.min(u32::from(stream.tcb().peer_mss().get()));
        let options = reply.options.as_bytes().len() as u32;
        assert!(reply.text_len == 0 || reply.text_len + options <= mss, "{reply} beyond the MSS {mss}");
        let text_end = reply.seq + reply.text_len;
        let is_new =
            reply.text_len > 0 && text_end.after(self.before.snd.nxt) && knows_peer(self.before.state);
        if is_new && clause != Clause::ZeroWindowProbe {
            assert!(text_end.at_or_before(snd.una + snd.wnd.get()), "{reply} beyond the window {snd:?}");
        }
        let text = stream.text_of(reply);
        assert_eq!(text.len(), reply.text_len as usize, "text that is not there: {reply}");
        assert!(text == pattern(snd.iss, reply.seq, text.len()), "text of another place: {reply}");
    }
}

fn our_fin_is_acknowledged(snd: &Snd) -> bool {
    snd.una == snd.end + 1
}

/// What is reported is what is set, and what waits for an answer is never without a timer.
fn timers(after: &Before, reaction: &Reaction, stream: &Stream) {
    let deadline = stream.tcb().deadline();
    assert_eq!(reaction.deadline, deadline, "the deadline reported is another");
    let timer = deadline.map(|deadline| deadline.timer);
    let waits = after.snd.una != after.snd.nxt || after.snd.nxt.before(after.snd.end);
    match after.state {
        State::Closed | State::Listen => assert_eq!(timer, None, "a timer in {}", after.state),
        State::TimeWait => assert_eq!(timer, Some(Timer::TimeWait)),
        _ => assert!(!waits || timer.is_some(), "{} waits without a timer: {:?}", after.state, after.snd),
    }
}

/// What is delivered is the beginning of what was sent, and all that is acknowledged.
fn text(after: &Before, reaction: &Reaction, stream: &Stream) {
    if !knows_peer(after.state) {
        return;
    }
    let fin = match after.state {
        State::CloseWait | State::Closing | State::LastAck | State::TimeWait => 1,
        _ => 0,
    };
    let irs = after.rcv.irs;
    let in_order = after.rcv.nxt - fin;
    assert_eq!(stream.received() as u32, (in_order - (irs + 1)) as u32, "acknowledged, and not received");
    let unread = stream.unread();
    let new = reaction.text.in_order() as usize;
    let new = unread.get(unread.len().saturating_sub(new)..).unwrap_or_default();
    assert!(new == pattern(irs, in_order - new.len() as u32, new.len()), "delivered what was not sent");
}
