//! A reader of what is written, and the rules that the readers of JUnit have in common, for the tests.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element: its name, attributes, children and text.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    pub(super) fn get(&self, attribute: &str) -> &str {
        let found = self.attributes.iter().find(|(name, _)| name == attribute);
        &found.unwrap_or_else(|| panic!("{} has no {attribute}", self.name)).1
    }

    pub(super) fn all(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|child| child.name == name).collect()
    }
}

fn element(start: &quick_xml::events::BytesStart<'_>) -> Element {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.unwrap(); // a second one of the same name is an error
        let value = quick_xml::escape::unescape(&attribute.value).unwrap();
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    let name = start.name().as_ref().to_owned();
    Element { name, attributes, ..Element::default() }
}

pub(super) fn parse(xml: &str) -> Element {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(legal), "a character that XML has not");
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(element(&start)),
            Event::End(_) => {
                let closed = open.pop().unwrap();
                open.last_mut().unwrap().children.push(closed);
            }
            Event::Text(text) => open.last_mut().unwrap().text += &text,
            Event::GeneralRef(name) => {
                let entity = format!("&{};", &*name);
                open.last_mut().unwrap().text += &quick_xml::escape::unescape(&entity).unwrap();
            }
            Event::Decl(_) => assert!(open.len() == 1 && open[0].children.is_empty()),
            Event::Eof => break,
            other @ (Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_)) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed");
    open.pop().unwrap().children.pop().unwrap()
}

/// Which elements may stand in which, in which order, and which attributes they must have.
pub(super) fn assert_schema(element: &Element) {
    let (children, attributes): (&[&str], &[&str]) = match element.name.as_str() {
        "testsuites" => (&["testsuite"], &["name", "tests", "failures", "errors", "skipped", "time"]),
        "testsuite" => (
            &["properties", "testcase", "system-out", "system-err"],
            &["name", "tests", "failures", "errors", "skipped", "time", "timestamp"],
        ),
        "properties" => (&["property"], &[]),
        "property" => (&[], &["name", "value"]),
        "testcase" => (&["skipped", "failure"], &["classname", "name", "time"]),
        "skipped" => (&[], &["message"]),
        "failure" => (&[], &["message", "type"]),
        "system-out" | "system-err" => (&[], &[]),
        other => panic!("no element of the schema: {other}"),
    };
    let names: Vec<&str> = element.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, attributes, "attributes of {}", element.name);
    let place = |child: &Element| children.iter().position(|name| *name == child.name);
    let places: Vec<usize> = element
        .children
        .iter()
        .map(|child| place(child).unwrap_or_else(|| panic!("{} in {}", child.name, element.name)))
        .collect();
    assert!(places.is_sorted(), "order in {}", element.name);
    element.children.iter().for_each(assert_schema);
}
