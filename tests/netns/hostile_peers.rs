//! Peers that mean ill, on a real wire, against the program: when its verdict comes, what it says, what it sends, and
//! how much memory it takes.
//!
//! All play at the same time, each in a network of its own, so that half a minute of each takes half a minute. They
//! speak up to a thousand times a second (see [`Part::pace`]); what the machine can do beside is the program's.

use std::fs::File;
use std::time::Duration;

use serde_json::Value;
use tcpshake::lab::{LINK, NEAR_V4};

use crate::Named;
use crate::capture::{Capture, Seen, read};
use crate::enemies::{Hostile, Part};
use crate::run::{Folder, TCPSHAKE, command};
use crate::scripted::Scripted;
use crate::vitals::{LATE, MOST_KIB, Vitals, has_ended};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("g14_j07_o09_hostile_peers", || all_at_once(2)),
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

/// What is known of a run of the run.
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
        assert!(peak < MOST_KIB, "{part:?}: {peak} KiB, {:?}", self.vitals);
        let steps: Vec<&Value> = lines.iter().filter(|line| line["type"] == "step").collect();
        let late = self.assert_in_time(part, &steps, seconds);
        self.assert_few_challenges(part, seconds);
        self.assert_told(part, &steps, end);
        eprintln!(
            "{part:?}: {peak} KiB beside its file, {} packets, verdict {late:?} late",
            self.captured.len()
        );
    }

    /// By its own account, and by that of the capture. Time in which the machine let it not run is not its own.
    #[track_caller]
    fn assert_in_time(&self, part: Part, steps: &[&Value], seconds: u32) -> Duration {
        let at = |step: &Value| Duration::from_micros(step["at_us"].as_u64().unwrap());
        let takes = |step: &Value| step["snd"]["una"] != step["before"]["snd"]["una"];
        let progress = at(steps.iter().rfind(|step| takes(step)).expect("an acknowledgment"));
        let reset = steps.iter().rfind(|step| step["flags"] == "RST,ACK" && step["direction"] == "sent");
        let over = at(reset.expect("a RST at the end"));
        let kept_waiting = Vitals::kept_waiting(&self.vitals);
        let timeout = Duration::from_secs(seconds.into());
        let late =
            over.checked_sub(progress + timeout).unwrap_or_else(|| panic!("{part:?}: too early, {over:?}"));
        assert!(late <= LATE + kept_waiting, "{part:?}: {late:?} late, {kept_waiting:?} of it not its own");
        let (syn, _) = self.ours().next().expect("a SYN");
        let (reset, _) = self.ours().rfind(|(_, seen)| seen.flags == "RST,ACK").expect("a RST");
        let wire = reset.abs_diff(*syn);
        assert!(wire.abs_diff(over) <= LATE + kept_waiting, "{part:?}: {over:?}, on the wire {wire:?}");
        late
    }

    fn ours(&self) -> impl DoubleEndedIterator<Item = &(Duration, Seen)> {
        self.captured.iter().filter(|(_, seen)| seen.source.ip() == NEAR_V4)
    }

    /// What nobody's text or FIN has asked for: no peer sends any. Challenges are counted by when what they answer has
    /// arrived; on the wire one may follow the next by less.
    #[track_caller]
    fn assert_few_challenges(&self, part: Part, seconds: u32) {
        const MOST: usize = 10;
        const SPAN: Duration = Duration::from_secs(5).saturating_sub(LATE);
        let acks = self.ours().filter(|(_, seen)| seen.flags == "ACK" && seen.len == 0);
        let challenges: Vec<Duration> = acks.map(|(at, _)| *at).skip(1).collect(); // the first opens
        let crowd = challenges.windows(MOST + 1).find(|crowd| crowd[MOST].abs_diff(crowd[0]) <= SPAN);
        assert_eq!(crowd, None, "{part:?}: more than ten challenges in five seconds");
        let beside = self.ours().count() - challenges.len();
        // A peer that is late is sent again what it is late with; a storm would be thousands.
        let most = 2 * part.meeting().most_sent(seconds) as usize;
        assert!(beside <= most, "{part:?}: {beside} segments, at the most {most}");
    }

    /// Every segment that we have sent, as it was sent, and behind the last none but RSTs: who is late meets the kernel,
    /// which answers for itself again. Of those that came, no more than there were.
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
            .ours()
            .map(|(_, seen)| (&*seen.flags, Some(seen.seq), seen.ack, Some(seen.len as u32)))
            .collect();
        let (seen, late) = seen.split_at(sent.len().min(seen.len()));
        assert_eq!(sent, seen, "{part:?}");
        assert!(late.iter().all(|(flags, ..)| flags.starts_with("RST")), "{part:?}: {late:?}");
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
