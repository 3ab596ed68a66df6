//! Byte for byte as it is kept. After a change that is meant, `TCPSHAKE_BLESS=1 cargo test --test formats` keeps what
//! is written now; look at the difference.

use std::path::PathBuf;

use tcpshake::report::svg::{Spacing, Style, Theme};
use tcpshake::report::{mermaid, svg};

use crate::written::{page, recorded, written};

/// Set, it keeps what is written instead of comparing.
const BLESS: &str = "TCPSHAKE_BLESS";

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "snapshots", name].iter().collect()
}

/// Asserts that this is what is kept by that name.
#[track_caller]
pub(crate) fn assert_snapshot(name: &str, octets: &[u8]) {
    const AROUND: usize = 80;
    let kept = std::fs::read(path(name)).unwrap_or_default();
    let differs = kept.iter().zip(octets).position(|(kept, octet)| kept != octet);
    let at = differs.unwrap_or_else(|| kept.len().min(octets.len()));
    let here = &octets[at.saturating_sub(AROUND)..(at + AROUND).min(octets.len())];
    assert!(kept == octets, "not as in tests/snapshots/{name} from octet {at} on: {}", here.escape_ascii());
}

#[track_caller]
fn assert_kept(name: &str, octets: &[u8]) {
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(path(name), octets).unwrap();
    }
    assert_snapshot(name, octets);
}

#[test]
fn the_ladder() {
    assert_kept("demo.txt", written().ladder.as_bytes());
}

#[test]
fn json() {
    assert_kept("demo.jsonl", written().json.as_bytes());
}

#[test]
fn svg_evenly_spaced() {
    assert_kept("demo.svg", svg::render(&written().exchange, Style::default()).as_bytes());
}

#[test]
fn svg_to_scale_on_black() {
    let style = Style { spacing: Spacing::Time, theme: Theme::Dark };
    assert_kept("demo-time-dark.svg", svg::render(&written().exchange, style).as_bytes());
}

#[test]
fn mermaid_diagram() {
    assert_kept("demo.mmd", mermaid::render(&written().exchange).as_bytes());
}

/// What the page shows of the exchange, and what its script reads; how that looks and moves is tried in a browser.
#[test]
fn the_lesson_page() {
    let page = page(&written().exchange);
    let (start, end) = (page.find("<main").unwrap(), page.find("</main>").unwrap());
    assert_kept("demo.html", &page.as_bytes()[start..end]);
}

#[test]
fn pcapng() {
    assert_kept("demo.pcapng", &recorded(&written().exchange));
}
