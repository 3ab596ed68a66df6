//! What `demo` shows, and how fast.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::lesson::Scenario;

/// Reads the name of a scenario.
pub(super) fn scenario() -> impl TypedValueParser<Value = Scenario> {
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

    pub(super) fn read(text: &str) -> Result<Self, String> {
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
