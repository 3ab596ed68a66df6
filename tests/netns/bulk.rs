//! 16 MiB each way against the kernel's TCP, octet for octet, also where one packet in twenty is lost.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use tcpshake::time::Clock;

use crate::Named;
use crate::data::{echo, noise};
use crate::near::Way;
use crate::run::{Dialogue, Folder, Said, TCPSHAKE, command, sh};
use crate::world::{PATIENCE, World, one_segment_a_packet};

pub(crate) const TESTS: &[Named] = &[
    ("bulk_connect_sends_all_and_hears_all_of_it_v4", || connect_each_way(&World::new(), Way::CABLE_V4)),
    ("bulk_connect_sends_all_and_hears_all_of_it_v6", || connect_each_way(&World::new(), Way::CABLE_V6)),
    ("bulk_connect_only_hears", || hears(&World::new())),
    ("bulk_listen_takes_all", || listen_takes_all(&World::new())),
    ("bulk_listen_answers_with_all", || listen_answers_with_all(&World::new())),
    ("bulk_listen_echoes_all", || listen_echoes_all(&World::new())),
    ("bulk_connect_each_way_with_losses_by_nft_v4", || {
        with_losses_by_nft(|world| connect_each_way(world, Way::CABLE_V4));
    }),
    ("bulk_connect_each_way_with_losses_by_nft_v6", || {
        with_losses_by_nft(|world| connect_each_way(world, Way::CABLE_V6));
    }),
    ("bulk_connect_only_hears_with_losses_by_nft_", || with_losses_by_nft(hears)),
    ("bulk_listen_takes_all_with_losses_by_nft_", || with_losses_by_nft(listen_takes_all)),
    ("bulk_listen_answers_with_all_with_losses_by_nft_", || with_losses_by_nft(listen_answers_with_all)),
    ("bulk_listen_echoes_all_with_losses_by_nft_", || with_losses_by_nft(listen_echoes_all)),
];

const LEN: usize = 16 << 20;
const PORT: u16 = 7007;
const BOTH: [Way; 2] = [Way::CABLE_V4, Way::CABLE_V6];

/// Does `work` where one packet in twenty is lost, of what comes and of what goes. What the far kernel sends is led
/// astray, to whom it may concern: of a drop on its own machine it would know, and that is no loss.
fn with_losses_by_nft(work: impl Fn(&World)) {
    let world = World::new();
    let load = || {
        one_segment_a_packet(); // or many would go at once
        sh("nft 'table inet lossy {
                chain in {
                    type filter hook prerouting priority 0;
                    meta l4proto tcp numgen random mod 100 < 5 counter drop
                }
                chain out {
                    type route hook output priority 0;
                    ip daddr 10.99.0.1 numgen random mod 100 < 5 counter ip daddr set 10.99.0.255
                    ip6 daddr fd99::1 numgen random mod 100 < 5 counter ip6 daddr set ff02::99
                }
            }'");
        Ok(())
    };
    world.lab.far.run(load).expect("nft");
    work(&world);
    for chain in ["in", "out"] {
        let rules = world.lab.far.run(move || Ok(sh(&format!("nft list chain inet lossy {chain}")))).unwrap();
        let counters = rules.split("counter packets ").skip(1);
        let lost: u32 = counters.map(|rest| rest.split(' ').next().unwrap().parse::<u32>().unwrap()).sum();
        assert!(lost > 100, "{chain}: {rules}");
    }
}

/// The server returns what comes while more comes.
fn connect_each_way(world: &World, way: Way) {
    let folder = Folder::new();
    let (there, back) = (folder.file("there"), folder.file("back"));
    let sent = noise(LEN);
    std::fs::write(&there, &sent).unwrap();
    let target = way.server(world, echo).to_string();
    let there = format!("@{there}");
    let arguments = ["connect", &target, "-q", "--send", &there, "--output", &back, "--half-close"];
    Said::by(&mut command(TCPSHAKE, &arguments)).assert_well();
    assert_same(&std::fs::read(&back).unwrap(), &sent);
}

/// Sends all of it as fast as it is taken, and reads nothing before the client's FIN.
fn recite(mut client: TcpStream) {
    let _ = client.write_all(&noise(LEN));
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read_to_end(&mut Vec::new());
}

fn hears(world: &World) {
    let folder = Folder::new();
    let heard = folder.file("heard");
    for way in BOTH {
        let target = way.server(world, recite).to_string();
        let arguments = ["connect", &target, "-q", "--until", "fin", "--output", &heard];
        Said::by(&mut command(TCPSHAKE, &arguments)).assert_well();
        assert_same(&std::fs::read(&heard).unwrap(), &noise(LEN));
    }
}

/// Says where they differ, not all that they hold.
#[track_caller]
fn assert_same(heard: &[u8], said: &[u8]) {
    let differ = heard.iter().zip(said).position(|(heard, said)| heard != said);
    assert_eq!((heard.len(), differ), (said.len(), None));
}

/// A service of ours for one client, and that client, of the kernel's, from the other end.
fn served(world: &World, way: Way, arguments: &[&str]) -> (Dialogue, TcpStream) {
    let port = PORT.to_string();
    let all = [&["listen", &port, "--count", "1", "-q", "--format", "json"], arguments].concat();
    let service = Dialogue::start(&mut command(TCPSHAKE, &all));
    (service, way.at_far(world, move || Ok(knock((way.near, PORT).into()))))
}

/// Until the service stands, the kernel refuses.
fn knock(at: SocketAddr) -> TcpStream {
    let clock = Clock::new();
    let deadline = clock.now() + PATIENCE;
    loop {
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && clock.now() < deadline => {
                std::thread::yield_now();
            }
            client => {
                let client = client.expect("a service");
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                client.set_write_timeout(Some(PATIENCE)).unwrap();
                return client;
            }
        }
    }
}

/// Asserts that the one client was served well, with this much text.
#[track_caller]
fn assert_served(service: Dialogue, received: usize, sent: usize) {
    let said = service.end().assert_well();
    let lines = said.json();
    let end = lines.iter().find(|line| line["type"] == "end").expect("an end");
    assert_eq!(
        (&end["outcome"], &end["text_received"], &end["text_sent"]),
        (&"completed".into(), &received.into(), &sent.into())
    );
}

fn listen_takes_all(world: &World) {
    for way in BOTH {
        let (service, mut client) = served(world, way, &["--discard"]);
        client.write_all(&noise(LEN)).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert_served(service, LEN, 0);
    }
}

fn listen_answers_with_all(world: &World) {
    let folder = Folder::new();
    let answer = folder.file("answer");
    std::fs::write(&answer, noise(LEN)).unwrap();
    for way in BOTH {
        let (service, mut client) = served(world, way, &["--respond", &format!("@{answer}")]);
        client.write_all(b"?").unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        assert_same(&heard, &noise(LEN));
        drop(client);
        assert_served(service, 1, LEN);
    }
}

fn listen_echoes_all(world: &World) {
    for way in BOTH {
        let (service, mut client) = served(world, way, &["--echo"]);
        let mut writer = client.try_clone().unwrap();
        let saying = std::thread::spawn(move || {
            writer.write_all(&noise(LEN)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        saying.join().unwrap();
        assert_same(&heard, &noise(LEN));
        drop(client);
        assert_served(service, LEN, LEN);
    }
}
