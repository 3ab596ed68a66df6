//! What is said and heard, octet for octet, against servers of the kernel's; and all that can be wrong with it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

use caps::Capability;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde_json::Value;
use socket2::SockRef;
use tcpshake::lab::NEAR_V4;
use tcpshake::tcp::{Flags, Segment};

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{Dialogue, Folder, Run, Running, Said, TCPSHAKE, command, connect, text, unwrapped};
use crate::scripted::{IRS, segment, start};
use crate::world::{World, bound_to, close_after_client, close_before_client, greet};

pub(crate) const TESTS: &[Named] = &[
    ("the_page_on_standard_output_the_story_on_standard_error", page_and_story),
    ("what_would_steer_a_terminal_does_not_reach_it", a_terminal_is_not_steered),
    ("a_megabyte_each_way_octet_for_octet", a_megabyte_each_way),
    ("standard_input_is_sent_as_it_comes", standard_input_is_sent_as_it_comes),
    ("expectations_met_and_unmet", expectations_met_and_unmet),
    ("until_octets_match_or_fin", until_octets_match_or_fin),
    ("half_close_hears_what_follows_our_fin", half_close_hears_what_follows_our_fin),
    ("wait_after_open_meets_a_reset", wait_after_open_meets_a_reset),
    ("wait_after_open_waits", wait_after_open_waits),
    ("what_can_be_wrong_is_wrong_before_the_first_segment", wrong_before_the_first_segment),
    ("a_file_that_may_not_be_read", a_file_that_may_not_be_read),
    ("a_full_disk_ends_it_properly", a_full_disk_ends_it_properly),
    ("a_reader_that_goes_ends_it_properly", a_reader_that_goes_ends_it_properly),
    ("an_input_that_fails_ends_it_properly", an_input_that_fails_ends_it_properly),
    ("a_slow_reader_closes_our_window", a_slow_reader_closes_our_window),
    ("a_signal_ends_what_has_no_end", a_signal_ends_what_has_no_end),
    ("each_exchange_begins_anew", each_exchange_begins_anew),
];

const PAGE: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n\x1b[2Jhello\r\n";

/// As a server of pages does: reads the request, answers, closes.
fn serve_page(mut client: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        match client.read(&mut octet) {
            Ok(1) => request.extend(octet),
            _ => return,
        }
    }
    let _ = client.write_all(PAGE.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read_to_end(&mut Vec::new());
}

pub(crate) fn echo(mut client: TcpStream) {
    let mut reader = client.try_clone().unwrap();
    let _ = std::io::copy(&mut reader, &mut client);
}

/// Says nothing before the client's FIN.
fn answer_after_fin(mut client: TcpStream) {
    let mut heard = Vec::new();
    let _ = client.read_to_end(&mut heard);
    heard.reverse();
    let _ = client.write_all(&heard);
}

/// Takes all, keeps nothing.
fn discard(mut client: TcpStream) {
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

const LETTERS: usize = 4 << 20;

fn letters() -> String {
    (0..LETTERS).map(|n| char::from(b'a' + (n % 23) as u8)).collect()
}

/// More than fits all buffers.
fn send_letters(mut client: TcpStream) {
    let _ = client.write_all(letters().as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read_to_end(&mut Vec::new());
}

/// Never ceases.
fn send_for_ever(mut client: TcpStream) {
    while client.write_all(&[b'x'; 4096]).is_ok() {}
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const REQUEST: [&str; 5] = ["--send", "GET / HTTP/1.0\\r\\n\\r\\n", "--half-close", "--output", "-"];

/// Octets that are no text, each time the same.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(7), next).map(|state| (state >> 24) as u8).take(len).collect()
}

fn page_and_story() {
    let world = World::new();
    for target in [world.server(serve_page).v4(), world.server(serve_page).v6()] {
        let (code, stdout, stderr) =
            text(&[&["connect", &target, "--color", "never"], &REQUEST[..]].concat());
        assert_eq!((code, &*stdout), (Some(0), PAGE), "{stderr}");
        assert!(stderr.contains("opened and closed, both FINs acknowledged"), "{stderr}");
        assert!(stderr.contains("\"GET / HTTP/1.0\\r\\n\\r\\n\""), "{stderr}");
        assert!(stderr.chars().all(|c| c == '\n' || !c.is_control()), "{stderr:?}");
        assert!(stderr.lines().all(|line| line.chars().count() <= 80), "{stderr}");
        world.capture.segments();

        let as_json = ["connect", &target, "--format", "json"];
        let (code, stdout, stderr) = text(&[&as_json, &REQUEST[..]].concat());
        assert_eq!(stdout, PAGE);
        let run = Run { code, lines: lines(&stderr), stderr: String::new() };
        run.assert_ended(0, "completed");
        assert_eq!(run.end()["text_received"], PAGE.len());
        assert_told_as_captured(&run, &world.capture.segments());
    }
}

fn a_terminal_is_not_steered() {
    let world = World::new();
    let nix::pty::OpenptyResult { master, slave } = nix::pty::openpty(None, None).unwrap();
    let terminal = nix::unistd::ttyname(&slave).unwrap();
    let request = ["--send", "GET / HTTP/1.0\\r\\n\\r\\n", "--output", terminal.to_str().unwrap()];
    connect(&[&[&*world.server(serve_page).v4()], &request[..]].concat()).assert_ended(0, "completed");
    drop(slave);
    let mut shown = Vec::new();
    let hung_up = std::fs::File::from(master).read_to_end(&mut shown).unwrap_err();
    assert_eq!(hung_up.raw_os_error(), Some(Errno::EIO as i32));
    // The terminal itself begins each line at the left.
    let expected = PAGE.replace('\r', "\\r").replace('\x1b', "\\x1b").replace('\n', "\r\n");
    assert_eq!(String::from_utf8(shown).unwrap(), expected);
}

fn a_megabyte_each_way() {
    let world = World::new();
    let folder = Folder::new();
    let (there, back) = (folder.file("there"), folder.file("back"));
    let sent = noise(1 << 20);
    std::fs::write(&there, &sent).unwrap();
    std::fs::write(&back, vec![b'x'; 2 << 20]).unwrap(); // longer than what will be there
    let run = connect(&[
        &world.server(echo).v4(),
        "--send",
        &format!("@{there}"),
        "--output",
        &back,
        "--half-close",
    ]);
    run.assert_ended(0, "completed");
    let came = std::fs::read(&back).unwrap();
    let differs = came.iter().zip(&sent).position(|(came, sent)| came != sent);
    assert!(
        came == sent,
        "{} octets came back of {}, the first that differs is {differs:?}: {}",
        came.len(),
        sent.len(),
        run.end()
    );
    assert_eq!(
        (&run.end()["text_sent"], &run.end()["text_received"]),
        (&(1 << 20).into(), &(1 << 20).into())
    );
    assert_eq!(world.capture.lost(), 0);
    assert_told_as_captured(&run, &world.capture.segments());
}

fn standard_input_is_sent_as_it_comes() {
    let world = World::new();
    let target = world.server(echo).v4();
    let mut talk =
        Dialogue::start(&mut command(TCPSHAKE, &["connect", &target, "--send", "-", "--output", "-"]));
    for word in ["one", "two", "three"] {
        talk.say_octets(format!("{word}\n").as_bytes());
        assert_eq!(talk.line(), word);
    }
    talk.say_octets(b"no end of line");
    let said = talk.end();
    assert_eq!((said.code, &*said.stdout), (Some(0), "no end of line"));
    assert!(said.stderr.contains("28 octets sent"), "{}", said.stderr);
}

fn expectations_met_and_unmet() {
    let world = World::new();
    let server = world.server(greet);
    let (echo, silent) = (world.server(echo).v4(), world.server(close_after_client).v4());
    for (target, arguments, code, met) in [
        (&server.v4(), &["--expect", "^220 ready", "--until", "\\n"][..], 0, true),
        (&echo, &["--send", "h\\x69\\n", "--expect", "^hi$", "--timeout", "0.2"], 1, false), // no line end for $ to stand before
        (&echo, &["--send", "h\\x69\\n", "--expect", "(?m)^hi$"], 0, true),
        (&silent, &["--expect", "220", "--timeout", "0.2"], 1, false),
    ] {
        let run = connect(&[&[target.as_str()], arguments].concat());
        run.assert_ended(code, "completed");
        assert_eq!(
            (&run.end()["as_expected"], &run.end()["expected"]),
            (&met.into(), &pattern(arguments).into())
        );
        let human = [&["connect", target, "--color", "never"], arguments].concat();
        let words = match (met, target == &silent) {
            (true, _) => "as expected".to_owned(),
            (false, true) => format!("expected '{}', and nothing came", pattern(arguments)),
            (false, false) => format!("expected '{}', which is not in what came", pattern(arguments)),
        };
        for more in [&[][..], &["-q"]] {
            let (exit, stdout, _) = text(&[&human, more].concat());
            assert_eq!(exit, Some(code));
            assert!(unwrapped(&stdout).contains(&words), "{words}: {stdout}");
        }
    }
    let nobody = world.lab.far.run(|| TcpListener::bind(("10.99.0.2", 0))).unwrap().local_addr().unwrap();
    connect(&[&nobody.to_string(), "--expect", "x"]).assert_ended(3, "refused");
}

fn pattern(arguments: &[&str]) -> String {
    let at = arguments.iter().position(|argument| *argument == "--expect").unwrap();
    arguments[at + 1].to_owned()
}

/// Where our FIN stands among the segments, and what came before it.
fn heard_before_fin(run: &Run) -> u64 {
    let fin = run
        .steps()
        .position(|step| step["direction"] == "sent" && step["flags"].as_str().unwrap().contains("FIN"));
    let before = run.steps().take(fin.expect("a FIN of ours")).filter(|step| step["direction"] == "received");
    before.map(|step| step["len"].as_u64().unwrap()).sum()
}

fn until_octets_match_or_fin() {
    let world = World::new();
    let greeting = world.server(greet).v4();
    for until in ["15", "rea.y", "1"] {
        let run = connect(&[&greeting, "--until", until]);
        run.assert_ended(0, "completed");
        assert_eq!(heard_before_fin(&run), 15, "{until}");
    }
    let run = connect(&[&greeting, "--until", "16", "--timeout", "0.2"]);
    run.assert_ended(7, "close-incomplete");
    let run = connect(&[&world.server(serve_page).v4(), "--send", "\\r\\n\\r\\n", "--until", "fin"]);
    run.assert_ended(0, "completed");
    assert_eq!(heard_before_fin(&run), PAGE.len() as u64);
    assert!(run.states().contains(&"CLOSE-WAIT"), "{:?}", run.states());
}

fn half_close_hears_what_follows_our_fin() {
    let world = World::new();
    let folder = Folder::new();
    let heard = folder.file("heard");
    let target = world.server(answer_after_fin).v4();
    for more in [&["--half-close"][..], &[]] {
        let run = connect(&[&[&*target, "--send", "abc", "--output", &heard], more].concat());
        run.assert_ended(0, "completed");
        assert_eq!(heard_before_fin(&run), 0);
        assert_eq!(std::fs::read(&heard).unwrap(), b"cba");
        let (_, received) = (run.end()["text_sent"].clone(), run.end()["text_received"].clone());
        assert_eq!(received, 3);
    }
    let run = connect(&[
        &world.server(close_before_client).v4(),
        "--send",
        "abc",
        "--half-close",
        "--wait-after-open",
        "20",
    ]);
    run.assert_ended(0, "completed");
    assert!(run.states().contains(&"LAST-ACK"), "the peer closed first: {:?}", run.states());
    connect(&[&target, "--half-close", "--until", "3"]).assert_error(2, "cannot be used with");
    connect(&[&target, "--half-close", "--close", "passive"]).assert_error(2, "leave out --close");
}

/// A proxy that answers every SYN for whoever is behind it.
fn wait_after_open_meets_a_reset() {
    let (_world, mut peer, running) = start(&["--wait-after-open", "10000", "--send", "hello"]);
    let ack = peer.open();
    peer.say(&Segment { seq: IRS + 1, ack: ack.seq, flags: Flags::RST | Flags::ACK, ..segment() });
    let run = running.finish();
    run.assert_ended(6, "reset");
    assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK", "< RST,ACK"]);
}

fn wait_after_open_waits() {
    let world = World::new();
    let run = connect(&[&world.server(echo).v4(), "--wait-after-open", "60", "--send", "hello"]);
    run.assert_ended(0, "completed");
    let at = |n: usize| run.steps().nth(n).unwrap()["at_us"].as_u64().unwrap();
    assert!(at(3) - at(2) >= 59_000, "{} to {}", at(2), at(3));
}

fn wrong_before_the_first_segment() {
    let world = World::new();
    let folder = Folder::new();
    let file = folder.file("file");
    std::fs::write(&file, b"text").unwrap();
    let (missing, nowhere) = (format!("@{}", folder.file("missing")), folder.file("no/where"));
    let (a_folder, itself) = (format!("@{}", folder.file("")), format!("@{file}"));
    let target = world.server(echo).v4();
    for (arguments, code, words) in [
        (&["--send", "ab\\q"][..], 2, "'\\q' is no escape"),
        (&["--expect", "("], 2, "unclosed group"),
        (&["--until", "["], 2, "unclosed character class"),
        (&["--send", "@"], 2, "the name of the file is missing"),
        (&["--send", &missing], 2, "no such file or directory"),
        (&["--send", &a_folder], 2, "is a directory"),
        (&["--send", "@/proc/self/mem"], 2, "cannot read '/proc/self/mem'"),
        (&["--output", &nowhere], 8, "no such file or directory"),
        (&["--output", &a_folder[1..]], 8, "is a directory"),
        (&["--send", &itself, "--output", &file], 2, "cannot be sent and written at once"),
        (&["--send", "-", "--count", "2"], 2, "comes but once"),
        (&["--wait-after-open", "x"], 2, "a number of milliseconds"),
    ] {
        let (_, _, stderr) = text(&[&["connect", &target], arguments].concat());
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        connect(&[&[&*target], arguments].concat()).assert_error(code, words);
    }
    assert_eq!(world.capture.segments(), []);
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
    // Nor does a target that leads nowhere empty a file.
    connect(&["10.99.0.2:0", "--output", &file]).assert_error(2, "no port");
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
}

fn a_file_that_may_not_be_read() {
    let world = World::new();
    let folder = Folder::new();
    let file = folder.file("secret");
    std::fs::write(&file, b"text").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o0)).unwrap();
    let target = world.server(echo).v4();
    bound_to(&[Capability::CAP_NET_RAW], || {
        connect(&[&target, "--send", &format!("@{file}")]).assert_error(2, "permission denied");
        connect(&[&target, "--output", &file]).assert_error(8, "permission denied");
    });
    assert_eq!(world.capture.segments(), []);
}

/// What is told wherever it shows first: in the verdict, or behind it.
fn assert_trouble(said: &Said, words: &str) {
    assert_eq!(said.code, Some(8), "{said:?}");
    let all = unwrapped(&format!("{} {}", said.stdout, said.stderr));
    assert!(all.contains(words), "{words}: {all}");
}

fn a_full_disk_ends_it_properly() {
    let world = World::new();
    let arguments = ["--send", "hello", "--until", "fin", "--output", "/dev/full", "--linger", "10"];
    let target = world.server(echo).v4();
    let said = Said::by(&mut command(TCPSHAKE, &[&["connect", &target], &arguments[..]].concat()));
    assert_trouble(&said, "cannot write to '/dev/full': no space left on device");
    let captured = world.capture.segments();
    assert_eq!(
        resets_from(&captured, NEAR_V4.into()),
        0,
        "closed, though the peer would have stayed for ever"
    );
    assert!(captured.iter().any(|seen| seen.source.ip() == NEAR_V4 && seen.flags.contains("FIN")));
    let run = connect(&[&[&*target], &arguments[..]].concat());
    run.assert_ended(8, "completed");
    assert_eq!(run.end()["trouble"], "cannot write to '/dev/full': no space left on device");
}

fn a_reader_that_goes_ends_it_properly() {
    let world = World::new();
    let target = world.server(send_for_ever).v4();
    let arguments = ["connect", &target, "--half-close", "--output", "-", "--timeout", "0.5"];
    let mut talk = Dialogue::start(command(TCPSHAKE, &arguments).arg("-q"));
    world.capture.until(|seen| seen.source.ip() != NEAR_V4 && seen.len > 0);
    talk.stop_listening();
    assert_trouble(&talk.end(), "cannot write to standard output: broken pipe");
}

/// A connection as input, which is reset.
fn an_input_that_fails_ends_it_properly() {
    let world = World::new();
    let target = world.server(echo).v4();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let input = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    let arguments = ["connect", &target, "--send", "-", "--color", "never", "--linger", "10"];
    let mut program = command(TCPSHAKE, &arguments);
    let talk = Dialogue::with_input(program.stdin(OwnedFd::from(input)));
    other.write_all(b"hello").unwrap();
    world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.len == 5);
    SockRef::from(&other).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(other);
    drop(program);
    assert_trouble(&talk.wait(), "cannot read standard input: connection reset by peer");
    let captured = world.capture.segments();
    assert!(captured.iter().any(|seen| seen.source.ip() == NEAR_V4 && seen.flags.contains("FIN")));
    assert_eq!(resets_from(&captured, NEAR_V4.into()), 0);
}

fn a_slow_reader_closes_our_window() {
    let world = World::new();
    let target = world.server(send_letters).v4();
    let arguments = ["connect", &target, "--half-close", "--output", "-", "--quiet"];
    let talk = Dialogue::start(&mut command(TCPSHAKE, &arguments));
    world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.window == 0 && seen.flags == "ACK");
    let said = talk.end();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout == letters(), "{} octets came", said.stdout.len());
}

fn a_signal_ends_what_has_no_end() {
    let world = World::new();
    let target = world.server(discard).v4();
    for input in ["@/dev/zero", "-"] {
        let mut program = command(TCPSHAKE, &["connect", &target, "-q", "--send", input]);
        if input == "-" {
            program.stdin(std::fs::File::open("/dev/zero").unwrap());
        }
        let talk = Dialogue::with_input(&mut program);
        let mut octets = 0;
        while octets < 4 << 20 {
            octets += world.capture.until(|seen| seen.source.ip() == NEAR_V4 && seen.len > 0).len;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", talk.pid())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 64 << 10, "{kilobytes} kB");
        talk.signal(Signal::SIGINT);
        let said = talk.wait();
        assert_eq!(said.code, Some(130), "{said:?}");
        assert!(said.stdout.contains("interrupted"), "{said:?}");
        world.capture.segments();
    }
}

fn each_exchange_begins_anew() {
    let world = World::new();
    let folder = Folder::new();
    let (file, heard) = (folder.file("file"), folder.file("heard"));
    std::fs::write(&file, noise(100_000)).unwrap();
    let target = world.server(echo).v4();
    let arguments = ["--send", &format!("@{file}"), "--output", &heard, "--count", "2", "--interval", "0"];
    let run = Running::connect(&[&[&*target], &arguments[..]].concat()).finish();
    run.assert_ended(0, "completed");
    let sent: Vec<_> =
        run.lines.iter().filter(|line| line["type"] == "end").map(|end| &end["text_sent"]).collect();
    assert_eq!(sent, [100_000, 100_000]);
    assert!(std::fs::read(&heard).unwrap() == [noise(100_000), noise(100_000)].concat());
}
