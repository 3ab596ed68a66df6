//! What this process may do, and how it gives that up.

use std::io;
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};

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

/// Starts a thread that has given up all it could by the time this returns.
pub fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let (done, is_done) = channel();
    let given_up_first = move || {
        let _ = done.send(give_up());
        work()
    };
    let thread = Builder::new().name(name.to_owned()).spawn(given_up_first)?;
    is_done.recv().map_err(io::Error::other)??;
    Ok(thread)
}

/// Whether the calling thread has a capability in force.
pub fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

pub use caps::Capability as Privilege;
