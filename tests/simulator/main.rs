//! Whole exchanges in the process, by the driver that ships, in virtual time: against ourselves, and against smoltcp,
//! a TCP that nobody here wrote; in fair weather and in bad.
//!
//! What a seed has found is run alone by `TCPSHAKE_SEED=… cargo test --test simulator …`, as the failure says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and says with which seed"
)]
#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod alone;
mod exchange;
mod exchanges;
mod figures;
mod judge;
mod log;
mod memory;
mod ours;
#[allow(dead_code, reason = "who has the text itself compares with that")]
#[path = "../transfer/pattern.rs"]
mod pattern;
mod seed;
#[path = "../smoltcp_device/mod.rs"]
mod smoltcp_device;
mod stranger;
mod strangers;
mod weather;
