//! What the fuzz targets share: how octets become events, and what must hold after each.
//!
//! ```text
//! libFuzzer ─► octets ─► packet      packet::parse, emit, parse; captures
//!                    ├─► segments    one Stream brought into a state, then segments, calls, timeouts
//!                    └─► machines    two Streams, and a scheduler that loses, doubles, reorders, forges
//!                                        └─► subject ─► laws
//! ```
//!
//! `fuzz/run TARGET` builds and runs one.

pub mod arriving;
pub mod laws;
pub mod octets;
pub mod pair;
pub mod pattern;
pub mod start;
pub mod subject;
pub mod tally;
