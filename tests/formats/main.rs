//! Every way to write an exchange down, for one exchange that is always the same: as it is kept in `tests/snapshots`,
//! and telling the same numbers as all others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs the program it tests"
)]

mod files;
mod hostile;
mod numbers;
mod picture;
mod snapshots;
mod written;
