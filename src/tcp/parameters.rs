//! What a connection is made with, and by whom.

use std::time::Duration;

use super::offer::Offer;
use super::seq::{Mss, WindowScale, WindowSize};

/// What a connection is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The MSS we announce and never exceed: the interface's MTU less 40 (IPv4) or 60 (IPv6) (MUST-67).
    pub mss: Mss,
    /// The MSS of a peer that announces none (MUST-15).
    pub default_peer_mss: Mss,
    /// The receive window we offer; more than 65,535 needs the peer to accept window scaling.
    pub window: WindowSize,
    /// What our SYN offers.
    pub offer: Offer,
    /// The shift for our window, if it is offered; otherwise the smallest with which the window fits.
    pub window_scale: Option<WindowScale>,
    /// How often to send again, a SYN (MUST-22) or any other segment (MUST-20): R2. RFC 9293 would try for a hundred
    /// seconds (SHLD-11); by default we give up after fifteen, for a check wants to know sooner. R1 is one: whatever is
    /// sent again is told, from the first time on (SHLD-9, SHLD-10).
    pub retries: Retries,
    /// MSL: how long a segment may live in the network. RFC 9293 section 3.4.2 says two minutes. Who closes first
    /// waits twice that in TIME-WAIT (MUST-13).
    pub msl: Duration,
}

impl Parameters {
    /// Two minutes (RFC 9293 section 3.4.2).
    pub const MSL: Duration = Duration::from_secs(120);
    /// The window everyday hosts announce on an Ethernet: 44 segments of 1460 octets.
    pub const WINDOW: u32 = 64_240;
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            mss: Mss::DEFAULT_IPV4,
            default_peer_mss: Mss::DEFAULT_IPV4,
            window: WindowSize::new(Self::WINDOW),
            offer: Offer::USUAL,
            window_scale: None,
            retries: Retries::AtMost(3),
            msl: Self::MSL,
        }
    }
}

/// How often an unanswered segment is sent again before the connection is given up: R2 of RFC 9293 section 3.8.3. The
/// advice to IP that R1 calls for, to look for another route, cannot be given from a raw socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retries {
    /// This many times: six make two minutes, seven the three of MUST-23.
    AtMost(u8),
    /// Until the user's patience ends (MUST-21: R2 may be infinite).
    Unlimited,
}

/// Who asked for the connection: decides where a RST in SYN-RECEIVED leads (MUST-11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Our user, with an active OPEN.
    #[default]
    Active,
    /// The peer: our user waits with a passive OPEN.
    Passive,
    /// The peer, whose SYN is answered in two segments, an ACK and a SYN of our own: to it that is a
    /// simultaneous open.
    Split,
}
