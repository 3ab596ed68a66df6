//! How the picture is laid out.

use regex::Regex;
use tcpshake::record::exchange::Exchange;
use tcpshake::report::svg::{Spacing, Style, Theme, render};

use crate::written::written;

/// Where each step's time stands.
fn rows(exchange: &Exchange, spacing: Spacing) -> Vec<i32> {
    let time = Regex::new(r#"class="time" x="\d+" y="(\d+)">[\d.]+<"#).unwrap();
    let picture = render(exchange, Style { spacing, ..Style::default() });
    time.captures_iter(&picture).map(|found| found[1].parse().unwrap()).collect()
}

#[test]
fn to_scale_steps_are_farther_apart_in_proportion_to_the_time_between_them() {
    let mut exchange = written().exchange;
    let times = [0, 100, 100, 100, 400, 400, 1000, 1000, 1000, 1000, 2000];
    for (step, millis) in exchange.steps.iter_mut().zip(times) {
        step.at = std::time::Duration::from_millis(millis);
    }
    let (even, scaled) = (rows(&exchange, Spacing::Even), rows(&exchange, Spacing::Time));
    let beyond: Vec<i32> = even.iter().zip(&scaled).map(|(even, scaled)| scaled - even).collect();
    let pixels = |millis: u64| beyond[10] * millis as i32 / 2000;
    assert!(beyond[10] > 400, "{beyond:?}");
    for (beyond, millis) in beyond.iter().zip(times) {
        assert!((beyond - pixels(millis)).abs() <= 4, "{beyond} for {millis} ms"); // a pixel a gap
    }
}

#[test]
fn rows_never_meet() {
    const WORDS: i32 = 30; // above an arrow and below
    for spacing in [Spacing::Even, Spacing::Time] {
        let rows = rows(&written().exchange, spacing);
        assert_eq!(rows.len(), 11);
        assert!(rows.windows(2).all(|two| two[1] - two[0] > WORDS), "{rows:?}");
    }
}

/// The clock of a capture may be anything.
#[test]
fn times_that_run_backwards_draw_no_picture_without_end() {
    let mut exchange = written().exchange;
    let even = rows(&exchange, Spacing::Even);
    let times = [0, u64::MAX, 1, 0, u64::MAX / 2, 7, u64::MAX, 0, 0, 0, 1];
    for (step, nanos) in exchange.steps.iter_mut().zip(times) {
        step.at = std::time::Duration::from_nanos(nanos);
    }
    let scaled = rows(&exchange, Spacing::Time);
    assert!(scaled[10] - even[10] <= 480, "{scaled:?}");
}

/// One theme, or both and the reader's system to choose.
#[test]
fn colours_follow_the_theme() {
    let exchange = written().exchange;
    let picture = |theme| render(&exchange, Style { theme, ..Style::default() });
    let (light, dark) = (picture(Theme::Light), picture(Theme::Dark));
    let auto = picture(Theme::Auto);
    assert!(!light.contains("@media") && !dark.contains("@media"));
    assert_ne!(light, dark);
    assert_eq!(auto.matches("@media (prefers-color-scheme: dark)").count(), 1);
}
