//! Where reports go: a thread of their own, so that a slow or closed pipe cannot hold up a segment.

use std::io::{self, PipeReader, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::args::{FormatKind, OutputArgs, SendArgs, TellArgs};
use super::error::{Failure, written};
use super::exit::Exit;
use super::files::{Files, Words};
use super::look::{Reports, charset, style};
use super::signals::Signals;
use crate::driver::Observer;
use crate::net::privileges;
use crate::record::sending;
use crate::record::{Listening, Negotiation, Opening, Served, Signal, Statistics, Step, Summary};
use crate::report::json::Json;
use crate::report::ladder::Ladder;
use crate::report::sending::{Closing, Lines};
use crate::report::text::Charset;
use crate::report::verdict::Verdict;
use crate::report::{self, Format};

/// Sends what happens to the thread that writes it.
pub(super) struct Output<N = News> {
    news: Option<SyncSender<N>>,
    writer: JoinHandle<Result<(), Failure>>,
    /// Hangs up once the writer has ended, however.
    done: PipeReader,
    /// News that the writer has taken.
    taken: Arc<AtomicU64>,
    told: u64,
    /// News that may wait.
    room: u64,
    lost: u64,
    steps: Steps,
}

/// Whether steps are news: in a long transfer, telling them costs more than sending them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steps {
    Told,
    Untold,
}

/// Puts words between the steps of an exchange.
pub(super) struct Prompter {
    news: Option<SyncSender<News>>,
}

impl Prompter {
    /// Behind all that was told before.
    pub(super) fn say(&self, words: String) {
        if let Some(news) = &self.news {
            let _ = news.send(News::Prompt(words));
        }
    }
}

/// What an exchange has to tell. What is large is boxed: there is room for very many.
pub(super) enum News {
    Number(u32),
    Words(Words),
    Listening(Box<Listening>),
    Begin(Box<Opening>),
    Step(Box<Step>),
    Opened(Negotiation),
    End(Box<Summary>),
    Statistics(Box<Statistics>),
    Served(Box<Served>),
    Failed(String),
    /// Words between the steps, as they are.
    Prompt(String),
}

/// As much news may wait for a reader that does not read; more is counted, not kept. A step takes less than half a
/// kilobyte, so whatever storms outside, all of the program stays below 16 MiB.
const BACKLOG: usize = 11 * 1024;
const _: () =
    assert!(size_of::<News>() + size_of::<Step>() < 420, "with the packet's headers, half a kilobyte");
/// As much, if each brings a packet: of 64 KiB at most.
const PACKETS: usize = 1024;
/// Room that steps leave for beginnings and verdicts: in a storm that no reader can follow, those are still told.
const FOR_VERDICTS: u64 = 64;
/// Room that those leave for what sums up all of them.
const FOR_THE_SUM: u64 = 8;

/// Turns news into lines, and into whatever else is written.
trait Teller<N> {
    fn tell(&mut self, news: N, out: &mut String);

    /// There are no more news.
    fn finish(self) -> Result<(), Failure>;
}

/// Tells exchanges.
struct Exchanges {
    format: Box<dyn Format>,
    /// Whether only what closes it is told.
    closing_only: bool,
    charset: Charset,
    files: Files,
}

impl Teller<News> for Exchanges {
    fn tell(&mut self, news: News, out: &mut String) {
        self.files.take(&news);
        write(self.format.as_mut(), news, self.closing_only, out);
        self.charset.apply(out);
    }

    fn finish(self) -> Result<(), Failure> {
        self.files.finish()
    }
}

/// Tells hand-built segments.
struct Segments {
    format: Box<dyn report::sending::Format>,
    charset: Charset,
}

impl Teller<sending::News> for Segments {
    fn tell(&mut self, news: sending::News, out: &mut String) {
        self.format.write(&news, out);
        self.charset.apply(out);
    }

    fn finish(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Output {
    /// Starts the writer of exchanges.
    pub(super) fn start(args: &OutputArgs, files: Files, tell: TellArgs) -> Result<Self, Failure> {
        Self::start_on(files.reports(), args, files, tell)
    }

    /// Starts the writer of exchanges, for where reports go.
    pub(super) fn start_on(
        reports: Reports,
        args: &OutputArgs,
        files: Files,
        tell: TellArgs,
    ) -> Result<Self, Failure> {
        let style = style(reports, args, tell);
        let format: Box<dyn Format> = match (args.format, args.quiet) {
            (FormatKind::Json, _) => Box::new(Json::default()),
            (FormatKind::Ladder, true) => Box::new(Verdict::default()),
            (FormatKind::Ladder, false) => Box::new(Ladder::new(style)),
        };
        // --quiet: of soft errors and retransmissions nothing is heard before the verdict (SHLD-20).
        let steps = if args.quiet && files.are_none() { Steps::Untold } else { Steps::Told };
        let backlog = if files.take_whole_packets() { PACKETS } else { BACKLOG };
        let closing_only = args.quiet && args.format == FormatKind::Json;
        let output =
            Self::by(reports, backlog, Exchanges { format, closing_only, charset: charset(args), files })?;
        Ok(Self { steps, ..output })
    }

    /// What comes is about this.
    pub(super) fn words(&mut self, words: Words) {
        self.tell(News::Words(words));
    }

    pub(super) fn number(&mut self, number: u32) {
        self.tell(News::Number(number));
    }

    pub(super) fn statistics(&mut self, statistics: &Statistics) {
        self.tell(News::Statistics(Box::new(statistics.clone())));
    }

    pub(super) fn served(&mut self, served: &Served) {
        self.tell(News::Served(Box::new(served.clone())));
    }

    /// Puts words between the steps, from elsewhere.
    pub(super) fn prompter(&self) -> Prompter {
        Prompter { news: self.news.clone() }
    }

    pub(super) fn failed(&mut self, error: &Failure) {
        self.tell(News::Failed(error.to_string()));
    }
}

impl Output<sending::News> {
    /// Starts the writer of hand-built segments.
    pub(super) fn of_segments(SendArgs { output: args, hex, .. }: &SendArgs) -> Result<Self, Failure> {
        let backlog = if *hex { PACKETS } else { BACKLOG };
        let reports = Reports::ToStandardOutput;
        let format: Box<dyn report::sending::Format> = match (args.format, args.quiet) {
            (FormatKind::Json, quiet) => {
                Box::new(report::sending::Json { lines: if quiet { Lines::Closing } else { Lines::All } })
            }
            (FormatKind::Ladder, true) => Box::new(Closing::default()),
            (FormatKind::Ladder, false) => {
                Box::new(report::sending::Ladder::new(style(reports, args, TellArgs::default())))
            }
        };
        Self::by(reports, backlog, Segments { format, charset: charset(args) })
    }
}

impl<N: Send + 'static> Output<N> {
    /// Starts the writer.
    fn by(
        reports: Reports,
        backlog: usize,
        mut teller: impl Teller<N> + Send + 'static,
    ) -> Result<Self, Failure> {
        let (news, queue) = sync_channel(backlog);
        let taken = Arc::<AtomicU64>::default();
        let count = Arc::clone(&taken);
        let start = || -> io::Result<Self> {
            let (done, open_while_writing) = io::pipe()?;
            let write = move || {
                let _open = open_while_writing;
                let tell = |news, out: &mut String| {
                    count.fetch_add(1, Ordering::Relaxed);
                    teller.tell(news, out);
                };
                let shown = written(write_all(&queue, tell, reports.sink()));
                teller.finish().and(shown)
            };
            let writer = privileges::thread("output", write)?;
            let (room, told, lost, steps) = (backlog as u64, 0, 0, Steps::Told);
            Ok(Self { news: Some(news), writer, done, taken, told, room, lost, steps })
        };
        start().map_err(|error| Failure::cannot("start the output", &error))
    }

    /// Waits for the output as `result` allows: what a signal has ended does not wait long. Yields what `result` brings,
    /// or what became of the output.
    pub(super) fn conclude(self, result: Result<Exit, Failure>, signals: &Signals) -> Result<Exit, Failure> {
        if let Ok(exit @ (Exit::Interrupted | Exit::Terminated | Exit::HungUp)) = result {
            self.finish_soon(signals);
            return Ok(exit);
        }
        let finished = self.finish(Some(signals));
        let exit = result?;
        Ok(finished?.map_or(exit, Exit::from))
    }

    /// Waits until all is written or the reader is gone, or for a signal, for a reader may also never read
    /// again. Says so if something was never shown.
    pub(super) fn finish(mut self, signals: Option<&Signals>) -> Result<Option<Signal>, Failure> {
        drop(self.news.take());
        if let Some(caught) = signals.and_then(|signals| signals.wait_for(self.done.as_fd(), None)) {
            self.wait_a_little(signals);
            return Ok(Some(caught.signal));
        }
        let panicked = || Err(Failure::not_possible("cannot write the output: the writer panicked"));
        self.writer.join().unwrap_or_else(|_| panicked())?;
        match self.lost {
            0 => Ok(None),
            lost => Err(Failure::not_possible(format_args!(
                "{lost} steps were not shown: nobody read the output fast enough"
            ))),
        }
    }

    /// Waits for the output, but not for ever: the user has asked for the end already.
    fn finish_soon(mut self, signals: &Signals) {
        drop(self.news.take());
        self.wait_a_little(Some(signals));
        if self.writer.is_finished()
            && let Ok(Err(failure)) = self.writer.join()
        {
            let _ = writeln!(io::stderr(), "tcpshake: {failure}");
        }
        if self.lost > 0 {
            let _ = writeln!(
                io::stderr(),
                "tcpshake: {} steps were not shown: nobody read the output fast enough",
                self.lost
            );
        }
    }

    /// A reader that reads gets all of it, however much there is: a service that is interrupted has much to tell.
    fn wait_a_little(&self, signals: Option<&Signals>) {
        const PATIENCE: Duration = Duration::from_millis(500);
        let Some(signals) = signals else { return };
        while_taken(&self.taken, || signals.wait_for(self.done.as_fd(), Some(PATIENCE)).is_some());
    }

    pub(super) fn tell(&mut self, news: N) {
        let Some(sender) = &self.news else { return };
        match sender.try_send(news) {
            Ok(()) => self.told += 1,
            Err(_) => self.lost += 1,
        }
    }

    /// Tells it if that leaves so much room.
    fn tell_leaving(&mut self, room: u64, news: N) {
        let waiting = self.told.saturating_sub(self.taken.load(Ordering::Relaxed));
        if waiting + room < self.room {
            self.tell(news);
        } else {
            self.lost += 1;
        }
    }
}

/// Waits on as long as each wait sees something taken, or until one says that it is over.
fn while_taken(taken: &AtomicU64, mut wait: impl FnMut() -> bool) {
    loop {
        let before = taken.load(Ordering::Relaxed);
        if wait() || taken.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

impl Observer for Output {
    fn listening(&mut self, listening: &Listening) {
        self.tell(News::Listening(Box::new(listening.clone())));
    }

    fn begin(&mut self, opening: &Opening) {
        self.tell_leaving(FOR_THE_SUM, News::Begin(Box::new(opening.clone())));
    }

    fn step(&mut self, step: &Step) {
        if self.steps == Steps::Told {
            self.tell_leaving(FOR_VERDICTS, News::Step(Box::new(step.clone())));
        }
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.tell_leaving(FOR_THE_SUM, News::Opened(*negotiation));
    }

    fn end(&mut self, summary: &Summary) {
        self.tell_leaving(FOR_THE_SUM, News::End(Box::new(summary.clone())));
    }
}

/// Takes news until there are no more. Yields the first error of writing; from then on nothing is written.
fn write_all<N>(
    queue: &Receiver<N>,
    mut write: impl FnMut(N, &mut String),
    mut sink: impl Write,
) -> io::Result<()> {
    let mut out = String::new();
    let mut written = Ok(());
    for news in queue {
        write(news, &mut out);
        if written.is_ok() {
            written = sink.write_all(out.as_bytes()).and_then(|()| sink.flush());
        }
        out.clear();
    }
    written
}

fn write(format: &mut dyn Format, news: News, closing_only: bool, out: &mut String) {
    match news {
        News::Number(number) => format.number(number),
        News::Words(_) | News::Listening(_) | News::Step(_) | News::Opened(_) if closing_only => {}
        News::Words(Words { title, paragraphs }) => format.words(title, paragraphs, out),
        News::Listening(listening) => format.listening(&listening, out),
        News::Served(served) => format.served(&served, out),
        News::Begin(opening) if closing_only => format.begin(&opening, &mut String::new()),
        News::Begin(opening) => format.begin(&opening, out),
        News::Step(step) => format.step(&step, out),
        News::Opened(negotiation) => format.opened(&negotiation, out),
        News::End(summary) => format.end(&summary, out),
        News::Statistics(statistics) => format.statistics(&statistics, out),
        News::Failed(error) => format.failed(&error, out),
        News::Prompt(words) => out.push_str(&words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Plan, run};
    use crate::guard::Guard;
    use crate::lab::simulated::{SimulatedServer, server_address};
    use crate::tcp::SeqNum;
    use crate::wire::memory::MemoryWire;

    /// A sink whose reader goes away after the first write.
    struct Gone(u32);

    impl Write for Gone {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 == 1 { Ok(octets.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// P-16: the writer goes on taking news when nobody reads any more, so that nothing waits for it.
    #[test]
    fn p16_a_reader_that_is_gone_stops_the_writing_not_the_taking() {
        let (news, queue) = sync_channel(8);
        for _ in 0..8 {
            news.send(News::Statistics(Box::default())).unwrap();
        }
        drop(news);
        let mut sink = Gone(0);
        let mut format = Verdict::default();
        let write = |news, out: &mut String| write(&mut format, news, false, out);
        let written = write_all(&queue, write, &mut sink);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(sink.0, 2, "one write that went well, one that did not, and no more");
    }

    /// P-16: who does not read holds up nobody; what did not fit is counted.
    #[test]
    fn p16_telling_never_waits() {
        let (news, _queue) = sync_channel(1);
        let writer = std::thread::spawn(|| Ok(()));
        let (done, _) = io::pipe().unwrap();
        let (taken, steps) = (Arc::default(), Steps::Told);
        let mut output = Output { news: Some(news), writer, done, taken, told: 0, room: 1, lost: 0, steps };
        output.statistics(&Statistics::default());
        output.statistics(&Statistics::default());
        assert_eq!(output.lost, 1);
        assert!(output.finish(None).is_err());
    }

    /// J-07: however many steps nobody has read, the verdict finds room; however many verdicts, what sums them up.
    #[test]
    fn j07_steps_leave_room_for_the_verdict() {
        let remote = server_address(7);
        let plan = Plan { simulated: true, ..Plan::new(remote, SeqNum(4321)) };
        let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
        let mut wire = MemoryWire::new(server, Duration::from_millis(10));
        let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
        let (news, queue) = sync_channel(FOR_VERDICTS as usize + 3);
        let writer = std::thread::spawn(|| Ok(()));
        let (done, _) = io::pipe().unwrap();
        let (taken, steps) = (Arc::default(), Steps::Told);
        let mut output =
            Output { news: Some(news), writer, done, taken, told: 0, room: FOR_VERDICTS + 3, lost: 0, steps };
        run(&guard, &mut wire, &plan, &mut output, &mut || None).unwrap();
        assert_eq!(output.lost, 5, "seven steps, and room for two beside the beginning");
        drop(output.news.take());
        let told: Vec<News> = queue.iter().collect();
        assert!(matches!(
            *told,
            [News::Begin(_), News::Step(_), News::Step(_), News::Opened(_), News::End(_)]
        ));
    }

    /// P-16: who reads slowly is waited for, who does not read is not, and a second signal ends it.
    #[test]
    fn p16_who_reads_is_waited_for() {
        for (last_read, signalled, waits) in [(0, 9, 1), (3, 9, 4), (9, 2, 2)] {
            let (taken, mut waited) = (AtomicU64::new(7), 0);
            while_taken(&taken, || {
                waited += 1;
                taken.fetch_add(u64::from(waited <= last_read), Ordering::Relaxed);
                waited == signalled
            });
            assert_eq!(waited, waits);
        }
    }
}
