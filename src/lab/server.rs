//! What the demo talks to: a TCP server of the kernel's, on the far host.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::FarHost;
use crate::net::privileges;

/// No client makes the server wait longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts one connection, sends back what it reads, and closes when the client has.
#[derive(Debug)]
pub struct EchoServer {
    address: SocketAddr,
    thread: JoinHandle<io::Result<()>>,
}

impl EchoServer {
    /// Starts one on the far host, on any address and the `port`.
    pub fn start(far: &FarHost, port: u16) -> io::Result<Self> {
        let listener = far.run(move || TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))?;
        let address = listener.local_addr()?;
        let thread = privileges::thread("echo server", move || {
            let (client, _) = listener.accept()?;
            serve(client)
        })?;
        Ok(Self { address, thread })
    }

    /// Where it can be reached at `ip`.
    pub fn at(&self, ip: impl Into<IpAddr>) -> SocketAddr {
        SocketAddr::new(ip.into(), self.address.port())
    }

    /// Waits until it has served its connection.
    pub fn finish(self) -> io::Result<()> {
        self.thread.join().map_err(|_| io::Error::other("the server panicked"))?
    }
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 4096];
    loop {
        match client.read(&mut buffer)? {
            0 => break,
            len => client.write_all(buffer.get(..len).unwrap_or_default())?,
        }
    }
    // Lets the kernel acknowledge the client's FIN at once, before our own follows: four segments, as in
    // the textbook, where it would otherwise send ACK and FIN as one.
    SockRef::from(&client).set_tcp_quickack(true)
}
