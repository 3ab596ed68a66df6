//! What a ladder is drawn on: how wide, in which colours, with which numbers.

/// Columns of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width(usize);

impl Width {
    /// Where nothing is known of the terminal, and the least a ladder needs.
    pub const LEAST: usize = 80;
    /// Arrows longer than this lead the eye astray.
    pub const MOST: usize = 200;

    /// As many columns as there are, within what a ladder can be drawn in.
    pub const fn of(columns: usize) -> Self {
        Self(if columns < Self::LEAST {
            Self::LEAST
        } else if columns > Self::MOST {
            Self::MOST
        } else {
            columns
        })
    }

    /// How many columns.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for Width {
    fn default() -> Self {
        Self(Self::LEAST)
    }
}

/// Which sequence and acknowledgment numbers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// As on the wire, and in parentheses counted from the initial ones.
    #[default]
    Both,
    /// As on the wire.
    Absolute,
    /// Counted from the initial ones, where those are known.
    Relative,
}

impl Numbers {
    /// Columns between the lifelines from which on the numbers of every usual segment stand on its arrow.
    pub(super) const fn on_arrow_from(self) -> usize {
        match self {
            Self::Both => 96,
            Self::Absolute | Self::Relative => 70,
        }
    }

    /// `4322 (1)`, `4322` or `1`.
    pub(super) fn show(self, absolute: u32, relative: Option<u32>) -> String {
        match (self, relative) {
            (Self::Both, Some(relative)) => format!("{absolute} ({relative})"),
            (Self::Relative, Some(relative)) => relative.to_string(),
            (_, None) | (Self::Absolute, _) => absolute.to_string(),
        }
    }
}

/// Width, colours and numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canvas {
    /// Whether colours are wanted.
    pub color: bool,
    /// How wide it is.
    pub width: Width,
    /// Which numbers are shown.
    pub numbers: Numbers,
}
