//! What a `connect` carries beside what the kernel's own TCP carries, over the same veth pair in one run.
//!
//! The kernel hands its cards, and a veth pair, segments of up to 64 KiB; ours leave one packet at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs programs, reads the clock and prints"
)]

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tcpshake::lab::{self, Lab};

mod compare;

const RUNS: usize = 10;
const OCTETS: usize = 64 << 20;

fn main() {
    lab::enter_private().expect("a private network");
    let lab = Lab::build().expect("a lab");
    let taker = serve(&lab, |mut client| {
        let _ = std::io::copy(&mut client, &mut std::io::sink()); // to the client's FIN, then close
    });
    let giver = serve(&lab, |mut client| {
        let _ = client.write_all(&vec![b'x'; OCTETS]);
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read(&mut [0]);
    });
    let file = Octets::write();

    let mut sent = [Vec::new(), Vec::new()];
    let mut received = [Vec::new(), Vec::new()];
    let at = format!("@{}", file.0.display());
    for _ in 0..RUNS {
        sent[0].push(ours(taker, &["--send", &at, "--half-close"]));
        sent[1].push(kernel_sends(taker));
        received[0].push(ours(giver, &["--until", "fin", "--output", "/dev/null"]));
        received[1].push(kernel_receives(giver));
    }
    compare::print_heading(RUNS);
    for (name, [ours, kernel]) in [("sends", sent), ("receives", received)] {
        print_goodput(name, &ours, &kernel);
        compare::print(&format!("tcpshake {name} 64 MiB"), "the kernel", ours, kernel);
    }
}

fn print_goodput(name: &str, ours: &[Duration], kernel: &[Duration]) {
    let best = |times: &[Duration]| OCTETS as f64 * 8.0 / times.iter().min().unwrap().as_secs_f64() / 1e6;
    let (ours, kernel) = (best(ours), best(kernel));
    println!(
        "{name}, best: tcpshake {ours:.0} Mbit/s, the kernel {kernel:.0} Mbit/s: {:.2} of it",
        ours / kernel
    );
}

/// A server of the kernel's on the far host.
fn serve(lab: &Lab, with: fn(TcpStream)) -> SocketAddr {
    let listener = lab.far.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(with));
    (lab::FAR_V4, port).into()
}

/// A file to send, gone at the end.
struct Octets(PathBuf);

impl Octets {
    fn write() -> Self {
        let path = std::env::temp_dir().join(format!("tcpshake-transfer-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; OCTETS]).unwrap();
        Self(path)
    }
}

impl Drop for Octets {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn ours(server: SocketAddr, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpshake"));
    command.args(["connect", &server.to_string(), "--linger", "0", "-q", "--format", "json"]).args(arguments);
    let said = command.output().expect("the program");
    let took = begun.elapsed();
    assert!(said.status.success(), "{said:?}");
    took
}

fn kernel_sends(server: SocketAddr) -> Duration {
    let octets = vec![b'x'; OCTETS];
    let begun = Instant::now();
    let mut client = TcpStream::connect(server).unwrap();
    client.write_all(&octets).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    begun.elapsed()
}

fn kernel_receives(server: SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut client = TcpStream::connect(server).unwrap();
    let received = std::io::copy(&mut client, &mut std::io::sink()).unwrap();
    assert_eq!(received, OCTETS as u64);
    begun.elapsed()
}
