//! The weather that exchanges are to live through, and where the ends are.

use std::net::Ipv4Addr;
use std::time::Duration;

use tcpshake::lab::NEAR_V4;
use tcpshake::wire::faulty::Climate;

/// Our end.
pub const LOCAL: (Ipv4Addr, u16) = (NEAR_V4, 40_000);
/// The peer's port.
pub const PORT: u16 = 7;

/// B-14: of ten packets three are lost and one comes twice, in an order of its own within a window of four; and of a
/// hundred one is spoilt.
pub fn rough() -> Climate {
    Climate {
        lost: 300,
        doubled: 100,
        spoilt: 10,
        window: 4,
        waits: Duration::from_millis(50),
        delay: Duration::ZERO,
        jitter: Duration::from_millis(20),
    }
}

/// Nothing happens to anybody.
pub fn fair() -> Climate {
    Climate::default()
}
