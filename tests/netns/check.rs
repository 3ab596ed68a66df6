//! `check` and what may be expected of a peer: each expectation met and unmet against the kernel.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;
use tcpshake::lab::LINK;

use crate::Named;
use crate::capture::Capture;
use crate::run::{Folder, Run, check};
use crate::world::{Route, World, change_link, close_with_client, greet, keep_open, near_route_via};

pub(crate) const TESTS: &[Named] = &[
    ("check_expectations_that_are_met_v4", || met(Net::V4)),
    ("check_expectations_that_are_met_v6", || met(Net::V6)),
    ("check_expectations_that_are_not_met_v4", || unmet(Net::V4)),
    ("check_expectations_that_are_not_met_v6", || unmet(Net::V6)),
    ("check_options_the_peer_does_not_announce", options_the_peer_does_not_announce),
    ("check_the_mss_is_that_of_the_peers_link", the_mss_is_that_of_the_peers_link),
    ("check_a_banner_that_comes_in_two_segments", a_banner_in_two_segments),
    ("check_keeps_it_open_as_long_as_it_says", keeps_it_open_as_long_as_it_says),
];

/// A family, and networks behind the far host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    V4,
    V6,
}

impl Net {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Address `n` of network `network`; that of network 0 is the far host's own.
    pub(crate) fn ip(self, network: u8, n: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::from([10, 98, network, n]),
            Self::V6 => IpAddr::from([0xfd98, 0, 0, u16::from(network), 0, 0, 0, u16::from(n)]),
        }
    }

    /// A target in a network behind the far host.
    pub(crate) fn at(self, network: u8, n: u8, port: u16) -> String {
        std::net::SocketAddr::new(self.ip(network, n), port).to_string()
    }

    const fn bits(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    /// A world with these networks: 0 is the far host, 1 a black hole, 2 and 3 are told by ICMP that they are not
    /// there; there is no route to 4.
    pub(crate) fn world(self) -> World {
        let world = World::new();
        world.far_sysctl("ipv4/ip_forward", "1");
        world.far_sysctl("ipv6/conf/all/forwarding", "1");
        world.far_sysctl("ipv4/icmp_ratelimit", "0"); // each is told at once
        world.far_sysctl("ipv6/icmp/ratelimit", "0");
        world.far_is_all_of(self.ip(0, 0), self.bits());
        for (network, kind) in [(1, Route::Blackhole), (2, Route::Unreachable), (3, Route::Prohibit)] {
            let gateway = match self {
                Self::V4 => tcpshake::lab::FAR_V4.into(),
                Self::V6 => tcpshake::lab::FAR_V6.into(),
            };
            near_route_via(self.ip(network, 0), self.bits(), gateway);
            world.far_route(kind, self.ip(network, 0), self.bits());
        }
        world
    }
}

/// Nobody listens there.
pub(crate) const CLOSED: u16 = 9;

/// Greets in two segments.
fn greet_twice(mut client: TcpStream) {
    client.set_nodelay(true).unwrap();
    let _ = client.write_all(b"220 rea");
    let _ = client.write_all(b"dy\r\n");
    let _ = client.read_to_end(&mut Vec::new());
}

/// Leaves the connection open for a tenth of a second; whether the client closed it meanwhile.
fn wait_a_little(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.read(&mut [0]).is_ok()
}

fn close_soon(mut client: TcpStream) {
    wait_a_little(&mut client);
}

pub(crate) fn reset_soon(mut client: TcpStream) {
    if !wait_a_little(&mut client) {
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Checks lines of a file.
fn check_lines(lines: &[(String, &str)], arguments: &[&str]) -> Run {
    let folder = Folder::new();
    let file = folder.file("targets");
    let text: Vec<String> = lines.iter().map(|(target, expected)| format!("{target} {expected}\n")).collect();
    std::fs::write(&file, text.concat()).unwrap();
    check(&[&["-f", &file], arguments].concat())
}

/// All of them have this verdict, and that is the exit code.
#[track_caller]
fn assert_all(run: &Run, lines: &[(String, &str)], verdict: &str, code: i32) {
    assert_eq!(run.findings().count(), lines.len(), "{run:#?}");
    for (target, expected) in lines {
        let finding = run.finding(target);
        assert_eq!(finding["verdict"], verdict, "{target} {expected}: {finding:#?}");
    }
    assert_eq!(run.code, Some(code), "{run:#?}");
    let summary = run.summary();
    let other = if verdict == "met" { "unmet" } else { "met" };
    assert_eq!((&summary[verdict], &summary[other]), (&lines.len().into(), &0.into()), "{summary:#?}");
}

#[track_caller]
fn assert_reason(run: &Run, target: &str, words: &str) {
    let finding = run.finding(target);
    assert!(finding["reason"].as_str().unwrap_or_default().contains(words), "{words}: {finding:#?}");
}

fn met(net: Net) {
    let world = net.world();
    let plain = world.crowd_server(close_with_client);
    let silent_at_the_end = world.crowd_server(keep_open);
    let greeting = world.crowd_server(greet);
    let in_two = world.crowd_server(greet_twice);
    let lines = [
        (net.at(0, 1, plain), "open"),
        (net.at(0, 2, CLOSED), "refused"),
        (net.at(1, 1, 80), "silent"),
        (net.at(2, 1, 80), "unreachable"),
        (net.at(3, 1, 80), "unreachable"),
        (net.at(4, 1, 80), "unreachable"),
        (net.at(0, 3, plain), "closes-cleanly"),
        (net.at(0, 4, silent_at_the_end), "open"),
        (net.at(0, 5, plain), "rtt<1s loss<1%"),
        (net.at(0, 6, plain), if net == Net::V4 { "mss=1460" } else { "mss=1440" }),
        (net.at(0, 7, plain), "mss>=1400 option:mss option:sack option:window-scale option:timestamps"),
        (net.at(0, 8, plain), "option:ecn"),
        (net.at(0, 9, greeting), "banner~^220 ready"),
        (net.at(0, 10, in_two), "banner~^220 ready"),
        (net.at(0, 11, plain), "stays-open:200ms"),
        (net.at(0, 12, greeting), "stays-open:200ms rtt<1s banner~ready"),
        (net.at(0, 13, plain), "# nothing said is open"),
    ];
    let run = check_lines(&lines, &["--timeout", "1", "--retries", "0"]);
    assert_all(&run, &lines, "met", 0);
    let said = run.finding(&net.at(0, 9, greeting))["totals"]["banner"].as_str().unwrap();
    assert_eq!(said, r"220 ready\x1b[2J\r\n");
}

fn unmet(net: Net) {
    let world = net.world();
    let plain = world.crowd_server(close_with_client);
    let silent_at_the_end = world.crowd_server(keep_open);
    let greeting = world.crowd_server(greet);
    let closing = world.crowd_server(close_soon);
    let resetting = world.crowd_server(reset_soon);
    let lines = [
        (net.at(0, 1, CLOSED), "open", "refused"),
        (net.at(1, 1, 80), "open", "no answer"),
        (net.at(2, 1, 80), "open", "unreachable"),
        (net.at(3, 1, 80), "open", "prohibited"),
        (net.at(4, 1, 80), "open", "no route"),
        (net.at(0, 2, plain), "refused", "expected refused"),
        (net.at(1, 2, 80), "refused", "expected refused"),
        (net.at(3, 2, 80), "refused", "expected refused"),
        (net.at(0, 3, plain), "silent", "expected silent"),
        (net.at(0, 4, CLOSED), "silent", "expected silent"),
        (net.at(3, 3, 80), "silent", "expected silent"),
        (net.at(4, 3, 80), "silent", "no route"),
        (net.at(0, 5, plain), "unreachable", "expected unreachable"),
        (net.at(1, 5, 80), "unreachable", "expected unreachable"),
        (net.at(0, 6, CLOSED), "unreachable", "expected unreachable"),
        (net.at(0, 7, silent_at_the_end), "closes-cleanly", "expected closes-cleanly"),
        (net.at(0, 8, resetting), "closes-cleanly stays-open:5s", "expected closes-cleanly"),
        (net.at(0, 9, plain), "rtt>10s", "expected rtt>10s: the mean of 1 is"),
        (net.at(1, 9, 80), "loss<50%", "no exchange was open"),
        (net.at(0, 10, plain), "mss>=1461", "expected mss>=1461: the peer announced 14"),
        (net.at(0, 11, greeting), "banner~^500", "nothing the peer said matches"),
        (net.at(0, 12, plain), "banner~^220", "nothing the peer said matches"),
        (net.at(0, 13, closing), "stays-open:5s", "the peer did not keep it open"),
        (net.at(0, 14, resetting), "stays-open:5s", "the peer did not keep it open"),
        (net.at(0, 15, closing), "banner~^220", "nothing the peer said matches"),
        (net.at(0, 16, resetting), "banner~^220", "nothing the peer said matches"),
    ];
    let expected: Vec<(String, &str)> = lines.iter().map(|(to, what, _)| (to.clone(), *what)).collect();
    let run = check_lines(&expected, &["--timeout", "0.7", "--retries", "0"]);
    assert_all(&run, &expected, "unmet", 1);
    for (target, _, words) in &lines {
        assert_reason(&run, target, words);
    }
}

fn options_the_peer_does_not_announce() {
    const SETTINGS: [(&str, &str); 4] = [
        ("option:sack", "ipv4/tcp_sack"),
        ("option:timestamps", "ipv4/tcp_timestamps"),
        ("option:window-scale", "ipv4/tcp_window_scaling"),
        ("option:ecn", "ipv4/tcp_ecn"),
    ];
    for net in Net::BOTH {
        let world = net.world();
        let port = world.crowd_server(close_with_client);
        for (option, setting) in SETTINGS {
            world.far_sysctl(setting, "0");
            let lines: Vec<(String, &str)> =
                (1..).zip(SETTINGS).map(|(n, (option, _))| (net.at(0, n, port), option)).collect();
            let run = check_lines(&lines, &["--rate", "0"]);
            assert_eq!(run.code, Some(1));
            for (target, other) in &lines {
                let verdict = if *other == option { "unmet" } else { "met" };
                assert_eq!(run.finding(target)["verdict"], verdict, "{setting} is 0: {run:#?}");
            }
            world.far_sysctl(setting, if option == "option:ecn" { "2" } else { "1" });
        }
    }
}

fn the_mss_is_that_of_the_peers_link() {
    for (net, mss) in [(Net::V4, "mss=1360"), (Net::V6, "mss=1340")] {
        let world = net.world();
        let port = world.crowd_server(close_with_client);
        let set = || {
            change_link(libc::IFLA_MTU, &1400_u32.to_ne_bytes());
            Ok(())
        };
        world.lab.far.run(set).unwrap();
        let run = check_lines(&[(net.at(0, 1, port), mss), (net.at(0, 2, port), "mss>=1400")], &[]);
        assert_eq!(run.code, Some(1));
        assert_eq!(run.finding(&net.at(0, 1, port))["verdict"], "met", "{run:#?}");
        assert_reason(&run, &net.at(0, 2, port), &format!("announced {}", &mss[4..]));
    }
}

fn a_banner_in_two_segments() {
    let world = Net::V4.world();
    let port = world.crowd_server(greet_twice);
    let target = Net::V4.at(0, 1, port);
    let run = check(&[&target, "-e", r"banner~^220 ready\r\n$"]);
    assert_eq!(run.finding(&target)["verdict"], "met", "{run:#?}");
    let texts: Vec<usize> =
        world.capture.segments().iter().map(|seen| seen.len).filter(|len| *len > 0).collect();
    assert_eq!(texts, [7, 4], "it did come in two");
}

/// Our FIN leaves when the time is over, and not before: by the clock of a capture.
fn keeps_it_open_as_long_as_it_says() {
    let world = Net::V4.world();
    let port = world.crowd_server(close_with_client);
    let tape = Capture::start(LINK).tape();
    let target = Net::V4.at(0, 1, port);
    let run = check(&[&target, "-e", "stays-open:250ms"]);
    let verdict: &Value = &run.finding(&target)["verdict"];
    assert_eq!(verdict, "met");
    let segments = tape.segments();
    let when = |flags: &str| segments.iter().find(|(_, seen)| seen.flags == flags).unwrap().0;
    let kept = when("FIN,ACK").abs_diff(when("SYN,ACK"));
    assert!((Duration::from_millis(250)..Duration::from_millis(750)).contains(&kept), "{kept:?}");
}
