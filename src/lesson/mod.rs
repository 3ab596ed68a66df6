//! The words: what each scenario is about, and what each step means, said plainly, with its own numbers.

pub mod fields;
mod scenarios;
mod sentence;

pub use scenarios::Scenario;
pub use sentence::{as_sentence, sentence};
