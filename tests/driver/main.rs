//! The driver against peers that follow a script, in virtual time: every phase, every kind of event, and
//! the verdict it must lead to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::match_bool,
    clippy::unnecessary_wraps,
    reason = "a test may panic"
)]

mod acknowledging;
#[path = "../hostile/mod.rs"]
mod enemies;
mod hostile;
mod numbers;
mod script;
mod sending;
mod talks;
mod trouble;
mod verdicts;
