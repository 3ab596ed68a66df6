//! `draw`: captures that the tests write, and what is told of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs the program it tests"
)]

mod captures;
mod command;
mod hostile;
mod inference;
mod recording;
mod remarks;
mod support;
mod tshark;
mod variables;
