//! Weather that a seed makes: the same everywhere, packet by packet.

use std::num::NonZeroU8;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::fate::{Departure, Fate, Passage, Spoilt, Toward, Weather};
use crate::time::Instant;

/// What the weather of one direction is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Climate {
    /// Packets lost, of a thousand: 0 to 1000.
    pub lost: u32,
    /// Packets that arrive twice, of a thousand that arrive: 0 to 1000. Each copy has a way of its own.
    pub doubled: u32,
    /// Copies with one octet changed, of a thousand: 0 to 1000. The change of a single octet never escapes the
    /// checksum, so the receiver is to take them for lost (MUST-3).
    pub spoilt: u32,
    /// How many of those that left after it a copy is behind, at most, each number as likely; 0 keeps the order.
    pub window: u32,
    /// How long a copy waits for those, at most: with none to come it is not there for ever.
    pub waits: Duration,
    /// How much later everything arrives,
    pub delay: Duration,
    /// and how much more at most, each time as likely. As in a queue, who comes later does not overtake: only
    /// `window` makes disorder.
    pub jitter: Duration,
}

/// A climate for each direction, and chance.
///
/// The dice of a packet depend on the seed, its direction and its number alone, so what happens to one does not
/// change the luck of those behind it.
#[derive(Debug)]
pub struct Seeded {
    toward_remote: Direction,
    toward_us: Direction,
}

impl Seeded {
    /// The weather of this seed.
    pub fn new(seed: u64, toward_remote: Climate, toward_us: Climate) -> Self {
        let direction = |climate, stream| {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            dice.set_stream(stream);
            Direction { climate, dice, last: Instant::ORIGIN }
        };
        Self { toward_remote: direction(toward_remote, 0), toward_us: direction(toward_us, 1) }
    }
}

impl Weather for Seeded {
    fn fate(&mut self, packet: Departure) -> Fate {
        match packet.toward {
            Toward::Remote => self.toward_remote.fate(packet.at),
            Toward::Us => self.toward_us.fate(packet.at),
        }
    }
}

#[derive(Debug)]
struct Direction {
    climate: Climate,
    dice: ChaCha8Rng,
    /// When the last of those so far is there, if it waits for none behind it.
    last: Instant,
}

impl Direction {
    /// Every packet draws the same number of dice, whatever they are needed for.
    fn fate(&mut self, at: Instant) -> Fate {
        let (lost, doubled) = (self.permille(self.climate.lost), self.permille(self.climate.doubled));
        let [packet, double] = [self.passage(at), self.passage(at)];
        if lost {
            return Fate::LOST;
        }
        let double = Some(double).filter(|_| doubled);
        let arrival = packet.late.max(double.map_or(Duration::ZERO, |double| double.late));
        self.last = self.last.max(at + arrival);
        Fate::of(Some(packet), double)
    }

    fn passage(&mut self, at: Instant) -> Passage {
        let Climate { spoilt, window, waits, delay, jitter, .. } = self.climate;
        let is_spoilt = self.permille(spoilt);
        let (octet, bits) = (self.dice.random(), 1 + self.below(u32::from(u8::MAX)) as u8);
        let jitter = self.below(u32::try_from(jitter.as_micros()).unwrap_or(u32::MAX).saturating_add(1));
        let arrives = at + delay + Duration::from_micros(u64::from(jitter));
        Passage {
            late: arrives.max(self.last) - at,
            behind: self.below(window.saturating_add(1)),
            waits,
            spoilt: NonZeroU8::new(bits).filter(|_| is_spoilt).map(|bits| Spoilt { octet, bits }),
        }
    }

    fn permille(&mut self, share: u32) -> bool {
        self.below(1000) < share
    }

    /// Less than `bound`, by one draw: what rand does for a range may change with its version.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.dice.random::<u32>()) * u64::from(bound)) >> u32::BITS) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const ROUGH: Climate =
        Climate { lost: 300, doubled: 100, spoilt: 20, window: 4, waits: MS, delay: MS, jitter: MS };
    const FAIR: Climate =
        Climate { lost: 0, doubled: 0, spoilt: 0, window: 0, waits: MS, delay: MS, jitter: MS };

    /// The fates of so many packets of one direction, one a tenth of a millisecond.
    fn fates(weather: &mut Seeded, toward: Toward, packets: u32) -> Vec<(Instant, Fate)> {
        let mut at = Instant::ORIGIN;
        let fate = |nth| {
            at += MS / 10;
            (at, weather.fate(Departure { toward, nth, at }))
        };
        (1..=packets).map(fate).collect()
    }

    /// How often something is so among so many, and how often it should be, in a thousand: within four standard
    /// deviations, which a fixed seed passes or does not.
    #[track_caller]
    fn assert_share(found: usize, among: usize, permille: u32) {
        let (n, p) = (among as f64, f64::from(permille) / 1000.0);
        let deviation = (n * p * (1.0 - p)).sqrt();
        assert!(
            (found as f64 - n * p).abs() <= 4.0 * deviation,
            "{found} of {among}, not {permille} in 1000"
        );
    }

    #[test]
    fn shares_are_as_asked_for() {
        const PACKETS: u32 = 100_000;
        for toward in [Toward::Remote, Toward::Us] {
            let fates = fates(&mut Seeded::new(1, ROUGH, ROUGH), toward, PACKETS);
            let copies: Vec<usize> = fates.iter().map(|(_, fate)| fate.copies().count()).collect();
            let arrived = copies.iter().filter(|copies| **copies > 0).count();
            assert_share(fates.len() - arrived, fates.len(), ROUGH.lost);
            assert_share(copies.iter().filter(|copies| **copies == 2).count(), arrived, ROUGH.doubled);
            let passages: Vec<Passage> = fates.iter().flat_map(|(_, fate)| fate.copies()).collect();
            let spoilt = passages.iter().filter_map(|passage| passage.spoilt);
            assert_share(spoilt.clone().count(), passages.len(), ROUGH.spoilt);
            for behind in 0..=ROUGH.window {
                let share = passages.iter().filter(|passage| passage.behind == behind).count();
                assert_share(share, passages.len(), 200);
            }
            assert!(passages.iter().all(|passage| passage.behind <= ROUGH.window));
            let odd = spoilt.clone().filter(|spoilt| spoilt.octet % 2 == 1).count();
            assert_share(odd, spoilt.count(), 500);
        }
    }

    /// However much later each is, within the climate's bounds, who left first is there first.
    #[test]
    fn jitter_keeps_its_bounds_and_the_order() {
        let fates = fates(&mut Seeded::new(2, FAIR, FAIR), Toward::Us, 10_000);
        let arrivals = fates.iter().map(|(at, fate)| (*at, *at + fate.copies().next().unwrap().late));
        let mut last = Instant::ORIGIN;
        for (left, arrives) in arrivals {
            assert!((left + MS..=left + 2 * MS).contains(&arrives) && arrives >= last);
            last = arrives;
        }
    }

    fn digest(fates: &[(Instant, Fate)]) -> u64 {
        let numbers = |passage: Passage| {
            let spoilt = passage
                .spoilt
                .map_or(0, |spoilt| (u64::from(spoilt.octet) << 8) + u64::from(spoilt.bits.get()));
            [passage.late.as_nanos() as u64, u64::from(passage.behind), spoilt]
        };
        let all = fates.iter().flat_map(|(_, fate)| fate.copies()).flat_map(numbers);
        all.fold(0, |digest: u64, number| digest.wrapping_mul(1_000_003).wrapping_add(number))
    }

    /// A seed found on one machine finds the same on another, and next year: the number was printed once.
    #[test]
    fn a_seed_makes_the_same_weather_for_ever() {
        let digest = |seed| digest(&fates(&mut Seeded::new(seed, ROUGH, ROUGH), Toward::Remote, 1000));
        assert_eq!(digest(7), 3_073_935_276_078_340_716);
        assert_ne!(digest(7), digest(8));
    }

    /// The directions have different luck, and what else befalls a packet does not change whether the next is lost.
    #[test]
    fn each_direction_and_each_packet_has_dice_of_its_own() {
        let lost = |climate, toward| {
            let fates = fates(&mut Seeded::new(3, climate, climate), toward, 1000);
            fates.iter().map(|(_, fate)| *fate == Fate::LOST).collect::<Vec<_>>()
        };
        let dry = Climate { doubled: 0, spoilt: 0, window: 0, ..ROUGH };
        assert_eq!(lost(ROUGH, Toward::Remote), lost(dry, Toward::Remote));
        assert_ne!(lost(ROUGH, Toward::Remote), lost(ROUGH, Toward::Us));
    }
}
