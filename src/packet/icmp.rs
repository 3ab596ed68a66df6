//! ICMP (RFC 792) and ICMPv6 (RFC 4443) errors that quote a segment of ours.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::checksum::Sum;
use super::error::DecodeError;
use super::ip::{self, Addresses, IpPacket, Protocol};
use crate::tcp::SeqNum;

/// An error message of a router or host, and the segment it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Which of the two protocols numbers `kind` and `code`.
    pub version: IcmpVersion,
    /// The type field.
    pub kind: u8,
    /// The code field.
    pub code: u8,
    /// Who sent it.
    pub from: IpAddr,
    /// The quoted segment's sender, so one of ours.
    pub local: SocketAddr,
    /// Where the quoted segment was to go.
    pub remote: SocketAddr,
    /// The quoted segment's sequence number.
    pub seq: SeqNum,
    /// Of a packet that was too large: what the next link has room for, within what hosts believe.
    pub mtu: Option<u32>,
}

/// The two number spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpVersion {
    /// RFC 792.
    V4,
    /// RFC 4443.
    V6,
}

/// What an error means for a connection that is not open yet; once it is open, none may end it (RFC 5927).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nobody is going to answer: stop trying (SHLD-26; administrative prohibition too, as hosts do).
    Hard,
    /// It may pass: report, keep trying (MUST-56).
    Soft,
    /// To be discarded silently (MUST-55).
    Ignored,
}

/// Reads an ICMP error, for the connection it quotes (MUST-54). `Ok(None)` for a message that is no error; `Err` for one that is malformed or
/// quotes too little to say whom it concerns.
pub fn parse(packet: &IpPacket<'_>) -> Result<Option<IcmpError>, DecodeError> {
    let layer = "icmp";
    let have = packet.payload.len();
    let &[kind, code, c0, c1, m0, m1, m2, m3] =
        packet.payload.first_chunk::<8>().ok_or(DecodeError::Truncated { layer, need: 8, have })?;
    let (version, sum) = match packet.protocol {
        Protocol::Icmp => (IcmpVersion::V4, Sum::default()),
        Protocol::Icmpv6 => (IcmpVersion::V6, Sum::default().pseudo_header(packet.addresses, 58, have)),
        Protocol::Tcp | Protocol::Other(_) => return Ok(None),
    };
    if !is_error(version, kind) {
        return Ok(None);
    }
    if !sum.octets(packet.payload).verifies() {
        return Err(DecodeError::Checksum { layer, found: u16::from_be_bytes([c0, c1]) });
    }
    let octets = packet.payload.get(8..).unwrap_or_default();
    let quoted = ip::parse_quoted(octets)?;
    let same_family = matches!(
        (version, quoted.addresses),
        (IcmpVersion::V4, Addresses::V4 { .. }) | (IcmpVersion::V6, Addresses::V6 { .. })
    );
    if quoted.protocol != Protocol::Tcp || !same_family {
        return Err(DecodeError::Quote);
    }
    let &[s0, s1, d0, d1, q0, q1, q2, q3] = quoted.payload.first_chunk::<8>().ok_or(DecodeError::Quote)?;
    Ok(Some(IcmpError {
        version,
        kind,
        code,
        from: packet.addresses.source(),
        local: SocketAddr::new(quoted.addresses.source(), u16::from_be_bytes([s0, s1])),
        remote: SocketAddr::new(quoted.addresses.destination(), u16::from_be_bytes([d0, d1])),
        seq: SeqNum(u32::from_be_bytes([q0, q1, q2, q3])),
        mtu: match (version, kind, code) {
            (IcmpVersion::V4, 3, 4) => mtu_v4(u16::from_be_bytes([m2, m3]), octets),
            (IcmpVersion::V6, 2, _) => mtu_v6(u32::from_be_bytes([m0, m1, m2, m3])),
            _ => None,
        },
    }))
}

/// RFC 1191. Routers from before it say 0: then the next smaller size in use (section 7) than that of the packet
/// quoted. Nothing below 552 is believed, as Linux has it: whoever says so wants us to send crumbs (N-07). Linux lets
/// routers cut up its packets then; ours carry DF, so text does not get through where there is less room.
fn mtu_v4(stated: u16, quoted: &[u8]) -> Option<u32> {
    const LEAST: u32 = 552;
    const IN_USE: [u32; 8] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, LEAST];
    let stated = match stated {
        0 => {
            let len = ip::stated_len(quoted)? as u32;
            IN_USE.into_iter().find(|size| *size < len)?
        }
        stated => u32::from(stated),
    };
    Some(stated.max(LEAST))
}

/// RFC 8201 section 4: every link takes 1280 octets, so what says less is discarded (N-10).
fn mtu_v6(stated: u32) -> Option<u32> {
    const LEAST: u32 = 1280;
    (stated >= LEAST).then_some(stated)
}

const fn is_error(version: IcmpVersion, kind: u8) -> bool {
    match version {
        IcmpVersion::V4 => matches!(kind, 3 | 4 | 11 | 12),
        IcmpVersion::V6 => matches!(kind, 1..=4),
    }
}

impl IcmpError {
    /// How much it says about an open under way.
    pub const fn severity(&self) -> Severity {
        match (self.version, self.kind, self.code) {
            (IcmpVersion::V4, 4, _) => Severity::Ignored,
            (IcmpVersion::V4, 3, 2 | 3 | 9 | 10 | 13) | (IcmpVersion::V6, 1, 1 | 4 | 5 | 6) => Severity::Hard,
            _ => Severity::Soft,
        }
    }

    /// What type and code say, in the words of the RFCs and the IANA registry.
    pub const fn meaning(&self) -> &'static str {
        match (self.version, self.kind, self.code) {
            (IcmpVersion::V4, 3, 0) => "network unreachable",
            (IcmpVersion::V4, 3, 1) => "host unreachable",
            (IcmpVersion::V4, 3, 2) => "protocol unreachable",
            (IcmpVersion::V4, 3, 3) | (IcmpVersion::V6, 1, 4) => "port unreachable",
            (IcmpVersion::V4, 3, 4) => "fragmentation needed",
            (IcmpVersion::V4, 3, 5) => "source route failed",
            (IcmpVersion::V4, 3, 6) => "network unknown",
            (IcmpVersion::V4, 3, 7) => "host unknown",
            (IcmpVersion::V4, 3, 9) => "network administratively prohibited",
            (IcmpVersion::V4, 3, 10) => "host administratively prohibited",
            (IcmpVersion::V4, 3, 11) => "network unreachable for this type of service",
            (IcmpVersion::V4, 3, 12) => "host unreachable for this type of service",
            (IcmpVersion::V4, 3, 13) | (IcmpVersion::V6, 1, 1) => "administratively prohibited",
            (IcmpVersion::V4, 3, _) | (IcmpVersion::V6, 1, _) => "destination unreachable",
            (IcmpVersion::V4, 4, _) => "source quench",
            (IcmpVersion::V4, 11, _) | (IcmpVersion::V6, 3, _) => "time exceeded",
            (IcmpVersion::V4, 12, _) | (IcmpVersion::V6, 4, _) => "parameter problem",
            (IcmpVersion::V6, 2, _) => "packet too big",
            (IcmpVersion::V4 | IcmpVersion::V6, ..) => "error",
        }
    }
}

impl fmt::Display for IcmpError {
    /// `ICMP 3/13 administratively prohibited, from 10.0.0.1`. For IPv6, code 0 to 6 of type 1 that have no
    /// better name are "destination unreachable".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.version {
            IcmpVersion::V4 => "ICMP",
            IcmpVersion::V6 => "ICMPv6",
        };
        write!(f, "{name} {}/{} {}, from {}", self.kind, self.code, self.meaning(), self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const REMOTE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// An ICMP message that quotes an IPv4 header of `words` 32-bit words and `quoted` octets of TCP.
    fn message(kind: u8, code: u8, words: u8, quoted: usize) -> Vec<u8> {
        let mut octets = vec![kind, code, 0, 0, 0, 0, 0, 0];
        let mut ip = vec![0; usize::from(words) * 4];
        ip[0] = 0x40 | words;
        ip[2..4].copy_from_slice(&1000_u16.to_be_bytes());
        ip[9] = 6;
        ip[12..16].copy_from_slice(&LOCAL.octets());
        ip[16..20].copy_from_slice(&REMOTE.octets());
        octets.extend(ip);
        let tcp = [0x9c, 0x40, 0, 80, 0, 0, 0x10, 0xe1, 0, 0, 0, 0];
        octets.extend(&tcp[..quoted]);
        let checksum = Sum::default().octets(&octets).checksum();
        octets[2..4].copy_from_slice(&checksum.to_be_bytes());
        octets
    }

    fn read(payload: &[u8]) -> Result<Option<IcmpError>, DecodeError> {
        let addresses = Addresses::V4 { source: REMOTE, destination: LOCAL };
        parse(&IpPacket { addresses, ttl: 64, tos: 0, protocol: Protocol::Icmp, payload })
    }

    /// MUST-54, N-06: the quote says which segment; IP options in it are skipped; a short quote is refused.
    #[test]
    fn must_54_n06_the_quote_names_the_segment() {
        for words in [5, 6, 15] {
            let error = read(&message(3, 13, words, 8)).unwrap().unwrap();
            assert_eq!(error.local, SocketAddr::from((LOCAL, 40_000)));
            assert_eq!(error.remote, SocketAddr::from((REMOTE, 80)));
            assert_eq!(error.seq, SeqNum(4321));
            assert_eq!(error.to_string(), "ICMP 3/13 administratively prohibited, from 10.0.0.2");
        }
        for quoted in 0..8 {
            assert_eq!(read(&message(3, 13, 5, quoted)), Err(DecodeError::Quote));
        }
    }

    /// MUST-55, MUST-56, SHLD-25, SHLD-26, N-01, N-02, N-03, N-08, N-09.
    #[test]
    fn must_55_must_56_shld_25_shld_26_severities() {
        use Severity::{Hard, Ignored, Soft};
        for (kind, code, expected) in [
            (3, 0, Soft),
            (3, 1, Soft),
            (3, 5, Soft),
            (3, 6, Soft),
            (3, 7, Soft),
            (11, 0, Soft),
            (12, 0, Soft),
            (3, 4, Soft),
            (3, 2, Hard),
            (3, 3, Hard),
            (3, 9, Hard),
            (3, 10, Hard),
            (3, 13, Hard),
            (4, 0, Ignored),
        ] {
            assert_eq!(
                read(&message(kind, code, 5, 8)).unwrap().unwrap().severity(),
                expected,
                "{kind}/{code}"
            );
        }
    }

    /// N-07, SHLD-6: what a router states; and where it states nothing, the next size in use below the 1000 octets
    /// quoted. Nothing below 552 is believed.
    #[test]
    fn n07_shld_6_what_the_next_link_takes() {
        for (stated, mtu) in
            [(1400, 1400), (65_535, 65_535), (552, 552), (551, 552), (68, 552), (1, 552), (0, 552)]
        {
            let mut octets = message(3, 4, 5, 8);
            octets[2..4].fill(0);
            octets[6..8].copy_from_slice(&u16::to_be_bytes(stated));
            let checksum = Sum::default().octets(&octets).checksum();
            octets[2..4].copy_from_slice(&checksum.to_be_bytes());
            assert_eq!(read(&octets).unwrap().unwrap().mtu, Some(mtu), "{stated}");
        }
        let plateaus =
            [(1006, Some(552)), (1007, Some(1006)), (1500, Some(1492)), (9000, Some(8166)), (552, None)];
        for (len, mtu) in plateaus {
            assert_eq!(mtu_v4(0, &[0x45, 0, (len >> 8) as u8, len as u8]), mtu, "{len}");
        }
        assert_eq!(read(&message(3, 1, 5, 8)).unwrap().unwrap().mtu, None);
    }

    /// N-10: no link takes less than 1280 octets.
    #[test]
    fn n10_packets_too_big() {
        assert_eq!([0, 1279, 1280, 1400].map(mtu_v6), [None, None, Some(1280), Some(1400)]);
    }

    #[test]
    fn echo_is_no_error_and_a_bad_checksum_is_noticed() {
        assert_eq!(read(&message(8, 0, 5, 8)), Ok(None));
        let mut bad = message(3, 1, 5, 8);
        bad[5] ^= 1;
        assert!(matches!(read(&bad), Err(DecodeError::Checksum { .. })));
    }
}
