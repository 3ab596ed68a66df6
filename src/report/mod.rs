//! From [`record`](crate::record) to text: a format is a pure function of what happened, one file each.
//!
//! Nothing here knows a socket, a control block, the clock or standard output.

pub mod agreed;
pub mod canvas;
pub mod check;
pub mod connections;
mod header;
pub mod hex;
pub mod json;
pub mod ladder;
pub mod mermaid;
pub mod page;
pub mod pcapng;
mod rungs;
pub mod sending;
pub mod svg;
pub mod text;
pub mod verdict;
mod words;

use crate::record::connection::Connection;
use crate::record::{Listening, Negotiation, Opening, Served, Statistics, Step, Summary};

/// A way to write an exchange down. Each call appends to `out`, whole lines only.
pub trait Format: Send {
    /// The number of the exchange that comes next, in case it cannot begin.
    fn number(&mut self, _number: u32) {}
    /// What comes is about this.
    fn words(&mut self, _title: &str, _paragraphs: &[&str], _out: &mut String) {}
    /// A service waits for clients.
    fn listening(&mut self, _listening: &Listening, _out: &mut String) {}
    /// An exchange begins.
    fn begin(&mut self, opening: &Opening, out: &mut String);
    /// Something happened.
    fn step(&mut self, step: &Step, out: &mut String);
    /// It is open: this was agreed on.
    fn opened(&mut self, _negotiation: &Negotiation, _out: &mut String) {}
    /// The verdict.
    fn end(&mut self, summary: &Summary, out: &mut String);
    /// What a connection of others came to; its steps are told.
    fn connection(&mut self, _connection: &Connection, _out: &mut String) {}
    /// A run of several exchanges is over.
    fn statistics(&mut self, statistics: &Statistics, out: &mut String);
    /// A service is over.
    fn served(&mut self, served: &Served, out: &mut String);
    /// The exchange could not be carried on, for a reason on this machine.
    fn failed(&mut self, error: &str, out: &mut String);
}
