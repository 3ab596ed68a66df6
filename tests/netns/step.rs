//! `--step` and `--explain`.

use nix::sys::signal::Signal;
use tcpshake::lab::NEAR_V4;

use crate::Named;
use crate::capture::resets_from;
use crate::run::{Dialogue, Said, TCPSHAKE, command};
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("step_waits_for_enter_before_each_segment", waits_for_enter),
    ("step_goes_on_by_itself_when_nobody_answers_any_more", goes_on_at_the_end_of_input),
    ("step_ends_properly_with_a_signal", ends_with_a_signal),
    ("step_is_refused_where_nobody_could_answer", refused_where_nobody_could_answer),
    ("explain_says_what_each_step_means_and_where_it_stands", explains_each_step),
];

const SYN: &str = "next: SYN  seq 4321  len 0 · Enter";

/// Between two questions, and more than there can be: the end of the output is an empty line for ever.
const MOST_LINES: usize = 200;

/// The lines up to the next question.
fn up_to_question(talk: &mut Dialogue) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = talk.line();
        let is_last = line.starts_with("next: ");
        lines.push(line);
        if is_last || lines.len() > MOST_LINES {
            return lines;
        }
    }
}

fn step(target: &str) -> Dialogue {
    let arguments = ["connect", target, "--step", "--isn", "4321", "--color", "never", "--linger", "10"];
    Dialogue::start(&mut command(TCPSHAKE, &arguments))
}

fn waits_for_enter() {
    let world = World::new();
    let mut talk = step(&world.server(close_after_client).v4());
    let ours = || world.capture.segments().iter().filter(|seen| seen.source.ip() == NEAR_V4).count();
    let before = up_to_question(&mut talk);
    assert_eq!(before.last().unwrap(), SYN);
    assert!(before.iter().any(|line| line.contains("our clock")), "{before:?}");
    assert_eq!(ours(), 0);
    talk.say();
    let opened = up_to_question(&mut talk);
    assert!(opened.last().unwrap().starts_with("next: ACK  seq 4322  ack "), "{opened:?}");
    assert!(
        opened.iter().any(|line| line.contains("SYN,ACK")),
        "what is answered is shown before: {opened:?}"
    );
    assert_eq!(ours(), 1);
    talk.say();
    assert!(up_to_question(&mut talk).last().unwrap().starts_with("next: FIN,ACK  seq 4322"));
    talk.say();
    let closing = up_to_question(&mut talk);
    assert!(closing.last().unwrap().starts_with("next: ACK  seq 4323"), "{closing:?}");
    talk.say();
    let said = talk.end();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("opened and closed"), "{}", said.stdout);
    assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0);
}

fn goes_on_at_the_end_of_input() {
    let world = World::new();
    let mut talk = step(&world.server(close_after_client).v4());
    assert_eq!(up_to_question(&mut talk).last().unwrap(), SYN);
    let said = talk.end();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("opened and closed"), "{}", said.stdout);
    assert!(!said.stdout.contains("next: "), "{}", said.stdout);
}

/// What nobody has released does not leave: the RST does, if there is something to end.
fn ends_with_a_signal() {
    for (released, flags) in [(0, &[][..]), (1, &["SYN", "RST"]), (2, &["SYN", "ACK", "RST"])] {
        let world = World::new();
        let mut talk = step(&world.server(close_after_client).v4());
        up_to_question(&mut talk);
        for _ in 0..released {
            talk.say();
            up_to_question(&mut talk);
        }
        talk.signal(Signal::SIGINT);
        let said = talk.wait();
        assert_eq!(said.code, Some(130), "{} {}", said.stdout, said.stderr);
        let seen = world.capture.segments();
        let ours: Vec<&str> =
            seen.iter().filter(|seen| seen.source.ip() == NEAR_V4).map(|seen| &*seen.flags).collect();
        assert_eq!(ours.len(), flags.len(), "{ours:?}");
        assert!(ours.iter().zip(flags).all(|(ours, wanted)| ours.contains(wanted)), "{ours:?}");
    }
}

fn refused_where_nobody_could_answer() {
    for (more, words) in [
        (&["--send", "-"][..], "--step reads Enter from standard input"),
        (&["--format", "json"], "--step is for who watches the ladder"),
    ] {
        let arguments = [&["connect", "10.99.0.2:7", "--step"], more].concat();
        let said = Said::by(&mut command(TCPSHAKE, &arguments));
        assert_eq!((said.code, said.stderr.contains(words)), (Some(2), true), "{said:?}");
    }
}

fn explains_each_step() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    let arguments = ["connect", &target, "--isn", "4321", "--explain", "--width", "200", "--color", "never"];
    let said = Said::by(&mut command(TCPSHAKE, &arguments)).assert_well();
    assert!(said.stdout.contains("4321 + 1 = 4322"), "{}", said.stdout);
    assert!(said.stdout.contains("(RFC 9293 3.10.7.3 fourth)"), "{}", said.stdout);
}
