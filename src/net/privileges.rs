//! What this process may do, and how it gives that up.

use std::io;

use caps::{CapSet, Capability};
use nix::sys::prctl;

/// Gives up every capability of the calling thread, and the way to get any back: what it starts from here on
/// can gain none either. Each thread does it for itself; those started later have none to give up.
pub fn give_up() -> io::Result<()> {
    prctl::set_no_new_privs()?;
    for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        caps::clear(None, set).map_err(io::Error::other)?;
    }
    Ok(()) // the ambient set never holds what the permitted one does not
}

/// Whether the calling thread has a capability in force.
pub fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

pub use caps::Capability as Privilege;
