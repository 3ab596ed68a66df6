//! The RSTs that we sent ourselves and have not seen leave yet: what else leaves is the kernel's.

use std::collections::VecDeque;

use crate::tcp::Flags;

/// Each from the TCP header on.
#[derive(Debug, Default)]
pub(super) struct OwnResets(VecDeque<Vec<u8>>);

impl OwnResets {
    pub(super) fn sent(&mut self, packet: &[u8]) {
        const MOST: usize = 64; // they are seen in the order in which they were sent, and soon
        const FLAGS_AT: usize = 13;
        let segment = segment_in(packet);
        let flags = segment.get(FLAGS_AT).map_or(0, |flags| u16::from(*flags));
        if Flags::from_bits(flags).contains(Flags::RST) {
            self.0.truncate(MOST - 1);
            self.0.push_front(segment.to_vec());
        }
    }

    /// Whether the packet is one of them; if so it is no longer expected.
    pub(super) fn contain(&mut self, packet: &[u8]) -> bool {
        let found = self.0.iter().rposition(|own| own == segment_in(packet));
        found.and_then(|at| self.0.remove(at)).is_some()
    }
}

/// What follows the IP header of a packet of ours, which has no extension headers.
fn segment_in(packet: &[u8]) -> &[u8] {
    const V6_HEADER: usize = 40;
    let header = match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 0xf) * 4,
        _ => V6_HEADER,
    };
    packet.get(header..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 header and a TCP header with this sequence number and these flags.
    fn packet(seq: u8, flags: Flags) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[27] = seq;
        packet[33] = flags.bits() as u8;
        packet
    }

    #[test]
    fn each_rst_of_ours_is_known_once_and_the_kernels_never() {
        let mut own = OwnResets::default();
        for (seq, flags) in [(1, Flags::SYN), (2, Flags::RST), (2, Flags::RST), (3, Flags::RST | Flags::ACK)]
        {
            own.sent(&packet(seq, flags));
        }
        for (seq, flags, ours) in [
            (1, Flags::SYN, false),
            (4, Flags::RST, false),
            (2, Flags::RST, true),
            (3, Flags::RST, false),
            (3, Flags::RST | Flags::ACK, true),
            (2, Flags::RST, true),
            (2, Flags::RST, false),
        ] {
            assert_eq!(own.contain(&packet(seq, flags)), ours, "{seq} {flags}");
        }
    }

    #[test]
    fn no_more_is_remembered_than_can_be_under_way() {
        let mut own = OwnResets::default();
        (0..=255).for_each(|seq| own.sent(&packet(seq, Flags::RST)));
        assert_eq!(own.0.len(), 64);
        assert!(own.contain(&packet(255, Flags::RST)) && !own.contain(&packet(0, Flags::RST)));
    }
}
