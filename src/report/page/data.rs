//! What the page's script reads: JSON that cannot end the element it stands in.

use std::fmt::Write;

use serde::Serialize;

use super::diagram;
use crate::record::Step;
use crate::record::exchange::Exchange;
use crate::report::header::{Field, Header, headers};
use crate::report::hex;
use crate::report::text::{millis, short};

#[derive(Serialize)]
struct Data<'e> {
    steps: Vec<StepData<'e>>,
}

#[derive(Serialize)]
struct StepData<'e> {
    n: u32,
    at: String,
    /// The packet's octets, in hexadecimal.
    packet: String,
    headers: Vec<HeaderData>,
    /// The boxes of the state diagram it walks through.
    local: &'e [&'static str],
    remote: &'e [&'static str],
    /// Name, meaning, value.
    variables: [(&'static str, &'static str, String); 6],
}

#[derive(Serialize)]
struct HeaderData {
    name: &'static str,
    fields: Vec<FieldData>,
}

#[derive(Serialize)]
struct FieldData {
    name: &'static str,
    start: usize,
    bits: usize,
    value: String,
    note: &'static str,
}

/// The data of these first steps of an exchange.
pub(super) fn json(exchange: &Exchange, steps: &[Step]) -> String {
    let (local, remote) = (diagram::local(steps), diagram::remote(&exchange.remote));
    let of = |(at, step): (usize, &Step)| StepData {
        n: step.n,
        at: millis(step.at),
        packet: hex::digits(&step.packet),
        headers: headers(&step.packet).into_iter().map(HeaderData::from).collect(),
        local: local.get(at).map(Vec::as_slice).unwrap_or_default(),
        remote: remote.get(at).map(Vec::as_slice).unwrap_or_default(),
        variables: variables(step),
    };
    let data = Data { steps: steps.iter().enumerate().map(of).collect() };
    tame(&serde_json::to_string(&data).unwrap_or_default()) // strings and numbers: nothing that could fail
}

impl From<Header> for HeaderData {
    fn from(header: Header) -> Self {
        let field = |Field { name, start, bits, value, note }| FieldData { name, start, bits, value, note };
        Self { name: header.name, fields: header.fields.into_iter().map(field).collect() }
    }
}

fn variables(step: &Step) -> [(&'static str, &'static str, String); 6] {
    let (snd, rcv) = (&step.view.snd, &step.view.rcv);
    [
        ("SND.UNA", "first not acknowledged", snd.una.to_string()),
        ("SND.NXT", "sent next", snd.nxt.to_string()),
        ("SND.WND", "the peer takes", snd.wnd.get().to_string()),
        ("RCV.NXT", "expected next", rcv.nxt.to_string()),
        ("RCV.WND", "we take", rcv.wnd.get().to_string()),
        ("RTO", "sent again after", short(step.view.rto)),
    ]
}

/// The same JSON, without a character that HTML or an old script engine could take for its own.
fn tame(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut tame, c| {
        if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
            let _ = write!(tame, "\\u{:04x}", u32::from(c));
        } else {
            tame.push(c);
        }
        tame
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element() {
        let hostile = "</script><!--\u{2028}\u{2029}&amp;";
        let json = tame(&serde_json::to_string(hostile).unwrap());
        assert!(json.is_ascii() && !json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
