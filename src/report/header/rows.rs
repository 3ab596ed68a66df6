//! The headers as lines: octets in hexadecimal, and the fields they hold.

use super::{Field, Header, OCTET, headers};
use crate::report::hex;

/// Octets in hexadecimal and what they hold; a header's name has no octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) struct Row {
    pub(in crate::report) octets: String,
    pub(in crate::report) fields: String,
}

/// A row for each field, or for those that share octets.
pub(in crate::report) fn rows(packet: &[u8]) -> Vec<Row> {
    let rows_of = |header: Header| {
        let name = Row { octets: String::new(), fields: header.name.to_owned() };
        let fields = header.fields;
        let shared = fields.chunk_by(|field, _| (field.start + field.bits) % OCTET != 0);
        let rows: Vec<Row> = shared.map(|fields| row(packet, fields)).collect();
        std::iter::once(name).chain(rows)
    };
    headers(packet).into_iter().flat_map(rows_of).collect()
}

/// Octets that are shown of one field; a page has room for more.
const SHOWN: usize = 16;

fn row(packet: &[u8], fields: &[Field]) -> Row {
    let bounds = fields.first().zip(fields.last());
    let (start, end) = bounds.map_or((0, 0), |(first, last)| (first.start, last.start + last.bits));
    let octets = packet.get(start / OCTET..end / OCTET).unwrap_or_default();
    let more = if octets.len() > SHOWN { " …" } else { "" };
    let shown = octets.iter().take(SHOWN).map(|octet| hex::digits(&[*octet]));
    Row {
        octets: shown.collect::<Vec<_>>().join(" ") + more,
        fields: fields.iter().filter_map(words).collect::<Vec<_>>().join(", "),
    }
}

/// `Window 64240`; a single bit by its name where it is set, and not at all where it is not.
fn words(field: &Field) -> Option<String> {
    match (field.bits, field.value.as_str()) {
        (1, "0") => None,
        (1, "1") => Some(field.name.to_owned()),
        (_, value) => Some(format!("{} {value}", field.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ip::IpFields;
    use crate::packet::{self, Addresses, Ports};
    use crate::tcp::{Flags, Segment, SeqNum, UnscaledWindow};

    #[test]
    fn every_octet_stands_in_one_row() {
        let addresses = Addresses::V4 { source: [192, 0, 2, 1].into(), destination: [192, 0, 2, 2].into() };
        let segment = Segment {
            seq: SeqNum(4321),
            ack: SeqNum(9001),
            flags: Flags::FIN | Flags::ACK,
            window: UnscaledWindow(64_240),
            ..Segment::default()
        };
        let mut packet = vec![0; 100];
        let ports = Ports { source: 40_000, destination: 80 };
        let len = packet::emit(&IpFields::new(addresses), ports, &segment, b"", &mut packet).unwrap();
        packet.truncate(len);
        let rows = rows(&packet);
        let octets: String = rows.iter().map(|row| row.octets.replace(' ', "")).collect();
        assert_eq!(octets, hex::digits(&packet));
        let of = |octets: &str| rows.iter().find(|row| row.octets == octets).map(|row| row.fields.as_str());
        assert_eq!(of("00 00 10 e1"), Some("Sequence number 4321"));
        assert_eq!(of("50"), Some("Offset 5 words, Reserved 0"));
        assert_eq!(of("11"), Some("ACK, FIN"));
        assert_eq!(of(""), Some("IPv4 header"));
    }
}
