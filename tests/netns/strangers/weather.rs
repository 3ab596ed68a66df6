//! What befalls the segments on a bad cable. It is drawn from one seed, for each host and direction by itself: whatever
//! the machine does meanwhile, the nth segment of a direction meets the same fate.
//!
//! It is not `tcpshake::wire::faulty::Seeded`, which makes disorder by who is behind whom, and so needs a wire that
//! holds packets back until others have passed. A cable knows only when a frame is due: here some are late. Nor does
//! that weather know that what is sent again gets through, without which an exchange with lwIP takes minutes.

use std::net::IpAddr;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use tcpshake::wire::faulty::Toward;

/// What all weather is drawn from.
pub(super) const SEED: u64 = 0x9293;

/// How many of a hundred segments meet which fate; and how long all of them are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) spoiled: u32,
    pub(super) doubled: u32,
    pub(super) late: u32,
    pub(super) delay: Duration,
}

impl Weather {
    pub(super) const CALM: Self = Self { lost: 0, spoiled: 0, doubled: 0, late: 0, delay: Duration::ZERO };
    pub(super) const LOSING: Self = Self { lost: 6, ..Self::CALM };
    pub(super) const SPOILING: Self = Self { spoiled: 6, ..Self::CALM };
    pub(super) const DOUBLING: Self = Self { doubled: 20, ..Self::CALM };
    pub(super) const SHUFFLING: Self = Self { late: 20, ..Self::CALM };
    pub(super) const FAR: Self = Self { delay: Duration::from_millis(60), ..Self::CALM };
    pub(super) const STORMY: Self =
        Self { lost: 4, spoiled: 3, doubled: 10, late: 10, delay: Duration::from_millis(5) };
}

impl Weather {
    /// How many milliseconds TIME-WAIT must be kept, so that a peer whose FIN comes again finds us.
    pub(super) const fn linger(self) -> &'static str {
        if self.lost + self.spoiled > 0 { "2000" } else { "300" }
    }
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    Lost,
    /// One of its bits is changed on the way; the number says which.
    Spoiled(u32),
    Doubled,
    /// It arrives so much later, behind those that left after it.
    Late(Duration),
}

/// The fates of one direction, one after the other.
pub(super) struct Fates {
    weather: Weather,
    dice: ChaCha8Rng,
    in_vain: u32,
}

impl Fates {
    /// After so many in a row that did not get through one does: lwIP waits three seconds, then six, then twelve.
    const MOST_IN_VAIN: u32 = 1;

    /// Those of what goes `toward` one end, to or from this host.
    pub(super) fn new(weather: Weather, host: IpAddr, toward: Toward) -> Self {
        let last = match host {
            IpAddr::V4(host) => host.octets()[3],
            IpAddr::V6(host) => host.octets()[15],
        };
        let stream = [u64::from(last), host.is_ipv6().into(), (toward == Toward::Us).into()];
        let seed = stream.iter().fold(SEED, |seed, part| (seed << 8) | part);
        Self { weather, dice: ChaCha8Rng::seed_from_u64(seed), in_vain: 0 }
    }

    pub(super) fn next(&mut self) -> Fate {
        let (throw, number) = (self.dice.next_u32() % 100, self.dice.next_u32());
        let fate = self.thrown(throw, number);
        if !matches!(fate, Fate::Lost | Fate::Spoiled(_)) {
            self.in_vain = 0;
        } else if self.in_vain == Self::MOST_IN_VAIN {
            self.in_vain = 0;
            return Fate::Arrives;
        } else {
            self.in_vain += 1;
        }
        fate
    }

    fn thrown(&self, throw: u32, number: u32) -> Fate {
        const MOST_LATE: u32 = 15; // milliseconds
        let Weather { lost, spoiled, doubled, late, .. } = self.weather;
        match throw {
            n if n < lost => Fate::Lost,
            n if n < lost + spoiled => Fate::Spoiled(number),
            n if n < lost + spoiled + doubled => Fate::Doubled,
            n if n < lost + spoiled + doubled + late => {
                Fate::Late(Duration::from_millis(u64::from(1 + number % MOST_LATE)))
            }
            _ => Fate::Arrives,
        }
    }
}
