//! Ports as they are typed: `22,80,8000-8010`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::super::target;

/// One port or more, each once, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(Vec<RangeInclusive<u16>>);

impl Ports {
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|range| u32::from(range.end() - range.start()) + 1).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().cloned().flatten()
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ranges: Result<Vec<_>, String> = text.split(',').map(range).collect();
        let mut ranges = ranges?;
        ranges.sort_unstable_by_key(|range| *range.start());
        ranges.dedup_by(|next, range| {
            let overlaps = next.start() <= range.end();
            if overlaps {
                *range = *range.start()..=*range.end().max(next.end());
            }
            overlaps
        });
        Ok(Self(ranges))
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let number = |port: &str| match port {
        "" => Err(format!("'{text}' lacks a port (write 22,80,8000-8010)")),
        port => target::number(port).map_err(|failure| failure.to_string()),
    };
    let Some((first, last)) = text.split_once('-') else { return number(text).map(|port| port..=port) };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(format!("'{text}' ends before it begins (write {last}-{first})"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_once() {
        for (text, ports) in [
            ("22", &[22][..]),
            ("80,22", &[22, 80]),
            ("65533-65535", &[65_533, 65_534, 65_535]),
            ("3-5,4-6,5,9,3-3", &[3, 4, 5, 6, 9]),
        ] {
            let read: Ports = text.parse().unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), ports, "{text}");
            assert_eq!(read.count() as usize, ports.len());
        }
        assert_eq!("1-65535".parse::<Ports>().unwrap().count(), 65_535);
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (text, words) in [
            ("22,,80", "'' lacks a port (write 22,80,8000-8010)"),
            ("22,", "lacks a port"),
            ("-80", "'-80' lacks a port"),
            ("80-", "'80-' lacks a port"),
            ("0", "'0' is no port"),
            ("1-65536", "'65536' is no port"),
            ("ssh", "'ssh' is no port (a number from 1 to 65535)"),
            ("90-80", "'90-80' ends before it begins (write 80-90)"),
        ] {
            let error = text.parse::<Ports>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
