//! The Linux kernel as the stranger, and what its counters say of what it was sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};
use tcpshake::lab::FarHost;

use super::{Part, Stranger, own_address};
use crate::counters::Counters;
use crate::listen::patient;
use crate::world::PATIENCE;

struct Kernel(JoinHandle<Vec<u8>>);

pub(super) fn take(far: &FarHost, part: Part) -> Box<dyn Stranger> {
    own_address(far, part.local.ip());
    let socket = far.run(move || {
        let socket = Socket::new(Domain::for_address(part.local), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&part.local.into())?;
        if !part.opens {
            socket.listen(1)?;
        }
        Ok(socket)
    });
    let socket = socket.expect("a socket of the far kernel's");
    Box::new(Kernel(std::thread::spawn(move || {
        let stream = if part.opens {
            socket.connect_timeout(&part.remote.into(), PATIENCE).expect("an open");
            socket
        } else {
            socket.accept().expect("a connection").0
        };
        converse(patient(stream.into()), part)
    })))
}

/// Says its text, hears ours, and closes when both are through, if not before.
fn converse(mut stream: TcpStream, part: Part) -> Vec<u8> {
    let mut writer = stream.try_clone().unwrap();
    let saying = std::thread::spawn(move || {
        writer.write_all(&part.text()).unwrap();
        if part.closes_first {
            writer.shutdown(Shutdown::Write).unwrap();
        }
    });
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    saying.join().unwrap();
    heard
}

impl Stranger for Kernel {
    fn heard(self: Box<Self>) -> Vec<u8> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// MUST-2: asserts that a kernel was sent nothing that it does not put up with, but for what the cable has spoiled.
#[track_caller]
pub(super) fn assert_clean(counted: &Counters, spoiled: u64) {
    let old_syns = counted.of("TcpExtTCPSYNChallenge"); // our first came twice, the second when it was open
    for (name, count) in [
        ("TcpInCsumErrors", spoiled),
        ("TcpInErrs", spoiled + old_syns),
        ("TcpEstabResets", 0),
        ("TcpAttemptFails", 0),
        ("TcpExtPAWSEstab", 0),
        ("TcpExtPAWSActive", 0),
    ] {
        assert_eq!(counted.of(name), count, "{name}");
    }
    assert_eq!(counted.above_zero(&["TcpExtTCPAbort"]), []);
}
