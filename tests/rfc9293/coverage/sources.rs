//! Where the sources name an identifier: `MUST-13` and `H-04` in their words, `must_13_…` and `h04_…` in the names of
//! tests and of files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Identifier to the places that name it, in the order of the files.
#[derive(Debug, Default)]
pub struct Mentions {
    pub code: BTreeMap<String, Vec<Place>>,
    pub tests: BTreeMap<String, Vec<Place>>,
}

/// A file, and the item in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// None if the file as a whole names it.
    pub item: Option<String>,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder`, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Reads `src` and `tests`.
pub fn mentions() -> Mentions {
    let search = Search::new();
    let mut found = Mentions::default();
    for path in files(&root().join("src")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let of_tests = ["tests.rs", "properties.rs", "fixture.rs"].contains(&name);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let code = if of_tests { 0 } else { end_of_code(&lines) };
        search.source(&path, &lines, 0..code, &mut found.code);
        search.source(&path, &lines, code..lines.len(), &mut found.tests);
    }
    for path in files(&root().join("tests")) {
        let relative = path.strip_prefix(root().join("tests")).unwrap();
        if relative.starts_with("rfc9293/coverage") || relative.ends_with("rfc9293/coverage.rs") {
            continue; // it names them all
        }
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if is_source {
            let lines: Vec<&str> = text.lines().collect();
            search.source(&path, &lines, 0..lines.len(), &mut found.tests);
        } else if relative.starts_with("dialogues") {
            search.script(&path, &text, &mut found.tests);
        }
    }
    found
}

/// The line where the module of tests begins.
fn end_of_code(lines: &[&str]) -> usize {
    let module = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    lines.windows(2).position(module).unwrap_or(lines.len())
}

struct Search {
    written: Regex,
    named: Regex,
    item: Regex,
    field: Regex,
}

impl Search {
    fn new() -> Self {
        let regex = |pattern| Regex::new(pattern).unwrap();
        Self {
            written: regex(r"\b(MUST|SHLD|MAY|REC|[A-P])-(\d+)\b"),
            named: regex(r"(?:^|_)(?:(must|shld|may|rec)_(\d+)|([a-p])(\d\d))(?:_|-|$)"),
            item: regex(
                r"^\s*(?:pub(?:\([a-z: ]+\))? )?(?:(?:const )?fn|struct|enum|trait|const|static|mod|type) (\w+)",
            ),
            field: regex(r"^\s*(?:pub(?:\([a-z: ]+\))? )?(\w+)"),
        }
    }

    /// The identifiers in words.
    fn in_words(&self, text: &str) -> Vec<String> {
        let named = |found: regex::Captures<'_>| format!("{}-{}", &found[1], &found[2]);
        self.written.captures_iter(text).map(named).collect()
    }

    /// The identifiers in a name. They share the marks between them, so each is looked for behind the last.
    fn in_name(&self, name: &str) -> Vec<String> {
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(next) = self.named.captures_at(name, at) {
            let part = |group| next.get(group).map(|part: regex::Match<'_>| part.as_str().to_uppercase());
            let family = part(1).or_else(|| part(3)).unwrap();
            let number = part(2).or_else(|| part(4)).unwrap();
            found.push(format!("{family}-{number}"));
            at = next.get(2).or_else(|| next.get(4)).unwrap().end();
        }
        found
    }

    /// A dialogue is a test as a whole.
    fn script(&self, path: &Path, text: &str, found: &mut BTreeMap<String, Vec<Place>>) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for identifier in self.in_words(text).into_iter().chain(self.in_name(stem)) {
            note(found, identifier, path, None);
        }
    }

    fn source(
        &self,
        path: &Path,
        lines: &[&str],
        part: std::ops::Range<usize>,
        found: &mut BTreeMap<String, Vec<Place>>,
    ) {
        for at in part {
            let line = lines[at];
            let name = self.name_of(line).filter(|_| line.contains("fn "));
            for identifier in name.iter().flat_map(|name| self.in_name(name)) {
                note(found, identifier, path, name.clone());
            }
            for identifier in self.in_words(line) {
                note(found, identifier, path, self.item_at(lines, at));
            }
        }
    }

    fn name_of(&self, line: &str) -> Option<String> {
        self.item.captures(line).map(|found| found[1].to_owned())
    }

    /// The item that line `at` speaks of: what a doc comment stands before, what any other line stands in.
    fn item_at(&self, lines: &[&str], at: usize) -> Option<String> {
        let here = lines[at].trim_start();
        if here.starts_with("//!") {
            return None;
        }
        if here.starts_with("///") {
            let is_comment = |line: &&&str| {
                let line = line.trim_start();
                line.starts_with("//") || line.starts_with("#[") || line.is_empty()
            };
            let next = lines[at..].iter().find(|line| !is_comment(line))?;
            let field = || self.field.captures(next).map(|found| found[1].to_owned());
            return self.name_of(next).or_else(field);
        }
        let depth = |line: &str| line.len() - line.trim_start().len();
        let mut around = lines[..at].iter().rev().filter(|line| depth(line) < depth(lines[at]));
        self.name_of(lines[at]).or_else(|| around.find_map(|line| self.name_of(line)))
    }
}

fn note(found: &mut BTreeMap<String, Vec<Place>>, identifier: String, path: &Path, item: Option<String>) {
    let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let place = Place { file, item };
    let places = found.entry(identifier).or_default();
    if !places.contains(&place) {
        places.push(place);
    }
}

/// Each identifier of a name, though they share the marks between them.
#[test]
fn a_name_may_have_several() {
    let search = Search::new();
    assert_eq!(search.in_name("g01_h15_must_66_shld_2"), ["G-01", "H-15", "MUST-66", "SHLD-2"]);
    assert_eq!(search.in_name("a01-active-open"), ["A-01"]);
    assert_eq!(search.in_name("half_a1_p100"), Vec::<String>::new());
    assert_eq!(search.in_words("(MUST-5, SHLD-31): not XMUST-6"), ["MUST-5", "SHLD-31"]);
}
