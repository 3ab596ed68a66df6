//! How two ways of doing something compare, in one line.

use std::time::Duration;

pub(crate) fn print_heading(runs: usize) {
    println!("{runs} runs each, alternating; milliseconds: median (90th percentile)");
}

/// Both sides' median and 90th percentile, the difference and the ratio of the medians.
pub(crate) fn print(name: &str, rival_name: &str, mut ours: Vec<Duration>, mut rival: Vec<Duration>) {
    let at = |times: &mut Vec<Duration>, percent: usize| {
        times.sort();
        times[times.len() * percent / 100].as_secs_f64() * 1e3
    };
    let (our_median, rival_median) = (at(&mut ours, 50), at(&mut rival, 50));
    println!(
        "{name}: {our_median:.3} ({:.3}); {rival_name}: {rival_median:.3} ({:.3}); {:+.3}, {:.2} times",
        at(&mut ours, 90),
        at(&mut rival, 90),
        our_median - rival_median,
        our_median / rival_median
    );
}
