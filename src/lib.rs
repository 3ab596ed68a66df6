//! placeholder
pub mod cli;
pub mod driver;
pub mod guard;
pub mod lab;
pub mod lesson;
pub mod net;
pub mod packet;
pub mod record;
pub mod report;
pub mod tcp;
pub mod time;
pub mod wire;
