//! What a SYN can offer and carry, as a capture saw it and a kernel answered; and opens from both sides.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tcpshake::lab::{FAR_V4, NEAR_V4};
use tcpshake::tcp::{Flags, Segment};

use crate::Named;
use crate::capture::{Seen, assert_told_as_captured};
use crate::run::{
    Dialogue, Folder, Run, Running, Said, TCPSHAKE, command as program, connect, text, unwrapped,
};
use crate::scripted::{IRS, segment, start, syn_ack};
use crate::world::{PATIENCE, Server, World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("each_option_stands_on_the_syn_in_its_place", each_option_stands_on_the_syn_in_its_place),
    ("options_that_cannot_be_are_named", options_that_cannot_be_are_named),
    ("ecn_is_granted_by_a_kernel", ecn_is_granted_by_a_kernel),
    ("timestamps_with_a_kernel", timestamps_with_a_kernel),
    ("a_fast_open_cookie_is_given", a_fast_open_cookie_is_given),
    ("text_on_the_syn_is_taken", text_on_the_syn_is_taken),
    ("text_on_the_syn_that_is_not_taken_goes_again", text_on_the_syn_that_is_not_taken_goes_again),
    ("tos_on_every_packet", tos_on_every_packet),
    ("no_nagle_sends_small_text_at_once", no_nagle_sends_small_text_at_once),
    ("what_was_agreed_is_told", what_was_agreed_is_told),
    ("what_was_dropped_or_changed_is_told", what_was_dropped_or_changed_is_told),
    ("simultaneous_with_a_kernel", simultaneous_with_a_kernel),
    ("simultaneous_with_ourselves", simultaneous_with_ourselves),
    ("all_addresses_one_after_the_other", all_addresses_one_after_the_other),
    ("all_addresses_tell_the_first_failure", all_addresses_tell_the_first_failure),
];

const NEAR: IpAddr = IpAddr::V4(NEAR_V4);

fn echo(mut client: TcpStream) {
    let mut reader = client.try_clone().unwrap();
    let _ = std::io::copy(&mut reader, &mut client);
}

/// The first segment from the near host.
fn syn(captured: &[Seen]) -> &Seen {
    captured.iter().find(|seen| seen.source.ip() == NEAR).expect("a SYN")
}

fn each_option_stands_on_the_syn_in_its_place() {
    const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];
    let world = World::new();
    let target = world.server(close_after_client).v4();
    for (arguments, options) in [
        (&[][..], [&MSS[..], &[4, 2, 3, 3, 0]].concat()),
        (&["--no-sack"], [&MSS[..], &[3, 3, 0]].concat()),
        (&["--no-sack", "--sack"], [&MSS[..], &[4, 2, 3, 3, 0]].concat()),
        (&["--timestamps", "--no-timestamps"], [&MSS[..], &[4, 2, 3, 3, 0]].concat()),
        (&["--wscale", "14"], [&MSS[..], &[4, 2, 3, 3, 14]].concat()),
        (&["--tfo-request"], [&MSS[..], &[4, 2, 3, 3, 0, 34, 2]].concat()),
        (
            &["--option", "253:beef00", "--tfo-request", "--option", "254:01"],
            [&MSS[..], &[4, 2, 3, 3, 0, 34, 2, 253, 5, 0xbe, 0xef, 0, 254, 3, 1]].concat(),
        ),
        (&["--no-options"], vec![]),
        (&["--no-options", "--option", "9:00"], vec![9, 3, 0]),
    ] {
        let run = connect(&[&[&*target], arguments].concat());
        run.assert_ended(0, "completed");
        let captured = world.capture.segments();
        let mut padded = options;
        padded.resize(padded.len().next_multiple_of(4), 0);
        assert_eq!(syn(&captured).options, padded, "{arguments:?}");
        assert_told_as_captured(&run, &captured);
    }
    // To the octet: 4 + 2 + 10 + 3 + 2 + 19.
    let longest = format!("254:{}", "77".repeat(17));
    let run = connect(&[&target, "--timestamps", "--tfo-request", "--option", &longest]);
    run.assert_ended(0, "completed");
    let captured = world.capture.segments();
    let options = &syn(&captured).options;
    assert_eq!(
        (options.len(), &options[6..8], &options[16..24]),
        (40, &[8, 10][..], &[3, 3, 0, 34, 2, 254, 19, 0x77][..])
    );
    assert_told_as_captured(&run, &captured);
}

fn options_that_cannot_be_are_named() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    let (fits_not, alone_fits_not) = (format!("254:{}", "77".repeat(18)), format!("254:{}", "77".repeat(38)));
    for (arguments, words) in [
        (&["--timestamps", "--tfo-request", "--option", &fits_not][..], "41 octets of options do not fit"),
        (&["--option", &alone_fits_not, "--option", "1"], "41 octets of options"),
        (&["--option", "mss:1"], "'mss' is no option kind"),
        (&["--wscale", "15"], "15 is not in 0..=14"),
        (&["--tos", "256"], "a number from 0 to 255"),
        (&["--no-options", "--timestamps"], "cannot be used with"),
        (&["--no-options", "--tfo-request"], "cannot be used with"),
        (&["--simultaneous"], "--source-port"),
        (&["--syn-data"], "--send"),
        (&["--syn-data", "--send", "-"], "cannot wait for standard input"),
    ] {
        connect(&[&[&*target], arguments].concat()).assert_error(2, words);
    }
    assert_eq!(world.capture.segments(), []);
}

fn opened(run: &Run) -> &Value {
    run.lines.iter().find(|line| line["type"] == "opened").unwrap_or_else(|| panic!("not opened: {run:#?}"))
}

fn ecn_is_granted_by_a_kernel() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    for (setting, granted) in [("1", true), ("0", false)] {
        world.far_sysctl("ipv4/tcp_ecn", setting);
        let run = connect(&[&target, "--ecn"]);
        run.assert_ended(0, "completed");
        let captured = world.capture.segments();
        assert_eq!(captured[0].flags, "SYN,ECE,CWR");
        assert_eq!(captured[1].flags, if granted { "SYN,ACK,ECE" } else { "SYN,ACK" });
        let key = if granted { "agreed" } else { "refused" };
        assert!(opened(&run)[key].as_array().unwrap().contains(&"ecn".into()), "{}", opened(&run));
        assert_told_as_captured(&run, &captured);
    }
}

fn timestamps_with_a_kernel() {
    let world = World::new();
    let run = connect(&[&world.server(echo).v4(), "--timestamps", "--send", "hello", "--until", "5"]);
    run.assert_ended(0, "completed");
    assert_eq!(opened(&run)["agreed"], json!(["sack", "window-scale", "timestamps"]));
    let captured = world.capture.segments();
    assert!(captured.iter().skip(2).all(|seen| seen.options.starts_with(&[1, 1, 8, 10])), "{captured:#?}");
    assert_told_as_captured(&run, &captured);
    world.far_sysctl("ipv4/tcp_timestamps", "0");
    let run = connect(&[&world.server(echo).v4(), "--timestamps"]);
    run.assert_ended(0, "completed");
    assert_eq!(opened(&run)["refused"], json!(["timestamps"]));
    assert_told_as_captured(&run, &world.capture.segments());
}

/// For all listeners (0x400) of a server (2), without a cookie (0x200).
const ASK_FOR_COOKIE: &str = "1026";
const TAKE_WITHOUT: &str = "1538";

fn a_fast_open_cookie_is_given() {
    let world = World::new();
    world.far_sysctl("ipv4/tcp_fastopen", ASK_FOR_COOKIE);
    let run = connect(&[&world.server(echo).v4(), "--tfo-request"]);
    run.assert_ended(0, "completed");
    let answer = run.steps().nth(1).unwrap()["options"].as_array().unwrap().clone();
    let cookie = answer.iter().find(|option| option["kind"] == 34).expect("a cookie");
    assert_eq!(cookie["data"].as_str().unwrap().len(), 16);
    assert_told_as_captured(&run, &world.capture.segments());
}

fn text_on_the_syn_is_taken() {
    let world = World::new();
    world.far_sysctl("ipv4/tcp_fastopen", TAKE_WITHOUT);
    let run = connect(&[&world.server(echo).v4(), "--syn-data", "--send", "hello", "--until", "5"]);
    run.assert_ended(0, "completed");
    let captured = world.capture.segments();
    assert_eq!((&*captured[0].flags, captured[0].len), ("SYN", 5));
    assert_eq!(captured[1].ack, Some(captured[0].seq.wrapping_add(6)), "SYN and text acknowledged");
    assert_eq!(run.steps().next().unwrap()["text"], "hello");
    assert_eq!((&run.end()["text_sent"], &run.end()["text_received"]), (&5.into(), &5.into()));
    assert_told_as_captured(&run, &captured);
}

fn text_on_the_syn_that_is_not_taken_goes_again() {
    let world = World::new();
    world.far_sysctl("ipv4/tcp_fastopen", "0");
    let run = connect(&[&world.server(echo).v4(), "--syn-data", "--send", "hello", "--until", "5"]);
    run.assert_ended(0, "completed");
    let captured = world.capture.segments();
    let carrying: Vec<_> = captured.iter().filter(|seen| seen.source.ip() == NEAR && seen.len == 5).collect();
    assert_eq!(carrying.len(), 2, "{captured:#?}");
    assert_eq!(carrying[1].seq, captured[0].seq.wrapping_add(1));
    assert_told_as_captured(&run, &captured);
}

/// MUST-48, SHLD-22, SHLD-23, SHLD-21: as it was asked for, on every packet from the first to the last.
fn tos_on_every_packet() {
    let world = World::new();
    let server = world.server(close_after_client);
    for (target, near) in [(server.v4(), NEAR), (server.v6(), IpAddr::V6(tcpshake::lab::NEAR_V6))] {
        connect(&[&target, "--tos", "0xb8"]).assert_ended(0, "completed");
        let captured = world.capture.segments();
        let ours: Vec<_> =
            captured.iter().filter(|seen| seen.source.ip() == near).map(|seen| seen.tos).collect();
        assert_eq!(ours, [184; 4], "{captured:#?}");
    }
}

/// Two small pieces, and no acknowledgment before the second is out.
fn no_nagle_sends_small_text_at_once() {
    let world = World::new();
    let client = SocketAddr::from((NEAR_V4, 40_000));
    for (arguments, waits) in [(&["--no-nagle"][..], false), (&[], true)] {
        let mut peer = crate::scripted::Scripted::start(&world, client);
        let target = peer.address.to_string();
        let common = ["connect", &target, "--source-port", "40000", "--send", "-", "--format", "json"];
        let mut program = program(TCPSHAKE, &[&common, arguments].concat());
        let mut talk = Dialogue::start(&mut program);
        peer.open();
        talk.say_octets(b"one");
        let first = peer.hear();
        assert_eq!(first.text_len, 3);
        talk.say_octets(b"two");
        if waits {
            peer.say(&Segment { seq: IRS + 1, ack: first.end(), flags: Flags::ACK, ..segment() });
        }
        assert_eq!(peer.hear().seq, first.end(), "{arguments:?}");
        talk.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(talk.end().code, Some(143));
    }
}

fn what_was_agreed_is_told() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    let run = connect(&[&target]);
    let agreed = opened(&run);
    assert_eq!((&agreed["agreed"], &agreed["refused"]), (&json!(["sack", "window-scale"]), &json!([])));
    assert_eq!((&agreed["our_mss"], &agreed["peer_mss"]), (&1460.into(), &1460.into()));
    let captured = world.capture.segments();
    assert_eq!((&agreed["ttl"], &agreed["hops"]), (&captured[1].ttl.into(), &0.into()));
    assert_eq!(agreed["peer_window"], captured[1].window);
    assert_eq!(
        run.lines.iter().position(|line| line["type"] == "opened"),
        Some(4),
        "below the three opening rungs"
    );
    let (_, shown, _) = text(&["connect", &target, "--color", "never", "--linger", "0"]);
    let (window, shift) = (&agreed["peer_window"], agreed["peer_scale"].as_u64().unwrap());
    for words in [
        "│  open: segments to 1460 octets, SACK, window scale",
        &format!("│  its window came as {window}, then in units of {}", 1 << shift),
        "│  its TTL came as 64: no router between us",
    ] {
        assert!(shown.lines().any(|line| line.trim() == words), "{shown}");
    }
    let (_, quiet, _) = text(&["connect", &target, "-q"]);
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
}

fn what_was_dropped_or_changed_is_told() {
    let (_world, mut peer, running) = start(&[]);
    let syn = peer.hear();
    let options = tcpshake::tcp::Options::from_wire(&[2, 4, 0x04, 0xb0]).unwrap();
    peer.say(&Segment { options, ..syn_ack(&syn) });
    let ack = peer.hear();
    peer.talk_and_close(&ack);
    let run = running.finish();
    let agreed = opened(&run);
    assert_eq!(agreed["refused"], json!(["sack", "window-scale"]));
    assert_eq!((&agreed["our_mss"], &agreed["peer_mss"]), (&1460.into(), &1200.into()));
}

/// The kernel's own: bound to our target's port, it connects to ours.
fn simultaneous_with_a_kernel() {
    const PORT: u16 = 4444;
    let world = World::new();
    let target = SocketAddr::from((FAR_V4, PORT)).to_string();
    let arguments = ["--simultaneous", "--source-port", "40000", "--send", "hello", "--half-close"];
    let mut running = Running::connect(&[&[&*target], &arguments[..]].concat());
    running.until(|line| line["type"] == "step" && line["flags"] == "RST,ACK"); // not there yet
    let connected = world.lab.far.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
        socket.connect_timeout(&SocketAddr::from((NEAR_V4, 40_000)).into(), PATIENCE)?;
        Ok(TcpStream::from(socket))
    });
    let mut kernel = connected.expect("the kernel's side is open");
    let mut heard = String::new();
    kernel.read_to_string(&mut heard).unwrap();
    kernel.write_all(b"and back").unwrap();
    drop(kernel);
    let run = running.finish();
    run.assert_ended(0, "completed");
    assert_eq!(heard, "hello");
    assert!(run.states().contains(&"SYN-RECEIVED"), "{:?}", run.states());
    assert!(run.flags().contains(&"< SYN".to_owned()), "{:?}", run.flags());
    assert_eq!(run.end()["text_received"], 8);
    assert_told_as_captured(&run, &world.capture.segments());
}

fn simultaneous_with_ourselves() {
    let world = World::new();
    let [near, far] =
        [SocketAddr::from((NEAR_V4, 40_000)), SocketAddr::from((FAR_V4, 40_001))].map(|at| at.to_string());
    let common = ["--simultaneous", "--send", "hello", "--half-close", "--expect", "^hello$"];
    let mut here = Running::connect(&[&[&*far, "--source-port", "40000"], &common[..]].concat());
    here.until(|line| line["type"] == "step" && line["flags"] == "RST,ACK");
    let there = world
        .lab
        .far
        .run(move || Ok(Running::connect(&[&[&*near, "--source-port", "40001"], &common[..]].concat())));
    let there = there.unwrap().finish();
    let here = here.finish();
    for run in [&here, &there] {
        run.assert_ended(0, "completed");
        assert!(run.states().contains(&"SYN-RECEIVED"), "{:?}", run.states());
        assert_eq!((&run.end()["text_sent"], &run.end()["text_received"]), (&5.into(), &5.into()));
    }
}

/// A shell command with these addresses for the name `two.test`.
fn with_addresses(folder: &Folder, addresses: &[&str], command: &str) -> Said {
    let hosts = folder.file("hosts");
    let lines: String = addresses.iter().map(|address| format!("{address} two.test\n")).collect();
    std::fs::write(&hosts, lines).unwrap();
    let script = format!("mount --bind {hosts} /etc/hosts && exec {TCPSHAKE} {command}");
    Said::by(&mut program("unshare", &["--mount", "sh", "-ec", &script]))
}

fn all_addresses_one_after_the_other() {
    let world = World::new();
    let folder = Folder::new();
    let port = world.server(close_after_client).port;
    let addresses = ["10.99.0.2", "fd99::2", "203.0.113.1"]; // to the last there is no route
    for guard in ["", "--guard nft", "--source-port 40000", "--guard nft --source-port 40000"] {
        let command = format!("connect two.test:{port} --all-addresses --format json --linger 10 {guard}");
        let said = with_addresses(&folder, &addresses, &command);
        let run = Run { code: said.code, lines: said.json(), stderr: said.stderr };
        run.assert_ended(0, "completed");
        let begins: Vec<_> = run.lines.iter().filter(|line| line["type"] == "begin").collect();
        let mut remotes: Vec<_> = begins.iter().map(|begin| begin["remote"].as_str().unwrap()).collect();
        remotes.sort_unstable();
        assert_eq!(remotes, [format!("10.99.0.2:{port}"), format!("[fd99::2]:{port}")]);
        for (nth, begin) in (1..).zip(&begins) {
            assert_eq!(
                (&begin["exchange"], &begin["address_count"], &begin["guard_proven"]),
                (&nth.into(), &3.into(), &true.into())
            );
        }
        assert_told_as_captured(&run, &world.capture.segments());
    }
    let common = format!("connect two.test:{port} --color never --linger 10");
    let said = with_addresses(&folder, &addresses[..2], &format!("{common} --all-addresses")).assert_well();
    for words in [
        format!("two.test (10.99.0.2:{port}, IPv4, address "),
        format!("two.test ([fd99::2]:{port}, IPv6, address "),
    ] {
        assert!(unwrapped(&said.stdout).contains(&words), "{}", said.stdout);
    }
    for n in [1, 2] {
        assert!(unwrapped(&said.stdout).contains(&format!("address {n} of 2)")), "{}", said.stdout);
    }
    let one = with_addresses(&folder, &addresses[..2], &format!("{common} -q")).assert_well();
    assert!(one.stdout.lines().count() == 1 && one.stdout.contains("address 1 of 2)"), "{}", one.stdout);
    with_addresses(&folder, &addresses[2..], &format!("{common} --all-addresses"))
        .assert_complaint(5, "203.0.113.1");
    let said = with_addresses(&folder, &addresses, &format!("{common} --all-addresses --send -"));
    said.assert_complaint(2, "comes but once");
}

/// The exit code is that of the first that did not end as asked, and the others are tried all the same.
fn all_addresses_tell_the_first_failure() {
    let world = World::new();
    let folder = Folder::new();
    let listener = world.lab.far.run(|| TcpListener::bind(("fd99::2", 0))).unwrap();
    let port = Server::start(listener, close_after_client).port;
    let command =
        format!("connect two.test:{port} --all-addresses --format json --linger 10 --count 2 --interval 0");
    let said = with_addresses(&folder, &["10.99.0.2", "fd99::2"], &command);
    let ends = said.json().into_iter().filter(|line| line["type"] == "end");
    let mut outcomes: Vec<_> = ends.map(|end| end["outcome"].as_str().unwrap().to_owned()).collect();
    outcomes.sort_unstable();
    assert_eq!(
        (said.code, outcomes),
        (Some(3), ["completed", "completed", "refused", "refused"].map(str::to_owned).to_vec())
    );
    assert_eq!(said.json().iter().filter(|line| line["type"] == "statistics").count(), 2);
}
