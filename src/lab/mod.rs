//! Private networks: two hosts and a cable between them, for the demo and the tests. Nothing of it can
//! be seen from outside, and nothing is left when the process ends.
//!
//! `unshare` acts on a thread, so the far host is a thread with a network namespace of its own. A socket
//! belongs to the namespace it was made in, whoever uses it: only making it must happen over there, and
//! [`FarHost::run`] does that.

pub mod actor;
mod far;
pub mod kernel;
mod link;
mod namespace;
pub mod server;
pub mod simulated;
pub mod stage;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use far::FarHost;
pub use link::{Address, LINK, cable, configure, loopback_up};
pub use namespace::{LabError, enter_private, restriction, unshare_network};

/// Our address in the lab.
pub const NEAR_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The far host's address.
pub const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// Our address in the lab.
pub const NEAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
/// The far host's address.
pub const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2);

/// The calling thread's namespace joined to a far host's by a cable, both configured.
#[derive(Debug)]
pub struct Lab {
    /// The host at the other end.
    pub far: FarHost,
}

impl Lab {
    /// Builds the network around the calling thread, which must be in a private namespace already: see
    /// [`enter_private`] and [`unshare_network`].
    pub fn build() -> Result<Self, LabError> {
        let build = || -> io::Result<Self> {
            loopback_up()?;
            let far = FarHost::start()?;
            cable(LINK, far.namespace())?;
            configure(LINK, &addresses(NEAR_V4, NEAR_V6))?;
            far.run(|| {
                loopback_up()?;
                configure(LINK, &addresses(FAR_V4, FAR_V6))
            })?;
            Ok(Self { far })
        };
        build().map_err(|error| LabError::new("build a private network", error))
    }
}

fn addresses(v4: Ipv4Addr, v6: Ipv6Addr) -> [Address; 2] {
    [Address { ip: IpAddr::V4(v4), prefix_len: 24 }, Address { ip: IpAddr::V6(v6), prefix_len: 64 }]
}
