//! The player, played with: what is wrong in a file, or in what it expects, must be told as what it is.

/// Names and tests.
pub(crate) const TESTS: &[(&str, fn())] = &[];
