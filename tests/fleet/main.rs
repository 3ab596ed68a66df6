//! A fleet of exchanges against a simulated crowd, in virtual time: what it promises, whatever the network and the
//! peers do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and says with which seed"
)]

mod edges;
mod forged;
mod harness;
mod limits;
mod losses;
mod network;
mod packets;
mod peers;
mod ports;
mod random;
mod replays;
mod signals;
#[path = "../smoltcp_device/mod.rs"]
mod smoltcp_device;
mod smoltcp_peer;
mod strays;
mod tasks;
mod verdicts;
mod wire;
mod world;
