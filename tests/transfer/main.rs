//! Transfers of text against RFC 9293, 5681, 6298, 6582, 6675, 6928, 7323 and 2018, written from their text
//! and the scenarios drawn from it.
//!
//! Two kinds of test: `world` lets two streams talk over a link with a rate, a queue and losses; `rig` puts one
//! stream opposite a scripted peer, numbers relative to the initial ones. Everything happens in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::wildcard_imports, reason = "the helpers are the language the tests are written in")]
#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod arbitrary;
mod bulk;
mod congestion;
mod on_syn;
mod pattern;
mod probes;
mod reassembly;
mod recovery;
mod rig;
mod sender;
mod timestamps;
mod window;
mod world;
