//! What others have recorded: captures in pcap and pcapng, and our own JSON.
//!
//! ```text
//! pcap, pcapng ─► file ─► link ─► packet::captured ─► table: which connection, who sends
//!                 frames   packets     segments           └─► tracing ─► infer::Watch ─► steps
//!
//! JSON ─► recording: exchanges, as they were told ─► steps
//! ```
//!
//! A capture is read as it comes and never held: once for the [`table`](Table) of its connections, once more for the
//! steps of one. Files are hostile: every length is bounded, and what cannot be read is counted and passed over.

mod buffer;
mod error;
mod file;
mod link;
mod pcapng;
mod recording;
mod table;
mod tracing;

pub use error::CaptureError;
pub use file::{Packet, Packets};
pub use table::{Content, Contents, MOST_CONNECTIONS, PassedOver, Placed, Table, survey};
pub use tracing::{Perspective, Told, TraceError, trace};
