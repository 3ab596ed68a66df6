//! What can be typed to have an exchange in files, besides the report.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::record::Keep;
use crate::report::svg::{Spacing, Style, Theme};

/// Pictures, and a recording.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Files")]
pub struct FilesArgs {
    /// What shows the exchange as a whole
    #[command(flatten)]
    pub pictures: PictureArgs,

    /// Record each packet as pcapng, both ways, with what its step means as a comment, for Wireshark and tshark
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
}

impl FilesArgs {
    /// Each option that was given, and its file.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.pictures.given().chain(self.pcap.as_deref().map(|path| ("--pcap", path)))
    }

    /// How much of each packet is wanted.
    pub const fn keep(&self) -> Keep {
        if self.pcap.is_some() { Keep::Whole } else { Keep::Headers }
    }
}

/// What shows one exchange as a whole.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Files")]
pub struct PictureArgs {
    /// Draw the exchange as a picture, with the states of both ends. '-', here and below, is standard output; the
    /// report goes to standard error then
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// How far the picture's steps are apart
    #[arg(long, value_enum, default_value_t, value_name = "SPACING", requires = "svg")]
    pub svg_spacing: SvgSpacing,

    /// The picture's colours
    #[arg(long, value_enum, default_value_t, value_name = "THEME", requires = "svg")]
    pub svg_theme: SvgTheme,

    /// Write the exchange as a Mermaid sequence diagram, for Markdown and wikis
    #[arg(long, value_name = "FILE")]
    pub mermaid: Option<PathBuf>,

    /// Write the exchange as a page of HTML that needs nothing else, to be played and looked into bit by bit
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl PictureArgs {
    /// Each option that was given, and its file.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let all = [("--svg", &self.svg), ("--mermaid", &self.mermaid), ("--html", &self.html)];
        all.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// The first option that was given.
    pub fn first(&self) -> Option<&'static str> {
        self.given().map(|(option, _)| option).next()
    }

    /// How the picture is drawn.
    pub fn svg_style(&self) -> Style {
        Style { spacing: self.svg_spacing.into(), theme: self.svg_theme.into() }
    }
}

/// How far steps are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SvgSpacing {
    /// As far as their words need
    #[default]
    Even,
    /// Farther, in proportion to the time between them
    Time,
}

impl From<SvgSpacing> for Spacing {
    fn from(spacing: SvgSpacing) -> Self {
        match spacing {
            SvgSpacing::Even => Self::Even,
            SvgSpacing::Time => Self::Time,
        }
    }
}

/// The colours of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SvgTheme {
    /// As the system of whoever looks at it has it
    #[default]
    Auto,
    /// On white
    Light,
    /// On black
    Dark,
}

impl From<SvgTheme> for Theme {
    fn from(theme: SvgTheme) -> Self {
        match theme {
            SvgTheme::Auto => Self::Auto,
            SvgTheme::Light => Self::Light,
            SvgTheme::Dark => Self::Dark,
        }
    }
}
