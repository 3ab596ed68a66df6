//! What our end tells: the last state, and in words what has happened.

use tcpshake::driver::observe::Observer;
use tcpshake::record::{Event, IcmpEffect, Opening, Step, Summary};
use tcpshake::tcp::{Clause, Segment};

use crate::play::Shared;

/// One thing that was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The rule that decided.
    pub(crate) clause: Option<Clause>,
    pub(crate) words: String,
}

/// Takes note of what a command tells.
pub(crate) struct Listener<'d>(pub(crate) Shared<'d>);

impl Observer for Listener<'_> {
    fn begin(&mut self, _: &Opening) {}

    fn step(&mut self, step: &Step) {
        let mut player = self.0.borrow_mut();
        (player.state, player.snd, player.rcv) = (step.state, step.view.snd, step.view.rcv);
        player.told.push(Told { clause: step.clause, words: words(&step.event) });
    }

    fn end(&mut self, summary: &Summary) {
        self.0.borrow_mut().summary = Some(summary.clone());
    }
}

fn words(event: &Event) -> String {
    let segment = |word: &str, segment: &Segment| format!("{word} {}", segment.flags.short());
    match event {
        Event::Sent { segment: sent, retransmission: 0, .. } => segment("sent", sent),
        Event::Sent { segment: sent, retransmission, .. } => {
            format!("{}, retransmission {retransmission}", segment("sent", sent))
        }
        Event::Received { segment: received, .. } => segment("received", received),
        Event::Unsent { segment: unsent, .. } => segment("unsent", unsent),
        Event::KernelReset(reset, _) => segment("the kernel's", reset),
        Event::Unreadable(error) => format!("unreadable: {error}"),
        Event::Icmp { error, effect } => {
            let effect = match effect {
                IcmpEffect::Fatal => "fatal",
                IcmpEffect::Noted => "noted",
                IcmpEffect::NotOurs => "not ours",
            };
            format!("{effect}: {error}")
        }
        Event::Quiet => "quiet".to_owned(),
    }
}
