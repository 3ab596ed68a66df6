//! What `connect` says and hears: text from a source, to a sink, held against what was asked for.

use regex::bytes::Regex;

use super::args::{DataArgs, Until};
use super::sink::Sink;
use super::source::Source;
use crate::driver::{Say, Talk};

/// Patterns are looked for in no more than the first octets that come: memory has an end, a peer's text need not.
const SEARCHED: usize = 1 << 20;

/// One side of one exchange.
pub(super) struct Conversation<'c> {
    source: Source,
    sink: Option<&'c Sink>,
    expected: Option<&'c Regex>,
    awaited: Option<&'c Until>,
    /// The beginning of what came, if a pattern wants it.
    beginning: Vec<u8>,
    heard: u64,
    matched: bool,
    /// What was expected has not come in time.
    has_waited: bool,
}

impl<'c> Conversation<'c> {
    pub(super) fn new(source: Source, sink: Option<&'c Sink>, args: &'c DataArgs) -> Self {
        let (expected, awaited) = (args.expect.as_ref(), args.until.as_ref());
        Self {
            source,
            sink,
            expected,
            awaited,
            beginning: Vec::new(),
            heard: 0,
            matched: false,
            has_waited: false,
        }
    }

    fn note(&mut self, text: &[u8]) {
        self.heard += text.len() as u64;
        let room = SEARCHED.saturating_sub(self.beginning.len()).min(text.len());
        if room == 0 || !(self.expected.is_some() || matches!(self.awaited, Some(Until::Match(_)))) {
            return;
        }
        self.beginning.extend_from_slice(text.get(..room).unwrap_or_default());
        let pattern = match self.awaited {
            Some(Until::Match(pattern)) => Some(pattern),
            None => self.expected,
            Some(Until::Octets(_) | Until::Fin) => None,
        };
        self.matched = self.matched || pattern.is_some_and(|pattern| pattern.is_match(&self.beginning));
    }
}

impl Talk for Conversation<'_> {
    fn say(&mut self, most: usize) -> Say {
        self.source.say(most)
    }

    fn hear(&mut self, text: &[u8]) -> usize {
        let taken = self.sink.map_or(text.len(), |sink| sink.put(text));
        self.note(text.get(..taken).unwrap_or_default());
        taken
    }

    fn hear_rest(&mut self, text: &[u8]) {
        if let Some(sink) = self.sink {
            sink.put_rest(text);
        }
        self.note(text);
    }

    fn has_heard_enough(&self) -> bool {
        match self.awaited {
            None => self.expected.is_none() || self.matched || self.has_waited,
            Some(Until::Octets(octets)) => self.heard >= *octets,
            Some(Until::Match(_)) => self.matched,
            Some(Until::Fin) => false, // with the peer's FIN there is nothing to wait for any more
        }
    }

    fn makes_do(&mut self) -> bool {
        let waits = self.awaited.is_none() && self.expected.is_some() && !self.has_waited;
        self.has_waited |= waits;
        waits
    }

    fn expectation(&self) -> Option<String> {
        self.expected.map(|pattern| pattern.as_str().to_owned())
    }

    fn is_as_expected(&self) -> Option<bool> {
        self.expected.map(|pattern| pattern.is_match(&self.beginning))
    }

    fn trouble(&mut self) -> Option<String> {
        self.source.error().or_else(|| self.sink.and_then(Sink::error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(expect: Option<&str>, until: Option<&str>) -> DataArgs {
        DataArgs {
            send: None,
            output: None,
            expect: expect.map(|pattern| Regex::new(pattern).unwrap()),
            until: until.map(|until| until.parse().unwrap()),
            half_close: false,
            wait_after_open: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn a_pattern_may_lie_across_what_comes() {
        let args = args(Some("^220.*\r\n$"), Some("rea?dy"));
        let mut talk = Conversation::new(Source::default(), None, &args);
        assert_eq!((talk.has_heard_enough(), talk.is_as_expected()), (false, Some(false)));
        assert_eq!(talk.hear(b"220 re"), 6);
        assert!(!talk.has_heard_enough());
        talk.hear(b"ady");
        assert_eq!((talk.has_heard_enough(), talk.is_as_expected()), (true, Some(false)));
        talk.hear(b"\r\n");
        assert_eq!((talk.has_heard_enough(), talk.is_as_expected()), (true, Some(true)));
    }

    #[test]
    fn octets_are_counted() {
        let args = args(None, Some("5"));
        let mut talk = Conversation::new(Source::default(), None, &args);
        talk.hear(b"1234");
        assert!(!talk.has_heard_enough());
        talk.hear(b"5");
        assert!(talk.has_heard_enough());
        assert_eq!((talk.is_as_expected(), talk.beginning.len()), (None, 0), "nothing is kept for nobody");
    }

    #[test]
    fn no_more_than_the_beginning_is_kept() {
        let args = args(Some("end"), None);
        let mut talk = Conversation::new(Source::default(), None, &args);
        (0..400).for_each(|_| assert_eq!(talk.hear(&[b'x'; 3_000]), 3_000));
        talk.hear(b"end");
        assert_eq!((talk.beginning.len(), talk.is_as_expected()), (SEARCHED, Some(false)));
    }
}
