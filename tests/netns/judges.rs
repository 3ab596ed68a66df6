//! Who judges what we put on the wire: the peer's kernel by its counters, connection tracking on the way, and tshark.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;
use tcpshake::lab::{self, Address, FAR_V4, FAR_V6, FarHost, LINK, NEAR_V4, NEAR_V6, cable, configure};

use crate::Named;
use crate::capture::{Capture, Taped};
use crate::counters::Counters;
use crate::judged::{Peer, exchanges, simultaneous_close};
use crate::run::{Folder, Run, Said, command, connect, sh};
use crate::world::{PATIENCE, World, near_route_via};

pub(crate) const TESTS: &[Named] = &[
    ("must_2_the_peers_kernel_counts_nothing_wrong", the_peers_kernel_counts_nothing_wrong),
    ("conntrack_switched_on_by_nft_on_the_way_calls_nothing_invalid", conntrack_calls_nothing_invalid),
    ("must_2_must_65_a_capture_is_found_clean_by_tshark_", found_clean_by_tshark),
    ("a_recording_of_ours_is_found_clean_by_tshark_", recording_found_clean_by_tshark),
];

/// What a kernel counts that should not have come: these, and all that begin so.
const WRONG: [&str; 11] = [
    "TcpInErrs",
    "TcpInCsumErrors",
    "TcpAttemptFails",
    "TcpEstabResets",
    "TcpExtTCPChallengeACK",
    "TcpExtTCPSYNChallenge",
    "TcpExtTCPReqQFullDrop",
    "TcpExtListenDrops",
    "TcpExtPAWS",
    "TcpExtTCPAbort",
    "TcpExtTCPACKSkipped",
];

#[track_caller]
fn assert_nothing_wrong(host: &FarHost) {
    let counted = host.run(Counters::read).expect("counters");
    for name in ["TcpInErrs", "TcpInCsumErrors", "TcpExtTCPChallengeACK", "TcpExtPAWSEstab"] {
        counted.of(name); // this kernel does count it
    }
    assert!(counted.of("TcpInSegs") > 500, "{}", counted.of("TcpInSegs"));
    assert_eq!(counted.above_zero(&WRONG), []);
}

/// MUST-2: no segment of ours was bad, challenged, too old, or cost it a connection.
fn the_peers_kernel_counts_nothing_wrong() {
    let world = World::new();
    exchanges(&Peer::of(&world));
    assert_nothing_wrong(&world.lab.far);
}

/// A host beyond the far one, which passes on what goes between.
fn host_beyond(world: &World) -> (FarHost, [IpAddr; 2]) {
    const LINK_BEYOND: &str = "shake1";
    let ends = |last: u8| -> [IpAddr; 2] {
        let v6 = Ipv6Addr::new(0xfd97, 0, 0, 0, 0, 0, 0, last.into());
        [Ipv4Addr::new(10, 97, 0, last).into(), v6.into()]
    };
    let [router, beyond] = [1, 2].map(ends);
    let at = |[v4, v6]: [IpAddr; 2]| [Address { ip: v4, prefix_len: 24 }, Address { ip: v6, prefix_len: 64 }];
    let host = FarHost::start().expect("a host");
    let namespace = host.namespace().try_clone_to_owned().unwrap();
    let join = move || {
        cable(LINK_BEYOND, std::os::fd::AsFd::as_fd(&namespace))?;
        configure(LINK_BEYOND, &at(router))
    };
    world.lab.far.run(join).expect("a cable");
    // Who passes on asks for neighbours by an address of the link.
    for link in [LINK, LINK_BEYOND] {
        let local = Address { ip: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9).into(), prefix_len: 64 };
        world.lab.far.run(move || configure(link, &[local])).expect("an address");
    }
    let settle = move || {
        lab::loopback_up()?;
        configure(LINK_BEYOND, &at(beyond))?;
        for ((near, bits), gateway) in [(NEAR_V4.into(), 24), (NEAR_V6.into(), 64)].into_iter().zip(router) {
            near_route_via(network(near, bits), bits, gateway);
        }
        Ok(())
    };
    host.run(settle).expect("addresses");
    for ((ip, bits), gateway) in beyond.into_iter().zip([24, 64]).zip([FAR_V4.into(), FAR_V6.into()]) {
        near_route_via(network(ip, bits), bits, gateway);
    }
    world.far_sysctl("ipv4/ip_forward", "1");
    world.far_sysctl("ipv6/conf/all/forwarding", "1");
    (host, beyond)
}

fn network(ip: IpAddr, bits: u8) -> IpAddr {
    let net = ipnet::IpNet::new(ip, bits).unwrap();
    net.network()
}

/// As strict as it can be: on a router, which sees each packet once and believes neither side.
fn conntrack_calls_nothing_invalid() {
    let world = World::new();
    let (host, addresses) = host_beyond(&world);
    world
        .lab
        .far
        .run(|| {
            sh("nft 'add table inet judge; add counter inet judge seen; add counter inet judge invalid'");
            sh("nft 'add chain inet judge forward { type filter hook forward priority 0; }'");
            sh("nft 'add rule inet judge forward meta l4proto tcp counter name seen'");
            sh("nft 'add rule inet judge forward meta l4proto tcp ct state invalid counter name invalid'");
            Ok(())
        })
        .expect("nft");
    for (name, value) in [("tcp_be_liberal", "0"), ("tcp_loose", "0"), ("checksum", "1")] {
        world.far_sysctl(&format!("netfilter/nf_conntrack_{name}"), value);
    }
    let peer = Peer { host: &host, addresses };
    exchanges(&peer);
    simultaneous_close(&peer);
    let counted = |name: &str| -> u64 {
        let list = format!("nft -j list counter inet judge {name}");
        let listed: Value =
            serde_json::from_str(&world.lab.far.run(move || Ok(sh(&list))).expect("nft")).unwrap();
        let counters = listed["nftables"].as_array().unwrap();
        counters.iter().find_map(|entry| entry["counter"]["packets"].as_u64()).unwrap()
    };
    assert!(counted("seen") > 500, "{} packets: they take another way", counted("seen"));
    assert_eq!(counted("invalid"), 0);
    assert_nothing_wrong(&host);
}

/// Packets as a file of libpcap's: no link layer, IPv4 and IPv6 as they come.
fn pcap(taped: &[Taped]) -> Vec<u8> {
    const RAW: u32 = 101; // LINKTYPE_RAW
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 0x4_0000, RAW] {
        file.extend(u32::to_le_bytes(word));
    }
    for Taped { at, octets } in taped {
        let len = octets.len() as u32;
        for word in [at.as_secs() as u32, at.subsec_nanos(), len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(octets);
    }
    file
}

/// What tshark reads of a file, a line a packet that passes `filter`, each field apart.
#[track_caller]
fn tshark(file: &str, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut arguments =
        vec!["-2", "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    let separated = format!("aggregator={SEPARATOR}");
    arguments.extend(["-Y", filter, "-T", "fields", "-E", &separated]);
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    let Said { code, stdout, stderr } = Said::by(&mut command("tshark", &arguments));
    assert_eq!(code, Some(0), "{stderr}");
    stdout.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Between several values of one field.
const SEPARATOR: char = '|';

/// Of the severities of remarks, the second; the first is chat.
const NOTE: u32 = 0x40_0000;

/// Notes on the first and on the second FIN.
const EVERY_CLOSE_HAS: [&str; 2] =
    ["This frame initiates the connection closing", "This frame undergoes the connection closing"];

/// Packets of ours.
const OURS: &str = "tcp and (ip.src == 10.99.0.1 or ipv6.src == fd99::1)";

/// The packets of a stream, as tshark shows them.
fn shown(file: &str, stream: &str) -> String {
    let filter = format!("tcp.stream == {stream}");
    Said::by(&mut command("tshark", &["-2", "-r", file, "-Y", &filter])).stdout
}

/// Checksums, remarks, and where MSS and PSH stand; `runs` tell what was sent again.
#[track_caller]
fn assert_clean(file: &str, runs: &[Run]) {
    const GOOD: &str = "1";
    let ours =
        tshark(file, OURS, &["tcp.checksum.status", "tcp.stream", "tcp.nxtseq", "tcp.len", "tcp.flags.push"]);
    assert!(!ours.is_empty());
    for packet in &ours {
        assert_eq!(packet[0], GOOD, "MUST-2: {packet:?}");
    }
    let late: Vec<_> = tshark(file, "tcp.option_kind == 2 and tcp.flags.syn == 0", &["frame.number"]);
    assert_eq!(late, Vec::<Vec<String>>::new(), "MUST-65: MSS without SYN");
    // What a slow machine made us send again is remarked, and was told by us; what it made the peer send again, or by
    // another way, we acknowledge again.
    let disorder = format!("not {OURS} and (tcp.analysis.retransmission or tcp.analysis.out_of_order)");
    let disordered: HashSet<String> =
        tshark(file, &disorder, &["tcp.stream"]).into_iter().map(|mut packet| packet.remove(0)).collect();
    let again: HashSet<String> = runs
        .iter()
        .flat_map(Run::steps)
        .filter(|step| step["retransmission"].as_u64().is_some_and(|times| times > 0))
        .map(|step| step["seq"].to_string())
        .collect();
    for packet in
        tshark(file, OURS, &["tcp.seq_raw", "tcp.stream", "_ws.expert.severity", "_ws.expert.message"])
    {
        let remarks = packet[2].split(SEPARATOR).zip(packet[3].split(SEPARATOR));
        for (_, remark) in
            remarks.filter(|(severity, _)| severity.parse().is_ok_and(|grave: u32| grave >= NOTE))
        {
            let is_known = again.contains(&packet[0]) && remark.contains("retransmission");
            let is_asked_for = disordered.contains(&packet[1]) && remark.starts_with("Duplicate ACK");
            let is_fine = is_known || is_asked_for || EVERY_CLOSE_HAS.contains(&remark);
            assert!(is_fine, "{remark}, behind {}:\n{}", packet[0], shown(file, &packet[1]));
        }
    }
    let texts = || ours.iter().filter(|packet| packet[3] != "0");
    let behind = |packet: &Vec<String>| packet[2].parse::<u32>().unwrap();
    let mut ends: HashMap<&str, u32> = HashMap::new();
    for packet in texts() {
        let end = ends.entry(&packet[1]).or_default();
        *end = behind(packet).max(*end);
    }
    for packet in texts().filter(|packet| ends[&*packet[1]] == behind(packet)) {
        assert!(matches!(&*packet[4], "1" | "True"), "PSH on the last text: {packet:?}");
    }
    for stream in tshark(file, "tcp", &["tcp.stream", "tcp.completeness", "frame.number"]) {
        assert_eq!(stream[1], WHOLE, "stream {}, frame {}", stream[0], stream[2]);
    }
}

/// SYN, SYN,ACK, ACK, text and FIN, and no RST.
const WHOLE: &str = "31";

/// A peer that sends nothing again because we are slow.
fn patient(world: &World) {
    world.far_sysctl("ipv4/tcp_early_retrans", "0"); // no loss probes
    for near in [NEAR_V4.into(), NEAR_V6.into()] {
        world.far_sends_again_after(near, PATIENCE);
    }
}

fn found_clean_by_tshark() {
    let (world, folder) = (World::new(), Folder::new());
    let tape = world.lab.far.run(|| Ok(Capture::start(LINK).tape())).expect("a capture");
    let peer = Peer::of(&world);
    patient(&world);
    let mut runs = exchanges(&peer);
    runs.push(simultaneous_close(&peer));
    let file = folder.file("taped.pcap");
    std::fs::write(&file, pcap(&tape.end())).unwrap();
    assert_clean(&file, &runs);
    assert_nothing_wrong(&world.lab.far);
}

/// What we record ourselves, by the kernel's times.
fn recording_found_clean_by_tshark() {
    let (world, folder) = (World::new(), Folder::new());
    patient(&world);
    let server = world.server(crate::world::greet);
    for (n, target) in [server.v4(), server.v6()].iter().enumerate() {
        let file = folder.file(&format!("{n}.pcapng"));
        let run = connect(&[target, "--send", "hello", "--timestamps", "--pcap", &file]);
        run.assert_ended(0, "completed");
        assert_clean(&file, &[run]);
    }
}
