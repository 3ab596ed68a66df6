//! Bad input and trouble: one clear line, the right exit code, nothing sent.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use socket2::SockRef;
use tcpshake::lab;

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{Running, connect, text};
use crate::world::{PATIENCE, World, close_after_client, greet_in_binary, keep_open, pull_the_cable};

pub(crate) const TESTS: &[Named] = &[
    ("must_46_targets_that_are_no_single_host", must_46_targets_that_are_no_single_host),
    ("bad_ports_and_values", bad_ports_and_values),
    ("unknown_host", unknown_host),
    ("source_address_not_ours", source_address_not_ours),
    ("p08_source_port_taken_by_a_known_process", p08_source_port_taken),
    ("no_route", no_route),
    ("p09_interface_down_or_unknown", p09_interface_down_or_unknown),
    ("f04_own_socket", f04_own_socket),
    ("p03_signals_while_opening", p03_signals_while_opening),
    ("p03_signals_while_open", p03_signals_while_open),
    ("p03_signals_in_time_wait", p03_signals_in_time_wait),
    ("p03_signals_between_exchanges", p03_signals_between_exchanges),
    ("p08_two_at_once", p08_two_at_once),
    ("p16_closed_pipe", p16_closed_pipe),
    ("p16_slow_reader", p16_slow_reader),
    ("p03_signals_while_nobody_reads", p03_signals_while_nobody_reads),
    ("p03_ignored_signals_stay_ignored", p03_ignored_signals_stay_ignored),
    ("p14_a_full_disk_is_an_error", p14_a_full_disk_is_an_error),
    ("statistics_survive_a_failure", statistics_survive_a_failure),
    ("no_line_is_wider_than_80_columns", no_line_is_wider_than_80_columns),
    ("colours_only_where_wanted", colours_only_where_wanted),
];

#[track_caller]
fn assert_nothing_left(world: &World) {
    assert_eq!(world.capture.segments(), [], "nothing must have been sent");
}

fn must_46_targets_that_are_no_single_host() {
    let world = World::new();
    for (target, words) in [
        ("0.0.0.0:80", "the unspecified address"),
        ("[::]:80", "the unspecified address"),
        ("224.0.0.1:80", "a multicast address"),
        ("[ff02::1]:80", "a multicast address"),
        ("255.255.255.255:80", "the broadcast address"),
        ("10.99.0.255:80", "the broadcast address of a network"),
    ] {
        connect(&[target]).assert_error(2, words);
    }
    assert_nothing_left(&world);
}

fn bad_ports_and_values() {
    let world = World::new();
    for arguments in [
        &["10.99.0.2:0"][..],
        &["10.99.0.2:65536"],
        &["10.99.0.2:http"],
        &["10.99.0.2"],
        &["10.99.0.2:80", "--ttl", "0"],
        &["10.99.0.2:80", "--ttl", "256"],
        &["10.99.0.2:80", "--timeout", "0"],
        &["10.99.0.2:80", "--timeout", "soon"],
        &["10.99.0.2:80", "--count", "0"],
        &["10.99.0.2:80", "--window", "1073725441"],
        &["10.99.0.2:80", "--mss", "0"],
        &["10.99.0.2:80", "--mss", "536", "--no-options"],
        &["10.99.0.2:80", "--source-port", "0"],
        &["10.99.0.2:80", "--close", "gently"],
        &["10.99.0.2:80", "-4", "-6"],
        &["10.99.0.2:80", "-q", "-v"],
        &["10.99.0.2:80", "--no-such-option"],
        &["a\x1b[2Jb:x"],
    ] {
        connect(arguments).assert_error(2, "");
    }
    assert_nothing_left(&world);
}

fn unknown_host() {
    let world = World::new();
    connect(&["no-such-host.invalid:80"]).assert_error(9, "cannot resolve 'no-such-host.invalid'");
    connect(&["10.99.0.2:80", "-6"]).assert_error(9, "");
    assert_nothing_left(&world);
}

fn source_address_not_ours() {
    let world = World::new();
    connect(&["10.99.0.2:80", "--source", "10.99.0.9"]).assert_error(
        8,
        "source address 10.99.0.9 is not one of this machine's (it has 127.0.0.1, 10.99.0.1)",
    );
    for source in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "10.99.0.255", "255.255.255.255", "10.99.0.2"] {
        connect(&["10.99.0.2:80", "--source", source]).assert_error(8, "is not one of this machine's");
    }
    connect(&["10.99.0.2:80", "--source", "127.0.0.1"])
        .assert_error(8, "a loopback --source reaches nothing else");
    connect(&["[fd99::2]:80", "--source", "::1"]).assert_error(8, "a loopback --source reaches nothing else");
    connect(&["[::ffff:10.99.0.2]:80", "--source", "fd99::1"]).assert_error(2, "of two families");
    assert_nothing_left(&world);
}

fn p08_source_port_taken() {
    let world = World::new();
    let holder = TcpListener::bind((lab::NEAR_V4, 0)).unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let run = connect(&["10.99.0.2:80", "--source-port", &port]);
    run.assert_error(8, &format!("source port {port} is taken by netns"));
    assert!(run.stderr.contains(&format!("(pid {})", std::process::id())), "{}", run.stderr);
    assert_nothing_left(&world);
}

fn no_route() {
    let world = World::new();
    connect(&["192.0.2.1:80"]).assert_error(5, "no route to 192.0.2.1");
    connect(&["[2001:db8::1]:80"]).assert_error(5, "no route to 2001:db8::1");
    assert_nothing_left(&world);
}

fn p09_interface_down_or_unknown() {
    lab::unshare_network().unwrap(); // a new namespace: loopback is down, and there is nothing else
    connect(&["127.0.0.1:80", "--interface", "lo"]).assert_error(8, "interface lo is down (bring it up");
    connect(&["127.0.0.1:80", "--interface", "eth9"]).assert_error(8, "cannot use interface 'eth9'");
    let world = World::new();
    connect(&["192.0.2.1:80", "--interface", "lo"]).assert_error(8, "192.0.2.1 is not this machine");
    connect(&["10.99.0.2:80", "--interface", "lo"]).assert_error(8, "10.99.0.2 is not this machine");
    connect(&["127.0.0.1:80", "--interface", lab::LINK]).assert_error(8, "127.0.0.1 is this machine");
    let long = "an-interface-name-of-26-char";
    connect(&["10.99.0.2:80", "--interface", long]).assert_error(8, "cannot use interface");
    assert_nothing_left(&world);
}

/// F-04.
fn f04_own_socket() {
    let world = World::new();
    for host in ["127.0.0.1", "10.99.0.1"] {
        let arguments = [host, "40000", "--source", host, "--source-port", "40000"];
        connect(&arguments).assert_error(2, &format!("cannot connect {host}:40000 to itself"));
    }
    assert_nothing_left(&world);
}

/// Three signals, three exit codes.
const SIGNALS: [(Signal, i32); 3] = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)];

fn p03_signals_while_opening() {
    let world = World::new();
    world.far_route(crate::world::Route::Blackhole, lab::NEAR_V4.into(), 32);
    for (signal, code) in SIGNALS {
        let mut running = Running::connect(&["10.99.0.2:80"]);
        running.until(|line| line["flags"] == "SYN");
        running.signal(signal);
        let run = running.finish();
        run.assert_ended(code, "interrupted");
        assert_eq!(run.flags(), ["> SYN"], "nothing is open that a RST could end");
    }
}

fn p03_signals_while_open() {
    let world = World::new();
    let server = world.server(keep_open);
    for (signal, code) in SIGNALS {
        let mut running = Running::connect(&[&server.v4(), "--close", "passive"]);
        running.until(|line| line["state"] == "ESTABLISHED" && line["flags"] == "ACK");
        running.signal(signal);
        let run = running.finish();
        run.assert_ended(code, "interrupted");
        assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK", "> RST,ACK"]);
        assert_told_as_captured(&run, &world.capture.segments());
    }
}

/// The verdict stands already, and has been printed; the exit code says that the waiting was cut short.
fn p03_signals_in_time_wait() {
    let world = World::new();
    let server = world.server(close_after_client);
    for (signal, code) in SIGNALS {
        let mut running = Running::connect(&[&server.v4(), "--linger", "20000"]);
        running.until(|line| line["type"] == "end");
        running.signal(signal);
        running.finish().assert_ended(code, "completed");
    }
    assert_eq!(resets_from(&world.capture.segments(), lab::NEAR_V4.into()), 0);
}

fn p03_signals_between_exchanges() {
    let world = World::new();
    let server = world.server(close_after_client);
    let mut running = Running::connect(&[&server.v4(), "--count", "9", "--interval", "20", "--linger", "0"]);
    running.until(|line| line["type"] == "end");
    running.signal(Signal::SIGINT);
    let run = running.finish();
    assert_eq!(run.code, Some(130));
    assert_eq!(run.lines.last().unwrap()["exchanges"], 1, "the statistics are still printed");
}

/// P-08: no cross-talk, no clash.
fn p08_two_at_once() {
    let world = World::new();
    let server = world.server(close_after_client);
    let both = [
        Running::connect(&[&server.v4(), "-c", "5", "-i", "0"]),
        Running::connect(&[&server.v4(), "-c", "5", "-i", "0"]),
    ];
    for run in both.map(Running::finish) {
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(run.lines.last().unwrap()["completed"], 5);
    }
    assert_eq!(resets_from(&world.capture.segments(), lab::NEAR_V4.into()), 0);
}

/// P-16: a reader that goes away disturbs nothing: the connection is closed all the same.
fn p16_closed_pipe() {
    let world = World::new();
    let running = Running::connect(&[&world.server(close_after_client).v4(), "-c", "3", "-i", "0"]);
    assert_eq!(running.hang_up(), Some(0));
    let fins = world.capture.segments().iter().filter(|seen| seen.flags == "FIN,ACK").count();
    assert_eq!(fins, 6, "three exchanges, two FINs each");
}

/// P-16: while nobody reads, and the pipe is long full, the exchanges go on.
fn p16_slow_reader() {
    const EXCHANGES: usize = 60; // some 9 kB of JSON each; a pipe holds 64
    let world = World::new();
    let listener = world.lab.far.run(|| TcpListener::bind((lab::FAR_V4, 0))).unwrap();
    SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let running = Running::connect(&[&target, "-c", &EXCHANGES.to_string(), "-i", "0", "--linger", "0"]);
    for n in 0..EXCHANGES {
        let (client, _) =
            listener.accept().unwrap_or_else(|error| panic!("exchange {n} never came: {error}"));
        close_after_client(client);
    }
    let run = running.finish();
    assert_eq!(run.code, Some(0));
    assert_eq!(run.lines.last().unwrap()["completed"], EXCHANGES);
}

/// P-03: the exchanges are over, the pipe is full, and nobody will ever read it: a signal still ends it.
fn p03_signals_while_nobody_reads() {
    const EXCHANGES: usize = 40;
    let world = World::new();
    let listener = world.lab.far.run(|| TcpListener::bind((lab::FAR_V4, 0))).unwrap();
    SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let running = Running::connect(&[&target, "-c", &EXCHANGES.to_string(), "-i", "0", "--linger", "0"]);
    for _ in 0..EXCHANGES {
        close_after_client(listener.accept().unwrap().0);
    }
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait(), Some(130));
}

/// P-03: nohup means it.
fn p03_ignored_signals_stay_ignored() {
    let world = World::new();
    let target = world.server(keep_open).v4();
    let program = env!("CARGO_BIN_EXE_tcpshake");
    let script =
        format!("trap '' HUP; exec {program} connect {target} --close passive --timeout 0.5 --format json");
    let mut running = Running::shell(&script);
    running.until(|line| line["state"] == "ESTABLISHED" && line["flags"] == "ACK");
    running.signal(Signal::SIGHUP);
    running.finish().assert_ended(7, "close-incomplete");
}

/// P-14: what could not be written is not success.
fn p14_a_full_disk_is_an_error() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    let program = env!("CARGO_BIN_EXE_tcpshake");
    for command in [&*format!("connect {target} --linger 0"), "man", "--help", "--version", "demo --simulate"]
    {
        let run = Running::shell(&format!("exec {program} {command} 2>&1 >/dev/full")).raw();
        assert_eq!(
            run,
            (Some(8), "tcpshake: cannot write the output: no space left on device\n".to_owned()),
            "{command}"
        );
    }
}

/// What was done before something went wrong is still summed up.
fn statistics_survive_a_failure() {
    let world = World::new();
    let mut running = Running::connect(&[&world.server(close_after_client).v4(), "-c", "5", "-i", "3"]);
    running.until(|line| line["type"] == "end");
    pull_the_cable();
    let run = running.finish();
    assert_eq!(run.code, Some(8), "{run:#?}");
    let statistics = run.lines.iter().find(|line| line["type"] == "statistics").expect("statistics");
    assert_eq!((&statistics["exchanges"], &statistics["completed"]), (&2.into(), &1.into()));
    let error = run.lines.iter().find(|line| line["type"] == "error").expect("an error line");
    assert_eq!(error["exchange"], 2);
}

/// 80 columns are enough, also for a greeting that is all escapes.
fn no_line_is_wider_than_80_columns() {
    let world = World::new();
    let target = world.server(greet_in_binary).v4();
    for verbosity in ["--color=never", "-v"] {
        let (code, shown, _) = text(&["connect", &target, "--linger", "0", verbosity]);
        assert_eq!(code, Some(0));
        assert!(shown.contains("\\x80"), "{shown}");
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

fn colours_only_where_wanted() {
    let world = World::new();
    let target = world.server(close_after_client).v4();
    let shown = |when: &str| text(&["connect", &target, "--linger", "0", "--color", when]).1;
    assert!(!shown("auto").contains('\x1b'), "a pipe is no terminal");
    assert!(!shown("never").contains('\x1b'));
    assert!(shown("always").contains('\x1b'));
}
