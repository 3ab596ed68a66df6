//! How results look where they go: width, colours, characters.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use super::args::{ColorWhen, FormatKind, OutputArgs, TellArgs};
use crate::lesson;
use crate::record::{Role, Step};
use crate::report::canvas::{Canvas, Width};
use crate::report::ladder::Style;
use crate::report::text::Charset;

/// Where reports go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    ToStandardOutput,
    /// Standard output carries the peer's text.
    ToStandardError,
}

impl Reports {
    fn is_terminal(self) -> bool {
        match self {
            Self::ToStandardOutput => io::stdout().is_terminal(),
            Self::ToStandardError => io::stderr().is_terminal(),
        }
    }

    /// Columns of the terminal they go to.
    fn width(self) -> Width {
        let size = match self {
            Self::ToStandardOutput => terminal_size::terminal_size_of(io::stdout()),
            Self::ToStandardError => terminal_size::terminal_size_of(io::stderr()),
        };
        size.map_or_else(Width::default, |(columns, _)| Width::of(columns.0.into()))
    }

    pub(super) fn sink(self) -> Box<dyn Write> {
        match self {
            Self::ToStandardOutput => Box::new(io::stdout()),
            Self::ToStandardError => Box::new(io::stderr()),
        }
    }
}

/// JSON is read by programs, which know Unicode.
pub(super) const fn charset(args: &OutputArgs) -> Charset {
    match args.format {
        FormatKind::Ladder if args.ascii => Charset::Ascii,
        FormatKind::Ladder | FormatKind::Json => Charset::Unicode,
    }
}

/// Colours as wanted, for all that is written from here on.
pub(super) fn style(reports: Reports, args: &OutputArgs, tell: TellArgs) -> Style {
    let color = wants_color(args.color, reports.is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    colored::control::set_override(color);
    let canvas =
        Canvas { color, width: args.width.unwrap_or_else(|| reports.width()), numbers: args.numbers.into() };
    let explain: Option<fn(Role, &Step) -> String> = if tell.explain { Some(lesson::sentence) } else { None };
    Style { canvas, verbose: args.verbose, hex: tell.hex, explain }
}

/// Whether what goes to standard output is to be coloured; said to all that colours from here on.
pub(super) fn wants_color_on_stdout(when: ColorWhen) -> bool {
    let color = wants_color(when, io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    colored::control::set_override(color);
    color
}

/// NO_COLOR counts if it is not empty (no-color.org), and only against what was not asked for.
fn wants_color(when: ColorWhen, terminal: bool, no_color: Option<&OsStr>) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => terminal && no_color.is_none_or(OsStr::is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_pipes_are_respected() {
        use ColorWhen::{Always, Auto, Never};
        let (set, empty) = (Some(OsStr::new("1")), Some(OsStr::new("")));
        for (when, terminal, no_color, expected) in [
            (Auto, true, None, true),
            (Auto, true, empty, true),
            (Auto, true, set, false),
            (Auto, false, None, false),
            (Always, false, set, true),
            (Never, true, None, false),
        ] {
            assert_eq!(wants_color(when, terminal, no_color), expected, "{when:?} {terminal} {no_color:?}");
        }
    }
}
