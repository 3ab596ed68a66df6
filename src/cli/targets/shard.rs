//! A part of a list that several machines share.

use std::str::FromStr;

use siphasher::sip::SipHasher24;

/// Part I of N. A target is in exactly one part, whatever else is in the list and wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

/// Never to be changed: every machine must cut the list alike, whatever version it runs.
const KEY: [u8; 16] = *b"tcpshake shard 1";

impl Shard {
    /// Which part, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Of how many.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Whether a target, in its canonical form `HOST:PORT`, is in it.
    pub fn has(self, label: &str) -> bool {
        let hash = SipHasher24::new_with_key(&KEY).hash(label.as_bytes());
        hash % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("'{text}' is no part of a list (write 1/4 to 4/4 for four parts)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_of_n() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!((shard.number(), shard.of()), (2, 3));
        for text in ["", "1", "0/3", "4/3", "0/0", "a/3", "1/", "1/4294967296", "-1/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("write 1/4 to 4/4"), "{text}");
        }
    }

    /// Machines of different versions cut alike.
    #[test]
    fn the_cut_never_changes() {
        let part = |label: &str| (1..=4).find(|number| Shard { number: *number, of: 4 }.has(label));
        let parts = ["10.0.0.1:22", "10.0.0.2:22", "[fd99::1]:80", "example.org:443"].map(part);
        assert_eq!(parts, [Some(1), Some(3), Some(2), Some(2)]);
    }
}
