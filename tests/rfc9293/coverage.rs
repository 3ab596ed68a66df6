//! `COVERAGE.md`: every requirement of RFC 9293 and every scenario, where the code does it and which tests would
//! notice. `TCPSHAKE_BLESS=1 cargo test --test rfc9293 coverage` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

pub mod sources;

use sources::{Mentions, Place, mentions, root};

/// Read once for all tests.
static FOUND: LazyLock<Mentions> = LazyLock::new(mentions);

const BLESS: &str = "TCPSHAKE_BLESS";
const PAGE: &str = "tests/rfc9293/COVERAGE.md";

/// The groups of scenarios, and how many each has.
const GROUPS: [(char, usize, &str); 16] = [
    ('A', 10, "Normal open and close"),
    ('B', 14, "Loss, duplicates, reordering during the open"),
    ('C', 12, "SYN-SENT under odd answers"),
    ('D', 9, "LISTEN and CLOSED"),
    ('E', 9, "SYN-RECEIVED"),
    ('F', 7, "Simultaneous open, half-open"),
    ('G', 16, "Numbers, ACK, RST and SYN once open"),
    ('H', 20, "Closing"),
    ('I', 9, "TIME-WAIT"),
    ('J', 14, "Timers, limits, windows"),
    ('K', 16, "Options"),
    ('L', 18, "Malformed segments and packets"),
    ('M', 8, "The wrap, PAWS"),
    ('N', 10, "ICMP"),
    ('O', 12, "Middleboxes and extensions"),
    ('P', 16, "The program"),
];

/// A line of `requirements.txt`.
struct Requirement {
    identifier: &'static str,
    section: &'static str,
    mark: &'static str,
    words: &'static str,
}

const MARKS: [&str; 4] = ["not applicable", "pass", "offered", "decided"];

fn requirements() -> Vec<Requirement> {
    let lines = include_str!("coverage/requirements.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (identifier, rest) = line.split_once(' ').unwrap();
            let (section, rest) = rest.trim_start().split_once(' ').unwrap();
            let rest = rest.trim_start();
            let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark)).expect(line);
            Requirement { identifier, section, mark, words: rest[mark.len()..].trim_start() }
        })
        .collect()
}

fn scenarios() -> impl Iterator<Item = (char, String)> {
    GROUPS
        .into_iter()
        .flat_map(|(group, count, _)| (1..=count).map(move |n| (group, format!("{group}-{n:02}"))))
}

/// Files with their items: `tcp/rto.rs` sample, back_off.
fn cell(places: Option<&Vec<Place>>, folder: &str) -> String {
    let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
    for place in places.into_iter().flatten() {
        let file = place.file.strip_prefix(folder).unwrap_or(&place.file);
        if files.last().is_none_or(|(last, _)| *last != file) {
            files.push((file, Vec::new()));
        }
        files.last_mut().unwrap().1.extend(place.item.as_deref());
    }
    let shown =
        |(file, items): (&str, Vec<&str>)| format!("`{file}` {}", items.join(", ")).trim_end().to_owned();
    files.into_iter().map(shown).collect::<Vec<_>>().join("; ")
}

fn page(found: &Mentions) -> String {
    let mut page = String::from(
        "# What is required, where it is done, what would notice\n\n\
         Made from the sources by `TCPSHAKE_BLESS=1 cargo test --test rfc9293 coverage`; a test keeps it true.\n\
         Code is below `src`, tests are below `tests` unless they stand in `src`.\n\n\
         ## RFC 9293, appendix B\n\n\
         Marks: *pass*, it holds; *offered*, it could have been left out; *decided*, it is left out or there is a\n\
         choice, and the code says which; *not applicable*, there is nothing that it could be about.\n\n\
         | identifier | section | mark | what | code | tests |\n|---|---|---|---|---|---|\n",
    );
    for Requirement { identifier, section, mark, words } in requirements() {
        let code = cell(found.code.get(identifier), "src/");
        let tests = cell(found.tests.get(identifier), "tests/");
        let _ = writeln!(page, "| {identifier} | {section} | {mark} | {words} | {code} | {tests} |");
    }
    page.push_str("\n## Scenarios\n");
    let mut last = None;
    for (group, scenario) in scenarios() {
        if last.replace(group) != Some(group) {
            let title = GROUPS.iter().find(|(letter, ..)| *letter == group).unwrap().2;
            let _ = writeln!(page, "\n### {group}: {title}\n\n| scenario | tests |\n|---|---|");
        }
        let _ = writeln!(page, "| {scenario} | {} |", cell(found.tests.get(&scenario), "tests/"));
    }
    page
}

/// The page is what the sources say.
#[test]
fn the_page_is_kept() {
    let page = page(&FOUND);
    let path = root().join(PAGE);
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, page).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differ = page.lines().zip(kept.lines()).find(|(now, then)| now != then);
    assert!(page == kept, "{PAGE} is out of date, {BLESS}=1 writes it anew; first: {differ:#?}");
}

/// Each requirement is met somewhere, or decided there, and a test says so.
#[test]
fn every_requirement_has_code_and_a_test() {
    let found = &*FOUND;
    let lacks = |places: &BTreeMap<String, Vec<Place>>, identifier: &str| !places.contains_key(identifier);
    let mut missing = Vec::new();
    for Requirement { identifier, mark, .. } in requirements() {
        if lacks(&found.code, identifier) {
            missing.push(format!("{identifier} ({mark}): no code names it"));
        }
        let may_go_untested =
            mark == "not applicable" || (mark == "decided" && identifier.starts_with("MAY"));
        if lacks(&found.tests, identifier) && !may_go_untested {
            missing.push(format!("{identifier} ({mark}): no test names it"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The list is the specification's: 69 MUST, 31 SHLD, 18 MAY, one REC; 200 scenarios.
#[test]
fn the_list_is_complete() {
    let all = requirements();
    for (family, count) in [("MUST", 69), ("SHLD", 31), ("MAY", 18), ("REC", 1)] {
        let wanted: Vec<String> = (1..=count).map(|n| format!("{family}-{n}")).collect();
        let listed = all.iter().filter(|one| one.identifier.split('-').next() == Some(family));
        assert_eq!(listed.map(|one| one.identifier).collect::<Vec<_>>(), wanted);
    }
    assert_eq!(scenarios().count(), 200);
}

/// Each of the two hundred scenarios has a test that names it.
#[test]
fn every_scenario_has_a_test() {
    let found = &*FOUND;
    let missing: Vec<String> = scenarios()
        .map(|(_, scenario)| scenario)
        .filter(|scenario| !found.tests.contains_key(scenario))
        .collect();
    assert!(missing.is_empty(), "scenarios that no test names: {missing:?}");
}

/// Nobody names what there is not: a slip of the pen would hide what is missing.
#[test]
fn no_identifier_is_made_up() {
    let found = &*FOUND;
    let known = |identifier: &&String| {
        let requirement = requirements().iter().any(|one| one.identifier == identifier.as_str());
        requirement || scenarios().any(|(_, scenario)| scenario == **identifier)
    };
    let strange: Vec<_> = found.code.iter().chain(&found.tests).filter(|(name, _)| !known(name)).collect();
    assert!(strange.is_empty(), "{strange:#?}");
}
