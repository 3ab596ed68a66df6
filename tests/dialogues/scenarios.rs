//! Which scenarios there are, and which of them a file is.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

/// `a01-active-open.tcp` is about A-01, and its first line says so; `a07-a08-…` is about both.
pub(crate) fn stand_in_title(text: &str, path: &Path) -> bool {
    let title = text.lines().next().unwrap_or_default();
    let named: Vec<&str> = title.split([' ', ',']).collect();
    let stem = path.file_stem().unwrap().to_string_lossy();
    let identifiers = stem.split('-').take_while(|part| {
        part.len() == 3 && part[..1].chars().all(char::is_alphabetic) && part[1..].parse::<u8>().is_ok()
    });
    let identifiers: Vec<String> =
        identifiers.map(|part| format!("{}-{}", part[..1].to_uppercase(), &part[1..])).collect();
    !identifiers.is_empty() && identifiers.iter().all(|identifier| named.contains(&identifier.as_str()))
}

/// How many scenarios each group has.
const GROUPS: [(char, usize); 15] = [
    ('A', 10),
    ('B', 14),
    ('C', 12),
    ('D', 9),
    ('E', 9),
    ('F', 7),
    ('G', 16),
    ('H', 20),
    ('I', 9),
    ('J', 14),
    ('K', 16),
    ('L', 18),
    ('M', 8),
    ('N', 10),
    ('O', 12),
];

/// What no dialogue can say, and the test that does: ten thousand seeds, a machine that sleeps, all the prefixes of two
/// octets, a kernel that sends cookies.
const ELSEWHERE: [(&str, &str); 4] = [
    ("B-14", "tests/transfer/bulk.rs"),
    ("J-14", "tests/driver/trouble.rs"),
    ("L-08", "src/tcp/options/read.rs"),
    ("O-03", "tests/netns/closes.rs"),
];

/// No scenario is without its file, or its test.
pub(crate) fn are_all_told(titles: &str) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (identifier, file) in ELSEWHERE {
        let name = identifier.to_lowercase().replace('-', "") + "_";
        let text = fs::read_to_string(root.join(file))?;
        if !(text.contains(identifier) || text.contains(&name)) {
            return Err(format!("{identifier} is not in {file}").into());
        }
    }
    let all = GROUPS.iter().flat_map(|(group, most)| (1..=*most).map(move |n| format!("{group}-{n:02}")));
    let missing: Vec<String> = all
        .filter(|identifier| !titles.split_whitespace().any(|word| word == identifier))
        .filter(|identifier| ELSEWHERE.iter().all(|(elsewhere, _)| elsewhere != identifier))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("without a dialogue: {missing:?}").into()) }
}
