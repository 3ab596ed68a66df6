//! How exchanges end: with a verdict, when patience is over, by a signal.

use std::net::SocketAddr;
use std::time::Duration;

use super::exchange::Phase;
use super::plan::{Ended, Errand, Packets, millis};
use super::wheel::Tick;
use super::{Fleet, LossWatch, Sent, parameters};
use crate::driver::verdict;
use crate::record::{Outcome, Signal};
use crate::tcp::State;
use crate::wire::Bulk;

impl<W: Bulk> Fleet<'_, W> {
    pub(super) fn abort(&mut self, number: u32, outcome: Outcome) {
        let Some(exchange) = self.slots.get_mut(number) else { return };
        if let Ok(reaction) = exchange.tcb.abort() {
            self.send(number, &reaction, Sent::Call);
        }
        self.finish(number, outcome);
    }

    /// The user's patience is over (RFC 9293 section 3.10.8).
    pub(super) fn give_up(&mut self, number: u32) {
        let Some(exchange) = self.slots.get(number) else { return };
        let so_far = self.so_far(number, exchange.heard);
        let outcome = verdict::given_up(exchange.tcb.state(), &exchange.tcb, so_far);
        self.abort(number, outcome);
    }

    /// Whether silence may be this machine's fault, which has lost packets meanwhile: then nobody knows, and the
    /// exchange is to be made again. There is an end to that: three times as often as all that was told.
    fn may_have_missed_an_answer(&mut self, number: u32) -> bool {
        const MOST: u64 = 3;
        if self.watch.looked_at < self.now {
            self.look_for_losses_now(); // once a batch
        }
        let Some(exchange) = self.slots.get(number) else { return false };
        let begun = exchange.phase_ends.before(millis(self.plan.timeout));
        let lost_since = self.watch.lost_at.is_some_and(|at| Tick::come(at, self.begun) >= begun);
        lost_since
            && self.ending.is_none()
            && self.watch.made_again < MOST * (self.told + u64::from(self.in_flight))
    }

    /// Lets go of an exchange, untold, and makes it later once more.
    fn make_again(&mut self, number: u32) {
        let Some(exchange) = self.slots.get(number) else { return };
        let Some(path) = self.paths.all.get(exchange.path as usize) else { return };
        let errand =
            Errand { target: exchange.target, remote: exchange.remote(), path: *path, task: exchange.task };
        self.watch.made_again += 1;
        self.waiting.postpone(errand, self.now + LossWatch::EVERY * 2);
        self.let_go(number);
    }

    /// The verdict.
    pub(super) fn finish(&mut self, number: u32, outcome: Outcome) {
        if matches!(outcome, Outcome::Silent { .. }) && self.may_have_missed_an_answer(number) {
            return self.make_again(number);
        }
        self.told += 1;
        let cut_short = self.slots.get(number).is_some_and(|exchange| exchange.cut_short);
        match self.ending {
            // What the peer would have done with the time that it was not given, nobody knows.
            Some((signal, _)) if cut_short => self.tell(number, Outcome::Interrupted(signal)),
            Some(_) | None => self.tell(number, outcome),
        }
        self.done.duration = self.now - self.begun;
        self.let_go(number);
    }

    /// It is under way no longer, and others have its room. What is in TIME-WAIT stays for a while.
    fn let_go(&mut self, number: u32) {
        let (linger, come) = (self.plan.linger, self.come());
        let Some(exchange) = self.slots.get_mut(number) else { return };
        let remote = exchange.remote();
        self.in_flight -= 1;
        self.freed = true;
        self.trace.release(&mut exchange.chain);
        if !self.noted.is_empty() {
            self.noted.remove(&number);
        }
        if !self.texts.is_empty() {
            self.texts.remove(&number);
        }
        if exchange.tcb.state() == State::TimeWait {
            exchange.phase_ends = come.after(exchange.linger(linger));
            exchange.phase = Phase::Lingering;
            self.lingering += 1;
            self.set_timer(number);
        } else {
            self.remove(number);
        }
        self.waiting.unpark(remote, self.now);
    }

    fn tell(&mut self, number: u32, outcome: Outcome) {
        let Some(exchange) = self.slots.get(number) else { return };
        let path = self.paths.all.get(exchange.path as usize);
        let (Some(path), task) = (path, self.task(exchange.task)) else { return };
        let answered = !matches!(outcome, Outcome::Silent { .. } | Outcome::Interrupted(_));
        let syns = u32::from(exchange.syns);
        let was_quiet = matches!(outcome, Outcome::Completed(_) | Outcome::CloseIncomplete { .. });
        let trace = &self.trace;
        self.dispatcher.ended(Ended {
            errand: Errand {
                target: exchange.target,
                remote: exchange.remote(),
                path: *path,
                task: exchange.task,
            },
            local: SocketAddr::new(path.local, exchange.ends().1.source),
            parameters: parameters(self.plan, path, task),
            outcome,
            at: self.now,
            rtt: exchange.rtt(),
            syns,
            syns_lost: syns.saturating_sub(u32::from(answered)),
            retransmissions: u32::from(exchange.retransmissions),
            announced: exchange.announced(),
            text: if self.texts.is_empty() {
                &[]
            } else {
                self.texts.get(&number).map_or(&[], Vec::as_slice)
            },
            banner_came: exchange.banner.came(),
            stayed_open: exchange.quiet.came().map(|came| came && was_quiet),
            packets: Packets(&|| trace.packets(exchange.chain)),
        });
    }

    /// The first signal ends what is under way properly; the second at once.
    pub(super) fn on_signal(&mut self, signal: Signal) {
        const GRACE: Duration = Duration::from_secs(1);
        self.more = false;
        self.waiting.forget_all();
        self.done.signal = Some(signal);
        let again = self.ending.is_some();
        self.ending = Some((signal, self.now + GRACE));
        for number in self.slots.numbers() {
            let phase = self.slots.get(number).map(|exchange| exchange.phase);
            match phase {
                Some(Phase::Opening) => self.abort(number, Outcome::Interrupted(signal)),
                Some(Phase::Waiting) if !again => self.follow(number),
                Some(Phase::Waiting | Phase::Closing) if again => {
                    self.abort(number, Outcome::Interrupted(signal));
                }
                Some(Phase::Waiting | Phase::Closing | Phase::Lingering) | None => {}
            }
        }
    }
}
