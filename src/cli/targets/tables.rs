//! Target files in TOML: read as a tree, so that every wrong place is told, not only the first.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file holds, each with its line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// What is expected of targets that do not say.
    pub(super) expect: Option<(u64, Vec<String>)>,
    pub(super) targets: Vec<Table>,
    pub(super) errors: Vec<(u64, String)>,
}

/// One `[[target]]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Of its address.
    pub(super) line: u64,
    pub(super) address: String,
    pub(super) expect: Option<(u64, Vec<String>)>,
}

/// Reads a whole file. If its form is wrong, nothing is said of its content.
pub(super) fn read(text: &str) -> Tables {
    let mut reader =
        Reader { line_ends: text.match_indices('\n').map(|(at, _)| at).collect(), found: Tables::default() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.wrong(error.span().unwrap_or_default(), &format!("{} (write toml)", error.message()));
    }
    if errors.is_empty() {
        reader.root(root.get_ref());
    }
    reader.found
}

struct Reader {
    line_ends: Vec<usize>,
    found: Tables,
}

impl Reader {
    fn line(&self, span: Range<usize>) -> u64 {
        self.line_ends.partition_point(|end| *end < span.start) as u64 + 1
    }

    fn wrong(&mut self, span: Range<usize>, what: &str) {
        let line = self.line(span);
        self.found.errors.push((line, what.to_owned()));
    }

    fn root(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "expect" => self.found.expect = self.expectations(value),
                "target" => self.targets(value),
                other => {
                    self.wrong(key.span(), &format!("'{other}' is no key here (write expect or [[target]])"));
                }
            }
        }
    }

    fn targets(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(all) = value.get_ref().as_array() else {
            return self.wrong(value.span(), "a target is a table of its own (write [[target]])");
        };
        for one in all {
            match one.get_ref().as_table() {
                Some(table) => self.target(table, one.span()),
                None => self.wrong(one.span(), "a target is a table of its own (write [[target]])"),
            }
        }
    }

    fn target(&mut self, table: &DeTable<'_>, span: Range<usize>) {
        let errors = self.found.errors.len();
        let (mut address, mut expect) = (None, None);
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref().as_str()) {
                ("address", Some(text)) => address = Some((self.line(value.span()), text.to_owned())),
                ("address", None) => self.wrong(value.span(), "an address is a text (write \"HOST:PORT\")"),
                ("expect", _) => expect = self.expectations(value),
                (other, _) => {
                    self.wrong(
                        key.span(),
                        &format!("'{other}' is no key of a target (write address or expect)"),
                    );
                }
            }
        }
        match address {
            Some((line, address)) if self.found.errors.len() == errors => {
                self.found.targets.push(Table { line, address, expect });
            }
            None if self.found.errors.len() == errors => {
                self.wrong(span, "the address is missing (write address = \"HOST:PORT\")");
            }
            _ => {}
        }
    }

    fn expectations(&mut self, value: &Spanned<DeValue<'_>>) -> Option<(u64, Vec<String>)> {
        let texts: Option<Vec<String>> = value
            .get_ref()
            .as_array()
            .and_then(|all| all.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.wrong(value.span(), "expectations are a list of texts (write [\"open\", \"rtt<20ms\"])");
        }
        Some((self.line(value.span()), texts?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_with_their_lines() {
        let found = read(
            "expect = ['open']\r\n# comment\r\n[[target]]\r\naddress = \"10.0.0.0/24:22\"\r\nexpect = [\r\n\
             \"rtt<20ms\",\r\n'banner~a, b']\r\n[[target]]\r\naddress = 'h:1'\r\n",
        );
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(found.errors, []);
        assert_eq!(found.expect, Some((1, texts(&["open"]))));
        assert_eq!(
            found.targets,
            [
                Table {
                    line: 4,
                    address: "10.0.0.0/24:22".into(),
                    expect: Some((5, texts(&["rtt<20ms", "banner~a, b"])))
                },
                Table { line: 9, address: "h:1".into(), expect: None },
            ]
        );
        assert_eq!(read(""), Tables::default());
    }

    #[test]
    fn every_wrong_place_is_told() {
        let mut found = read(
            "expected = []\n[[target]]\nadress = 'h:1'\n[[target]]\naddress = 1\n[[target]]\nexpect = ['open']\n\
             [[target]]\naddress = 'h:2'\nexpect = 'open'\n[[target]]\naddress = 'h:3'\nexpect = [1]\n\
             [[target]]\naddress = 'h:4'\n[other]\n",
        );
        found.errors.sort();
        assert_eq!(found.errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 5, 6, 10, 13, 16]);
        assert!(found.errors[0].1.contains("'expected' is no key here"));
        assert!(found.errors[1].1.contains("'adress' is no key of a target (write address or expect)"));
        assert!(found.errors[3].1.contains("the address is missing"));
        assert_eq!(found.targets.len(), 1);
        for (text, line) in [("target = 1", 1), ("\ntarget = [1]", 2), ("\n[target]\naddress = 'h:1'", 2)] {
            let found = read(text);
            assert_eq!(found.errors.len(), 1, "{text}");
            assert_eq!((found.errors[0].0, found.targets.len()), (line, 0));
            assert!(found.errors[0].1.contains("write [[target]]"), "{text}");
        }
    }

    #[test]
    fn a_wrong_form_is_told_with_its_lines() {
        let found = read("\n[[target]]\naddress = \n\n[[target]]\naddress = 'h:1\n");
        assert_eq!(found.errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 6]);
        assert!(found.targets.is_empty());
        assert!(!read(&format!("a = {}", "[".repeat(100_000))).errors.is_empty());
    }
}
