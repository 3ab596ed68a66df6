//! What `listen` tells its clients.

use std::sync::Arc;

use crate::driver::{Recital, Say, Talk};

/// What every client is told.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// What it says itself.
    Echo(End),
    /// This, once it has said something or has nothing to say.
    Respond(Recital<Arc<[u8]>>),
    /// Nothing.
    Discard,
}

/// When an echo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// When the client has no more to say.
    WithClient,
    /// After the first that it has said.
    AfterFirst,
}

/// The talk with one client.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    answer: Answer,
    /// What is to be sent back.
    queue: Vec<u8>,
    has_heard: bool,
    client_is_done: bool,
}

/// An echo that is not taken keeps no more than this.
const MOST_QUEUED: usize = 64 * 1024;

impl Answering {
    pub(super) const fn new(answer: Answer) -> Self {
        Self { answer, queue: Vec::new(), has_heard: false, client_is_done: false }
    }

    fn echo(&mut self, end: End, most: usize) -> Say {
        if !self.queue.is_empty() {
            let rest = self.queue.split_off(most.min(self.queue.len()));
            return Say::Text(std::mem::replace(&mut self.queue, rest));
        }
        let is_over = self.client_is_done || (end == End::AfterFirst && self.has_heard);
        if is_over { Say::Done } else { Say::Later }
    }
}

impl Talk for Answering {
    fn say(&mut self, most: usize) -> Say {
        match self.answer {
            Answer::Echo(end) => self.echo(end, most),
            Answer::Respond(_) if !self.has_heard && !self.client_is_done => Say::Later,
            Answer::Respond(ref mut response) => response.say(most),
            Answer::Discard => Say::Done,
        }
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        self.has_heard = true;
        let Answer::Echo(_) = self.answer else { return text.len() };
        let taken =
            text.get(..MOST_QUEUED.saturating_sub(self.queue.len()).min(text.len())).unwrap_or_default();
        self.queue.extend_from_slice(taken);
        taken.len()
    }

    fn peer_is_done(&mut self) {
        self.client_is_done = true;
    }

    fn has_heard_enough(&self) -> bool {
        match &self.answer {
            Answer::Echo(_) | Answer::Respond(_) => self.has_heard || self.client_is_done,
            Answer::Discard => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(answering: &mut Answering, most: usize) -> Vec<Vec<u8>> {
        let say = || match answering.say(most) {
            Say::Text(text) => Some(text),
            Say::Later | Say::Done => None,
        };
        std::iter::from_fn(say).collect()
    }

    #[test]
    fn an_echo_gives_back_what_it_took_and_takes_no_more_than_it_can_keep() {
        let mut echo = Answering::new(Answer::Echo(End::WithClient));
        assert_eq!(echo.say(10), Say::Later);
        assert_eq!(echo.hear(b"hello"), 5);
        assert_eq!(texts(&mut echo, 2), [b"he".to_vec(), b"ll".to_vec(), b"o".to_vec()]);
        let endless = vec![b'x'; MOST_QUEUED * 2];
        assert_eq!(echo.hear(&endless), MOST_QUEUED);
        assert_eq!(echo.hear(b"more"), 0);
        assert_eq!(texts(&mut echo, usize::MAX).concat().len(), MOST_QUEUED);
        echo.peer_is_done();
        assert_eq!(echo.say(10), Say::Done);
    }

    #[test]
    fn a_response_waits_for_a_word_or_for_silence() {
        fn speak(answering: &mut Answering) {
            assert_eq!(answering.hear(b"GET"), 3);
        }
        for wake in [speak, Answering::peer_is_done] {
            let mut respond = Answering::new(Answer::Respond(Recital::new(b"200".as_slice().into(), 0)));
            assert_eq!(respond.say(10), Say::Later);
            wake(&mut respond);
            assert_eq!(texts(&mut respond, 2), [b"20".to_vec(), b"0".to_vec()]);
            assert_eq!(respond.say(10), Say::Done);
        }
    }
}
