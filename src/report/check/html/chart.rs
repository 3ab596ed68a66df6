//! The picture of the round trips: how many took how long, on a logarithmic axis.

use crate::report::check::percentiles::Percentiles;

/// The picture's size, and the room around the bars, in its own units.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 280.0;
pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = WIDTH - 26.0;
pub(super) const TOP: f64 = 64.0;
pub(super) const BOTTOM: f64 = HEIGHT - 46.0;
/// Where the axes have their names.
pub(super) const CENTER: f64 = f64::midpoint(LEFT, RIGHT);
pub(super) const MIDDLE: f64 = f64::midpoint(TOP, BOTTOM);
/// Bars.
const BARS: usize = 56;
/// Labels of percentiles are one below the other: they never meet.
const LABEL: f64 = 14.0;

/// All that is drawn; lengths are already those of the picture.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    pub(super) times: Vec<Tick>,
    pub(super) counts: Vec<Tick>,
    pub(super) marks: Vec<Mark>,
}

/// So many round trips took between this and that.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) title: String,
}

/// A number on an axis.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) label: String,
}

/// A percentile: a line, and its label beside the upper end.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) label: String,
    pub(super) label_x: String,
    pub(super) anchor: &'static str,
}

/// From microseconds to the picture's units.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// From one round time to another, so that there is room on both sides.
    fn of(min: u64, max: u64) -> Self {
        let (min, max) = (min.max(1) as f64, max.max(1) as f64);
        let low = rounds(min).filter(|time| *time <= min).last().unwrap_or(1.0);
        let high = rounds(max).find(|time| *time > max).unwrap_or(max * 2.0);
        Self { low, high }
    }

    /// Where it is between the ends, from zero to one.
    fn part(self, micros: f64) -> f64 {
        ((micros.max(1.0) / self.low).ln() / (self.high / self.low).ln()).clamp(0.0, 1.0)
    }

    fn x(self, micros: f64) -> f64 {
        LEFT + self.part(micros) * (RIGHT - LEFT)
    }

    /// The time at which the bar with this number begins.
    fn begin(self, bar: usize) -> f64 {
        self.low * (self.high / self.low).powf(bar as f64 / BARS as f64)
    }

    /// Round times that can be labelled, not more than fit.
    fn ticks(self) -> Vec<Tick> {
        let within = |time: &f64| (self.low..=self.high).contains(time);
        let decades = (self.high / self.low).log10();
        // 1, 2 and 5 of each power of ten fit in two or three of them; then only the powers do.
        let steps: &[f64] = if decades > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = self.low.log10().floor() as i32;
        let powers = (first..=first + decades.ceil() as i32 + 1).step_by(1 + (decades / 10.0) as usize);
        let times = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        times.filter(within).map(|time| Tick { at: units(self.x(time)), label: time_label(time) }).collect()
    }
}

/// 1, 2, 5, 10, ... around a number.
fn rounds(near: f64) -> impl Iterator<Item = f64> {
    let first = near.log10().floor() as i32;
    (first..=first + 1).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)))
}

fn units(length: f64) -> String {
    format!("{length:.1}")
}

fn time_label(micros: f64) -> String {
    match micros {
        ..1e3 => format!("{} µs", short(micros)),
        1e3..1e6 => format!("{} ms", short(micros / 1e3)),
        _ => format!("{} s", short(micros / 1e6)),
    }
}

/// Three digits are enough.
fn short(number: f64) -> String {
    let text = match number {
        ..9.995 => format!("{number:.2}"),
        9.995..99.95 => format!("{number:.1}"),
        _ => return format!("{number:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Chart {
    /// Of these microseconds and counts, ascending; `None` if there are none.
    pub(super) fn of(round_trips: &[(u64, u64)]) -> Option<Self> {
        let percentiles = Percentiles::of(round_trips)?;
        let scale = Scale::of(percentiles.min, percentiles.max);
        let mut counts = [0_u128; BARS];
        for &(micros, count) in round_trips {
            let bar = (scale.part(micros as f64) * BARS as f64) as usize;
            if let Some(counted) = counts.get_mut(bar) {
                *counted += u128::from(count);
            }
        }
        let step = step(counts.iter().copied().max().unwrap_or_default());
        let most = counts.iter().copied().max().unwrap_or_default().div_ceil(step) * step;
        Some(Self {
            bars: bars(scale, &counts, most),
            times: scale.ticks(),
            counts: (0..=most / step).map(|n| count_tick(n * step, most)).collect(),
            marks: marks(scale, &percentiles),
        })
    }
}

/// Between the numbers on the axis of counts: 1, 2 or 5 times a power of ten, for five of them at most.
fn step(most: u128) -> u128 {
    let powers = (0..30).map(|power| 10_u128.pow(power));
    let mut steps = powers.flat_map(|power| [1, 2, 5].map(|step| power * step));
    steps.find(|step| most.div_ceil(*step) <= 4).unwrap_or(most.max(1))
}

fn height(count: u128, most: u128) -> f64 {
    count as f64 / most.max(1) as f64 * (BOTTOM - TOP)
}

fn count_tick(count: u128, most: u128) -> Tick {
    Tick { at: units(BOTTOM - height(count, most)), label: count_label(count) }
}

/// `500`, `20 k`, `3 M`: the numbers on the axis are round.
fn count_label(count: u128) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{} k", count as f64 / 1e3),
        _ => format!("{} M", count as f64 / 1e6),
    }
}

fn bars(scale: Scale, counts: &[u128], most: u128) -> Vec<Bar> {
    let width = (RIGHT - LEFT) / BARS as f64;
    let bar = |(n, &count): (usize, &u128)| {
        let height = height(count, most).max(1.0); // one of a million is seen, too
        let (from, to) = (time_label(scale.begin(n)), time_label(scale.begin(n + 1)));
        Bar {
            x: units(LEFT + n as f64 * width + 0.5),
            y: units(BOTTOM - height),
            width: units(width - 1.0),
            height: units(height),
            title: format!("{from} to {to}: {count}"),
        }
    };
    counts.iter().enumerate().filter(|(_, count)| **count > 0).map(bar).collect()
}

fn marks(scale: Scale, percentiles: &Percentiles) -> Vec<Mark> {
    let told = percentiles.all().into_iter().filter(|(name, _)| name.starts_with('p'));
    let mark = |(row, (name, micros)): (usize, (&str, u64))| {
        let x = scale.x(micros as f64);
        let left = x > CENTER;
        Mark {
            x: units(x),
            y: units(LABEL * (row + 1) as f64 - 2.0),
            label: format!("{name} {}", time_label(micros as f64)),
            label_x: units(if left { x - 4.0 } else { x + 4.0 }),
            anchor: if left { "end" } else { "start" },
        }
    };
    told.enumerate().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> f64 {
        text.parse().unwrap()
    }

    #[track_caller]
    fn assert_inside(chart: &Chart) {
        for bar in &chart.bars {
            let (x, y) = (number(&bar.x), number(&bar.y));
            assert!(x >= LEFT && x + number(&bar.width) <= RIGHT, "{bar:?}");
            assert!(y >= TOP - 0.1 && (y + number(&bar.height) - BOTTOM).abs() < 0.2, "{bar:?}");
        }
        for x in chart.times.iter().map(|tick| &tick.at).chain(chart.marks.iter().map(|mark| &mark.x)) {
            assert!((LEFT..=RIGHT).contains(&number(x)), "{x}");
        }
        assert!((1..=12).contains(&chart.times.len()), "{:?}", chart.times);
        assert!((2..=5).contains(&chart.counts.len()), "{:?}", chart.counts);
    }

    #[test]
    fn whatever_was_measured_fits() {
        for trips in [
            &[(0, 1)][..],
            &[(1, 1)],
            &[(1000, 7)],
            &[(999, u64::MAX), (1001, 1)],
            &[(120, 3), (250, 9), (90_000, 1)],
            &[(0, 1), (u64::MAX, u64::MAX)],
        ] {
            assert_inside(&Chart::of(trips).unwrap());
        }
        assert!(Chart::of(&[]).is_none());
    }

    #[test]
    fn a_longer_time_is_further_right_and_a_greater_count_higher() {
        let chart = Chart::of(&[(100, 1), (1000, 4), (10_000, 2)]).unwrap();
        let [a, b, c] = &chart.bars[..] else { panic!("{chart:?}") };
        assert!(number(&a.x) < number(&b.x) && number(&b.x) < number(&c.x));
        assert!(number(&b.height) > number(&c.height) && number(&c.height) > number(&a.height));
        let (ab, bc) = (number(&b.x) - number(&a.x), number(&c.x) - number(&b.x));
        assert!((ab - bc).abs() < (RIGHT - LEFT) / BARS as f64 + 1.0, "ten times is as far everywhere");
        assert!(b.title.ends_with(": 4"), "{}", b.title);
    }

    #[test]
    fn axes_have_round_numbers() {
        let chart = Chart::of(&[(130, 17), (1700, 3)]).unwrap();
        let labels = |ticks: &[Tick]| ticks.iter().map(|tick| tick.label.clone()).collect::<Vec<_>>();
        assert_eq!(labels(&chart.times), ["100 µs", "200 µs", "500 µs", "1 ms", "2 ms"]);
        assert_eq!(labels(&chart.counts), ["0", "5", "10", "15", "20"]);
    }

    #[test]
    fn times_are_short() {
        let labels = [1.0, 120.0, 999.9, 1234.0, 20_000.0, 12_345.0, 123_456.0, 1e6, 4.2e7].map(time_label);
        assert_eq!(
            labels,
            ["1 µs", "120 µs", "1000 µs", "1.23 ms", "20 ms", "12.3 ms", "123 ms", "1 s", "42 s"]
        );
    }

    #[test]
    fn counts_are_short() {
        assert_eq!([0, 9999, 20_000, 1_500_000].map(count_label), ["0", "9999", "20 k", "1.5 M"]);
    }

    #[test]
    fn labels_of_percentiles_are_one_below_the_other() {
        let chart = Chart::of(&[(100, 1)]).unwrap();
        let rows: Vec<f64> = chart.marks.iter().map(|mark| number(&mark.y)).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows.is_sorted_by(|a, b| b - a >= LABEL) && rows.iter().all(|y| *y < TOP), "{rows:?}");
    }
}
