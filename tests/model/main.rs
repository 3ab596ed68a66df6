//! The shipping machine, explored: every world that two of it and a bad channel can reach, and every law in each.
//!
//! There is no model beside the code. A world is two [`Tcb`](tcpshake::tcp::Tcb)s, or two
//! [`Stream`](tcpshake::tcp::Stream)s, and the segments under way between them; what can happen next is each call a user
//! may make, each timer, and each segment's arriving, in any order, being lost or doubled. `search` goes through all
//! worlds breadth first, so that the first law broken is told by the shortest way there. `laws` are safety, `fairness` is
//! liveness, `variants` are the scenarios.
//!
//! # What is covered
//!
//! * Two ends with an octet each way, up to three segments under way, every call in every state, each timer at any
//!   moment, R2 after one repetition; client and server, simultaneous opens, passive opens that turn active.
//! * The same with one of: a RST, SYN or ACK of a stranger who knows the numbers, nearly knows them or does not; a
//!   doubled segment; an end that aborts or falls silent; connections that follow each other between the same ends
//!   while segments of the one before are still under way; timestamps; a receiver whose window is closed and opened.
//! * Which of these come together, and how many segments are then under way, is in `variants`: all at once with text and
//!   three segments is too much for any machine.
//!
//! What is not: windows and texts of more than two octets, more than one repetition, fast retransmission and tail loss
//! probes. Random `walks` of two ends go there, under the same laws, with segments spoiled on their way, and `random`
//! does whatever it likes to one end, in time that passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a law names the states it is about")]
#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod fairness;
mod forgery;
mod laws;
mod machine;
mod random;
mod scenario;
mod search;
mod seen;
mod tale;
mod variants;
mod walks;
mod world;
