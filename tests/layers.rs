//! Which room may use which: read from the sources, held to the table on the architecture page.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Rooms = BTreeMap<String, BTreeSet<String>>;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room a file is in: its folder below `src`, or its own name.
fn room(path: &Path) -> String {
    let first = path.strip_prefix(root()).unwrap().iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// A source without its comments and its tests.
fn code(text: &str) -> String {
    let lines = text.split("#[cfg(test)]").next().unwrap().lines();
    lines.filter(|line| !line.trim_start().starts_with("//")).collect()
}

/// What stands behind each `crate::`, `use crate::{a, b}` included.
fn used(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let list = after.strip_prefix('{').map_or(after, |list| list.split('}').next().unwrap());
        let items = if list == after { 1 } else { usize::MAX };
        used.extend(list.split(',').take(items).map(|item| name(item.trim())));
    }
    used
}

fn actual() -> Rooms {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let mut rooms = Rooms::new();
    for file in files {
        let room = room(&file);
        let test_module = file.file_name().is_some_and(|name| name == "tests.rs" || name == "properties.rs");
        if ["lib", "main"].contains(&room.as_str()) || test_module {
            continue;
        }
        let mut used = used(&fs::read_to_string(&file).unwrap());
        used.remove(&room);
        rooms.entry(room).or_default().extend(used);
    }
    rooms
}

/// The table in `src/lib.rs`.
fn allowed() -> Rooms {
    let page = fs::read_to_string(root().join("lib.rs")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let row = |row: &str| {
        let (room, rest) = row.split_once("`]").unwrap();
        let uses = rest.trim_end_matches('|').rsplit('|').next().unwrap();
        let uses = uses.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (room.to_owned(), uses)
    };
    rows.map(row).collect()
}

#[test]
fn every_room_uses_only_what_the_architecture_page_allows() {
    let (actual, allowed) = (actual(), allowed());
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "rooms on disk and page"
    );
    for (room, used) in &actual {
        if room != "cli" {
            let beyond: Vec<_> = used.difference(&allowed[room]).collect();
            assert!(beyond.is_empty(), "{room} uses {beyond:?}");
            let unused: Vec<_> = allowed[room].difference(used).collect();
            assert!(unused.is_empty(), "the page says that {room} uses {unused:?}, and it does not");
        }
    }
}

#[test]
fn the_reader_of_use_lines_reads() {
    let text = "use crate::tcp::{A, B};\nuse crate::{net, wire::raw};\n// use crate::cli;\nlet x = crate::time::now();";
    assert_eq!(used(text).into_iter().collect::<Vec<_>>(), ["net", "tcp", "time", "wire"]);
}

/// The core asks nobody: no clock, no randomness, no sockets, no printing, no serde.
#[test]
fn the_core_is_pure() {
    let mut files = Vec::new();
    sources(&root().join("tcp"), &mut files);
    for file in files {
        let code = code(&fs::read_to_string(&file).unwrap());
        for forbidden in [
            "std::io",
            "std::fs",
            "rand::",
            "serde",
            "println!",
            "SystemTime",
            "std::time::Instant",
            "Socket::",
        ] {
            assert!(!code.contains(forbidden), "{} in {}", forbidden, file.display());
        }
    }
}

/// `unsafe` lives in one file.
#[test]
fn unsafe_lives_in_one_file() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    for file in files.into_iter().filter(|file| !file.ends_with("wire/sys.rs")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("unsafe {") && !text.contains("unsafe fn"), "{}", file.display());
    }
}
