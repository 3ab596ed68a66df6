//! Why a packet could not be read.

/// A packet that breaks the rules of its protocol, or uses what we do not read. Such a packet changes
/// nothing; the ladder shows it with this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer octets than the header needs.
    #[error("{layer}: {need} octets needed, {have} there")]
    Truncated {
        /// Whose header.
        layer: &'static str,
        /// Octets needed.
        need: usize,
        /// Octets there.
        have: usize,
    },
    /// Neither 4 nor 6.
    #[error("ip version {0}")]
    Version(u8),
    /// A header length below the fixed part of the header.
    #[error("{layer}: header length says {octets} octets, the least is {least}")]
    HeaderLength {
        /// Whose header.
        layer: &'static str,
        /// What the header says.
        octets: usize,
        /// The fixed part.
        least: usize,
    },
    /// The checksum does not verify.
    #[error("{layer}: checksum 0x{found:04x} is wrong")]
    Checksum {
        /// Whose checksum.
        layer: &'static str,
        /// The checksum in the header.
        found: u16,
    },
    /// A piece of a packet. The kernel reassembles for itself; we do not.
    #[error("a fragment, ignored")]
    Fragment,
    /// Loose or strict source routing, which hosts drop (RFC 7126 section 4.3).
    #[error("ip: source routed, dropped as hosts do")]
    SourceRoute,
    /// More extension headers than anybody needs.
    #[error("ipv6: more than {0} extension headers")]
    ExtensionHeaders(usize),
    /// A recording does not tell what was wrong with it.
    #[error("what was wrong with it is not known any more")]
    Untold,
    /// An ICMP message that does not quote a TCP segment we could match.
    #[error("icmp: the quoted packet is cut short or not tcp")]
    Quote,
}
