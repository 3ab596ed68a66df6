//! placeholder
pub mod packet;
pub mod tcp;
pub mod time;
