//! The thread that hears of exchanges: findings, reports, progress, signals.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::collect::Collector;
use super::dispatch::Shared;
use super::ending::Ending;
use super::exit;
use super::news::News;
use super::packets::Packets;
use super::progress::Progress;
use super::reports::Reports;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::queue::Bell;
use crate::cli::signals::Signals;
use crate::driver::DriveError;
use crate::driver::fleet::Done;
use crate::record::check::Verdict;
use crate::time::Clock;

/// What it needs.
pub(super) struct Listener<'c> {
    pub(super) collector: Collector,
    /// Targets whose finding was told.
    pub(super) known: Vec<bool>,
    pub(super) progress: Progress,
    pub(super) packets: Option<Packets>,
    pub(super) fail_fast: bool,
    pub(super) shared: &'c Shared,
    pub(super) bells: &'c [Bell],
    pub(super) ending: &'c Ending,
    /// What went wrong first on this machine.
    pub(super) trouble: Option<Failure>,
}

impl Listener<'_> {
    /// Hears all there is, until all threads have ended.
    pub(super) fn listen(
        &mut self,
        received: &Receiver<Vec<News>>,
        signals: &Signals,
        reports: &mut Reports,
    ) {
        const MOMENT: Duration = Duration::from_millis(100);
        let clock = Clock::new();
        let mut next_look = clock.now();
        loop {
            let news = received.recv_timeout(MOMENT);
            let now = clock.now();
            if now >= next_look {
                next_look = now + MOMENT;
                self.look_around(signals, reports);
            }
            match news {
                Ok(news) => news.into_iter().for_each(|news| self.take(news, reports)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look_around(&mut self, signals: &Signals, reports: &mut Reports) {
        if let Some(signal) = signals.pending() {
            self.ending.note(signal);
            self.bells.iter().for_each(Bell::ring);
        }
        self.progress.tell(&self.collector.tally);
        reports.flush();
    }

    fn take(&mut self, news: News, reports: &mut Reports) {
        let target = news.target();
        if let (Some(packets), News::Exchange(exchanged)) = (&mut self.packets, &news)
            && let Some(failed) = &exchanged.failed
        {
            let label = self.shared.list.label(target).unwrap_or_default();
            let kept = packets.keep(&label, &failed.0, &failed.1);
            self.note(kept);
        }
        let Some(finding) = self.collector.take(news) else { return };
        if let Some(known) = self.known.get_mut(target as usize) {
            *known = true;
        }
        if self.fail_fast && finding.verdict == Verdict::Unmet {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        let told = reports.finding(finding);
        self.note(told);
    }

    /// Something that went wrong on this machine does not end the check, but is told at its end.
    fn note(&mut self, result: Result<(), Failure>) {
        if let Err(failure) = result
            && self.trouble.is_none()
        {
            self.trouble = Some(failure);
        }
    }

    /// The rest of the findings, the ends of the reports, the exit code.
    pub(super) fn conclude(
        mut self,
        threads: Vec<JoinHandle<Result<Done, DriveError>>>,
        mut reports: Reports,
    ) -> Result<Exit, Failure> {
        self.progress.end();
        let mut done = Done::default();
        let mut trouble = self.trouble.take();
        for thread in threads {
            match thread.join() {
                Ok(Ok(one)) => done = together(&done, &one),
                Ok(Err(error)) => trouble = trouble.or(Some(error.into())),
                Err(_) => trouble = trouble.or(Some(Failure::not_possible("a thread panicked"))),
            }
        }
        self.collector.rest(&self.known, |finding| {
            if let Err(failure) = reports.finding(finding) {
                trouble.get_or_insert(failure);
            }
        });
        let summary = self.collector.tally.summary(&done);
        let written = reports.end(&summary);
        let kept = self.packets.map_or(Ok(()), Packets::finish);
        match trouble.map_or(Ok(()), Err).and(written).and(kept) {
            Err(failure) => Err(failure),
            Ok(()) => Ok(exit(&summary, done.signal)),
        }
    }
}

/// What two threads did at the same time.
fn together(one: &Done, other: &Done) -> Done {
    Done {
        duration: one.duration.max(other.duration),
        packets_lost: one.packets_lost + other.packets_lost,
        backed_off: one.backed_off + other.backed_off,
        kernel_resets: one.kernel_resets + other.kernel_resets,
        signal: one.signal.or(other.signal),
    }
}
