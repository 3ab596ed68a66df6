//! The connections of a capture, a line each.

use std::fmt::Write;

use super::text::millis;
use crate::record::connection::Connection;

/// The heads of the columns, for connections that are listed as by [`line()`].
pub fn heading(widest: usize) -> String {
    format!(
        "{:>6}  {:widest$}  {:>8}  {:>10}  {:>10}  {:>11}  {}\n",
        "number", "who → whom", "segments", "octets out", "octets in", "ms", "beginning, end"
    )
}

/// Who speaks with whom.
pub fn ends(connection: &Connection) -> String {
    format!("{} → {}", connection.local, connection.remote)
}

/// One connection; `widest` is the room for its ends.
pub fn line(connection: &Connection, widest: usize, out: &mut String) {
    let Connection { number, sent, received, beginning, finish, .. } = connection;
    let segments = sent.segments + received.segments;
    let _ = writeln!(
        out,
        "{number:>6}  {:widest$}  {segments:>8}  {:>10}  {:>10}  {:>11}  {}, {}",
        ends(connection),
        sent.octets,
        received.octets,
        millis(connection.lasted),
        beginning.text(),
        finish.text(),
    );
}

/// What it came to, a fact each.
pub fn facts(connection: &Connection) -> Vec<String> {
    let Connection { sent, received, beginning, finish, .. } = connection;
    vec![
        format!("{}, {}", beginning.text(), finish.text()),
        format!("segments: {} out, {} in", sent.segments, received.segments),
        format!("octets: {} out, {} in", sent.octets, received.octets),
        format!("{} ms", millis(connection.lasted)),
    ]
}
