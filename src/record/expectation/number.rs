//! Decimal numbers and times, exact: what is read is what is written.

use std::time::Duration;

/// A number with up to `places` decimals, times ten to the power of `places`.
pub(super) fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = places.checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}

/// The reverse of [`decimal`], without zeros that say nothing.
pub(super) fn trimmed(number: u64, places: usize) -> String {
    let unit = 10_u64.pow(places as u32);
    let decimals = format!("{:0places$}", number % unit);
    let decimals = decimals.trim_end_matches('0');
    let whole = number / unit;
    if decimals.is_empty() { whole.to_string() } else { format!("{whole}.{decimals}") }
}

/// The units of a time, and how many decimals make it nanoseconds; `s` last, for it ends the others.
const UNITS: [(&str, usize); 3] = [("us", 3), ("ms", 6), ("s", 9)];

/// `20ms`, `0.5s`: more than nothing, and no more than a day.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const MOST: u64 = 86_400_000_000_000;
    let unit = UNITS.into_iter().find_map(|(unit, places)| Some((text.strip_suffix(unit)?, places)));
    match unit.and_then(|(number, places)| decimal(number, places)) {
        Some(nanos @ 1..=MOST) => Ok(Duration::from_nanos(nanos)),
        _ => Err(format!("'{text}' is no time (write 500us, 20ms or 1.5s: from 1 nanosecond to a day)")),
    }
}

/// The reverse of [`duration`], in the greatest unit of which there is one.
pub(super) fn written(time: Duration) -> String {
    let nanos = time.as_nanos() as u64;
    let fits = |(_, places): &(&str, usize)| nanos >= 10_u64.pow(*places as u32);
    let (unit, places) = UNITS.into_iter().rev().find(fits).unwrap_or(("us", 3));
    format!("{}{unit}", trimmed(nanos, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, places, number) in [
            ("0", 0, Some(0)),
            ("007", 0, Some(7)),
            ("1.5", 3, Some(1500)),
            ("1.5000000", 1, Some(15)),
            ("0.1", 9, Some(100_000_000)),
            ("1.25", 1, None),
            ("1.", 3, None),
            (".5", 3, None),
            ("+1", 0, None),
            ("1e3", 0, None),
            ("", 0, None),
            ("\u{663}", 0, None),
            ("18446744073709551616", 0, None),
        ] {
            assert_eq!(decimal(text, places), number, "{text}");
        }
        assert_eq!([trimmed(1500, 3), trimmed(5, 3), trimmed(2000, 3)], ["1.5", "0.005", "2"]);
    }

    #[test]
    fn a_time_is_written_in_its_greatest_unit() {
        for (nanos, text) in
            [(1, "0.001us"), (999_999, "999.999us"), (1_000_000, "1ms"), (60_000_000_000, "60s")]
        {
            assert_eq!(written(Duration::from_nanos(nanos)), text);
            assert_eq!(duration(text).unwrap(), Duration::from_nanos(nanos));
        }
    }
}
