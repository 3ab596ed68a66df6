//! placeholder
pub mod net;
pub mod packet;
pub mod tcp;
pub mod time;
pub mod wire;
pub mod guard;
