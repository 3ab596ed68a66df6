//! Nothing of what a stranger has sent is taken for markup, or steers a terminal.

use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use regex::Regex;
use tcpshake::record::exchange::Exchange;
use tcpshake::record::{Event, Excerpt};
use tcpshake::report::svg::{Spacing, Style, Theme};
use tcpshake::report::{mermaid, svg};

use crate::written::{recorded, written};

const NASTY: &str = "</text><script>&#x1b;[2J\x1b]0;%%{;end\n#quot;`'\"\u{202e}\u{fffe}]]>";

/// An exchange that has what is nasty wherever words are not ours.
fn nasty() -> Exchange {
    let mut exchange = written().exchange;
    exchange.opening.host = Some(NASTY.to_owned());
    exchange.summary.as_mut().unwrap().trouble = Some(NASTY.to_owned());
    for (n, step) in exchange.steps.iter_mut().enumerate() {
        if let Event::Sent { segment, relative, text, .. } = &mut step.event {
            segment.text_len = 300;
            *text = Excerpt::of(NASTY.as_bytes());
            if n > 5 {
                step.event = Event::Unsent { segment: *segment, relative: *relative, why: NASTY.to_owned() };
            }
        }
    }
    exchange
}

/// The elements of a picture.
const OURS: [&str; 9] = ["svg", "title", "style", "rect", "text", "tspan", "g", "path", "circle"];

#[test]
fn an_svg_is_well_formed_and_has_no_more_elements_than_ours() {
    for spacing in [Spacing::Even, Spacing::Time] {
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            let picture = svg::render(&nasty(), Style { spacing, theme });
            assert!(!picture.chars().any(|c| c.is_control() && c != '\n'), "{picture}");
            assert!(!picture.contains(['\u{202e}', '\u{fffe}']));
            let mut reader = Reader::from_str(&picture);
            reader.config_mut().check_end_names = true;
            loop {
                let event = reader.read_event().unwrap();
                if let Xml::Start(element) | Xml::Empty(element) = &event {
                    assert!(OURS.contains(&element.name().as_ref()), "{element:?}");
                    assert!(element.attributes().all(|attribute| attribute.is_ok()));
                }
                if event == Xml::Eof {
                    break;
                }
            }
        }
    }
}

/// What each line may be, and within words only what the language does not take for its own.
#[test]
fn a_mermaid_diagram_keeps_to_its_grammar() {
    let words = r"(?:[A-Za-z0-9 ()\[\].,:·…+=*/?!|^_@-]|[^\x00-\x7f]|#\d+;|<br/>)*";
    let line = format!(
        r"^    (?:participant [LR] as {words}|Note over (?:L|R|L,R): {words}|(?:L->>R|R->>L|L--xR|R-->>L): {words})$"
    );
    let line = Regex::new(&line).unwrap();
    for exchange in [written().exchange, nasty()] {
        let diagram = mermaid::render(&exchange);
        let mut lines = diagram.lines();
        assert_eq!(lines.next(), Some("sequenceDiagram"));
        for said in lines {
            assert!(line.is_match(said), "{said}");
        }
    }
}

#[test]
fn a_comment_in_a_recording_has_nothing_that_steers_a_terminal() {
    let octets = recorded(&nasty());
    let text = String::from_utf8_lossy(&octets);
    assert!(!text.contains("\x1b[2J\x1b]0;%%{;end\n"), "{text}");
}

#[test]
fn what_is_left_out_is_said() {
    let exchange = Exchange { left_out: 1234, ..written().exchange };
    assert!(svg::render(&exchange, Style::default()).contains("1234 later steps are left out"));
    assert!(mermaid::render(&exchange).contains("1234 later steps are left out"));
}
