//! placeholder
pub mod tcp;
pub mod time;
