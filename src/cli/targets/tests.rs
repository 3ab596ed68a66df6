//! From files and arguments to the list.

use std::fs;
use std::path::PathBuf;

use super::gather::Gathering;
use super::{Asked, Exclude, Gathered, List, gather};

/// A file that is gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, octets: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("tcpshake-targets-{}-{name}", std::process::id()));
        fs::write(&path, octets).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn asked(targets: &[&str]) -> Asked {
    Asked { targets: texts(targets), ..Asked::default() }
}

fn labels(list: &List) -> Vec<String> {
    list.iter().map(|entry| entry.to_string()).collect()
}

/// `HOST:PORT expectations`.
fn told(list: &List) -> Vec<String> {
    let set = |index: u16| &list.expectations()[usize::from(index)];
    list.iter().map(|entry| format!("{entry} {}", set(entry.expectations))).collect()
}

fn wrong(asked: &Asked) -> Vec<String> {
    gather(asked).unwrap_err().lines().collect()
}

#[test]
fn arguments_become_a_list() {
    let gathered = gather(&asked(&["10.0.0.0/30:22,80", "[fd99::/127]:1", "Example.org:443"])).unwrap();
    assert_eq!(
        labels(&gathered.list),
        [
            "10.0.0.1:22",
            "10.0.0.1:80",
            "10.0.0.2:22",
            "10.0.0.2:80",
            "[fd99::]:1",
            "[fd99::1]:1",
            "example.org:443"
        ]
    );
    assert_eq!(gather(&Asked::default()).unwrap().list.len(), 0);
}

#[test]
fn lines_say_what_they_expect_and_the_others_the_default() {
    let file = Scratch::new(
        "lines",
        "\u{feff}# all of them\r\n\r\n10.0.0.1:22 rtt<20ms # near\r\n10.0.0.2:22\tbanner~^a # b, c \r\n10.0.0.3:22 # bare\r\n",
    );
    let asked =
        Asked { files: vec![file.0.clone()], expect: texts(&["closes-cleanly"]), ..asked(&["10.0.0.4:1"]) };
    assert_eq!(
        told(&gather(&asked).unwrap().list),
        [
            "10.0.0.4:1 open closes-cleanly",
            "10.0.0.1:22 open rtt<20ms",
            "10.0.0.2:22 open banner~^a # b, c",
            "10.0.0.3:22 open closes-cleanly",
        ]
    );
}

#[test]
fn toml_says_the_same() {
    let file = Scratch::new(
        "tables.toml",
        "expect = ['mss>=1']\n[[target]]\naddress = '10.0.0.0/31:22'\n[[target]]\naddress = 'h:1'\nexpect = ['silent']\n",
    );
    let asked = Asked { files: vec![file.0.clone()], ..asked(&["10.0.0.4:1"]) };
    assert_eq!(
        told(&gather(&asked).unwrap().list),
        ["10.0.0.4:1 open", "10.0.0.0:22 open mss>=1", "10.0.0.1:22 open mss>=1", "h:1 silent"]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let lines = Scratch::new("wrong", b"10.0.0.1:22\nhost\n10.0.0.1:22 opened\n\x1b[2J:1\n\xff\n\0\n");
    let tables = Scratch::new(
        "wrong.toml",
        "[[target]]\naddress = 'h'\n[[target]]\naddress = 'h:1'\nexpect = ['x']\n",
    );
    let latin = Scratch::new("latin.toml", b"# one\n# \xe9\n");
    let excluded = Scratch::new("excluded", "10.0.0.0/8 # ours\n10.0.0.1/8\n");
    let all = wrong(&Asked {
        files: [&lines.0, &tables.0, &latin.0, &PathBuf::from("/nonexistent")].map(PathBuf::clone).to_vec(),
        expect: texts(&["open", "refused"]),
        exclude: texts(&["10.0.0.1:22"]),
        exclude_files: vec![excluded.0.clone()],
        ..asked(&["h:1", "224.0.0.1:1"])
    });
    let places = [
        "--exclude: '10.0.0.1:22' is no address to exclude".to_owned(),
        format!("{}:2: '10.0.0.1/8' is a host in a block", excluded.0.display()),
        "--expect: 'open' and 'refused' cannot both be so".to_owned(),
        "target 2: cannot connect to 224.0.0.1".to_owned(),
        format!("{}:2: the port is missing (write host:PORT)", lines.0.display()),
        format!("{}:3: 'opened' is no expectation", lines.0.display()),
        format!("{}:4: '\\u{{1b}}[2J' is no host name", lines.0.display()),
        format!("{}:5: octet 1 is not utf-8", lines.0.display()),
        format!("{}:6: octet 1 is zero", lines.0.display()),
        format!("{}:5: 'x' is no expectation", tables.0.display()),
        format!("{}:2: the port is missing", tables.0.display()),
        format!("{}:2: the line is not utf-8", latin.0.display()),
        "/nonexistent: cannot read it: no such file or directory".to_owned(),
    ];
    assert_eq!(all.len(), places.len(), "{all:#?}");
    for (line, place) in all.iter().zip(&places) {
        assert!(line.starts_with(place), "{line}\n{place}");
    }
}

#[test]
fn what_is_named_twice_is_one_target_and_counted() {
    let Gathered { list, .. } =
        gather(&asked(&["10.0.0.1:22", "[::ffff:10.0.0.1]:22,23", "H:1", "h:1", "h:2", "10.0.0.0/30:22"]))
            .unwrap();
    assert_eq!(labels(&list), ["10.0.0.1:22", "10.0.0.1:23", "h:1", "h:2", "10.0.0.2:22"]);
    assert_eq!(list.duplicates(), 3);
}

#[test]
fn a_block_and_one_of_its_hosts_expect_together() {
    let file = Scratch::new("both", "10.0.0.0/30:22 rtt<1s\n10.0.0.1:22 banner~^SSH\n10.0.0.1:22 rtt<1s\n");
    let asked = Asked { files: vec![file.0.clone()], ..Asked::default() };
    let Gathered { list, .. } = gather(&asked).unwrap();
    assert_eq!(told(&list), ["10.0.0.1:22 open rtt<1s banner~^SSH", "10.0.0.2:22 open rtt<1s"]);
    assert_eq!(list.duplicates(), 2);
}

#[test]
fn what_cannot_both_be_so_is_one_line_for_a_whole_block() {
    let file = Scratch::new("torn", "10.0.0.0/24:22 open\n10.0.0.0/24:22 refused\n10.0.0.9:22\n");
    let all = wrong(&Asked { files: vec![file.0.clone()], ..Asked::default() });
    let words = "10.0.0.1:22 was named before: 'open' and 'refused' cannot both be so (leave one out)";
    assert_eq!(all, [format!("{}:2: {words}", file.0.display())]);
}

#[test]
fn the_excluded_are_left_out_and_counted() {
    let excluded = Scratch::new("leave", "# ours\n10.0.0.128/25\n\nexample.org # not this\n");
    let Gathered { list, exclude } = gather(&Asked {
        exclude: texts(&["10.0.0.1", "fd99::/64"]),
        exclude_files: vec![excluded.0.clone()],
        ..asked(&["10.0.0.0/24:22,80", "[fd99::1]:1", "EXAMPLE.org:1", "example.net:1"])
    })
    .unwrap();
    assert_eq!((list.len(), list.excluded()), (126 * 2 + 1, (1 + 127) * 2 + 2));
    assert!(exclude.has("10.0.0.200".parse().unwrap()) && !exclude.has("10.0.0.2".parse().unwrap()));
    assert_eq!(gather(&Asked::default()).unwrap().exclude, Exclude::default());
}

#[test]
fn more_than_fit_are_refused_with_a_way_out() {
    let words = "there are more than 16777216 targets up to here (check a part in each run: --shard 1/";
    let all = wrong(&asked(&["10.0.0.0/8:1-4", "11.0.0.0/8:1", "h"]));
    assert_eq!(
        all,
        [format!("target 1: {words}5)"), "target 3: the port is missing (write h:PORT)".to_owned(),]
    );
    let mut gathering = Gathering::default();
    gathering.lines("f", &mut "10.0.0.0/8:1-4".as_bytes()).unwrap();
    assert!(gathering.list.is_empty(), "what surely does not fit is not begun");
    let all = wrong(&asked(&["[fd99::/64]:1"]));
    assert!(all[0].ends_with("(write smaller blocks)"), "{all:?}");
}

/// A part of what does not fit as a whole.
#[test]
fn a_shard_of_much_is_little() {
    let Gathered { list, .. } =
        gather(&Asked { shard: Some("7/4096".parse().unwrap()), ..asked(&["10.0.0.0/14:22,80"]) }).unwrap();
    assert!((50..300).contains(&list.len()), "{}", list.len());
    let Gathered { list, .. } =
        gather(&Asked { shard: Some("1/4000000000".parse().unwrap()), ..asked(&["10.0.0.0/20:1"]) }).unwrap();
    assert!(list.len() <= 1);
}

/// Prints what a million targets take: `cargo test --release --lib a_million -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn a_million_lines() {
    let clock = crate::time::Clock::new();
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        status
            .lines()
            .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
            .collect::<String>()
    };
    let lines: String = (0..1_000_000_u32)
        .map(|number| {
            format!("{}:{}\n", std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), 22 + number % 3)
        })
        .collect();
    let file = Scratch::new("million", lines);
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let from = clock.now();
    let asked = Asked { files: vec![file.0.clone()], ..Asked::default() };
    let Gathered { list, .. } = gather(&asked).unwrap();
    println!("{} in {:?}; {before} -> {}", list.len(), clock.now().since(from), peak());
    for (target, shard) in [("10.0.0.0/8:1", Some("1/1000")), ("10.0.0.0/8:1", None)] {
        let from = clock.now();
        let shard = shard.map(|shard| shard.parse().unwrap());
        let Gathered { list, .. } = gather(&Asked { shard, ..self::asked(&[target]) }).unwrap();
        println!("{target} {shard:?}: {} in {:?}; {}", list.len(), clock.now().since(from), peak());
    }
    let all = wrong(&self::asked(&["10.0.0.0/8:1", "11.0.0.0/8:1"]));
    assert!(all.len() == 1 && all[0].ends_with("--shard 1/3)"), "{all:?}");
}
