//! The different sets of expectations of a list: a million lines may hold but a few.

use std::collections::HashMap;

use crate::record::expectation::Expectations;

/// Each set once, by its number.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) all: Vec<Expectations>,
    by_name: HashMap<String, u16>,
    /// What lines say, so that each way to write it is read once.
    by_line: HashMap<String, u16>,
    both: HashMap<(u16, u16), Result<u16, String>>,
}

impl Sets {
    /// Ways to write a set that are kept.
    const MOST_KEPT: usize = 1 << 16;

    /// The number of a set.
    pub(super) fn number(&mut self, set: Expectations) -> Result<u16, String> {
        let name = set.to_string();
        if let Some(number) = self.by_name.get(&name) {
            return Ok(*number);
        }
        let number = u16::try_from(self.all.len()).map_err(|_| {
            "there are more than 65536 different sets of expectations (write fewer)".to_owned()
        })?;
        self.all.push(set);
        self.by_name.insert(name, number);
        Ok(number)
    }

    /// The number of what the end of a line says.
    pub(super) fn line(&mut self, line: &str) -> Result<u16, String> {
        if let Some(number) = self.by_line.get(line) {
            return Ok(*number);
        }
        let number = self.number(Expectations::read_line(line)?)?;
        if self.by_line.len() < Self::MOST_KEPT {
            self.by_line.insert(line.to_owned(), number);
        }
        Ok(number)
    }

    /// The number of the set that has all of both.
    pub(super) fn both(&mut self, one: u16, other: u16) -> Result<u16, String> {
        if one == other {
            return Ok(one);
        }
        if let Some(known) = self.both.get(&(one, other)) {
            return known.clone();
        }
        let (Some(first), Some(second)) = (self.all.get(usize::from(one)), self.all.get(usize::from(other)))
        else {
            return Ok(one);
        };
        let both = first.and(second).and_then(|set| self.number(set));
        if self.both.len() < Self::MOST_KEPT {
            self.both.insert((one, other), both.clone());
        }
        both
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_number_however_it_is_written() {
        let mut sets = Sets::default();
        assert_eq!(sets.line("rtt<20ms"), Ok(0));
        assert_eq!(sets.line("open  rtt<0.02s # the same"), Ok(0));
        assert_eq!(sets.line("open"), Ok(1));
        assert_eq!(sets.number(Expectations::default()), Ok(1));
        assert_eq!(sets.both(0, 1), Ok(0));
        assert_eq!(sets.line("mss>=1"), Ok(2));
        assert_eq!([sets.both(0, 2), sets.both(2, 0), sets.both(0, 2)], [Ok(3), Ok(3), Ok(3)]);
        assert_eq!(sets.all[3].to_string(), "open rtt<20ms mss>=1");
        assert!(sets.line("silent open").is_err());
        assert_eq!(sets.line("silent"), Ok(4));
        assert!(sets.both(4, 1).is_err() && sets.both(4, 1).is_err());
    }

    #[test]
    fn there_are_only_so_many_numbers() {
        let mut sets = Sets::default();
        for time in 1..=65_536 {
            assert!(sets.line(&format!("rtt<{time}us")).is_ok());
        }
        assert!(sets.line("rtt<65536us").is_ok());
        assert!(sets.line("silent").unwrap_err().contains("more than 65536 different sets"));
    }
}
