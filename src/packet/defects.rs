//! Segments that are wrong on purpose, to see what the other end makes of them.

use super::checksum::Sum;
use super::ip::IpFields;
use super::tcp::{CHECKSUM_AT, EmitError, OFFSET_AT, PROTOCOL, Ports, emit};
use crate::tcp::Segment;

/// What is to be wrong in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defects {
    /// The data offset, in words of 32 bits: only the low four bits count. `None` for what is true.
    pub data_offset: Option<u8>,
    /// The checksum.
    pub checksum: ChecksumField,
}

/// What stands in a checksum field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumField {
    /// What the rest of the segment sums up to, whatever else is wrong with it.
    #[default]
    Right,
    /// Something that does not verify.
    Wrong,
}

/// Writes a whole packet like [`emit`], then spoils it.
pub fn emit_with(
    defects: Defects,
    ip: &IpFields,
    ports: Ports,
    segment: &Segment,
    text: &[u8],
    buffer: &mut [u8],
) -> Result<usize, EmitError> {
    let len = emit(ip, ports, segment, text, buffer)?;
    let octets = buffer.get_mut(ip.addresses.header_len()..len).unwrap_or_default();
    if let (Some(words), Some(octet)) = (defects.data_offset, octets.get_mut(OFFSET_AT)) {
        *octet = words << 4 | *octet & 0xf;
    }
    set_checksum(octets, [0, 0]);
    let sum = Sum::default().pseudo_header(ip.addresses, PROTOCOL, octets.len()).octets(octets).checksum();
    let sum = match defects.checksum {
        ChecksumField::Right => sum,
        // Not the complement: 0 and 0xffff are one number in this arithmetic, and both verify.
        ChecksumField::Wrong => sum ^ 1,
    };
    set_checksum(octets, sum.to_be_bytes());
    Ok(len)
}

fn set_checksum(octets: &mut [u8], value: [u8; 2]) {
    if let Some(field) = octets.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        field.copy_from_slice(&value);
    }
}
