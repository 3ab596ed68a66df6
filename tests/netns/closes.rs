//! Every way to open and close against the kernel, told exactly as a capture on the far side saw it.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener};
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

use tcpshake::lab::{Address, FAR_V4, LINK, NEAR_V4, configure};
use tcpshake::net::interfaces::LOOPBACK;
use tcpshake::tcp::{Flags, Segment};
use tcpshake::time::Clock;

use crate::Named;
use crate::capture::{Capture, Seen, assert_told_as_captured, resets_from};
use crate::near::Way;
use crate::run::{Run, Running, connect, sh, text, unwrapped};
use crate::scripted::{IRS, segment, start};
use crate::world::{
    Server, World, close_after_client, close_before_client, close_with_client, greet, near_route_by,
};

pub(crate) const TESTS: &[Named] = &[
    ("h06_simultaneous_close_with_the_kernel_by_nft_", h06_simultaneous_close),
    ("a01_a03_active_close_ipv4", a01_a03_active_close_ipv4),
    ("active_close_ipv6", active_close_ipv6),
    ("a04_passive_close", a04_passive_close),
    ("a05_three_segment_close", a05_three_segment_close),
    ("h20_reset_close", h20_reset_close),
    ("left_open", left_open),
    ("loopback_ipv4", loopback_ipv4),
    ("loopback_ipv6", loopback_ipv6),
    ("count_and_statistics", count_and_statistics),
    ("count_waits_and_tells_the_first_failure", count_waits_and_tells_the_first_failure),
    ("link_local", link_local),
    ("must_43_must_44_must_45_the_source_address", must_43_must_44_must_45),
    ("same_source_port_starts_from_syn_again", same_source_port_starts_from_syn_again),
    ("peer_with_ttl_255", peer_with_ttl_255),
    ("o03_peer_with_syn_cookies", o03_peer_with_syn_cookies),
    ("chosen_numbers_and_options", chosen_numbers_and_options),
    ("must_14_must_16_mss_as_chosen_or_from_the_mtu", must_14_mss),
    ("no_options", no_options),
    ("a_greeting_is_taken_and_escaped", a_greeting_is_taken_and_escaped),
    ("guard_none_shows_what_the_kernel_does", guard_none_shows_what_the_kernel_does),
    ("the_kernels_last_answer_is_told", the_kernels_last_answer_is_told),
    ("the_kernels_reset_is_told_whatever_it_leaves_by", the_kernels_reset_is_told_whatever_it_leaves_by),
    ("guard_none_is_told_on_every_way", guard_none_is_told_on_every_way),
];

const NEAR: IpAddr = IpAddr::V4(NEAR_V4);

/// The exchange was told as it was captured: no RST of the near kernel's left, and each segment of the
/// peer's was kept from it.
#[track_caller]
fn assert_true_and_quiet(run: &Run, captured: &[Seen]) {
    assert_told_as_captured(run, captured);
    for end in run.lines.iter().filter(|line| line["type"] == "end") {
        let mine = |step: &&Value| step["exchange"] == end["exchange"] && step["late"] == false;
        let drawn = run.steps().filter(mine).filter(|step| {
            step["direction"] == "received" && !step["flags"].as_str().unwrap_or("RST").contains("RST")
        });
        assert_eq!(end["held_back"], drawn.count());
        assert_eq!(end["kernel_resets"], 0);
    }
    assert_eq!(run.lines[0]["guard_proven"], true);
}

const FOUR_WAY: [&str; 7] = ["> SYN", "< SYN,ACK", "> ACK", "> FIN,ACK", "< ACK", "< FIN,ACK", "> ACK"];

/// three segments to open, four to close.
fn a01_a03_active_close_ipv4() {
    let world = World::new();
    let run = connect(&[&world.server(close_after_client).v4(), "--isn", "4321"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), FOUR_WAY);
    assert_eq!(run.states(), ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]);
    let numbers: Vec<_> =
        run.steps().map(|step| (step["rel_seq"].as_u64(), step["rel_ack"].as_u64())).collect();
    assert_eq!(
        numbers,
        [
            (Some(0), None),
            (Some(0), Some(1)),
            (Some(1), Some(1)),
            (Some(1), Some(1)),
            (Some(1), Some(2)),
            (Some(1), Some(2)),
            (Some(2), Some(2)),
        ]
    );
    let first = run.steps().next().unwrap();
    assert_eq!((&first["seq"], &first["at_us"]), (&4321.into(), &0.into()));
    assert_eq!(run.steps().nth(1).unwrap()["ack"], 4322);
    assert_true_and_quiet(&run, &world.capture.segments());
}

fn active_close_ipv6() {
    let world = World::new();
    let run = connect(&[&world.server(close_after_client).v6()]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), FOUR_WAY);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// the peer's FIN first.
fn a04_passive_close() {
    let world = World::new();
    let run = connect(&[&world.server(close_before_client).v4(), "--close", "passive"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK", "< FIN,ACK", "> ACK", "> FIN,ACK", "< ACK"]);
    assert_eq!(run.states(), ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]);
    assert!(run.end()["time_wait_kept_ms"].is_null(), "the peer holds TIME-WAIT, not we");
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// the peer combines FIN with ACK. A scripted one, for a kernel's may acknowledge first if it is busy.
fn a05_three_segment_close() {
    let (world, mut peer, running) = start(&[]);
    peer.open();
    let fin = peer.hear();
    peer.say(&Segment { seq: IRS + 1, ack: fin.end(), flags: Flags::FIN | Flags::ACK, ..segment() });
    assert_eq!(peer.hear().flags, Flags::ACK);
    let run = running.finish();
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK", "> FIN,ACK", "< FIN,ACK", "> ACK"]);
    assert_eq!(run.states(), ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// H-20: our RST leaves although the kernel's would not.
fn h20_reset_close() {
    let world = World::new();
    let run = connect(&[&world.server(close_with_client).v4(), "--close", "reset"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK", "> RST,ACK"]);
    assert_true_and_quiet(&run, &world.capture.segments());
}

fn left_open() {
    let world = World::new();
    let run = connect(&[&world.server(close_with_client).v4(), "--close", "none"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), ["> SYN", "< SYN,ACK", "> ACK"]);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// Both ends on one machine, one kernel.
fn over_loopback(host: &str) {
    let _world = World::new();
    let capture = Capture::of_arrivals("lo");
    let server = Server::start(TcpListener::bind((host, 0)).unwrap(), close_after_client);
    let run = connect(&[host, &server.port.to_string()]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), FOUR_WAY);
    assert_true_and_quiet(&run, &capture.segments());
}

fn loopback_ipv4() {
    over_loopback(&Ipv4Addr::LOCALHOST.to_string());
}

fn loopback_ipv6() {
    over_loopback("::1");
}

fn count_and_statistics() {
    let world = World::new();
    let run = connect(&[&world.server(close_after_client).v4(), "--count", "3", "--interval", "0"]);
    run.assert_ended(0, "completed");
    let begins: Vec<_> = run.lines.iter().filter(|line| line["type"] == "begin").collect();
    assert_eq!(begins.len(), 3);
    assert_ne!(begins[0]["local"], begins[1]["local"], "a port of its own for each");
    let statistics = run.lines.last().unwrap();
    assert_eq!(
        (&statistics["type"], &statistics["exchanges"], &statistics["completed"]),
        (&"statistics".into(), &3.into(), &3.into())
    );
    let [min, avg, max] =
        ["rtt_min_us", "rtt_avg_us", "rtt_max_us"].map(|field| statistics[field].as_u64().unwrap());
    assert!(0 < min && min <= avg && avg <= max);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// The exit code is that of the first exchange that did not end as asked; the interval is kept.
fn count_waits_and_tells_the_first_failure() {
    let world = World::new();
    let listener = world.lab.far.run(|| TcpListener::bind((FAR_V4, 0))).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let clock = Clock::new();
    let begun = clock.now();
    let arguments = [&*target, "-c", "3", "-i", "0.3", "--close", "passive", "--timeout", "0.3"];
    let running = Running::connect(&arguments);
    let (first, _) = listener.accept().unwrap();
    close_before_client(first);
    let (second, _) = listener.accept().unwrap();
    SockRef::from(&second).set_linger(Some(Duration::ZERO)).unwrap();
    drop(second); // RST
    let (_third, _) = listener.accept().unwrap(); // kept open
    let run = running.finish();
    let outcomes: Vec<_> = run
        .lines
        .iter()
        .filter(|line| line["type"] == "end")
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["completed", "reset", "close-incomplete"]);
    assert_eq!(run.code, Some(6));
    assert!(clock.now() - begun >= Duration::from_millis(600), "two intervals");
}

/// Addresses that mean nothing without their interface.
fn link_local() {
    let world = World::new();
    let ip = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    let address = move |last| [Address { ip: ip(last).into(), prefix_len: 64 }];
    configure(LINK, &address(1)).unwrap();
    world.lab.far.run(move || configure(LINK, &address(2))).unwrap();
    let port = world.server(close_after_client).port.to_string();
    let scoped = format!("fe80::2%{LINK}");
    for arguments in [
        &[&*scoped, &port][..],
        &[&scoped, &port, "--source", "fe80::1"],
        &["fe80::2", &port, "--interface", LINK],
        &[&scoped, &port, "--interface", LINK, "--source-port", "40002"],
    ] {
        let run = connect(arguments);
        run.assert_ended(0, "completed");
        assert!(run.lines[0]["local"].as_str().unwrap().starts_with("[fe80::1%"), "{}", run.lines[0]);
        assert_eq!(run.lines[0]["guard_proven"], true);
    }
    let own = Server::start(TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap(), close_after_client);
    connect(&[&format!("fe80::1%{LINK}"), &own.port.to_string()]).assert_ended(0, "completed");
    connect(&["fe80::2", &port]).assert_error(2, "say by which interface");
    connect(&[&scoped, &port, "--interface", "lo"]).assert_error(2, "is on another interface than lo");
}

/// MUST-43, MUST-44, MUST-45: the address that was asked for, or else the route's, on every packet of ours.
fn must_43_must_44_must_45() {
    let world = World::new();
    let second = Ipv4Addr::new(10, 99, 0, 3);
    configure(LINK, &[Address { ip: second.into(), prefix_len: 24 }]).unwrap();
    let server = world.server(close_after_client);
    for (asked, source) in [(&[][..], NEAR_V4), (&["--source", "10.99.0.3"], second)] {
        let run = connect(&[&[&*server.v4()], asked].concat());
        run.assert_ended(0, "completed");
        let captured = world.capture.segments();
        let ours = captured.iter().filter(|seen| seen.destination.port() == server.port);
        let sources: Vec<_> = ours.map(|seen| seen.source.ip()).collect();
        assert_eq!(sources, [source; 4], "SYN, ACK, FIN, ACK");
    }
}

/// Whoever talks to the same peer again starts from SYN.
fn same_source_port_starts_from_syn_again() {
    let world = World::new();
    let port = ["--count", "2", "--interval", "0", "--source-port", "40000", "--close", "passive"];
    let run = connect(&[&[&*world.server(close_before_client).v4()], &port[..]].concat());
    run.assert_ended(0, "completed");
    let opens = run.steps().filter(|step| step["flags"] == "SYN").count();
    assert!(opens >= 2, "the peer was still in TIME-WAIT the second time: {:?}", run.flags());
}

/// The socket guard must not depend on the TTL of what arrives.
fn peer_with_ttl_255() {
    let world = World::new();
    world.far_sysctl("ipv4/ip_default_ttl", "255");
    let run = connect(&[&world.server(close_after_client).v4()]);
    run.assert_ended(0, "completed");
    assert_eq!(run.steps().nth(1).unwrap()["ttl"], 255);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// O-03: the peer keeps no state until our ACK.
fn o03_peer_with_syn_cookies() {
    let world = World::new();
    world.far_sysctl("ipv4/tcp_syncookies", "2");
    let run = connect(&[&world.server(close_after_client).v4()]);
    run.assert_ended(0, "completed");
    assert_eq!(run.flags(), FOUR_WAY);
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// M-01: the first number after the wrap.
fn chosen_numbers_and_options() {
    let world = World::new();
    let chosen = ["--isn", "4294967295", "--ttl", "7", "--window", "1000000", "--source-port", "40001"];
    let run = connect(&[&[&*world.server(close_after_client).v4()], &chosen[..]].concat());
    run.assert_ended(0, "completed");
    let syn = run.steps().next().unwrap();
    assert_eq!((&syn["seq"], &syn["window"]), (&4_294_967_295_u32.into(), &65_535.into()));
    assert_eq!(syn["options"][2], serde_json::json!({"name": "window-scale", "value": 4}));
    let ack = run.steps().nth(2).unwrap();
    assert_eq!((&ack["seq"], &ack["window"]), (&0.into(), &(1_000_000 >> 4).into()));
    assert_eq!(run.lines[0]["local"], format!("{NEAR_V4}:40001"));
    let captured = world.capture.segments();
    assert!(captured.iter().filter(|seen| seen.source.ip() == NEAR).all(|seen| seen.ttl == 7), "MUST-49");
    assert_told_as_captured(&run, &captured);
}

/// MUST-14, MUST-67, SHLD-5, MAY-3: MSS on every SYN, from the interface's MTU, also when it is 536.
fn must_14_mss() {
    let world = World::new();
    let server = world.server(close_after_client);
    for (arguments, mss) in [
        (vec![server.v4()], 1460),
        (vec![server.v6()], 1440),
        (vec![server.v4(), "--mss".into(), "536".into()], 536),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = connect(&arguments);
        run.assert_ended(0, "completed");
        assert_eq!(run.steps().next().unwrap()["options"][0]["value"], mss);
    }
}

/// MUST-15, K-01: the peer answers without options, and all goes well.
fn no_options() {
    let world = World::new();
    let run = connect(&[&world.server(close_after_client).v4(), "--no-options"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.steps().next().unwrap()["options"], serde_json::json!([]));
    assert_true_and_quiet(&run, &world.capture.segments());
}

/// P-01: text of the peer's is shown escaped.
fn a_greeting_is_taken_and_escaped() {
    let world = World::new();
    let server = world.server(greet);
    let run = connect(&[&server.v4(), "--close", "active"]);
    run.assert_ended(0, "completed");
    let (code, shown, _) = text(&["connect", &server.v4(), "--linger", "0", "--color", "never"]);
    assert_eq!(code, Some(0));
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

/// Without a guard the kernel answers the SYN,ACK with RST, and the peer's end is gone: what the guard is for.
fn guard_none_shows_what_the_kernel_does() {
    let world = World::new();
    let server = world.server(close_after_client);
    let run = connect(&[&server.v4(), "--guard", "none"]);
    run.assert_ended(6, "reset");
    let captured = world.capture.segments();
    assert_eq!(captured[2].flags, "RST", "the kernel answers the SYN,ACK: {captured:#?}");
    assert_eq!(captured[2].source.ip(), NEAR);
    assert!(captured.iter().any(|seen| seen.source.ip() == IpAddr::V4(FAR_V4) && seen.flags == "RST"));
    let told = run.steps().find(|step| step["event"] == "kernel-reset").expect("the kernel's RST is told");
    assert_eq!(told["seq"], captured[2].seq);
    assert!(run.end()["kernel_resets"].as_u64() >= Some(1));

    // The very same with the guard: nothing of it.
    let guarded = connect(&[&server.v4(), "--guard", "listener"]);
    guarded.assert_ended(0, "completed");
    assert_true_and_quiet(&guarded, &world.capture.segments());
}

/// The kernel's RST is a rung of its own and in the verdict, whatever it leaves by.
fn guard_none_is_told_on_every_way() {
    let world = World::new();
    for way in Way::ALL {
        let server = way.server(&world, close_after_client).to_string();
        let run = connect(&[&server, "--guard", "none"]);
        run.assert_ended(6, "reset");
        let told: Vec<_> = run.steps().filter(|step| step["event"] == "kernel-reset").collect();
        assert_eq!((told[0]["flags"].as_str(), &told[0]["direction"]), (Some("RST"), &"sent".into()));
        assert_eq!(told[0]["seq"], run.steps().next().unwrap()["seq"].as_u64().unwrap() as u32 + 1);
        assert_eq!(run.end()["kernel_resets"], told.len(), "{way:?}");
        let (code, shown, _) = text(&["connect", &server, "--guard", "none", "--color", "never"]);
        assert_eq!(code, Some(6));
        for words in ["RST by the kernel", "the kernel of this machine sent", "RST of its own"] {
            assert!(unwrapped(&shown).contains(words), "{shown}");
        }
        let (_, quiet, _) = text(&["connect", &server, "--guard", "none", "--quiet"]);
        assert!(quiet.lines().count() == 1 && quiet.contains("RST of its own"), "{quiet}");
    }
}

/// Where we end at once, the kernel's RST leaves with our own last segment.
fn the_kernels_last_answer_is_told() {
    let world = World::new();
    for way in Way::ALL {
        let server = way.server(&world, close_with_client).to_string();
        for close in ["none", "reset"] {
            let run = connect(&[&server, "--guard", "none", "--close", close]);
            run.assert_ended(0, "completed");
            assert!(run.end()["kernel_resets"].as_u64() >= Some(1), "{close} {way:?}: {run:#?}");
        }
    }
}

/// The kernel's way to the peer is another than ours: its RST does not reach it, but it has left.
fn the_kernels_reset_is_told_whatever_it_leaves_by() {
    let world = World::new();
    let server = world.server(close_after_client);
    near_route_by(FAR_V4.into(), 32, LOOPBACK);
    let run = connect(&[&server.v4(), "--guard", "none", "--interface", LINK]);
    run.assert_ended(0, "completed");
    assert!(run.end()["kernel_resets"].as_u64() >= Some(1), "{run:#?}");
    assert_eq!(resets_from(&world.capture.segments(), NEAR), 0);
}

/// H-06: our FIN is lost once, so that the kernel's, which answers only our text, crosses it for certain.
fn h06_simultaneous_close() {
    let world = World::new();
    let lose_the_first_fin = || {
        sh("nft add table inet lossy");
        sh("nft 'add chain inet lossy input { type filter hook prerouting priority 0; }'");
        sh("nft add rule inet lossy input tcp flags '&' fin == fin numgen inc mod 1000000 0 drop");
        Ok(())
    };
    world.lab.far.run(lose_the_first_fin).expect("nft");
    let server = world.server(|mut client| {
        let _ = client.read_exact(&mut [0]); // and not the FIN behind it
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read(&mut [0]);
    });
    let run = connect(&[&server.v4(), "--send", "x"]);
    run.assert_ended(0, "completed");
    assert_eq!(run.states(), ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]);
}
