//! How results are shown.

use clap::ValueEnum;

use crate::report::canvas::{Numbers, Width};

/// How results are shown.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to write the exchange down
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: FormatKind,

    /// When to use colours; NO_COLOR in the environment turns auto off
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Print only the closing line
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Tell at each step which rule decided, and the connection's variables
    #[arg(short, long)]
    pub verbose: bool,

    /// Columns of the ladder, 80 to 200 [default: the terminal's]
    #[arg(long, value_name = "COLUMNS", value_parser = width)]
    pub width: Option<Width>,

    /// Which sequence and acknowledgment numbers the ladder shows
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub numbers: NumbersKind,

    /// Draw with ASCII alone
    #[arg(long)]
    pub ascii: bool,
}

/// How much is told of each step.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct TellArgs {
    /// Say in plain words what each step means, and by which section of which RFC
    #[arg(long, conflicts_with = "quiet")]
    pub explain: bool,

    /// Show the headers of each packet, octet by octet and field by field
    #[arg(short = 'x', long, conflicts_with = "quiet")]
    pub hex: bool,
}

/// Which numbers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NumbersKind {
    /// As on the wire, and in parentheses counted from the initial ones
    #[default]
    Both,
    /// As on the wire
    Absolute,
    /// Counted from the initial ones, which count as 0
    Relative,
}

impl From<NumbersKind> for Numbers {
    fn from(kind: NumbersKind) -> Self {
        match kind {
            NumbersKind::Both => Self::Both,
            NumbersKind::Absolute => Self::Absolute,
            NumbersKind::Relative => Self::Relative,
        }
    }
}

fn width(typed: &str) -> Result<Width, String> {
    let columns: Option<usize> = typed.parse().ok();
    let columns = columns.filter(|columns| (Width::LEAST..=Width::MOST).contains(columns));
    let range = || format!("a number of columns from {} to {} is expected", Width::LEAST, Width::MOST);
    columns.map(Width::of).ok_or_else(range)
}

/// Formats of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatKind {
    /// Two lifelines, a rung for each step
    #[default]
    Ladder,
    /// One JSON object a line
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// If standard output is a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
