//! What `demo` shows, and how fast.

use std::time::Duration;

use clap::ArgAction;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{FilesArgs, OutputArgs};
use crate::lesson::Scenario;

/// Arguments of `demo`.
#[expect(clippy::struct_excessive_bools, reason = "an option of the command line is there or it is not")]
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// What to show; --list tells what there is
    #[arg(value_parser = scenario(), default_value = Scenario::default().name(), hide_possible_values = true)]
    pub scenario: Scenario,

    /// List the scenarios, and do nothing else
    #[arg(long, conflicts_with_all = ["simulate", "all"])]
    pub list: bool,

    /// Run both ends inside this process: nothing is asked of the kernel
    #[arg(long, action = ArgAction::SetTrue)]
    pub simulate: bool,

    /// Slow simulated time down: to what people can follow ('human'), or to so many seconds for each that passes;
    /// nothing is waited for longer than ten seconds
    #[arg(long, value_name = "FACTOR", requires = "simulate", value_parser = Pace::read)]
    pub pace: Option<Pace>,

    /// Write all scenarios, simulated, as a course of pages into the folder given with --html
    #[arg(long, requires = "html", conflicts_with_all = ["simulate", "scenario", "svg", "mermaid", "pcap"])]
    pub all: bool,

    /// Wait for Enter before each segment of ours leaves; times leave the waits out. Where standard input ends, the rest
    /// goes on by itself
    #[arg(long, help_heading = "Output", conflicts_with_all = ["quiet", "all", "list"])]
    pub step: bool,

    /// Show the headers of each packet, octet by octet and field by field
    #[arg(short = 'x', long, help_heading = "Output", conflicts_with = "quiet")]
    pub hex: bool,

    /// How results are shown
    #[command(flatten)]
    pub output: OutputArgs,

    /// Files besides
    #[command(flatten)]
    pub files: FilesArgs,
}

/// Reads the name of a scenario.
fn scenario() -> impl TypedValueParser<Value = Scenario> {
    PossibleValuesParser::new(Scenario::ALL.map(Scenario::name))
        .map(|name| Scenario::named(&name).unwrap_or_default())
}

/// How fast simulated time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So that people can follow, whatever passes.
    Human,
    /// So many times slower.
    Times(f64),
}

impl Pace {
    /// Nothing is waited for longer.
    const MOST: Duration = Duration::from_secs(10);

    /// How long to wait for what took `passed` on the wire.
    pub fn wait(self, passed: Duration) -> Duration {
        const LEAST: Duration = Duration::from_millis(800);
        const MOST: Duration = Duration::from_secs(3);
        match self {
            Self::Human => passed.clamp(LEAST, MOST),
            Self::Times(factor) => passed.mul_f64(factor).min(Self::MOST),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        const MOST: f64 = 1000.0;
        if text == "human" {
            return Ok(Self::Human);
        }
        let factor = text.parse().ok().filter(|factor| (0.0..=MOST).contains(factor));
        factor.map(Self::Times).ok_or_else(|| format!("'human', or a number from 0 to {MOST}, is needed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_factor_within_bounds() {
        let (tenth, long) = (Duration::from_millis(10), Duration::from_secs(240));
        let waits = |text: &str| Pace::read(text).map(|pace| [pace.wait(tenth), pace.wait(long)]);
        assert_eq!(waits("human").unwrap(), [Duration::from_millis(800), Duration::from_secs(3)]);
        assert_eq!(waits("20").unwrap(), [Duration::from_millis(200), Duration::from_secs(10)]);
        assert_eq!(waits("0").unwrap(), [Duration::ZERO; 2]);
        for wrong in ["", "fast", "-1", "1e9", "NaN", "inf"] {
            assert!(waits(wrong).is_err(), "{wrong}");
        }
    }
}
