//! What `send` refuses before the first segment.

use tcpshake::lab::LINK;

use crate::Named;
use crate::run::{Folder, Said, command, send, sh};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("send_refuses_bad_fields", send_refuses_bad_fields),
    ("send_refuses_bad_data", send_refuses_bad_data),
    ("send_refuses_what_does_not_fit", send_refuses_what_does_not_fit),
    ("send_refuses_another_source", send_refuses_another_source),
    ("send_reads_what_ends", send_reads_what_ends),
];

const TARGET: &str = "10.99.0.2:9";

#[track_caller]
fn assert_nothing_left(world: &World) {
    assert!(world.capture.segments().is_empty(), "no segment leaves before all is read");
}

fn send_refuses_bad_fields() {
    let world = World::new();
    let long = format!("9:{}", "00".repeat(39));
    for (arguments, words) in [
        (["--flags", "SX"], "'X' is none of the letters"),
        (["--flags", "0x200"], "at most 0x1ff"),
        (["--flags", ""], "letters are needed"),
        (["--option", "mss"], "'mss' is no option kind"),
        (["--option", "256:00"], "'256' is no option kind"),
        (["--option", "2:5b4"], "odd number"),
        (["--option", "2:05bg"], "not hexadecimal"),
        (["--option", "1:00"], "single octet"),
        (["--option", &long], "39 octets"),
        (["--tos", "256"], "from 0 to 255"),
        (["--ttl", "0"], "0 is not in 1..=255"),
        (["--ttl", "256"], "256 is not in 1..=255"),
        (["--window", "65536"], "from 0 to 65535"),
        (["--urgent", "-1"], "unexpected argument"),
        (["--seq", "4294967296"], "from 0 to 4294967295"),
        (["--ack-number", "x"], "from 0 to 4294967295"),
        (["--data-offset", "16"], "16 is not in 0..=15"),
        (["--count", "0"], "0 is not in 1.."),
        (["--timeout", "0"], "more than 0 seconds"),
        (["--interval", "-1"], "unexpected argument"),
    ] {
        send(&[&[TARGET], &arguments[..]].concat()).assert_error(2, words);
    }
    let options = ["--option", "8:0001020304050607"].repeat(5);
    send(&[&[TARGET], &options[..]].concat()).assert_error(2, "50 octets of options do not fit");
    assert_nothing_left(&world);
}

fn send_refuses_bad_data() {
    let world = World::new();
    let folder = Folder::new();
    let secret = folder.file("secret");
    std::fs::write(&secret, "x").unwrap();
    for (data, words) in [
        ("ab\\q", "'\\q' is no escape"),
        ("\\x1", "'\\x' needs two hexadecimal digits, at character 1"),
        ("\\400", "'\\400' is more than an octet"),
        ("\\", "a backslash ends the text"),
        ("@/nonexistent/file", "cannot read the data from '/nonexistent/file': no such file or directory"),
        ("@/", "cannot read the data from '/': is a directory"),
        ("@", "cannot read the data from '': no such file or directory"),
        ("@/dev/zero", "longer than the 65535 octets"),
        (&format!("@{secret}/below"), "not a directory"),
        ("@/nonexistent\u{1b}[2J", "/nonexistent\\u{1b}[2J"),
    ] {
        let run = send(&[TARGET, "--data", data]);
        run.assert_error(2, words);
        assert!(run.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{}", run.stderr);
    }
    assert_nothing_left(&world);
}

fn send_refuses_what_does_not_fit() {
    let world = World::new();
    let folder = Folder::new();
    let file = folder.file("data");
    std::fs::write(&file, vec![0; 1461]).unwrap();
    let data = format!("@{file}");
    send(&[TARGET, "--data", &data]).assert_error(2, "1501 octets long, and the way to 10.99.0.2 takes 1500");
    std::fs::write(&file, vec![0; 1441]).unwrap();
    send(&["[fd99::2]:9", "--data", &data]).assert_error(2, "1501 octets long");
    std::fs::write(&file, vec![0; 1457]).unwrap();
    send(&[TARGET, "--data", &data, "--option", "1"]).assert_error(2, "1501 octets long");
    assert_nothing_left(&world);
    std::fs::write(&file, vec![0; 1460]).unwrap();
    send(&[TARGET, "--data", &data]).assert_ended(3, "refused");
    std::fs::write(&file, vec![0; 1440]).unwrap();
    send(&["[fd99::2]:9", "--data", &data]).assert_ended(3, "refused");
}

/// No spoofing.
fn send_refuses_another_source() {
    let world = World::new();
    send(&[TARGET, "--source", "10.99.0.77"]).assert_error(8, "10.99.0.77");
    send(&["[fd99::2]:9", "--source", "fd99::77"]).assert_error(8, "fd99::77");
    send(&[TARGET, "--source", "10.99.0.2"]).assert_error(8, "10.99.0.2");
    send(&[TARGET, "--interface", "nosuch"]).assert_error(8, "nosuch");
    send(&[TARGET, "--source", "127.0.0.1", "--interface", LINK]).assert_error(8, "a loopback --source");
    assert_nothing_left(&world);
}

/// A pipe is read to its end; what typed text and a file hold is what leaves.
fn send_reads_what_ends() {
    let world = World::new();
    let program = crate::run::TCPSHAKE;
    let shown = sh(&format!(
        "printf 'abc' | {program} send {TARGET} --data @/dev/stdin --timeout 0.2 || test $? = 3"
    ));
    assert!(shown.contains("\"abc\""), "{shown}");
    assert_eq!(world.capture.segments()[0].len, 3);
    let endless = format!("yes | {program} send {TARGET} --data @/dev/stdin");
    Said::by(&mut command("sh", &["-c", &endless])).assert_complaint(2, "longer than the 65535 octets");
    assert_nothing_left(&world);
}
