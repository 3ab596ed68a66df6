//! The headers of a packet, field by field: every bit belongs to exactly one.

mod ip;
mod options;
pub(super) mod rows;
mod tcp;

use crate::lesson::fields;
use crate::packet::ip::within;
use crate::report::hex;

/// A header, or what follows the last.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
}

/// A field of a header.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Its first bit, counted from the packet's.
    pub(super) start: usize,
    pub(super) bits: usize,
    /// What it holds, for people.
    pub(super) value: String,
    /// What it is for.
    pub(super) note: &'static str,
}

const OCTET: usize = 8;
/// Header lengths are told in words of this many bits.
const WORD: usize = 32;

/// The headers of `packet`, from its IP header on. What cannot be read is a field of its own.
pub(super) fn headers(packet: &[u8]) -> Vec<Header> {
    let mut reader = Reader { packet: within(packet), at: 0, headers: Vec::new() };
    let _ = reader.ip(); // where it stops, the rest begins
    reader.rest();
    reader.headers.retain(|header| !header.fields.is_empty()); // cut off where it would begin
    reader.headers
}

/// Reads fields one after the other; `None` is the end of the packet.
struct Reader<'p> {
    packet: &'p [u8],
    /// The next bit.
    at: usize,
    headers: Vec<Header>,
}

impl<'p> Reader<'p> {
    fn begin(&mut self, name: &'static str) {
        self.headers.push(Header { name, fields: Vec::new() });
    }

    fn left(&self) -> usize {
        (self.packet.len() * OCTET).saturating_sub(self.at)
    }

    /// The next bits as a number, not taken.
    fn peek(&self, bits: usize) -> Option<u32> {
        (self.at..self.at + bits).try_fold(0, |number, bit| {
            let octet = self.packet.get(bit / OCTET)?;
            Some(number << 1 | u32::from(octet >> (OCTET - 1 - bit % OCTET) & 1))
        })
    }

    /// A field of a header begun before; its number.
    fn number(
        &mut self,
        bits: usize,
        name: &'static str,
        show: impl Fn(u32) -> String,
        note: &'static str,
    ) -> Option<u32> {
        let number = self.peek(bits)?;
        self.push(Field { name, start: self.at, bits, value: show(number), note });
        Some(number)
    }

    /// A field of whole octets.
    fn octets(
        &mut self,
        octets: usize,
        name: &'static str,
        show: impl Fn(&[u8]) -> String,
        note: &'static str,
    ) -> Option<&'p [u8]> {
        let start = self.at / OCTET;
        let taken = self.packet.get(start..start + octets)?;
        if octets > 0 {
            self.push(Field { name, start: self.at, bits: octets * OCTET, value: show(taken), note });
        }
        Some(taken)
    }

    fn push(&mut self, field: Field) {
        self.at += field.bits;
        if let Some(header) = self.headers.last_mut() {
            header.fields.push(field);
        }
    }

    /// Whatever is left.
    fn rest(&mut self) {
        let bits = self.left();
        if bits > 0 {
            self.begin("Not read further");
            let value = plural(bits / OCTET, "octet");
            self.push(Field { name: "rest", start: self.at, bits, value, note: fields::REST });
        }
    }
}

/// A number as it is.
fn plain(number: u32) -> String {
    number.to_string()
}

/// A number whose octets matter more than its value.
fn hexadecimal(number: u32) -> String {
    format!("0x{number:04x}")
}

/// `2 octets`, shortened where there are many of them.
fn opaque(octets: &[u8]) -> String {
    const SHOWN: usize = 16;
    let shown = octets.get(..SHOWN).unwrap_or(octets);
    let more = if octets.len() > SHOWN { "…" } else { "" };
    format!("0x{}{more}", hex::digits(shown))
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
