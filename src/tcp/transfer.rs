//! What a connection that carries text needs beside its control block.

use super::congestion::{Congestion, Flight};
use super::options::{OptionsBuilder, SackBlocks};
use super::ranges::{Range, Ranges};
use super::seq::SeqNum;
use super::tcb::Tcb;

/// The congestion state, and what has arrived behind a gap: numbers only, the octets are kept by their owner.
///
/// A [`Tcb`] alone makes do with [`small`](Self::small), and pays nothing for what only text needs.
#[derive(Clone, Debug, Hash)]
pub(super) struct Transfer {
    pub(super) congestion: Congestion,
    /// What was received beyond RCV.NXT.
    pub(super) held: Ranges,
    /// A number in each of the ranges told of most recently, the latest first.
    told: Vec<SeqNum>,
    /// Where a FIN stands that came before the text in front of it.
    pub(super) held_fin: Option<SeqNum>,
    /// Whether small text waits for the acknowledgment of what is under way.
    pub(super) nagle: Nagle,
    /// Whether our user takes text as fast as it comes.
    pub(super) reader: Reader,
}

/// Nagle's algorithm (RFC 9293 section 3.7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Nagle {
    /// A short segment waits while anything is under way (SHLD-7).
    #[default]
    On,
    /// It leaves at once (MUST-17).
    Off,
}

/// Our user, as receiver of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    /// Takes all there is: the window moves on with RCV.NXT.
    #[default]
    KeepsUp,
    /// Has not taken what came before: the window's right edge stays where it is.
    IsBehind,
}

impl Transfer {
    /// Ranges kept beyond a gap; what would be one more is dropped, as if it had been lost.
    const MOST_HELD: usize = 64;
    /// The least of the initial windows that RFC 5681 section 3.1 allows for every segment size in use.
    const SMALL: u32 = 3;

    pub(super) fn new(nagle: Nagle) -> Self {
        Self {
            congestion: Congestion::new(),
            held: Ranges::at_most(Self::MOST_HELD),
            told: Vec::new(),
            held_fin: None,
            nagle,
            reader: Reader::KeepsUp,
        }
    }

    /// For a block without anything beside it: three segments may be under way, and text behind a gap is not kept.
    pub(super) fn small(tcb: &Tcb) -> Self {
        Self {
            congestion: Congestion::fixed(Self::SMALL * tcb.effective_mss()),
            held: Ranges::at_most(0),
            told: Vec::new(),
            held_fin: None,
            nagle: Nagle::Off,
            reader: Reader::KeepsUp,
        }
    }

    /// Keeps the numbers of text behind a gap; `false` if it cannot.
    pub(super) fn hold(&mut self, start: SeqNum, len: u32) -> bool {
        let end = start + len;
        let end = self.held_fin.filter(|fin| fin.before(end)).unwrap_or(end);
        Range::new(start, end).is_some_and(|range| self.held.insert(range))
    }

    /// Moves on over what is held from `nxt` on; yields how much that is.
    pub(super) fn release(&mut self, nxt: SeqNum) -> u32 {
        let len = self.held.holding(nxt).map_or(0, |range| (range.end - nxt) as u32);
        self.held.remove_before(nxt + len);
        len
    }

    /// The SACK option for an acknowledgment: the range that the latest segment belongs to first, then those told
    /// of most recently, so that each is told several times (RFC 2018 section 4).
    pub(super) fn report(&mut self, latest: SeqNum, options: OptionsBuilder) -> OptionsBuilder {
        let held = &self.held;
        if let Some(first) = held.holding(latest) {
            self.told.retain(|number| held.holding(*number).is_some_and(|range| range != first));
            self.told.insert(0, latest);
            self.told.truncate(SackBlocks::MOST);
        }
        let told = self.told.iter().filter_map(|number| held.holding(*number));
        let is_told = |range: &Range| self.told.iter().any(|number| held.holding(*number) == Some(*range));
        let blocks = told.chain(held.iter().filter(|range| !is_told(range)));
        options.push_sack(blocks.map(|range| (range.start, range.end))).unwrap_or(options)
    }
}

impl Tcb {
    pub(super) fn flight(&self) -> Flight {
        Flight { una: self.snd.una, nxt: self.snd.nxt }
    }
}
