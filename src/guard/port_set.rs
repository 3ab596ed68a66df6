//! Which ports: one, a range, or several of both.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A set of ports, never empty, kept as ranges in order that neither touch nor overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSet(Vec<RangeInclusive<u16>>);

/// What is wrong with a list of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortSetError {
    /// Not a number from 1 to 65535.
    #[error("a port is a number from 1 to 65535; several are written 40000,40010-40020")]
    NotAPort,
    /// A range that ends before it begins.
    #[error("a range of ports is written from the lower to the higher")]
    Backwards,
}

impl PortSet {
    /// One port.
    pub fn one(port: u16) -> Self {
        Self(vec![port..=port])
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().cloned().flatten()
    }

    /// How many there are, 1 to 65535.
    pub fn count(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether it is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// The lowest and the highest, if all between them are there too.
    pub fn as_range(&self) -> Option<(u16, u16)> {
        match &*self.0 {
            [range] => Some((*range.start(), *range.end())),
            _ => None,
        }
    }

    /// The lowest and the highest.
    pub fn ends(&self) -> (u16, u16) {
        let lowest = self.0.first().map_or(1, |range| *range.start());
        let highest = self.0.last().map_or(lowest, |range| *range.end());
        (lowest, highest)
    }
}

impl FromIterator<RangeInclusive<u16>> for PortSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().collect();
        sorted.sort_by_key(|range| *range.start());
        let mut joined: Vec<RangeInclusive<u16>> = Vec::new();
        for range in sorted {
            match joined.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*range.end().max(last.end());
                }
                _ => joined.push(range),
            }
        }
        Self(joined)
    }
}

impl FromStr for PortSet {
    type Err = PortSetError;

    fn from_str(text: &str) -> Result<Self, PortSetError> {
        let port = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(PortSetError::NotAPort),
            Ok(port) => Ok(port),
        };
        let range = |item: &str| {
            let (from, to) = item.split_once('-').unwrap_or((item, item));
            let (from, to) = (port(from)?, port(to)?);
            if from <= to { Ok(from..=to) } else { Err(PortSetError::Backwards) }
        };
        text.split(',').map(range).collect()
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, range) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (from, to) if from == to => write!(f, "{comma}{from}")?,
                (from, to) => write!(f, "{comma}{from}-{to}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_put_in_order_and_joined() {
        assert_eq!(ports("40000").to_string(), "40000");
        assert_eq!(ports("7,5-6,9,8,20-30,25-27").to_string(), "5-9,20-30");
        assert_eq!(ports("65535,65534").as_range(), Some((65534, 65535)));
        assert_eq!(
            (ports("1,3").as_range(), ports("1,3-5").count(), ports("1,3-5").ends()),
            (None, 4, (1, 5))
        );
        assert_eq!(ports("3-5,1").iter().collect::<Vec<_>>(), [1, 3, 4, 5]);
    }

    #[test]
    fn what_is_no_list_of_ports() {
        for text in ["", "0", "65536", "a", "1,", "-5", "5-", "1 2", "0-5"] {
            assert_eq!(text.parse::<PortSet>(), Err(PortSetError::NotAPort), "{text}");
        }
        assert_eq!("9-8".parse::<PortSet>(), Err(PortSetError::Backwards));
    }
}
