//! `tcpshake draw`: an exchange that was recorded, or a connection of anybody's capture.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;

use super::args::{DrawArgs, FilesArgs, FormatKind, OutputArgs, TellArgs, Which};
use super::error::{Failure, written};
use super::exit::Exit;
use super::files::{Files, Others};
use super::look::{self, Reports};
use super::rewound;
use crate::capture::{self, CaptureError, Contents, PassedOver, Told, TraceError};
use crate::driver::Observer;
use crate::record::connection::Connection;
use crate::report::json::Json;
use crate::report::ladder::Ladder;
use crate::report::text::clean;
use crate::report::verdict::Verdict;
use crate::report::{Format, connections};

pub(super) fn run(args: &DrawArgs) -> Result<Exit, Failure> {
    let source = Source::open(&args.file)?;
    let contents = capture::survey(source.rewound()?).map_err(|error| source.cannot(&error))?;
    if args.list {
        list(&contents, &args.output)?;
    } else {
        let connection = source.choose(&contents, args.connection)?;
        let wanted = FilesArgs { pictures: args.pictures.clone(), pcap: None };
        let read = Some(&source.file);
        let mut files = Files::open(&wanted, &Others { written: None, read })?;
        draw(&source, connection, args, &mut files)?;
        files.finish()?;
    }
    source.tell_passed_over(contents.passed_over);
    source.conclude(contents.damage)
}

/// A file that is read twice, and its name.
struct Source {
    file: File,
    name: String,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let name = match path.as_os_str() {
            dash if dash == "-" => "standard input".to_owned(),
            _ => format!("'{}'", path.display()),
        };
        let file =
            rewound::open(path).map_err(|error| Failure::cannot(format_args!("read {name}"), &error))?;
        Ok(Self { file, name })
    }

    fn rewound(&self) -> Result<&File, Failure> {
        let rewound = (&self.file).rewind();
        rewound.map_err(|error| Failure::cannot(format_args!("read {}", self.name), &error))?;
        Ok(&self.file)
    }

    fn cannot(&self, error: &CaptureError) -> Failure {
        Failure::not_possible(format_args!("cannot read {}: {error}", self.name))
    }

    /// The connection asked for, or the first that is whole, or the first; says which, if there are several.
    fn choose<'c>(&self, contents: &'c Contents, which: Option<Which>) -> Result<&'c Connection, Failure> {
        let all = &contents.connections;
        if all.is_empty() {
            return Err(Failure::not_possible(format_args!("no TCP connection in {}", self.name)));
        }
        let found = match which {
            Some(Which::Number(number)) => all.iter().find(|connection| connection.number == number),
            Some(Which::End(end)) => whole(all.iter().filter(|connection| has(connection, end))),
            None => whole(all.iter()),
        };
        let Some(found) = found else {
            let count = all.len();
            return Err(Failure::usage(format_args!(
                "there is no such connection among the {count} of {} (--list shows them)",
                self.name
            )));
        };
        let of_end = |end| all.iter().filter(|connection| has(connection, end)).count();
        let (count, what) = match which {
            Some(Which::Number(_)) => (1, ""),
            Some(Which::End(end)) => (of_end(end), " with that end"),
            None => (all.len(), ""),
        };
        if count > 1 {
            self.note(format_args!(
                "of {count} connections{what} number {} is drawn (--list shows them, --connection chooses)",
                found.number
            ));
        }
        Ok(found)
    }

    fn tell_passed_over(&self, passed_over: PassedOver) {
        let PassedOver { other, links, unreadable, beyond } = passed_over;
        let told = [
            (links, "packets of link types that are not read"),
            (unreadable, "packets that cannot be read, or are fragments"),
            (beyond, "segments of connections beyond the most that are told apart"),
            (other, "packets without TCP"),
        ];
        let told: Vec<String> = told
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if !told.is_empty() {
            self.note(format_args!("passed over: {}", told.join(", ")));
        }
    }

    /// A capture that was stopped in the midst of a packet is as good as any other.
    fn conclude(&self, damage: Option<CaptureError>) -> Result<Exit, Failure> {
        match damage {
            None => Ok(Exit::Success),
            Some(error @ CaptureError::CutShort) => {
                self.note(format_args!("{error}"));
                Ok(Exit::Success)
            }
            Some(error) => {
                Err(Failure::not_possible(format_args!("cannot read all of {}: {error}", self.name)))
            }
        }
    }

    /// On standard error, beside the drawing.
    fn note(&self, what: std::fmt::Arguments<'_>) {
        let line = clean(&format!("tcpshake: {}: {what}", self.name));
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The first that is whole, or the first.
fn whole<'c>(mut all: impl Iterator<Item = &'c Connection> + Clone) -> Option<&'c Connection> {
    all.clone().find(|connection| connection.is_whole()).or_else(|| all.next())
}

fn has(connection: &Connection, end: SocketAddr) -> bool {
    connection.local == end || connection.remote == end
}

fn list(contents: &Contents, args: &OutputArgs) -> Result<(), Failure> {
    let mut out = Sink::new(Reports::ToStandardOutput);
    let all = &contents.connections;
    let told = match args.format {
        FormatKind::Json => {
            let mut json = Json::default();
            all.iter().try_for_each(|connection| out.tell(|text| json.connection(connection, text)))
        }
        FormatKind::Ladder => {
            let widest = all.iter().map(|it| connections::ends(it).chars().count()).max().unwrap_or_default();
            let heading = if args.quiet { String::new() } else { connections::heading(widest) };
            out.tell(|text| text.push_str(&heading)).and_then(|()| {
                all.iter().try_for_each(|it| out.tell(|text| connections::line(it, widest, text)))
            })
        }
    };
    written(told.and_then(|()| out.flush()))
}

fn draw(source: &Source, connection: &Connection, args: &DrawArgs, files: &mut Files) -> Result<(), Failure> {
    let mut out = Sink::new(files.reports());
    let mut format = format_of(files.reports(), &args.output, args.tell);
    let quiet = args.output.quiet;
    let mut ended = false;
    let mut drawn = connection.clone();
    let mut tell = |told: Told| {
        match &told {
            Told::Begin(opening) => files.begin(opening),
            Told::Step(step) => files.step(step),
            Told::Opened(negotiation) => files.opened(negotiation),
            Told::End(summary) => files.end(summary),
        }
        ended |= matches!(told, Told::End(_));
        out.tell(|text| match told {
            Told::Step(_) | Told::Opened(_) if quiet => {}
            Told::Begin(opening) => {
                if opening.local != connection.local {
                    drawn = connection.reversed();
                }
                format.begin(&opening, text);
            }
            Told::Step(step) => format.step(&step, text),
            Told::Opened(negotiation) => format.opened(&negotiation, text),
            Told::End(summary) => format.end(&summary, text),
        })
    };
    // What else may end it, the survey has found before.
    let traced = capture::trace(source.rewound()?, connection, args.from.into(), &mut tell);
    if let Err(TraceError::Told(error)) = traced {
        return written(Err(error));
    }
    let closing = |text: &mut String| {
        if !ended {
            format.connection(&drawn, text);
        }
    };
    written(out.tell(closing).and_then(|()| out.flush()))
}

fn format_of(reports: Reports, args: &OutputArgs, tell: TellArgs) -> Box<dyn Format> {
    match (args.format, args.quiet) {
        (FormatKind::Json, _) => Box::new(Json::default()),
        (FormatKind::Ladder, true) => Box::new(Verdict::default()),
        (FormatKind::Ladder, false) => Box::new(Ladder::new(look::style(reports, args, tell))),
    }
}

/// Where the drawing goes, written as it comes: however long it is, none of it is kept.
struct Sink {
    out: BufWriter<Box<dyn Write>>,
    text: String,
}

impl Sink {
    fn new(reports: Reports) -> Self {
        Self { out: BufWriter::new(reports.sink()), text: String::new() }
    }

    fn tell(&mut self, write: impl FnOnce(&mut String)) -> io::Result<()> {
        self.text.clear();
        write(&mut self.text);
        self.out.write_all(self.text.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
