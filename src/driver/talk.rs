//! What is said in an exchange, and who hears what the peer says.

/// One side of a conversation. It must not wait: the next segment does.
pub trait Talk {
    /// What to say next, no more than `most` octets of it.
    fn say(&mut self, most: usize) -> Say;

    /// Takes text that came in order; yields how much of it. What is not taken is offered again, and meanwhile
    /// closes the peer's window.
    fn hear(&mut self, text: &[u8]) -> usize;

    /// Takes all that is left once the connection has ended: no more than our window was.
    fn hear_rest(&mut self, text: &[u8]) {
        self.hear(text);
    }

    /// The peer has no more to say.
    fn peer_is_done(&mut self) {}

    /// Whether all has come that is waited for before we close.
    fn has_heard_enough(&self) -> bool;

    /// What is expected, in words; `None` if nothing is.
    fn expectation(&self) -> Option<String> {
        None
    }

    /// The user's patience is over. Whether to close as planned, with what has come, instead of giving up.
    fn makes_do(&mut self) -> bool {
        false
    }

    /// Whether what was heard is what was expected; `None` if nothing was.
    fn is_as_expected(&self) -> Option<bool> {
        None
    }

    /// What went wrong on this machine with what is said or heard: the exchange is closed, and this reported. Once it
    /// has gone wrong it stays so.
    fn trouble(&mut self) -> Option<String> {
        None
    }
}

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// This, never empty.
    Text(Vec<u8>),
    /// Nothing yet: more will come.
    Later,
    /// Nothing any more.
    Done,
}

/// Says one text, and waits for so many octets.
#[derive(Clone, Debug, Default)]
pub struct Recital<T = Vec<u8>> {
    text: T,
    said: usize,
    awaited: u64,
}

impl<T> Recital<T> {
    /// Says `text`, and waits for `awaited` octets of answer.
    pub const fn new(text: T, awaited: u64) -> Self {
        Self { text, said: 0, awaited }
    }
}

impl<T: AsRef<[u8]>> Talk for Recital<T> {
    fn say(&mut self, most: usize) -> Say {
        let rest = self.text.as_ref().get(self.said..).unwrap_or_default();
        let next = rest.get(..most.min(rest.len())).unwrap_or_default();
        self.said += next.len();
        match (rest, next) {
            ([], _) => Say::Done,
            (_, []) => Say::Later,
            (_, next) => Say::Text(next.to_vec()),
        }
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        self.awaited = self.awaited.saturating_sub(text.len() as u64);
        text.len()
    }

    fn has_heard_enough(&self) -> bool {
        self.awaited == 0
    }
}

impl<T: Talk + ?Sized> Talk for &mut T {
    fn say(&mut self, most: usize) -> Say {
        (**self).say(most)
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        (**self).hear(text)
    }

    fn hear_rest(&mut self, text: &[u8]) {
        (**self).hear_rest(text);
    }

    fn peer_is_done(&mut self) {
        (**self).peer_is_done();
    }

    fn has_heard_enough(&self) -> bool {
        (**self).has_heard_enough()
    }

    fn expectation(&self) -> Option<String> {
        (**self).expectation()
    }

    fn makes_do(&mut self) -> bool {
        (**self).makes_do()
    }

    fn is_as_expected(&self) -> Option<bool> {
        (**self).is_as_expected()
    }

    fn trouble(&mut self) -> Option<String> {
        (**self).trouble()
    }
}
