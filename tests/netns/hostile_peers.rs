//! Peers that mean ill, on a real wire, against the program: when its verdict comes, what it says, what it sends, and
//! how much memory it takes.
//!
//! All play at the same time, each in a network of its own, so that half a minute of each takes half a minute. They
//! speak up to a thousand times a second (see [`Part::pace`]); what the machine can do beside is the program's.

use std::fs::File;
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use serde_json::Value;
use tcpshake::lab::{LINK, NEAR_V4};
use tcpshake::time::{Clock, Instant};

use crate::Named;
use crate::capture::{Capture, Seen, read};
use crate::enemies::{Hostile, Part};
use crate::run::{Folder, Running, TCPSHAKE, command};
use crate::scripted::Scripted;
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("g14_j07_o09_hostile_peers", || all_at_once(2)),
    ("j07_a_hostile_peer_at_full_speed_while_nobody_reads", at_full_speed),
    ("g14_j07_o09_hostile_peers_for_half_a_minute_at_length", || all_at_once(30)),
];

fn all_at_once(seconds: u32) {
    let meetings = Part::ALL.map(|part| (part, std::thread::spawn(move || meet(part, seconds))));
    // First they all end, then they are judged: that takes time, too.
    let met = meetings.map(|(part, meeting)| (part, meeting.join()));
    for (part, met) in met {
        let met = met.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        met.judge(part, seconds);
    }
}

/// What is known of a run of the program.
struct Met {
    code: Option<i32>,
    report: String,
    vitals: Vec<Vitals>,
    captured: Vec<(Duration, Seen)>,
    /// Packets that came to us.
    came: u64,
}

fn meet(part: Part, seconds: u32) -> Met {
    let (world, folder) = (World::new(), Folder::new());
    let peer = Scripted::start(&world, (NEAR_V4, 40_000).into());
    let tape = world.lab.far.run(|| Ok(Capture::start(LINK).tape())).expect("a capture");
    let (text, report) = (folder.file("text"), folder.file("report"));
    let meeting = part.meeting();
    std::fs::write(&text, vec![b'x'; meeting.text]).unwrap();
    let (target, send, timeout) = (peer.address.to_string(), format!("@{text}"), seconds.to_string());
    let (sends, stamps) = (["--send", &send], ["--timestamps"]);
    let mut arguments = vec!["connect", &target, "--source-port", "40000", "--format", "json"];
    arguments.extend(["--retries", "unlimited", "--timeout", &timeout]);
    arguments.extend(["--close", if meeting.closes { "active" } else { "passive" }]);
    arguments.extend(sends.iter().filter(|_| meeting.text > 0));
    arguments.extend(stamps.iter().filter(|_| meeting.timestamps));
    let mut hostile = Hostile::new(part, peer.address);
    let (until_over, over) = std::io::pipe().unwrap();
    let playing = std::thread::spawn(move || peer.play(&mut hostile, until_over.into()));
    let mut child = command(TCPSHAKE, &arguments).stdout(File::create(&report).unwrap()).spawn().unwrap();
    let vitals = Vitals::until(child.id(), || has_ended(child.id()));
    let code = child.wait().unwrap().code();
    drop(over);
    playing.join().unwrap();
    let taped = tape.end();
    let captured = taped.iter().filter_map(|taped| Some((taped.at, read(&taped.octets)?))).collect();
    let came = taped.iter().filter(|taped| taped.octets[V4_DESTINATION..].starts_with(&NEAR_V4.octets()));
    let came = came.count() as u64;
    Met { code, report: std::fs::read_to_string(&report).unwrap(), vitals, captured, came }
}

const V4_DESTINATION: usize = 16;

/// How a process was at a moment.
#[derive(Clone, Copy, Debug)]
struct Vitals {
    at: Instant,
    /// KiB it had in memory at the most, without pages of its file: those the system could drop.
    own: u64,
    /// How long it was ready to run, and did not, all together.
    kept_waiting: Duration,
}

impl Vitals {
    fn of(pid: u32, clock: Clock) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let (status, schedule) = (read("status"), read("schedstat"));
        let kib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
        };
        let own = kib("VmHWM:").saturating_sub(kib("RssFile:"));
        let kept_waiting = schedule.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self { at: clock.now(), own, kept_waiting: Duration::from_nanos(kept_waiting) }
    }

    /// Looks at a process again and again, until it `is_over`.
    fn until(pid: u32, mut is_over: impl FnMut() -> bool) -> Vec<Self> {
        const LOOK_AGAIN: u8 = 20; // milliseconds
        let (clock, mut vitals) = (Clock::new(), Vec::new());
        loop {
            let over = is_over();
            vitals.push(Self::of(pid, clock));
            if over {
                return vitals;
            }
            nix::poll::poll(&mut [], LOOK_AGAIN).unwrap();
        }
    }

    /// How long it was kept waiting around its end.
    fn kept_waiting_at_the_end(vitals: &[Self]) -> Duration {
        const BEFORE: Duration = Duration::from_millis(200);
        let end = vitals.last().unwrap();
        let before = vitals.iter().rfind(|vitals| vitals.at + BEFORE <= end.at).unwrap();
        end.kept_waiting - before.kept_waiting
    }

    fn peak(vitals: &[Self]) -> u64 {
        vitals.iter().map(|vitals| vitals.own).max().unwrap()
    }
}

/// Whether a child has ended; it is still to be waited for.
fn has_ended(pid: u32) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid as i32)), look).unwrap() != WaitStatus::StillAlive
}

/// Of 16 MiB, what the pages of the program's file may take: 6 MiB of a release build, more of one for tests.
const OF_THE_FILE: u64 = 7 * 1024;
const MOST_KIB: u64 = 16 * 1024 - OF_THE_FILE;

/// How late a verdict may be.
const LATE: Duration = Duration::from_millis(100);

impl Met {
    #[track_caller]
    fn judge(&self, part: Part, seconds: u32) {
        let meeting = part.meeting();
        let lines: Vec<Value> =
            self.report.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let end = lines.iter().find(|line| line["type"] == "end").expect("an end");
        let told = (self.code, end["outcome"].as_str().unwrap(), end["state"].as_str().unwrap());
        assert_eq!(told, (Some(7), "close-incomplete", meeting.state), "{part:?}: {end:#}");
        let verdict = end["verdict"].as_str().unwrap();
        assert!(meeting.missing.iter().any(|missing| verdict.contains(missing)), "{part:?}: {verdict}");
        let peak = Vitals::peak(&self.vitals);
        assert!(peak < MOST_KIB, "{part:?}: {peak} KiB");
        let steps: Vec<&Value> = lines.iter().filter(|line| line["type"] == "step").collect();
        let late = self.assert_in_time(part, &steps, seconds);
        self.assert_few_challenges(part, seconds);
        self.assert_told(part, &steps, end);
        println!(
            "{part:?}: {peak} KiB beside its file, {} packets, verdict {late:?} late",
            self.captured.len()
        );
    }

    /// By its own account, and by that of the capture. Time in which the machine let it not run is not its own.
    #[track_caller]
    fn assert_in_time(&self, part: Part, steps: &[&Value], seconds: u32) -> Duration {
        let at = |step: &Value| Duration::from_micros(step["at_us"].as_u64().unwrap());
        let opens = |step: &Value| {
            step["arrows"].as_array().unwrap().iter().any(|arrow| arrow["to"] == "ESTABLISHED")
        };
        let takes = |step: &Value| step["snd"]["una"] != step["before"]["snd"]["una"];
        let opened = at(steps.iter().find(|step| opens(step)).expect("an open"));
        let progress = at(steps.iter().rfind(|step| takes(step)).expect("an acknowledgment"));
        let begun = if part.meeting().closes { opened } else { progress };
        let reset = steps.iter().rfind(|step| step["flags"] == "RST,ACK" && step["direction"] == "sent");
        let over = at(reset.expect("a RST at the end"));
        let kept_waiting = Vitals::kept_waiting_at_the_end(&self.vitals);
        let timeout = Duration::from_secs(seconds.into());
        assert!(over >= begun + timeout, "{part:?}: too early, {over:?}");
        let late = over - begun - timeout;
        assert!(late <= LATE + kept_waiting, "{part:?}: {late:?} late, {kept_waiting:?} of it not its own");
        let wire = self.from_us().rfind(|(_, seen)| seen.flags == "RST,ACK").expect("a RST").0
            - self.from_us().next().expect("a SYN").0;
        assert!(wire.abs_diff(over) <= LATE + kept_waiting, "{part:?}: {over:?}, on the wire {wire:?}");
        late
    }

    fn from_us(&self) -> impl DoubleEndedIterator<Item = &(Duration, Seen)> {
        self.captured.iter().filter(|(_, seen)| seen.source.ip() == NEAR_V4)
    }

    /// What nobody's text or FIN has asked for: no peer sends any. Challenges are counted by when what they answer has
    /// arrived; on the wire one may follow the next by less.
    #[track_caller]
    fn assert_few_challenges(&self, part: Part, seconds: u32) {
        const MOST: usize = 10;
        const SPAN: Duration = Duration::from_secs(5).saturating_sub(LATE);
        let acks = self.from_us().filter(|(_, seen)| seen.flags == "ACK" && seen.len == 0);
        let challenges: Vec<Duration> = acks.map(|(at, _)| *at).skip(1).collect(); // the first opens
        let crowd = challenges.windows(MOST + 1).find(|crowd| crowd[MOST] - crowd[0] <= SPAN);
        assert_eq!(crowd, None, "{part:?}: more than ten challenges in five seconds");
        let beside = self.from_us().count() - challenges.len();
        let most = 1 + part.meeting().most_sent(seconds) as usize;
        assert!(beside <= most, "{part:?}: {beside} segments, at the most {most}");
    }

    /// Every segment that we have sent, as it was sent; of those that came, no more than there were.
    #[track_caller]
    fn assert_told(&self, part: Part, steps: &[&Value], end: &Value) {
        let number = |value: &Value| value.as_u64().map(|number| number as u32);
        let sent: Vec<_> = steps
            .iter()
            .filter(|step| step["direction"] == "sent")
            .map(|step| {
                (
                    step["flags"].as_str().unwrap(),
                    number(&step["seq"]),
                    number(&step["ack"]),
                    number(&step["len"]),
                )
            })
            .collect();
        let seen: Vec<_> = self
            .from_us()
            .map(|(_, seen)| (&*seen.flags, Some(seen.seq), seen.ack, Some(seen.len as u32)))
            .collect();
        assert_eq!(sent, seen, "{part:?}");
        let told = steps.iter().filter(|step| step["direction"] == "received").count() as u64;
        let came = self.came;
        let lost = end["packets_lost"].as_u64().unwrap();
        assert!(told <= came, "{part:?}: {told} of {came}");
        // Source quench is passed over in silence (MUST-55).
        let all = came <= told + lost + IN_THE_END || part == Part::IcmpStorm;
        assert!(all, "{part:?}: {told} of {came}, {lost} lost");
    }
}

/// Segments that come while it ends, and are not read any more.
const IN_THE_END: u64 = 200;

/// J-07: as fast as the machine can, and nobody reads what is told: the verdict comes in time all the same, is told when
/// somebody reads at last, and what was not told is said.
fn at_full_speed() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let world = World::new();
    let peer = Scripted::start(&world, (NEAR_V4, 40_000).into());
    let target = peer.address.to_string();
    let mut hostile = Hostile::new(Part::AckWar, peer.address).paced(Duration::from_millis(2), 64);
    let resets = world.lab.far.run(|| Ok(Capture::of_resets(LINK))).expect("a capture");
    let (until_over, over) = std::io::pipe().unwrap();
    let playing = std::thread::spawn(move || {
        peer.play(&mut hostile, until_over.into());
        hostile
    });
    let running =
        Running::connect(&[&target, "--source-port", "40000", "--close", "passive", "--timeout", "1"]);
    let vitals = Vitals::until(running.pid(), || !resets.segments().is_empty());
    drop(over);
    let hostile = playing.join().unwrap();
    let run = running.finish();
    assert_eq!(run.code, Some(8), "{}", run.stderr);
    assert!(
        run.stderr.ends_with("steps were not shown: nobody read the output fast enough\n"),
        "{}",
        run.stderr
    );
    let verdict = run.end()["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("opened, but not closed: the peer neither"), "{verdict}");
    let (called, hung_up) = (hostile.called.unwrap(), hostile.hung_up.unwrap());
    let late = (hung_up - called).checked_sub(TIMEOUT).expect("not too early");
    let kept_waiting = Vitals::kept_waiting_at_the_end(&vitals);
    assert!(late < LATE + kept_waiting, "{late:?} late, {kept_waiting:?} of it not its own");
    let peak = Vitals::peak(&vitals);
    assert!(peak < MOST_KIB, "{peak} KiB");
    println!(
        "full speed: {} steps told, {peak} KiB beside its file, verdict {late:?} late",
        run.steps().count()
    );
}
