//! A whole `connect` beside `nc -z`, and our ACK beside the kernel's, over a veth pair in one run.
//!
//! `cargo bench` prints medians, 90th percentiles, and how the two compare. Absolute times drift on
//! shared machines; the comparison does not. The rival is Debian's netcat-openbsd.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs programs, reads the clock and prints"
)]

use std::io::IoSliceMut;
use std::net::{Ipv6Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etherparse::{SlicedPacket, TransportSlice};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};
use tcpshake::lab::{self, Lab};
use tcpshake::net::interfaces::Interface;
use tcpshake::wire::sys::{self, Switch};

mod compare;

const RUNS: usize = 200;

fn main() {
    lab::enter_private().expect("a private network");
    let lab = Lab::build().expect("a lab");
    let listener = lab.far.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let _ = std::io::copy(&mut &client, &mut std::io::sink()); // to the client's FIN, then close
        }
    });
    let capture = Capture::start();
    let host = lab::FAR_V4.to_string();
    let ours = [env!("CARGO_BIN_EXE_tcpshake"), "connect", &host, &port, "--linger", "0", "-q"];
    let rival = ["nc", "-z", &host, &port];

    let mut samples = [Samples::default(), Samples::default()];
    for _ in 0..RUNS {
        for (samples, command) in samples.iter_mut().zip([&ours[..], &rival[..]]) {
            samples.wall.push(wall_time(command));
            samples.ack.extend(capture.syn_ack_to_ack());
        }
    }
    let [ours, rival] = samples;
    compare::print_heading(RUNS);
    compare::print("whole process, tcpshake connect", "nc -z", ours.wall, rival.wall);
    compare::print("SYN,ACK in to ACK out, tcpshake", "the kernel", ours.ack, rival.ack);
}

#[derive(Default)]
struct Samples {
    wall: Vec<Duration>,
    ack: Vec<Duration>,
}

fn wall_time(command: &[&str]) -> Duration {
    let begun = Instant::now();
    let run = Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).status();
    let took = begun.elapsed();
    assert!(run.expect("the rival is netcat-openbsd: apt-get install netcat-openbsd").success());
    took
}

/// Segments on the near end of the cable, both directions, stamped by the kernel.
struct Capture(Socket);

impl Capture {
    fn start() -> Self {
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        sys::switch_on(&socket, Switch::Timestamps).unwrap();
        let index = Interface::by_name(lab::LINK).unwrap().index;
        socket.bind(&sys::packet_address(index, libc::ETH_P_ALL as u16)).unwrap();
        Self(socket)
    }

    /// The time from a SYN,ACK to the next ACK of ours, in what was captured since the last call.
    fn syn_ack_to_ack(&self) -> Option<Duration> {
        let mut syn_ack_at = None;
        let mut took = None;
        while let Some((octets, at)) = self.next() {
            let packet = SlicedPacket::from_ip(&octets).ok()?;
            let Some(TransportSlice::Tcp(tcp)) = packet.transport else { continue };
            if tcp.syn() && tcp.ack() {
                syn_ack_at = Some(at);
            } else if let (Some(since), None, true) = (syn_ack_at, took, tcp.ack()) {
                took = at.checked_sub(since);
            }
        }
        took
    }

    fn next(&self) -> Option<(Vec<u8>, Duration)> {
        let mut buffer = vec![0; 65_536];
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message =
            recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()).ok()?;
        let stamps = message.cmsgs().unwrap().map(|control| {
            let ControlMessageOwned::ScmTimestampns(stamp) = control else { return None };
            Some(Duration::from(stamp))
        });
        let stamp = stamps.flatten().next()?;
        let len = message.bytes;
        buffer.truncate(len);
        Some((buffer, stamp))
    }
}
