//! From what was typed to the list.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::exclude::Exclude;
use super::lines;
use super::list::{Entry, List};
use super::seen::Seen;
use super::sets::Sets;
use super::shard::Shard;
use super::tables;
use super::trouble::Trouble;
use super::written::Written;
use crate::cause::cause;
use crate::record::expectation::Expectations;

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Targets.
    pub targets: Vec<String>,
    /// Files of targets; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// What is expected where nothing else is said, one each.
    pub expect: Vec<String>,
    /// Whom to leave out.
    pub exclude: Vec<String>,
    /// Files of whom to leave out, one a line.
    pub exclude_files: Vec<PathBuf>,
    /// Which part of all that to take.
    pub shard: Option<Shard>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Whom to speak to.
    pub list: List,
    /// Whom not: to be asked again once names are resolved.
    pub exclude: Exclude,
}

/// Reads everything, to the end: what is wrong is told all at once.
pub fn gather(asked: &Asked) -> Result<Gathered, Trouble> {
    let mut gathering = Gathering { shard: asked.shard, ..Gathering::default() };
    gathering.read_excluded(asked);
    match Expectations::read(asked.expect.iter().map(String::as_str))
        .and_then(|set| gathering.sets.number(set))
    {
        Ok(set) => gathering.default = set,
        Err(why) => gathering.trouble.add("--expect", why),
    }
    for (number, text) in (1..).zip(&asked.targets) {
        gathering.target(format_args!("target {number}"), text, gathering.default);
    }
    for path in &asked.files {
        gathering.file(path);
    }
    gathering.finish()
}

#[derive(Debug, Default)]
pub(super) struct Gathering {
    pub(super) list: List,
    seen: Seen,
    sets: Sets,
    /// The number of what is expected where nothing else is said.
    default: u16,
    exclude: Exclude,
    shard: Option<Shard>,
    /// Targets gone through, those of other parts included.
    candidates: u128,
    /// Whether there are too many; more are not taken, but their lines are read.
    is_full: bool,
    pub(super) trouble: Trouble,
}

/// Going through more takes minutes, even if another part of the list has nearly all of them.
const MOST_CANDIDATES: u128 = 1 << 32;

/// A file in TOML is kept as a tree, which takes many times its octets.
const MOST_TOML: u64 = 16 << 20;

impl Gathering {
    fn read_excluded(&mut self, asked: &Asked) {
        let (exclude, trouble) = (&mut self.exclude, &mut self.trouble);
        for text in &asked.exclude {
            exclude.add(text).unwrap_or_else(|why| trouble.add("--exclude", why));
        }
        for path in &asked.exclude_files {
            let name = named(path);
            let read = open(path).and_then(|mut input| {
                lines::read(&mut input, |number, line| {
                    let entry =
                        line.map(|line| line.split_whitespace().take_while(|word| !word.starts_with('#')));
                    let added = entry.and_then(|words| exclude.add(&words.collect::<Vec<_>>().join(" ")));
                    added.unwrap_or_else(|why| trouble.add(format_args!("{name}:{number}"), why));
                })
            });
            read.unwrap_or_else(|error| unreadable(trouble, &name, &error));
        }
        exclude.seal();
    }

    fn file(&mut self, path: &Path) {
        let name = named(path);
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let read = open(path).and_then(|mut input| {
            if is_toml { self.tables(&name, &mut input) } else { self.lines(&name, &mut input) }
        });
        read.unwrap_or_else(|error| unreadable(&mut self.trouble, &name, &error));
    }

    pub(super) fn lines(&mut self, name: &str, input: &mut impl BufRead) -> io::Result<()> {
        lines::read(input, |number, line| {
            let place = format_args!("{name}:{number}");
            let read = line.and_then(|line| {
                let (target, expected) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let expected = expected.trim_start();
                let says_nothing = expected.is_empty() || expected.starts_with('#');
                Ok((target, if says_nothing { self.default } else { self.sets.line(expected)? }))
            });
            match read {
                Ok((target, set)) => self.target(place, target, set),
                Err(why) => self.trouble.add(place, why),
            }
        })
    }

    fn tables(&mut self, name: &str, input: &mut impl Read) -> io::Result<()> {
        let mut octets = Vec::new();
        if input.take(MOST_TOML + 1).read_to_end(&mut octets)? as u64 > MOST_TOML {
            self.trouble.add(name, "the file is longer than 16 MiB (write one target a line, without toml)");
            return Ok(());
        }
        let text = match std::str::from_utf8(&octets) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                let before = octets.iter().take(error.valid_up_to());
                let line = before.filter(|octet| **octet == b'\n').count() + 1;
                self.trouble.add(format_args!("{name}:{line}"), "the line is not utf-8 (write utf-8)");
                return Ok(());
            }
        };
        let mut found = tables::read(text);
        let mut set = |expect: Option<(u64, Vec<String>)>, default: u16| {
            let Some((line, texts)) = expect else { return Some(default) };
            let set =
                Expectations::read(texts.iter().map(String::as_str)).and_then(|set| self.sets.number(set));
            set.map_err(|why| found.errors.push((line, why))).ok()
        };
        let default = set(found.expect, self.default);
        let targets = found
            .targets
            .into_iter()
            .map(|table| (set(table.expect, default.unwrap_or_default()), table.line, table.address));
        let targets: Vec<_> = targets.collect();
        found.errors.sort();
        for (line, why) in found.errors {
            self.trouble.add(format_args!("{name}:{line}"), why);
        }
        for (set, line, address) in targets {
            let Some(set) = set else { continue };
            self.target(format_args!("{name}:{line}"), &address, set);
        }
        Ok(())
    }

    /// Takes what one text stands for; whatever is wrong with it is one line.
    fn target(&mut self, place: fmt::Arguments<'_>, text: &str, set: u16) {
        let taken = text.parse().and_then(|written: Written| self.take(&written, set));
        taken.unwrap_or_else(|why| self.trouble.add(place, why));
    }

    fn take(&mut self, written: &Written, set: u16) -> Result<(), String> {
        if self.is_full {
            return Ok(());
        }
        self.candidates = self.candidates.saturating_add(written.count());
        if self.candidates > MOST_CANDIDATES {
            self.is_full = true;
            return Err(format!(
                "there are more than {MOST_CANDIDATES} targets up to here (write smaller blocks)"
            ));
        }
        let parts = self.shard.map_or(1, |shard| u128::from(shard.of()));
        let surely = self.candidates / 2 > u128::from(List::MOST) * parts; // half of them can be excluded
        if surely {
            return Err(self.full());
        }
        let mut label = String::new();
        let mut trouble = None;
        for host in written.hosts() {
            for port in written.ports.iter() {
                let entry = Entry { host, port, expectations: set };
                if let Some(why) = self.take_one(entry, &mut label)? {
                    trouble.get_or_insert(why);
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Takes one target. An error ends it all, a trouble is this target's only.
    fn take_one(&mut self, entry: Entry<'_>, label: &mut String) -> Result<Option<String>, String> {
        if let Some(shard) = self.shard {
            entry.label(label);
            if !shard.has(label) {
                return Ok(None);
            }
        }
        if self.exclude.has_host(entry.host) {
            self.list.excluded += 1;
            return Ok(None);
        }
        let Some(index) = self.seen.find(&self.list, entry) else {
            return if self.list.push(entry) { Ok(None) } else { Err(self.full()) };
        };
        self.list.duplicates += 1;
        let before = self.list.get(index).map_or(entry.expectations, |before| before.expectations);
        match self.sets.both(before, entry.expectations) {
            Ok(set) => {
                self.list.expect(index, set);
                Ok(None)
            }
            Err(why) => Ok(Some(format!("{entry} was named before: {why}"))),
        }
    }

    /// What to say of too many; enough parts for what has been seen, with room for chance.
    fn full(&mut self) -> String {
        self.is_full = true;
        let parts = self.candidates / u128::from(List::MOST) + 2;
        format!(
            "there are more than {} targets up to here (check a part in each run: --shard 1/{parts})",
            List::MOST
        )
    }

    fn finish(mut self) -> Result<Gathered, Trouble> {
        if !self.trouble.is_empty() {
            return Err(self.trouble);
        }
        self.list.shrink();
        self.list.expectations = self.sets.all;
        Ok(Gathered { list: self.list, exclude: self.exclude })
    }
}

fn named(path: &Path) -> String {
    if is_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    const PIECE: usize = 64 * 1024;
    if is_input(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(PIECE, File::open(path)?)))
}

fn unreadable(trouble: &mut Trouble, name: &str, error: &io::Error) {
    trouble.add(
        name,
        format_args!("cannot read it: {} (write the path of a file, or - for standard input)", cause(error)),
    );
}
