//! The state machine against RFC 9293 section 3.10, written from its text and the scenarios drawn from it.
//!
//! One file per state holds a table of segments; a row names what comes in, the state it leads to, what goes
//! out and the rule that decides. Numbers are relative to the sender's initial one, as packet traces have
//! them, and every row runs with both initial numbers at each edge of the sequence space. `matrix`
//! generates what the tables leave out, and asks `oracle`; `exchanges` lets two connections talk to each other.
//! `reached` sees that every rule decides something, `left_out` shows what is done instead of what is not offered, and
//! `coverage` keeps the page that says where each requirement is met.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::wildcard_imports,
    reason = "a row names the states it is about; the helpers are the language the tables are written in"
)]
#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod calls;
mod close_wait;
mod closed;
mod closing;
mod coverage;
mod ecn;
mod established;
mod exchanges;
mod fin_wait_1;
mod fin_wait_2;
mod last_ack;
mod left_out;
mod listen;
mod losses;
mod matrix;
mod oracle;
mod positions;
mod probes;
mod reached;
mod states;
mod support;
mod syn_received;
mod syn_sent;
mod time_wait;
mod timers;
mod windows;
mod world;
