//! A segment in, the reaction out, beside smoltcp: the same octets to both stacks, in the same run.
//!
//! What is timed is the whole path of a packet: it is read, the machine takes it, the reply is written. Criterion
//! measures each stack by itself; the table at the end takes both in turn, for absolute times drift on shared
//! machines, and ratios do not.

#![allow(missing_docs, unreachable_pub, reason = "a benchmark has no public interface")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};

mod cases;
mod ours;
mod theirs;

use cases::{Case, Server, cases, syn};
use ours::Ours;
use theirs::Smoltcp;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let cases = cases(Smoltcp::first_iss(&syn()));
    for case in &cases {
        case.check::<Ours>();
        case.check::<Smoltcp>();
        let mut group = criterion.benchmark_group(case.name);
        group.throughput(Throughput::Elements(case.packets.len() as u64));
        group.bench_function("tcpshake", |bencher| {
            bencher.iter_batched_ref(
                || case.begin::<Ours>(),
                |server| case.run(server),
                BatchSize::PerIteration,
            );
        });
        group.bench_function("smoltcp", |bencher| {
            bencher.iter_batched_ref(
                || case.begin::<Smoltcp>(),
                |server| case.run(server),
                BatchSize::PerIteration,
            );
        });
    }
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        print_ratios(&cases);
    }
}

/// Medians of both stacks, measured in turn.
fn print_ratios(cases: &[Case]) {
    const ROUNDS: usize = 1001;
    println!("\nnanoseconds a segment, median of {ROUNDS} rounds in turn");
    println!("{:24}{:>10}{:>10}{:>8}", "", "tcpshake", "smoltcp", "ratio");
    for case in cases {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(time::<Ours>(case));
            theirs.push(time::<Smoltcp>(case));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let each = |time: Duration| time.as_nanos() as f64 / case.packets.len() as f64;
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("{:24}{:10.0}{:10.0}{ratio:8.2}", case.name, each(ours), each(theirs));
    }
}

fn time<S: Server>(case: &Case) -> Duration {
    let mut server = case.begin::<S>();
    let begun = Instant::now();
    black_box(case.run(&mut server));
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
