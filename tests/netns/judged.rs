//! Exchanges of every kind with a kernel, for judges that nobody here wrote: who opens, who closes, text both ways and
//! of odd and even lengths, with each option and without, over IPv4 and IPv6.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

use tcpshake::lab::{FAR_V4, FAR_V6, FarHost, NEAR_V4, NEAR_V6};

use crate::listen::{PORT, Service, patient, talk};
use crate::run::{Run, connect, sh};
use crate::world::{PATIENCE, Server, World};

/// The host whose kernel we talk to.
pub(crate) struct Peer<'p> {
    pub(crate) host: &'p FarHost,
    pub(crate) addresses: [IpAddr; 2],
}

impl<'p> Peer<'p> {
    /// At the other end of the cable.
    pub(crate) fn of(world: &'p World) -> Self {
        Self { host: &world.lab.far, addresses: [FAR_V4.into(), FAR_V6.into()] }
    }

    fn server(&self, serve: fn(TcpStream)) -> u16 {
        let listener = self.host.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))).expect("a server");
        Server::start(listener, serve).port
    }

    fn client(&self, to: SocketAddr) -> TcpStream {
        let connect = move || TcpStream::connect_timeout(&to, PATIENCE);
        patient(self.host.run(connect).expect("a connection"))
    }
}

/// Octets of text: one segment, odd and even, and several.
const LENGTHS: [usize; 4] = [1, 1000, 10_001, 30_000];

fn text(n: usize) -> String {
    "judge me".chars().cycle().take(LENGTHS[n % LENGTHS.len()]).collect()
}

/// What we offer.
const OFFERS: [&[&str]; 6] = [
    &[],
    &["--timestamps"],
    &["--no-sack"],
    &["--wscale", "7", "--window", "200000"],
    &["--no-options"],
    &["--timestamps", "--no-sack", "--no-nagle"],
];

/// All of them, one after the other.
pub(crate) fn exchanges(peer: &Peer<'_>) -> Vec<Run> {
    let mut runs = opened_by_us(peer);
    runs.extend(opened_by_them(peer));
    runs
}

/// We open: and close first, or second, or say all before we hear anything.
fn opened_by_us(peer: &Peer<'_>) -> Vec<Run> {
    let servers = [peer.server(echo), peer.server(greet_and_close), peer.server(answer_at_the_end)];
    let mut runs = Vec::new();
    for (ip, offer) in peer.addresses.iter().flat_map(|ip| OFFERS.map(|offer| (ip, offer))) {
        for (port, close) in servers.into_iter().zip([ECHO, &["--close", "passive"], &["--half-close"]]) {
            let target = SocketAddr::new(*ip, port).to_string();
            let text = text(runs.len());
            let octets = text.len().to_string();
            let close: Vec<&str> =
                close.iter().map(|word| if *word == "N" { &*octets } else { word }).collect();
            let run = connect(&[&[&*target, "--send", &*text], offer, &close].concat());
            run.assert_ended(0, "completed");
            runs.push(run);
        }
    }
    runs
}

/// As much as was sent comes back.
const ECHO: &[&str] = &["--until", "N"];

/// They open: and close first, or second.
fn opened_by_them(peer: &Peer<'_>) -> Vec<Run> {
    let mut runs = Vec::new();
    for ip in [NEAR_V4.into(), NEAR_V6.into()] {
        for offer in [&[][..], &["--timestamps"], &["--no-options"]] {
            let to = SocketAddr::new(ip, PORT);
            let word = text(runs.len());
            let service = Service::start(&[&["--echo", "--count", "1"], offer].concat());
            assert_eq!(talk(peer.client(to), word.as_bytes()), word.as_bytes());
            runs.push(service.finish());
            let service = Service::start(&[&["--respond", &*word, "--count", "1"], offer].concat());
            let mut client = peer.client(to);
            client.write_all(b"odd").unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).unwrap();
            drop(client);
            assert_eq!(heard, word.as_bytes());
            runs.push(service.finish());
        }
    }
    for run in &runs {
        run.assert_ended(0, "completed");
    }
    runs
}

/// H-06: the first FIN that comes to the peer is lost, so that its own crosses ours for certain.
pub(crate) fn simultaneous_close(peer: &Peer<'_>) -> Run {
    let lose_the_first_fin = || {
        sh("nft add table inet lossy");
        sh("nft 'add chain inet lossy input { type filter hook input priority 0; }'");
        sh("nft add rule inet lossy input tcp flags '&' fin == fin numgen inc mod 1000000 0 drop");
        Ok(())
    };
    let port = peer.server(|mut client| {
        let _ = client.read_exact(&mut [0; 2]); // and not the FIN behind it
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read(&mut [0]);
    });
    peer.host.run(lose_the_first_fin).expect("nft");
    let run = connect(&[&SocketAddr::new(peer.addresses[0], port).to_string(), "--send", "xy"]);
    run.assert_ended(0, "completed");
    assert!(run.states().contains(&"CLOSING"), "{:?}", run.states());
    run
}

fn echo(mut client: TcpStream) {
    let mut reader = client.try_clone().unwrap();
    let _ = io::copy(&mut reader, &mut client);
}

fn greet_and_close(mut client: TcpStream) {
    let _ = client.write_all(&[b'g'; 2_345]);
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read_to_end(&mut Vec::new());
}

fn answer_at_the_end(mut client: TcpStream) {
    let mut heard = Vec::new();
    let _ = client.read_to_end(&mut heard);
    let _ = client.write_all(&heard);
}
