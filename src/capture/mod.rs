//! What others have recorded: captures in pcap and pcapng, and our own JSON.
//!
//! ```text
//! file ─► packets ─► link ─► packet::captured ─► table ─► which connection, who sends
//!    records, one at a    IP packets     segments                │
//!    time                                                       └─► tracing ─► infer::Watch ─► steps
//! recording: lines of JSON ─► exchanges, as they were told
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
pub use tracing::{From, Told, TraceError, trace};
